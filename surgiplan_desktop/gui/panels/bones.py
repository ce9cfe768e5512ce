"""Bones: find them in the scan; which were found, how good their surface is, what to look at."""

from __future__ import annotations

import numpy as np
from PySide6.QtGui import QColor, QIcon, QPixmap
from PySide6.QtWidgets import QCheckBox, QVBoxLayout

from surgiplan_desktop.app.run_segmentation import segment
from surgiplan_desktop.base.arrays import FloatArray, IntArray
from surgiplan_desktop.derive.node import Failed
from surgiplan_desktop.gui.panels.base import Panel
from surgiplan_desktop.gui.panels.bones_results import ResultChoice
from surgiplan_desktop.gui.panels.bones_way import WayChoice
from surgiplan_desktop.gui.steps import findings_of_bones
from surgiplan_desktop.gui.widgets.findings import FindingList, card
from surgiplan_desktop.gui.widgets.heat_choice import HeatChoice
from surgiplan_desktop.gui.widgets.layout import button, clear, group, label
from surgiplan_desktop.model.anatomy import BoneId, BoneName
from surgiplan_desktop.model.mesh import Bone
from surgiplan_desktop.planning.graph import bone_key, surface_sd_key


class BonesPanel(Panel):
    """See the module's text."""

    step = "bones"

    def build(self) -> None:
        self._shown: object = None
        self._awaited = False
        how = group(self.content, self.word("group_method"))
        self._by = label("", "secondary", "found_by")
        how.addWidget(self._by)
        self._otherwise = button(self.word("find_otherwise"), "find_otherwise", self.refresh, checkable=True)
        how.addWidget(self._otherwise)
        self._way = WayChoice(self.bridge, self.refresh)
        how.addWidget(self._way)
        self._again = button(self.word("find_again"), "find_again", self._find, tip=self.word("find_again_tip"))
        how.addWidget(self._again)
        self._cancel = button(self.word("cancel_job"), "bones_cancel", self._stop)
        how.addWidget(self._cancel)
        self._list = QVBoxLayout()
        self._list.setSpacing(2)
        self.content.addLayout(self._list)
        self._heat = HeatChoice(self.stage)
        self.content.addWidget(self._heat)
        self._results = ResultChoice(self.stage)
        self.content.addWidget(self._results)
        self._findings = FindingList(self.bridge, "bones_findings")
        self.content.addWidget(self._findings)
        self.bridge.results_changed.connect(self._tell_when_ready)
        self.stage.picture_changed.connect(self._late.start)

    def _find(self) -> None:
        self.work(
            "segmenting",
            segment,
            self.bridge.session,
            model=self._way.model,
            device=self._way.device,
            leave_one_core=True,
            on_value=lambda _run: self._found(),
        )

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
        self._way.forget()
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
        finds = case.study is not None and not self.busy
        self._otherwise.setVisible(have and finds)
        if self.busy:
            self._otherwise.setChecked(False)
        chooses = finds and (not have or self._otherwise.isChecked())
        self._way.setVisible(chooses)
        if chooses:
            self._way.refresh()
        must_read = chooses and self._way.must_read
        self._again.setVisible(have and chooses)
        self._again.setEnabled(not must_read and self._way.model is not None)
        self._cancel.setVisible(self.busy)
        self._say_by_what()
        self._show_bones()
        self._heat.setVisible(have)
        self._heat.refresh()
        self._results.refresh()
        self._findings.show_findings(findings_of_bones(self.bridge))
        if case.study is None and not have:
            self.say_next(self.word("find_bones"), enabled=False, reason=self.word("needs_study"))
        elif self.busy:
            self.say_next(self.word("working"), enabled=False)
        elif not have and (must_read or self._way.model is None):
            reason = self.word("licence_before_use") if must_read else ""
            self.say_next(self.word("find_bones"), enabled=False, reason=reason)
        elif not have:
            self.say_next(self.word("find_bones"), reason=self.word("find_bones_time"))
        else:
            self.say_next(self.word("next_review"))

    def _say_by_what(self) -> None:
        """Say what found the bones: model, licence, what really ran it, how long."""
        run = self.bridge.case.segmentation
        self._by.setVisible(run is not None)
        if run is None:
            return
        seconds = f"{run.seconds:.0f}"
        if run.model:
            words = self.word(
                "found_by",
                model=run.model,
                version=run.model_version,
                provider=run.provider,
                seconds=seconds,
                licence=run.licence,
            )
        else:
            words = self.word("found_without_ai", seconds=seconds)
        self._by.setText(words)

    def _show_bones(self) -> None:
        bones = self.bridge.case.bones
        opacity = self.bridge.session.view.opacity
        values = tuple(self.bridge.value(bone_key(bone)) for bone in bones)
        spreads = tuple(self.bridge.value(surface_sd_key(bone)) for bone in bones)
        failed = tuple(isinstance(self.bridge.state(bone_key(bone)), Failed) for bone in bones)
        key = (
            bones,
            tuple(map(id, values)),
            tuple(map(id, spreads)),
            failed,
            tuple(sorted(opacity.items())),
            self.stage.theme.look,
        )
        if key == self._shown:
            return
        self._shown = key
        clear(self._list)
        if not bones:
            return
        inner = group(self._list, self.word("group_bones"))
        for bone, value, spread, broken in zip(bones, values, spreads, failed, strict=True):
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
                quality = label(self._quality(value, None if spread is None else spread.sd_mm), "small")
                quality.setToolTip(self._origin(value))
                inner.addWidget(quality)
            else:
                inner.addWidget(label(self.word("computing"), "small"))

    def _quality(self, bone: Bone, sd_mm: FloatArray | None) -> str:
        """Return volume, how sure the surface is (or else how near to the scan's edge it lies) and open ends, in words."""
        volume = sum(_volume_cm3(part.mesh.vertices, part.mesh.faces) for part in bone.parts)
        words = [self.word("bone_volume", cm3=f"{volume:.0f}")]
        if sd_mm is not None and np.isfinite(sd_mm).any():
            middle, most = np.nanpercentile(sd_mm, (50.0, 99.0))
            words.append(self.word("bone_spread", mm=f"{middle:.2f}", most=f"{most:.1f}"))
        elif origin := self._origin(bone):
            words.append(origin)
        if bone.cut_ends:
            words.append(self.word("bone_cut_ends", count=bone.cut_ends))
        return " · ".join(words)

    def _origin(self, bone: Bone) -> str:
        """Say how near to the scan's edge the surface lies."""
        deviations = [part.deviation for part in bone.parts if part.deviation is not None]
        return self.word("bone_deviation", mm=f"{max(item.p95_mm for item in deviations):.2f}") if deviations else ""

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


def _volume_cm3(vertices: FloatArray, faces: IntArray) -> float:
    """Volume by the divergence theorem, cm3."""
    a, b, c = vertices[faces[:, 0]], vertices[faces[:, 1]], vertices[faces[:, 2]]
    return abs(float(np.einsum("ij,ij->", a, np.cross(b, c)))) / 6000.0
