"""Start point, hinge point and hinge direction as numbers: what the handles drag, typed. Reset goes back to the proposal."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from PySide6.QtWidgets import QVBoxLayout, QWidget

from surgiplan_desktop.gui.bridge import Bridge
from surgiplan_desktop.gui.steps import osteotomy_of
from surgiplan_desktop.gui.tools.plane_tool import hinge_turn
from surgiplan_desktop.gui.viewports.stage import Stage
from surgiplan_desktop.gui.widgets.fields import NumberField
from surgiplan_desktop.gui.widgets.layout import button, label
from surgiplan_desktop.model.edits import put_step
from surgiplan_desktop.model.steps import OsteotomyStep, Vector
from surgiplan_desktop.planning.graph import site_key
from surgiplan_desktop.planning.records import OsteotomyPlan, OsteotomySite


class CutFields(QWidget):
    """Folded away until wanted: most plans keep the proposal."""

    def __init__(self, bridge: Bridge, stage: Stage) -> None:
        super().__init__()
        self._bridge = bridge
        word, theme = bridge.word, stage.theme
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        toggle = button(word("more_cut"), "more_cut", lambda: None, checkable=True)
        self._inside = QWidget()
        inner = QVBoxLayout(self._inside)
        inner.setContentsMargins(0, 0, 0, 0)
        inner.addWidget(label(word("cut_hint"), "small"))
        self._start = NumberField("start_below", word("start_below"), "mm", 5.0, 90.0, 0.5, 1, theme, word("start_below_tip"))
        self._hinge = NumberField("hinge_below", word("hinge_below"), "mm", 2.0, 80.0, 0.5, 1, theme, word("hinge_below_tip"))
        self._lateral = NumberField("hinge_lateral", word("hinge_lateral"), "mm", -20.0, 60.0, 0.5, 1, theme, word("lateral_tip"))
        self._turn = NumberField("hinge_turn", word("hinge_turn"), "°", -60.0, 60.0, 1.0, 1, theme, word("hinge_turn_tip"))
        for field in (self._start, self._hinge, self._lateral, self._turn):
            inner.addWidget(field)
        self._inside.hide()
        toggle.toggled.connect(self._inside.setVisible)
        layout.addWidget(toggle)
        layout.addWidget(self._inside)
        self._start.committed.connect(self._set_start)
        self._hinge.committed.connect(lambda value: self._set_hinge(1, -value))
        self._lateral.committed.connect(lambda value: self._set_hinge(2, value))
        self._turn.committed.connect(self._set_turn)
        self._start.reset.connect(lambda: self._put("edit_start", start_tibia=None))
        self._hinge.reset.connect(lambda: self._put("edit_hinge", hinge_tibia=None))
        self._lateral.reset.connect(lambda: self._put("edit_hinge", hinge_tibia=None))
        self._turn.reset.connect(lambda: self._put("edit_direction", hinge_direction_tibia=None))

    def show_plan(self, step: OsteotomyStep | None, plan: OsteotomyPlan | None) -> None:
        """Show where the cut is, and mark what differs from the proposal."""
        self.setVisible(step is not None and plan is not None)
        if step is None or plan is None:
            return
        site = self._bridge.value(site_key(step.side))
        start, hinge = plan.frame.to_local(plan.start_lps), plan.frame.to_local(plan.hinge_lps)
        direction = plan.frame.direction_to_local(plan.hinge_direction)
        sign = plan.side.sign
        proposal = site if isinstance(site, OsteotomySite) else None
        tip = self._bridge.word("as_proposed")
        self._start.show_value(-start[1], None if proposal is None else -proposal.start_tibia[1], tip)
        self._hinge.show_value(-hinge[1], None if proposal is None else -proposal.hinge_tibia[1], tip)
        self._lateral.show_value(hinge[2] * sign, None if proposal is None else proposal.hinge_tibia[2] * sign, tip)
        proposed_turn = None if proposal is None else hinge_turn(np.array(proposal.hinge_direction_tibia))
        self._turn.show_value(hinge_turn(direction), proposed_turn, tip)

    def _now(self) -> tuple[OsteotomyStep, OsteotomySite] | None:
        step = osteotomy_of(self._bridge)
        site = self._bridge.value(site_key(step.side)) if step is not None else None
        return (step, site) if step is not None and isinstance(site, OsteotomySite) else None

    def _put(self, label_id: str, **changes: object) -> None:
        step = osteotomy_of(self._bridge)
        if step is not None:
            changed = replace(step, **changes)
            self._bridge.apply(label_id, lambda case: put_step(case, changed))

    def _set_start(self, below: float) -> None:
        now = self._now()
        if now is not None:
            x, _, z = now[0].start_tibia or now[1].start_tibia
            self._put("edit_start", start_tibia=(x, round(-below, 2), z))

    def _set_hinge(self, axis: int, value: float) -> None:
        now = self._now()
        if now is not None:
            point = list(now[0].hinge_tibia or now[1].hinge_tibia)
            point[axis] = round(value * (now[0].side.sign if axis == 2 else 1), 2)
            self._put("edit_hinge", hinge_tibia=_vector(point))

    def _set_turn(self, turn_deg: float) -> None:
        now = self._now()
        if now is None:
            return
        x, y, z = now[0].hinge_direction_tibia or now[1].hinge_direction_tibia
        flat = float(np.hypot(x, z))
        angle = np.radians(turn_deg)
        self._put("edit_direction", hinge_direction_tibia=_vector([flat * np.cos(angle), y, flat * np.sin(angle)]))


def _vector(values: list[float]) -> Vector:
    x, y, z = (round(float(value), 5) for value in values)
    return x, y, z
