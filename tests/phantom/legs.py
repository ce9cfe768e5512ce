"""The legs of the tests, each built once a run."""

from __future__ import annotations

from surgiplan_desktop.model.anatomy import BoneName, Side
from surgiplan_desktop.phantom.limb import Leg, build_leg
from surgiplan_desktop.phantom.parameters import LegParameters

PARAMETERS = {
    "varus": LegParameters(mldfa_deg=88.0, mpta_deg=83.0, jlca_deg=2.0),
    "valgus": LegParameters(
        side=Side.LEFT, mldfa_deg=84.0, mpta_deg=92.0, jlca_deg=0.0, seed=5, variation=1.0,
        knee_width_mm=70.0, tibia_length_mm=340.0, femur_length_mm=400.0,
    ),
    "odd": LegParameters(
        mldfa_deg=92.0, mpta_deg=81.0, jlca_deg=5.0, seed=11, variation=1.0, knee_width_mm=85.0, head_radius_mm=26.0,
        slope_medial_deg=12.0, slope_lateral_deg=4.0, femoral_torsion_deg=30.0, tibial_torsion_deg=15.0,
    ),
}  # fmt: skip
#: The bones of a phantom leg.
BONES = (BoneName.FEMUR, BoneName.TIBIA, BoneName.FIBULA, BoneName.PATELLA, BoneName.TALUS, BoneName.HIP)
STEP_MM = 1.0
_built: dict[str, Leg] = {}


def built(name: str) -> Leg:
    """Build a leg once for all tests of the run."""
    if name not in _built:
        _built[name] = build_leg(PARAMETERS[name], step_mm=STEP_MM)
    return _built[name]
