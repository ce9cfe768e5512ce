"""A CT simulator of another build than the program's own and than that of the training: bones from meshes by stencils.

It shares no code with ``surgiplan_desktop.phantom`` nor with ``training``: triangles are filled on a grid finer than the scan's,
cortex and marrow follow the depth below the surface, flesh follows the distance from the bones, and the picture is
taken either by blur and noise or as a sinogram (parallel beam, three energies, counted photons) with filtered back-projection.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import SimpleITK
from numpy.typing import NDArray
from other_subjects import stencil
from scipy import ndimage, sparse

from surgiplan_desktop.base.arrays import FloatArray
from surgiplan_desktop.model.mesh import Mesh

Image = NDArray[np.float32]
Codes = NDArray[np.uint16]

#: Attenuation of water at 50, 70 and 100 keV (1/mm), of bone beyond it relative to 70 keV, and the share of each energy.
_WATER = np.array([0.0227, 0.0193, 0.0171])
_BONE = np.array([1.8, 1.0, 0.62])
_SHARE = np.array([0.35, 0.4, 0.25])
_MARGIN_MM = 9.0


@dataclass(frozen=True)
class Look:
    """How a subject and its scan look; HU, mm."""

    style: str = "plain"  # plain, texture
    projected: bool = False
    cortex_hu: float = 900.0
    shell_mm: float = 1.2
    shaft_mm: float = 3.5
    marrow_hu: float = 100.0
    spongy_hu: float = 200.0
    noise_hu: float = 20.0
    sharp: bool = False
    blur_mm: float = 0.5
    muscle_mm: float = 26.0
    fat_mm: float = 12.0
    extras: tuple[str, ...] = ()  # vessels, spots, cast, table, prone, foot, hand
    seed: int = 0


@dataclass(frozen=True)
class Grid:
    """Voxel centres: lowest corner (x, y, z) LPS mm, edges (k, j, i) mm, counts (k, j, i)."""

    low: FloatArray
    step: tuple[float, float, float]
    shape: tuple[int, int, int]

    @property
    def matrix(self) -> FloatArray:
        """Index (k, j, i) to LPS, shape (4, 4)."""
        result = np.eye(4)
        result[:3, :3] = np.diag(self.step)[::-1]
        result[:3, 3] = self.low
        return result

    def places(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Coordinates z (k, 1, 1), y (1, j, 1), x (1, 1, i), LPS mm."""
        z, y, x = (self.low[2 - axis] + self.step[axis] * np.arange(self.shape[axis]) for axis in range(3))
        return z[:, None, None], y[None, :, None], x[None, None, :]


def taken(meshes: Mapping[int, Mesh], grid: Grid, look: Look) -> tuple[Image, Codes]:
    """Return the scan and its true label codes; codes from 200 on are bones that have no name."""
    random = np.random.default_rng([look.seed, 77])
    image = np.zeros(grid.shape, dtype=np.float32)
    cover = np.zeros(grid.shape, dtype=np.float32)
    best = np.full(grid.shape, 0.5, dtype=np.float32)
    codes = np.zeros(grid.shape, dtype=np.uint16)
    for code, mesh in meshes.items():
        drawn = _bone(mesh, grid, look, random)
        if drawn is None:
            continue
        box, mine, values = drawn
        room = np.minimum(mine, 1.0 - cover[box])
        image[box] += values * np.divide(room, mine, out=np.zeros_like(mine), where=mine > 0)
        cover[box] += room
        larger = mine >= best[box]
        codes[box][larger], best[box][larger] = code, mine[larger]
    image += _flesh(cover, grid, look, random) * (1.0 - cover)
    image = _projected(image, grid, look, random) if look.projected else _blurred(image, grid, look, random)
    return image, codes


