"""A leg of tubes and balls with marrow and joint gaps: coarse, quick, and with the truth of every voxel."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy import ndimage

from surgiplan_desktop.base.spaces import Affine
from surgiplan_desktop.model.anatomy import BoneName, Side
from surgiplan_desktop.model.images import Volume

STEP = 2.0
LOW_Z, HIGH_Z = -45.0, 330.0
HALF_X, HALF_Y = 54.0, 66.0


@dataclass(frozen=True)
class ToyLeg:
    """Scan and, for each bone, its voxels."""

    volume: Volume
    bones: dict[BoneName, np.ndarray]


def grid() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Coordinates z, y, x of voxel centres, broadcasting."""
    z = np.arange(LOW_Z, HIGH_Z, STEP)[:, None, None]
    y = np.arange(-HALF_Y, HALF_Y, STEP)[None, :, None]
    x = np.arange(-HALF_X, HALF_X, STEP)[None, None, :]
    return z, y, x


def solid(z, y, x, centre, heights, half_x, half_y):
    """Stack of ellipses: half axes by height (linear between)."""
    a, b = np.interp(z, heights, half_x), np.interp(z, heights, half_y)
    inside = ((x - centre[0]) / a) ** 2 + ((y - centre[1]) / b) ** 2 < 1
    return inside & (z >= heights[0]) & (z <= heights[-1])


@cache
def toy_leg(
    side: Side = Side.RIGHT,
    *,
    bridge: str = "",
    femur_top: float = 320.0,
    extras: bool = False,
    without: tuple[BoneName, ...] = (),
    noise_hu: float = 15.0,
) -> ToyLeg:
    """Build the leg; lateral is -x on the right.

    ``bridge`` "knee" or "fibula" grows two bones together; ``extras`` adds a table, specks and a wire.
    """
    z, y, x = grid()
    lateral = -float(side.sign)
    bones = {
        BoneName.FEMUR: solid(
            z, y, x, (0, 4), [187, 212, 232, 285, 300, femur_top], [35, 35, 14, 13, 18, 16], [27, 27, 14, 13, 18, 16]
        )
        & (z <= femur_top),
        BoneName.TIBIA: solid(z, y, x, (0, 0), [0, 14, 40, 130, 158, 180], [17, 17, 12, 13, 35, 36], [16, 16, 12, 13, 24, 24]),
        BoneName.FIBULA: solid(
            z, y, x, (28 * lateral, 24), [-8, 8, 25, 130, 145, 165], [8, 8, 5.5, 5.5, 8, 6], [8, 8, 5.5, 5.5, 8, 6]
        ),
        BoneName.PATELLA: x**2 / 18**2 + (y + 42) ** 2 / 9**2 + (z - 206) ** 2 / 19**2 < 1,
        BoneName.TALUS: x**2 / 19**2 + (y + 4) ** 2 / 22**2 + (z + 20) ** 2 / 15**2 < 1,
    }
    bones = {name: mask for name, mask in bones.items() if name not in without}
    hu = np.full(np.broadcast_shapes(z.shape, y.shape, x.shape), -1000.0, dtype=np.float32)
    hu[np.broadcast_to((x / 52) ** 2 + (y / 60) ** 2 < 1, hu.shape)] = 40.0
    for mask in bones.values():
        depth = ndimage.distance_transform_edt(np.pad(mask, 1, mode="edge"), sampling=STEP)[1:-1, 1:-1, 1:-1]
        hu[mask] = np.where(depth[mask] <= 4.0, 1000.0, 20.0)
    if bridge == "knee":
        hu[np.broadcast_to((x**2 + y**2 < 15**2) & (z > 178) & (z < 189), hu.shape)] = 900.0
    if bridge == "fibula":
        hu[np.broadcast_to((np.abs(x - 22 * lateral) < 11) & (np.abs(y - 18) < 9) & (np.abs(z - 150) < 12), hu.shape)] = 1000.0
    if extras:
        hu[:, -4:-2, :] = 400.0
        for k, j, i in ((40, 30, 15), (120, 60, 12), (200, 20, 50)):
            hu[k : k + 2, j : j + 2, i : i + 2] = 900.0
    hu = ndimage.gaussian_filter(hu, 0.4) + np.random.default_rng(0).normal(0, noise_hu, hu.shape)
    return ToyLeg(Volume(np.rint(hu).astype(np.int16), leg_affine()), bones)


def leg_affine(shift_x: float = 0.0) -> Affine:
    """Index (k, j, i) to LPS."""
    return Affine(np.array([[0, 0, STEP, -HALF_X + shift_x], [0, STEP, 0, -HALF_Y], [STEP, 0, 0, LOW_Z], [0, 0, 0, 1.0]]))


def two_legs(right: ToyLeg, left: ToyLeg) -> Volume:
    """Two legs side by side: the first at the patient's right."""
    return Volume(np.concatenate([right.volume.array, left.volume.array], axis=2), leg_affine(-HALF_X))


def slab(volume: Volume, low_mm: float, high_mm: float) -> Volume:
    """Cut a block out of an axial volume."""
    first, last = (round((height - LOW_Z) / STEP) for height in (low_mm, high_mm))
    start = np.array([first, 0, 0], dtype=float)
    return Volume(volume.array[first:last], volume.affine @ Affine.from_parts(np.eye(3), start))
