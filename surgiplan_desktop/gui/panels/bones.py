"""Bones: find them in the scan; which were found, how good their surface is, what to look at."""

from __future__ import annotations

from PySide6.QtGui import QColor, QIcon, QPixmap
from PySide6.QtWidgets import QCheckBox, QVBoxLayout

from surgiplan_desktop.app.run_segmentation import segment
from surgiplan_desktop.derive.node import Failed
from surgiplan_desktop.gui.panels.base import Panel
from surgiplan_desktop.gui.steps import findings_of_bones
from surgiplan_desktop.gui.widgets.findings import FindingList, card
from surgiplan_desktop.gui.widgets.layout import button, clear, group, label
from surgiplan_desktop.model.anatomy import BoneId, BoneName
from surgiplan_desktop.model.mesh import Bone
from surgiplan_desktop.planning.graph import bone_key


class BonesPanel(Panel):
    """See the module's text."""

    step = "bones"

    def build(self) -> None:
        self._shown: object = None
        self._awaited = False
        how = group(self.content, self.word("group_method"))
        how.addWidget(label(self.word("bones_method"), "secondary"))
        self._again = button(self.word("find_again"), "find_again", self._find, tip=self.word("find_again_tip"))
        how.addWidget(self._again)
        self._cancel = button(self.word("cancel_job"), "bones_cancel", self._stop)
        how.addWidget(self._cancel)
        self._list = QVBoxLayout()
        self._list.setSpacing(2)
        self.content.addLayout(self._list)
        self._findings = FindingList(self.bridge, "bones_findings")
        self.content.addWidget(self._findings)
        self.bridge.results_changed.connect(self._tell_when_ready)

    def _find(self) -> None:
        self.work("segmenting", segment, self.bridge.session, on_value=lambda _run: self._found())

    def _found(self) -> None:
        self._awaited = True
        self.bridge.tell("bones_found")
        self._tell_when_ready()

    def _tell_when_ready(self) -> None:
        """Say once that all surfaces are there, and leave the crosshair on a bone of the side worked on."""
        bones = self.bridge.case.bones
        if not self._awaited or not bones or not all(self.bridge.ready(bone_key(bone)) for bone in bones):
            return
        self._awaited = False
        self.bridge.tell("bones_ready", count=len(bones))
        tibia = self.bridge.value(bone_key(BoneId(self.bridge.side, BoneName.TIBIA))) if self.bridge.side else None
        if isinstance(tibia, Bone) and self.stage.bone_at(self.stage.crosshair) is None:
            points = max((part.mesh.vertices for part in tibia.parts), key=len)
            self.stage.look_at((points.min(axis=0) + points.max(axis=0)) / 2.0)

    def renew(self) -> None:
        self._awaited = False
        super().renew()

    def _stop(self) -> None:
        if self.job is not None:
            self.job.cancel()

    def act(self) -> None:
        if self.bridge.case.bones:
            self.go.emit("review")
        else:
            self._find()

    def refresh(self) -> None:
        case = self.bridge.case
        have = bool(case.bones)
        self._again.setVisible(have and case.study is not None and not self.busy)
        self._cancel.setVisible(self.busy)
        self._show_bones()
        self._findings.show_findings(findings_of_bones(self.bridge))
        if case.study is None and not have:
            self.say_next(self.word("find_bones"), enabled=False, reason=self.word("needs_study"))
        elif self.busy:
            self.say_next(self.word("working"), enabled=False)
        elif not have:
            self.say_next(self.word("find_bones"), reason=self.word("find_bones_time"))
        else:
            self.say_next(self.word("next_review"))

    def _show_bones(self) -> None:
        bones = self.bridge.case.bones
        opacity = self.bridge.session.view.opacity
        values = tuple(self.bridge.value(bone_key(bone)) for bone in bones)
        failed = tuple(isinstance(self.bridge.state(bone_key(bone)), Failed) for bone in bones)
        key = (bones, tuple(map(id, values)), failed, tuple(sorted(opacity.items())), self.stage.theme.look)
        if key == self._shown:
            return
        self._shown = key
        clear(self._list)
        if not bones:
            return
        inner = group(self._list, self.word("group_bones"))
        for bone, value, broken in zip(bones, values, failed, strict=True):
            side, name = self.word(f"side_{bone.side}"), self.word(bone.bone)
            box = QCheckBox(f"{name}, {side.lower()}")
            box.setObjectName(f"show_{bone}")
            box.setIcon(_dot(self.stage.theme.colour(f"bone/{bone.bone}")))
            box.setChecked(opacity.get(str(bone), 1.0) > 0.0)
            box.setToolTip(self.word("show_bone_tip"))
            box.toggled.connect(lambda on, bone=bone: self._show_bone(bone, on))
            inner.addWidget(box)
            if broken:
                state = self.bridge.state(bone_key(bone))
                inner.addWidget(
                    card(self.bridge.texts.error(state.error)[0] if hasattr(state.error, "message_id") else "", "fail")
                )
            elif isinstance(value, Bone):
                inner.addWidget(label(self._quality(value), "small"))
            else:
                inner.addWidget(label(self.word("computing"), "small"))

    def _quality(self, bone: Bone) -> str:
        volume = sum(_volume_cm3(part.mesh.vertices, part.mesh.faces) for part in bone.parts)
        words = [self.word("bone_volume", cm3=f"{volume:.0f}")]
        deviations = [part.deviation for part in bone.parts if part.deviation is not None]
        if deviations:
            words.append(self.word("bone_deviation", mm=f"{max(item.p95_mm for item in deviations):.2f}"))
        if bone.cut_ends:
            words.append(self.word("bone_cut_ends", count=bone.cut_ends))
        return " · ".join(words)

    def _show_bone(self, bone: BoneId, on: bool) -> None:
        opacity = dict(self.bridge.session.view.opacity)
        opacity.pop(str(bone), None)
        if not on:
            opacity[str(bone)] = 0.0
        self.bridge.session.set_view(opacity=opacity)


def _dot(colour: QColor) -> QIcon:
    square = QPixmap(12, 12)
    square.fill(colour)
    return QIcon(square)


def _volume_cm3(vertices: object, faces: object) -> float:
    """Volume by the divergence theorem, cm3."""
    import numpy as np

    a, b, c = vertices[faces[:, 0]], vertices[faces[:, 1]], vertices[faces[:, 2]]
    return abs(float(np.einsum("ij,ij->", a, np.cross(b, c)))) / 6000.0
