"""Steps of a plan: parameters relative to bone frames, so that the plan follows when the frame moves.

A value of None means "as proposed": the proposal is a result of the graph; a value here is the surgeon's decision.
Tibial-frame coordinates: X anterior, Y proximal, Z to the patient's right, mm, origin at the tibial knee centre.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from surgiplan_desktop.model.anatomy import Side

StepId = str
Vector = tuple[float, float, float]
TargetKind = Literal["wbl", "hka", "mpta", "angle"]
PoseName = Literal["ct", "standing"]


@dataclass(frozen=True, slots=True)
class Blade:
    """The saw blade (clinical.md D). The kerf is what the teeth remove."""

    name: str = "generic 1.2"
    body_mm: float = 0.9
    kerf_mm: float = 1.2
    width_mm: float = 13.0
    usable_length_mm: float = 90.0
    excursion_deg: float = 4.0
    source: str = "generic record, edit to the blade in use (clinical.md D: blades 0.5-1.27 mm)"


@dataclass(frozen=True, slots=True)
class Target:
    """What the correction shall reach: WBL in percent, HKA in degrees (valgus > 180), MPTA or the opening angle in degrees."""

    kind: TargetKind
    value: float


@dataclass(frozen=True, slots=True)
class OsteotomyStep:
    """A medial opening-wedge high tibial osteotomy.

    ``start_tibia`` and ``hinge_tibia`` are points, ``hinge_direction_tibia`` the direction of the hinge line from posterior to
    anterior, all in the tibial frame; None = proposed.
    """

    id: StepId
    side: Side
    target: Target
    type: Literal["mowhto"] = "mowhto"
    pose: PoseName = "ct"
    post_jlca_deg: float | None = None
    start_tibia: Vector | None = None
    hinge_tibia: Vector | None = None
    hinge_direction_tibia: Vector | None = None
    blade: Blade = Blade()


@dataclass(frozen=True, slots=True)
class ImplantStep:
    """A component of a catalogue placed on a bone.

    ``size`` None = the proposed size. ``offset_mm`` moves the component from its proposed place along the placing frame's
    X (anterior), Y (proximal), Z (right); ``turn_deg`` turns it about the placing frame's Y. ``osteotomy`` names the step whose
    opened bone carries a plate; a tibial tray needs none.
    """

    id: StepId
    side: Side
    catalogue: str
    component: str
    size: str | None = None
    osteotomy: StepId | None = None
    offset_mm: Vector = (0.0, 0.0, 0.0)
    turn_deg: float = 0.0


@dataclass(frozen=True, slots=True)
class GuideStep:
    """A cutting and drilling guide for an osteotomy; every length in mm (defaults: clinical.md D, practice.md 17-20)."""

    id: StepId
    side: Side
    osteotomy: StepId
    clearance_mm: float = 0.2
    wall_mm: float = 3.0
    pin_diameter_mm: float = 2.5
    sleeve_clearance_mm: float = 0.2
    sleeve_height_mm: float = 15.0
    revision: int = 1


Step = OsteotomyStep | ImplantStep | GuideStep
