"""Implants are dragged by their centre; the offset from the proposed place is kept in the placing frame."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from surgiplan_desktop.base.arrays import FloatArray
from surgiplan_desktop.gui.bridge import Bridge, Drag
from surgiplan_desktop.gui.steps import implants_of
from surgiplan_desktop.gui.tools.base import Handle
from surgiplan_desktop.gui.tools.plane_tool import PlaneTool
from surgiplan_desktop.model.edits import put_step
from surgiplan_desktop.model.steps import ImplantStep
from surgiplan_desktop.planning.graph import implant_key
from surgiplan_desktop.planning.records import ImplantPlacement


class PlanTool(PlaneTool):
    """The osteotomy's handles and one for each implant."""

    def __init__(self, bridge: Bridge) -> None:
        super().__init__(bridge)
        self._implant_drag: Drag | None = None
        self._grabbed: tuple[ImplantStep, ImplantPlacement, FloatArray] | None = None
        self._ghost: FloatArray | None = None

    def handles(self) -> tuple[Handle, ...]:
        made = list(super().handles())
        for step in implants_of(self._bridge):
            placement = self._bridge.value(implant_key(step.id))
            if isinstance(placement, ImplantPlacement):
                point = placement.frame.origin_lps
                if self._grabbed is not None and self._grabbed[0].id == step.id and self._ghost is not None:
                    point = self._ghost
                offset = self._bridge.word("offset_of", mm=" ".join(f"{value:+.1f}" for value in step.offset_mm))
                name = self._bridge.word("handle_implant", size=placement.size)
                made.append(Handle(step.id, point, "implant", name, offset, "ring", everywhere=True))
        return tuple(made)

    def press(self, handle: str) -> None:
        step = next((item for item in implants_of(self._bridge) if item.id == handle), None)
        placement = self._bridge.value(implant_key(handle)) if step is not None else None
        if step is None or not isinstance(placement, ImplantPlacement):
            super().press(handle)
            return
        self._grabbed = (step, placement, placement.frame.origin_lps)
        self._implant_drag = self._bridge.interaction("edit_implant")

    def drag(self, handle: str, point_lps: FloatArray) -> None:
        if self._grabbed is None or self._implant_drag is None:
            super().drag(handle, point_lps)
            return
        step, placement, origin = self._grabbed
        local = placement.frame.direction_to_local(point_lps - origin)
        x, y, z = (round(float(value), 1) for value in np.array(step.offset_mm) + local)
        self._ghost = point_lps
        self._implant_drag.apply(lambda case: put_step(case, replace(step, offset_mm=(x, y, z))))

    def release(self, handle: str) -> None:
        if self._implant_drag is None:
            super().release(handle)
            return
        drag, self._implant_drag = self._implant_drag, None
        self._grabbed = self._ghost = None
        drag.close()
