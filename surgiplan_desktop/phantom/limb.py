"""A procedural leg: bones as fields and meshes in the patient's space, with its truth.

The right leg is built in the leg frame (lateral, anterior, up) and put into LPS; the left one is its mirror image in the plane
x = 0, vertex by vertex.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

import numpy as np

from surgiplan_desktop.base.arrays import AnyArray, FloatArray
from surgiplan_desktop.base.progress import SILENT, Progress
from surgiplan_desktop.base.spaces import Affine, rotation_about
from surgiplan_desktop.base.units import VERTEX_ROUNDING_MM
from surgiplan_desktop.model.anatomy import BoneId, BoneName, Side
from surgiplan_desktop.model.mesh import Mesh
from surgiplan_desktop.phantom.cortex import cortex_mm
from surgiplan_desktop.phantom.disturb import disturbed_bones
from surgiplan_desktop.phantom.fields import Field
from surgiplan_desktop.phantom.meshing import mesh_of
from surgiplan_desktop.phantom.parameters import LegParameters, impossible
from surgiplan_desktop.phantom.pose import Placed
from surgiplan_desktop.phantom.skeleton import Skeleton, build_skeleton
from surgiplan_desktop.phantom.tibia import fit_plane
from surgiplan_desktop.phantom.truth import Points, bone_widths, femoral_points, patellar_points, tibial_points
from surgiplan_desktop.phantom.truth_measures import Sizes, measures_of

#: Supine, legs slightly apart, foot turned out; the hip centre lies here in LPS on the right side (mm).
HIP_CENTRE_LPS: Final = (-88.0, -12.0, -30.0)
_TURN_OUT_DEG: Final = 7.0
_ADDUCTION_DEG: Final = 2.0
_LEAN_DEG: Final = 1.5
#: Bones that are meshed at once: arrays are worked on outside the interpreter's lock.
_THREADS: Final = 2


@dataclass(frozen=True, slots=True, eq=False)
class Solid:
    """A bone as a field of LPS points, with the box (LPS, mm) that holds its surface and the ends of its long axis.

    Attributes
    ----------
    distal, proximal
        Ends of the long axis, shape (3,); the bone lies between the planes through them across the axis.
    anterior
        Unit vector to the bone's front, across the axis.
    """

    bone: BoneId
    field: Field
    lowest: FloatArray
    highest: FloatArray
    distal: FloatArray
    proximal: FloatArray
    anterior: FloatArray

    def share(self, points: AnyArray) -> AnyArray:
        """Share of the bone's length from its distal end at LPS points of shape (n, 3)."""
        axis = self.proximal - self.distal
        along = (axis / (axis @ axis)).astype(points.dtype)
        result: AnyArray = (points - self.distal.astype(points.dtype)) @ along
        return result

    def cortex_mm(self, points: AnyArray) -> AnyArray:
        """Thickness of the cortex at LPS points of shape (n, 3), mm."""
        share = self.share(points)
        axis = (self.proximal - self.distal).astype(points.dtype)
        offset = points - self.distal.astype(points.dtype) - share[:, None] * axis
        length = np.sqrt((offset * offset).sum(axis=1))
        forward = (offset @ self.anterior.astype(points.dtype)) / np.maximum(length, points.dtype.type(1.0))
        return cortex_mm(self.bone.bone, np.clip(share, 0.0, 1.0), forward)


@dataclass(frozen=True, slots=True, eq=False)
class Leg:
    """A leg in the patient's space (LPS, mm).

    Attributes
    ----------
    meshes
        Closed, outward-oriented surfaces by bone.
    solids
        The same bones as fields.
    truth_landmarks
        Points by landmark id.
    truth_measures
        Values by measure id: in the bone plane, limb plane or none, as the contract of ``measure`` says.
    truth_limb_plane
        Values in the limb plane for those whose value is in a bone plane.
    """

    parameters: LegParameters
    meshes: Mapping[BoneId, Mesh]
    solids: tuple[Solid, ...]
    truth_landmarks: Mapping[str, FloatArray]
    truth_measures: Mapping[str, float | str]
    truth_limb_plane: Mapping[str, float]

    @property
    def side(self) -> Side:
        """Side of the leg."""
        return self.parameters.side


