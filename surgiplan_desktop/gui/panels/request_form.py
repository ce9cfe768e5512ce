"""What the request says, asked before any image is shown: side, procedure, and the values of a standing film."""

from __future__ import annotations

from dataclasses import replace

from PySide6.QtWidgets import QButtonGroup, QHBoxLayout, QVBoxLayout, QWidget

from surgiplan_desktop.gui.bridge import Bridge
from surgiplan_desktop.gui.viewports.stage import Stage
from surgiplan_desktop.gui.widgets.fields import ChoiceField, NumberField
from surgiplan_desktop.gui.widgets.layout import button, group, label
from surgiplan_desktop.model.anatomy import Side
from surgiplan_desktop.model.case import Intake
from surgiplan_desktop.model.edits import set_intake

PROCEDURES = ("mowhto",)
LEANS = ("unknown", "varus", "valgus")


class RequestForm(QWidget):
    """Every answer is one undo step."""

    def __init__(self, bridge: Bridge, stage: Stage) -> None:
        super().__init__()
        self._bridge = bridge
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        word = bridge.word
        asked = group(outer, word("group_request"))
        row = QHBoxLayout()
        sides = QButtonGroup(self)
        self._sides = {}
        for side in Side:
            made = button(word(f"side_{side}"), f"side_{side}", lambda side=side: self._set(side=side), checkable=True)
            made.setToolTip(word("side_tip"))
            sides.addButton(made)
            row.addWidget(made)
            self._sides[side] = made
        asked.addWidget(label(word("which_side"), "secondary"))
        asked.addLayout(row)
        asked.addWidget(label(word("which_procedure"), "secondary"))
        procedures = QButtonGroup(self)
        self._procedures = {}
        for name in PROCEDURES:
            words = f"{word(f'procedure_{name}')} ({word(f'procedure_short_{name}')})"
            made = button(words, f"procedure_{name}", lambda name=name: self._set(procedure=name), checkable=True)
            procedures.addButton(made)
            asked.addWidget(made)
            self._procedures[name] = made
        self._more = QWidget()
        inner = QVBoxLayout(self._more)
        inner.setContentsMargins(0, 0, 0, 0)
        leans = [(word(f"lean_{lean}"), lean) for lean in LEANS]
        self._lean = ChoiceField("standing_lean", word("standing_lean"), leans, word("standing_tip"))
        theme = stage.theme
        self._hka = NumberField("standing_hka", word("standing_hka"), "°", 0.0, 30.0, 0.5, 1, theme, word("standing_tip"))
        self._jlca = NumberField("standing_jlca", word("standing_jlca"), "°", -5.0, 15.0, 0.5, 1, theme)
        self._lean.chosen.connect(lambda _lean: self._set_standing())
        self._hka.committed.connect(lambda _value: self._set_standing())
        self._jlca.committed.connect(lambda _value: self._set_standing())
        for field in (self._lean, self._hka, self._jlca):
            inner.addWidget(field)
        self._more.hide()
        toggle = button(word("more_standing"), "more_standing", lambda: None, checkable=True)
        toggle.toggled.connect(self._more.setVisible)
        asked.addWidget(toggle)
        asked.addWidget(self._more)

    def show_intake(self, intake: Intake) -> None:
        """Show what the case says."""
        for chosen, buttons in ((intake.side, self._sides), (intake.procedure, self._procedures)):
            for name, made in buttons.items():
                group_of = made.group()
                group_of.setExclusive(False)  # so that undo can show that nothing is chosen
                made.setChecked(name == chosen)
                group_of.setExclusive(True)
        hka = intake.standing_hka_deg
        for field in (self._hka, self._jlca):
            field.setEnabled(self._lean.box.currentData() != "unknown")
        if hka is not None:
            self._lean.show_choice("varus" if hka < 180.0 else "valgus")
            self._hka.show_value(abs(hka - 180.0))
            self._jlca.show_value(intake.standing_jlca_deg or 0.0)

    def _set(self, **changes: object) -> None:
        intake = replace(self._bridge.case.intake, **changes)
        self._bridge.apply("edit_intake", lambda case: set_intake(case, intake))
        self.show_intake(self._bridge.case.intake)

    def _set_standing(self) -> None:
        lean = self._lean.box.currentData()
        if lean == "unknown":
            self._set(standing_hka_deg=None, standing_jlca_deg=None)
            return
        sign = -1.0 if lean == "varus" else 1.0
        self._set(standing_hka_deg=180.0 + sign * self._hka.value, standing_jlca_deg=self._jlca.value)
