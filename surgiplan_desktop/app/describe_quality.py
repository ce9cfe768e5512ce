"""The quality of a scan in words and numbers, the same for window, command line and report."""

from __future__ import annotations

from surgiplan_desktop.app.texts import Texts
from surgiplan_desktop.planning.block_joints import JOINTS
from surgiplan_desktop.planning.scan_quality import ScanQuality


def quality_title(quality: ScanQuality, texts: Texts) -> str:
    """The light in words, such as ``Scan: amber, to be seen``."""
    return texts.text(f"ui.quality_{quality.light}")


def quality_reasons(quality: ScanQuality, texts: Texts) -> tuple[tuple[str, str], ...]:
    """Why the light is not green: (``fail`` or ``warn``, words), worst first; empty when it is green."""
    return tuple((check.status, texts.check(check)) for check in quality.reasons)


def quality_lines(quality: ScanQuality, texts: Texts) -> tuple[str, ...]:
    """Lines for a person: the light, then its reasons."""
    return (quality_title(quality, texts), *(f"  {status:<4}  {words}" for status, words in quality_reasons(quality, texts)))


def quality_data(quality: ScanQuality, texts: Texts) -> dict[str, object]:
    """Plain data for ``--json``: light, every check with value and limit, which block shows which joint."""
    shown: dict[str, object] = {joint: list(quality.joints.of(joint)) for joint in JOINTS}
    return {
        "light": quality.light,
        "checks": [
            {"id": item.id, "status": item.status, "value": item.value, "limit": item.limit, "text": texts.check(item)}
            for item in quality.checks
        ],
        "guide": quality.light != "red",
        "to_acknowledge": list(quality.to_acknowledge),
        "joints": {**shown, "known_by": quality.joints.known_by},
    }
