"""Implants of the plan: add a tray or a plate, take the proposed size or another, see fit and screws."""

from __future__ import annotations

from dataclasses import replace

from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from surgiplan_desktop.base.errors import SurgiPlanError
from surgiplan_desktop.derive.node import Failed
from surgiplan_desktop.gui.bridge import Bridge
from surgiplan_desktop.gui.steps import implants_of
from surgiplan_desktop.gui.viewports.stage import Stage
from surgiplan_desktop.gui.widgets.fields import ChoiceField
from surgiplan_desktop.gui.widgets.findings import FindingList, card
from surgiplan_desktop.gui.widgets.layout import button, clear, group, label
from surgiplan_desktop.model.case import Case
from surgiplan_desktop.model.edits import next_step_id, put_step, remove_step
from surgiplan_desktop.model.steps import ImplantStep, OsteotomyStep
from surgiplan_desktop.planning.catalogue import PlateFamily, TrayFamily
from surgiplan_desktop.planning.graph import implant_key
from surgiplan_desktop.planning.records import ImplantPlacement


class ImplantGroup(QWidget):
    """One card for each implant."""

    def __init__(self, bridge: Bridge, stage: Stage) -> None:
        super().__init__()
        self._bridge = bridge
        self._stage = stage
        self._shown: object = None
        self._osteotomy: OsteotomyStep | None = None
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        inner = group(layout, bridge.word("group_implants"))
        row = QHBoxLayout()
        self._plate = button(bridge.word("add_plate"), "add_plate", self._add_plate, tip=bridge.word("add_plate_tip"))
        self._tray = button(bridge.word("add_tray"), "add_tray", self._add_tray, tip=bridge.word("add_tray_tip"))
        row.addWidget(self._plate)
        row.addWidget(self._tray)
        inner.addLayout(row)
        self._cards = QVBoxLayout()
        inner.addLayout(self._cards)

    def refresh(self, osteotomy: OsteotomyStep | None) -> None:
        """Show the implants of the side worked on."""
        self._osteotomy = osteotomy
        steps = implants_of(self._bridge)
        self._plate.setEnabled(osteotomy is not None and not any(step.osteotomy for step in steps))
        self._tray.setEnabled(self._bridge.side is not None and not any(step.osteotomy is None for step in steps))
        values = tuple((self._bridge.value(implant_key(step.id)), self._bridge.ready(implant_key(step.id))) for step in steps)
        failed = tuple(self._bridge.state(implant_key(step.id)) for step in steps)
        key = (steps, tuple((id(value), ready) for value, ready in values), tuple(isinstance(f, Failed) for f in failed))
        if key == self._shown:
            return
        self._shown = key
        clear(self._cards)
        for step, (value, ready), state in zip(steps, values, failed, strict=True):
            self._add_card(step, value if isinstance(value, ImplantPlacement) else None, ready, state)

    def _add_card(self, step: ImplantStep, placement: ImplantPlacement | None, ready: bool, state: object) -> None:
        word = self._bridge.word
        kind = "plate" if step.osteotomy else "tray"
        inner = group(self._cards, word(f"implant_{kind}"))
        if isinstance(state, Failed):
            error = state.error
            words = " ".join(self._bridge.texts.error(error)) if isinstance(error, SurgiPlanError) else repr(error)
            inner.addWidget(card(words, "fail"))
        if placement is None:
            inner.addWidget(label(word("computing"), "small"))
        else:
            self._add_fit(inner, step, placement, ready)
        inner.addWidget(button(word("remove"), f"remove_{kind}", lambda: self._remove(step)))

    def _add_fit(self, inner: QVBoxLayout, step: ImplantStep, placement: ImplantPlacement, ready: bool) -> None:
        word = self._bridge.word
        if len(placement.fits) > 1:
            choices: list[tuple[str, object]] = [(word("size_proposed", size=placement.proposed_size), None)]
            choices += [
                (
                    word("size_fit", size=fit.size, over=f"{fit.max_overhang_mm:+.1f}", under=f"{fit.max_underhang_mm:.1f}"),
                    fit.size,
                )
                for fit in placement.fits
            ]
            field = ChoiceField(f"size_{step.id}", word("size"), choices, word("size_tip"))
            field.show_choice(step.size)
            field.chosen.connect(lambda size: self._set_size(step, size))
            inner.addWidget(field)
            fit = next((item for item in placement.fits if item.size == placement.size), None)
            if fit is not None:
                over, under = f"{fit.max_overhang_mm:+.1f}", f"{fit.max_underhang_mm:.1f}"
                inner.addWidget(label(word("fit_words", over=over, under=under, cover=f"{100 * fit.coverage:.0f}"), "small"))
        if placement.screws:
            inner.addWidget(label(word("screws", count=len(placement.screws)), "small"))
        if not ready:
            inner.addWidget(label(word("updating"), "small"))
        findings = FindingList(self._bridge, f"findings_{step.id}")
        findings.show_findings(placement.findings)
        inner.addWidget(findings)

    def _component(self, kind: type) -> tuple[str, str] | None:
        for name, catalogue in self._bridge.services.catalogues.items():
            for component in catalogue.components:
                if isinstance(component, kind):
                    return name, component.id
        return None

    def _add_plate(self) -> None:
        osteotomy = self._osteotomy
        found = self._component(PlateFamily)
        if osteotomy is not None and found is not None:
            self._add("plate", found, osteotomy.id)

    def _add_tray(self) -> None:
        found = self._component(TrayFamily)
        if found is not None:
            self._add("tray", found, None)

    def _add(self, kind: str, found: tuple[str, str], osteotomy: str | None) -> None:
        side = self._bridge.side
        if side is None:
            return

        def edit(case: Case) -> Case:
            return put_step(case, ImplantStep(next_step_id(case, kind), side, *found, osteotomy=osteotomy))

        self._bridge.apply(f"edit_add_{kind}", edit)

    def _set_size(self, step: ImplantStep, size: object) -> None:
        changed = replace(step, size=None if size is None else str(size))
        self._bridge.apply("edit_size", lambda case: put_step(case, changed))

    def _remove(self, step: ImplantStep) -> None:
        self._bridge.apply("edit_remove_implant", lambda case: remove_step(case, step.id))
