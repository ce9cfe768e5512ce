"""The witnesses of side in words and as data, for command line, window and report alike."""

from __future__ import annotations

from surgiplan_desktop.app.resolve_side import SideHearing
from surgiplan_desktop.app.texts import Texts
from surgiplan_desktop.model.anatomy import Side
from surgiplan_desktop.model.case import Case, SideResolution
from surgiplan_desktop.model.study import Finding
from surgiplan_desktop.planning.sides import Contradiction, Witness, sides_in_words


def witness_name(witness: Witness | Contradiction, texts: Texts) -> str:
    """Return the name of a witness, such as ``tags of the scan``."""
    return texts.text(f"ui.side_witness_{witness.kind}")


def witness_words(witness: Witness | Contradiction, texts: Texts) -> str:
    """Return what a witness says, such as ``left`` or ``the front of the leg points to the patient's back``."""
    if witness.detail in ("turned", "upside_down", "mesh", "guess"):
        return texts.text(f"ui.side_says_{witness.detail}")
    if not witness.says:
        return texts.text("ui.side_says_nothing")
    says = " + ".join(texts.text(f"ui.side_word_{side}") for side in witness.says)
    if witness.detail in ("femur", "tibia"):
        return texts.text("ui.side_says_shape", bone=witness.detail, says=says)
    return says


def hearing_data(heard: SideHearing, texts: Texts) -> dict[str, object]:
    """Return a hearing as the data of ``surgiplan side --json``."""
    against = {item.kind: item for item in reversed(heard.contradictions)}
    return {
        "side": heard.side.value,
        "agreed": not heard.open,
        "diagnosis": heard.diagnosis,
        "text": texts.text(f"ui.side_diagnosis_{heard.diagnosis}"),
        "witnesses": [
            {
                "witness": item.kind,
                "says": [side.value for side in item.says],
                "text": witness_words(item, texts),
                "contradicts": item.kind in against,
            }
            for item in heard.witnesses
        ],
        "contradictions": [
            {
                "witness": item.kind,
                "says": [side.value for side in item.says],
                "text": witness_words(item, texts),
                "statement": item.statement,
                "resolvable": item.resolvable,
                "resolved": item not in heard.open,
            }
            for item in heard.contradictions
        ],
        "resolution": None if heard.resolution is None else resolution_data(heard.resolution),
    }


def resolution_data(item: SideResolution) -> dict[str, object]:
    """Return a resolution as data."""
    return {
        "side": item.side.value,
        "person": item.person,
        "reason": item.reason,
        "witnesses": list(item.witnesses),
        "time_utc": item.time_utc,
    }


def hearing_rows(heard: SideHearing, texts: Texts) -> list[tuple[str, str, str]]:
    """Return a row for each witness: its name, what it says, and whether it agrees."""
    against = {item.kind for item in heard.contradictions}
    still = {item.kind for item in heard.open}
    rows = []
    for item in heard.witnesses:
        state = (
            "contradicts"
            if item.kind in still
            else "resolved"
            if item.kind in against
            else "quiet"
            if not item.says
            else "agrees"
        )
        if item.kind == "description" and item.says:
            state = "agrees" if item.says == (heard.side,) else "hint"
        rows.append((witness_name(item, texts), witness_words(item, texts), texts.text(f"ui.side_state_{state}")))
    return rows


def hearing_lines(heard: SideHearing, texts: Texts) -> list[str]:
    """Return a hearing as lines for a person."""
    lines = [texts.text("ui.side_head", side=texts.text(f"ui.side_word_{heard.side}"))]
    lines += [texts.text("ui.side_row", name=name, says=says, state=state) for name, says, state in hearing_rows(heard, texts)]
    lines.append(texts.text(f"ui.side_diagnosis_{heard.diagnosis}"))
    if heard.resolution is not None:
        lines.append(resolution_words(heard.resolution, texts))
    if heard.open:
        lines.append(texts.text("ui.side_needs_data" if heard.needs_other_data else "ui.side_needs_person"))
    return lines


def resolution_words(item: SideResolution, texts: Texts) -> str:
    """Return a resolution as one sentence."""
    return texts.finding(_resolution_finding(item))


def side_findings(case: Case, side: Side) -> tuple[Finding, ...]:
    """Return what a plan on this side must say on paper: who resolved a contradiction, and words that hint at the other side."""
    found = [_resolution_finding(item) for item in case.side_resolutions if item.side is side]
    blocks = () if case.study is None else case.study.blocks
    if sides_in_words(*(block.origin.description for block in blocks)) == (side.other,):
        found.append(Finding("side_hint", "warn", (("side", str(side)), ("says", str(side.other)))))
    return tuple(found)


def _resolution_finding(item: SideResolution) -> Finding:
    said = (
        ("side", str(item.side)),
        ("person", item.person),
        ("time", item.time_utc),
        ("witnesses", ", ".join(item.witnesses)),
        ("reason", item.reason),
    )
    return Finding("side_resolved", "warn", said)
