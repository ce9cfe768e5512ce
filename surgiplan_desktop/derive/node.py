"""Keys, nodes and states of results: the words of the evaluator."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

Key = tuple[str, ...]

#: cheap: computed at once on the owner's thread; thread and process: as a job on that lane.
Cost = Literal["cheap", "thread", "process"]


@dataclass(frozen=True, slots=True)
class Node:
    """How one result is made.

    ``function(*params, *needs)`` for cheap nodes, ``function(*params, *needs, progress=progress)`` for thread and process nodes
    (process functions are top-level and picklable). The fingerprint is made of ``name``, ``version``, ``params`` and the
    fingerprints of the needs, so it must change whenever the function's answer may change: raise ``version``.

    Attributes
    ----------
    name
        Dotted name of the function, part of the fingerprint.
    version
        Version of the algorithm; raised with every change of its results.
    function
        The function itself; not part of the fingerprint.
    params
        Frozen values (dataclasses, strings, numbers, tuples, None) that go first into the call.
    needs
        Keys of the results that go next into the call, in this order.
    context
        Values that go before ``params`` into the call but are in no fingerprint (an asset loader).
    """

    name: str
    version: int
    function: Callable[..., Any]
    params: tuple[Any, ...] = ()
    needs: tuple[Key, ...] = ()
    cost: Cost = "cheap"
    context: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True)
class Ready:
    """The result is at hand for the wanted fingerprint."""

    value: Any
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Stale:
    """The wanted result is not computed yet; ``last`` is the latest earlier value (or None) to be shown greyed."""

    last: Any
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Running:
    """A job computes it; ``last`` as for Stale."""

    last: Any
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Waiting:
    """Something it needs is not there (``key`` names it): failed, or still being computed."""

    last: Any
    key: Key
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Failed:
    """The computation raised ``error``."""

    error: Exception
    fingerprint: str


State = Ready | Stale | Running | Waiting | Failed