@dataclass(frozen=True, slots=True, eq=False)
class _InPatient:
    """A field of the leg frame as a field of LPS points (mirrored for the left)."""

    field: Field
    leg_from_lps: Affine
    mirrored: bool

    def __call__(self, points: AnyArray) -> AnyArray:
        matrix = self.leg_from_lps.matrix.astype(points.dtype)
        if self.mirrored:
            points = points * np.array([-1.0, 1.0, 1.0], dtype=points.dtype)
        return self.field((matrix[:3, :3] @ points.T + matrix[:3, 3:]).T)


def lps_from_leg(skeleton: Skeleton) -> Affine:
    """The pose of a right leg: leg frame (lateral, anterior, up) to LPS."""
    hip = skeleton.femur.head
    points_up = Affine.from_parts(np.diag([-1.0, -1.0, 1.0]), np.asarray(HIP_CENTRE_LPS) - np.array([-1.0, -1.0, 1.0]) * hip)
    centre = np.asarray(HIP_CENTRE_LPS)
    # Limb axis upright first, so that size and angles of the leg do not move the foot aside.
    ankle = points_up(skeleton.lower.to_leg(skeleton.tibia.knee - np.array([0.0, 0.0, skeleton.tibia.length])))
    aside = np.degrees(np.arctan2(ankle[0] - centre[0], centre[2] - ankle[2]))
    upright = rotation_about(centre, np.array([0.0, 1.0, 0.0]), aside)
    turn = rotation_about(centre, np.array([0.0, 0.0, 1.0]), -_TURN_OUT_DEG)
    lean = rotation_about(centre, np.array([1.0, 0.0, 0.0]), _LEAN_DEG)
    together = rotation_about(centre, np.array([0.0, 1.0, 0.0]), -_ADDUCTION_DEG)
    return together @ lean @ turn @ upright @ points_up


def build_leg(parameters: LegParameters, *, step_mm: float = 0.8, progress: Progress = SILENT) -> Leg:
    """Build a leg with meshes and truth.

    Parameters
    ----------
    parameters
        The leg.
    step_mm
        Edge of the meshing lattice; vertices lie on the exact surface whatever the step.

    Raises
    ------
    UsageError
        ``phantom_combination`` where parameters that are possible alone are not so together.
    """
    progress.step(0, 8, "phantom_truth")
    skeleton = build_skeleton(parameters)
    points: Points = {**femoral_points(skeleton), **tibial_points(skeleton), **patellar_points(skeleton)}
    progress.step(1, 8, "phantom_bones")
    pose = lps_from_leg(skeleton)
    in_leg: dict[BoneName, Mesh] = {}
    jobs = bones_of(skeleton, points)
    with ThreadPoolExecutor(_THREADS) as pool:
        waiting = [pool.submit(mesh_of, placed.field, low, high, step_mm) for _, placed, low, high in jobs]
        try:
            for number, ((bone, placed, _, _), job) in enumerate(zip(jobs, waiting, strict=True)):
                mesh = job.result()
                in_leg[bone] = Mesh(placed.to_leg(mesh.vertices), mesh.faces)
                progress.step(2 + number, 8, "phantom_bones")
        finally:
            # Cancelled: what has not begun need not begin.
            pool.shutdown(wait=False, cancel_futures=True)
    measures, beside = measures_of(points, _sizes(skeleton))
    left = parameters.side is Side.LEFT
    mirror = np.array([-1.0 if left else 1.0, 1.0, 1.0])
    meshes, solids = {}, []
    own_axes = {BoneName.PATELLA: skeleton.patella.axes}
    for bone, placed, _, _ in jobs:
        name = BoneId(parameters.side, bone)
        meshes[name] = _in_patient(in_leg[bone], pose, mirror)
        box = meshes[name].vertices
        inside = _InPatient(placed, pose.inverse(), left)
        solids.append(
            Solid(
                name,
                inside,
                box.min(axis=0),
                box.max(axis=0),
                *_long_axis(own_axes.get(bone, placed.axes), in_leg[bone], pose, mirror),
            )
        )
    _keep_patella_off_tibia(solids, meshes, parameters)
    landmarks = {name: pose(point) * mirror for name, point in points.items()}
    return Leg(parameters, meshes, tuple(solids), landmarks, measures, beside)


