"""The patella: its poles and the lower border of its articular face (clinical.md A.1)."""

from __future__ import annotations

from types import MappingProxyType

import numpy as np
from scipy.ndimage import median_filter, uniform_filter1d

from surgiplan_desktop.base.arrays import FloatArray
from surgiplan_desktop.base.progress import SILENT, Progress
from surgiplan_desktop.geometry.local_fit import crest_point, fit_quadric
from surgiplan_desktop.model.anatomy import BoneName, Side
from surgiplan_desktop.model.mesh import Bone
from surgiplan_desktop.model.study import Finding
from surgiplan_desktop.planning.landmarks.extremes import extreme
from surgiplan_desktop.planning.landmarks.found import Found, add, complete, end_cut, miss
from surgiplan_desktop.planning.landmarks.judge import judge
from surgiplan_desktop.planning.landmarks.surface import BoneSurface, bone_surface
from surgiplan_desktop.planning.records import Landmarks, LandmarkStatus

_ALL = ("patella_superior_pole", "patella_inferior_pole", "patella_articular_inferior")
#: Height of a patella, mm; a usual one is this high.
_HEIGHT_MM = (22.0, 65.0)
_USUAL_MM = 44.0
#: Heights (share of the patella's from the inferior pole) of the bare part below the articular face and of the face's own lower
#: half, whose bisector the edge between them looks along, and where that edge is looked for.
_BARE = (0.08, 0.24)
_FACE = (0.30, 0.55)
_EDGE_AT = (0.12, 0.45)
#: In columns of this half width (usual size, mm); neighbouring ones look alike.
_LOOK_HALF_MM = 3.0
_LOOKS_AVERAGED = 5
_FEWEST_VERTICES = 6
#: What looks back at all: cosine.
_BACK = 0.15
#: The base is broad and flat: its top is the apex of a fit of this radius, mm.
_BASE_FIT_MM = 8.0
#: Columns in which the edge is looked for, to either side of the inferior pole, their step and half width (usual size), mm.
_COLUMNS_MM = 9.0
_COLUMN_STEP_MM = 1.5
_COLUMN_HALF_MM = 2.0
_EDGE_HALF_MM = (3.0, 3.5)
_FEWEST_COLUMNS = 5
#: What lies farther in front of the rearmost column's edge is the side of the bone, no border of the face (usual size, mm).
_FORWARD_MM = 4.0
_BESIDE = 3


def find_patella(side: Side, patella: Bone, *others: Landmarks, progress: Progress = SILENT) -> Landmarks:
    """Find the landmarks of a patella.

    Parameters
    ----------
    side
        Side of the leg.
    patella
        The bone, LPS mm.
    *others
        Landmarks of femur and tibia, which tell up and lateral; without them the patient's axes do, and status is "estimated".

    Returns
    -------
    Landmarks
        The patellar ids, missing ones with their reason.
    """
    progress.step(0, 2, "landmarks_patella")
    found: Found = {}
    findings: list[Finding] = []
    surface = bone_surface(patella)
    if patella.cut_ends:
        miss(found, end_cut(BoneName.PATELLA, "distal"), *_ALL)
    else:
        axes, status = _axes(surface, side, others)
        progress.step(1, 2, "landmarks_patella")
        _points(found, surface, axes, status)
        judge(found, findings, side, BoneName.PATELLA, surface, axes)
    progress.step(2, 2, "landmarks_patella")
    return Landmarks(side, MappingProxyType(complete(found, (BoneName.PATELLA,))), findings=tuple(findings))


def _axes(surface: BoneSurface, side: Side, others: tuple[Landmarks, ...]) -> tuple[FloatArray, LandmarkStatus]:
    """Rows lateral, anterior, up of the patella itself, and how sure they are.

    Front and back is where the bone is thinnest. Up in its own plane is across the distal joint line of the femur, as the groove
    runs, or along the axis of the bone next to it.
    """
    up, lateral = np.array([0.0, 0.0, 1.0]), np.array([-float(side.sign), 0.0, 0.0])
    status: LandmarkStatus = "estimated"
    for first, second, low, high in (
        ("medial_plateau_centre", "lateral_plateau_centre", "ankle_centre", "tibial_knee_centre"),
        ("medial_distal_condyle", "lateral_distal_condyle", "femoral_knee_centre", "hip_centre"),
    ):
        for leg in others:
            inner, outer, foot, head = (leg.point(name) for name in (first, second, low, high))
            if inner is not None and outer is not None:
                lateral, status = outer - inner, "auto"
                shaft = up if foot is None or head is None else head - foot
                up = shaft / np.linalg.norm(shaft)
                lateral = _turned_to(leg, lateral, up)
    lateral = lateral / np.linalg.norm(lateral)
    anterior = side.sign * np.cross(up, lateral)
    local = surface.vertices - surface.centroid
    _, vectors = np.linalg.eigh((local * surface.areas[:, None]).T @ local)
    thin = vectors[:, 0] * np.sign(vectors[:, 0] @ anterior)
    # of the thin direction only its tilt in the sagittal plane: which way the patella tips as it glides
    forward = thin - float(thin @ lateral) * lateral
    if float(thin @ anterior) < 0.7:
        forward = anterior
    forward = forward / np.linalg.norm(forward)
    return np.array([lateral, forward, side.sign * np.cross(lateral, forward)]), status


def _turned_to(leg: Landmarks, line: FloatArray, up: FloatArray) -> FloatArray:
    """The joint line with the turn about ``up`` of the posterior line: how far front or back a condyle is lowest is loose."""
    for bone in ("plateau", "condyle"):
        inner, outer = (leg.point(f"{side}_posterior_{bone}") for side in ("medial", "lateral"))
        if inner is not None and outer is not None:
            forward = np.cross(up, outer - inner)
            forward = forward / np.linalg.norm(forward)
            turned: FloatArray = line - float(line @ forward) * forward
            return turned
    return line


