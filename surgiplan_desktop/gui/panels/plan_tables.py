"""What the plan gives: before against after in the same rows, gaps to measure, saw depths, the three joint line scenarios."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from PySide6.QtWidgets import QVBoxLayout, QWidget

from surgiplan_desktop.app.describe_plan import standing_prediction_lines
from surgiplan_desktop.gui.bridge import Bridge
from surgiplan_desktop.gui.viewports.stage import Stage
from surgiplan_desktop.gui.widgets.layout import Table, button, group, label
from surgiplan_desktop.gui.words import short_words, value_words
from surgiplan_desktop.planning.records import OsteotomyPlan, Scenario, WedgeDetail

ROWS: Final = (
    ("hka_deviation", "deg"),
    ("mldfa", "deg"),
    ("mpta", "deg"),
    ("jlca", "deg"),
    ("wbl", "%"),
    ("mad", "mm"),
    ("slope_medial", "deg"),
    ("slope_lateral", "deg"),
)
#: Names that would not fit beside two columns of values.
_NAMES: Final = {"hka_deviation": "HKA", "slope_medial": "Slope med", "slope_lateral": "Slope lat"}
_POINTS: Final = ("pm", "mid", "am")


class PlanTables(QWidget):
    """Tables of the plan; greyed while heavy results are on their way."""

    def __init__(self, bridge: Bridge, stage: Stage) -> None:
        super().__init__()
        self._bridge = bridge
        self._stage = stage
        word = bridge.word
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        result = group(layout, word("group_result"))
        self._headline = label("", "headline", "opening_angle")
        self._state = label("", "small", "plan_state")
        keeps = self._state.sizePolicy()
        keeps.setRetainSizeWhenHidden(True)  # the numbers below stay where they are
        self._state.setSizePolicy(keeps)
        result.addWidget(self._headline)
        result.addWidget(self._state)
        self._table = Table("before_after", ("", word("before"), word("after")), (0, 96, 104))
        result.addWidget(self._table)
        self._standing = label("", "small", "plan_standing")
        result.addWidget(self._standing)
        self._gap_title = label(word("gap_to_measure"), "group")
        self._gap = Table("gaps", tuple(word(f"gap_{point}") for point in _POINTS), (98, 0, 92))
        result.addWidget(self._gap_title)
        result.addWidget(self._gap)
        self._more = button(word("more_plan"), "more_plan", lambda: None, checkable=True)
        self._detail = QWidget()
        inner = QVBoxLayout(self._detail)
        inner.setContentsMargins(0, 0, 0, 0)
        scenarios = group(inner, word("group_scenarios"))
        heads = (word("jlca_after"), word("angle"), word("measure_wbl"), "MPTA")
        self._scenarios = Table("scenarios", heads, (0, 62, 62, 62))
        scenarios.addWidget(self._scenarios)
        saw = group(inner, word("group_saw"))
        self._saw = Table("saw", (word("ray"), word("to_cortex"), word("to_hinge"), word("to_far")), (0, 64, 64, 64))
        saw.addWidget(self._saw)
        self._hinge = label("", "small", "hinge_words")
        saw.addWidget(self._hinge)
        self._detail.hide()
        self._more.toggled.connect(self._detail.setVisible)
        result.addWidget(self._more)
        result.addWidget(self._detail)

    def show_plan(self, plan: OsteotomyPlan | None, wedge: WedgeDetail | None, *, current: bool) -> None:
        """Show the plan, or hide when there is none."""
        self.setVisible(plan is not None)
        if plan is None:
            return
        word = self._bridge.word
        self._headline.setText(word("opens_by", deg=f"{plan.angle_deg:.1f}"))
        self._state.setText(word("updating"))
        self._state.setVisible(not current)
        self._table.fill([self._row(plan, name, unit) for name, unit in ROWS], right=(1, 2))
        told = [line.strip() for line in standing_prediction_lines(plan, self._bridge.texts)]
        self._standing.setText("\n".join(line[:1].upper() + line[1:] for line in told))
        self._show_wedge(plan, wedge, current)
        self._scenarios.fill([self._scenario(row) for row in plan.scenarios], right=(1, 2, 3))

    def _row(self, plan: OsteotomyPlan, name: str, unit: str) -> tuple[tuple[str, object, str], ...]:
        theme = self._stage.theme
        title, definition = self._bridge.texts.measure(name)
        before, after = plan.before.get(name), plan.after.get(name)
        moved = before is not None and after is not None and abs(after - before) >= (0.5 if unit == "%" else 0.05)
        return (
            (
                self._bridge.word("wbl_from_medial") if name == "wbl" else _NAMES.get(name, title),
                theme.colour("text/secondary"),
                f"{title}\n{definition}",
            ),
            (
                short_words(self._bridge, value_words(self._bridge, name, before, unit)),
                None,
                value_words(self._bridge, name, before, unit),
            ),
            (
                ("● " if moved else "") + short_words(self._bridge, value_words(self._bridge, name, after, unit)),
                theme.colour("accent" if moved else "text/primary"),
                value_words(self._bridge, name, after, unit),
            ),
        )

    def _show_wedge(self, plan: OsteotomyPlan, wedge: WedgeDetail | None, current: bool) -> None:
        theme, word = self._stage.theme, self._bridge.word
        colour = theme.colour("text/primary" if current else "text/disabled")
        gaps: Mapping[str, float] = {} if wedge is None else wedge.gap_to_measure_mm
        tip = word("gap_tip", kerf=f"{plan.kerf_mm:.1f}")
        cells = [(f"{gaps[point]:.1f} mm" if point in gaps else "–", colour, tip) for point in _POINTS]
        self._gap.fill([cells])
        if wedge is None:
            return
        self._saw.fill(
            [
                (
                    (ray.ray.replace("_", " "), None, ""),
                    (f"{ray.entry_to_cortex_mm:.0f}", colour, ""),
                    (f"{ray.entry_to_hinge_mm:.0f}", colour, ""),
                    (f"{ray.entry_to_far_cortex_mm:.0f}", colour, ""),
                )
                for ray in wedge.saw
            ],
            right=(1, 2, 3),
        )
        cortex = "–" if wedge.hinge_to_cortex_mm is None else f"{wedge.hinge_to_cortex_mm:.1f}"
        plateau = "–" if wedge.hinge_to_plateau_mm is None else f"{wedge.hinge_to_plateau_mm:.1f}"
        zone = wedge.hinge_zone or "–"
        self._hinge.setText(word("hinge_words", zone=zone, cortex=cortex, plateau=plateau))

    def _scenario(self, row: Scenario) -> tuple[tuple[str, object, str], ...]:
        word = self._bridge.word
        wbl, mpta = row.after.get("wbl"), row.after.get("mpta")
        return (
            (f"{word(f'scenario_{row.name}')} ({row.post_jlca_deg:.1f}°)", None, word("scenario_tip")),
            (f"{row.angle_deg:.1f}°", None, ""),
            ("–" if wbl is None else f"{wbl:.0f} %", None, ""),
            ("–" if mpta is None else f"{mpta:.1f}°", None, ""),
        )
