"""Measure: landmarks with their status, and measures with value, word, plane and definition."""

from __future__ import annotations

from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout

from surgiplan_desktop.derive.node import Key
from surgiplan_desktop.gui.panels.base import Panel
from surgiplan_desktop.gui.tools.base import Tool
from surgiplan_desktop.gui.tools.landmark_tool import LandmarkTool
from surgiplan_desktop.gui.widgets.findings import FindingList
from surgiplan_desktop.gui.widgets.layout import Table, button, group, label
from surgiplan_desktop.gui.words import landmark_words, measure_tip, measure_words, missing_reasons, outside_normal, short_words
from surgiplan_desktop.model.anatomy import LANDMARKS
from surgiplan_desktop.model.edits import release_landmark
from surgiplan_desktop.planning.graph import bone_key, landmarks_key, measures_key
from surgiplan_desktop.planning.records import Landmarks, Measure, Measures

#: Shown first, in this order: what the correction is decided by.
FIRST = ("hka_deviation", "mldfa", "mpta", "jlca", "mad", "wbl", "slope_medial", "slope_lateral")
#: Landmarks that the mechanical axes and joint lines hang on: looked at first.
KEY_POINTS = (
    "hip_centre", "femoral_knee_centre", "medial_distal_condyle", "lateral_distal_condyle", "tibial_knee_centre",
    "medial_plateau_centre", "lateral_plateau_centre", "medial_plateau_edge", "lateral_plateau_edge", "ankle_centre",
)  # fmt: skip
#: A chosen landmark is shown in a view of this size (mm): near enough to judge it on the grey values.
LOOK_MM = 130.0
_STATUS_ROLE = {"missing": "fail", "edited": "warn", "estimated": "text/secondary", "auto": "text/secondary"}


