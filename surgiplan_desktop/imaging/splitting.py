"""Take one series apart into stacks: what differs in size, spacing, kernel, kind or direction, and acquisitions of one place."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from itertools import pairwise
from typing import Final

import numpy as np

from surgiplan_desktop.base.arrays import FloatArray
from surgiplan_desktop.imaging.dicom_header import SliceHeader
from surgiplan_desktop.imaging.slice_stack import normal_of, positions_of, stack_slices

#: Directions and spacings closer than this are the same, written with other digits.
_SAME_DIRECTION: Final = 1e-3
_SAME_SPACING_MM: Final = 1e-4
#: In a series of hundreds of directions (turning reformats) only the last ones met are looked through.
_SEARCHED: Final = 64
#: A series is taken apart by acquisitions into no more parts than this, each of at least so many slices.
_MOST_PARTS: Final = 16
_LEAST_SLICES: Final = 3
#: Slices acquired further apart in time than this do not make one volume unseen (practice.md 24: blocks within 2 minutes).
PAUSE_S: Final = 120.0
#: A part that holds this share of the series may be saved from the rest (shots of bolus tracking among the slices).
_MAIN_SHARE: Final = 0.5
_SCOUT_WORDS: Final = re.compile(r"scout|topogram|surview|scanogram|scanoscope|localizer|localiser|pilot", re.IGNORECASE)


def split_stacks(members: Sequence[SliceHeader]) -> list[list[SliceHeader]]:
    """Split into groups that could be one stack: same frame of reference, size, spacing, kernel, kind and directions."""
    groups: dict[tuple[object, ...], list[list[SliceHeader]]] = defaultdict(list)
    for header in members:
        alike = groups[_kind_key(header)]
        for group in alike[-_SEARCHED:]:
            if _same_plane(group[0], header):
                group.append(header)
                break
        else:
            alike.append([header])
    return [group for alike in groups.values() for group in alike]


def split_acquisitions(group: list[SliceHeader]) -> list[list[SliceHeader]]:
    """Take a group apart where its images show one place several times and a tag tells them apart; else return it whole.

    Acquisition number, phase, energy, echo, kind and place of the field of view are tried in turn. A split is taken only where
    it leaves even stacks that lie over each other: stretches of other spacing that follow each other stay one series.
    Slices of two acquisitions that lie between each other look like one fine stack: those are taken apart by tag or time, and
    so are slices that follow each other after a pause in which the patient may have moved.
    """
    usable = [header for header in group if not header.truncated]
    if len(usable) < 2 * _LEAST_SLICES or not all(_is_placed(header) for header in usable):
        return [group]
    if not _is_muddled(usable):
        return _between_each_other(group) or _after_a_pause(group) or [group]
    for values in zip(*map(_splitting_values, group), strict=True):
        parts: dict[object, list[SliceHeader]] = defaultdict(list)
        for header, value in zip(group, values, strict=True):
            parts[value].append(header)
        if len(parts) < 2:
            continue
        answer = _sorted_out(list(parts.values()))
        if answer is not None:
            return answer
    return [group]


def is_scout(header: SliceHeader) -> bool:
    """Whether an image is a localizer: by its type, or a picture across the axis of the body that is called one."""
    if "LOCALIZER" in header.image_type:
        return True
    named = header.modality == "CT" and _SCOUT_WORDS.search(header.description) is not None
    return named and has_directions(header) and abs(float(normal_of(header)[2])) < 0.5


def has_directions(header: SliceHeader) -> bool:
    """Whether the orientation is a pair of unit vectors at right angles."""
    if header.orientation is None:
        return False
    a, b, c, d, e, f = header.orientation
    products = (a * a + b * b + c * c - 1, d * d + e * e + f * f - 1, a * d + b * e + c * f)
    return all(abs(product) <= _SAME_DIRECTION for product in products)


def kernel_key(header: SliceHeader) -> str:
    """What two images of one kernel have in common."""
    return header.kernel.strip().upper()


def _kind_key(header: SliceHeader) -> tuple[object, ...]:
    size = (header.rows, header.columns, header.samples, header.frames > 1)
    return *size, is_scout(header), kernel_key(header), header.part, header.frame_uid, header.modality


def _same_plane(one: SliceHeader, other: SliceHeader) -> bool:
    if (one.pixel_spacing is None) != (other.pixel_spacing is None):
        return False
    if one.pixel_spacing and other.pixel_spacing and not _alike(one.pixel_spacing, other.pixel_spacing, _SAME_SPACING_MM):
        return False
    if not (has_directions(one) and has_directions(other)):
        return has_directions(one) == has_directions(other)
    return _alike(one.orientation or (), other.orientation or (), _SAME_DIRECTION)


def _alike(one: Sequence[float], other: Sequence[float], tolerance: float) -> bool:
    return all(abs(mine - theirs) <= tolerance for mine, theirs in zip(one, other, strict=True))


def _is_placed(header: SliceHeader) -> bool:
    spaced = header.pixel_spacing is not None and min(header.pixel_spacing) > 0
    return header.frames == 1 and header.position is not None and spaced and has_directions(header)


def _is_muddled(headers: Sequence[SliceHeader]) -> bool:
    codes = {finding.code for finding in stack_slices(headers).findings}
    return bool(codes & {"duplicate_position", "uneven", "missing_slices"})


def _splitting_values(header: SliceHeader) -> tuple[object, ...]:
    """Return the values by which images of one place may be told apart, in the order in which they are tried."""
    position = positions_of([header])[0]
    normal = normal_of(header)
    corner = tuple(np.rint(position - float(position @ normal) * normal).astype(int).tolist())
    return *header.splitters, header.image_type, corner, header.acquired, header.lossy


def _between_each_other(group: list[SliceHeader]) -> list[list[SliceHeader]] | None:
    """Return the acquisitions whose slices make up one even stack only together, or None."""
    for values in zip(*((*header.splitters, header.acquired) for header in group), strict=True):
        parts: dict[str, list[SliceHeader]] = defaultdict(list)
        for header, value in zip(group, values, strict=True):
            parts[value].append(header)
        if not 1 < len(parts) <= _MOST_PARTS or min(map(len, parts.values())) < _LEAST_SLICES:
            continue
        answer = _sorted_out(list(parts.values()))
        if answer is not None:
            return answer
    return None


def _after_a_pause(group: list[SliceHeader]) -> list[list[SliceHeader]] | None:
    """Return what was acquired before and after each long pause inside a gap-free stretch, or None."""
    if len({header.acquired for header in group}) < 2 or any(_moment(header.acquired) is None for header in group):
        return None
    if not any(is_pause(one, other) for block in stack_slices(group).blocks for one, other in pairwise(block)):
        return None
    ordered = sorted(group, key=lambda header: (header.acquired, header.name, header.frame_index))
    cuts = [0, *(index for index in range(1, len(ordered)) if is_pause(ordered[index - 1], ordered[index])), len(ordered)]
    parts = [ordered[start:end] for start, end in pairwise(cuts)]
    if len(parts) < 2 or min(map(len, parts)) < _LEAST_SLICES:
        return None
    return parts


def is_pause(one: SliceHeader, other: SliceHeader) -> bool:
    """Whether so long a time lies between two images that the patient may have moved; no where the tags tell no time."""
    earlier, later = _moment(one.acquired), _moment(other.acquired)
    return earlier is not None and later is not None and abs((later - earlier).total_seconds()) > PAUSE_S


@lru_cache(maxsize=4096)
def _moment(acquired: str) -> datetime | None:
    try:
        return datetime.strptime(acquired[:15], "%Y%m%dT%H%M%S")
    except ValueError:
        return None


def _sorted_out(parts: list[list[SliceHeader]]) -> list[list[SliceHeader]] | None:
    """Return the parts where they make sense as stacks of their own, small ones put together, or None."""
    sound = [part for part in parts if len(part) >= _LEAST_SLICES and _is_sound(part)]
    rest = [header for part in parts if not any(part is other for other in sound) for header in part]
    total = sum(map(len, parts))
    if not sound or len(sound) > _MOST_PARTS:
        return None
    main = max(sound, key=len)
    if rest and len(main) < _MAIN_SHARE * total:
        return None
    others = [*(part for part in sound if part is not main), *([rest] if rest else [])]
    if not all(_lies_over(main, part) for part in others):
        return None
    return [*sound, *([rest] if rest else [])]


def _is_sound(part: Sequence[SliceHeader]) -> bool:
    if any(header.truncated for header in part):
        return False
    return not {finding.code for finding in stack_slices(part).findings} - {"tilt", "gap"}


def _lies_over(one: Sequence[SliceHeader], other: Sequence[SliceHeader]) -> bool:
    """Whether at least half of the shorter of two stacks lies where the other is."""
    normal = normal_of(one[0])
    spans = [_span(part, normal) for part in (one, other)]
    common = min(spans[0][1], spans[1][1]) - max(spans[0][0], spans[1][0])
    return common >= 0.5 * min(high - low for low, high in spans)


def _span(part: Sequence[SliceHeader], normal: FloatArray) -> tuple[float, float]:
    heights = positions_of(part) @ normal
    return float(heights.min()), float(heights.max())
