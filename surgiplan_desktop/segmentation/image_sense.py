"""Whether what came as a scan can be one, before a network answers about it: a network names bones in any picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from surgiplan_desktop.base.errors import InputDataError
from surgiplan_desktop.model.images import Volume
from surgiplan_desktop.model.study import Finding

#: A block shorter than this in any direction, or longer than that, has a wrong voxel size in its header (metres for millimetres),
#: mm. A leg is at most 1.2 m long.
_LEAST_EXTENT_MM: Final = 8.0
_MOST_EXTENT_MM: Final = 2500.0
#: Every how many voxels of a slice are looked at.
_STRIDE: Final = 4
#: Hounsfield values of a leg reach below fat (air, fat -100) and above spongy bone.
_DARKEST_HU: Final = -40.0
_BRIGHTEST_HU: Final = 250.0
#: Air or fat and bone together make at least this share of a scan of a leg.
_LEAST_SHARE: Final = 0.002
#: The voxel of a scan for bones is at most this long, mm; beyond it names may hold, surfaces do not.
_COARSE_MM: Final = 3.5


def value_findings(volumes: Sequence[Volume], modality: str) -> list[Finding]:
    """Look at extent and values of every block.

    Parameters
    ----------
    modality
        What the model was made for; Hounsfield values are asked for only where it is ``CT``.

    Raises
    ------
    InputDataError
        ``scan_extent`` where the voxel size cannot be right; ``scan_constant`` where a block shows nothing.
    """
    notes = []
    for number, volume in enumerate(volumes):
        extent = np.array(volume.shape) * volume.spacing_kji_mm
        if extent.min() < _LEAST_EXTENT_MM or extent.max() > _MOST_EXTENT_MM:
            told = " x ".join(f"{value:.3g}" for value in extent[::-1])
            raise InputDataError("scan_extent", block=number, extent_mm=told)
        if volume.spacing_kji_mm.max() > _COARSE_MM:
            notes.append(
                Finding("voxels_coarse", "warn", (("block", number), ("mm", round(float(volume.spacing_kji_mm.max()), 2))))
            )
        notes += _values(number, volume, modality)
    return notes


def _values(number: int, volume: Volume, modality: str) -> list[Finding]:
    bad = total = dark = bright = 0
    low, high = np.inf, -np.inf
    for layer in volume.array[:: max(1, volume.shape[0] // 200)]:
        values = layer[::_STRIDE, ::_STRIDE]
        fine = np.isfinite(values)
        bad += int(values.size - np.count_nonzero(fine))
        values = values[fine]
        if not values.size:
            continue
        total += values.size
        dark += int(np.count_nonzero(values < _DARKEST_HU))
        bright += int(np.count_nonzero(values > _BRIGHTEST_HU))
        low, high = min(low, float(values.min())), max(high, float(values.max()))
    if not total or low == high:
        raise InputDataError("scan_constant", block=number)
    notes = []
    if bad:
        notes.append(Finding("voxels_no_number", "warn", (("block", number), ("percent", round(100.0 * bad / (bad + total), 1)))))
    if modality == "CT" and min(dark, bright) < _LEAST_SHARE * total:
        notes.append(Finding("not_hounsfield", "critical", (("block", number), ("low", round(low)), ("high", round(high)))))
    return notes
