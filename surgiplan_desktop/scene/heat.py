"""The heat map as data: numbers on the vertices of bones (mm) and on voxels (0..1), with scale, look-at line and colours.

Slices, 3D, legend and whatever else shows or lists uncertainty read the same :class:`Heat`. NaN is "no statement" and grey.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from surgiplan_desktop.base.arrays import FloatArray
from surgiplan_desktop.derive.node import Key
from surgiplan_desktop.model.anatomy import BoneId
from surgiplan_desktop.model.case import Case
from surgiplan_desktop.model.images import Volume
from surgiplan_desktop.model.mesh import Bone
from surgiplan_desktop.planning.graph import bone_key, surface_sd_key, uncertainty_key
from surgiplan_desktop.planning.limits import default_limits

#: What a heat map can show of one result of the segmentation; ``difference`` is between two (app.compare_runs).
HeatName = Literal["uncertainty", "disagreement", "difference"]
#: Gives the newest value of a result (None when there is none) and whether it is current.
Results = Callable[[Key], tuple[Any, bool]]
Shades = NDArray[np.uint8]

#: Number of colour steps; the step after the last is "no statement".
STEPS: Final = 64
NO_STATEMENT: Final = STEPS
_GREY: Final = (0x8B, 0x8F, 0x94)
#: Least and greatest opacity of the layer on slices, from where it begins to where it is full.
_FAINT, _FULL = 0.25, 0.72


@dataclass(frozen=True, slots=True)
class HeatScale:
    """From ``low`` (first colour) to ``high`` (last); from ``look`` on a person should look.

    ``unit`` is ``"mm"`` or empty (a share); below ``seen_from`` slices show the image alone.
    """

    low: float
    high: float
    look: float
    unit: Literal["mm", ""]
    seen_from: float = 0.0

    def shades(self, values: FloatArray) -> Shades:
        """Return the colour step of each value: 0 .. STEPS - 1, ``NO_STATEMENT`` for NaN."""
        known = np.isfinite(values)
        share = (np.where(known, values, self.low) - self.low) / (self.high - self.low)
        steps = np.clip(np.floor(share * STEPS), 0, STEPS - 1)
        return np.where(known, steps, NO_STATEMENT).astype(np.uint8)


@dataclass(frozen=True, slots=True, eq=False)
class HeatedPart:
    """Values of the vertices of one part of a bone, shape (n,), NaN without a statement, and their colour steps."""

    values: FloatArray
    shades: Shades


@dataclass(frozen=True, slots=True, eq=False)
class Heat:
    """What a heat map shows.

    Attributes
    ----------
    name
        What it is about.
    surfaces
        By bone: one entry a part of the bone, in their order.
    surface_scale
        Scale of the surfaces, mm.
    voxels
        uint8 volumes, 0..255 for 0..1; none where nothing is known of voxels.
    voxel_scale
        Scale of the voxels.
    """

    name: HeatName
    surfaces: Mapping[BoneId, tuple[HeatedPart, ...]] = field(default_factory=dict)
    surface_scale: HeatScale = HeatScale(0.0, 1.0, 1.0, "mm")
    voxels: tuple[Volume, ...] = ()
    voxel_scale: HeatScale = HeatScale(0.0, 1.0, 1.0, "")

    def part(self, bone: BoneId, number: int) -> HeatedPart | None:
        """Return the values of a part of a bone by its place in the bone, or None."""
        parts = self.surfaces.get(bone, ())
        return parts[number] if number < len(parts) else None


def surface_scale() -> HeatScale:
    """Return the scale of the surface's standard deviation, mm."""
    limits = default_limits()
    return HeatScale(0.0, limits["heat.surface_high_mm"], limits["heat.surface_look_mm"], "mm")


def voxel_scale() -> HeatScale:
    """Return the scale of entropy and disagreement of voxels, shares of what is possible."""
    limits = default_limits()
    return HeatScale(0.0, limits["heat.voxel_high"], limits["heat.voxel_look"], "", limits["heat.voxel_seen_from"])


