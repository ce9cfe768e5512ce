"""Random scenes: one or two legs from stored shapes, moved, scaled and bent, seen through a tile, cut as scans are cut."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch.nn.functional import grid_sample, interpolate

SHAPE_STEP_MM = 1.5
DEPTH_UNIT_MM = 0.1
REACH_MM = 12.7
#: Code of bones that are none of the leg's, such as those of the foot.
OTHER_BONE = 7


@dataclass(frozen=True)
class Shape:
    """A right leg.

    ``depth`` (1, 1, k, j, i) in mm; ``code`` of the nearest bone, same shape; ``low``, ``high`` corners of the box, LPS mm (x, y,
    z); ``course`` (k, 2): middle (x, y) of the leg's bones at each height, mm from the middle of the box.
    """

    depth: torch.Tensor
    code: torch.Tensor
    low: torch.Tensor
    high: torch.Tensor
    course: torch.Tensor


@dataclass(frozen=True)
class Tile:
    """What a tile shows, on its own grid (k, j, i).

    ``depth`` mm, positive in bone; ``code`` of the nearest bone; ``inside`` of the scan's field of view; ``axis_mm`` distance
    from the nearest leg's axis; ``points`` LPS mm, shape (k, j, i, 3).
    """

    depth: torch.Tensor
    code: torch.Tensor
    inside: torch.Tensor
    axis_mm: torch.Tensor
    points: torch.Tensor
    step_mm: float

    @property
    def target(self) -> torch.Tensor:
        """Code of each voxel, 0 outside bone and outside the scan."""
        return torch.where((self.depth > 0) & self.inside, self.code, torch.zeros_like(self.code))


def load_shapes(folder: Path) -> list[Shape]:
    """Read every stored shape of a folder, in the order of the names."""
    shapes = []
    for path in sorted(folder.glob("*.npz")):
        if ".part" in path.name:
            continue
        with np.load(path) as data:
            depth = torch.from_numpy(data["depth"].astype(np.float32) * DEPTH_UNIT_MM).half()[None, None]
            code = torch.from_numpy(data["code"])[None, None]
            low = torch.tensor(data["origin"], dtype=torch.float32)
            size = torch.tensor(data["depth"].shape[::-1], dtype=torch.float32)
            course = _course((data["depth"] > 0) & (data["code"] < OTHER_BONE))
        shapes.append(Shape(depth, code, low, low + SHAPE_STEP_MM * (size - 1), course))
    if not shapes:
        raise SystemExit(f"no shapes in {folder}; make them with shapes.py")
    return shapes


def _course(bone: np.ndarray) -> torch.Tensor:
    """Smoothed middle of the bone voxels of each slice, mm from the middle of the grid, shape (k, 2) as x, y."""
    count = bone.sum(axis=(1, 2))
    there = np.flatnonzero(count)
    middles = []
    for axis, size in ((2, bone.shape[2]), (1, bone.shape[1])):
        along = bone.sum(axis=2 if axis == 1 else 1)[there] @ np.arange(size) / count[there]
        filled = np.interp(np.arange(len(bone)), there, along - 0.5 * (size - 1))
        middles.append(np.convolve(np.pad(filled, 20, mode="edge"), np.ones(41) / 41.0, mode="valid"))
    return torch.tensor(np.stack(middles, axis=1) * SHAPE_STEP_MM, dtype=torch.float32)


def random_tile(shapes: list[Shape], size: tuple[int, int, int], step_mm: float, random: np.random.Generator) -> Tile:
    """Draw a scene and a tile of it."""
    legs = [_placed(shapes, random, side=int(random.choice([1, -1])))]
    if random.random() < 0.6:
        apart = random.uniform(110.0, 260.0)
        legs.append(_placed(shapes, random, side=-legs[0].side))
        legs[0].shift[0] = -0.5 * apart * legs[0].side
        legs[1].shift[0] = -0.5 * apart * legs[1].side
        legs[1].shift[2] += random.normal(0.0, 8.0)
    points = _tile_points(legs, size, step_mm, random)
    depth = torch.full(size, -REACH_MM)
    code = torch.zeros(size, dtype=torch.uint8)
    axis = torch.full(size, 1e3)
    for leg in legs:
        own_depth, own_code, own_axis = leg.look(points)
        closer = own_depth > depth
        depth, code = torch.where(closer, own_depth, depth), torch.where(closer, own_code, code)
        axis = torch.minimum(axis, own_axis)
    if random.random() < 0.25:
        depth, code = _with_hand(depth, code, points, axis, random)
    # joints narrowed or widened, bones thicker or thinner than drawn
    depth = depth + float(random.normal(0.0, 0.35))
    return Tile(depth, code, _field_of_view(size, random), axis, points, step_mm)


@dataclass
class _Leg:
    shape: Shape
    side: int
    turn: torch.Tensor
    scale: torch.Tensor
    shift: torch.Tensor
    bend: torch.Tensor
    aside: torch.Tensor

    def look(self, points: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Depth, code and distance from the axis at LPS points of the scene (k, j, i, 3)."""
        shape = self.shape
        local = (points - self.shift) @ self.turn.T / self.scale
        if self.side < 0:
            local = local * torch.tensor([-1.0, 1.0, 1.0])
        # bend: smooth displacement of the shape itself, mm
        where = 2.0 * local / (shape.high - shape.low)
        moved = local + grid_sample(self.bend, where[None], align_corners=True, padding_mode="border")[0].permute(1, 2, 3, 0)
        unit = 2.0 * moved / (shape.high - shape.low)
        lattice = unit[None]
        outside = (unit.abs() > 1.0).any(dim=-1)
        depth = grid_sample(shape.depth.float(), lattice, align_corners=True, padding_mode="border")[0, 0]
        code = grid_sample(shape.code.float(), lattice, mode="nearest", align_corners=True, padding_mode="border")[0, 0]
        depth = torch.where(outside, torch.full_like(depth, -REACH_MM), depth * float(self.scale.mean()))
        rows = len(shape.course)
        row = ((unit[..., 2] + 1.0) * 0.5 * (rows - 1)).round().long().clamp(0, rows - 1)
        axis = torch.linalg.vector_norm(moved[..., :2] - shape.course[row] - self.aside, dim=-1)
        beyond = (unit[..., 2].abs() - 1.0).clamp_min(0.0) * 0.5 * float(shape.high[2] - shape.low[2])
        return depth, code.round().to(torch.uint8), axis + beyond


