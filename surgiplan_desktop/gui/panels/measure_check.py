"""The check of the points that everything hangs on: one stage after the other, from near, with the fit drawn (practice.md 16)."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

import numpy as np
from PySide6.QtCore import QSize, Signal
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from surgiplan_desktop.gui.bridge import Bridge
from surgiplan_desktop.gui.icons import icon
from surgiplan_desktop.gui.panels.measure_rows import fit_facts, landmark_row, measure_row, measures_of
from surgiplan_desktop.gui.tools.landmark_tool import LandmarkTool
from surgiplan_desktop.gui.viewports.stage import Stage
from surgiplan_desktop.gui.widgets.findings import FindingList
from surgiplan_desktop.gui.widgets.layout import Table, button, group, label
from surgiplan_desktop.gui.words import landmark_words
from surgiplan_desktop.model.anatomy import LandmarkId
from surgiplan_desktop.model.case import PointCheck
from surgiplan_desktop.model.edits import put_point_check, release_landmark
from surgiplan_desktop.planning.graph import landmarks_key, measures_key
from surgiplan_desktop.planning.point_checks import STAGES, PointStage, stage_points, stage_states, unchecked
from surgiplan_desktop.planning.records import FitCylinder, FitLine, FitPlane, FitSphere, Landmarks, Measure, Measures
from surgiplan_desktop.planning.sensitivity import sensitivity
from surgiplan_desktop.scene.measuring import fit_of

#: From where 3D looks at each stage: azimuth from anterior towards the patient's left, elevation (deg).
_SIGHT: Final = {
    "head": (0.0, 0.0),
    "notch": (0.0, -50.0),
    "condyles": (0.0, -12.0),
    "plateau": (0.0, 42.0),
    "ankle": (0.0, -30.0),
}
_GLYPH: Final = {"confirmed": "done", "open": "next", "moved": "attention", "missing": "blocked"}
_CHIP_ROLE: Final = {"confirmed": "ok", "open": "text/secondary", "moved": "warn", "missing": "text/disabled"}
_FITS: Final = {FitSphere: "fit_sphere", FitCylinder: "fit_cylinder", FitPlane: "fit_plane", FitLine: "fit_line"}


class CheckPage(QWidget):
    """One stage at a time. ``ended`` is told when the last is confirmed or the user goes back to the leg."""

    ended = Signal()

    def __init__(self, bridge: Bridge, stage: Stage, tool: LandmarkTool) -> None:
        super().__init__()
        self._bridge = bridge
        self._stage = stage
        self._tool = tool
        self._at: PointStage | None = None
        self._since = 0.0
        self._rows: list[LandmarkId] = []
        self._felt: Mapping[str, Mapping[LandmarkId, float]] = {}
        self._felt_for: Landmarks | None = None
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(8)
        chips = QHBoxLayout()
        chips.setSpacing(4)
        self._chips: dict[str, QPushButton] = {}
        for number, part in enumerate(STAGES, start=1):
            chip = button(str(number), f"check_{part.id}", lambda part=part: self.begin(part), checkable=True)
            chip.setIconSize(QSize(14, 14))
            chip.setToolTip(bridge.word(f"stage_{part.id}"))
            self._chips[part.id] = chip
            chips.addWidget(chip, 1)
        layout.addLayout(chips)
        self._title = label("", "title", "check_title")
        layout.addWidget(self._title)
        self._what = label("", "", "check_what")
        layout.addWidget(self._what)
        self._findings = FindingList(bridge, "check_findings")
        layout.addWidget(self._findings)
        points = group(layout, bridge.word("group_points"))
        self._points = Table("check_points", ("", ""), (0, 86), selectable=True)
        self._points.itemSelectionChanged.connect(self._choose)
        points.addWidget(self._points)
        row = QHBoxLayout()
        self._place = button(bridge.word("place_landmark"), "check_place", self._begin_placing, tip=bridge.word("place_tip"))
        self._reset = button(bridge.word("release_landmark"), "check_reset", self._release, tip=bridge.word("release_stage_tip"))
        row.addWidget(self._place)
        row.addWidget(self._reset)
        points.addLayout(row)
        fit = group(layout, bridge.word("group_fit"))
        self._fit_words = label("", "small", "check_fit")
        fit.addWidget(self._fit_words)
        self._fit = Table("check_fit_facts", ("", ""), (0, 96))
        fit.addWidget(self._fit)
        hangs = group(layout, bridge.word("group_hangs_on"))
        self._measures = Table("check_measures", ("", "", ""), (0, 100, 88))
        hangs.addWidget(self._measures)
        layout.addWidget(button(bridge.word("whole_leg"), "check_stop", self.ended.emit, tip=bridge.word("whole_leg_tip")))
        layout.addStretch(1)

    @property
    def stage_at(self) -> PointStage | None:
        """The stage that is looked at."""
        return self._at

    def begin(self, part: PointStage | None = None) -> None:
        """Look at a stage from near; None: the first that is still to be looked at, or the first of all."""
        side, landmarks = self._bridge.side, self._landmarks()
        if side is None or landmarks is None:
            return
        left = unchecked(self._bridge.case, side, landmarks)
        self._at = part or (left[0] if left else STAGES[0])
        self._since = time.monotonic()
        self._tool.shown, self._tool.only_shown = self._at.points, True
        self._tool.chosen = self._at.points[0]
        self._tool.placing = False
        self._stage.look_for(landmark=self._at.points[0], fit=self._at.fit, measure="")
        self._look(self._at.points[0], landmarks)
        self.refresh()

    def confirm(self) -> None:
        """Keep that the points of this stage were looked at, and go to the next that is not."""
        side, landmarks, at = self._bridge.side, self._landmarks(), self._at
        if side is None or landmarks is None or at is None:
            return
        points = stage_points(at, landmarks)
        seconds = round(time.monotonic() - self._since, 1)
        if points:
            check = PointCheck(side, at.id, points, seconds, datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"))
            self._bridge.apply("edit_point_check", lambda case: put_point_check(case, check))
            self._bridge.session.audit("points_checked", side=side.value, stage=at.id, seconds=seconds)
        after = STAGES[STAGES.index(at) + 1 :] + STAGES[: STAGES.index(at)]
        left = {part.id for part in unchecked(self._bridge.case, side, landmarks)}
        following = next((part for part in after if part.id in left), None)
        if following is None:
            self._bridge.tell("all_points_checked")
            self.ended.emit()
        else:
            self.begin(following)

    def leave(self) -> None:
        """Go back to the whole leg."""
        self._at = None
        self._tool.placing = self._tool.only_shown = False
        self._stage.look_for(landmark="", fit="")

    def primary_words(self) -> str:
        """Return the words of the primary button."""
        side, landmarks = self._bridge.side, self._landmarks()
        if side is None or self._at is None:
            return self._bridge.word("confirm_last")
        left = [part for part in unchecked(self._bridge.case, side, landmarks) if part is not self._at]
        return self._bridge.word("confirm_next" if left else "confirm_last")

    def refresh(self) -> None:
        """Show the stage as it stands."""
        side, landmarks, at = self._bridge.side, self._landmarks(), self._at
        if side is None or landmarks is None or at is None:
            return
        theme, word = self._stage.theme, self._bridge.word
        states = stage_states(self._bridge.case, side, landmarks)
        for name, chip in self._chips.items():
            chip.setChecked(name == at.id)
            chip.setIcon(icon(f"state-{_GLYPH[states[name]]}", theme, _CHIP_ROLE[states[name]]))
            chip.setAccessibleName(f"{word(f'stage_{name}')}: {word(f'check_{states[name]}')}")
        number = STAGES.index(at) + 1
        self._title.setText(word("stage_of", number=number, count=len(STAGES), name=word(f"stage_{at.id}")))
        self._what.setText(word(f"look_{at.id}"))
        named = {str(name) for name in at.points}
        about = [item for item in landmarks.findings if dict(item.parameters).get("landmark") in named]
        missing = [landmarks.items[name].reason for name in at.points if landmarks.items[name].reason is not None]
        self._findings.show_findings([*about, *(reason for reason in missing if reason is not None)])
        self._show_points(landmarks, at)
        self._show_fit(landmarks, at)
        measures = self._bridge.value(measures_key(side))
        if isinstance(measures, Measures):
            self._read_sensitivity(landmarks)
            rows = []
            for item in measures_of(measures, at.measures):
                name, value, _ = measure_row(self._bridge, theme, item, None, None)
                rows.append((name, value, (self._per_mm(at, item), theme.colour("text/secondary"), word("per_mm_tip"))))
            self._measures.fill(rows, right=(1, 2))

    def _read_sensitivity(self, landmarks: Landmarks) -> None:
        """Ask how much each measure changes with each point; not while a point is dragged."""
        if not self._bridge.session.interacting and self._felt_for is not landmarks:
            self._felt, self._felt_for = sensitivity(landmarks), landmarks

    def _per_mm(self, at: PointStage, item: Measure) -> str:
        """Return by how much a measure changes at most when one of the points moves by 1 mm."""
        changes = [self._felt.get(item.id, {}).get(name, 0.0) for name in at.points]
        unit = {"deg": "°", "%": " %", "mm": " mm"}.get(item.unit, "")
        return f"{max(changes):.2f}{unit}/mm" if any(changes) else ""

    def _show_points(self, landmarks: Landmarks, at: PointStage) -> None:
        self._rows = [name for name in at.points if name in landmarks.items]
        self._points.fill([landmark_row(self._bridge, self._stage.theme, landmarks.items[name]) for name in self._rows])
        if self._tool.chosen in self._rows and self._points.currentRow() != self._rows.index(self._tool.chosen):
            self._points.blockSignals(True)
            self._points.selectRow(self._rows.index(self._tool.chosen))
            self._points.blockSignals(False)
        edited = any(landmarks.items[name].status == "edited" for name in self._rows)
        self._reset.setEnabled(edited)

    def _show_fit(self, landmarks: Landmarks, at: PointStage) -> None:
        fit, item = fit_of(at.fit, landmarks, lambda key: (self._bridge.value(key), True)), landmarks.items[at.fit]
        word = self._bridge.word
        self._fit_words.setText(word("fit_none") if fit is None else word(_FITS[type(fit)]))
        facts = [] if fit is None else fit_facts(self._bridge, item)
        if isinstance(fit, FitSphere | FitCylinder):
            facts.insert(0, (word("fit_radius"), f"{fit.radius_mm:.1f} mm"))
        self._fit.fill([((name, None, ""), (value, None, "")) for name, value in facts], right=(1,))
        self._fit.setVisible(bool(facts))

    def _choose(self) -> None:
        row, landmarks = self._points.currentRow(), self._landmarks()
        if 0 <= row < len(self._rows) and landmarks is not None:
            self._tool.chosen = self._rows[row]
            self._look(self._rows[row], landmarks)

    def _look(self, landmark: LandmarkId, landmarks: Landmarks) -> None:
        point = landmarks.point(landmark)
        at = self._at
        if point is None or at is None:
            return
        places = [place for place in map(landmarks.point, at.points) if place is not None]
        self._stage.look_at(point)
        self._stage.turn_wanted.emit(*_SIGHT[at.id])
        self._stage.focus_wanted.emit(np.mean(places, axis=0), at.span_mm)
        self._stage.handles_changed.emit()

    def _begin_placing(self) -> None:
        if self._tool.chosen is not None:
            self._tool.placing = True
            self._bridge.tell("click_to_place", landmark=landmark_words(self._tool.chosen))
            self._stage.handles_changed.emit()

    def _release(self) -> None:
        side, at = self._bridge.side, self._at
        if side is None or at is None:
            return
        with self._bridge.session.interaction(self._bridge.word("edit_release_landmark")) as held:
            for name in at.points:
                held.apply(lambda case, name=name: release_landmark(case, side, name))

    def _landmarks(self) -> Landmarks | None:
        side = self._bridge.side
        value = None if side is None else self._bridge.value(landmarks_key(side))
        return value if isinstance(value, Landmarks) else None
