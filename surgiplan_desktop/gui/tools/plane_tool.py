"""The osteotomy's handles: start point, hinge point, hinge direction, opening angle. Dragged in 3D or in the coronal view."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np

from surgiplan_desktop.base.arrays import FloatArray
from surgiplan_desktop.base.spaces import Frame, rotation_about
from surgiplan_desktop.gui.bridge import Bridge, Drag
from surgiplan_desktop.gui.steps import osteotomy_of
from surgiplan_desktop.gui.tools.base import Handle, Tool
from surgiplan_desktop.model.edits import put_step
from surgiplan_desktop.model.steps import OsteotomyStep, Target, Vector
from surgiplan_desktop.planning.graph import osteotomy_key
from surgiplan_desktop.planning.limits import default_limits
from surgiplan_desktop.planning.records import OsteotomyPlan

#: Distance of the direction handle from the hinge point along the hinge (mm).
DIRECTION_MM: Final = 34.0


def local_vector(frame: Frame, point_lps: FloatArray) -> Vector:
    """Return a point in frame coordinates as the step keeps it, to 0.01 mm."""
    x, y, z = (round(float(value), 2) for value in frame.to_local(point_lps))
    return x, y, z


def opening_angle(plan: OsteotomyPlan, point_lps: FloatArray) -> float:
    """Return the opening (deg, positive opens medially) that brings the start point of the distal piece towards a point."""
    axis = plan.hinge_direction
    arm, towards = plan.start_lps - plan.hinge_lps, point_lps - plan.hinge_lps
    arm = arm - axis * float(arm @ axis)
    towards = towards - axis * float(towards @ axis)
    turned = np.degrees(np.arctan2(float(axis @ np.cross(arm, towards)), float(arm @ towards)))
    # The plan's own motion says which sense of rotation opens.
    probe = rotation_about(plan.hinge_lps, axis, 1.0)(plan.start_lps)
    sense = -1.0 if plan.plane.signed_distance(probe) > plan.plane.signed_distance(plan.start_lps) else 1.0
    return float(turned * sense)


class PlaneTool(Tool):
    """Handles of the osteotomy of the side worked on."""

    def __init__(self, bridge: Bridge) -> None:
        self._bridge = bridge
        self._drag: Drag | None = None

    def _plan(self) -> tuple[OsteotomyStep, OsteotomyPlan] | None:
        step = osteotomy_of(self._bridge)
        plan = self._bridge.value(osteotomy_key(step.id)) if step is not None else None
        return (step, plan) if step is not None and isinstance(plan, OsteotomyPlan) else None

    def handles(self) -> tuple[Handle, ...]:
        found = self._plan()
        if found is None:
            return ()
        _, plan = found
        word = self._bridge.word
        start, hinge = plan.frame.to_local(plan.start_lps), plan.frame.to_local(plan.hinge_lps)
        below = word("below_knee_centre", mm=f"{-start[1]:.1f}")
        hinge_words = word("hinge_place", below=f"{-hinge[1]:.1f}", lateral=f"{hinge[2] * plan.side.sign:.1f}")
        angle = word("opening_of", deg=f"{plan.angle_deg:.1f}")
        tip = plan.hinge_lps + DIRECTION_MM * plan.hinge_direction
        turn = word("turned_by", deg=f"{hinge_turn(plan.frame.direction_to_local(plan.hinge_direction)):.1f}")
        return (
            Handle("start", plan.start_lps, "cut", word("handle_start"), below, "ball", everywhere=True),
            Handle("hinge", plan.hinge_lps, "danger", word("handle_hinge"), hinge_words, "ring", everywhere=True),
            Handle("direction", tip, "danger", word("handle_direction"), turn, "diamond", everywhere=True),
            Handle(
                "angle", plan.correction(plan.start_lps), "piece/moved", word("handle_angle"), angle, "diamond", everywhere=True
            ),
        )

    def press(self, handle: str) -> None:
        self._drag = self._bridge.interaction(f"edit_{handle}")

    def drag(self, handle: str, point_lps: FloatArray) -> None:
        found = self._plan()
        if self._drag is None or found is None:
            return
        step, plan = found
        changed = self.moved(step, plan, handle, point_lps)
        self._drag.apply(lambda case: put_step(case, changed))

    @staticmethod
    def moved(step: OsteotomyStep, plan: OsteotomyPlan, handle: str, point_lps: FloatArray) -> OsteotomyStep:
        """Return the step with a handle at a point."""
        if handle == "start":
            return replace(step, start_tibia=local_vector(plan.frame, point_lps))
        if handle == "hinge":
            return replace(step, hinge_tibia=local_vector(plan.frame, point_lps))
        if handle == "direction":
            away = plan.frame.direction_to_local(point_lps - plan.hinge_lps)
            length = float(np.linalg.norm(away))
            if length < 1.0:
                return step
            x, y, z = (round(float(value), 5) for value in away / length)
            return replace(step, hinge_direction_tibia=(x, y, z))
        largest = default_limits()["osteotomy.max_angle_deg"]
        angle = round(float(np.clip(opening_angle(plan, point_lps), 0.5, largest)), 1)
        return replace(step, target=Target("angle", angle))

    def release(self, handle: str) -> None:
        drag, self._drag = self._drag, None
        if drag is not None:
            drag.close()


def hinge_turn(direction_local: FloatArray) -> float:
    """Return how far the hinge points to the right of straight anterior, seen from proximal (deg)."""
    return float(np.degrees(np.arctan2(direction_local[2], direction_local[0])))
