"""Legs that several tests look at: a varus right one, and a left and a right one far from the mean."""

from __future__ import annotations

import pytest

from surgiplan_desktop.phantom.limb import Leg
from tests.phantom.legs import PARAMETERS, built


@pytest.fixture(params=sorted(PARAMETERS))
def leg(request: pytest.FixtureRequest) -> Leg:
    """Give each of the three legs in turn."""
    return built(request.param)


@pytest.fixture
def varus() -> Leg:
    """Give the varus right leg."""
    return built("varus")
