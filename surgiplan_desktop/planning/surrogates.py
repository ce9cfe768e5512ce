"""What a scan of the knee alone allows to estimate: angles against the shafts in view, each with an interval (clinical.md A.4).

They never stand in for HKA, mLDFA or MPTA: those stay not measurable without hip and ankle; these carry names of their own, the
status "estimated" and the interval measured by cropping whole phantoms (docs/accuracy.md), never less than clinical.md asks.
"""

from __future__ import annotations

from typing import Final

from surgiplan_desktop.base.arrays import FloatArray
from surgiplan_desktop.geometry.angles import wrapped_deg
from surgiplan_desktop.planning.limits import default_limits
from surgiplan_desktop.planning.measure_leg import Leg

#: Limits with the half width of the interval of each surrogate, degrees.
SURROGATES: Final = {
    "mldfa_surrogate": "surrogate.mldfa_half_width_deg",
    "mpta_surrogate": "surrogate.mpta_half_width_deg",
    "hka_surrogate": "surrogate.hka_half_width_deg",
}


def half_width_deg(measure: str) -> float | None:
    """Half width of the 95 % interval of a surrogate, degrees; None for any other measure."""
    limit = SURROGATES.get(measure)
    return None if limit is None else default_limits()[limit]


def _femoral_axis_deg(leg: Leg) -> FloatArray:
    """Direction of the femoral mechanical axis in the frontal plane of the distal shaft: the shaft turned by the usual AMA."""
    shaft = leg.line("femoral_distal_shaft_low", "femoral_distal_shaft_high")
    return leg.theta(leg.femoral_shaft, shaft) + default_limits()["surrogate.ama_deg"]


def mldfa_surrogate(leg: Leg) -> FloatArray:
    """MLDFA against the distal shaft axis turned by the usual angle between shaft and mechanical axis."""
    line = leg.line("medial_distal_condyle", "lateral_distal_condyle")
    return wrapped_deg(_femoral_axis_deg(leg) - leg.theta(leg.femoral_shaft, line))


def mpta_surrogate(leg: Leg) -> FloatArray:
    """MPTA against the axis of the proximal shaft."""
    down = leg.line("tibial_proximal_shaft_high", "tibial_proximal_shaft_low")
    line = leg.line("lateral_plateau_centre", "medial_plateau_centre")
    return wrapped_deg(leg.theta(leg.tibial_shaft, down) - leg.theta(leg.tibial_shaft, line))


def hka_surrogate(leg: Leg) -> FloatArray:
    """HKA of the two estimated axes in the frontal plane of the femur's distal shaft."""
    down = leg.line("tibial_proximal_shaft_high", "tibial_proximal_shaft_low")
    femoral_down = _femoral_axis_deg(leg) - 180.0
    return 180.0 + wrapped_deg(leg.theta(leg.femoral_shaft, down) - femoral_down)
