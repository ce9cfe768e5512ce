"""Computed values by fingerprint in memory, least recently used out first when the limit is reached."""

from __future__ import annotations

import sys
import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any, Final

import numpy as np


class _Missing:
    """The type of :data:`MISSING`."""


#: What a cache answers for a fingerprint that it does not have (None is a value).
MISSING: Final = _Missing()


def size_of(value: object) -> int:
    """Estimate the bytes of memory that only this value holds; memory-mapped arrays cost none."""
    if isinstance(value, np.ndarray):
        base: Any = value
        while base is not None:
            if isinstance(base, np.memmap):
                return 0
            base = getattr(base, "base", None)
        return int(value.nbytes)
    if is_dataclass(value) and not isinstance(value, type):
        return 64 + sum(size_of(getattr(value, field.name)) for field in fields(value))
    if isinstance(value, Mapping):
        return 64 + sum(size_of(key) + size_of(item) for key, item in value.items())
    if isinstance(value, (tuple, list, frozenset)):
        return 64 + sum(map(size_of, value))
    return sys.getsizeof(value)


class MemoryCache:
    """A cache of limited size that may be used from any thread. The newest value stays even when it alone is too large."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit = limit_bytes
        self._items: OrderedDict[str, tuple[Any, int]] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def get(self, fingerprint: str) -> Any:
        """Return the value, or :data:`MISSING`."""
        with self._lock:
            item = self._items.get(fingerprint)
            if item is None:
                return MISSING
            self._items.move_to_end(fingerprint)
            return item[0]

    def put(self, fingerprint: str, value: Any) -> None:
        """Keep a value; others go when the limit is passed."""
        size = size_of(value)
        with self._lock:
            old = self._items.pop(fingerprint, None)
            self._bytes += size - (0 if old is None else old[1])
            self._items[fingerprint] = (value, size)
            while self._bytes > self._limit and len(self._items) > 1:
                _, (_, gone) = self._items.popitem(last=False)
                self._bytes -= gone

    @property
    def bytes(self) -> int:
        """Estimated size of all values."""
        return self._bytes

    def __contains__(self, fingerprint: str) -> bool:
        with self._lock:
            return fingerprint in self._items

    def __len__(self) -> int:
        return len(self._items)
