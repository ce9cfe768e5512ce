"""Named tolerances of the program, each with its reason, and small conversions of units."""

from __future__ import annotations

from typing import Final

#: Vertices are rounded to this before hashing and writing, so that results are byte-equal from run to run (mm).
VERTEX_ROUNDING_MM: Final = 1e-4

#: Factor from a unit of length to millimetres.
MM_PER_UNIT: Final[dict[str, float]] = {"mm": 1.0, "cm": 10.0, "m": 1000.0, "inch": 25.4}


def wrap_deg(angle_deg: float) -> float:
    """Wrap an angle to (-180, 180] degrees."""
    wrapped = (angle_deg + 180.0) % 360.0 - 180.0
    return 180.0 if wrapped == -180.0 else wrapped
