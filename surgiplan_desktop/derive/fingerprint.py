"""Fingerprints: a canonical, stable hash of frozen values, and of a result by what it is made from.

Equal values give equal fingerprints in every process and on every machine; 1, 1.0 and -0.0 against 0.0 are equal values, as they
are for Python, so a number that was read back from JSON changes nothing.
"""

from __future__ import annotations

import hashlib
import math
import struct
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields
from enum import Enum
from functools import cache
from typing import Any

import numpy as np

from surgiplan_desktop.base.arrays import content_digest
from surgiplan_desktop.derive.node import Key, Node

_Write = Callable[[bytes], None]


def fingerprint_of(value: object) -> str:
    """SHA-256 (hex) of a frozen value.

    Taken are frozen dataclasses, enums, tuples, mappings, frozen sets, numbers, strings, bytes, None and arrays. Anything that
    could change after it was hashed (lists, objects, functions) is a TypeError.
    """
    digest = hashlib.sha256()
    _feed(digest.update, value)
    return digest.hexdigest()


def node_fingerprint(node: Node, needs: Iterable[str]) -> str:
    """Fingerprint of a result: hash of name, version, own parameters and the fingerprints of its needs, in order."""
    digest = hashlib.sha256()
    _feed(digest.update, (node.name, node.version, node.params, tuple(needs)))
    return digest.hexdigest()


def missing_fingerprint(key: Key) -> str:
    """Stand-in for the fingerprint of a need that the graph does not have."""
    return fingerprint_of(("missing", key))


def _feed(write: _Write, value: object) -> None:
    # Each value is written as tag, length, content, so that no two different values give the same bytes.
    kind = type(value)
    if kind is str:
        _feed_bytes(write, b"s", value.encode())  # type: ignore[attr-defined]
    elif kind is float or kind is int:
        _feed_number(write, value)  # type: ignore[arg-type]
    elif value is None:
        write(b"N;")
    elif kind is bool:
        write(b"T;" if value else b"F;")
    elif isinstance(value, tuple):
        write(b"(%d:" % len(value))
        for item in value:
            _feed(write, item)
    else:
        _feed_rare(write, value)


def _feed_rare(write: _Write, value: object) -> None:
    kind: Any = type(value)
    if isinstance(value, Enum):
        _feed_bytes(write, b"e", f"{type(value).__qualname__}.{value.name}".encode())
    elif (names := _frozen_fields(kind)) is not None:
        _feed_bytes(write, b"d", kind.__qualname__.encode())
        for name in names:
            _feed_bytes(write, b".", name.encode())
            _feed(write, getattr(value, name))
        write(b";")
    elif isinstance(value, Mapping):
        _feed_sorted(write, b"m", ((fingerprint_of(key), item) for key, item in value.items()))
    elif isinstance(value, frozenset):
        _feed_sorted(write, b"f", ((fingerprint_of(item), None) for item in value))
    elif isinstance(value, bytes):
        _feed_bytes(write, b"b", value)
    elif isinstance(value, np.ndarray):
        _feed_bytes(write, b"a", content_digest(value).encode())
    elif isinstance(value, np.bool_):
        write(b"T;" if value else b"F;")
    elif isinstance(value, np.integer):
        _feed_number(write, int(value))
    elif isinstance(value, np.floating):
        _feed_number(write, float(value))
    else:
        raise TypeError(f"a value of type {type(value).__qualname__} cannot be in a fingerprint: {value!r:.80}")


def _feed_bytes(write: _Write, tag: bytes, content: bytes) -> None:
    write(b"%b%d:" % (tag, len(content)))
    write(content)


def _feed_number(write: _Write, value: float) -> None:
    if isinstance(value, float):
        if not value.is_integer():
            # NaN has many bit patterns; every one of them is the same "not a number".
            write(b"x" + struct.pack("<d", float("nan") if math.isnan(value) else value))
            return
        value = int(value)
    write(b"i%d;" % value)


def _feed_sorted(write: _Write, tag: bytes, items: Iterable[tuple[str, Any]]) -> None:
    ordered = sorted(items, key=lambda item: item[0])
    write(b"%b%d:" % (tag, len(ordered)))
    for key, item in ordered:
        write(key.encode())
        _feed(write, item)


@cache
def _frozen_fields(kind: type[Any]) -> tuple[str, ...] | None:
    parameters = getattr(kind, "__dataclass_params__", None)
    if parameters is None:
        return None
    if not parameters.frozen:
        raise TypeError(f"{kind.__qualname__} is not frozen, so it cannot be in a fingerprint")
    return tuple(field.name for field in fields(kind))
