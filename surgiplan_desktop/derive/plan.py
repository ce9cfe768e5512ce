"""A graph made ready for evaluation: order, fingerprints, and which results hang on which."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from surgiplan_desktop.derive.fingerprint import missing_fingerprint, node_fingerprint
from surgiplan_desktop.derive.node import Key, Node


@dataclass(frozen=True, slots=True)
class Plan:
    """A graph with the fingerprint of every node; ``order`` lists needs before what needs them. Never changed once made."""

    nodes: Mapping[Key, Node]
    order: tuple[Key, ...]
    fingerprints: Mapping[Key, str]

    def closure(self, keys: Iterable[Key]) -> frozenset[Key]:
        """Return the keys and all they need, as far as the graph has them."""
        found: set[Key] = set()
        todo = [key for key in keys if key in self.nodes]
        while todo:
            key = todo.pop()
            if key not in found:
                found.add(key)
                todo.extend(need for need in self.nodes[key].needs if need in self.nodes)
        return frozenset(found)


EMPTY_PLAN = Plan({}, (), {})


def plan_of(graph: Mapping[Key, Node]) -> Plan:
    """Order a graph and compute its fingerprints; a circle in it is a ValueError. Needs that it lacks are allowed here."""
    order: list[Key] = []
    fingerprints: dict[Key, str] = {}
    open_keys: set[Key] = set()
    # Depth first with an explicit stack; (key, True) means that its needs are done.
    for root in graph:
        stack = [(root, False)]
        while stack:
            key, needs_done = stack.pop()
            if key in fingerprints:
                continue
            node = graph.get(key)
            if node is None:
                fingerprints[key] = missing_fingerprint(key)
            elif needs_done:
                open_keys.discard(key)
                fingerprints[key] = node_fingerprint(node, (fingerprints[need] for need in node.needs))
                order.append(key)
            else:
                if key in open_keys:
                    raise ValueError(f"the graph has a circle through {key}")
                open_keys.add(key)
                stack.append((key, True))
                stack.extend((need, False) for need in reversed(node.needs))
    return Plan(dict(graph), tuple(order), fingerprints)
