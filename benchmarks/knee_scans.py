"""CT scans of the stored statistical knees (../shared/data, bones.tar.xz): shapes that no training of the program has seen."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import ndimage
from scipy.spatial import cKDTree

from surgiplan_desktop.base.arrays import AnyArray, FloatArray
from surgiplan_desktop.base.spaces import Affine
from surgiplan_desktop.geometry.distance import signed_distance
from surgiplan_desktop.model.anatomy import BoneId, BoneName, Side, label_code
from surgiplan_desktop.model.images import LabelMap, Volume
from surgiplan_desktop.model.mesh import Mesh
from surgiplan_desktop.phantom.ct.bone import BoneTextures, draw_bone, find_bones, two_nearest
from surgiplan_desktop.phantom.ct.grid import ORIENTATIONS, lattice_over
from surgiplan_desktop.phantom.ct.scanner import BodyNoise, NoiseMaker, blurred, slice_profile
from surgiplan_desktop.phantom.ct.scene import KERNELS
from surgiplan_desktop.phantom.limb import Solid
from surgiplan_desktop.validation.surface_distance import area_samples

FILE = "synthetic-knees-100.npz"
UNIT_MM = 0.005
#: The knee in view, from the joint up and down, mm; the ends of the stored shapes lie outside.
VIEW_MM = 66.0
_GRID_MM = 1.2
_BAND_MM = 5.0
_KERNEL = "medium"


@dataclass(frozen=True)
class KneeScan:
    """A scan with its true labels, and the surfaces (LPS mm) by label code; ``low``, ``high`` corners of the field of view."""

    volume: Volume
    labels: LabelMap
    meshes: dict[int, Mesh]
    low: FloatArray
    high: FloatArray


def knee_meshes(file: Path, number: int, gap_mm: float | None) -> dict[BoneName, Mesh]:
    """Return a right knee in LPS: the tibia moved along the leg to a least gap (None: as stored), the patella set in front."""
    with np.load(file) as data:
        raw = {
            name: (data[f"{name}_vertices_5um"][number] * UNIT_MM, data[f"{name}_faces"].astype(np.int32))
            for name in (BoneName.FEMUR, BoneName.TIBIA, BoneName.PATELLA)
        }
    # stored: x lateral, y anterior, z up; a right knee in LPS is that turned by half a turn about z
    meshes = {name: Mesh(points * np.array([-1.0, -1.0, 1.0]), faces) for name, (points, faces) in raw.items()}
    femur = meshes[BoneName.FEMUR].vertices
    cloud = cKDTree(area_samples(meshes[BoneName.FEMUR], 60000))
    if gap_mm is not None:
        meshes[BoneName.TIBIA] = _apart(meshes[BoneName.TIBIA], cloud, np.array([0.0, 0.0, -1.0]), gap_mm)
    front = femur[(femur[:, 2] > 0.0) & (femur[:, 2] < 20.0)]
    patella = meshes[BoneName.PATELLA]
    start = np.array([front[:, 0].mean(), front[:, 1].min() + 4.0, 12.0]) - patella.vertices.mean(axis=0)
    placed = Mesh(patella.vertices + start, patella.faces)
    meshes[BoneName.PATELLA] = _apart(placed, cloud, np.array([0.0, -1.0, 0.0]), 2.5)
    return meshes


def _apart(mesh: Mesh, cloud: cKDTree, direction: FloatArray, gap_mm: float) -> Mesh:
    """Move a mesh along a direction from 15 mm off until its least distance is the gap."""
    low, high = -8.0, 15.0
    for _ in range(14):
        middle = 0.5 * (low + high)
        nearest = float(cloud.query(mesh.vertices + middle * direction)[0].min())
        overlap = middle < 0 and nearest > gap_mm and _reaches_in(mesh, cloud, middle * direction)
        low, high = (middle, high) if nearest < gap_mm or overlap else (low, middle)
    return Mesh(mesh.vertices + high * direction, mesh.faces)


def _reaches_in(mesh: Mesh, cloud: cKDTree, shift: FloatArray) -> bool:
    centre = np.asarray(cloud.data).mean(axis=0)
    return bool(np.linalg.norm(mesh.vertices + shift - centre, axis=1).min() < 8.0)


class _Distances:
    """Signed distance of a closed mesh, from a grid; exact to some hundredths of a millimetre near the surface."""

    def __init__(self, mesh: Mesh) -> None:
        self.low = mesh.vertices.min(axis=0) - 10.0
        counts = np.ceil((mesh.vertices.max(axis=0) + 10.0 - self.low) / _GRID_MM).astype(int) + 1
        places = self.low + np.stack(np.meshgrid(*map(np.arange, counts), indexing="ij"), axis=-1).reshape(-1, 3) * _GRID_MM
        far = cKDTree(area_samples(mesh, 40000)).query(places, distance_upper_bound=_BAND_MM)[0]
        close = np.isfinite(far)
        values = np.full(len(places), _BAND_MM)
        values[close] = signed_distance(mesh, places[close])
        grid = values.reshape(counts)
        pieces, _ = ndimage.label(grid > _BAND_MM - 1e-9)
        grid[(pieces > 0) & (pieces != pieces[0, 0, 0])] = -_BAND_MM
        self.grid = grid

    def __call__(self, points: AnyArray) -> AnyArray:
        """Distance at LPS points (n, 3), negative inside, within 5 mm."""
        index = ((points - self.low) / _GRID_MM).T
        result: AnyArray = ndimage.map_coordinates(self.grid, index, order=1, mode="nearest").astype(points.dtype)
        return result


def knee_scan(file: Path, number: int, spacing_mm: float, noise_hu: float, gap_mm: float | None = None) -> KneeScan:
    """Scan a stored knee: bones of random texture in muscle and fat, blurred and noisy as a medium kernel makes it."""
    meshes = knee_meshes(file, number, gap_mm)
    lengths = {BoneName.FEMUR: 430.0, BoneName.TIBIA: 370.0, BoneName.PATELLA: 44.0}
    solids = []
    for name, mesh in meshes.items():
        low, high = mesh.vertices.min(axis=0), mesh.vertices.max(axis=0)
        middle = 0.5 * (low + high)
        ends = np.array([[middle[0], middle[1], low[2]], [middle[0], middle[1], low[2] + lengths[name]]])
        if name is BoneName.TIBIA:
            ends = ends + np.array([0.0, 0.0, high[2] - ends[1, 2]])
        solids.append(Solid(BoneId(Side.RIGHT, name), _Distances(mesh), low, high, ends[0], ends[1], np.array([0.0, -1.0, 0.0])))
    joint = float(meshes[BoneName.TIBIA].vertices[:, 2].max())
    box = np.concatenate([mesh.vertices for mesh in meshes.values()])
    lowest = np.array([box[:, 0].min() - 28.0, box[:, 1].min() - 12.0, joint - VIEW_MM])
    highest = np.array([box[:, 0].max() + 28.0, box[:, 1].max() + 28.0, joint + VIEW_MM])
    lattice = lattice_over(lowest, highest, (spacing_mm,) * 3, ORIENTATIONS["axial"], 0.0)
    bones = find_bones(lattice, tuple(solids))
    _, second = two_nearest(lattice, bones)
    x, y, _ = lattice.coordinates(tuple(np.arange(size, dtype=float) for size in lattice.shape))
    radius = np.hypot(x - box[:, 0].mean(), y - box[:, 1].mean() - 6.0)
    ideal = np.broadcast_to(np.where(radius < 55.0, 55.0, np.where(radius < 63.0, -100.0, -1000.0)), lattice.shape)
    ideal = ideal.astype(np.float32)
    codes = np.zeros(lattice.shape, dtype=np.uint16)
    for bone in bones:
        draw_bone(ideal, codes, lattice, bone, second, BoneTextures.of(number))
    shape, pixel = (lattice.shape[1], lattice.shape[2]), (spacing_mm, spacing_mm)
    noise = NoiseMaker.of(KERNELS[_KERNEL], shape, pixel, slice_profile(spacing_mm, spacing_mm), noise_hu, number)
    around, whites = BodyNoise.of(shape, pixel), {}
    scanned = np.empty(lattice.shape, dtype=np.int16)
    for k in range(lattice.shape[0]):
        image = blurred(ideal[k], KERNELS[_KERNEL], pixel) + noise(k, whites) * around.factor(ideal[k])
        scanned[k] = np.clip(np.rint(image), -1024, 3071)
    corners = lattice.affine(np.array([[0.0, 0.0, 0.0], np.array(lattice.shape) - 1.0]))
    by_code = {label_code(solid.bone): meshes[solid.bone.bone] for solid in solids}
    volume, labels = Volume(scanned, lattice.affine), LabelMap(codes, Affine(lattice.affine.matrix))
    return KneeScan(volume, labels, by_code, corners.min(axis=0), corners.max(axis=0))