def _bone(mesh: Mesh, grid: Grid, look: Look, random: np.random.Generator) -> tuple[tuple[slice, ...], Image, Image] | None:
    """Box in the grid, share of each voxel inside the bone, and that share's Hounsfield values times the share."""
    step = np.array(grid.step)
    ends = np.stack([mesh.vertices.min(axis=0), mesh.vertices.max(axis=0)])[:, ::-1]
    first = np.floor((ends[0] - grid.low[::-1]) / step).astype(int) - 1
    last = np.ceil((ends[1] - grid.low[::-1]) / step).astype(int) + 2
    if (np.minimum(last, grid.shape) <= np.maximum(first, 0)).any():
        return None
    beyond = np.ceil(_MARGIN_MM / step).astype(int)
    first, last = np.maximum(first, -beyond), np.minimum(last, grid.shape + beyond)
    parts = np.maximum(np.round(step / (0.42 if np.prod((last - first) * step) < 1.2e6 else 0.6)), 1).astype(int)
    fine = step / parts
    shape = tuple(((last - first) * parts).tolist())
    low = (grid.low[::-1] + (first - 0.5) * step + 0.5 * fine)[::-1]
    mask = stencil(mesh, low, fine, shape)
    picture = SimpleITK.GetImageFromArray(mask.astype(np.uint8))
    picture.SetSpacing(fine[::-1].tolist())
    depth = SimpleITK.GetArrayFromImage(SimpleITK.SignedMaurerDistanceMap(picture, True, False, True))
    section = ndimage.gaussian_filter1d(mask.sum(axis=(1, 2)).astype(np.float64), 3.0)
    long = ends[1, 0] - ends[0, 0] > 60.0
    shaft = (np.clip((0.5 - section / section.max()) / 0.2, 0.0, 1.0) if long else np.zeros(shape[0]))[:, None, None]
    shell = look.shell_mm + (look.shaft_mm - look.shell_mm) * shaft if look.style != "plain" else look.shell_mm + 0 * shaft
    core = (look.spongy_hu + (look.marrow_hu - look.spongy_hu) * shaft).astype(np.float32)
    values = np.broadcast_to(core, shape).copy()
    if look.style != "plain":
        values += 70.0 * _cloud(shape, fine, 4.0, random) * (1.0 - 0.7 * shaft).astype(np.float32)
        values += (200.0 * np.exp(-np.maximum(depth - shell, 0.0) / 4.0) * (1.0 - shaft)).astype(np.float32)
    values = np.where(depth < shell, np.float32(look.cortex_hu) + 250.0 * shaft.astype(np.float32), values) * mask
    inner = tuple(slice(max(0, -a), max(0, -a) + min(b, n) - max(a, 0)) for a, b, n in zip(first, last, grid.shape, strict=True))
    box = tuple(slice(max(a, 0), min(b, n)) for a, b, n in zip(first, last, grid.shape, strict=True))
    return box, _means(mask.astype(np.float32), parts)[inner], _means(values, parts)[inner]


