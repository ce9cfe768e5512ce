"""Read label maps that others made: NIfTI, NRRD, MetaImage. What is no label map is refused, not compared."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from surgiplan_desktop.base.arrays import AnyArray, frozen
from surgiplan_desktop.base.errors import InputDataError
from surgiplan_desktop.imaging.volume_files import read_stored
from surgiplan_desktop.model.images import LabelMap
from surgiplan_desktop.model.study import Finding

_HIGHEST: Final = 65535
#: Grey values differ from one voxel to the next, labels do so at borders only: above this share of neighbours it is a picture.
_BORDER_SHARE: Final = 0.25
#: So few values are labels however they lie (a map of single voxels, a checkerboard).
_FEW_VALUES: Final = 16


@dataclass(frozen=True, slots=True, eq=False)
class ReadLabels:
    """A label map on the grid of its file, and what was odd about the file."""

    labels: LabelMap
    findings: tuple[Finding, ...]


def read_label_file(path: Path) -> ReadLabels:
    """Read a label map: whole numbers from 0 to 65535, any of them; left-handed and sheared grids as they are.

    Raises
    ------
    InputDataError
        ``not_labels`` for values that cannot be labels (a CT, a map of probabilities), and those of
        :func:`~surgiplan_desktop.imaging.volume_files.read_volume` about the file and its place.
    """
    values, affine, findings = read_stored(path)
    array = np.empty(values.shape, dtype=np.uint16)
    changing = 0
    for k, plane in enumerate(values):  # slice by slice: no second copy in floating point
        low, high = plane.min(), plane.max()
        # a comparison with NaN is false
        if not (low >= 0 and high <= _HIGHEST) or (plane.dtype.kind == "f" and not (plane == np.rint(plane)).all()):
            raise InputDataError("not_labels", file=path, low=f"{float(low):g}", high=f"{float(high):g}")
        array[k] = plane
        changing += _changes(array[k])
    if changing > _BORDER_SHARE * array.size and np.count_nonzero(np.bincount(array.reshape(-1))) > _FEW_VALUES:
        raise InputDataError("not_labels", file=path, low=f"{array.min()}", high=f"{array.max()}")
    return ReadLabels(LabelMap(frozen(array), affine), findings)


def _changes(plane: AnyArray) -> int:
    """Return the number of voxels that differ from the next one of their row."""
    return int(np.count_nonzero(plane[:, 1:] != plane[:, :-1]))