class MeasurePanel(Panel):
    """See the module's text."""

    step = "measure"

    def build(self) -> None:
        self._tool = LandmarkTool(self.bridge)
        self._rows: list[str] = []
        measures = group(self.content, self.word("group_measures"))
        self._waiting = label("", "small", "measures_waiting")
        measures.addWidget(self._waiting)
        self._table = Table("measures", ("", "", ""), (0, 122, 40))
        measures.addWidget(self._table)
        self._missing = label("", "small", "measures_missing")
        measures.addWidget(self._missing)
        more = button(self.word("more_measures"), "more_measures", lambda: None, checkable=True)
        self._others = Table("other_measures", ("", "", ""), (0, 112, 40))
        self._others.hide()
        more.toggled.connect(self._others.setVisible)
        measures.addWidget(more)
        measures.addWidget(self._others)
        self._failed = QVBoxLayout()
        measures.addLayout(self._failed)
        self._findings = FindingList(self.bridge, "measure_findings")
        self.content.addWidget(self._findings)
        points = group(self.content, self.word("group_landmarks"))
        self._hint = label(self.word("landmark_hint"), "small", "landmark_hint")
        points.addWidget(self._hint)
        row = QHBoxLayout()
        self._place = button(self.word("place_landmark"), "place_landmark", self._begin, tip=self.word("place_tip"))
        self._release = button(self.word("release_landmark"), "release_landmark", self._give_back, tip=self.word("release_tip"))
        row.addWidget(self._place)
        row.addWidget(self._release)
        points.addLayout(row)
        self._landmarks = Table("landmarks", ("", ""), (0, 86), selectable=True)
        self._landmarks.itemSelectionChanged.connect(self._choose)
        points.addWidget(self._landmarks)
        self.stage.handles_changed.connect(self._show_mode)

    def showEvent(self, event: object) -> None:
        super().showEvent(event)
        self.stage.take_tool(self._tool)

    def hideEvent(self, event: object) -> None:
        super().hideEvent(event)
        if self.stage.tool is self._tool:
            self.stage.take_tool(Tool())

    def act(self) -> None:
        self.go.emit("plan")

    def refresh(self) -> None:
        side = self.bridge.side
        measures = self.bridge.value(measures_key(side)) if side else None
        landmarks = self.bridge.value(landmarks_key(side)) if side else None
        ready = side is not None and self.bridge.ready(measures_key(side))
        self._waiting.setText("" if ready or side is None else self.word("computing"))
        self._waiting.setVisible(not ready)
        keys = () if side is None else (*self._found(), measures_key(side))
        self.show_trouble(self._failed, keys, self.word("measures_failed"))
        if isinstance(measures, Measures):
            self._show_measures(measures)
        if isinstance(landmarks, Landmarks):
            self._show_landmarks(landmarks)
        found = [] if not isinstance(measures, Measures) else list(measures.findings)
        self._findings.show_findings([*found, *(landmarks.findings if isinstance(landmarks, Landmarks) else ())])
        blocked = side is None or not self.bridge.case.bones
        self.say_next(self.word("next_plan"), enabled=not blocked, reason=self.word("needs_bones") if blocked else "")

    def _found(self) -> tuple[Key, ...]:
        """Keys of what the measures stand on: bones and landmark finders of the side."""
        keys = [bone_key(bone) for bone in self.bridge.case.bones if bone.side is self.bridge.side]
        return (*keys, *(key for key in sorted(self.bridge.session.keys) if key[:2] == ("found", self.bridge.side)))

    def _show_measures(self, measures: Measures) -> None:
        theme = self.stage.theme
        rows = {}
        for name, item in measures.items.items():
            tip = measure_tip(self.bridge, item)
            gone = item.status == "not_measurable"
            flagged = not gone and outside_normal(item)
            colour = theme.colour("text/disabled" if gone else "warn" if flagged else "text/primary")
            mark = self._mark(item) if flagged else self.word("estimated_short") if item.status == "estimated" else ""
            title = self.bridge.texts.measure(name)[0]
            rows[name] = (
                (self.word("wbl_from_medial") if name == "wbl" else title, theme.colour("text/secondary"), tip),
                (short_words(self.bridge, measure_words(self.bridge, item)), colour, tip),
                (mark, theme.colour("warn"), tip),
            )
        self._table.fill([rows[name] for name in FIRST if name in rows], right=(1,))
        reasons = missing_reasons(self.bridge, measures, FIRST)
        self._missing.setText(self.word("not_measurable_because", reasons=" ".join(reasons)) if reasons else "")
        self._missing.setVisible(bool(reasons))
        self._others.fill([rows[name] for name in rows if name not in FIRST], right=(1,))

    def _mark(self, item: Measure) -> str:
        """Say on which side of its usual range a value lies."""
        low = item.normal is not None and isinstance(item.value, float) and item.value < item.normal[0]
        return self.word("below_range" if low else "above_range")

    def _show_landmarks(self, landmarks: Landmarks) -> None:
        theme = self.stage.theme
        vocabulary = list(LANDMARKS)

        def rank(name: str) -> tuple[int, int]:
            status = landmarks.items[name].status
            if name in KEY_POINTS:
                return (0 if status == "missing" else 1, vocabulary.index(name))
            return ({"edited": 2, "missing": 4}.get(status, 3), vocabulary.index(name))

        names = sorted(
            (name for name, item in landmarks.items.items() if item.point_lps is not None or item.reason is not None), key=rank
        )
        rows = []
        for name in names:
            item = landmarks.items[name]
            tip = LANDMARKS[name].definition
            if item.reason is not None:
                tip += "\n" + self.bridge.texts.finding(item.reason)
            if item.fit_rms_mm is not None:
                tip += "\n" + self.word("fit_error", mm=f"{item.fit_rms_mm:.2f}")
            status = self.word(f"status_{item.status}")
            rows.append(
                ((landmark_words(name), None, tip), (status, theme.colour(_STATUS_ROLE[item.status]), tip)),
            )
        self._rows = names
        self._landmarks.fill(rows)

    def _choose(self) -> None:
        row = self._landmarks.currentRow()
        side = self.bridge.side
        if not 0 <= row < len(self._rows) or side is None:
            return
        self._tool.chosen = self._rows[row]
        landmarks = self.bridge.value(landmarks_key(side))
        point = landmarks.point(self._rows[row]) if isinstance(landmarks, Landmarks) else None
        if point is not None:
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

    def _show_mode(self) -> None:
        placing = self._tool.placing and self.stage.tool is self._tool
        name = landmark_words(self._tool.chosen) if self._tool.chosen else ""
        self._hint.setText(self.word("click_to_place", landmark=name) if placing else self.word("landmark_hint"))
