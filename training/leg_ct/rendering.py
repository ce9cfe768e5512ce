"""Random CT from scenes: every density, texture, blur and noise drawn anew, so that a network learns shapes, not one scanner."""

from __future__ import annotations

import numpy as np
import torch
from scenes import Tile
from torch.nn.functional import avg_pool3d, interpolate, pad

#: What lies outside the scan, and the range that the network sees.
AIR_HU = -1024.0
WINDOW_HU = (-400.0, 1600.0)


def normalised(hounsfield: torch.Tensor) -> torch.Tensor:
    """Clip to the window and scale to about -1..1; the same in training and use."""
    low, high = WINDOW_HU
    return (hounsfield.clamp(low, high) - 0.5 * (low + high)) / (0.5 * (high - low))


def render(tile: Tile, random: np.random.Generator) -> torch.Tensor:
    """Return Hounsfield values of a tile, float32 (k, j, i)."""
    size, step = tuple(tile.depth.shape), tile.step_mm
    soft = random.uniform(0.0, 80.0) + _clouds(size, 30.0, step, random) * random.uniform(5.0, 35.0)
    fat = random.uniform(-130.0, -60.0)
    # flesh round the axis of the leg, fat outside it, septa of fat within, air beyond the skin
    radius = random.uniform(42.0, 95.0) + _clouds(size, 60.0, step, random) * 8.0
    skin = radius + random.uniform(2.0, 30.0)
    body = torch.where(tile.axis_mm < radius, soft, torch.full(size, fat))
    septa = _clouds(size, random.uniform(10.0, 30.0), step, random)
    body = torch.where((septa.abs() < random.uniform(0.0, 0.12)) & (tile.axis_mm < radius), torch.full(size, fat), body)
    near_bone = tile.depth > -random.uniform(1.0, 6.0)
    flesh = (tile.axis_mm < skin) | near_bone
    image = torch.where(flesh, body, torch.full(size, -1000.0 + random.uniform(-20.0, 60.0)))
    image = _table(image, tile, flesh, random)
    if random.random() < 0.3:  # fluid, cartilage or contrast about the bones
        image = torch.where(tile.depth > -random.uniform(1.5, 4.0), image + random.uniform(0.0, 150.0), image)
    image = _bone(image, tile, random)
    if random.random() < 0.12:
        image = _metal(image, tile, random)
    image = _scanner(image, tile, random)
    return torch.where(tile.inside, image, torch.full(size, AIR_HU))


def _bone(image: torch.Tensor, tile: Tile, random: np.random.Generator) -> torch.Tensor:
    size, step = tuple(tile.depth.shape), tile.step_mm
    shell = (random.uniform(0.8, 3.0) + _clouds(size, 70.0, step, random) * random.uniform(0.0, 2.2)).clamp(0.5, 7.0)
    shaft = _clouds(size, 120.0, step, random) > random.uniform(-0.5, 0.8)
    shell = torch.where(shaft, shell * random.uniform(1.0, 2.2), shell)
    cortex = random.uniform(450.0, 1700.0) + _clouds(size, 25.0, step, random) * random.uniform(0.0, 150.0)
    # sparse trabeculae in fat are no denser than soft tissue; towards the joint they thicken (Hvid 1985, J Orthop Res 3:464)
    spongy = random.uniform(-80.0, 420.0)
    marrow = random.uniform(-110.0, 120.0)
    core = torch.where(shaft, torch.full(size, marrow), torch.full(size, spongy))
    if random.random() < 0.6:
        behind = (tile.depth - shell).clamp_min(0.0)
        core = core + random.uniform(0.0, 350.0) * torch.exp(-behind / random.uniform(2.0, 12.0)) * ~shaft
    core = core + _clouds(size, random.uniform(3.0, 12.0), step, random) * random.uniform(0.0, 110.0)
    # partial volume at both faces of the shell, about one voxel wide
    wide = max(step, 0.8)
    into_shell = ((tile.depth + 0.5 * wide) / wide).clamp(0.0, 1.0)
    into_core = ((tile.depth - shell + 0.5 * wide) / wide).clamp(0.0, 1.0)
    inside = cortex * (1.0 - into_core) + core * into_core
    return image * (1.0 - into_shell) + inside * into_shell


