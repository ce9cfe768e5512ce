"""Spaces: patient LPS in millimetres, index space (k, j, i), bone frames and planes.

LPS is the DICOM patient space: +x to the patient's left, +y posterior, +z superior. RAS exists only inside readers and writers
that need it. All matrices are float64 and act on column vectors. Source: DICOM PS3.3 C.7.6.2.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from surgiplan_desktop.base.arrays import FloatArray, read_only, unit, vector3

#: Multiply an LPS point (or a RAS point) by this to get the other; it is its own inverse.
LPS_FROM_RAS: Final = read_only(np.diag([-1.0, -1.0, 1.0, 1.0]))

LEFT: Final = read_only(np.array([1.0, 0.0, 0.0]))
POSTERIOR: Final = read_only(np.array([0.0, 1.0, 0.0]))
SUPERIOR: Final = read_only(np.array([0.0, 0.0, 1.0]))


@dataclass(frozen=True, slots=True, eq=False)
class Affine:
    """A 4 x 4 affine map. ``a @ b`` first applies ``b``; ``a(points)`` maps points of shape (3,) or (n, 3)."""

    matrix: FloatArray

    def __post_init__(self) -> None:
        matrix = np.array(self.matrix, dtype=np.float64)
        if matrix.shape != (4, 4) or not np.isfinite(matrix).all():
            raise ValueError(f"an affine matrix is 4 x 4 and finite, got shape {matrix.shape}")
        matrix.flags.writeable = False
        object.__setattr__(self, "matrix", matrix)

    def __call__(self, points: FloatArray) -> FloatArray:
        """Map points of shape (3,) or (n, 3)."""
        points = np.asarray(points, dtype=np.float64)
        mapped: FloatArray = points @ self.matrix[:3, :3].T + self.matrix[:3, 3]
        return mapped

    def __matmul__(self, other: Affine) -> Affine:
        return Affine(self.matrix @ other.matrix)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Affine) and bool(np.array_equal(self.matrix, other.matrix))

    def __hash__(self) -> int:
        return hash(self.matrix.tobytes())

    def directions(self, vectors: FloatArray) -> FloatArray:
        """Map direction vectors of shape (3,) or (n, 3): the linear part only."""
        return np.asarray(vectors, dtype=np.float64) @ self.matrix[:3, :3].T

    def inverse(self) -> Affine:
        """Return the inverse map."""
        return Affine(np.asarray(np.linalg.inv(self.matrix), dtype=np.float64))

    @property
    def linear(self) -> FloatArray:
        """The 3 x 3 linear part."""
        return self.matrix[:3, :3]

    @property
    def translation(self) -> FloatArray:
        """The translation, mm."""
        return self.matrix[:3, 3]

    @property
    def spacing(self) -> FloatArray:
        """Lengths of the three columns: voxel spacing in mm in the order of the index (k, j, i)."""
        lengths: FloatArray = np.asarray(np.linalg.norm(self.matrix[:3, :3], axis=0), dtype=np.float64)
        return lengths

    @staticmethod
    def identity() -> Affine:
        """Return the map that changes nothing."""
        return Affine(np.eye(4))

    @staticmethod
    def from_parts(linear: FloatArray, translation: FloatArray) -> Affine:
        """Build from a 3 x 3 linear part and a translation in mm."""
        matrix = np.eye(4)
        matrix[:3, :3] = linear
        matrix[:3, 3] = translation
        return Affine(matrix)


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """A right-handed bone frame after ISB: X anterior, Y superior (proximal), Z to the patient's right.

    Source: Wu et al. 2002, J Biomech 35:543; clinical.md 0.1. ``axes`` holds X, Y, Z as columns in LPS.
    """

    origin_lps: FloatArray
    axes: FloatArray

    def __post_init__(self) -> None:
        object.__setattr__(self, "origin_lps", read_only(vector3(self.origin_lps, "origin_lps")))
        axes = np.array(self.axes, dtype=np.float64)
        if axes.shape != (3, 3) or not np.allclose(axes.T @ axes, np.eye(3), atol=1e-9) or np.linalg.det(axes) < 0:
            raise ValueError("frame axes must be orthonormal and right-handed")
        axes.flags.writeable = False
        object.__setattr__(self, "axes", axes)

    @property
    def x(self) -> FloatArray:
        """Anterior."""
        return self.axes[:, 0]

    @property
    def y(self) -> FloatArray:
        """Superior (proximal)."""
        return self.axes[:, 1]

    @property
    def z(self) -> FloatArray:
        """To the patient's right."""
        return self.axes[:, 2]

    def to_local(self, points_lps: FloatArray) -> FloatArray:
        """LPS points (3,) or (n, 3) to frame coordinates, mm."""
        return (np.asarray(points_lps, dtype=np.float64) - self.origin_lps) @ self.axes

    def to_lps(self, points_local: FloatArray) -> FloatArray:
        """Frame coordinates (3,) or (n, 3) to LPS, mm."""
        return np.asarray(points_local, dtype=np.float64) @ self.axes.T + self.origin_lps

    def direction_to_lps(self, vector_local: FloatArray) -> FloatArray:
        """Direction in the frame to LPS."""
        return np.asarray(vector_local, dtype=np.float64) @ self.axes.T

    def direction_to_local(self, vector_lps: FloatArray) -> FloatArray:
        """Direction in LPS to the frame."""
        return np.asarray(vector_lps, dtype=np.float64) @ self.axes

    @property
    def lps_from_local(self) -> Affine:
        """The map from frame coordinates to LPS."""
        return Affine.from_parts(self.axes, self.origin_lps)


@dataclass(frozen=True, slots=True, eq=False)
class Plane:
    """A plane through ``point_lps`` (mm) with unit ``normal`` (LPS)."""

    point_lps: FloatArray
    normal: FloatArray

    def __post_init__(self) -> None:
        object.__setattr__(self, "point_lps", read_only(vector3(self.point_lps, "point_lps")))
        object.__setattr__(self, "normal", read_only(unit(self.normal, "normal")))

    def signed_distance(self, points_lps: FloatArray) -> FloatArray:
        """Distance in mm of points (3,) or (n, 3), positive on the side the normal points to."""
        result: FloatArray = (np.asarray(points_lps, dtype=np.float64) - self.point_lps) @ self.normal
        return result

    def project(self, points_lps: FloatArray) -> FloatArray:
        """Orthogonal projection of points (3,) or (n, 3) on the plane."""
        points = np.asarray(points_lps, dtype=np.float64)
        return points - np.multiply.outer(self.signed_distance(points), self.normal)


def rotation_about(point_lps: FloatArray, axis: FloatArray, angle_deg: float) -> Affine:
    """Rotation by ``angle_deg`` about the line through ``point_lps`` along ``axis`` (right-hand rule, Rodrigues)."""
    x, y, z = unit(axis, "axis")
    angle = np.radians(angle_deg)
    cross = np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
    linear = np.eye(3) + np.sin(angle) * cross + (1.0 - np.cos(angle)) * (cross @ cross)
    centre = vector3(point_lps, "point_lps")
    return Affine.from_parts(linear, centre - linear @ centre)