def _placed(shapes: list[Shape], random: np.random.Generator, side: int) -> _Leg:
    shape = shapes[int(random.integers(len(shapes)))]
    angles = np.radians(random.normal(0.0, [6.0, 6.0, 16.0]))
    turn = np.eye(3)
    for axis, angle in enumerate(angles):
        one, other = [a for a in range(3) if a != axis]
        step = np.eye(3)
        step[one, one] = step[other, other] = np.cos(angle)
        step[one, other], step[other, one] = -np.sin(angle), np.sin(angle)
        turn = step @ turn
    scale = random.uniform(0.88, 1.12) * random.uniform(0.94, 1.06, 3)
    knots = (1, 3, 14, 4, 4)
    bend = torch.from_numpy(random.normal(0.0, random.uniform(0.0, 3.0), knots).astype(np.float32))
    bend = interpolate(bend, scale_factor=2, mode="trilinear", align_corners=True)
    aside = torch.tensor(random.normal(0.0, 12.0, 2), dtype=torch.float32)
    return _Leg(shape, side, torch.tensor(turn, dtype=torch.float32), torch.tensor(scale, dtype=torch.float32), torch.zeros(3),
                bend, aside)  # fmt: skip


def _tile_points(legs: list[_Leg], size: tuple[int, int, int], step_mm: float, random: np.random.Generator) -> torch.Tensor:
    """LPS points of a tile whose middle lies somewhere about one of the legs, the grid a little turned."""
    leg = legs[int(random.integers(len(legs)))]
    height = float(leg.shape.high[2] - leg.shape.low[2])
    share = random.uniform(-0.04, 1.04)
    # joints and ends are what is hard: half of the tiles look at them
    if random.random() < 0.5:
        share = random.choice([0.02, 0.10, 0.49, 0.52, 0.93]) + random.normal(0.0, 0.03)
    row = int(np.clip(round(share * (len(leg.shape.course) - 1)), 0, len(leg.shape.course) - 1))
    spread = 0.22 * step_mm * min(size)
    x, y = (leg.shape.course[row].numpy() + random.normal(0.0, spread, 2)).tolist()
    local = torch.tensor([x * (1.0 if leg.side > 0 else -1.0), y, (share - 0.5) * height], dtype=torch.float32)
    centre = leg.shift + (local * leg.scale) @ leg.turn
    axes = [(torch.arange(count, dtype=torch.float32) - 0.5 * (count - 1)) * step_mm for count in size]
    z, y, x = torch.meshgrid(*axes, indexing="ij")
    return torch.stack([x, y, z], dim=-1) + centre


def _with_hand(
    depth: torch.Tensor, code: torch.Tensor, points: torch.Tensor, axis_mm: torch.Tensor, random: np.random.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """Lay thin rods of bone beside the leg, such as a hand or an arm at the hip, or another bone that is none of the leg's."""
    beside = (axis_mm > 45.0).nonzero()
    if not len(beside):
        return depth, code
    middle = points[tuple(beside[int(random.integers(len(beside)))])]
    along = torch.tensor(random.normal(size=3), dtype=torch.float32)
    for _ in range(int(random.integers(1, 7))):
        ahead = along + torch.tensor(random.normal(0.0, 0.25, 3), dtype=torch.float32)
        ahead = ahead / ahead.norm() * random.uniform(15.0, 90.0)
        start = middle + torch.tensor(random.normal(0.0, 18.0, 3), dtype=torch.float32) - 0.5 * ahead
        away = points - start
        share = ((away @ ahead) / float(ahead @ ahead)).clamp(0.0, 1.0)
        rod = float(random.uniform(3.5, 11.0)) - torch.linalg.vector_norm(away - share[..., None] * ahead, dim=-1)
        rod = torch.where(axis_mm > 35.0, rod.clamp(-REACH_MM, REACH_MM), torch.full_like(rod, -REACH_MM))
        closer = rod > depth
        depth, code = torch.where(closer, rod, depth), torch.where(closer, torch.full_like(code, OTHER_BONE), code)
    return depth, code


def _field_of_view(size: tuple[int, int, int], random: np.random.Generator) -> torch.Tensor:
    """Where the scan is: cut at one end, at both ends or at its sides, as knee scans and blocks lie within a wide tile."""
    inside = torch.zeros(size, dtype=torch.bool)
    kept = []
    for axis, count in enumerate(size):
        first, last = 0, count
        draw = random.random()
        if draw < (0.3 if axis == 0 else 0.1):  # one end
            cut = int(random.integers(count // 3, count))
            first, last = (0, cut) if random.random() < 0.5 else (count - cut, count)
        elif draw < (0.6 if axis == 0 else 0.3):  # both ends
            length = int(random.integers(count // 3, count))
            first = int(random.integers(0, count - length + 1))
            last = first + length
        kept.append(slice(first, last))
    inside[tuple(kept)] = True
    return inside
