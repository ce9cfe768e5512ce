"""Measure: check of the points, measures with value, word, uncertainty and definition, comparison, copies, all landmarks."""

from __future__ import annotations

from PySide6.QtWidgets import QHBoxLayout, QStackedLayout, QVBoxLayout, QWidget

from surgiplan_desktop.derive.node import Key
from surgiplan_desktop.gui.panels.base import Panel
from surgiplan_desktop.gui.panels.measure_check import CheckPage
from surgiplan_desktop.gui.panels.measure_rows import landmark_order, landmark_row
from surgiplan_desktop.gui.panels.measure_values import MeasureValues
from surgiplan_desktop.gui.tools.base import Tool
from surgiplan_desktop.gui.tools.landmark_tool import LandmarkTool
from surgiplan_desktop.gui.widgets.deformity_bar import DeformityBar
from surgiplan_desktop.gui.widgets.findings import FindingList
from surgiplan_desktop.gui.widgets.layout import Table, button, group, label
from surgiplan_desktop.gui.words import landmark_words
from surgiplan_desktop.model.anatomy import LandmarkId
from surgiplan_desktop.model.edits import release_landmark, release_landmarks
from surgiplan_desktop.planning.graph import bone_key, landmarks_key, measures_key
from surgiplan_desktop.planning.point_checks import STAGES, stage_states, unchecked
from surgiplan_desktop.planning.records import Landmarks, Measures

#: Landmarks that the mechanical axes and joint lines hang on: grabbed in the view of the whole leg, first in the table.
KEY_POINTS: tuple[LandmarkId, ...] = tuple(dict.fromkeys(name for stage in STAGES for name in stage.points))
#: A chosen landmark is shown in a view of this size (mm): near enough to judge it on the grey values.
LOOK_MM = 110.0


