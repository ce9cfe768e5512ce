"""Films and scouts: looked at before they are attached, with side and date by hand; then points, measures, calibration."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from surgiplan_desktop.app.film_pictures import FoundFilm, found_film, stored_picture
from surgiplan_desktop.app.import_film import KnownSize, attach_film, calibrate
from surgiplan_desktop.app.jobs import Job
from surgiplan_desktop.gui.study_pages.film_form import FilmForm
from surgiplan_desktop.gui.study_pages.film_view import FilmView, Words
from surgiplan_desktop.gui.viewports.stage import Stage
from surgiplan_desktop.gui.widgets.layout import button, label
from surgiplan_desktop.model.anatomy import Side
from surgiplan_desktop.model.edits import remove_film
from surgiplan_desktop.model.study import Film, Scout
from surgiplan_desktop.planning.film_geometry import reading_error_percent
from surgiplan_desktop.scene.film_grey import FilmLevels

#: A film of the case by its id, a scout by its number.
ItemKey = str | int
#: Films of no more pixels are read at once (some 30 ms).
_AT_ONCE = 3_000_000


class FilmPage(QWidget):
    """A page of the view area."""

    #: The user is done with it.
    closed = Signal()
    #: What is shown changed.
    changed = Signal()

    def __init__(self, stage: Stage) -> None:
        super().__init__()
        self.setObjectName("film_page")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._stage = stage
        self._bridge = stage.bridge
        self._path: Path | None = None
        self._found: FoundFilm | None = None
        self._shown: ItemKey | None = None
        self._item: Film | Scout | None = None
        self._levels: dict[str, FilmLevels] = {}
        self._job: Job | None = None
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.setSpacing(0)
        head = QHBoxLayout()
        head.setContentsMargins(16, 12, 12, 8)
        self._title = label("", "title", "film_title")
        head.addWidget(self._title, 1)
        head.addWidget(button(self._bridge.word("film_close"), "film_close", self._close))
        outer.addLayout(head)
        middle = QHBoxLayout()
        middle.setContentsMargins(0, 0, 8, 0)
        middle.setSpacing(0)
        self.view = FilmView(stage)
        self.form = FilmForm(stage, self.view.legs)
        middle.addWidget(self.view, 1)
        middle.addWidget(self.form)
        outer.addLayout(middle, 1)
        self.view.marked.connect(lambda: self.form.show_marked(len(self.view.points) == 2))
        self.form.invert_wanted.connect(self._read)
        self.form.attach_wanted.connect(self._attach)
        self.form.mark_wanted.connect(self.view.mark)
        self.form.calibrate_wanted.connect(self._calibrate)
        self.form.remove_wanted.connect(self._remove)
        self.form.side_wanted.connect(self._use_leg)
        self._bridge.case_changed.connect(lambda *_: self._follow())
        self._bridge.results_changed.connect(lambda _keys: self._refresh_results())
        self._bridge.session_replaced.connect(self._close)

    @property
    def open(self) -> bool:
        """Whether it shows something or waits for it."""
        return self._path is not None or self._shown is not None

    def open_file(self, path: Path) -> None:
        """Look at a film in a file; it is shown once the request's side was said (practice.md 13)."""
        self._reset()
        self._path = path
        self._title.setText(path.name)
        self._read(inverted=False)

    def open_item(self, key: ItemKey) -> None:
        """Look at a film (by id) or scout (by number) of the case."""
        self._reset()
        self._shown = key
        self._follow()

    # Files -----------------------------------------------------------------------------------------------------------------

    def _read(self, inverted: bool) -> None:
        if self._path is None:
            return
        if self._bridge.case.intake.side is None:
            self.view.show_film(None, empty=self._bridge.word("say_side_first"))
            return
        if self._found is None:
            self.view.show_film(None, empty=self._bridge.word("film_being_read"))
        self._run("reading_film", found_film, self._path, inverted, on_value=self._show_found)

    def _show_found(self, found: FoundFilm) -> None:
        self._found = found
        word = self._bridge.word
        rows, columns = found.levels.shape
        kind = word("film_kind", kind=found.image.modality, columns=columns, rows=rows)
        self.view.show_film(
            found.levels,
            corners=([(kind, "view/text")], [(word("film_side_unsaid"), "warn")], [(word("film_lengths_locked"), "warn")]),
        )
        self.form.show_found(found)
        self.changed.emit()

    def _attach(self, side: Side, taken: str) -> None:
        found, session = self._found, self._bridge.session
        if found is None:
            return
        film: list[Film] = []

        def act() -> None:
            film.append(attach_film(session, found.path, side=side, taken=taken, invert=found.inverted))

        if self._bridge.attempt(act):
            self._bridge.tell("film_is_attached", side=self._bridge.word(f"side_{side}"))
            self.open_item(film[0].id)

    # Films of the case -----------------------------------------------------------------------------------------------------

    def _follow(self) -> None:
        """Show the item as the case has it now; without it, go back to the views."""
        if self._path is not None and self._found is None:
            self._read(inverted=False)
        if self._shown is None:
            return
        item = self._find(self._shown)
        if item is None:
            self._close()
            return
        self._title.setText(self._name(item))
        levels = self._levels.get(item.pixels)
        if levels is not None:
            self._show_item(item, levels)
            return
        store = self._bridge.session.store
        if item.shape[0] * item.shape[1] <= _AT_ONCE:
            # a small film need not wait behind the bones that are being made
            self._levels[item.pixels] = stored_picture(store, item)
            self._show_item(item, self._levels[item.pixels])
            return
        self.view.show_film(None, empty=self._bridge.word("film_being_read"))

        def read(levels: FilmLevels) -> None:
            self._levels[item.pixels] = levels
            self._show_item(item, levels)

        self._run("reading_film", stored_picture, store, item, on_value=read)

    def _find(self, key: ItemKey) -> Film | Scout | None:
        case = self._bridge.case
        if isinstance(key, str):
            return next((film for film in case.films if film.id == key), None)
        scouts = () if case.study is None else case.study.scouts
        return scouts[key] if key < len(scouts) else None

    def _name(self, item: Film | Scout) -> str:
        word = self._bridge.word
        if isinstance(item, Scout):
            return item.description or word("film_scout")
        side = word("side_not_asked") if item.side is None else word(f"side_{item.side}")
        return word("film_name", side=side, taken=item.taken or word("film_no_date"))

    def _show_item(self, item: Film | Scout, levels: FilmLevels) -> None:
        same = self._item is not None and _without_points(item) == _without_points(self._item)
        self._item = item
        if same:
            self._refresh_results()
            self.view.update()
            return
        word = self._bridge.word
        code = [(self._bridge.case.code, "view/text")]
        if isinstance(item, Scout):
            self.view.legs.use("", None)
            self.view.show_film(levels, corners=([(word("film_scout"), "view/text")], code, []))
            self.form.show_scout(item, word("film_scout_words"))
            return
        spacing = item.calibration.spacing_mm
        error = reading_error_percent(item.calibration)
        if spacing is None:
            lengths, corner = word("film_locked_words"), (word("film_lengths_locked"), "warn")
        else:
            told = word("film_reading_error", percent=f"{error:.1f}") if error is not None else ""
            kind = word(f"film_by_{item.calibration.kind}")
            lengths = word("film_free_words", kind=kind, spacing=f"{spacing[1]:.4f}", error=told).strip()
            corner = (word("film_lengths_free"), "ok")
        side: Words = [] if item.side is None else [(word(f"side_{item.side}"), f"side/{item.side}")]
        taken = (item.taken or word("film_no_date"), "view/text")
        rows, columns = item.shape
        kind = word("film_kind", kind=item.modality, columns=columns, rows=rows)
        self.view.show_film(levels, corners=([(kind, "view/text"), taken], [*code, *side], [corner]))
        self.view.mark("")
        self.view.legs.use(item.id, self._leg_of(item))
        self.form.show_film(item, lengths=lengths)
        self.changed.emit()

    def _leg_of(self, film: Film) -> Side:
        """The leg worked on: as chosen on this page, else the one the film was attached with."""
        legs = self.view.legs
        now = legs.film
        return legs.side if now is not None and now.id == film.id and legs.side is not None else film.side or Side.RIGHT

    def _use_leg(self, side: Side) -> None:
        if isinstance(self._shown, str):
            self.view.legs.use(self._shown, side)

    def _refresh_results(self) -> None:
        if self.form.results is not None:
            self.form.results.refresh()

    def _calibrate(self, kind: str, known_mm: float) -> None:
        points = tuple((point.x(), point.y()) for point in self.view.points)
        shown = self._shown
        if isinstance(shown, str) and len(points) == 2:
            known = KnownSize("ball" if kind == "ball" else "ruler", known_mm, points)
            if self._bridge.attempt(lambda: calibrate(self._bridge.session, shown, known)):
                self._bridge.tell("film_is_calibrated")

    def _remove(self) -> None:
        shown = self._shown
        if isinstance(shown, str):
            self._bridge.apply("edit_remove_film", lambda case: remove_film(case, shown))

    # Both ------------------------------------------------------------------------------------------------------------------

    def _run(self, name: str, function: object, *args: object, on_value: object) -> None:
        if self._job is not None:
            self._job.cancel()
        mine = self._path, self._shown

        def put(value: object) -> None:
            if mine == (self._path, self._shown):
                on_value(value)

        self._job = self._bridge.run_job(name, function, *args, on_value=put)

    def _reset(self) -> None:
        self._path = self._found = self._shown = self._item = None
        self.view.legs.use("", None)
        self._levels.clear()
        self.form.clear_form()
        self.view.mark("")
        self.view.show_film(None)

    def _close(self) -> None:
        if self.open:
            self._reset()
            self.closed.emit()


def _without_points(item: Film | Scout) -> Film | Scout:
    """What the page is built for; points come and go on it."""
    return replace(item, legs=(), mirrored=False) if isinstance(item, Film) else item
