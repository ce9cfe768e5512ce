"""Margins of the band in which two bones lie near each other, on balls for which they are known."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest

from surgiplan_desktop.base.arrays import AnyArray, FloatArray
from surgiplan_desktop.phantom.fields import sphere
from surgiplan_desktop.phantom.ptfj import joint_margins
from surgiplan_desktop.phantom.small_bones import Fibula


class Ball(SimpleNamespace):
    centre: FloatArray
    radius: float

    def __call__(self, points: AnyArray) -> AnyArray:
        return sphere(points, self.centre, self.radius)


def test_margins_of_two_balls() -> None:
    """The band's edge is a circle: 25 mm from one centre and 29 + 4 mm from the other, 56 mm away."""
    tibia = Ball(centre=np.zeros(3), radius=25.0)
    place = np.array([40.0, 0.0, 0.0])
    fibula = Ball(centre=np.array([56.0, 0.0, 0.0]), radius=29.0, tibia=tibia, head=(place, place))
    x = (25.0**2 - 33.0**2 + 56.0**2) / 112.0
    wide = np.sqrt(25.0**2 - x**2)
    found = joint_margins(cast("Fibula", fibula), np.array([0.0, 1.0, 0.0]))
    for point, expected in zip(found, ([x, 0.0, wide], [x, 0.0, -wide], [x, -wide, 0.0]), strict=True):
        assert point == pytest.approx(expected, abs=0.15)
    turned = joint_margins(cast("Fibula", fibula), np.array([0.0, 0.8, 0.6]))[2]
    assert turned == pytest.approx([x, -0.8 * wide, -0.6 * wide], abs=0.15)
