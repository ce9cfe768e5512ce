"""Schemas: newer ones refused, older ones led up step by step."""

from __future__ import annotations

from typing import Any

import pytest

from surgiplan_desktop.base.errors import InputDataError
from surgiplan_desktop.files.migrations import migrated
from surgiplan_desktop.model.case import CASE_SCHEMA

STEPS = {1: lambda data: {**data, "b": data["a"]}, 2: lambda data: {**data, "c": data["b"] + 1}}


def test_older_schemas_are_led_up_and_the_given_json_stays() -> None:
    data = {"schema": 1, "a": 5}
    assert migrated(data, file="x", target=3, steps=STEPS) == ({"schema": 3, "a": 5, "b": 5, "c": 6}, 1)
    assert data == {"schema": 1, "a": 5}
    assert migrated({"schema": CASE_SCHEMA}, file="x") == ({"schema": CASE_SCHEMA}, CASE_SCHEMA)


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        (CASE_SCHEMA + 1, "case_too_new"),
        (None, "case_damaged"),
        ("1", "case_damaged"),
        (True, "case_damaged"),
        (0, "case_damaged"),
    ],
)
def test_what_cannot_be_read_is_refused(schema: Any, message: str) -> None:
    with pytest.raises(InputDataError) as caught:
        migrated({"schema": schema}, file="x.surgiplan")
    assert caught.value.message_id == message


def test_a_gap_in_the_steps_is_refused() -> None:
    with pytest.raises(InputDataError) as caught:
        migrated({"schema": 1}, file="x", target=3, steps={2: STEPS[2]})
    assert caught.value.message_id == "case_too_old"
