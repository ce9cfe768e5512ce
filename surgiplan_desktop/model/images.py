"""Volumes and label maps: an array in index order (k, j, i) and its place in the patient."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from surgiplan_desktop.base.arrays import FloatArray, read_only
from surgiplan_desktop.base.spaces import Affine


@dataclass(frozen=True, slots=True, eq=False)
class Volume:
    """Hounsfield values of one block of a scan.

    Attributes
    ----------
    array
        Shape (k, j, i), int16 (float32 only where the rescale needs it), read-only.
    affine
        Maps the index (k, j, i) of a voxel centre to LPS, mm.
    """

    array: NDArray[np.int16] | NDArray[np.float32]
    affine: Affine

    def __post_init__(self) -> None:
        if self.array.ndim != 3 or min(self.array.shape) < 1:
            raise ValueError(f"a volume has three dimensions, got shape {self.array.shape}")
        object.__setattr__(self, "array", read_only(self.array))

    @property
    def spacing_kji_mm(self) -> FloatArray:
        """Distance of voxel centres along k, j, i, mm."""
        return self.affine.spacing

    @property
    def shape(self) -> tuple[int, int, int]:
        """Number of voxels along k, j, i."""
        k, j, i = self.array.shape
        return k, j, i


@dataclass(frozen=True, slots=True, eq=False)
class LabelMap:
    """Label codes (uint16, shape (k, j, i), read-only) on the grid of a volume; codes as in ``model.anatomy``."""

    array: NDArray[np.uint16]
    affine: Affine

    def __post_init__(self) -> None:
        if self.array.ndim != 3 or self.array.dtype != np.uint16:
            raise ValueError(f"a label map is uint16 of three dimensions, got {self.array.dtype} {self.array.shape}")
        object.__setattr__(self, "array", read_only(self.array))

    @property
    def shape(self) -> tuple[int, int, int]:
        """Number of voxels along k, j, i."""
        k, j, i = self.array.shape
        return k, j, i


@dataclass(frozen=True, slots=True, eq=False)
class UncertaintyMap:
    """How sure a model was, voxel by voxel, on the grid of its network (not that of the scan).

    All uint8, shape (k, j, i), read-only: ``entropy`` of the mean of all passes and ``disagreement`` between passes (mutual
    information), 0..255 for 0..ln(classes) (clinical.md E.2); ``chance`` that the voxel is bone, 0..255 for 0..1.
    """

    entropy: NDArray[np.uint8]
    disagreement: NDArray[np.uint8]
    chance: NDArray[np.uint8]
    affine: Affine

    def __post_init__(self) -> None:
        for name in ("entropy", "disagreement", "chance"):
            array = getattr(self, name)
            if array.ndim != 3 or array.dtype != np.uint8 or array.shape != self.entropy.shape:
                raise ValueError(f"{name} is uint8 of three dimensions like the others, got {array.dtype} {array.shape}")
            object.__setattr__(self, name, read_only(array))
