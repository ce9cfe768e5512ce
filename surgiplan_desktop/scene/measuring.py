"""What the step Measure adds to the picture: angles with their arcs, and the shape that a point was fitted with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from surgiplan_desktop.derive.node import Key
from surgiplan_desktop.model.anatomy import LANDMARKS, LandmarkId, Side
from surgiplan_desktop.model.case import Case
from surgiplan_desktop.planning.graph import frames_key, landmarks_key
from surgiplan_desktop.planning.records import Fit, Landmarks, LegFrames
from surgiplan_desktop.scene.angles import ALWAYS, MeasureMark, measure_marks
from surgiplan_desktop.scene.fit_shapes import fit_axis, fit_mesh, fit_rods
from surgiplan_desktop.scene.items import Tubes
from surgiplan_desktop.scene.wanted import Line, Outline, Picture

#: Bones beside the one whose point is looked at: seen, but not in the way.
_ASIDE: Final = 0.18
_ROD_MM: Final = 0.45
_ROLE: Final = "fit"


@dataclass(frozen=True, slots=True)
class Looking:
    """What is looked at in the step Measure.

    Attributes
    ----------
    landmark
        Landmark that is looked at from near, or empty: the whole leg.
    fit
        Landmark whose fit is drawn then.
    measure
        Measure that is drawn alone, or empty: those that the correction is decided by.
    compare
        What stands beside the leg: empty, ``other`` (leg), ``auto`` (points as found) or ``after`` (the plan).
    """

    landmark: LandmarkId = ""
    fit: LandmarkId = ""
    measure: str = ""
    compare: str = ""


class MeasuringLayer:
    """Adds to pictures; what did not change stays the same object, so that nothing is drawn for nothing."""

    def __init__(self) -> None:
        self._kept: tuple[Fit, Tubes, Outline] | None = None

    @staticmethod
    def opacity(case: Case, looking: Looking, chosen: Mapping[str, float]) -> Mapping[str, float]:
        """Return the opacity by bone: what the user chose, and the others aside while one bone is looked at."""
        if not looking.landmark:
            return chosen
        bone = LANDMARKS[looking.landmark].bone
        return {**chosen, **{str(other): _ASIDE for other in case.bones if other.bone is not bone and str(other) not in chosen}}

    def add(self, picture: Picture, results: Callable[[Key], tuple[Any, bool]], side: Side | None, looking: Looking) -> Picture:
        """Return the picture with angles, and with the fit of the landmark that is looked at."""
        landmarks = None if side is None else results(landmarks_key(side))[0]
        frames = None if side is None else results(frames_key(side))[0]
        if not isinstance(landmarks, Landmarks) or not isinstance(frames, LegFrames):
            return picture
        marks: tuple[MeasureMark, ...] = ()
        if not looking.landmark:
            marks = measure_marks(landmarks, frames, (looking.measure,) if looking.measure else ALWAYS)
        fit = fit_of(looking.fit, landmarks, results) if looking.fit else None
        if fit is None:
            return replace(picture, angles=marks)
        if self._kept is None or self._kept[0] is not fit:
            self._kept = (fit, Tubes(fit_rods(fit), _ROD_MM, _ROLE), Outline(fit_mesh(fit), _ROLE, _ROLE, dashed=True))
        axis = fit_axis(fit)
        lines = picture.lines if axis is None else (*picture.lines, Line("fit_axis", axis, _ROLE, dashed=True))
        return Picture({**picture.items, "fit": self._kept[1]}, (*picture.outlines, self._kept[2]), picture.marks, lines, marks)


def fit_of(landmark: LandmarkId, landmarks: Landmarks, results: Callable[[Key], tuple[Any, bool]]) -> Fit | None:
    """Return the shape that a landmark was fitted with, also when it was moved by hand since."""
    fit = landmarks.fits.get(landmark)
    if fit is None:
        found = results(("found", landmarks.side, LANDMARKS[landmark].bone))[0]
        fit = found.fits.get(landmark) if isinstance(found, Landmarks) else None
    return fit
