"""The four witnesses of side (practice.md 13): request, tags of the scan, where the leg lies, handedness of its bones.

A contradiction stops the plan until a named person resolves it with a reason. What a word can resolve and what not follows
from geometry: a wrong patient position or a mix-up of LPS and RAS is a rotation and leaves the handedness of a bone as it is, so
a person who knows how the patient lay may speak. A flipped index is a mirror and turns a right bone into a left one; against the
bone itself no word helps, only other data or the other side. A request that was read wrongly is corrected, never overruled,
since label, sheet and file names take their side from it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from surgiplan_desktop.base.arrays import FloatArray
from surgiplan_desktop.base.errors import PlanCheckError
from surgiplan_desktop.model.anatomy import Side
from surgiplan_desktop.model.case import Case, ImportedBone, SideResolution
from surgiplan_desktop.model.study import Finding, VolumeBlock
from surgiplan_desktop.planning.limits import default_limits
from surgiplan_desktop.planning.records import Landmarks

#: ``description`` (words in the description of the series) is a hint: it is shown, and contradicts nothing.
WitnessKind = Literal["request", "tags", "position", "handedness", "description"]
KINDS: Final[tuple[WitnessKind, ...]] = ("request", "tags", "position", "handedness", "description")

#: DICOM (0020,0060) Laterality; "B" and empty say nothing.
_SIDE_OF_TAG: Final = {"R": Side.RIGHT, "L": Side.LEFT}
#: Whole words for a side in English, German, Turkish, French, Spanish and Italian.
_WORDS: Final = {
    Side.RIGHT: frozenset({"right", "rt", "rechts", "re", "sag", "sağ", "droit", "droite", "derecha", "destra", "destro"}),
    Side.LEFT: frozenset({"left", "lt", "links", "li", "sol", "gauche", "izquierda", "sinistra", "sinistro"}),
}
#: Finding of the landmarks which says that a bone's shape is that of the other side.
_SHAPE_FINDING: Final = "handedness_contradicts_side"
#: Findings of a segmentation that put the side in doubt.
_DOUBTS: Final = frozenset({"side_handedness", "side_uncertain", "scan_upside_down"})
#: The front of the leg is only told by points further apart than this across the body, mm.
_FRONT_MM: Final = 8.0
#: Contradictions that a correction of the request ends; no resolution ever covers them.
_CORRECTED: Final = frozenset({("request", ""), ("handedness", "guess")})


@dataclass(frozen=True, slots=True)
class Witness:
    """What one witness says; ``says`` empty: nothing. ``detail`` tells how it came to say it (see :class:`Contradiction`)."""

    kind: WitnessKind
    says: tuple[Side, ...]
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Contradiction:
    """A witness that speaks against a side.

    ``detail`` is empty or ``beside`` (the leg lies on the other side of the midline), ``turned`` (its front points to the back),
    ``upside_down``, ``mesh`` (an imported bone does not lie as in a leg), ``bones`` (order and shape of the bones), ``femur`` or
    ``tibia`` (shape of one bone), ``guess`` (nothing but its place says the side). ``resolvable``: whether the word of a named
    person may end it.
    """

    kind: WitnessKind
    says: tuple[Side, ...]
    side: Side
    resolvable: bool
    detail: str = ""

    @property
    def statement(self) -> str:
        """What a resolution is signed for, such as ``tags:left``."""
        return ":".join(part for part in (self.kind, "+".join(self.says), self.detail) if part)


@dataclass(frozen=True, slots=True)
class SideWitnesses:
    """What a case says of sides without its landmarks, and what persons resolved.

    ``legs`` are the sides that have bones; ``placed`` tells that the scan's x = 0 is near the body's midline and the only leg in
    it may be held against that; ``misplaced`` are sides with an imported bone that does not lie as in a leg.
    """

    requested: Side | None
    tagged: tuple[Side, ...]
    doubts: tuple[Finding, ...] = ()
    hinted: tuple[Side, ...] = ()
    legs: tuple[Side, ...] = ()
    placed: bool = False
    misplaced: tuple[Side, ...] = ()
    resolutions: tuple[SideResolution, ...] = ()


def tagged_sides(case: Case) -> tuple[Side, ...]:
    """Return the sides that the tags of the scan name, right first; empty when they say nothing."""
    return sides_of_blocks(() if case.study is None else case.study.blocks)


def sides_of_blocks(blocks: Sequence[VolumeBlock]) -> tuple[Side, ...]:
    """Return the sides that the tags of these blocks name, right first: the one place where the tag is read as a side."""
    tags = {_SIDE_OF_TAG.get(block.origin.laterality.strip().upper()[:1]) for block in blocks}
    return tuple(side for side in Side if side in tags)


def sides_in_words(*texts: str) -> tuple[Side, ...]:
    """Return the sides that whole words of these texts name, right first."""
    words = set(re.findall(r"[^\W\d_]+", " ".join(texts).casefold()))
    return tuple(side for side in Side if words & _WORDS[side])


def witnesses_of(case: Case) -> SideWitnesses:
    """Gather what a case says of sides."""
    run = case.segmentation
    findings = () if run is None else run.findings
    blocks = () if case.study is None else case.study.blocks
    return SideWitnesses(
        requested=case.intake.side,
        tagged=tagged_sides(case),
        doubts=tuple(item for item in findings if item.code in _DOUBTS),
        hinted=sides_in_words(*(block.origin.description for block in blocks)),
        legs=case.sides,
        placed=len(case.sides) == 1 and bool(blocks) and all(block.origin.kind == "dicom" for block in blocks),
        misplaced=tuple(
            side for side in Side if any(_lies_wrong(item) for item in case.imported_bones if item.bone.side is side)
        ),
        resolutions=case.side_resolutions,
    )


def _lies_wrong(bone: ImportedBone) -> bool:
    return any(item.severity == "critical" and item.code.startswith("mesh_") for item in bone.findings)


def sides_in_question(case: Case) -> tuple[Side, ...]:
    """Return the sides whose witnesses matter: that of the request, else those of the bones, else those of the tags."""
    if case.intake.side is not None and (not case.sides or case.intake.side in case.sides):
        return (case.intake.side,)
    return case.sides or tagged_sides(case)


def witnesses(case: Case, side: Side, landmarks: Landmarks | None = None) -> tuple[Witness, ...]:
    """Return what each witness says, in the order of :data:`KINDS`, one of each kind.

    Parameters
    ----------
    side
        The side in question.
    landmarks
        Those of that side, once the bones are found.
    """
    known = witnesses_of(case)
    against = {item.kind: item for item in reversed(_contradictions(side, known, landmarks))}
    has_leg = side in known.legs and case.segmentation is not None
    guessed = any(item.code == "side_uncertain" for item in known.doubts)
    position: tuple[Side, ...] = ()
    if landmarks is not None:
        position = _beside(landmarks) if known.placed else (side,) if len(known.legs) == 2 else ()
    alone = has_leg and len(known.legs) == 1 and not guessed
    handed = (side,) if alone or (landmarks is not None and _fibular_side(landmarks) is side) else ()
    told: dict[WitnessKind, tuple[Side, ...]] = {
        "request": () if known.requested is None else (known.requested,),
        "tags": known.tagged,
        "position": position,
        "handedness": handed,
        "description": known.hinted,
    }
    return tuple(
        Witness(kind, against[kind].says, against[kind].detail) if kind in against else Witness(kind, told[kind])
        for kind in KINDS
    )


def contradictions(case: Case, side: Side, landmarks: Landmarks | None = None) -> tuple[Contradiction, ...]:
    """Return every witness that speaks against ``side``, resolved or not; the request first. Parameters as :func:`witnesses`."""
    return _contradictions(side, witnesses_of(case), landmarks)


def open_contradictions(case: Case, side: Side, landmarks: Landmarks | None = None) -> tuple[Contradiction, ...]:
    """Return the contradictions that no resolution covers: while there are any, nothing is planned on ``side``."""
    known = witnesses_of(case)
    return _uncovered(side, known, _contradictions(side, known, landmarks))


def covering(case: Case, side: Side, landmarks: Landmarks | None = None) -> SideResolution | None:
    """Return the latest resolution that covers a contradiction at hand, or None."""
    at_hand = {item.statement for item in contradictions(case, side, landmarks)}
    for item in reversed(case.side_resolutions):
        if item.side is side and at_hand & set(item.witnesses):
            return item
    return None


def require_sides_agree(side: Side, witnesses: SideWitnesses, landmarks: Landmarks) -> None:
    """Refuse a step whose side a witness contradicts without being resolved, or that nothing but a guess supports.

    Raises
    ------
    PlanCheckError
        ``side_contradiction`` naming the witness, what it says and the side of the step; ``side_only_guessed``;
        ``scan_direction_wrong``; ``leg_turned_round``; ``mesh_lies_wrong``.
    """
    for item in _uncovered(side, witnesses, _contradictions(side, witnesses, landmarks)):
        raise refusal(item)


def refusal(item: Contradiction) -> PlanCheckError:
    """Return the error that says a contradiction."""
    if item.detail == "upside_down":
        return PlanCheckError("scan_direction_wrong")
    if item.detail == "guess":
        return PlanCheckError("side_only_guessed", side=str(item.side))
    if item.detail == "mesh":
        return PlanCheckError("mesh_lies_wrong", side=str(item.side))
    if item.detail == "turned":
        return PlanCheckError("leg_turned_round", side=str(item.side))
    names = {
        "request": "request",
        "tags": "laterality tag of the scan",
        "position": "place of the leg beside the midline",
        "handedness": "handedness of the bones" if item.detail == "bones" else f"shape of the {item.detail}",
    }
    return PlanCheckError(
        "side_contradiction", witness=names[item.kind], says=" and ".join(map(str, item.says)), side=str(item.side)
    )


def diagnosis(found: Sequence[Contradiction]) -> str:
    """Return the id of what most likely went wrong (a rotation keeps the handedness of a bone, a mirror does not).

    One of ``agree``, ``upside_down``, ``mirrored``, ``rotated``, ``other_leg``, ``tag``, ``request``, ``guess``.
    """
    against = {(item.kind, item.detail) for item in found}
    kinds = {item.kind for item in found}
    if not found:
        return "agree"
    if any(detail == "upside_down" for _, detail in against):
        return "upside_down"
    if "handedness" in kinds and ("handedness", "guess") not in against:
        return "other_leg" if kinds & {"position", "tags", "request"} else "mirrored"
    if "position" in kinds:
        return "rotated"
    if ("handedness", "guess") in against:
        return "guess"
    return "tag" if "tags" in kinds and "request" not in kinds else "request"


def _contradictions(side: Side, known: SideWitnesses, landmarks: Landmarks | None) -> tuple[Contradiction, ...]:
    found: list[Contradiction] = []
    if known.requested not in (None, side):
        found.append(Contradiction("request", (side.other,), side, resolvable=True))
    both_legs = set(known.tagged) == set(known.legs) and side in known.tagged
    if known.tagged and known.tagged != (side,) and not both_legs:
        found.append(Contradiction("tags", known.tagged, side, resolvable=True))
    for doubt in known.doubts:
        said = dict(doubt.parameters)
        if doubt.code == "scan_upside_down":
            found.append(Contradiction("position", (), side, resolvable=False, detail="upside_down"))
        elif doubt.code == "side_handedness" and said.get("side") == str(side):
            found.append(Contradiction("handedness", (side.other,), side, resolvable=False, detail="bones"))
        # a guess by position alone is not enough; the request may confirm it
        elif doubt.code == "side_uncertain" and known.requested is None and not known.tagged:
            found.append(Contradiction("handedness", (), side, resolvable=True, detail="guess"))
    if side in known.misplaced:
        found.append(Contradiction("position", (), side, resolvable=True, detail="mesh"))
    if known.legs and side not in known.legs:
        found.append(Contradiction("handedness", known.legs, side, resolvable=False, detail="bones"))
    if landmarks is not None:
        found += _shape(side, landmarks)
        found += _position(side, known, landmarks)
    return tuple(dict.fromkeys(found))


def _shape(side: Side, landmarks: Landmarks) -> list[Contradiction]:
    """Say which bones have the shape of the other side.

    A femur alone against a tibia that does not object may be a mistake of the finder on a deformed bone, which a person who has
    looked can say; anything more is the bone's own word.
    """
    shaped = [str(dict(item.parameters).get("bone", "bone")) for item in landmarks.findings if item.code == _SHAPE_FINDING]
    doubtful = shaped == ["femur"] and landmarks.point("tibial_tuberosity") is not None
    return [Contradiction("handedness", (side.other,), side, resolvable=doubtful, detail=bone) for bone in shaped]


def _position(side: Side, known: SideWitnesses, landmarks: Landmarks) -> list[Contradiction]:
    if any(item.code == "bone_upside_down" for item in landmarks.findings):
        return [Contradiction("position", (), side, resolvable=False, detail="upside_down")]
    found = []
    if known.placed and side.other in _beside(landmarks):
        found.append(Contradiction("position", (side.other,), side, resolvable=True, detail="beside"))
    turn = front_turn_deg(landmarks)
    if turn is not None and turn > default_limits()["side.turned_deg"]:
        found.append(Contradiction("position", (), side, resolvable=True, detail="turned"))
    return found


def _beside(landmarks: Landmarks) -> tuple[Side, ...]:
    """Return the side of the midline x = 0 on which the leg lies; empty near the midline."""
    points = [item.point_lps for item in landmarks.items.values() if item.point_lps is not None]
    x = float(np.mean([point[0] for point in points])) if points else 0.0
    if abs(x) < default_limits()["side.beside_midline_mm"]:
        return ()
    return (Side.RIGHT if x < 0.0 else Side.LEFT,)


def front_turn_deg(landmarks: Landmarks) -> float | None:
    """Return the angle between the front of the leg and the front of the patient (LPS -y) seen from above, 0..180 degrees.

    The front is where the tuberosity lies before the knee centre and the epicondyles before the posterior condyles; None when
    neither is known. Handedness does not enter.
    """
    pairs = [
        (("tibial_tuberosity",), ("tibial_knee_centre",)),
        (("medial_epicondyle", "lateral_epicondyle"), ("medial_posterior_condyle", "lateral_posterior_condyle")),
    ]
    front = np.zeros(2)
    for before, behind in pairs:
        ends = [_middle(landmarks, names) for names in (before, behind)]
        if ends[0] is None or ends[1] is None:
            continue
        step = (ends[0] - ends[1])[:2]
        length = float(np.linalg.norm(step))
        if length >= _FRONT_MM:
            front += step / length
    if float(np.linalg.norm(front)) < 0.5:
        return None
    return float(np.degrees(np.arccos(np.clip(-front[1] / np.linalg.norm(front), -1.0, 1.0))))


def _fibular_side(landmarks: Landmarks) -> Side | None:
    """Return the side whose fibula lies where this one does, seen from knee, tuberosity and ankle; None without them."""
    points = [landmarks.point(name) for name in ("tibial_knee_centre", "ankle_centre", "tibial_tuberosity", "fibular_head_tip")]
    if any(point is None for point in points):
        return None
    knee, ankle, tuberosity, fibula = np.array(points, dtype=np.float64)
    lateral = float(np.cross(tuberosity - knee, knee - ankle) @ (fibula - knee))
    return Side.RIGHT if lateral > 0.0 else Side.LEFT


def _middle(landmarks: Landmarks, names: Sequence[str]) -> FloatArray | None:
    points = [landmarks.point(name) for name in names]
    if any(point is None for point in points):
        return None
    middle: FloatArray = np.mean(np.array(points, dtype=np.float64), axis=0)
    return middle


def _uncovered(side: Side, known: SideWitnesses, found: Sequence[Contradiction]) -> tuple[Contradiction, ...]:
    signed = {statement for item in known.resolutions if item.side is side for statement in item.witnesses}
    return tuple(
        item for item in found if not item.resolvable or (item.kind, item.detail) in _CORRECTED or item.statement not in signed
    )
