"""What must hold before a guide is printed, as records with value and limit (clinical.md D, practice.md 17-20)."""

from __future__ import annotations

from typing import Literal

import numpy as np

from surgiplan_desktop.base.arrays import FloatArray
from surgiplan_desktop.base.spaces import Affine
from surgiplan_desktop.geometry.solid import components, intersection_volume, is_solid, volume
from surgiplan_desktop.model.mesh import Mesh
from surgiplan_desktop.model.steps import Blade
from surgiplan_desktop.planning.guide_play import Contact, thinnest_wall
from surgiplan_desktop.planning.limits import default_limits
from surgiplan_desktop.planning.records import Check, FreePlay, WedgeDetail

Status = Literal["pass", "warn", "fail"]


def at_least(name: str, value: float, limit: float, *, otherwise: Status = "fail", digits: int = 2) -> Check:
    """Return a check that passes when the value is not below the limit."""
    return Check(name, "pass" if value >= limit else otherwise, round(value, digits), limit)


def at_most(name: str, value: float, limit: float, *, otherwise: Status = "fail", digits: int = 2) -> Check:
    """Return a check that passes when the value is not above the limit."""
    return Check(name, "pass" if value <= limit else otherwise, round(value, digits), limit)


def body_checks(guide: Mesh, bone: Mesh) -> tuple[Check, ...]:
    """Check that the guide is one closed oriented body of a sensible volume that shares nothing with the bone."""
    limits = default_limits()
    closed = is_solid(guide)
    parts = len(components(guide, name="guide")) if closed else 0
    size = volume(guide)
    inside = limits["guide.volume_low_mm3"] <= size <= limits["guide.volume_high_mm3"]
    band = f"{limits['guide.volume_low_mm3']:.0f} .. {limits['guide.volume_high_mm3']:.0f}"
    shared = intersection_volume(guide, bone, name="guide and bone") if closed else -1.0
    return (
        Check("guide_closed", "pass" if closed else "fail", "closed" if closed else "open", "closed"),
        Check("guide_one_body", "pass" if parts == 1 else "fail", float(parts), 1.0),
        Check("guide_volume", "pass" if inside else "fail", round(size, 1), band),
        Check("guide_bone_intersection", "pass" if shared == 0.0 else "fail", round(shared, 6), 0.0),
    )


def sweep_check(guide: Mesh, bone: Mesh, withdrawal: FloatArray) -> Check:
    """Check that the guide comes off straight: at eight places along 30 mm it shares nothing with the bone."""
    reach = default_limits()["guide.sweep_mm"]
    worst = 0.0
    for share in (1 / 60, 1 / 30, 1 / 15, 1 / 8, 1 / 4, 1 / 2, 3 / 4, 1.0):
        moved = guide.moved(Affine.from_parts(np.eye(3), share * reach * withdrawal))
        worst = max(worst, intersection_volume(moved, bone, name="guide swept"))
    return Check("guide_insertion_free", "pass" if worst == 0.0 else "fail", round(worst, 6), 0.0)


def wall_check(guide: Mesh, contact: Contact, clearance_mm: float) -> Check:
    """Check the wall over the contact faces."""
    return at_least("guide_wall", thinnest_wall(guide, contact, clearance_mm), default_limits()["guide.wall_min_mm"])


def seat_checks(contact: Contact, play: FreePlay) -> tuple[Check, ...]:
    """Check the contact area and the free play of the seat."""
    limits = default_limits()
    status: Status = "pass"
    if play.mm > limits["guide.play_fail_mm"] or play.deg > limits["guide.play_fail_deg"]:
        status = "fail"
    elif play.mm > limits["guide.play_warn_mm"] or play.deg > limits["guide.play_warn_deg"]:
        status = "warn"
    bound = "fail" if status == "fail" else "warn"
    limit = f"{limits[f'guide.play_{bound}_mm']:.1f} mm, {limits[f'guide.play_{bound}_deg']:.1f} deg"
    parameters = (("mm", play.mm), ("deg", play.deg))
    return (
        at_least("guide_contact_area", contact.area_mm2, limits["guide.contact_min_mm2"], otherwise="warn", digits=1),
        Check("seat_unstable", status, f"{play.mm:.2f} mm, {play.deg:.2f} deg", limit, parameters),
    )


def blade_check(blade: Blade, guide_height_mm: float, wedge: WedgeDetail) -> Check:
    """Check that the blade, less what the guide takes of it, reaches the hinge on every ray (practice.md 19)."""
    needed = max((ray.entry_to_hinge_mm - ray.entry_to_cortex_mm for ray in wedge.saw), default=0.0)
    spare = blade.usable_length_mm - guide_height_mm - needed
    return at_least("blade_too_short", spare, 0.0, digits=1)
