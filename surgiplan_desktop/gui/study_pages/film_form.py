"""What is said of a film by hand: side and date before it is attached; points, ball or ruler, and taking it out, afterwards."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QButtonGroup, QCheckBox, QHBoxLayout, QLineEdit, QVBoxLayout, QWidget

from surgiplan_desktop.app.film_pictures import FoundFilm
from surgiplan_desktop.gui.study_pages.film_points import FilmPoints
from surgiplan_desktop.gui.study_pages.film_results import FilmResults
from surgiplan_desktop.gui.viewports.stage import Stage
from surgiplan_desktop.gui.widgets.fields import NumberField
from surgiplan_desktop.gui.widgets.findings import FindingList, card
from surgiplan_desktop.gui.widgets.layout import button, clear, group, label, scroller
from surgiplan_desktop.model.anatomy import Side
from surgiplan_desktop.model.study import Film, Scout

_BALL_MM = 25.0
_RULER_MM = 100.0


class FilmForm(QWidget):
    """The column beside a film."""

    #: Bright and dark shall be exchanged in the file's film.
    invert_wanted = Signal(bool)
    #: The file's film shall be attached with (Side, date).
    attach_wanted = Signal(object, str)
    #: "ball", "ruler" or "" shall be marked.
    mark_wanted = Signal(str)
    #: The marked points shall be used: (kind, known size in mm).
    calibrate_wanted = Signal(str, float)
    #: The film shall be taken out of the case.
    remove_wanted = Signal()

    #: Another leg of the film shall be worked on (Side).
    side_wanted = Signal(object)

    def __init__(self, stage: Stage, points: FilmPoints) -> None:
        super().__init__()
        self.setObjectName("film_form")
        self.setFixedWidth(348)
        self._stage = stage
        self._bridge = stage.bridge
        self._points = points
        self.results: FilmResults | None = None
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        inside = QWidget()
        whole.addWidget(scroller(inside))
        outer = QVBoxLayout(inside)
        outer.setContentsMargins(12, 4, 12, 8)
        outer.setSpacing(8)
        self._content = QVBoxLayout()
        self._content.setSpacing(8)
        outer.addLayout(self._content)
        outer.addStretch(1)

    def clear_form(self) -> None:
        """Show nothing."""
        self.results = None
        clear(self._content)

    def show_found(self, found: FoundFilm) -> None:
        """Ask side and date of a film that is in no case yet."""
        self.clear_form()
        word = self._bridge.word
        self._content.addWidget(label(word("film_not_in_case"), "secondary"))
        self._content.addWidget(label(word("film_which_side"), ""))
        row = QHBoxLayout()
        sides = QButtonGroup(self)
        self._sides: dict[Side, object] = {}
        for side in Side:
            made = button(word(f"side_{side}"), f"film_side_{side}", self._on_side, checkable=True)
            sides.addButton(made)
            row.addWidget(made)
            self._sides[side] = made
        self._content.addLayout(row)
        self._content.addWidget(label(word("film_date"), ""))
        self._date = QLineEdit(found.image.taken)
        self._date.setObjectName("film_date")
        self._date.setAcceptDrops(False)
        self._date.setPlaceholderText(word("film_date_form"))
        self._content.addWidget(self._date)
        inverted = QCheckBox(word("film_invert"))
        inverted.setObjectName("film_invert")
        inverted.setChecked(found.inverted)
        inverted.toggled.connect(self.invert_wanted)
        self._content.addWidget(inverted)
        self._add_findings(found.image.findings)
        self._attach = button(word("film_attach"), "film_attach", self._on_attach)
        self._attach.setProperty("role", "primary")
        self._attach.setEnabled(False)
        self._content.addWidget(self._attach)

    def show_film(self, film: Film, *, lengths: str) -> None:
        """Show a film of the case: its points and measures, its calibration."""
        self.clear_form()
        word = self._bridge.word
        self.results = FilmResults(self._stage, self._points)
        self.results.side_wanted.connect(self.side_wanted)
        self._content.addWidget(self.results)
        self.results.refresh()
        scale = group(self._content, word("film_scale"))
        locked = film.calibration.spacing_mm is None
        head = word("film_lengths_locked" if locked else "film_lengths_free")
        scale.addWidget(card(lengths, "warn" if locked else "ok", head))
        scale.addWidget(label(word("film_mark_how"), "secondary"))
        row = QHBoxLayout()
        kinds = QButtonGroup(self)
        self._kinds = {}
        for kind in ("ball", "ruler"):
            made = button(word(f"film_mark_{kind}"), f"film_mark_{kind}", lambda kind=kind: self._on_kind(kind), checkable=True)
            kinds.addButton(made)
            row.addWidget(made)
            self._kinds[kind] = made
        scale.addLayout(row)
        self._known = NumberField("film_known", word("film_known"), "mm", 1.0, 1500.0, 1.0, 1, self._stage.theme)
        self._known.caption.setFixedWidth(84)
        self._known.show_value(_BALL_MM)
        self._known.setEnabled(False)
        scale.addWidget(self._known)
        self._use = button(word("film_use_marks"), "film_use_marks", self._on_use)
        self._use.setEnabled(False)
        scale.addWidget(self._use)
        self._add_findings(film.findings)
        self._content.addWidget(button(word("film_remove"), "film_remove", self.remove_wanted.emit, tip=word("film_remove_tip")))

    def show_scout(self, scout: Scout, words: str) -> None:
        """Say what a scout is."""
        self.clear_form()
        self._content.addWidget(card(words, "", scout.description or self._bridge.word("film_scout")))

    def show_marked(self, marked: bool) -> None:
        """Tell whether two points are placed."""
        self._use.setEnabled(marked)

    def _add_findings(self, findings: tuple[object, ...]) -> None:
        found = FindingList(self._bridge, "film_findings")
        self._content.addWidget(found)
        found.show_findings(findings)

    def _on_side(self) -> None:
        self._attach.setEnabled(True)

    def _on_attach(self) -> None:
        side = next(side for side, made in self._sides.items() if made.isChecked())
        self.attach_wanted.emit(side, self._date.text().strip())

    def _on_kind(self, kind: str) -> None:
        self._known.setEnabled(True)
        self._known.show_value(_BALL_MM if kind == "ball" else _RULER_MM)
        self._use.setEnabled(False)
        self.mark_wanted.emit(kind)

    def _on_use(self) -> None:
        kind = next(kind for kind, made in self._kinds.items() if made.isChecked())
        self.calibrate_wanted.emit(kind, self._known.value)
