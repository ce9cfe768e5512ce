"""Case and View to JSON and back. Strict: an unknown field or a value of another type is refused, never guessed.

Landmarks stand under ``"<side>/<landmark>"``; a bone is ``"<side>_<bone>"``; a step bears its ``"step"``: ``"osteotomy"``,
``"implant"`` or ``"guide"``.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from functools import cache, partial
from types import MappingProxyType
from typing import Any, Final

import cattrs
from cattrs.gen import make_dict_structure_fn, make_dict_unstructure_fn

from surgiplan_desktop.base.errors import InputDataError
from surgiplan_desktop.model.anatomy import BoneId, BoneName, LandmarkId, Side
from surgiplan_desktop.model.case import Case, Landmark
from surgiplan_desktop.model.steps import GuideStep, ImplantStep, OsteotomyStep, Step
from surgiplan_desktop.model.view import View

Json = dict[str, Any]
_STEP_KINDS: Final[dict[str, type]] = {"osteotomy": OsteotomyStep, "implant": ImplantStep, "guide": GuideStep}
_KIND_OF: Final = {kind: name for name, kind in _STEP_KINDS.items()}
_Scalar = str | int | float | bool


def case_to_json(case: Case) -> Json:
    """Return the case as JSON values."""
    result: Json = _converter().unstructure(case)
    return result


def case_from_json(data: object, *, file: str = "case.json") -> Case:
    """Return the case of JSON values; InputDataError ``case_damaged`` when they are none."""
    try:
        return _converter().structure(data, Case)
    except Exception as error:
        raise InputDataError("case_damaged", file=file, part="case.json", detail=_reason(error)) from error


def view_to_json(view: View) -> Json:
    """Return the view as JSON values."""
    result: Json = _converter().unstructure(view)
    return result


def view_from_json(data: object) -> View:
    """Return the view of JSON values; the usual view when they are none, since nothing is lost with it."""
    try:
        return _converter().structure(data, View)
    except Exception:  # noqa: BLE001 - cattrs raises many kinds, and all of them mean the same here
        return View()


def dumps(data: object) -> str:
    """Return canonical JSON text: sorted keys, no spaces, no NaN."""
    return json.dumps(data, ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":"))


@cache
def _converter() -> cattrs.Converter:
    converter = cattrs.Converter(forbid_extra_keys=True)
    for kind, check in _CHECKS.items():
        converter.register_structure_hook(kind, partial(_checked, check))
    # Their own hooks: as subclasses of str they would stay plain texts.
    converter.register_structure_hook(Side, lambda value, _: Side(_text(value)))
    converter.register_structure_hook(BoneName, lambda value, _: BoneName(_text(value)))
    converter.register_structure_hook_func(lambda kind: kind == _Scalar, lambda value, _: _scalar(value))
    converter.register_unstructure_hook(BoneId, str)
    converter.register_structure_hook(BoneId, lambda value, _: _bone(value))
    landmarks = Mapping[tuple[Side, LandmarkId], Landmark]
    converter.register_unstructure_hook_func(
        lambda kind: kind == landmarks,
        lambda items: {f"{side}/{name}": converter.unstructure(item) for (side, name), item in items.items()},
    )
    converter.register_structure_hook_func(lambda kind: kind == landmarks, lambda value, _: _landmarks(converter, value))
    opacity = Mapping[str, float]
    converter.register_unstructure_hook_func(lambda kind: kind == opacity, dict)
    converter.register_structure_hook_func(
        lambda kind: kind == opacity, lambda value, _: MappingProxyType({_text(k): _number(v) for k, v in value.items()})
    )
    unstructure: dict[type, Callable[[Any], Json]] = {
        kind: make_dict_unstructure_fn(kind, converter) for kind in _STEP_KINDS.values()
    }
    structure: dict[type, Callable[[Any, Any], Any]] = {
        kind: make_dict_structure_fn(kind, converter) for kind in _STEP_KINDS.values()
    }
    converter.register_unstructure_hook_func(
        lambda kind: kind == Step, lambda step: {"step": _KIND_OF[type(step)], **unstructure[type(step)](step)}
    )
    converter.register_structure_hook_func(lambda kind: kind == Step, lambda value, _: _step(structure, value))
    return converter


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise TypeError(f"a finite number is wanted, not {value!r}")
    return float(value)


def _whole(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"a whole number is wanted, not {value!r}")
    return value


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"a text is wanted, not {value!r}")
    return value


def _truth(value: object) -> bool:
    if not isinstance(value, bool):
        raise TypeError(f"true or false is wanted, not {value!r}")
    return value


def _scalar(value: object) -> _Scalar:
    if not isinstance(value, (str, int, float, bool)):
        raise TypeError(f"a text, number or truth value is wanted, not {value!r}")
    return value


def _bone(value: object) -> BoneId:
    side, _, bone = _text(value).partition("_")
    return BoneId(Side(side), BoneName(bone))


def _landmarks(converter: cattrs.Converter, value: Any) -> Mapping[tuple[Side, LandmarkId], Landmark]:
    items: dict[tuple[Side, LandmarkId], Landmark] = {}
    for key, item in value.items():
        side, _, name = _text(key).partition("/")
        items[Side(side), name] = converter.structure(item, Landmark)
    return MappingProxyType(items)


def _step(structure: Mapping[type, Any], value: Any) -> Step:
    content = dict(value)
    kind = _STEP_KINDS[content.pop("step")]
    step: Step = structure[kind](content, kind)
    return step


def _checked(check: Callable[[object], Any], value: object, _: object) -> Any:
    return check(value)


_CHECKS: Final[dict[type, Callable[[object], Any]]] = {float: _number, int: _whole, str: _text, bool: _truth}


def _reason(error: Exception) -> str:
    if isinstance(error, cattrs.BaseValidationError):
        return "; ".join(cattrs.transform_error(error))
    return repr(error)
