"""Kinds of scans for ``accuracy_other_simulator.py``: who lies there, how, what is seen of it, and how it is stored."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from knee_scans import FILE
from numpy.typing import NDArray
from other_simulator import Codes, Grid, Look, taken
from other_subjects import Subject, drawn_leg, foot_and_hand, mirrored, statistical_knee, turned

from surgiplan_desktop.base.arrays import FloatArray

PLAIN, TEXTURE = Look(extras=("table",)), Look(style="texture", extras=("table",))


@dataclass(frozen=True)
class Kind:
    """A kind of scan: edges of its voxels (mm), look, where it is cut, how its rows lie, how its values end."""

    name: str
    slice_mm: float
    pixel_mm: float
    look: Look = PLAIN
    statistical: bool = False
    legs: int = 1
    gap_mm: float = 2.5
    flexion_deg: float = 0.0
    view: str = "knee"  # knee, blocks, whole, lower
    turn: tuple[float, float, float] = (0.0, 0.0, 0.0)
    flips: tuple[int, int, int] = (1, 1, 1)
    order: tuple[int, int, int] = (0, 1, 2)
    padding: int | None = None


KINDS = (
    Kind("plain knee", 0.8, 0.7, statistical=True),
    Kind("projected knee, joint 1 mm", 1.0, 0.7, replace(TEXTURE, projected=True), statistical=True, gap_mm=1.0),
    Kind("vessels, spots, feet first", 1.25, 0.8, replace(TEXTURE, extras=("vessels", "spots", "table"), sharp=True),
         flips=(-1, -1, 1)),
    Kind("three blocks", 1.5, 0.9, view="blocks", padding=-2000),
    Kind("whole leg, prone, hand and foot", 1.5, 1.2, replace(TEXTURE, extras=("table", "prone", "foot", "hand")), view="whole",
         flips=(1, -1, -1), padding=-2000),
    Kind("both knees, projected", 1.2, 1.0, replace(TEXTURE, projected=True, muscle_mm=20.0), statistical=True, legs=2,
         turn=(4.0, -4.0, 8.0)),
    Kind("both whole legs", 2.0, 1.5, replace(Look(extras=("table", "foot")), spongy_hu=40.0), legs=2, view="whole"),
    Kind("plaster, lower leg", 1.5, 1.0, replace(TEXTURE, extras=("cast", "foot", "table"), sharp=True), view="lower"),
    Kind("bent knee, projected, 60 HU", 2.0, 0.8, replace(TEXTURE, projected=True, noise_hu=60.0), flexion_deg=25.0),
    Kind("thin cortex, 60 HU, coronal", 0.8, 0.8, Look(cortex_hu=600.0, shell_mm=0.9, marrow_hu=-80.0, spongy_hu=-80.0,
         noise_hu=60.0, extras=("table",)), statistical=True, gap_mm=1.5, order=(1, 0, 2), flips=(1, -1, 1)),
)  # fmt: skip


@dataclass(frozen=True)
class Scan:
    """Blocks (index to LPS of each) with their true labels, and the surfaces."""

    images: list[NDArray[np.int16]]
    labels: list[Codes]
    affines: list[FloatArray]
    meshes: Subject


def scan_of(seed: int, data: Path) -> Scan:
    """Make the scan of a seed."""
    kind, random = KINDS[seed // 2 % len(KINDS)], np.random.default_rng([seed, 9])
    one = statistical_knee(next(data.rglob(FILE)), (7 * seed + 3) % 100, kind.gap_mm, 7100 + seed) if kind.statistical else None
    subject = one or drawn_leg(7100 + seed, kind.gap_mm, kind.flexion_deg)
    if "foot" in kind.look.extras:
        subject = foot_and_hand(subject, hand="hand" in kind.look.extras)
    if kind.legs == 2:
        middle = np.concatenate([mesh.vertices for mesh in subject.values()])[:, 0].max()
        subject = subject | mirrored(subject, 2.0 * middle + 35.0)
    elif random.random() < 0.5:
        subject = mirrored(subject, 0.0)
    subject = turned(subject, tuple(angle + random.uniform(-5.0, 5.0) for angle in kind.turn))
    look = replace(kind.look, seed=seed, shell_mm=kind.look.shell_mm * random.uniform(0.8, 1.3))
    if look.style == "plain" and look.marrow_hu > 0.0:
        look = replace(look, cortex_hu=random.uniform(600.0, 1000.0), spongy_hu=random.uniform(-80.0, 300.0))
    scan = Scan([], [], [], subject)
    for low, high in heights(subject, kind.view):
        grid = grid_of(subject, low, high, kind, random)
        image, codes = taken(subject, grid, look)
        image = np.clip(np.rint(image), -1024, 3071).astype(np.int16)
        if kind.padding is not None:
            j, i = (np.linspace(-1.0, 1.0, n) for n in image.shape[1:])
            image[:, np.hypot(j[:, None], i[None, :]) > 1.02] = kind.padding
        back = np.array(kind.order)
        affine = grid.matrix.copy()
        affine[:3, :3] = affine[:3, :3][:, back]
        image, codes = image.transpose(back), codes.transpose(back)
        for axis, sign in enumerate(kind.flips):
            if sign < 0:
                affine[:3, 3] += affine[:3, axis] * (image.shape[axis] - 1)
                affine[:3, axis] *= -1.0
                image, codes = np.flip(image, axis), np.flip(codes, axis)
        scan.images.append(np.ascontiguousarray(image))
        scan.labels.append(codes)
        scan.affines.append(affine)
    return scan


def heights(subject: Subject, view: str) -> list[tuple[float, float]]:
    """Lowest and highest place of each block, LPS mm."""
    ends = {code % 100: (mesh.vertices[:, 2].min(), mesh.vertices[:, 2].max()) for code, mesh in subject.items() if code < 200}
    knee, low, high = ends[2][1], min(low for low, _ in ends.values()), max(high for _, high in ends.values())
    return {
        "knee": [(knee - 66.0, knee + 66.0)],
        "blocks": [(ends[1][1] - 110.0, ends[1][1] + 25.0), (knee - 70.0, knee + 70.0), (ends[2][0] - 35.0, ends[2][0] + 90.0)],
        "whole": [(low - 45.0, high + 5.0)],
        "lower": [(low - 45.0, knee + 45.0)],
    }[view]


def grid_of(subject: Subject, low: float, high: float, kind: Kind, random: np.random.Generator) -> Grid:
    """Grid round what of the subject lies between two heights."""
    points = np.concatenate([mesh.vertices for mesh in subject.values()])
    points = points[(points[:, 2] > low) & (points[:, 2] < high)]
    aside = random.uniform(24.0, 48.0, 2)
    least = np.array([*(points.min(axis=0)[:2] - aside), low])
    step = (kind.slice_mm, kind.pixel_mm, kind.pixel_mm)
    size = np.array([high, *(points.max(axis=0)[1::-1] + aside[::-1])]) - least[::-1]
    return Grid(least, step, tuple(np.ceil(size / np.array(step)).astype(int).tolist()))