def _table(image: torch.Tensor, tile: Tile, flesh: torch.Tensor, random: np.random.Generator) -> torch.Tensor:
    if random.random() < 0.5:
        return image
    height = tile.points[..., 1] - float(tile.points[..., 1].mean()) - random.uniform(20.0, 90.0)
    bow = tile.points[..., 0] ** 2 / random.uniform(600.0, 4000.0) * (random.random() < 0.6)
    thick = random.uniform(1.0, 4.0)
    top = ((height + bow).abs() < thick) & ~flesh
    return torch.where(top, torch.full_like(image, random.uniform(-300.0, 200.0)), image)


def _metal(image: torch.Tensor, tile: Tile, random: np.random.Generator) -> torch.Tensor:
    """Blobs of metal in or at bone, with streaks across the slice."""
    size = tuple(tile.depth.shape)
    spots = (tile.depth > -2.0).nonzero()
    if not len(spots):
        return image
    centre = spots[int(random.integers(len(spots)))].float()
    grid = torch.stack(torch.meshgrid(*(torch.arange(n, dtype=torch.float32) for n in size), indexing="ij"), dim=-1)
    away = (grid - centre) * tile.step_mm
    axis = torch.tensor(random.normal(size=3), dtype=torch.float32)
    axis = axis / axis.norm()
    along = away @ axis
    radial = torch.linalg.vector_norm(away - along[..., None] * axis, dim=-1)
    body = (radial < random.uniform(2.0, 9.0)) & (along.abs() < random.uniform(6.0, 60.0))
    rows = body.any(dim=2).any(dim=1).float()[:, None, None]
    angle = torch.atan2(away[..., 1], away[..., 2])
    wave = torch.cos(angle * int(random.integers(2, 9)) + random.uniform(0.0, 6.3))
    fall = 1.0 / (1.0 + torch.linalg.vector_norm(away[..., 1:], dim=-1) / 15.0)
    image = image + rows * wave * fall * random.uniform(100.0, 700.0)
    return torch.where(body, torch.full_like(image, random.uniform(2200.0, 3071.0)), image)


def _scanner(image: torch.Tensor, tile: Tile, random: np.random.Generator) -> torch.Tensor:
    """Blur, thick slices, correlated noise, gain and offset."""
    sharp = random.uniform(0.0, 0.9)
    if sharp > 0.25:
        image = _blurred(image, sharp / max(tile.step_mm, 0.6))
    if random.random() < 0.35:
        thick = int(random.choice([2, 3]))
        rows = image.shape[0] // thick * thick
        coarse = avg_pool3d(image[None, None, :rows], (thick, 1, 1))
        stretched = interpolate(coarse, size=(rows, *image.shape[1:]), mode="trilinear")[0, 0]
        image = torch.cat([stretched, image[rows:]])
    sigma = float(np.exp(random.uniform(np.log(3.0), np.log(90.0))))
    noise = torch.from_numpy(random.standard_normal(image.shape, dtype=np.float32))
    if random.random() < 0.6:
        noise = _blurred(noise, random.uniform(0.4, 1.0))
        noise = noise / noise.std()
    image = image + sigma * noise
    return (image * random.uniform(0.95, 1.05) + random.normal(0.0, 12.0)).clamp(AIR_HU, 3071.0)


def _blurred(image: torch.Tensor, sigma_voxels: float) -> torch.Tensor:
    reach = max(1, int(np.ceil(2.5 * sigma_voxels)))
    offsets = torch.arange(-reach, reach + 1, dtype=torch.float32)
    kernel = torch.exp(-0.5 * (offsets / sigma_voxels) ** 2)
    kernel = kernel / kernel.sum()
    result = image[None, None]
    for axis in range(3):
        shape = [1, 1, 1, 1, 1]
        shape[2 + axis] = len(kernel)
        padding = [0] * 6
        padding[2 * (2 - axis)] = padding[2 * (2 - axis) + 1] = reach
        result = torch.nn.functional.conv3d(pad(result, padding, mode="replicate"), kernel.reshape(shape))
    return result[0, 0]


def _clouds(size: tuple[int, ...], scale_mm: float, step_mm: float, random: np.random.Generator) -> torch.Tensor:
    """Smooth random field of unit spread whose hills are about ``scale_mm`` apart."""
    knots = tuple(max(2, int(np.ceil(count * step_mm / scale_mm)) + 1) for count in size)
    coarse = torch.from_numpy(random.standard_normal((1, 1, *knots)).astype(np.float32))
    return interpolate(coarse, size=size, mode="trilinear", align_corners=True)[0, 0]
