"""JSON Patch (RFC 6902, operations add, remove and replace): what an edit changed in case.json, readable by other programs."""

from __future__ import annotations

from typing import Any

Patch = list[dict[str, Any]]


def diff(before: Any, after: Any) -> Patch:
    """Return the operations that turn ``before`` into ``after`` (JSON values)."""
    patch: Patch = []
    _diff(before, after, "", patch)
    return patch


def apply(document: Any, patch: Patch) -> Any:
    """Return the patched document; the given one stays as it is. ValueError when the patch does not fit."""
    for operation in patch:
        document = _applied(document, _tokens(operation["path"]), operation)
    return document


def _diff(before: Any, after: Any, path: str, patch: Patch) -> None:
    if isinstance(before, dict) and isinstance(after, dict):
        patch.extend({"op": "remove", "path": f"{path}/{_escaped(key)}"} for key in before if key not in after)
        for key, value in after.items():
            here = f"{path}/{_escaped(key)}"
            if key in before:
                _diff(before[key], value, here, patch)
            else:
                patch.append({"op": "add", "path": here, "value": value})
    elif isinstance(before, list) and isinstance(after, list):
        _diff_lists(before, after, path, patch)
    elif not _same(before, after):
        patch.append({"op": "replace", "path": path, "value": after})


def _diff_lists(before: list[Any], after: list[Any], path: str, patch: Patch) -> None:
    if len(before) == len(after):
        for number, (old, new) in enumerate(zip(before, after, strict=True)):
            _diff(old, new, f"{path}/{number}", patch)
        return
    shorter = min(len(before), len(after))
    start = 0
    while start < shorter and _same(before[start], after[start]):
        start += 1
    end = 0
    while end < shorter - start and _same(before[-1 - end], after[-1 - end]):
        end += 1
    # From the back, so that the numbers of the places in front stay right.
    patch.extend({"op": "remove", "path": f"{path}/{number}"} for number in reversed(range(start, len(before) - end)))
    for number in range(start, len(after) - end):
        patch.append({"op": "add", "path": f"{path}/{number}", "value": after[number]})


def _same(one: Any, other: Any) -> bool:
    """JSON equality: true is not 1, and 1 is not 1.0 (their texts differ)."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(_same(value, other[key]) for key, value in one.items())
    if isinstance(one, list):
        return len(one) == len(other) and all(map(_same, one, other))
    return bool(one == other)


def _applied(document: Any, tokens: list[str], operation: dict[str, Any]) -> Any:
    kind = operation["op"]
    if kind not in ("add", "remove", "replace"):
        raise ValueError(f"unknown operation {kind!r}")
    if not tokens:
        if kind == "remove":
            raise ValueError("the whole document cannot be removed")
        return operation["value"]
    token, rest = tokens[0], tokens[1:]
    if isinstance(document, dict):
        return _applied_to_dict(document, token, rest, operation)
    if isinstance(document, list):
        return _applied_to_list(document, token, rest, operation)
    raise ValueError(f"there is nothing below {token!r}")


def _applied_to_dict(document: dict[str, Any], token: str, rest: list[str], operation: dict[str, Any]) -> dict[str, Any]:
    if token not in document and (rest or operation["op"] != "add"):
        raise ValueError(f"there is no {token!r}")
    copy = dict(document)
    if rest:
        copy[token] = _applied(document[token], rest, operation)
    elif operation["op"] == "remove":
        del copy[token]
    else:
        copy[token] = operation["value"]
    return copy


def _applied_to_list(document: list[Any], token: str, rest: list[str], operation: dict[str, Any]) -> list[Any]:
    if not token.isdecimal() or int(token) >= len(document) + (not rest and operation["op"] == "add"):
        raise ValueError(f"there is no place {token!r}")
    number = int(token)
    copy = list(document)
    if rest:
        copy[number] = _applied(document[number], rest, operation)
    elif operation["op"] == "remove":
        del copy[number]
    elif operation["op"] == "add":
        copy.insert(number, operation["value"])
    else:
        copy[number] = operation["value"]
    return copy


def _escaped(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")


def _tokens(path: str) -> list[str]:
    if path == "":
        return []
    if not path.startswith("/"):
        raise ValueError(f"not a path: {path!r}")
    return [part.replace("~1", "/").replace("~0", "~") for part in path[1:].split("/")]
