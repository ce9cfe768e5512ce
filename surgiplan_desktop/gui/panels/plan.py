"""Plan: target, pose, cut and hinge; before against after; gaps, scenarios, findings; implants."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from PySide6.QtWidgets import QVBoxLayout, QWidget

from surgiplan_desktop.app.demo import DEMO_TARGET
from surgiplan_desktop.gui.panels.base import Panel
from surgiplan_desktop.gui.panels.cut_fields import CutFields
from surgiplan_desktop.gui.panels.implants import ImplantGroup
from surgiplan_desktop.gui.panels.plan_tables import PlanTables
from surgiplan_desktop.gui.steps import osteotomy_of, side_conflict
from surgiplan_desktop.gui.tools.base import Tool
from surgiplan_desktop.gui.tools.implant_tool import PlanTool
from surgiplan_desktop.gui.widgets.deformity_bar import DeformityBar
from surgiplan_desktop.gui.widgets.fields import ChoiceField, NumberField
from surgiplan_desktop.gui.widgets.findings import FindingList
from surgiplan_desktop.gui.widgets.layout import button, group, label
from surgiplan_desktop.gui.words import missing_reasons
from surgiplan_desktop.model.edits import next_step_id, put_step, remove_step
from surgiplan_desktop.model.steps import OsteotomyStep, Target
from surgiplan_desktop.planning.graph import measures_key, osteotomy_key, pieces_key, site_key, wedge_key
from surgiplan_desktop.planning.records import Measures, OsteotomyPlan, WedgeDetail

#: Range, step, decimals and the usual value of each kind of target.
TARGETS = {
    "wbl": (0.0, 100.0, 1.0, 0, DEMO_TARGET.value),
    "hka": (160.0, 200.0, 0.5, 1, 182.0),
    "mpta": (75.0, 105.0, 0.5, 1, 90.0),
    "angle": (0.5, 25.0, 0.5, 1, 8.0),
}
_UNITS = {"wbl": "%", "hka": "°", "mpta": "°", "angle": "°"}


class PlanPanel(Panel):
    """See the module's text."""

    step = "plan"

    def build(self) -> None:
        self._tool = PlanTool(self.bridge)
        self._focused: object = None
        self._intro = label(self.word("plan_intro"), "secondary")
        self.content.addWidget(self._intro)
        self._deformity = DeformityBar(self.stage)
        self.content.addWidget(self._deformity)
        self._target_part = QWidget()
        self._build_target()
        self._tables = PlanTables(self.bridge, self.stage)
        self._cut = CutFields(self.bridge, self.stage)
        self._implants = ImplantGroup(self.bridge, self.stage)
        self._findings = FindingList(self.bridge, "plan_findings")
        self._failed = QVBoxLayout()
        self.content.addLayout(self._failed)
        for part in (self._tables, self._findings, self._cut, self._implants):
            self.content.addWidget(part)
        self._remove = button(self.word("remove_osteotomy"), "remove_osteotomy", self._take_away)
        self.content.addWidget(self._remove)

    def _build_target(self) -> None:
        target = group(self.content, self.word("group_target"))
        kinds = [(self.word(f"target_{kind}"), kind) for kind in TARGETS]
        self._kind = ChoiceField("target_kind", self.word("target"), kinds, self.word("target_tip"))
        self._kind.chosen.connect(self._set_kind)
        target.addWidget(self._kind)
        self._values = {}
        for kind, (low, high, step, decimals, _) in TARGETS.items():
            field = NumberField(
                f"target_{kind}", self.word(f"value_{kind}"), _UNITS[kind], low, high, step, decimals, self.stage.theme
            )
            field.committed.connect(lambda value, kind=kind: self._set_target(Target(kind, value)))
            self._values[kind] = field
            target.addWidget(field)
        self._why = label("", "small", "target_why")
        target.addWidget(self._why)
        poses = [(self.word("pose_ct"), "ct"), (self.word("pose_standing"), "standing")]
        self._pose = ChoiceField("pose", self.word("pose"), poses, self.word("pose_tip"))
        self._pose.chosen.connect(lambda pose: self._edit("edit_pose", pose=pose))
        target.addWidget(self._pose)
        self._jlca = NumberField(
            "post_jlca", self.word("post_jlca"), "°", -5.0, 15.0, 0.5, 1, self.stage.theme, self.word("post_jlca_tip")
        )
        self._jlca.committed.connect(lambda value: self._edit("edit_post_jlca", post_jlca_deg=value))
        self._jlca.reset.connect(lambda: self._edit("edit_post_jlca", post_jlca_deg=None))
        target.addWidget(self._jlca)

    def showEvent(self, event: object) -> None:
        super().showEvent(event)
        self.stage.take_tool(self._tool)
        self._focus()

    def hideEvent(self, event: object) -> None:
        super().hideEvent(event)
        if self.stage.tool is self._tool:
            self.stage.take_tool(Tool())

    # Acts ------------------------------------------------------------------------------------------------------------------

    def act(self) -> None:
        side = self.bridge.side
        if osteotomy_of(self.bridge) is not None:
            self.go.emit("guide")
        elif side is not None:
            target = self._proposed_target()
            self.bridge.apply(
                "edit_osteotomy", lambda case: put_step(case, OsteotomyStep(next_step_id(case, "mowhto"), side, target))
            )

    def _proposed_target(self) -> Target:
        """The usual target; where the weight-bearing line cannot be measured, one that the tibia alone carries."""
        measures = self.bridge.value(measures_key(self.bridge.side))
        if isinstance(measures, Measures) and measures.number("wbl") is None:
            return Target("mpta", TARGETS["mpta"][4])
        return DEMO_TARGET

    def _why_not_line(self) -> str:
        """Say why the weight-bearing line and the leg axis cannot be the target, where they cannot."""
        measures = self.bridge.value(measures_key(self.bridge.side)) if self.bridge.side else None
        reasons = missing_reasons(self.bridge, measures, ("wbl",)) if isinstance(measures, Measures) else []
        return self.word("target_without_line", reasons=" ".join(reasons)) if reasons else ""

    def _set_kind(self, kind: str) -> None:
        step = osteotomy_of(self.bridge)
        if step is None or step.target.kind == kind:
            return
        plan = self.bridge.value(osteotomy_key(step.id))
        value = TARGETS[kind][4]
        if isinstance(plan, OsteotomyPlan):  # what the plan reaches now, in the other measure: nothing moves by the change
            reached = plan.angle_deg if kind == "angle" else plan.after.get(kind)
            value = TARGETS[kind][4] if reached is None else round(reached, TARGETS[kind][3])
        self._set_target(Target(kind, value))

    def _set_target(self, target: Target) -> None:
        self._edit("edit_target", target=target)

    def _edit(self, label_id: str, **changes: object) -> None:
        step = osteotomy_of(self.bridge)
        if step is not None:
            changed = replace(step, **changes)
            self.bridge.apply(label_id, lambda case: put_step(case, changed))

    def _take_away(self) -> None:
        step = osteotomy_of(self.bridge)
        if step is not None:
            self.bridge.apply("edit_remove_osteotomy", lambda case: remove_step(case, step.id))

    # Showing ---------------------------------------------------------------------------------------------------------------

    def refresh(self) -> None:
        step = osteotomy_of(self.bridge)
        plan = None if step is None else self.bridge.value(osteotomy_key(step.id))
        wedge = None if step is None else self.bridge.value(wedge_key(step.id))
        plan = plan if isinstance(plan, OsteotomyPlan) else None
        wedge = wedge if isinstance(wedge, WedgeDetail) else None
        current = step is not None and self.bridge.ready(wedge_key(step.id)) and self.bridge.ready(pieces_key(step.id))
        self._intro.setVisible(step is None)
        if step is None:  # asked before any plan; afterwards the plan needs the room
            self._deformity.refresh()
        self._deformity.setVisible(step is None and self._deformity.shows)
        self._show_target(step, plan)
        conflict = side_conflict(self.bridge) is not None  # the card at the top says which and what to do
        own = () if step is None else (osteotomy_key(step.id), wedge_key(step.id), pieces_key(step.id))
        looked = () if step is None or conflict else (site_key(step.side), *own)
        self.show_trouble(self._failed, looked, self.word("plan_failed"))
        self._tables.show_plan(plan, wedge, current=current)
        self._cut.show_plan(step, plan)
        self._implants.refresh(step)
        self._remove.setVisible(step is not None)
        told = [] if plan is None else [*plan.findings, *(wedge.findings if wedge else ())]
        self._findings.show_findings(told)
        if not self.bridge.case.bones or self.bridge.side is None:
            self.say_next(self.word("plan_osteotomy"), enabled=False, reason=self.word("needs_bones"))
        elif conflict:
            self.say_next(
                self.word("plan_osteotomy" if step is None else "next_guide"), enabled=False, reason=self.word("sides_contradict")
            )
        elif step is None:
            ready = self.bridge.ready(measures_key(self.bridge.side))
            self.say_next(self.word("plan_osteotomy"), enabled=ready, reason="" if ready else self.word("computing"))
        else:
            self.say_next(self.word("next_guide"), enabled=plan is not None)
        self._focus()

    def _show_target(self, step: OsteotomyStep | None, plan: OsteotomyPlan | None) -> None:
        for field in (self._kind, self._pose, self._jlca):
            field.setEnabled(step is not None)
        target = step.target if step is not None else self._proposed_target() if self.bridge.side else DEMO_TARGET
        self._kind.show_choice(target.kind)
        for kind, field in self._values.items():
            field.setVisible(kind == target.kind)
            field.setEnabled(step is not None)
        self._values[target.kind].show_value(target.value)
        self._why.setText(self._why_not_line())
        self._why.setVisible(bool(self._why.text()))
        if step is not None:
            self._pose.show_choice(step.pose)
            shown = step.post_jlca_deg if step.post_jlca_deg is not None else plan.post_jlca_deg if plan else None
            proposal = None if step.post_jlca_deg is None else step.post_jlca_deg + 1.0
            self._jlca.setVisible(shown is not None)  # without a femur there is no joint line angle to choose
            self._jlca.show_value(shown or 0.0, proposal, self.word("as_proposed"))

    def _focus(self) -> None:
        """Bring the cut into view once, when it is there first."""
        step = osteotomy_of(self.bridge)
        plan = None if step is None else self.bridge.value(osteotomy_key(step.id))
        if not isinstance(plan, OsteotomyPlan) or self._focused == step.id or not self.isVisible():
            return
        self._focused = step.id
        middle = (plan.start_lps + plan.hinge_lps) / 2.0
        self.stage.look_at(np.array([middle[0], plan.hinge_lps[1], middle[2]]))
        self.stage.focus_wanted.emit(middle, 170.0)

    def renew(self) -> None:
        self._focused = None
        super().renew()
