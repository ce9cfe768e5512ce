"""Standing HKA and JLCA as the request says them: typed with their word; what is odd or can be read in two ways is asked back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QLabel, QLineEdit, QVBoxLayout, QWidget

from surgiplan_desktop.app.describe_film_measures import source_words
from surgiplan_desktop.app.describe_measures import value_words
from surgiplan_desktop.app.typed_alignment import parse_standing_hka, parse_standing_jlca
from surgiplan_desktop.base.errors import UsageError
from surgiplan_desktop.gui.viewports.stage import Stage
from surgiplan_desktop.gui.widgets.findings import card
from surgiplan_desktop.gui.widgets.layout import button, clear, label
from surgiplan_desktop.model.case import Intake
from surgiplan_desktop.model.edits import set_intake
from surgiplan_desktop.planning.film_graph import standing_key
from surgiplan_desktop.planning.graph import measures_key
from surgiplan_desktop.planning.records import Measures
from surgiplan_desktop.planning.standing import StandingValues, standing_doubt

_CAPTION_PX = 92


class StandingFields(QWidget):
    """Two lines and, below them, what the film says, and the question back where one is open."""

    #: A question was asked or answered: the height changed.
    asked = Signal()

    def __init__(self, stage: Stage, prefix: str = "") -> None:
        super().__init__()
        self._bridge = stage.bridge
        self._prefix = prefix
        word = self._bridge.word
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.setSpacing(4)
        self._hka = self._line("standing_hka", word("standing_hka"), word("standing_hka_form"), word("standing_tip"))
        self._jlca = self._line("standing_jlca", word("standing_jlca"), word("standing_jlca_form"), word("standing_jlca_tip"))
        for row, _ in (self._hka, self._jlca):
            outer.addLayout(row)
        self._question = QVBoxLayout()
        outer.addLayout(self._question)
        self._film = label("", "small", f"{prefix}standing_film")
        outer.addWidget(self._film)
        self._hka[1].editingFinished.connect(self._typed_hka)
        self._jlca[1].editingFinished.connect(self._typed_jlca)

    def _line(self, name: str, text: str, form: str, tip: str) -> tuple[QHBoxLayout, QLineEdit]:
        row = QHBoxLayout()
        row.setSpacing(6)
        caption = QLabel(text)
        caption.setFixedWidth(_CAPTION_PX)
        caption.setToolTip(tip)
        field = QLineEdit()
        field.setObjectName(f"{self._prefix}{name}")
        field.setAccessibleName(text)
        field.setPlaceholderText(form)
        field.setToolTip(tip)
        field.setAcceptDrops(False)
        row.addWidget(caption)
        row.addWidget(field, 1)
        return row, field

    def show_intake(self, intake: Intake, *, entered: bool = False) -> None:
        """Show what the case says, but never over what is being typed or asked; ``entered``: what was typed was taken."""
        texts = self._bridge.texts
        if not self._question.count():
            hka, jlca = intake.standing_hka_deg, intake.standing_jlca_deg
            for field, measure, value in ((self._hka[1], "hka_deviation", None if hka is None else hka - 180.0),
                                          (self._jlca[1], "jlca", jlca)):  # fmt: skip
                if entered or not field.hasFocus():
                    field.setText("" if value is None else value_words(measure, value, "deg", texts))
        side = intake.side or self._bridge.side
        values = None if side is None else self._bridge.value(standing_key(side))
        words = self._film_words(values) if isinstance(values, StandingValues) else ""
        self._film.setText(words)
        self._film.setVisible(bool(words))

    def _film_words(self, values: StandingValues) -> str:
        texts = self._bridge.texts
        told = []
        pairs = (("hka", values.hka_deg, values.hka_from), ("jlca", values.jlca_deg, values.jlca_from))
        for measure, value, source in pairs:
            if value is not None and source != "typed":
                told.append(
                    f"{texts.measure(measure)[0]} {value_words(measure, value, 'deg', texts)} {source_words(source, texts)}"
                )
        told += [texts.finding(item) for item in values.findings]
        return "\n".join(told)

    # Typing ----------------------------------------------------------------------------------------------------------------

    def _newly_typed(self, field: QLineEdit) -> str | None:
        """Return what was typed into a field since it was last read, and drop a question about it; None where nothing was."""
        if not field.isModified():
            return None
        field.setModified(False)
        self._clear_question()
        return field.text().strip()

    def _typed_hka(self) -> None:
        text = self._newly_typed(self._hka[1])
        if text is None:
            return
        if not text:
            self._put(standing_hka_deg=None)
            return
        try:
            value = parse_standing_hka(_without_brackets(text))
        except UsageError as error:
            self._ask_word(error)
            return
        self._take_hka(value)

    def _ask_word(self, error: UsageError) -> None:
        told, hint = self._bridge.texts.error(error)
        if error.message_id != "hka_needs_word":
            self._ask(f"{told}. {hint}", "fail")
            return
        deviation = float(error.parameters["deviation"])
        answers = [
            (self._bridge.word(lean), f"{self._prefix}answer_{lean}", lambda sign=sign: self._take_hka(180.0 + sign * deviation))
            for lean, sign in (("varus", -1.0), ("valgus", 1.0))
        ]
        self._ask(f"{told}", "warn", answers)

    def _take_hka(self, value: float) -> None:
        """Ask where the CT says something else (practice.md 10); else enter it."""
        self._clear_question()
        side = self._bridge.case.intake.side or self._bridge.side
        measures = None if side is None else self._bridge.value(measures_key(side))
        lies = measures.number("hka_deviation") if isinstance(measures, Measures) else None
        doubt = "" if lies is None else standing_doubt(value - 180.0, lies)
        if not doubt or lies is None:
            self._put(standing_hka_deg=value)
            return
        texts = self._bridge.texts
        stands, ct = (value_words("hka_deviation", item, "deg", texts) for item in (value - 180.0, lies))
        self._ask(
            self._bridge.word(f"ask_{doubt}", standing=stands, ct=ct),
            "warn",
            [
                (self._bridge.word("standing_keep"), f"{self._prefix}answer_keep", lambda: self._put(standing_hka_deg=value)),
                (self._bridge.word("standing_drop"), f"{self._prefix}answer_drop", self._drop),
            ],
        )

    def _typed_jlca(self) -> None:
        text = self._newly_typed(self._jlca[1])
        if text is None:
            return
        if not text:
            self._put(standing_jlca_deg=None)
            return
        try:
            value = parse_standing_jlca(_without_words(text, self._bridge.texts.text("label.opens_laterally"),
                                                       self._bridge.texts.text("label.opens_medially")))  # fmt: skip
        except UsageError as error:
            self._ask(" ".join(self._bridge.texts.error(error)), "fail")
            return
        self._put(standing_jlca_deg=value)

    # Asking ----------------------------------------------------------------------------------------------------------------

    def _ask(self, words: str, tone: str, answers: list[tuple[str, str, Callable[[], object]]] | None = None) -> None:
        self._clear_question()
        frame = card(words, tone)
        frame.setObjectName(f"{self._prefix}standing_question")
        self._question.addWidget(frame)
        row = QHBoxLayout()
        for text, name, run in answers or []:
            row.addWidget(button(text, name, run))
        self._question.addLayout(row)
        self.asked.emit()

    def _clear_question(self) -> None:
        if self._question.count():
            clear(self._question)
            self.asked.emit()

    def _drop(self) -> None:
        self._clear_question()
        self.show_intake(self._bridge.case.intake, entered=True)

    def _put(self, **changes: float | None) -> None:
        self._clear_question()
        intake = replace(self._bridge.case.intake, **changes)
        if intake != self._bridge.case.intake:
            self._bridge.apply("edit_standing", lambda case: set_intake(case, intake))
        self.show_intake(self._bridge.case.intake, entered=True)


def _without_brackets(text: str) -> str:
    """``5.0° varus (175.0°)``, as the program writes it, is understood when it is typed."""
    return text.split("(", 1)[0]


def _without_words(text: str, lateral: str, medial: str) -> str:
    return text.replace(lateral, "lateral").replace(medial, "medial")
