"""The bodies a guide is built with, for those who take them into their own CAD (practice.md 22)."""

from __future__ import annotations

from surgiplan_desktop.base.spaces import Frame
from surgiplan_desktop.geometry.solid import box, cylinder
from surgiplan_desktop.model.mesh import Bone, Mesh
from surgiplan_desktop.model.steps import GuideStep, OsteotomyStep
from surgiplan_desktop.planning.guide_site import find_site
from surgiplan_desktop.planning.guide_slot import find_slot, slot_tool
from surgiplan_desktop.planning.records import Guide, Landmarks, OsteotomyPlan

#: Thickness of a plane that is given as a body, mm, and its edge.
_SHEET_MM = 0.1
_SHEET_EDGE_MM = 120.0


def construction_bodies(
    step: GuideStep, osteotomy: OsteotomyStep, landmarks: Landmarks, plan: OsteotomyPlan, tibia: Bone, guide: Guide
) -> dict[str, Mesh]:
    """Return slot tool, bores and cut plane, each its own body in the patient's space (LPS mm), by name."""
    site = find_site(landmarks, plan, tibia)
    slot = find_slot(site, step, osteotomy.blade)
    middle = 0.5 * (plan.start_lps + plan.hinge_lps)
    sheet = box(Frame(middle, slot.frame.axes), (_SHEET_EDGE_MM, _SHEET_MM, _SHEET_EDGE_MM))
    bodies = {"slot-tool": slot_tool(slot), "cut-plane": sheet}
    for sleeve in guide.sleeves:
        end = sleeve.top_lps + sleeve.to_far_cortex_mm * sleeve.direction
        bodies[f"pin-{sleeve.name}"] = cylinder(sleeve.top_lps - 20.0 * sleeve.direction, end, step.pin_diameter_mm / 2)
    return bodies


def axes_table(guide: Guide) -> str:
    """Return the sleeves' axes as CSV: name, top, direction, bore, distance from the top to the far cortex (LPS mm)."""
    rows = ["name,fragment,top_x,top_y,top_z,direction_x,direction_y,direction_z,bore_mm,to_far_cortex_mm"]
    for sleeve in guide.sleeves:
        numbers = [*sleeve.top_lps.tolist(), *sleeve.direction.tolist(), sleeve.bore_mm, sleeve.to_far_cortex_mm]
        rows.append(",".join([sleeve.name, sleeve.fragment, *(f"{number:.5f}" for number in numbers)]))
    return "\n".join(rows) + "\n"
