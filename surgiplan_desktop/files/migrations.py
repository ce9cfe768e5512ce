"""From older schemas of case.json to today's, one function a step; newer ones are refused."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from surgiplan_desktop.base.errors import InputDataError
from surgiplan_desktop.model.case import CASE_SCHEMA

Json = dict[str, Any]


def _from_1(data: Json) -> Json:
    """Schema 2 added films, patient, side resolutions, repairs, evidence and scouts, all with a default: nothing to change."""
    return data


def _from_2(data: Json) -> Json:
    """Schema 3 added points on films, looks at points, and what model found the bones, all with a default: nothing to change."""
    return data


#: By the schema it starts from: turns the JSON of schema n into that of n + 1.
MIGRATIONS: Final[Mapping[int, Callable[[Json], Json]]] = {1: _from_1, 2: _from_2}


def migrated(
    data: Json,
    *,
    file: str,
    target: int = CASE_SCHEMA,
    steps: Mapping[int, Callable[[Json], Json]] = MIGRATIONS,
) -> tuple[Json, int]:
    """Return the JSON of a case in the target schema, and the schema it came in. The given JSON is not changed.

    Raises
    ------
    InputDataError
        ``case_too_new`` for a newer schema, ``case_too_old`` where a step is missing, ``case_damaged`` without a schema.
    """
    found = data.get("schema")
    if not isinstance(found, int) or isinstance(found, bool) or found < 1:
        raise InputDataError("case_damaged", file=file, part="schema", detail=f"schema is {found!r}")
    if found > target:
        raise InputDataError("case_too_new", file=file, found=found, known=target)
    for schema in range(found, target):
        step = steps.get(schema)
        if step is None:
            raise InputDataError("case_too_old", file=file, found=found, known=target)
        data = {**step(data), "schema": schema + 1}
    return data, found
