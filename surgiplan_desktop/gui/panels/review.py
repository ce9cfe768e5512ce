"""Review: what the program asks to be looked at, and each bone in turn. Nothing is accepted unseen in one click."""

from __future__ import annotations

from PySide6.QtWidgets import QVBoxLayout

from surgiplan_desktop.gui.panels.base import Panel
from surgiplan_desktop.gui.steps import findings_of_segmentation
from surgiplan_desktop.gui.widgets.findings import FindingList, card
from surgiplan_desktop.gui.widgets.layout import button, clear, group, label
from surgiplan_desktop.model.anatomy import BoneId
from surgiplan_desktop.model.mesh import Bone
from surgiplan_desktop.planning.graph import bone_key


class ReviewPanel(Panel):
    """See the module's text."""

    step = "review"

    def build(self) -> None:
        self._shown: object = None
        self.content.addWidget(label(self.word("review_intro"), "secondary"))
        self._findings = FindingList(self.bridge, "review_findings")
        self.content.addWidget(self._findings)
        self._list = QVBoxLayout()
        self.content.addLayout(self._list)
        later = group(self.content, self.word("group_later"))
        later.addWidget(label(self.word("review_later"), "small"))

    def act(self) -> None:
        self.go.emit("measure")

    def refresh(self) -> None:
        case = self.bridge.case
        self._findings.show_findings(findings_of_segmentation(self.bridge))
        if case.bones != self._shown:
            self._shown = case.bones
            clear(self._list)
            if case.bones:
                inner = group(self._list, self.word("group_look"))
                if not findings_of_segmentation(self.bridge):
                    inner.addWidget(card(self.word("nothing_flagged"), "ok"))
                for bone in case.bones:
                    text = f"{self.word(bone.bone)}, {self.word(f'side_{bone.side}').lower()}"
                    inner.addWidget(button(text, f"look_{bone}", lambda bone=bone: self._look(bone), tip=self.word("look_tip")))
        blocked = not case.bones
        self.say_next(self.word("next_measure"), enabled=not blocked, reason=self.word("needs_bones") if blocked else "")

    def _look(self, bone: BoneId) -> None:
        value = self.bridge.value(bone_key(bone))
        if isinstance(value, Bone):
            # A bone of several parts is looked at in its largest: its middle may lie where there is no scan.
            points = max((part.mesh.vertices for part in value.parts), key=len)
            self.stage.look_at((points.min(axis=0) + points.max(axis=0)) / 2.0)
