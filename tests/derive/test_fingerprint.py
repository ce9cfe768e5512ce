"""Fingerprints: equal values give equal ones, different values different ones, in every process."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from surgiplan_desktop.derive.fingerprint import fingerprint_of, node_fingerprint
from surgiplan_desktop.derive.node import Node
from surgiplan_desktop.model.anatomy import BoneId, BoneName, Side
from surgiplan_desktop.model.steps import OsteotomyStep, Target

STEP = OsteotomyStep("mowhto-1", Side.LEFT, Target("wbl", 55.0))

scalars = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=8), st.binary(max_size=4)
)
values = st.recursive(scalars, lambda inner: st.lists(inner, max_size=4).map(tuple), max_leaves=12)


def plain(value: object) -> object:
    """A form in which Python's own equality is the equality meant: true is not 1."""
    if isinstance(value, tuple):
        return tuple(map(plain, value))
    return (isinstance(value, bool), value)


@given(values, values)
def test_equal_values_and_only_they_have_equal_fingerprints(one: object, other: object) -> None:
    assert (fingerprint_of(one) == fingerprint_of(other)) == (plain(one) == plain(other))


def test_numbers_that_came_back_from_json_change_nothing() -> None:
    assert fingerprint_of(Target("wbl", 55)) == fingerprint_of(Target("wbl", 55.0))
    assert fingerprint_of(0.0) == fingerprint_of(-0.0) == fingerprint_of(np.int16(0))
    assert fingerprint_of(np.float64(0.1)) == fingerprint_of(0.1)


def test_every_field_counts() -> None:
    changed = (
        replace(STEP, id="mowhto-2"),
        replace(STEP, side=Side.RIGHT),
        replace(STEP, target=Target("hka", 55.0)),
        replace(STEP, post_jlca_deg=0.0),
        replace(STEP, start_tibia=(0.0, 0.0, 0.0)),
    )
    assert len({fingerprint_of(step) for step in (STEP, *changed)}) == 6


def test_enum_and_its_text_differ_and_named_tuples_are_tuples() -> None:
    assert fingerprint_of(Side.LEFT) != fingerprint_of("left")
    assert fingerprint_of(BoneId(Side.LEFT, BoneName.TIBIA)) == fingerprint_of((Side.LEFT, BoneName.TIBIA))


def test_mappings_have_no_order_and_arrays_count_by_content() -> None:
    assert fingerprint_of({"a": 1, "b": 2}) == fingerprint_of(MappingProxyType({"b": 2, "a": 1}))
    assert fingerprint_of({"a": 1}) != fingerprint_of({"a": 2})
    assert fingerprint_of(np.arange(6)) != fingerprint_of(np.arange(6).reshape(2, 3))
    assert fingerprint_of(frozenset({1, 2})) == fingerprint_of(frozenset({2, 1}))


@dataclass
class Changeable:
    value: int = 0


@pytest.mark.parametrize("value", [[1], Changeable(), object(), print, {"a": [1]}])
def test_what_could_change_is_refused(value: object) -> None:
    with pytest.raises(TypeError):
        fingerprint_of(value)


def test_same_in_another_process() -> None:
    code = (
        "from surgiplan_desktop.derive.fingerprint import fingerprint_of as f\n"
        "from surgiplan_desktop.model.steps import *\nfrom surgiplan_desktop.model.anatomy import *\n"
        "print(f((OsteotomyStep('mowhto-1', Side.LEFT, Target('wbl', 55.0)), {'b': 1, 'a': frozenset('xyz')})))"
    )
    answers = {
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60).stdout.strip()
        for _ in range(2)
    }
    assert answers == {fingerprint_of((STEP, {"a": frozenset("xyz"), "b": 1}))}


def test_a_result_depends_on_name_version_parameters_and_needs() -> None:
    node = Node("f", 1, len, (1,))
    others = (replace(node, name="g"), replace(node, version=2), replace(node, params=(2,)))
    prints = {node_fingerprint(item, ("a",)) for item in (node, *others)} | {
        node_fingerprint(node, ("b",)),
        node_fingerprint(node, ()),
    }
    assert len(prints) == 6
    assert node_fingerprint(replace(node, function=max, context=(object(),)), ("a",)) == node_fingerprint(node, ("a",))
