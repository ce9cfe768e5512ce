"""What is visible: saved with the case, never undone, in no fingerprint."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType


def _nothing_hidden() -> Mapping[str, float]:
    return MappingProxyType({})


@dataclass(frozen=True, slots=True)
class View:
    """Crosshair (mm LPS), window and level (HU), step shown, opacity by item key (absent = 1, 0 = hidden).

    ``heat`` is what the heat map shows: ``""`` nothing, ``"uncertainty"``, ``"disagreement"``, or ``"difference"`` from the
    segmentation run ``compared_run``.
    """

    crosshair_lps: tuple[float, float, float] = (0.0, 0.0, 0.0)
    window_hu: float = 1800.0
    level_hu: float = 400.0
    step: str = "study"
    opacity: Mapping[str, float] = field(default_factory=_nothing_hidden)
    contours: bool = True
    heat: str = ""
    compared_run: str = ""
