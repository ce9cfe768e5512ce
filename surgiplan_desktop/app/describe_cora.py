"""Where the bones are bent (CORA): JSON values, lines, drawing; no angle without its word, no distance without its line."""

from __future__ import annotations

import math
from collections.abc import Iterator

from surgiplan_desktop.app.describe_measures import value_words
from surgiplan_desktop.app.texts import Texts
from surgiplan_desktop.model.anatomy import Side
from surgiplan_desktop.planning.cora import BoneCora, CoraEnd, Flat, LegCora
from surgiplan_desktop.planning.limits import default_limits
from surgiplan_desktop.scene.cora_drawing import BentBone, CoraWords, draw_cora
from surgiplan_desktop.scene.flat_drawing import Drawing

#: A crossing this far beyond the bone, as a share of its length, is not drawn.
_DRAWN_BEYOND = 0.15


def cora_data(items: tuple[LegCora, ...], texts: Texts) -> dict[str, object]:
    """Return the CORA of femur and tibia by reference as JSON values."""
    return {
        item.reference: {
            "reference": reference_words(item, texts),
            **{bone.bone.value: _bone_data(bone, texts) for bone in item.bones},
        }
        for item in items
    }


def cora_lines(items: tuple[LegCora, ...], texts: Texts) -> Iterator[str]:
    """Yield the heading, then a line a reference and bone."""
    yield "  " + texts.text("label.cora_heading")
    for item in items:
        yield "    " + reference_words(item, texts)
        for bone in item.bones:
            yield f"      {texts.text(f'label.{bone.bone.value}')}: {' '.join(bone_words(bone, texts))}"


def reference_words(item: LegCora, texts: Texts) -> str:
    """Say what the joints' angles are compared with, and the angles."""
    name, angles = _reference(item, texts)
    return f"{name} ({angles})" if angles else name


def _reference(item: LegCora, texts: Texts) -> tuple[str, str]:
    ends = [end for bone in item.bones for end in bone.ends or ()]
    angles = ", ".join(f"{_short(end, texts)} {texts.text('label.degrees', value=end.reference_deg)}" for end in ends)
    return texts.text(f"label.cora_against_{item.reference}", leg=texts.text(f"label.leg_{item.side.other.value}")), angles


def bone_words(item: BoneCora, texts: Texts) -> tuple[str, ...]:
    """Return the sentences of a bone: the angulation, where it lies, and what it depends on."""
    if item.angle_deg is None:
        reason = "" if item.reason is None else texts.finding(item.reason)
        return (f"{texts.text('label.not_measurable')}. {reason}".strip(),)
    angle = value_words("hka_deviation", item.angle_deg, "deg", texts)
    if item.distance_mm is None or item.place == "none":
        return (texts.text("label.cora_none", angle=angle, least=default_limits()["cora.least_deg"]),)
    where = "beyond" if item.place == "beyond" else f"{item.bone.value}_{item.place}"
    words = [texts.text(f"label.cora_{where}", angle=angle, distance=abs(item.distance_mm))]
    if item.place != "beyond" and item.per_degree_mm is not None:
        words.append(texts.text("label.cora_per_degree", distance=item.per_degree_mm))
    if item.usual:
        words.append(texts.text("label.cora_usual"))
    if item.estimated:
        words.append(texts.text("label.cora_estimated"))
    if item.plane == "bone":
        words.append(texts.text("label.cora_bone_plane"))
    if item.plus_minus_deg is not None:
        words.append(texts.text("label.spread_blocks", value=item.plus_minus_deg))
    return tuple(words)


def cora_drawing(items: tuple[LegCora, ...], texts: Texts, wide: float = 460.0) -> Drawing | None:
    """Draw the leg against the first reference, with the words of all; None where nothing is known."""
    if not items or not any(item.known for item in items):
        return None
    paragraphs = [
        CoraWords(
            *_reference(item, texts),
            tuple(f"{texts.text(f'label.{bone.bone.value}')}: {' '.join(bone_words(bone, texts))}" for bone in item.bones),
        )
        for item in items
    ]
    first = items[0]
    bones = [drawn for bone in first.bones if bone.plane == "limb" and (drawn := _drawn(bone, first.side)) is not None]
    return draw_cora(bones, texts.text("label.cora_heading"), paragraphs, texts.text("label.cora_note"), wide)


def _drawn(item: BoneCora, side: Side) -> BentBone | None:
    if item.ends is None:
        return None

    def seen(point: Flat) -> Flat:
        # as on a film: the right leg on the left, so its lateral side points to the left
        return -side.sign * point[0], point[1]

    def line(end: CoraEnd) -> tuple[Flat, Flat]:
        return seen(end.tangent[0]), seen(end.tangent[1])

    knee, far = item.ends
    long = math.dist(knee.centre, far.centre)
    crossing = item.crossing
    inside = (item.distance_mm, item.to_far_mm)
    if crossing is not None and any(value is None or value < -_DRAWN_BEYOND * long for value in inside):
        crossing = None
    rays = () if crossing is None else tuple((seen(end.centre), seen(crossing)) for end in item.ends)
    axis = seen(knee.centre), seen(far.centre)
    return BentBone(axis, (line(knee), line(far)), rays, None if crossing is None else seen(crossing))


def _bone_data(item: BoneCora, texts: Texts) -> dict[str, object]:
    return {
        "place": item.place,
        "reason": None if item.reason is None else texts.finding(item.reason),
        "plane": item.plane,
        "angle_deg": item.angle_deg,
        "to_knee_joint_line_mm": item.distance_mm,
        "to_far_joint_line_mm": item.to_far_mm,
        "moves_per_reference_degree_mm": item.per_degree_mm,
        "point_lps": None if item.point_lps is None else [round(value, 4) for value in item.point_lps],
        "joint_angles": {end.measure: {"value": end.measured_deg, "reference": end.reference_deg} for end in item.ends or ()},
        "within_normal": item.usual,
        "estimated": item.estimated,
        "plus_minus_deg": item.plus_minus_deg,
        "words": " ".join(bone_words(item, texts)),
    }


def _short(end: CoraEnd, texts: Texts) -> str:
    return texts.text(f"label.short_{end.measure}")
