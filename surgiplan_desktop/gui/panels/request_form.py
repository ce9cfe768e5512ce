"""What the request says, asked before any image is shown: side, procedure, and the values of a standing film."""

from __future__ import annotations

from dataclasses import replace

from PySide6.QtWidgets import QButtonGroup, QHBoxLayout, QVBoxLayout, QWidget

from surgiplan_desktop.gui.bridge import Bridge
from surgiplan_desktop.gui.viewports.stage import Stage
from surgiplan_desktop.gui.widgets.layout import button, group, label
from surgiplan_desktop.gui.widgets.standing_fields import StandingFields
from surgiplan_desktop.model.anatomy import Side
from surgiplan_desktop.model.case import Intake
from surgiplan_desktop.model.edits import set_intake

PROCEDURES = ("mowhto",)


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
        self._more = StandingFields(stage)
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
        self._more.show_intake(intake)

    def _set(self, **changes: object) -> None:
        intake = replace(self._bridge.case.intake, **changes)
        self._bridge.apply("edit_intake", lambda case: set_intake(case, intake))
        self.show_intake(self._bridge.case.intake)
