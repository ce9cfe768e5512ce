"""Golden values of clinical.md 0.5 for Dugdale's angle: what it is, and how far it falls short at that hinge."""

from __future__ import annotations

import numpy as np
import pytest

from surgiplan_desktop.geometry.angles import angle_between_deg
from surgiplan_desktop.model.anatomy import Side
from tests.planning.golden_leg import ANKLE, POINTS
from tests.planning.test_osteotomy import solve


@pytest.mark.parametrize("side", [Side.RIGHT, Side.LEFT])
@pytest.mark.parametrize(
    ("percent", "angle", "reached"), [(50, 8.000, 48.22), (55, 9.071, 52.96), (62, 10.568, 59.57), (62.5, 10.675, 60.05)]
)
def test_dugdale_ignores_the_hinge_and_falls_short(side: Side, percent: float, angle: float, reached: float) -> None:
    medial, lateral = (np.array(POINTS[f"{name}_plateau_edge"], dtype=np.float64) for name in ("medial", "lateral"))
    target = medial + percent / 100.0 * (lateral - medial)
    dugdale = float(angle_between_deg(target - np.array(POINTS["hip_centre"]), np.array([*ANKLE, 0.0]) - target))
    assert dugdale == pytest.approx(angle, abs=6e-4)
    plan = solve("angle", dugdale, side, post_jlca_deg=0.0)
    assert plan.after["wbl"] == pytest.approx(reached, abs=0.006)