class HeatMaker:
    """Makes the heat map of a case from its results; arrays whose inputs did not change are the same objects as before."""

    def __init__(self) -> None:
        self._parts: dict[BoneId, tuple[object, object, tuple[HeatedPart, ...]]] = {}
        self._voxels: dict[str, tuple[tuple[object, ...], tuple[Volume, ...]]] = {}

    def heat(self, case: Case, results: Results, name: HeatName) -> Heat | None:
        """Return the map of this name, or None where nothing of it is known (yet)."""
        scale = surface_scale()
        surfaces: dict[BoneId, tuple[HeatedPart, ...]] = {}
        for bone in case.bones:
            spread, body = results(surface_sd_key(bone))[0], results(bone_key(bone))[0]
            if spread is not None and isinstance(body, Bone):
                parts = self._bone(bone, body, spread, scale)
                if parts:
                    surfaces[bone] = parts
        voxels = self._volumes(case, results, name)
        if not surfaces and not voxels:
            return None
        return Heat(name, surfaces, scale, voxels, voxel_scale())

    def _bone(self, bone: BoneId, body: Bone, spread: Any, scale: HeatScale) -> tuple[HeatedPart, ...]:
        kept = self._parts.get(bone)
        if kept is not None and kept[0] is spread and kept[1] is body:
            return kept[2]
        parts = heated_parts(body, np.asarray(spread.sd_mm, dtype=np.float64), scale)
        self._parts[bone] = (spread, body, parts)
        return parts

    def _volumes(self, case: Case, results: Results, name: HeatName) -> tuple[Volume, ...]:
        blocks = () if case.study is None else case.study.blocks
        found = [results(uncertainty_key(number))[0] for number in range(len(blocks))]
        known = tuple(item for item in found if item is not None)
        kept = self._voxels.get(name)
        if kept is not None and len(kept[0]) == len(known) and all(old is new for old, new in zip(kept[0], known, strict=True)):
            return kept[1]
        arrays = [(item.entropy if name == "uncertainty" else item.disagreement, item.affine) for item in known]
        volumes = tuple(Volume(array, affine) for array, affine in arrays if array is not None)
        self._voxels[name] = (known, volumes)
        return volumes


def heated_parts(bone: Bone, values: FloatArray, scale: HeatScale) -> tuple[HeatedPart, ...]:
    """Split values of all vertices of a bone, part after part, shape (n,); none when they are of another surface.

    Vertices of caps are no bone surface and get no statement.
    """
    counts = [len(part.mesh.vertices) for part in bone.parts]
    if len(values) != sum(counts):
        return ()
    parts = []
    for part, own in zip(bone.parts, np.split(values, np.cumsum(counts)[:-1]), strict=True):
        stated = np.where(part.cap_vertices, np.nan, own)
        parts.append(HeatedPart(stated, scale.shades(stated)))
    return tuple(parts)


def heat_layer(values: NDArray[np.uint8], scale: HeatScale) -> NDArray[np.uint8]:
    """Return the layer that lies over a slice: RGBA (height, width, 4) of values 0..255, clear where there is nothing to see."""
    shares = np.arange(256) / 255.0
    table = np.empty((256, 4), dtype=np.uint8)
    table[:, :3] = HEAT_COLOURS[scale.shades(shares)]
    ramp = np.clip((shares - scale.seen_from) / max(scale.look - scale.seen_from, 1e-9), 0.0, 1.0)
    opacity = np.where(shares < max(scale.seen_from, 1.0 / 255.0), 0.0, _FAINT + (_FULL - _FAINT) * ramp)
    table[:, 3] = np.rint(255.0 * opacity)
    layer: NDArray[np.uint8] = table[values]
    return layer


def ticks(scale: HeatScale) -> tuple[float, ...]:
    """Return the numbers of the legend, from low to high: five, evenly spaced."""
    return tuple(float(value) for value in np.linspace(scale.low, scale.high, 5))


def _heat_colours() -> NDArray[np.uint8]:
    """Return the colours, shape (STEPS + 1, 3): lightness grows evenly from blue over green to yellow, the last one is grey.

    Even steps of lightness keep their order for every kind of colour vision and in grey print. Source of the colour space:
    Ottosson 2020, A perceptual color space for image processing (OKLab).
    """
    share = np.linspace(0.0, 1.0, STEPS)
    lightness = 0.47 + 0.46 * share
    hue = np.radians(262.0 - 157.0 * share)
    chroma = np.interp(share, (0.0, 0.5, 1.0), (0.115, 0.088, 0.165))
    colours = _srgb(lightness, chroma * np.cos(hue), chroma * np.sin(hue))
    return np.concatenate([colours, np.array([_GREY], dtype=np.uint8)])


def _srgb(lightness: FloatArray, a: FloatArray, b: FloatArray) -> NDArray[np.uint8]:
    cone = np.stack(
        [
            lightness + 0.3963377774 * a + 0.2158037573 * b,
            lightness - 0.1055613458 * a - 0.0638541728 * b,
            lightness - 0.0894841775 * a - 1.2914855480 * b,
        ]
    )
    linear = (
        np.array(
            [
                [4.0767416621, -3.3077115913, 0.2309699292],
                [-1.2684380046, 2.6097574011, -0.3413193965],
                [-0.0041960863, -0.7034186147, 1.7076147010],
            ]
        )
        @ cone**3
    )
    clipped = np.clip(linear, 0.0, 1.0)
    coded = np.where(clipped <= 0.0031308, 12.92 * clipped, 1.055 * clipped ** (1.0 / 2.4) - 0.055)
    return np.rint(255.0 * coded.T).astype(np.uint8)


def colour_of(shade: int) -> tuple[int, int, int]:
    """Return red, green and blue (0..255) of a colour step."""
    red, green, blue = HEAT_COLOURS[shade]
    return int(red), int(green), int(blue)


def mean_shade(shades: Shades, faces: Sequence[Any] | NDArray[np.int32]) -> Shades:
    """Return the colour step of triangles: the highest of their corners, no statement where a corner has none."""
    return np.asarray(shades[faces].max(axis=1), dtype=np.uint8)


HEAT_COLOURS: Final = _heat_colours()