def _keep_patella_off_tibia(solids: list[Solid], meshes: Mapping[BoneId, Mesh], parameters: LegParameters) -> None:
    """Refuse a patella so low that it lies in the tibia."""
    tibia = next(solid for solid in solids if solid.bone.bone is BoneName.TIBIA)
    points = meshes[BoneId(parameters.side, BoneName.PATELLA)].vertices
    near = points[((points > tibia.lowest) & (points < tibia.highest)).all(axis=1)]
    if len(near) and float(tibia.field(near).min()) <= 0.0:
        raise impossible("patella_height", parameters.patella_height)


def _long_axis(axes: FloatArray, mesh: Mesh, pose: Affine, mirror: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Ends of the long axis (distal, proximal) and front of a bone, in LPS; ``axes`` are its own, as columns in the leg frame."""
    own = mesh.vertices @ axes
    low, high = own.min(axis=0), own.max(axis=0)
    middle = 0.5 * (low + high)
    ends = np.array([[middle[0], middle[1], low[2]], [middle[0], middle[1], high[2]]]) @ axes.T
    distal, proximal = pose(ends) * mirror
    anterior = (pose.matrix[:3, :3] @ axes[:, 1]) * mirror
    return distal, proximal, anterior


def bones_of(skeleton: Skeleton, points: Points) -> tuple[tuple[BoneName, Placed, FloatArray, FloatArray], ...]:
    """Every bone as it is scanned (disturbed where asked), where it is placed, and the box of its own frame that holds it."""
    parameters = skeleton.parameters
    k, length = parameters.knee_width_mm / 77.0, parameters.tibia_length_mm
    head, lower = skeleton.femur.head, skeleton.lower
    ankle = skeleton.tibia.distal.place + np.array([0.0, 0.0, -12.0])
    fields = disturbed_bones(skeleton, points)
    upright = {bone: Placed(fields[bone], np.eye(3), np.zeros(3)) for bone in (BoneName.FEMUR, BoneName.PATELLA, BoneName.HIP)}
    below = {bone: Placed(fields[bone], lower.axes, lower.origin) for bone in (BoneName.TIBIA, BoneName.FIBULA, BoneName.TALUS)}
    return (
        (
            BoneName.FEMUR,
            upright[BoneName.FEMUR],
            k * np.array([-64.0, -58.0, -30.0]),
            np.array([90.0, 64.0 * k, head[2] + 48.0]),
        ),
        (BoneName.TIBIA, below[BoneName.TIBIA], np.array([-60.0, -50.0, -length - 42.0]), np.array([60.0, 56.0, 32.0])),
        (BoneName.FIBULA, below[BoneName.FIBULA], np.array([-8.0, -75.0, -length - 60.0]), np.array([82.0, 45.0, 12.0])),
        (BoneName.PATELLA, upright[BoneName.PATELLA], *_around(skeleton.patella.centre, 36.0 * k)),
        (BoneName.TALUS, below[BoneName.TALUS], *_around(ankle, 64.0)),
        (BoneName.HIP, upright[BoneName.HIP], *_around(head, 110.0)),
    )


def _around(centre: FloatArray, half: float) -> tuple[FloatArray, FloatArray]:
    return centre - half, centre + half


def _in_patient(mesh: Mesh, pose: Affine, mirror: FloatArray) -> Mesh:
    """Round to the program's vertex grid; a mirror image has its faces turned so that they look outward."""
    vertices = np.round(pose(mesh.vertices) / VERTEX_ROUNDING_MM) * VERTEX_ROUNDING_MM * mirror
    return Mesh(vertices, mesh.faces if mirror[0] > 0 else np.ascontiguousarray(mesh.faces[:, [0, 2, 1]]))


def _sizes(skeleton: Skeleton) -> Sizes:
    plateau, place = skeleton.tibia.plateau, skeleton.lower
    normals = [place.directions(fit_plane(plateau.patch(facet))[1]) for facet in (plateau.medial, plateau.lateral)]
    return Sizes(skeleton.femur.head_radius, *bone_widths(skeleton), normals[0], normals[1])