class MeasurePanel(Panel):
    """The whole leg, or one stage of the check."""

    step = "measure"

    def build(self) -> None:
        self._tool = LandmarkTool(self.bridge)
        self._tool.shown = KEY_POINTS
        self._rows: list[str] = []
        self._pages = QStackedLayout()
        self._whole = QWidget()
        self._check = CheckPage(self.bridge, self.stage, self._tool)
        self._check.ended.connect(self._end_check)
        self._pages.addWidget(self._whole)
        self._pages.addWidget(self._check)
        self.content.addLayout(self._pages)
        content = QVBoxLayout(self._whole)
        content.setContentsMargins(0, 0, 0, 0)
        content.setSpacing(8)
        measures = group(content, self.word("group_measures"))
        self._waiting = label("", "small", "measures_waiting")
        measures.addWidget(self._waiting)
        self._values = MeasureValues(self.bridge, self.stage)
        measures.addWidget(self._values)
        self._failed = QVBoxLayout()
        measures.addLayout(self._failed)
        self._findings = FindingList(self.bridge, "measure_findings")
        content.addWidget(self._findings)
        self._points = QWidget()
        points = QVBoxLayout(self._points)
        points.setContentsMargins(0, 0, 0, 0)
        points.setSpacing(8)
        self._build_points(group(points, self.word("group_check")))
        self._deformity = DeformityBar(self.stage, "measure_deformity")
        points.addWidget(self._deformity)
        self._build_landmarks(group(points, self.word("group_landmarks")))
        content.addWidget(self._points)
        content.addStretch(1)
        self.stage.handles_changed.connect(self._show_mode)
        self.stage.looking_changed.connect(self._on_looking)

    def _build_points(self, points: QVBoxLayout) -> None:
        self._stages = Table("check_stages", ("", ""), (0, 96), selectable=True)
        self._stages.itemClicked.connect(lambda item: self._begin_check(item.row()))
        points.addWidget(self._stages)

    def _build_landmarks(self, points: QVBoxLayout) -> None:
        self._hint = label(self.word("landmark_hint"), "small", "landmark_hint")
        points.addWidget(self._hint)
        row = QHBoxLayout()
        row.setSpacing(4)
        self._place = button(self.word("place_landmark"), "place_landmark", self._begin, tip=self.word("place_tip"))
        self._release = button(self.word("release_landmark"), "release_landmark", self._give_back, tip=self.word("release_tip"))
        self._release_all = button(self.word("release_all"), "release_all", self._give_all_back, tip=self.word("release_all_tip"))
        self._away = button(
            self.word("whole_leg"), "whole_leg", lambda: self.stage.look_for(landmark="", fit=""), tip=self.word("whole_leg_tip")
        )
        row.addWidget(self._place)
        row.addWidget(self._release)
        row.addWidget(self._release_all)
        points.addLayout(row)
        points.addWidget(self._away)
        self._more = button(self.word("all_landmarks"), "all_landmarks", lambda: None, checkable=True)
        self._landmarks = Table("landmarks", ("", ""), (0, 86), selectable=True)
        self._landmarks.itemSelectionChanged.connect(self._choose)
        self._landmarks.hide()
        self._more.toggled.connect(self._show_all_landmarks)
        points.addWidget(self._more)
        points.addWidget(self._landmarks)

    # Acts ------------------------------------------------------------------------------------------------------------------

    @property
    def checking(self) -> bool:
        """Whether a stage of the check is looked at."""
        return self._pages.currentWidget() is self._check

    def act(self) -> None:
        if self.checking:
            self._check.confirm()
        elif self._open_stages():
            self._begin_check(None)
        else:
            self.go.emit("plan")

    @property
    def may_accept(self) -> bool:
        return self.checking

    def accept(self) -> None:
        if self.checking:
            self._check.confirm()

    def _open_stages(self) -> int:
        landmarks, side = self._landmarks_now(), self.bridge.side
        return 0 if side is None or landmarks is None else len(unchecked(self.bridge.case, side, landmarks))

    def _begin_check(self, row: int | None) -> None:
        if self._landmarks_now() is None:
            return
        self._pages.setCurrentWidget(self._check)
        self._check.begin(None if row is None else STAGES[row])
        self.refresh()

    def _end_check(self) -> None:
        self._pages.setCurrentWidget(self._whole)
        self._check.leave()
        self._tool.shown = None if self._more.isChecked() else KEY_POINTS
        self._tool.chosen = None
        self.refresh()

    def _on_looking(self) -> None:
        """Another way back to the leg was taken (Esc), or another measure is drawn."""
        if self.checking and not self.stage.looking.landmark:
            self._end_check()
        elif self.isVisible():
            self.refresh()

    def _show_all_landmarks(self, shown: bool) -> None:
        self._landmarks.setVisible(shown)
        self._tool.shown = None if shown else KEY_POINTS
        self.stage.handles_changed.emit()

    def _choose(self) -> None:
        row, landmarks = self._landmarks.currentRow(), self._landmarks_now()
        if not 0 <= row < len(self._rows) or landmarks is None:
            return
        name = self._rows[row]
        self._tool.chosen = name
        point = landmarks.point(name)
        if point is not None:
            self.stage.look_for(landmark=name, fit=name, measure="")
            self.stage.look_at(point)
            self.stage.focus_wanted.emit(point, LOOK_MM)
        self.stage.handles_changed.emit()

    def _begin(self) -> None:
        if self._tool.chosen is None:
            self.bridge.tell("choose_landmark_first")
            return
        self._tool.placing = True
        self.bridge.tell("click_to_place", landmark=landmark_words(self._tool.chosen))
        self.stage.handles_changed.emit()

    def _give_back(self) -> None:
        side, chosen = self.bridge.side, self._tool.chosen
        if side is None or (side, chosen) not in self.bridge.case.landmarks or chosen is None:
            self.bridge.tell("nothing_to_release")
            return
        self.bridge.apply("edit_release_landmark", lambda case: release_landmark(case, side, chosen))

    def _give_all_back(self) -> None:
        side = self.bridge.side
        if side is not None:
            self.bridge.apply("edit_release_landmarks", lambda case: release_landmarks(case, side))

    # Showing ---------------------------------------------------------------------------------------------------------------

    def showEvent(self, event: object) -> None:
        super().showEvent(event)
        self.stage.take_tool(self._tool)

    def hideEvent(self, event: object) -> None:
        super().hideEvent(event)
        if self.checking:
            self._end_check()
        self.stage.look_for(landmark="", fit="")
        if self.stage.tool is self._tool:
            self.stage.take_tool(Tool())

    def renew(self) -> None:
        self._pages.setCurrentWidget(self._whole)
        self._check.leave()
        self._tool.chosen = None
        self._tool.shown = None if self._more.isChecked() else KEY_POINTS
        super().renew()

    def refresh(self) -> None:
        blocked = self.bridge.side is None or not self.bridge.case.bones
        if self.checking:
            self._check.refresh()
            self.say_next(self._check.primary_words())
            return
        self._show_leg()
        left, waiting = self._open_stages(), self._landmarks_now() is None
        words = self.word("check_points", left=left) if left else self.word("next_plan")
        reason = self.word("needs_bones") if blocked else self.word("computing") if waiting else ""
        self.say_next(words, enabled=not reason, reason=reason)

    def _show_leg(self) -> None:
        side = self.bridge.side
        measures = self.bridge.value(measures_key(side)) if side else None
        landmarks = self._landmarks_now()
        ready = side is not None and self.bridge.ready(measures_key(side))
        self._waiting.setText("" if ready or side is None else self.word("computing"))
        self._waiting.setVisible(not ready)
        keys = () if side is None else (*self._found(), measures_key(side))
        self.show_trouble(self._failed, keys, self.word("measures_failed"))
        self._values.show_measures(measures if isinstance(measures, Measures) else None)
        self._values.setVisible(isinstance(measures, Measures))
        self._points.setVisible(landmarks is not None)
        self._deformity.refresh()
        if landmarks is not None and side is not None:
            self._show_stages(landmarks)
            self._show_landmarks(landmarks)
        found = [] if not isinstance(measures, Measures) else list(measures.findings)
        self._findings.show_findings([*found, *(() if landmarks is None else landmarks.findings)])

    def _found(self) -> tuple[Key, ...]:
        """Keys of what the measures stand on: bones and landmark finders of the side."""
        keys = [bone_key(bone) for bone in self.bridge.case.bones if bone.side is self.bridge.side]
        return (*keys, *(key for key in sorted(self.bridge.session.keys) if key[:2] == ("found", self.bridge.side)))

    def _landmarks_now(self) -> Landmarks | None:
        value = None if self.bridge.side is None else self.bridge.value(landmarks_key(self.bridge.side))
        return value if isinstance(value, Landmarks) else None

    def _show_stages(self, landmarks: Landmarks) -> None:
        states = stage_states(self.bridge.case, landmarks.side, landmarks)
        roles = {"confirmed": "ok", "open": "text/secondary", "moved": "warn", "missing": "fail"}
        rows = []
        for part in STAGES:
            state, tip = states[part.id], self.word(f"look_{part.id}")
            colour = self.stage.theme.colour(roles[state])
            rows.append(((self.word(f"stage_{part.id}"), None, tip), (self.word(f"check_{state}"), colour, tip)))
        self._stages.fill(rows)

    def _show_landmarks(self, landmarks: Landmarks) -> None:
        self._rows = landmark_order(landmarks, {name: place for place, name in enumerate(KEY_POINTS)})
        self._away.setVisible(bool(self.stage.looking.landmark))
        edited = [name for name, item in landmarks.items.items() if item.status == "edited"]
        self._release.setEnabled(self._tool.chosen in edited)
        self._release_all.setEnabled(bool(edited))
        if self._more.isChecked():
            theme = self.stage.theme
            self._landmarks.fill([landmark_row(self.bridge, theme, landmarks.items[name]) for name in self._rows])

    def _show_mode(self) -> None:
        placing = self._tool.placing and self.stage.tool is self._tool
        name = landmark_words(self._tool.chosen) if self._tool.chosen else ""
        self._hint.setText(self.word("click_to_place", landmark=name) if placing else self.word("landmark_hint"))
