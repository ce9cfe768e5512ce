"""Side-by-side pictures of a real and a simulated leg: slices in two windows, silhouettes, shaded surfaces."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from surgiplan_desktop.model.anatomy import BoneId, BoneName, Side, label_code

#: Values, label codes (both (k, j, i), 1 mm, k up) and the side that is shown.
Case = tuple[NDArray[np.int16], NDArray[np.uint16], Side]
#: Heights as shares of the tibia, and centre and width of the windows, HU.
_SHARES = (0.04, 0.25, 0.5, 0.75, 0.9, 0.96)
_WINDOWS = ((40.0, 400.0), (400.0, 1800.0))
_HALF_MM = 68
_Grey = NDArray[np.uint8]


def write_pictures(folder: Path, real: Case, phantom: Case) -> None:
    """Write ``slices.png``, ``silhouettes.png`` and ``surfaces.png``; the real leg above or left."""
    rows = [_slices(case, window) for window in _WINDOWS for case in (real, phantom)]
    _save(np.vstack(rows), folder / "slices.png", 2)
    _save(np.hstack([_silhouettes(case) for case in (real, phantom)]), folder / "silhouettes.png", 1)
    _save(np.hstack([_surfaces(case) for case in (real, phantom)]), folder / "surfaces.png", 1)
    _save(np.hstack([_plateau(case) for case in (real, phantom)]), folder / "sections.png", 2)


def _save(grey: _Grey, path: Path, scale: int) -> None:
    image = Image.fromarray(grey)
    image.resize((grey.shape[1] * scale, grey.shape[0] * scale), Image.Resampling.BICUBIC).save(path, optimize=True)


def _windowed(values: NDArray[np.float64], window: tuple[float, float]) -> _Grey:
    centre, width = window
    return (np.clip((values - centre) / width + 0.5, 0.0, 1.0) * 255).astype(np.uint8)


def _tibia(case: Case) -> NDArray[np.bool_]:
    return case[1] == label_code(BoneId(case[2], BoneName.TIBIA))


def _slices(case: Case, window: tuple[float, float]) -> _Grey:
    values, _, side = case
    tibia = _tibia(case)
    heights = np.flatnonzero(tibia.any(axis=(1, 2)))
    pictures = []
    for share in _SHARES:
        k = round(heights[0] + share * (heights[-1] - heights[0]))
        j, i = (round(x) for x in np.argwhere(tibia[k]).mean(axis=0))
        picture = np.full((2 * _HALF_MM, 2 * _HALF_MM), -1000.0)
        rows, columns = _overlap(j + 12, values.shape[1]), _overlap(i, values.shape[2])
        picture[rows[1], columns[1]] = values[k, rows[0], columns[0]]
        # every leg is shown as a right one
        pictures.append(np.pad(_windowed(picture[:, :: side.sign], window), 1, constant_values=90))
    return np.hstack(pictures)


def _overlap(middle: int, size: int) -> tuple[slice, slice]:
    start, stop = max(middle - _HALF_MM, 0), min(middle + _HALF_MM, size)
    return slice(start, stop), slice(start - middle + _HALF_MM, stop - middle + _HALF_MM)


def _lower_leg(case: Case) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Cut tibia and fibula out, right-sided, with their masks."""
    values, labels, side = case
    codes = [label_code(BoneId(side, name)) for name in (BoneName.TIBIA, BoneName.FIBULA)]
    mask = np.isin(labels, codes)
    box = ndimage.find_objects(mask.astype(np.uint8))[0]
    return values[box].astype(float)[:, :, :: side.sign], mask[box][:, :, :: side.sign]


def _silhouettes(case: Case) -> _Grey:
    """Sum of density along the rays, from the front and from the side: the bones as a film shows them."""
    values, mask = _lower_leg(case)
    density = np.where(mask, np.clip(values + 200.0, 0.0, None), 0.0)
    return _framed([density.sum(axis=axis)[::-1] for axis in (1, 2)], lambda film: film / np.percentile(film, 99.7))


def _surfaces(case: Case) -> _Grey:
    """Bones lit from the viewer, from the front, the side and behind."""
    _, mask = _lower_leg(case)
    solid = ndimage.gaussian_filter(mask.astype(np.float32), 0.8) > 0.5
    views = (solid, solid.transpose(0, 2, 1)[:, :, ::-1], solid[:, ::-1, ::-1])
    return _framed([_lit(view)[::-1] for view in views], lambda grey: grey)


def _lit(solid: NDArray[np.bool_]) -> NDArray[np.float64]:
    hit = solid.any(axis=1)
    depth = np.where(hit, solid.argmax(axis=1), np.nan)
    smooth = ndimage.gaussian_filter(np.where(hit, depth, np.nanmax(depth)), 1.0)
    down, across = np.gradient(smooth)
    light = 1.0 / np.sqrt(1.0 + down**2 + across**2)
    return np.where(hit, 0.15 + 0.85 * light, 0.0)


def _plateau(case: Case) -> _Grey:
    """Frontal and sagittal section through the tibial head and the ankle, bone window."""
    values, _, side = case
    tibia = _tibia(case)
    top = int(np.flatnonzero(tibia.any(axis=(1, 2)))[-1])
    j, i = (round(x) for x in np.argwhere(tibia[top - 12]).mean(axis=0))
    rows = slice(max(top - 90, 0), top + 25)
    front = values[rows, j, :][::-1].astype(float)
    columns = _overlap(i, front.shape[1])
    lateral = values[rows, :, i][::-1].astype(float)
    depths = _overlap(j, lateral.shape[1])
    sections = (front[:, columns[0]][:, :: side.sign], lateral[:, depths[0]])
    height = 116
    pictures = []
    for section in sections:
        picture = np.full((height, 2 * _HALF_MM), -1000.0)
        picture[height - len(section) :, : section.shape[1]] = section
        pictures.append(np.pad(_windowed(picture, _WINDOWS[1]), 1, constant_values=90))
    return np.hstack(pictures)


def _framed(pictures: list[NDArray[np.float64]], scale: Callable[[NDArray[np.float64]], NDArray[np.float64]]) -> _Grey:
    height = max(picture.shape[0] for picture in pictures)
    framed = []
    for picture in pictures:
        grey = (np.clip(scale(picture), 0.0, 1.0) * 255).astype(np.uint8)
        framed.append(np.pad(grey, ((420 - height, 0), (6, 6))) if height < 420 else np.pad(grey[:420], ((0, 0), (6, 6))))
    return np.hstack(framed)
