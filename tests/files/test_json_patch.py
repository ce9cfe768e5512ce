"""JSON patches: applying the difference gives the other document, and what does not fit is refused."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from surgiplan_desktop.files.case_json import dumps
from surgiplan_desktop.files.json_patch import apply, diff

documents = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-3, 3), st.sampled_from([0.5, 1.0]), st.sampled_from(["", "a", "~/"])),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.sampled_from(["a", "b/c", "~d", "", "1"]), inner, max_size=4),
    max_leaves=20,
)


@given(documents, documents)
def test_the_patch_leads_from_one_to_the_other(before: Any, after: Any) -> None:
    kept = dumps(before)
    patch = diff(before, after)
    assert dumps(apply(before, patch)) == dumps(after)
    assert dumps(before) == kept
    assert (patch == []) == (dumps(before) == dumps(after))


def test_a_small_change_is_a_small_patch() -> None:
    before = {"steps": [{"id": 1, "angle": 5.0}, {"id": 2}], "notes": "x" * 1000}
    assert diff(before, {**before, "steps": [{"id": 1, "angle": 6.0}, {"id": 2}]}) == [
        {"op": "replace", "path": "/steps/0/angle", "value": 6.0}
    ]
    assert diff(before, {**before, "steps": [{"id": 2}]}) == [{"op": "remove", "path": "/steps/0"}]


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "remove", "path": "/x"},
        {"op": "replace", "path": "/list/9", "value": 1},
        {"op": "add", "path": "/list/x", "value": 1},
        {"op": "add", "path": "/text/deeper", "value": 1},
        {"op": "move", "path": "/list", "from": "/text"},
        {"op": "remove", "path": ""},
        {"op": "remove", "path": "list"},
    ],
)
def test_a_patch_that_does_not_fit_is_refused(operation: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r".+"):
        apply({"list": [1, 2], "text": "t"}, [operation])