def _means(fine: Image, parts: NDArray[np.int64]) -> Image:
    k, j, i = (size // part for size, part in zip(fine.shape, parts, strict=True))
    result: Image = fine.reshape(k, parts[0], j, parts[1], i, parts[2]).mean(axis=(1, 3, 5), dtype=np.float32)
    return result


def _cloud(shape: tuple[int, ...], step: FloatArray, size_mm: float, random: np.random.Generator) -> Image:
    """Smooth random field of unit spread."""
    coarse = tuple(max(2, int(n * s / size_mm) + 1) for n, s in zip(shape, step, strict=True))
    field = random.standard_normal(coarse, dtype=np.float32)
    result = ndimage.zoom(field, [n / c for n, c in zip(shape, coarse, strict=True)], order=1, grid_mode=False)
    return result / max(float(result.std()), 1e-6)


def _flesh(cover: Image, grid: Grid, look: Look, random: np.random.Generator) -> Image:
    """Muscle, fat, air and what lies in them, everywhere."""
    step = np.array(grid.step)
    skip = np.maximum(np.round(3.0 / step), 1).astype(int)
    coarse = cover[:: skip[0], :: skip[1], :: skip[2]] > 0.3
    away = ndimage.gaussian_filter(ndimage.distance_transform_edt(~coarse, sampling=step * skip), 10.0 / (step * skip))
    # zoom lays the first and last places over each other: near enough for flesh
    away = ndimage.zoom(away.astype(np.float32), [n / c for n, c in zip(grid.shape, coarse.shape, strict=True)], order=1)
    z, y, x = grid.places()
    if look.style == "plain":
        flesh = np.where(away < look.muscle_mm, 40.0, -100.0)
        skin = look.muscle_mm + look.fat_mm
    else:
        texture = _cloud(grid.shape, step, 28.0, random)
        flesh = np.where(texture > -0.4, 55.0, -95.0) + 18.0 * _cloud(grid.shape, step, 6.0, random)
        skin = look.muscle_mm + look.fat_mm + 4.0 * _cloud(grid.shape, step, 50.0, random)
        flesh = np.where(skin - away < 2.0, 20.0, flesh)
    image = np.where(away < skin, flesh, -1000.0).astype(np.float32)
    body = away < skin
    if "cast" in look.extras:
        image[(away > skin + 2.0) & (away < skin + 7.0)] = random.uniform(350.0, 700.0)
    middle = [np.average(place.ravel(), weights=cover.sum(axis=other)) for place, other in ((y, (0, 2)), (x, (0, 1)))]
    if "vessels" in look.extras:
        # behind the bones, as near as such vessels come: they follow the bones' rear edge at 3 mm
        rear = np.where(cover.max(axis=2) > 0.3, y[:, :, 0], -np.inf).max(axis=1)
        rear = ndimage.maximum_filter1d(np.where(np.isfinite(rear), rear, middle[0]), max(3, int(24.0 / grid.step[0])))
        rear = ndimage.gaussian_filter1d(rear, 8.0 / grid.step[0])[:, None, None]
        for shift, radius in ((14.0, 3.4), (22.0, 4.2)):
            course = x - middle[1] - shift + 15.0 + 6.0 * np.sin(z / 40.0 + shift)
            tube = np.hypot(course, y - rear - radius - 3.0) < radius
            image[tube & body] = random.uniform(250.0, 420.0)
    if "spots" in look.extras:
        for place in random.choice(np.flatnonzero((away > 4.0) & (away < 20.0)), 14):
            k, j, i = np.unravel_index(place, grid.shape)
            far = ((z - z[k]) / 1.6) ** 2 + (y - y[0, j]) ** 2 + (x - x[0, 0, i]) ** 2
            image[far < random.uniform(1.5, 4.5) ** 2] = random.uniform(300.0, 950.0)
    if "table" in look.extras:
        front = -1.0 if "prone" in look.extras else 1.0
        edge = (np.flatnonzero(body.any(axis=(0, 2))) * grid.step[1] + grid.low[1])[-1 if front > 0 else 0]
        height = front * (y - edge) - 3.0 - (x - middle[1]) ** 2 / 1800.0
        image[~body & (np.abs(height) < 1.5)] = 120.0
        image[~body & (height > 1.5) & (height < 22.0)] = -900.0
    return image


def _blurred(image: Image, grid: Grid, look: Look, random: np.random.Generator) -> Image:
    sigma = [0.0, look.blur_mm / grid.step[1], look.blur_mm / grid.step[2]]
    result = ndimage.gaussian_filter(image, sigma)
    noise = random.standard_normal(grid.shape, dtype=np.float32)
    if look.sharp:
        result += 0.9 * (result - ndimage.gaussian_filter(result, [0.0, 1.1 / grid.step[1], 1.1 / grid.step[2]]))
    else:
        noise = ndimage.gaussian_filter(noise, [0.0, 0.8, 0.8])
    result += noise * np.float32(look.noise_hu / noise.std())
    return result


def _projected(image: Image, grid: Grid, look: Look, random: np.random.Generator) -> Image:
    """Take the picture as a sinogram, water-corrected, and project it back: bone hardens the beam, photons are counted."""
    pixel, (count, rows, columns) = grid.step[1], grid.shape
    flat = image.reshape(count, -1).T
    bone = np.maximum(flat - 120.0, 0.0) * np.float32(1e-3)
    water = np.maximum(flat * np.float32(1e-3) + 1.0, 0.0) - bone
    y, x = (np.indices((rows, columns)).reshape(2, -1) - np.array([[rows - 1], [columns - 1]]) / 2.0) * pixel
    bins = int(np.ceil(np.hypot(rows, columns))) + 4
    turns = int(1.25 * max(rows, columns))
    length = 1 << int(np.ceil(np.log2(2 * bins)))
    offset = np.minimum(np.arange(length), length - np.arange(length))
    kernel = np.where(offset % 2 == 1, -1.0 / (np.pi * np.maximum(offset, 1) * pixel) ** 2, 0.0)
    kernel[0] = 0.25 / pixel**2
    ramp = np.fft.rfft(kernel).real
    if not look.sharp:
        ramp *= 0.5 + 0.5 * np.cos(np.pi * np.linspace(0.0, 1.0, len(ramp)))
    thick = np.linspace(0.0, 700.0, 400)
    of_water = -np.log(np.exp(-np.outer(thick, _WATER)) @ _SHARE)
    photons = 5.5e4 * (20.0 / look.noise_hu) ** 2
    result = np.zeros_like(flat)
    for angles in np.array_split(np.arange(turns) * np.pi / turns, max(1, turns // 24)):
        at = (np.outer(np.cos(angles), x) + np.outer(np.sin(angles), y)) / pixel + 0.5 * (bins - 1)
        left = np.floor(at).astype(np.int32)
        share = (at - left).astype(np.float32)
        row = (left + bins * np.arange(len(angles), dtype=np.int32)[:, None]).ravel()
        column = np.tile(np.arange(len(x), dtype=np.int32), len(angles))
        weights, rows_of = np.concatenate([1.0 - share.ravel(), share.ravel()]), np.concatenate([row, row + 1])
        system = sparse.csr_matrix((weights, (rows_of, np.tile(column, 2))), shape=(bins * len(angles), len(x)))
        through_water, through_bone = (system @ part * np.float32(pixel) for part in (water, bone))
        energies = zip(_SHARE, _WATER, _BONE, strict=True)
        counted = sum(s * np.exp(-w * through_water - b * _WATER[1] * through_bone) for s, w, b in energies) * photons
        told = -np.log(np.maximum(random.poisson(counted), 1.0) / photons)
        lines = np.interp(told, of_water, thick * _WATER[1]).reshape(len(angles), bins, count)
        sharp = np.fft.irfft(np.fft.rfft(lines, length, axis=1) * ramp[None, :, None], length, axis=1)[:, :bins]
        result += system.T @ (sharp.reshape(-1, count) * (np.pi * pixel / turns)).astype(np.float32)
    hounsfield = (result / np.float32(_WATER[1]) - 1.0) * 1000.0
    return np.ascontiguousarray(hounsfield.T).reshape(grid.shape).astype(np.float32)
