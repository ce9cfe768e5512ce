"""The raised label: what it says, its check code, and the flat faces that carry it (practice.md 20).

The strut carries side, bone, case, revision and check code; the tower's proximal face carries the warning while no surgeon has
approved. Neither is a contact, slot or support face.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from itertools import combinations, pairwise

import numpy as np

from surgiplan_desktop.base.arrays import AnyArray, FloatArray, content_digest, unit
from surgiplan_desktop.base.spaces import Frame
from surgiplan_desktop.geometry.glyphs import known, raised_text, text_width
from surgiplan_desktop.geometry.shell import Field, LocalGrid, rounded_both
from surgiplan_desktop.geometry.solid import union
from surgiplan_desktop.model.anatomy import Side
from surgiplan_desktop.model.mesh import Bone, Mesh
from surgiplan_desktop.model.steps import GuideStep, OsteotomyStep
from surgiplan_desktop.planning.guide_patch import Outline, Relief
from surgiplan_desktop.planning.guide_site import GuideSite
from surgiplan_desktop.planning.guide_slot import Slot, tower_half_mm
from surgiplan_desktop.planning.limits import default_limits
from surgiplan_desktop.planning.records import OsteotomyPlan

#: Letters of the check code: none that is taken for another.
_ALPHABET = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
#: How deep the letters stand in the body, mm: they must never float.
_ROOT_MM = 0.8
_LINE_GAP = 0.35
#: Height of the side letter where there is room, mm (practice.md 20 asks 6).
_SIDE_LETTER_MM = 7.0
_SIDE_LETTER = {Side.RIGHT: "R", Side.LEFT: "L"}
#: The first lines of a label stand on the strut, what follows is a warning on the tower.
_STRUT_LINES = 4
#: The warning is broken into at most so many lines, in the way that gives the largest letters.
_WARNING_LINES = 3


@dataclass(frozen=True, slots=True, eq=False)
class Pad:
    """A flat face: X is the reading direction, Y the letters' up, Z outwards; origin in the middle, size along X and Y (mm).

    ``depth_mm`` is how far the body under it goes down.
    """

    frame: Frame
    length_mm: float
    width_mm: float
    depth_mm: float = 0.0


def check_code(step: GuideStep, osteotomy: OsteotomyStep, plan: OsteotomyPlan, tibia: Bone) -> str:
    """Return four characters of the hash of everything that shapes the guide, the label left out."""
    digest = hashlib.sha256()
    digest.update(repr((step, osteotomy, round(plan.angle_deg, 9), plan.kerf_mm)).encode())
    arrays: list[AnyArray] = [plan.plane.point_lps, plan.plane.normal, plan.correction.matrix]
    arrays += [array for part in tibia.parts for array in (part.mesh.vertices, part.mesh.faces)]
    digest.update(content_digest(*(np.round(array, 6) for array in arrays)).encode())
    return "".join(_ALPHABET[byte % len(_ALPHABET)] for byte in digest.digest()[:4])


def label_lines(
    side: Side, case_code: str, revision: int, code: str, *, approved: bool, mesh_only: bool = False
) -> tuple[str, ...]:
    """Return the words on the guide: side letter, bone, case, revision, check code, and the warnings.

    ``TEST NOT FOR THEATRE`` until approved (practice.md 20), ``MESH ONLY`` where the bones came without a scan (14).
    """
    lines = (_SIDE_LETTER[side], f"TIBIA R{revision:02d}", f"{known(case_code)[:8]} RUO", f"{code} PROX>")
    return (*lines, *(("MESH ONLY",) if mesh_only else ()), *(() if approved else ("TEST", "NOT FOR THEATRE")))


def strut_pad(site: GuideSite, relief: Relief, outline: Outline, step: GuideStep) -> Pad:
    """Return the flat outer face of the strut: the plane that leaves at least the wall everywhere above the bone."""
    half = outline.strut_half_mm
    high = outline.pad_high_y
    low = outline.strut_low_y
    y, across = (grid.ravel() for grid in np.meshgrid(np.linspace(low, high, 40), np.linspace(-half, half, 17)))
    a = outline.strut_line[0] + outline.strut_line[1] * y + across
    surface = site.to_lps(np.column_stack([a, y, relief.height_at(a, y)]))
    centre = surface.mean(axis=0)
    normal = unit(np.linalg.svd(surface - centre, full_matrices=False)[2][2])
    normal = normal if normal @ site.withdrawal > 0 else -normal
    level = (surface - centre) @ normal
    lift = float(level.max()) + step.clearance_mm + step.wall_mm
    ahead = site.axes @ np.array([outline.strut_line[1], 1.0, 0.0])
    x = unit(ahead - (ahead @ normal) * normal)
    length = (high - low) * float(np.linalg.norm([outline.strut_line[1], 1.0])) / max(float(unit(ahead) @ x), 0.5)
    return Pad(
        Frame(centre + lift * normal, np.column_stack([x, np.cross(normal, x), normal])),
        length,
        2 * half,
        lift - float(level.min()) + 1.0,
    )


def tower_pad(site: GuideSite, slot: Slot, step: GuideStep) -> Pad:
    """Return the proximal face of the tower, above the shell: the letters stand upright for who looks along the blade."""
    z = site.plane.normal
    y = site.blade_direction
    x = np.cross(y, z)
    low, high = slot.bone_m + step.clearance_mm + step.wall_mm + 1.0, slot.face_m
    end = default_limits()["guide.slot_end_mm"]
    centre = slot.frame.origin_lps + tower_half_mm(slot) * z - (0.5 * (low + high) - slot.face_m) * y
    return Pad(Frame(centre, np.column_stack([x, y, z])), slot.length_mm + 2 * end, high - low)


def pad_field(pad: Pad, grid: LocalGrid) -> Field:
    """Return the body under a flat face as a field."""
    x = np.abs(grid.along(pad.frame.x, pad.frame.origin_lps)) - np.float32(pad.length_mm / 2)
    y = np.abs(grid.along(pad.frame.y, pad.frame.origin_lps)) - np.float32(pad.width_mm / 2)
    z = grid.along(pad.frame.z, pad.frame.origin_lps)
    return rounded_both(rounded_both(x, y, 3.0), np.maximum(z, -z - np.float32(pad.depth_mm)), 1.0)


def side_letter_height(strut: Pad) -> float:
    """Return the height of the side letter, mm."""
    return min(strut.width_mm - 3.0, _SIDE_LETTER_MM)


def label_body(lines: tuple[str, ...], strut: Pad, tower: Pad) -> tuple[Mesh, float]:
    """Return the raised letters and the height of the smallest of them, mm.

    The first line is the side letter, as high as the strut allows; the next three stand behind it; a warning goes on the tower.
    """
    limits = default_limits()
    stroke, raised = limits["guide.label_stroke_mm"], limits["guide.label_raised_mm"]
    room, tall = strut.length_mm - 4.0, strut.width_mm - 3.0
    big = side_letter_height(strut)
    letter_width = text_width(lines[0], big, 1.4 * stroke)
    height = _fitting(lines[1:4], room - letter_width - 2.0, tall, stroke)
    left = -room / 2
    bodies = [_line(lines[0], strut.frame, left, -big / 2, big, 1.4 * stroke, raised)]
    bodies += _block(lines[1:4], strut.frame, left + letter_width + 2.0, height, stroke, raised)
    smallest = height
    if len(lines) > _STRUT_LINES:
        room, tall = tower.length_mm - 3.0, tower.width_mm - 1.6
        words = max(_broken(lines[_STRUT_LINES:]), key=lambda words: _fitting(words, room, tall, stroke))
        height = _fitting(words, room, tall, stroke)
        wide = max(text_width(word, height, stroke) for word in words)
        bodies += _block(words, tower.frame, -wide / 2, height, stroke, raised)
        smallest = min(smallest, height)
    return union(*bodies, name="label"), smallest


def _broken(warning: tuple[str, ...]) -> list[tuple[str, ...]]:
    """Return the ways to break a warning into lines, fewest lines first; words keep their order."""
    words = " ".join(warning).split()
    ways = []
    for count in range(1, min(_WARNING_LINES, len(words)) + 1):
        for ends in combinations(range(1, len(words)), count - 1):
            cuts = (0, *ends, len(words))
            ways.append(tuple(" ".join(words[start:end]) for start, end in pairwise(cuts)))
    return ways


def _fitting(lines: tuple[str, ...], room_mm: float, tall_mm: float, stroke_mm: float) -> float:
    """Return the largest letter height (<= 5 mm, steps of 0.1) at which lines fit a field."""
    for height in np.arange(5.0, 1.99, -0.1):
        total = height * (len(lines) + _LINE_GAP * (len(lines) - 1))
        if total <= tall_mm and all(text_width(line, float(height), stroke_mm) <= room_mm for line in lines):
            return float(height)
    return 2.0


def _block(lines: tuple[str, ...], frame: Frame, left: float, height: float, stroke: float, raised: float) -> list[Mesh]:
    pitch = height * (1 + _LINE_GAP)
    top = 0.5 * (height + pitch * (len(lines) - 1))
    return [_line(text, frame, left, top - height - number * pitch, height, stroke, raised) for number, text in enumerate(lines)]


def _line(text: str, frame: Frame, x: float, y: float, height: float, stroke: float, raised: float) -> Mesh:
    corner = Frame(frame.to_lps(np.array([x, y, 0.0])), frame.axes)
    return raised_text(text, corner, height, stroke, -_ROOT_MM, raised)


def facing(pad: Pad, site: GuideSite) -> float:
    """Return the cosine between a label's face and the withdrawal direction: positive is readable from outside."""
    return float(pad.frame.z @ site.withdrawal)


def reads_unmirrored(pad: Pad) -> bool:
    """Tell whether the letters on a face are read the right way round from the side its normal points to."""
    triple: FloatArray = np.cross(pad.frame.x, pad.frame.y)
    return float(triple @ pad.frame.z) > 0
