"""The results that a case holds when the bones were found more than once: which is used, and how it differs from another."""

from __future__ import annotations

import math

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QVBoxLayout, QWidget

from surgiplan_desktop.app.compare_runs import RunComparison, comparable_runs, compare_runs
from surgiplan_desktop.app.jobs import Job
from surgiplan_desktop.app.segmentation_ways import run_title
from surgiplan_desktop.gui.viewports.stage import Stage
from surgiplan_desktop.gui.widgets.fields import ChoiceField
from surgiplan_desktop.gui.widgets.layout import Table, label
from surgiplan_desktop.model.case import SegmentationRun
from surgiplan_desktop.model.edits import use_segmentation

_ABOVE_NUMBERS = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter


class ResultChoice(QWidget):
    """See the module's text."""

    def __init__(self, stage: Stage) -> None:
        super().__init__()
        self._stage = stage
        self._bridge = stage.bridge
        self._job: Job | None = None
        self._shown: object = ()
        word = self._bridge.word
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(6)
        layout.addWidget(label(word("group_results"), "group"))
        self._used = ChoiceField("result_used", word("result_used"), tip=word("result_used_tip"))
        self._used.chosen.connect(self._use)
        self._other = ChoiceField("result_other", word("result_other"), tip=word("result_other_tip"))
        self._other.chosen.connect(self._compare)
        heads = [word(name) for name in ("bone", "dice", "mean_distance", "far_distance")]
        self._table = Table("result_table", heads, (0, 48, 56, 56))
        for column in (1, 2, 3):
            self._table.horizontalHeaderItem(column).setTextAlignment(_ABOVE_NUMBERS)
        self._note = label("", "small", "result_note")
        for widget in (self._used, self._other, self._table, self._note):
            layout.addWidget(widget)

    def refresh(self) -> None:
        """Show results and comparison; nothing where there is only one."""
        case, word = self._bridge.case, self._bridge.word
        others = comparable_runs(case)
        self.setVisible(bool(others))
        if not others:
            return
        self._used.set_choices([(self._title(run), run.id) for run in case.segmentations])
        self._used.show_choice(case.active_segmentation)
        self._other.set_choices([(word("compare_with_none"), ""), *((self._title(run), run.id) for run in others)])
        comparison = self._stage.comparison
        busy = self._job is not None and self._job.state in ("queued", "running")
        if not busy:
            self._other.show_choice("" if comparison is None else comparison.other)
        if comparison is not self._shown:
            self._shown = comparison
            self._show(comparison)
        if busy:
            self._note.setText(word("comparing"))
            self._note.setVisible(True)

    def _title(self, run: SegmentationRun) -> str:
        return run_title(run, self._bridge.word("without_ai"))

    def _use(self, run: object) -> None:
        self._bridge.apply("edit_use_result", lambda case: use_segmentation(case, str(run)))

    def _compare(self, other: object) -> None:
        if self._job is not None:
            self._job.cancel()
        if not other:
            self._stage.show_heat("")
            self._stage.show_comparison(None)
            self.refresh()
            return
        self._job = self._bridge.run_job(
            "comparing_results", compare_runs, self._bridge.session, str(other), on_value=self._compared
        )
        self.refresh()

    def _compared(self, comparison: RunComparison) -> None:
        if comparison.run == self._bridge.case.active_segmentation:
            self._stage.show_comparison(comparison)
            self._stage.show_heat("difference")
        self.refresh()

    def _show(self, comparison: RunComparison | None) -> None:
        self._table.setVisible(comparison is not None)
        self._note.setVisible(comparison is not None)
        if comparison is None:
            return
        word = self._bridge.word
        rows = []
        for row in comparison.rows:
            name = f"{word(row.bone.bone)}, {word(f'side_{row.bone.side}').lower()}"
            surface = row.surface
            cells = [_number(row.dice, 3)]
            cells += ["–", "–"] if surface is None else [_number(surface.assd_mm, 2), _number(surface.hd95_mm, 2)]
            volumes = "  |  ".join(f"{volume / 1000.0:.1f} cm³" for volume in row.volume_mm3)
            rows.append([(name, None, volumes), *((cell, None, volumes) for cell in cells)])
        self._table.fill(rows, right=(1, 2, 3))
        self._note.setText(word("result_note"))


def _number(value: float, digits: int) -> str:
    return "–" if math.isnan(value) else f"{value:.{digits}f}"
