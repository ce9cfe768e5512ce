"""Placing a component of a catalogue on the tibia: a tray on its cut, a plate on the opened bone (clinical.md C.1, C.3)."""

from __future__ import annotations

from surgiplan_desktop.base.errors import UsageError
from surgiplan_desktop.base.progress import SILENT, Progress
from surgiplan_desktop.model.mesh import Bone
from surgiplan_desktop.model.steps import ImplantStep
from surgiplan_desktop.planning.catalogue import Component, TrayFamily
from surgiplan_desktop.planning.plate import place_plate
from surgiplan_desktop.planning.records import ImplantPlacement, Landmarks, LegFrames, OsteotomyPlan, Pieces
from surgiplan_desktop.planning.tray import place_tray


def place_implant(
    step: ImplantStep,
    component: Component,
    landmarks: Landmarks,
    frames: LegFrames,
    tibia: Bone,
    plan: OsteotomyPlan | None = None,
    pieces: Pieces | None = None,
    *,
    progress: Progress = SILENT,
) -> ImplantPlacement:
    """Place a component.

    A tray goes on the tibia as it is; a plate needs the osteotomy that it holds open.

    Raises
    ------
    UsageError
        ``tray_takes_no_osteotomy``, ``plate_needs_osteotomy``, ``size_unknown``.
    InputDataError
        ``site_landmark_missing``, ``plane_outside_bone``, ``plate_no_bone``.
    """
    progress.step(0, 1, "placing_implant")
    if isinstance(component, TrayFamily):
        if plan is not None:
            raise UsageError("tray_takes_no_osteotomy", component=component.id)
        return place_tray(step, component, landmarks, frames, tibia, progress)
    if plan is None or pieces is None:
        raise UsageError("plate_needs_osteotomy", component=component.id)
    return place_plate(step, component, landmarks, plan, pieces, progress)
