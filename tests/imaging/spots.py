"""A small scan with point-like landmarks, and where they are found again: for the round trips of every way to write a scan."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from surgiplan_desktop.base.spaces import Affine
from surgiplan_desktop.imaging.dicom_blocks import plan_blocks
from surgiplan_desktop.imaging.dicom_read import read_block
from surgiplan_desktop.imaging.dicom_scan import Series, scan_folder
from surgiplan_desktop.imaging.repair import read_repaired
from surgiplan_desktop.imaging.sources import Sources
from surgiplan_desktop.model.images import Volume

SHAPE = (30, 38, 46)
STEP_MM = (2.0, 1.5, 1.4)
ORIGIN = np.array([-41.3, 57.9, -812.25])
_WIDTH_MM = 2.6
_REACH_MM = 9.0
AIR_HU = -1000.0


def spots(origin: np.ndarray = ORIGIN) -> np.ndarray:
    """Three landmarks (LPS mm), none on a voxel, well inside the scan that begins at ``origin``, above its first third."""
    return origin + np.array([[21.37, 17.83, 29.61], [43.02, 38.49, 34.34], [24.9, 36.4, 44.12]])


def spotted(origin: np.ndarray = ORIGIN, tilt_deg: float = 0.0, steps: np.ndarray | None = None) -> Volume:
    """Draw the landmarks as they are; ``tilt_deg`` leans the slices; ``steps`` are other positions of slices in units of k."""
    tilt = np.radians(tilt_deg)
    columns = ([0, 0, STEP_MM[0]], [0, STEP_MM[1] * np.cos(tilt), -STEP_MM[1] * np.sin(tilt)], [STEP_MM[2], 0, 0])
    affine = Affine.from_parts(np.column_stack(columns), origin + np.array([0.0, 0.0, 15.0 * np.sin(tilt)]))
    k, j, i = np.meshgrid(*(np.arange(count, dtype=float) for count in SHAPE), indexing="ij")
    points = affine(np.column_stack([(k if steps is None else steps[k.astype(int)]).ravel(), j.ravel(), i.ravel()]))
    values = np.full(len(points), AIR_HU)
    for spot in spots(origin):
        values += 2000.0 * np.exp(-0.5 * ((points - spot) ** 2).sum(axis=1) / _WIDTH_MM**2)
    return Volume(np.rint(values).astype(np.int16).reshape(SHAPE), affine)


def found(volume: Volume, origin: np.ndarray = ORIGIN) -> np.ndarray:
    """Where the landmarks are in a volume: centres of brightness around each place where one should be, LPS mm."""
    index = np.array(list(np.ndindex(volume.shape)), dtype=np.float64)
    points = volume.affine(index)
    bright = np.clip(volume.array.reshape(-1).astype(np.float64) - AIR_HU - 60.0, 0.0, None)
    centres = []
    for spot in spots(origin):
        near = np.linalg.norm(points - spot, axis=1) < _REACH_MM
        assert bright[near].max() > 1000.0, "no landmark near where it should be"
        centres.append(np.average(points[near], axis=0, weights=bright[near]))
    return np.array(centres)


def largest(folder: Path) -> Series:
    """The series of a folder that has most slices."""
    return max(scan_folder(folder).series, key=lambda series: series.slices)


def imported(folder: Path, *, consent: bool = False) -> tuple[Volume, ...]:
    """Read what the folder's sound series hold, with consent its repairable ones too, proximal first."""
    wanted = ("ok", "repairable") if consent else ("ok",)
    series = [item for item in scan_folder(folder).series if item.verdict in wanted]
    best = [item for item in series if item.slices == max(other.slices for other in series)]
    repairs = [repair for item in best for repair in item.repairs]
    with Sources(folder) as sources:
        plans = plan_blocks(best)
        if consent:
            return tuple(read_repaired(sources, plan, repairs)[0] for plan in plans)
        return tuple(read_block(sources, plan) for plan in plans)


def miss_mm(volume: Volume, origin: np.ndarray = ORIGIN) -> float:
    """Largest distance between a landmark and where it is found, mm."""
    return float(np.linalg.norm(found(volume, origin) - spots(origin), axis=1).max())
