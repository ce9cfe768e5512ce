"""The row that shows or hides the heat map and says what it shows; greyed with the reason where nothing is known."""

from __future__ import annotations

from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from surgiplan_desktop.gui.viewports.stage import Stage
from surgiplan_desktop.gui.widgets.fields import ChoiceField
from surgiplan_desktop.gui.widgets.layout import button, label
from surgiplan_desktop.planning.graph import surface_sd_key, uncertainty_key


class HeatChoice(QWidget):
    """See the module's text."""

    def __init__(self, stage: Stage) -> None:
        super().__init__()
        self._stage = stage
        word = stage.bridge.word
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 4, 0, 0)
        layout.setSpacing(4)
        row = QHBoxLayout()
        row.setSpacing(6)
        self._button = button(word("heat_map"), "heat_map", stage.toggle_heat, tip=word("action_heat"), checkable=True)
        self._what = ChoiceField("heat_what", "", tip=word("heat_what_tip"))
        self._what.caption.hide()
        self._what.chosen.connect(lambda name: stage.show_heat(str(name)))
        row.addWidget(self._button)
        row.addWidget(self._what, 1)
        layout.addLayout(row)
        self._note = label("", "small", "heat_note")
        layout.addWidget(self._note)

    def refresh(self) -> None:
        """Show what can be shown of the case at hand."""
        stage, bridge = self._stage, self._stage.bridge
        shown = bridge.session.view.heat
        choices = self._choices()
        self._button.setEnabled(bool(choices) or bool(shown))
        self._button.setChecked(bool(shown))
        self._what.set_choices([(bridge.word(f"heat_{name}"), name) for name in choices])
        self._what.show_choice(shown)
        self._what.setVisible(bool(shown) and len(choices) > 1)
        if not choices:
            note = "heat_none"
        elif shown and stage.heat is None:
            note = "computing"
        elif shown == "uncertainty" and stage.heat_sampler is None:
            note = "heat_surface_note"
        else:
            note = f"heat_{shown}_note" if shown else ""
        self._note.setText(bridge.word(note) if note else "")
        self._note.setVisible(bool(note))

    def _choices(self) -> list[str]:
        bridge = self._stage.bridge
        keys, case = bridge.session.keys, bridge.case
        blocks = range(0 if case.study is None else len(case.study.blocks))
        choices = []
        voxels = any(uncertainty_key(number) in keys for number in blocks)
        if voxels or any(surface_sd_key(bone) in keys for bone in case.bones):
            choices.append("uncertainty")
        if voxels:
            choices.append("disagreement")
        if self._stage.comparison is not None:
            choices.append("difference")
        return choices
