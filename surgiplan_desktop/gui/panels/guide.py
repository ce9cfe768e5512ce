"""Guide: build it, and see every check with its value and limit."""

from __future__ import annotations

from dataclasses import replace

from PySide6.QtWidgets import QVBoxLayout, QWidget

from surgiplan_desktop.gui.panels.base import Panel
from surgiplan_desktop.gui.steps import guide_of, osteotomy_of
from surgiplan_desktop.gui.widgets.fields import NumberField
from surgiplan_desktop.gui.widgets.findings import FindingList, card
from surgiplan_desktop.gui.widgets.layout import Table, button, clear, group, label
from surgiplan_desktop.model.anatomy import Side
from surgiplan_desktop.model.case import Case
from surgiplan_desktop.model.edits import next_step_id, put_step
from surgiplan_desktop.model.steps import GuideStep
from surgiplan_desktop.planning.graph import guide_key, osteotomy_key, pieces_key, wedge_key
from surgiplan_desktop.planning.records import Guide, OsteotomyPlan

#: Parameters of the guide: field of the step, lowest, highest, step (mm).
PARAMETERS = (
    ("clearance_mm", 0.0, 1.5, 0.05),
    ("wall_mm", 2.0, 8.0, 0.5),
    ("pin_diameter_mm", 1.5, 5.0, 0.1),
    ("sleeve_height_mm", 8.0, 30.0, 1.0),
)
_ROLE = {"pass": "ok", "warn": "warn", "fail": "fail"}


class GuidePanel(Panel):
    """See the module's text."""

    step = "guide"

    def build(self) -> None:
        self._focused: object = None
        self._shown: object = None
        self._intro = label(self.word("guide_intro"), "secondary")
        self.content.addWidget(self._intro)
        self._failed = QVBoxLayout()
        self.content.addLayout(self._failed)
        self._result = QVBoxLayout()
        self.content.addLayout(self._result)
        self._findings = FindingList(self.bridge, "guide_findings")
        self.content.addWidget(self._findings)
        toggle = button(self.word("more_guide"), "more_guide", lambda: None, checkable=True)
        self._more = toggle
        self._fields = QWidget()
        inner = QVBoxLayout(self._fields)
        inner.setContentsMargins(0, 0, 0, 0)
        self._numbers = {}
        default = GuideStep("guide-1", Side.RIGHT, "")
        for name, low, high, step in PARAMETERS:
            field = NumberField(
                f"guide_{name}", self.word(f"guide_{name}"), "mm", low, high, step, 2 if step < 0.1 else 1, self.stage.theme,
                self.word(f"guide_{name}_tip"),
            )  # fmt: skip
            field.committed.connect(lambda value, name=name: self._set(name, value))
            field.reset.connect(lambda name=name: self._set(name, getattr(default, name)))
            self._numbers[name] = (field, getattr(default, name))
            inner.addWidget(field)
        self._fields.hide()
        toggle.toggled.connect(self._fields.setVisible)
        self.content.addWidget(toggle)
        self.content.addWidget(self._fields)

    def act(self) -> None:
        osteotomy, side = osteotomy_of(self.bridge), self.bridge.side
        if guide_of(self.bridge) is not None:
            self.go.emit("approve")
        elif osteotomy is not None and side is not None:

            def edit(case: Case) -> Case:
                return put_step(case, GuideStep(next_step_id(case, "guide"), side, osteotomy.id))

            self.bridge.apply("edit_guide", edit)

    def _set(self, name: str, value: float) -> None:
        step = guide_of(self.bridge)
        if step is not None:
            changed = replace(step, **{name: value})
            self.bridge.apply(f"edit_{name}", lambda case: put_step(case, changed))

    def refresh(self) -> None:
        step = guide_of(self.bridge)
        guide = None if step is None else self.bridge.value(guide_key(step.id))
        guide = guide if isinstance(guide, Guide) else None
        ready = step is not None and self.bridge.ready(guide_key(step.id))
        self._intro.setVisible(step is None)
        self._more.setVisible(step is not None)
        if step is not None:
            for name, (field, default) in self._numbers.items():
                field.show_value(getattr(step, name), default, self.word("as_proposed"))
        keys = () if step is None else (pieces_key(step.osteotomy), wedge_key(step.osteotomy), guide_key(step.id))
        broken = self.show_trouble(self._failed, keys, self.word("guide_failed"))
        self._show_guide(guide, ready, building=step is not None and not broken)
        self._findings.show_findings(guide.findings if guide else ())
        if osteotomy_of(self.bridge) is None:
            self.say_next(self.word("build_guide"), enabled=False, reason=self.word("needs_plan"))
        elif step is None:
            self.say_next(self.word("build_guide"), reason=self.word("build_guide_time"))
        elif not ready:
            self.say_next(self.word("next_approve"), enabled=False, reason="" if broken else self.word("building_guide"))
        else:
            self.say_next(self.word("next_approve"))
        self._focus()

    def _show_guide(self, guide: Guide | None, ready: bool, *, building: bool) -> None:
        key = (id(guide), ready, building, self.stage.theme.look)
        if key == self._shown:
            return
        self._shown = key
        clear(self._result)
        if guide is None:
            if building:
                self._result.addWidget(card(self.word("building_guide"), ""))
            return
        theme = self.stage.theme
        if not ready:
            self._result.addWidget(card(self.word("updating"), "warn"))
        values = group(self._result, self.word("group_guide"))
        table = Table("guide_values", ("", ""), (0, 130))
        play = self.word("play_words", mm=f"{guide.free_play.mm:.2f}", deg=f"{guide.free_play.deg:.1f}")
        rows = (
            ("guide_volume", f"{guide.volume_mm3 / 1000.0:.1f} cm³"),
            ("guide_contact", f"{guide.contact_mm2 / 100.0:.1f} cm²"),
            ("guide_play", play),
            ("guide_slot", f"{guide.slot_width_mm:.2f} mm"),
            ("guide_check_code", guide.check_code),
        )
        table.fill(
            [((self.word(name), theme.colour("text/secondary"), ""), (value, None, value)) for name, value in rows], right=(1,)
        )
        values.addWidget(table)
        values.addWidget(label(self.word("label_reads", text=" / ".join(guide.label)), "small", "guide_label"))
        checks = group(self._result, self.word("group_checks"))
        for check in sorted(guide.checks, key=lambda item: ("fail", "warn", "pass").index(item.status)):
            heading = self.word(f"check_{check.status}")
            if check.status == "pass":
                checks.addWidget(label(f"✓  {self.bridge.texts.check(check)}", "small"))
            else:
                checks.addWidget(card(self.bridge.texts.check(check), _ROLE[check.status], heading))

    def _focus(self) -> None:
        step = osteotomy_of(self.bridge)
        plan = None if step is None else self.bridge.value(osteotomy_key(step.id))
        guide = guide_of(self.bridge)
        built = None if guide is None else self.bridge.value(guide_key(guide.id))
        if not self.isVisible() or not isinstance(plan, OsteotomyPlan):
            return
        wanted = (step.id, isinstance(built, Guide))
        if self._focused != wanted:
            self._focused = wanted
            self.stage.look_at(plan.start_lps)
            self.stage.turn_wanted.emit(plan.side.sign * 65.0, 12.0)
            self.stage.focus_wanted.emit(plan.start_lps, 150.0)

    def showEvent(self, event: object) -> None:
        self._focused = None
        super().showEvent(event)

    def renew(self) -> None:
        self._focused = None
        super().renew()