def _points(found: Found, surface: BoneSurface, axes: FloatArray, status: LandmarkStatus) -> None:
    up = axes[2]
    heights = surface.heights(up)
    tall = float(np.ptp(heights))
    if not _HEIGHT_MM[0] < tall < _HEIGHT_MM[1]:
        return
    top = extreme(surface, surface.real & (heights > heights.max() - 12.0), up, radius_mm=_BASE_FIT_MM)
    low = extreme(surface, surface.real & (heights < heights.min() + 10.0), -up, radius_mm=4.0)
    if top is not None:
        add(found, "patella_superior_pole", top[0], rms=top[1], status=status)
    if low is None:
        return
    add(found, "patella_inferior_pole", low[0], rms=low[1], status=status)
    edge = _articular_edge(surface, axes, low[0], tall)
    if edge is not None:
        add(found, "patella_articular_inferior", edge[0], rms=edge[1], n_points=edge[2], status=status)


def _articular_edge(
    surface: BoneSurface, axes: FloatArray, pole: FloatArray, tall: float
) -> tuple[FloatArray, float, int] | None:
    """Lowest point of the lower edge of the articular face, RMS of the curve through the edge and its columns.

    In each sagittal column the edge is the ridge between the face and what lies below it: the point that stands out farthest
    along the bisector of both. Through the columns runs a curve, whose lowest point counts. None where fewer than five columns
    show an edge.
    """
    up = axes[2]
    edge = _edge(surface, axes, pole, tall)
    if len(edge) < _FEWEST_COLUMNS:
        return None
    rim = np.array(edge) - pole
    behind = rim @ axes[1]
    rim = rim[behind < behind.min() + _FORWARD_MM * tall / _USUAL_MM]
    if len(rim) < _FEWEST_COLUMNS:
        return None
    across, rise, back = rim @ axes[0], rim @ up, rim @ axes[1]
    # one side rises more slowly than the other: only the columns next to the lowest (of a running mean) make the curve
    middle = int(np.argmin(uniform_filter1d(rise, 3, mode="nearest")))
    keep = np.arange(max(middle - _BESIDE, 0), min(middle + _BESIDE + 1, len(rim)))
    c, b, a = np.polynomial.polynomial.polyfit(across[keep], rise[keep], 2)
    lowest = float(np.clip(-b / (2.0 * a), across[keep].min(), across[keep].max())) if a > 1e-4 else float(across[middle])
    depth = np.polynomial.polynomial.polyval(lowest, np.polynomial.polynomial.polyfit(across[keep], back[keep], 2))
    residual = np.polynomial.polynomial.polyval(across[keep], np.array([c, b, a])) - rise[keep]
    point = pole + lowest * axes[0] + float(c + b * lowest + a * lowest**2) * up + float(depth) * axes[1]
    return point, float(np.sqrt(np.mean(residual**2))), len(rim)


def _edge(surface: BoneSurface, axes: FloatArray, pole: FloatArray, tall: float) -> list[FloatArray]:
    """Point of the edge (3,) in each column that has one: farthest along the bisector of bare part and face.

    The bisector is taken from all of both, not from what lies next to the edge: real faces are bent, and their edges soft.
    """
    lateral, anterior, up = axes
    size = tall / _USUAL_MM
    offset = surface.vertices - pole
    x, share = offset @ lateral, offset @ up / tall
    back = surface.real & (surface.normals @ anterior < -_BACK)
    columns: list[float] = []
    looks: list[float] = []
    for column in np.arange(-_COLUMNS_MM, _COLUMNS_MM + 0.1, _COLUMN_STEP_MM) * size:
        near = back & (np.abs(x - column) < _LOOK_HALF_MM * size)
        parts = [near & (share > low) & (share < high) for low, high in (_BARE, _FACE)]
        if min(np.count_nonzero(part) for part in parts) >= _FEWEST_VERTICES:
            sums = [surface.areas[part] @ surface.normals[part] for part in parts]
            looks.append(float(np.mean([np.arctan2(-normal @ up, -normal @ anterior) for normal in sums])))
            columns.append(float(column))
    if len(columns) < _FEWEST_COLUMNS:
        return []
    tilts = uniform_filter1d(median_filter(np.array(looks), _LOOKS_AVERAGED, mode="nearest"), 3, mode="nearest")
    edge: list[FloatArray] = []
    for column, tilt in zip(columns, tilts, strict=True):
        outward = -np.cos(tilt) * anterior - np.sin(tilt) * up
        own = np.flatnonzero(back & (np.abs(x - column) < _COLUMN_HALF_MM * size) & (share > _EDGE_AT[0]) & (share < _EDGE_AT[1]))
        if len(own) < _FEWEST_VERTICES:
            continue
        farthest = own[int(np.argmax(surface.vertices[own] @ outward))]
        crest = _crest(surface, axes, surface.vertices[farthest] + (column - x[farthest]) * lateral, outward)
        if crest is not None:
            edge.append(crest)
    return edge


def _crest(surface: BoneSurface, axes: FloatArray, seed: FloatArray, outward: FloatArray) -> FloatArray | None:
    """Crest of the sagittal profile near ``seed`` along ``outward``; None where there is none."""
    near = surface.real & (surface.normals @ outward > 0.2)
    near &= np.einsum("ij,ij->i", surface.vertices - seed, surface.vertices - seed) < 100.0
    quadric = fit_quadric(surface.vertices[near], surface.areas[near], seed, outward, axes[0], _EDGE_HALF_MM)
    return None if quadric is None else crest_point(quadric, 2.5)
