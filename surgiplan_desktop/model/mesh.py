"""Triangle meshes and bones in parts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from surgiplan_desktop.base.arrays import BoolArray, FloatArray, IntArray, read_only
from surgiplan_desktop.base.spaces import Affine, Plane
from surgiplan_desktop.model.anatomy import BoneId


@dataclass(frozen=True, slots=True, eq=False)
class Mesh:
    """Triangles in LPS millimetres; outward orientation (counter-clockwise seen from outside). Arrays are read-only.

    Attributes
    ----------
    vertices
        Shape (n, 3), float64, mm, LPS.
    faces
        Shape (m, 3), int32, indices into ``vertices``.
    """

    vertices: FloatArray
    faces: IntArray

    def __post_init__(self) -> None:
        vertices = np.asarray(self.vertices, dtype=np.float64)
        faces = np.asarray(self.faces, dtype=np.int32)
        if vertices.ndim != 2 or vertices.shape[1] != 3:
            raise ValueError(f"vertices must have shape (n, 3), got {vertices.shape}")
        if faces.ndim != 2 or faces.shape[1] != 3:
            raise ValueError(f"faces must have shape (m, 3), got {faces.shape}")
        if faces.size and (faces.min() < 0 or faces.max() >= len(vertices)):
            raise ValueError("a face names a vertex that does not exist")
        object.__setattr__(self, "vertices", read_only(vertices))
        object.__setattr__(self, "faces", read_only(faces))

    def moved(self, transform: Affine) -> Mesh:
        """Return the mesh under a rigid motion (a mirroring would turn it inside out and is refused)."""
        if np.linalg.det(transform.linear) <= 0:
            raise ValueError("a mesh is moved by rigid motions only; mirroring turns it inside out")
        return Mesh(transform(self.vertices), self.faces)


@dataclass(frozen=True, slots=True)
class Deviation:
    """How far a surface lies from the boundary of the mask it was made from, mm."""

    mean_mm: float
    p95_mm: float
    max_mm: float


@dataclass(frozen=True, slots=True, eq=False)
class BonePart:
    """The part of a bone that lies in one block of the scan: closed, oriented, one component.

    Attributes
    ----------
    block
        Index of the block in ``Study.blocks`` (0 for meshes imported without a scan).
    mesh
        The closed surface.
    caps
        Planes of the open ends (where the block's edge cuts the bone), normals pointing out of the bone.
    cap_vertices
        Shape (n,), True where a vertex belongs to a cap: these enter no landmark, axis, smoothing or distance figure.
    deviation
        From the mask's boundary; None for imported meshes.
    volume_change
        Relative change of volume by smoothing and simplification (0.001 = 0.1 %); 0 for imported meshes.
    """

    block: int
    mesh: Mesh
    caps: tuple[Plane, ...]
    cap_vertices: BoolArray
    deviation: Deviation | None = None
    volume_change: float = 0.0

    def __post_init__(self) -> None:
        mask = np.asarray(self.cap_vertices, dtype=np.bool_)
        if mask.shape != (len(self.mesh.vertices),):
            raise ValueError("cap_vertices needs one entry a vertex")
        object.__setattr__(self, "cap_vertices", read_only(mask))

    @property
    def surface_points(self) -> FloatArray:
        """Vertices that lie on real bone surface, shape (n, 3), mm LPS."""
        return self.mesh.vertices[~self.cap_vertices]


@dataclass(frozen=True, slots=True, eq=False)
class Bone:
    """A bone as one or more parts, ordered by block. Landmarks take the bone, never a bare mesh."""

    id: BoneId
    parts: tuple[BonePart, ...]

    @property
    def surface_points(self) -> FloatArray:
        """Points on real bone surface of all parts, shape (n, 3), mm LPS."""
        return np.concatenate([part.surface_points for part in self.parts])

    @property
    def cut_ends(self) -> int:
        """Number of open ends."""
        return sum(len(part.caps) for part in self.parts)
