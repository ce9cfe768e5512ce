"""The rule of the four angles, and ranges that name the parameter."""

from __future__ import annotations

import pytest

from surgiplan_desktop.base.errors import UsageError
from surgiplan_desktop.phantom.parameters import LegParameters, resolve_angles


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ((None, None, None, None), (87.0, 87.0, 1.0)),
        ((88.0, 83.0, 2.0, None), (88.0, 83.0, 2.0)),
        ((88.0, 83.0, 2.0, -7.0), (88.0, 83.0, 2.0)),
        # What is left of the sum goes first to MPTA ...
        ((None, None, None, -5.0), (87.0, 83.0, 1.0)),
        ((88.0, None, 2.0, -7.0), (88.0, 83.0, 2.0)),
        # ... as far as its range goes, then to mLDFA, last to JLCA.
        ((None, None, None, -12.0), (91.0, 80.0, 1.0)),
        ((None, None, None, -20.0), (95.0, 80.0, 5.0)),
        ((None, None, None, 16.0), (80.0, 95.0, -1.0)),
        ((None, 87.0, None, -5.0), (91.0, 87.0, 1.0)),
        ((87.0, 87.0, None, -5.0), (87.0, 87.0, 5.0)),
    ],
)
def test_what_is_left_goes_to_what_was_not_given(given: tuple[float | None, ...], expected: tuple[float, float, float]) -> None:
    angles = resolve_angles(*given)
    assert angles == pytest.approx(expected, abs=1e-12)
    if given[3] is not None:
        assert angles.mpta_deg - angles.mldfa_deg - angles.jlca_deg == pytest.approx(given[3], abs=1e-6)


@pytest.mark.parametrize(
    "given", [(88.0, 83.0, 2.0, -6.0), (88.0, 83.0, 2.0, -7.00001), (None, None, None, 30.0), (87.0, 87.0, None, -9.0)]
)
def test_angles_that_do_not_add_up_are_named(given: tuple[float | None, ...]) -> None:
    with pytest.raises(UsageError) as caught:
        resolve_angles(*given)
    assert caught.value.message_id == "phantom_angle_sum"
    assert {"mpta", "mldfa", "jlca", "sum", "deviation"} <= set(caught.value.parameters)


@pytest.mark.parametrize(
    ("name", "value"), [("mpta_deg", 40.0), ("femur_length_mm", -1.0), ("head_radius_mm", float("nan")), ("seed", -1)]
)
def test_an_impossible_parameter_is_named_with_its_range(name: str, value: float) -> None:
    with pytest.raises(UsageError) as caught:
        LegParameters(**{name: value})  # type: ignore[arg-type]
    assert caught.value.parameters["parameter"] == name


def test_a_given_angle_out_of_range_is_refused() -> None:
    with pytest.raises(UsageError) as caught:
        resolve_angles(mpta_deg=40.0)
    assert caught.value.parameters["parameter"] == "mpta_deg"
