"""The eight points of a leg on a film, as the view places, draws and drags them; every placement and drag is one undo step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
from PySide6.QtCore import QObject, QPointF, Signal

from surgiplan_desktop.app.describe_film_measures import film_words
from surgiplan_desktop.gui.bridge import Bridge, Drag
from surgiplan_desktop.model.anatomy import Side
from surgiplan_desktop.model.edits import place_film_point
from surgiplan_desktop.model.study import FILM_POINTS, Film, FilmLeg, FilmPointName
from surgiplan_desktop.planning.film_comparison import FilmComparison, compare_film
from surgiplan_desktop.planning.film_graph import film_comparison_key, film_measures_key
from surgiplan_desktop.planning.film_measures import FilmMeasures

#: The rim of the head circle is a handle of its own.
RIM: Final = "head_rim"
#: What a point changes most: told beside it while it is dragged.
_TELLS: Final[Mapping[str, str]] = {
    "head": "hka_deviation", "knee": "hka_deviation", "ankle": "hka_deviation", "femur_medial": "mldfa",
    "femur_lateral": "mldfa", "tibia_medial": "mpta", "tibia_lateral": "mpta",
}  # fmt: skip
#: Radius of a head circle that was placed by a click alone, mm; and as a share of the film's length without a scale.
_HEAD_MM: Final = 24.0
_HEAD_SHARE: Final = 0.022
#: An arrow key moves by this, mm, or by that many pixels where there is no scale.
_NUDGE_MM: Final = 0.1
_NUDGE_PX: Final = 0.25


class FilmPoints(QObject):
    """Which point is next, chosen, held; the points themselves stand in the case."""

    #: What is chosen, held or next changed.
    changed = Signal()

    def __init__(self, bridge: Bridge) -> None:
        super().__init__()
        self._bridge = bridge
        self._film_id = ""
        self.side: Side | None = None
        self.placing: FilmPointName | None = None
        self.chosen = ""
        self.held = ""
        self._drag: Drag | None = None
        self._grabbed = QPointF()

    @property
    def film(self) -> Film | None:
        """The film as the case has it now."""
        return next((film for film in self._bridge.case.films if film.id == self._film_id), None)

    @property
    def leg(self) -> FilmLeg | None:
        """The leg worked on, as the case has it now."""
        film = self.film
        return None if film is None or self.side is None else film.leg(self.side)

    def use(self, film_id: str, side: Side | None) -> None:
        """Work on a leg of a film, or on nothing."""
        if (film_id, side) != (self._film_id, self.side):
            self._film_id, self.side = film_id, side
            self.placing, self.chosen, self.held = None, "", ""
            self.changed.emit()

    def next_missing(self) -> FilmPointName | None:
        """The first point that is not placed."""
        leg = self.leg
        return None if leg is None else next((name for name in FILM_POINTS if leg.point(name) is None), None)

    def start(self, name: FilmPointName | None = None) -> None:
        """Place a point with the next press; the first that is missing where none is named."""
        self.placing = name or self.next_missing()
        self.changed.emit()

    def stop(self) -> None:
        """Place no more."""
        if self.placing is not None:
            self.placing = None
            self.changed.emit()

    def comparison(self) -> FilmComparison | None:
        """Film beside CT as it is now."""
        if self.side is None:
            return None
        found = self._bridge.value(film_comparison_key(self._film_id, self.side))
        film = self._bridge.value(film_measures_key(self._film_id, self.side))
        if isinstance(film, FilmMeasures) and (not isinstance(found, FilmComparison) or found.measures is not film):
            return compare_film(film)  # the bones are not there yet: the film's own column need not wait for them
        return found if isinstance(found, FilmComparison) else None

    def handles(self) -> dict[str, QPointF]:
        """Places on the film by name of the point, and the rim of the head."""
        leg = self.leg
        if leg is None:
            return {}
        places = {item.name: QPointF(item.x, item.y) for item in leg.points}
        if "head" in places and leg.head_radius_px:
            places[RIM] = places["head"] + QPointF(leg.head_radius_px, 0.0)
        return places

    def value_words(self, name: str) -> str:
        """What a point changes most, with its value and word; empty where it tells nothing yet."""
        comparison, measure = self.comparison(), _TELLS.get(name)
        row = None if comparison is None else next((row for row in comparison.rows if row.id == measure), None)
        if row is None or row.film is None:
            return ""
        texts = self._bridge.texts
        return f"{texts.measure(row.id)[0]} {film_words(row, texts)}"

    # Press, move, release --------------------------------------------------------------------------------------------------

    def press(self, at: QPointF, near: str) -> bool:
        """Take a press on the film: place the next point, else grab what is near. False: it was for neither.

        Placing comes first, for the joint lines of femur and tibia lie side by side.
        """
        film, side = self.film, self.side
        if film is None or side is None:
            return False
        if self.placing is not None:
            name = self.placing
            radius = self._usual_radius(film) if name == "head" and film.leg(side).head_radius_px is None else None
            self.chosen, self.held, self._grabbed = name, name, QPointF()
            self._drag = self._bridge.interaction("edit_film_point")
            self._put(name, at, radius)
        elif near:
            self.chosen = self.held = near
            self._grabbed = self.handles()[near] - at
            self._drag = self._bridge.interaction("edit_film_point")
        else:
            return False
        self.changed.emit()
        return True

    def move(self, at: QPointF) -> None:
        """Drag what is held."""
        film = self.film
        if film is None or not self.held or self._drag is None:
            return
        wanted = at + self._grabbed
        if self.held == RIM:
            centre = self.handles()["head"]
            reach = max(float(np.hypot(wanted.x() - centre.x(), (wanted.y() - centre.y()) * film.aspect)), 1.0)
            self._put("head", centre, reach)
        else:
            self._put(self.held, wanted)
        self.changed.emit()

    def release(self) -> None:
        """End the drag; the next missing point comes."""
        if self._drag is None:
            return
        drag, self._drag = self._drag, None
        drag.close()
        placed, self.held = self.held, ""
        if self.placing is not None and placed == self.placing:
            self.placing = self.next_missing()
        self.changed.emit()

    # Keys ------------------------------------------------------------------------------------------------------------------

    def cycle(self, step: int) -> None:
        """Choose the next or the former point."""
        names = list(self.handles())
        if names:
            at = names.index(self.chosen) + step if self.chosen in names else 0
            self.chosen = names[at % len(names)]
            self.changed.emit()

    def nudge(self, dx: int, dy: int, *, far: bool) -> None:
        """Move the chosen point by a step; each is an undo step."""
        film, places = self.film, self.handles()
        if film is None or self.chosen not in places:
            return
        spacing = film.calibration.spacing_mm
        step = (_NUDGE_PX if spacing is None else _NUDGE_MM / spacing[1]) * (10.0 if far else 1.0)
        at = places[self.chosen]
        self._drag = self._bridge.interaction("edit_film_point")
        self.held, self._grabbed = self.chosen, QPointF()
        self.move(at + QPointF(dx * step, dy * step / film.aspect))
        self.release()

    def remove(self) -> None:
        """Take the chosen point away."""
        film, side = self.film, self.side
        name = "head" if self.chosen == RIM else self.chosen
        if film is not None and side is not None and film.leg(side).point(name) is not None:
            self._bridge.apply("edit_remove_film_point", lambda case: place_film_point(case, film.id, side, name, None))
            self.chosen = ""
            self.changed.emit()

    def _put(self, name: str, at: QPointF, radius: float | None = None) -> None:
        film, side = self.film, self.side
        if film is None or side is None or self._drag is None:
            return
        rows, columns = film.shape
        x, y = min(max(at.x(), 0.0), columns - 1.0), min(max(at.y(), 0.0), rows - 1.0)
        self._drag.apply(lambda case: place_film_point(case, film.id, side, name, (x, y), radius))

    @staticmethod
    def _usual_radius(film: Film) -> float:
        spacing = film.calibration.spacing_mm
        return film.shape[0] * film.aspect * _HEAD_SHARE if spacing is None else _HEAD_MM / spacing[1]
