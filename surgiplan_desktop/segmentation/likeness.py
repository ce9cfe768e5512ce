"""How like its training a scan is, judged by the scan itself and by what the network made of it.

A network names bones in anything, also in what it has never seen. So the scan is asked for what all of its training had, and each
answer that differs is a finding: are these Hounsfield values, is bone brighter than what lies round it, is nearly all that is
bright named, are the bones whole, without an open growth plate, is there no metal, gas or contrast medium beside them, and was
the network sure.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from surgiplan_desktop.base.arrays import BoolArray, FloatArray
from surgiplan_desktop.model.study import Finding
from surgiplan_desktop.segmentation.vessels import VESSEL_MM, VESSEL_MM2, is_even

Values = NDArray[np.float32]
Bytes = NDArray[np.uint8]

#: Class of bones that are none of the leg's.
OTHER_BONE: Final = 7
#: At these the score is one half and a finding comes; beyond, it falls. Chosen on procedural scans, with and without the oddity;
#: "unsure" on scans of another simulator, where networks are at 0.29 to 0.36 though their bones are right.
_LIMITS: Final = {
    "hounsfield": 1.0,
    "body_part": 0.25,
    "growth_plate": 350.0,
    "metal": 3000.0,
    "gas": 3000.0,
    "contrast": 2500.0,
    "unsure": 0.4,
}
_CRITICAL: Final = ("hounsfield", "body_part")
#: Soft tissue round a bone lies in this range, its median too, HU.
_SOFT_HU: Final = (-150.0, 130.0)
#: Least difference of a bone's rim from its surroundings, HU.
_LEAST_CONTRAST_HU: Final = 180.0
_BRIGHT_HU: Final = 280.0
_METAL_HU: Final = 2300.0
_AIR_HU: Final = -400.0
_SKIN_HU: Final = -300.0
#: What is bright no farther than this from a named bone is its edge, mm.
_EDGE_MM: Final = 4.0
#: How far from bones oddities matter, mm.
_NEAR_MM: Final = 45.0
#: Contrast medium in a vessel: range, HU.
_VESSEL_HU: Final = (150.0, 650.0)
#: A network may call a part of a vessel a bone of the leg: what is so to less than this share is none.
_LEAST_BONE_SHARE: Final = 0.25
#: A growth plate is at most so thick along the limb, mm, and so much darker than the bone on both sides, HU.
_PLATE_MM: Final = 9.0
_PLATE_HU: Final = 110.0
#: A dark sheet that the network left out of the bone is a plate only when it is so thin, mm; else it is a joint.
_THIN_MM: Final = 3.7
#: Nothing in a growth plate is darker, HU: fatty marrow, air or a slice out of place is none.
_CARTILAGE_HU: Final = -60.0
#: Fewer voxels of bone than this are none.
_LEAST_BONE_MM3: Final = 3000.0


@dataclass(frozen=True, slots=True)
class Likeness:
    """``score`` 1 = like the training, 0.5 = at a limit, 0 = nothing like it; ``findings`` say what is odd (score below 0.5)."""

    score: float
    findings: tuple[Finding, ...]


def scan_likeness(
    hounsfield: Values, best: Bytes, chance: Bytes | None = None, entropy: Bytes | None = None, step_mm: float = 1.5
) -> Likeness:
    """Judge a scan.

    Parameters
    ----------
    hounsfield
        Values (k, j, i), k along the limb; outside of the scan -1000 or less.
    best
        Class of each voxel: 0 none, 1 to 6 bones of the leg, 7 another bone.
    chance
        Of any bone, 0..255; None where no network was asked.
    entropy
        0..255 for 0..ln(classes); None where no network was asked.
    step_mm
        Edge of the voxels.
    """
    odd = _oddities(hounsfield, best, chance, entropy, step_mm)
    findings = tuple(
        Finding(
            f"scan_unlike_{name}",
            "critical" if name in _CRITICAL else "warn",
            (("value", round(value, 2)), ("limit", _LIMITS[name])),
        )
        for name, value in odd.items()
        if value >= _LIMITS[name]
    )
    worst = max(value / _LIMITS[name] for name, value in odd.items())
    return Likeness(round(1.0 / (1.0 + worst * worst), 3), findings)


def _oddities(hu: Values, best: Bytes, chance: Bytes | None, entropy: Bytes | None, step: float) -> dict[str, float]:
    """Measure of each oddity, by name, in the unit of its limit."""
    bone = best > 0
    legs = bone & (best != OTHER_BONE)
    if legs.sum() * step**3 < _LEAST_BONE_MM3:
        return {"body_part": 1.0}
    away: FloatArray = np.asarray(ndimage.distance_transform_edt(~bone, sampling=step))
    body = _body(hu)
    result = {"hounsfield": _not_hounsfield(hu, legs, away)}
    if result["hounsfield"] >= _LIMITS["hounsfield"]:
        return result  # no other question has a meaning then
    result["body_part"] = _unnamed(hu, bone, body, away)
    result["growth_plate"] = max(_dark_sheet(hu, best == code, step) for code in (1, 2))
    near = body & (away < _NEAR_MM)
    volume = step**3
    result["metal"] = float(np.count_nonzero((hu > _METAL_HU) & (away < _NEAR_MM))) * volume
    result["gas"] = float(np.count_nonzero(near & (hu < _AIR_HU))) * volume
    result["contrast"] = _vessels(hu, near, legs, step) * volume
    if entropy is not None and chance is not None:
        result["unsure"] = _unsure(entropy, chance, legs, away)
    return result


def _body(hu: Values) -> BoolArray:
    """Inside of the skin, slice by slice, with what is enclosed; thin sheets such as the table are none of it."""
    flesh = np.asarray(ndimage.binary_opening(hu > _SKIN_HU, np.ones((1, 3, 3), dtype=np.bool_), iterations=2))
    result = np.zeros_like(flesh)
    for k in range(len(flesh)):
        result[k] = ndimage.binary_fill_holes(flesh[k])
        # what is enclosed between two legs is none of the body: gas in it comes in smaller pockets
        holes, count = ndimage.label(result[k] & ~flesh[k])
        if count:
            sizes = np.bincount(holes.ravel())
            result[k] &= ~(sizes > 900)[holes] | flesh[k]
    return result


def _not_hounsfield(hu: Values, legs: BoolArray, away: FloatArray) -> float:
    """At least 1 where values cannot be those of a CT of bones."""
    around = hu[(away > 3.0) & (away < 15.0)]
    around = around[(around > _SKIN_HU) & (around < 400.0)]
    if len(around) < 50:
        return 2.0
    inner = np.asarray(ndimage.binary_erosion(legs, iterations=2))
    rim = hu[legs & ~inner]
    soft = float(np.median(around))
    contrast = float(np.quantile(rim, 0.75)) - soft
    middle, half = 0.5 * (_SOFT_HU[0] + _SOFT_HU[1]), 0.5 * (_SOFT_HU[1] - _SOFT_HU[0])
    # what lies round bones is muscle and fat: a CT shows it within some 250 HU
    spread = float(np.quantile(around, 0.9) - np.quantile(around, 0.1)) / 420.0
    air = 0.0 if (hu < -700.0).any() else 0.6
    off = max(abs(soft - middle) / half, spread)
    return max(off, _LEAST_CONTRAST_HU / max(contrast, 1.0), air)


def _unnamed(hu: Values, bone: BoolArray, body: BoolArray, away: FloatArray) -> float:
    """Share of what is as bright as bone, in the body, that lies beyond the edges of named bones and hangs together widely."""
    bright = (hu > _BRIGHT_HU) & (hu < _METAL_HU) & body
    beyond = np.asarray(ndimage.binary_opening(bright & (away > _EDGE_MM), iterations=1))
    named = np.count_nonzero(bright & bone)
    return float(np.count_nonzero(beyond)) / float(np.count_nonzero(beyond) + named + 1)


def _dark_sheet(hu: Values, mine: BoolArray, step: float) -> float:
    """Area, mm2, of the largest dark sheet across a bone: bone above and below it, along the limb, but not in it."""
    if not mine.any():
        return 0.0
    box = ndimage.find_objects(mine.astype(np.uint8))[0]
    length = 2 * max(1, round(0.5 * _PLATE_MM / step)) + 1
    column = np.ones((length, 1, 1), dtype=np.bool_)
    pad = ((length, length), (0, 0), (0, 0))
    label = np.asarray(ndimage.binary_closing(np.pad(mine[box], pad), column))[length:-length]
    steady = ndimage.gaussian_filter(np.clip(hu[box], -100.0, 1000.0), (0.3, 0.8, 0.8))
    hat = ndimage.grey_closing(steady, size=(length, 1, 1), mode="nearest") - steady
    ends = np.asarray(ndimage.binary_erosion(np.pad(label, pad), np.ones((3, 1, 1), dtype=np.bool_), iterations=length // 2))
    dark = (hat > _PLATE_HU) & (steady > _CARTILAGE_HU) & ends[length:-length]
    # a sheet: each column is dark only briefly, neighbours at about the same height
    pieces, count = ndimage.label(dark, np.ones((3, 3, 3)))
    if not count:
        return 0.0
    areas = []
    for number, where in enumerate(ndimage.find_objects(pieces), start=1):
        piece = pieces[where] == number
        if piece.sum() * step * step < _LIMITS["growth_plate"] * 0.5:
            continue
        sheet = piece.any(axis=0)
        thick = piece.sum() * step / sheet.sum()
        if thick > _THIN_MM and mine[box][where][piece].mean() < 0.5:
            continue  # a joint whose two bones got one name
        areas.append(float(np.count_nonzero(ndimage.binary_opening(sheet, iterations=2))) * step * step)
    return max(areas, default=0.0)


def _vessels(hu: Values, near: BoolArray, legs: BoolArray, step: float) -> float:
    """Voxels of long thin bright even things that are no bone of the leg: contrast medium, whatever it is called."""
    steady = ndimage.gaussian_filter(hu, 0.6)
    pieces, count = ndimage.label((steady > _VESSEL_HU[0]) & near, np.ones((3, 3, 3)))
    if not count:
        return 0.0
    sizes = np.bincount(pieces.ravel(), minlength=count + 1)
    dense = np.bincount(pieces.ravel(), steady.ravel() > _VESSEL_HU[1], minlength=count + 1)
    of_legs = np.bincount(pieces[legs], minlength=count + 1)
    total = 0.0
    for number, box in enumerate(ndimage.find_objects(pieces), start=1):
        longest = max(part.stop - part.start for part in box) * step
        thin = sizes[number] * step**3 / longest <= VESSEL_MM2
        is_bone = of_legs[number] >= _LEAST_BONE_SHARE * sizes[number]
        if is_bone or not thin or longest < VESSEL_MM or dense[number] >= 0.2 * sizes[number]:
            continue
        if is_even(steady[box], pieces[box] == number):
            total += float(sizes[number])
    return total


def _unsure(entropy: Bytes, chance: Bytes, legs: BoolArray, away: FloatArray) -> float:
    """Mean entropy, 0..1, inside the bones and in what may be bone far from them: edges are always unsure and say nothing."""
    inner = np.asarray(ndimage.binary_erosion(legs, iterations=2)) | ((away > 6.0) & (chance > 64))
    return float(entropy[inner].mean()) / 255.0 if inner.any() else 1.0
