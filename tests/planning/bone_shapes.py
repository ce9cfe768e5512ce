"""Bones of spheres, capsules and planes with exactly known landmarks, as meshes of their distance functions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from vtkmodules.util.numpy_support import numpy_to_vtk, vtk_to_numpy
from vtkmodules.vtkCommonDataModel import vtkImageData
from vtkmodules.vtkFiltersCore import vtkFlyingEdges3D

from surgiplan_desktop.base.arrays import FloatArray
from surgiplan_desktop.base.spaces import Affine, Plane, rotation_about
from surgiplan_desktop.model.anatomy import BoneId, BoneName, Side
from surgiplan_desktop.model.mesh import Bone, BonePart, Mesh

Field = Callable[[FloatArray], FloatArray]
#: Medial-lateral, anterior, up -> LPS of a patient lying straight, for a right leg: lateral is -x, anterior -y.
RIGHT_FROM_LOCAL = np.array([[-1.0, 0.0, 0.0], [0.0, -1.0, 0.0], [0.0, 0.0, 1.0]])


def sphere(centre: FloatArray, radius: float) -> Field:
    return lambda p: np.linalg.norm(p - centre, axis=-1) - radius


def capsule(start: FloatArray, end: FloatArray, first: float, last: float) -> Field:
    def distance(p: FloatArray) -> FloatArray:
        axis = end - start
        share = np.clip((p - start) @ axis / (axis @ axis), 0.0, 1.0)
        return np.linalg.norm(p - start - share[..., None] * axis, axis=-1) - (first + share * (last - first))

    return distance


def ellipsoid(centre: FloatArray, semi: FloatArray) -> Field:
    def distance(p: FloatArray) -> FloatArray:
        scaled = np.linalg.norm((p - centre) / semi, axis=-1)
        gradient = np.linalg.norm((p - centre) / semi**2, axis=-1)
        return scaled * (scaled - 1.0) / np.maximum(gradient, 1e-9)

    return distance


def half_space(point: FloatArray, normal: FloatArray) -> Field:
    return lambda p: (p - point) @ (normal / np.linalg.norm(normal))


def joined(*fields: Field, blend: float = 0.0) -> Field:
    def distance(p: FloatArray) -> FloatArray:
        result = fields[0](p)
        for field in fields[1:]:
            other = field(p)
            h = np.maximum(blend - np.abs(result - other), 0.0) / blend if blend else 0.0
            result = np.minimum(result, other) - h * h * blend / 4.0
        return result

    return distance


def common(*fields: Field) -> Field:
    return lambda p: np.maximum.reduce([field(p) for field in fields])


def without(field: Field, *others: Field) -> Field:
    return lambda p: np.maximum.reduce([field(p), *(-other(p) for other in others)])


def surface(field: Field, low: FloatArray, high: FloatArray, spacing: float) -> tuple[FloatArray, FloatArray]:
    """Vertices and faces (outward) of the zero level."""
    counts = np.ceil((np.asarray(high) - low) / spacing).astype(int) + 1
    axes = [low[a] + spacing * np.arange(counts[a]) for a in range(3)]
    image = vtkImageData()
    image.SetDimensions(*counts.tolist())
    image.SetSpacing(spacing, spacing, spacing)
    image.SetOrigin(*np.asarray(low, dtype=float).tolist())
    values = np.empty((counts[2], counts[1], counts[0]))
    grid_y, grid_x = np.meshgrid(axes[1], axes[0], indexing="ij")
    for number, z in enumerate(axes[2]):
        values[number] = field(np.stack([grid_x, grid_y, np.full_like(grid_x, z)], axis=-1))
    image.GetPointData().SetScalars(numpy_to_vtk(values.ravel(), deep=True))
    contour = vtkFlyingEdges3D()
    contour.SetInputData(image)
    contour.SetValue(0, 0.0)
    contour.ComputeNormalsOff()
    contour.Update()
    output = contour.GetOutput()
    vertices = vtk_to_numpy(output.GetPoints().GetData()).astype(np.float64)
    faces = vtk_to_numpy(output.GetPolys().GetConnectivityArray()).reshape(-1, 3).astype(np.int32)
    corners = vertices[faces]
    volume = np.einsum("ij,ij->i", corners[:, 0], np.cross(corners[:, 1], corners[:, 2])).sum()
    return vertices, faces if volume > 0 else faces[:, ::-1]


@dataclass(frozen=True)
class Shape:
    """A bone of one side with its truth; ``local`` coordinates are (lateral, anterior, up)."""

    side: Side
    name: BoneName
    bone: Bone
    truth: dict[str, FloatArray]


def to_lps(side: Side, points: FloatArray, motion: Affine | None = None) -> FloatArray:
    lps = np.asarray(points) @ RIGHT_FROM_LOCAL.T
    if side is Side.LEFT:
        lps = lps * np.array([-1.0, 1.0, 1.0])
    return lps if motion is None else motion(lps)


def make_bone(
    side: Side,
    name: BoneName,
    field: Field,
    low: FloatArray,
    high: FloatArray,
    *,
    spacing: float = 2.0,
    cuts: tuple[tuple[float, float], ...] = (),
    motion: Affine | None = None,
    noise_mm: float = 0.0,
    seed: int = 1,
) -> Bone:
    """Mesh a field; ``cuts`` keeps only these ranges of height, one part each."""
    parts = []
    random = np.random.default_rng(seed)
    for number, (bottom, top) in enumerate(cuts or ((-1e9, 1e9),)):
        edges = [(bottom, -1.0), (top, 1.0)]
        limits = [half_space(np.array([0.0, 0.0, at]), np.array([0.0, 0.0, sign])) for at, sign in edges if abs(at) < 1e8]
        part = common(field, *limits) if limits else field
        box_low, box_high = np.array(low, float), np.array(high, float)
        box_low[2], box_high[2] = max(box_low[2], bottom - 4.0), min(box_high[2], top + 4.0)
        vertices, faces = surface(part, box_low, box_high, spacing)
        cap = np.zeros(len(vertices), dtype=bool)
        planes = []
        for at, sign in edges:
            if low[2] < at < high[2]:
                cap |= np.abs(vertices[:, 2] - at) < 0.02
                normal = np.array([0.0, 0.0, sign])
                planes.append((np.array([0.0, 0.0, at]), normal))
        if noise_mm:
            vertices = vertices + random.normal(0.0, noise_mm, vertices.shape)
        lps = to_lps(side, vertices, motion)
        linear = np.eye(3) if motion is None else motion.linear
        caps = tuple(Plane(to_lps(side, point, motion), linear @ to_lps(side, normal)) for point, normal in planes)
        # lateral, anterior, up is left-handed on the right: the right leg is the one to turn inside out
        flipped = faces[:, ::-1] if side is Side.LEFT else faces
        parts.append(BonePart(number, Mesh(lps, flipped), caps, cap))
    return Bone(BoneId(side, name), tuple(parts))


def femur(
    side: Side = Side.RIGHT,
    *,
    mldfa: float = 87.0,
    torsion: float = 15.0,
    **options: object,
) -> Shape:
    """Head sphere, neck, bowless shaft, two condyle spheres; joint line at ``mldfa`` to the mechanical axis."""
    head = np.array([0.0, 0.0, 420.0])
    tilt = np.tan(np.radians(90.0 - mldfa))
    condyle = {"medial": np.array([-24.0, -8.0, -24.0 * tilt]), "lateral": np.array([24.0, -8.0, 24.0 * tilt])}
    radius = 22.0
    turn = np.radians(torsion)
    reach = 45.0
    base = head + np.array([reach * np.cos(turn), -reach * np.sin(turn), -38.0])
    low = np.array([4.0, 8.0, 20.0])
    top = np.array([base[0], base[1], base[2] - 5.0])
    field = joined(
        sphere(head, 24.0),
        capsule(head, base, 15.0, 16.0),
        capsule(top + np.array([8.0, -6.0, 40.0]), top, 12.0, 17.0),
        capsule(top, low, 15.0, 16.0),
        capsule(low, np.array([0.0, 6.0, 4.0]), 18.0, 20.0),
        sphere(condyle["medial"], radius),
        sphere(condyle["lateral"], radius),
        sphere(top + np.array([-12.0, -12.0, -38.0]), 9.0),
    )
    # notch: a groove from front to back, round at its roof
    notch = capsule(np.array([0.0, -80.0, -14.0]), np.array([0.0, 80.0, -14.0]), 7.0, 7.0)
    slit = common(
        half_space(np.array([7.0, 0, 0]), np.array([1.0, 0, 0])),
        half_space(np.array([-7.0, 0, 0]), np.array([-1.0, 0, 0])),
        half_space(np.array([0.0, 0.0, -14.0]), np.array([0.0, 0, 1.0])),
    )
    field = without(field, notch, slit)
    truth = {"hip_centre": head, "femoral_neck_base": base}
    for name, centre in condyle.items():
        truth[f"{name}_condyle_centre"] = centre
    bone = make_bone(side, BoneName.FEMUR, field, np.array([-60.0, -60.0, -45.0]), np.array([90.0, 45.0, 460.0]), **options)
    motion = options.get("motion")
    return Shape(side, BoneName.FEMUR, bone, {k: to_lps(side, v, motion) for k, v in truth.items()})


def tibia(side: Side = Side.RIGHT, *, mpta: float = 87.0, slope: float = 7.0, length: float = 370.0, **options: object) -> Shape:
    """Plateau plane with two spines, tapered shaft with tuberosity, plafond with malleolus; knee centre at the origin."""
    frontal, sagittal = np.tan(np.radians(90.0 - mpta)), np.tan(np.radians(slope))
    # height over the frontal plane rises laterally when MPTA < 90 and anteriorly with slope
    normal = np.array([-frontal, -sagittal, 1.0])
    normal /= np.linalg.norm(normal)
    ankle = np.array([0.0, 0.0, -length])
    body = joined(
        ellipsoid(np.array([-18.0, -2.0, -10.0]), np.array([20.0, 23.0, 26.0])),
        ellipsoid(np.array([18.0, -2.0, -10.0]), np.array([20.0, 23.0, 26.0])),
        capsule(np.array([0.0, 0.0, -12.0]), np.array([0.0, 4.0, -80.0]), 24.0, 15.0),
        capsule(np.array([0.0, 4.0, -80.0]), ankle + np.array([0.0, 0.0, 40.0]), 15.0, 11.0),
        capsule(ankle + np.array([0.0, 0.0, 45.0]), ankle + np.array([0.0, 0.0, 16.0]), 12.0, 19.0),
        capsule(np.array([3.0, 22.0, -28.0]), np.array([3.0, 12.0, -55.0]), 8.0, 6.0),
        blend=4.0,
    )
    body = common(body, half_space(np.zeros(3), normal))
    spines = joined(
        capsule(np.array([-6.0, 0.0, -6.0]), np.array([-7.0, 0.0, 6.0]), 4.0, 3.0),
        capsule(np.array([6.0, 0.0, -6.0]), np.array([7.0, 0.0, 6.0]), 4.0, 3.0),
    )
    body = common(body, half_space(ankle, np.array([0.0, 0.0, -1.0])))
    malleolus = capsule(ankle + np.array([-15.0, 2.0, -3.0]), ankle + np.array([-17.0, 2.0, -10.0]), 6.0, 5.0)
    field = joined(body, spines, malleolus)
    motion = options.get("motion")
    truth = {"tibial_knee_centre": np.zeros(3), "plateau_normal_tip": normal, "ankle_centre": ankle}
    bone = make_bone(
        side, BoneName.TIBIA, field, np.array([-45.0, -40.0, -length - 20.0]), np.array([45.0, 42.0, 16.0]), **options
    )
    return Shape(side, BoneName.TIBIA, bone, {k: to_lps(side, v, motion) for k, v in truth.items()})


def turned(angle_deg: float, axis: tuple[float, float, float] = (0.3, -0.5, 0.8)) -> Affine:
    """A rigid motion: a turn about an oblique axis and a shift."""
    turn = rotation_about(np.array([10.0, -20.0, 30.0]), np.array(axis), angle_deg)
    return Affine.from_parts(np.eye(3), np.array([-83.2, 140.0, 612.0])) @ turn
