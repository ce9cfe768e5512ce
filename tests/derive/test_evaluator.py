"""The evaluator against plain recomputation, under random edits, jobs, cancels and undo."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from surgiplan_desktop.base.errors import InputDataError, PlanCheckError
from surgiplan_desktop.base.progress import SILENT, Cancelled
from surgiplan_desktop.derive.cache import MISSING, MemoryCache, size_of
from surgiplan_desktop.derive.evaluator import Evaluator, Work
from surgiplan_desktop.derive.node import Failed, Key, Node, Ready, Running, Stale, Waiting
from surgiplan_desktop.derive.plan import plan_of

COSTS = ("cheap", "thread", "process")
BAD = 3


@dataclass
class Handle:
    work: Work
    cancelled: bool = False


class Lanes:
    """Lanes without threads: the test says which job runs when."""

    def __init__(self) -> None:
        self.queue: list[Handle] = []
        self.posted: list[Callable[[], object]] = []

    def submit(self, work: Work) -> Handle:
        self.queue.append(Handle(work))
        return self.queue[-1]

    def cancel(self, handle: Handle) -> None:
        handle.cancelled = True

    def run(self, number: int = 0, *, late: bool = False) -> None:
        """Run a queued job; ``late``: it had already begun when it was cancelled, and ends all the same."""
        handle = self.queue.pop(number % len(self.queue))
        work = handle.work
        if (handle.cancelled and not late) or not work.begin():
            work.finished("cancelled", None, None)
            return
        try:
            value = work.function(*work.args, progress=SILENT)
        except Exception as error:  # noqa: BLE001 - the end of a job
            work.finished("failed", None, error)
        else:
            work.finished("done", value, None)

    def deliver(self) -> None:
        while self.posted:
            self.posted.pop(0)()

    def drain(self) -> None:
        self.deliver()
        while self.queue:
            self.run()
            self.deliver()


class Store:
    def __init__(self) -> None:
        self.items: dict[str, Any] = {}

    def __contains__(self, fingerprint: str) -> bool:
        return fingerprint in self.items

    def get(self, fingerprint: str) -> Any:
        return self.items.get(fingerprint, MISSING)

    def put(self, fingerprint: str, value: Any) -> None:
        self.items[fingerprint] = value


class Bench:
    """An evaluator with its lanes, and a count of what was computed."""

    def __init__(self, store: Store | None = None, limit: int = 10**9) -> None:
        self.lanes = Lanes()
        self.computed: Counter[Any] = Counter()
        self.announced: list[frozenset[Key]] = []
        self.evaluator = Evaluator(
            submit=self.lanes.submit,
            cancel=self.lanes.cancel,
            post=self.lanes.posted.append,
            changed=self.announced.append,
            cache=MemoryCache(limit),
            store=store,
        )

    def node(self, name: str, param: int, needs: tuple[Key, ...] = (), cost: str = "cheap") -> Node:
        def function(name: str, param: int, *needs: Any, progress: object = None) -> Any:
            value = (name, param, needs)
            self.computed[value] += 1
            if param == BAD:
                raise ValueError(name)
            return value

        return Node(name, 1, function, (name, param), needs, cost)  # type: ignore[arg-type]


def naive(graph: dict[Key, Node], key: Key) -> Any:
    """The value, or the key of the first node that fails on the way to it."""
    node = graph[key]
    needs = []
    for need in node.needs:
        value = naive(graph, need)
        if isinstance(value, Broken):
            return value
        needs.append(value)
    name, param = node.params
    return Broken(key) if param == BAD else (name, param, tuple(needs))


@dataclass(frozen=True)
class Broken:
    key: Key


KEYS = [(f"n{number}",) for number in range(6)]
key_sets = st.sets(st.sampled_from(KEYS), max_size=3)


class RandomEdits(RuleBasedStateMachine):
    """Any graph, edited at random while jobs run: the answers are those of plain recomputation, nothing is computed twice."""

    def __init__(self) -> None:
        super().__init__()
        self.bench = Bench()
        self.graphs: list[dict[Key, Node]] = []
        self.holding = False
        self.cancelled_late = False

    @property
    def graph(self) -> dict[Key, Node]:
        return self.graphs[-1]

    def show(self) -> None:
        self.bench.evaluator.update(self.graph)

    @initialize(data=st.data())
    def first_graph(self, data: st.DataObject) -> None:
        graph: dict[Key, Node] = {}
        for number, key in enumerate(KEYS):
            needs = data.draw(st.sets(st.sampled_from(KEYS[:number]), max_size=2)) if number else set()
            cost = data.draw(st.sampled_from(COSTS))
            graph[key] = self.bench.node(key[0], 0, tuple(sorted(needs)), cost)
        self.graphs.append(graph)
        self.show()

    @rule(key=st.sampled_from(KEYS), param=st.integers(0, BAD))
    def edit_parameter(self, key: Key, param: int) -> None:
        self.graphs.append({**self.graph, key: replace(self.graph[key], params=(key[0], param))})
        self.show()

    @rule(number=st.integers(1, len(KEYS) - 1), data=st.data())
    def edit_needs(self, number: int, data: st.DataObject) -> None:
        needs = tuple(sorted(data.draw(st.sets(st.sampled_from(KEYS[:number]), max_size=2))))
        self.graphs.append({**self.graph, KEYS[number]: replace(self.graph[KEYS[number]], needs=needs)})
        self.show()

    @precondition(lambda self: len(self.graphs) > 1)
    @rule()
    def undo(self) -> None:
        self.graphs.pop()
        self.show()

    @rule(keys=key_sets, claimant=st.sampled_from("ab"))
    def want(self, keys: set[Key], claimant: str) -> None:
        self.bench.evaluator.want(keys, claimant)

    @precondition(lambda self: self.bench.lanes.queue)
    @rule(number=st.integers(0, 5), late=st.booleans(), deliver=st.booleans())
    def run_job(self, number: int, late: bool, deliver: bool) -> None:
        self.bench.lanes.run(number, late=late)
        if deliver:
            self.bench.lanes.deliver()

    @rule()
    def interaction(self) -> None:
        self.holding = not self.holding
        (self.bench.evaluator.hold if self.holding else self.bench.evaluator.release)()

    @rule(key=st.sampled_from(KEYS))
    def require(self, key: Key) -> None:
        expected = naive(self.graph, key)
        if isinstance(expected, Broken):
            with pytest.raises(ValueError, match="n"):
                self.bench.evaluator.require(key)
            return
        assert self.bench.evaluator.require(key) == [expected]
        self.bench.lanes.deliver()

    @rule(key=st.sampled_from(KEYS))
    def look(self, key: Key) -> None:
        state = self.bench.evaluator.state(key)
        expected = naive(self.graph, key)
        if isinstance(state, Ready):
            assert state.value == expected
        if isinstance(state, Failed):
            assert expected == Broken(key)

    @rule()
    def let_all_end(self) -> None:
        if self.holding:
            self.interaction()
        evaluator = self.bench.evaluator
        evaluator.want(KEYS, "all")
        self.bench.lanes.drain()
        for key in KEYS:
            expected, state = naive(self.graph, key), evaluator.state(key)
            if not isinstance(expected, Broken):
                assert isinstance(state, Ready), (key, state)
                assert state.value == expected
            elif expected.key == key and not any(isinstance(naive(self.graph, need), Broken) for need in self.graph[key].needs):
                assert isinstance(state, Failed)
            else:
                assert isinstance(state, Waiting)
                assert isinstance(evaluator.state(state.key), Failed)
        evaluator.want((), "all")

    def teardown(self) -> None:
        # A failure without words may be tried again by require; nothing else is ever computed twice.
        twice = {value for value, count in self.bench.computed.items() if count > 1 and value[1] != BAD}
        assert not twice


RandomEdits.TestCase.settings = settings(max_examples=120, stateful_step_count=30, deadline=None)
TestRandomEdits = RandomEdits.TestCase


A, B, C = ("a",), ("b",), ("c",)


def chain(bench: Bench, first: int = 0, costs: tuple[str, str, str] = COSTS) -> dict[Key, Node]:
    return {
        C: bench.node("c", 0, (B,), costs[2]),
        B: bench.node("b", 0, (A,), costs[1]),
        A: bench.node("a", first, (), costs[0]),
    }


def test_heavy_results_wait_for_somebody_who_wants_them() -> None:
    bench = Bench()
    bench.evaluator.update(chain(bench))
    assert isinstance(bench.evaluator.state(A), Ready)
    assert isinstance(bench.evaluator.state(B), Stale)
    assert bench.evaluator.state(C) == Waiting(None, B, bench.evaluator.fingerprint(C))
    assert not bench.lanes.queue
    bench.evaluator.want([C])
    assert isinstance(bench.evaluator.state(B), Running)
    bench.lanes.drain()
    assert bench.evaluator.state(C).value == ("c", 0, (("b", 0, (("a", 0, ()),)),))  # type: ignore[union-attr]


def test_heavy_results_wait_for_the_end_of_an_interaction() -> None:
    bench = Bench()
    bench.evaluator.want([B])
    bench.evaluator.hold()
    for first in (0, 1, 2):
        bench.evaluator.update(chain(bench, first))
        assert isinstance(bench.evaluator.state(B), Stale)
    assert not bench.lanes.queue
    bench.evaluator.release()
    assert [handle.work.args[1] for handle in bench.lanes.queue] == [0]
    bench.lanes.drain()
    assert bench.computed[("b", 0, (("a", 2, ()),))] == 1


def test_newest_wins_and_a_late_result_is_kept() -> None:
    bench = Bench()
    bench.evaluator.want([B])
    bench.evaluator.update(chain(bench, 0))
    bench.evaluator.update(chain(bench, 1))
    old, new = bench.lanes.queue
    assert (old.cancelled, new.cancelled) == (True, False)
    bench.lanes.run(0, late=True)
    bench.lanes.deliver()
    assert isinstance(bench.evaluator.state(B), Running)
    bench.lanes.drain()
    before = bench.computed.total()
    bench.evaluator.update(chain(bench, 0))
    assert isinstance(bench.evaluator.state(B), Ready)
    assert bench.computed.total() == before


def test_last_value_is_shown_until_the_new_one_is_there() -> None:
    bench = Bench()
    bench.evaluator.want([B])
    bench.evaluator.update(chain(bench, 0))
    bench.lanes.drain()
    value = bench.evaluator.state(B).value  # type: ignore[union-attr]
    bench.evaluator.update(chain(bench, 1))
    assert bench.evaluator.state(B) == Running(value, bench.evaluator.fingerprint(B))


def test_undo_computes_nothing() -> None:
    bench = Bench()
    bench.evaluator.want([C])
    graphs = [chain(bench, first) for first in (0, 1, 2)]
    for graph in graphs:
        bench.evaluator.update(graph)
        bench.lanes.drain()
    before = bench.computed.total()
    for graph in reversed(graphs):
        bench.evaluator.update(graph)
        assert isinstance(bench.evaluator.state(C), Ready)
    assert bench.computed.total() == before
    assert not bench.lanes.queue


def test_a_result_on_disk_needs_neither_work_nor_what_it_was_made_from() -> None:
    store = Store()
    first = Bench(store)
    first.evaluator.update(chain(first))
    [value] = first.evaluator.require(C)
    second = Bench(store)
    second.evaluator.update(chain(second))
    assert second.evaluator.require(C) == [value]
    assert second.computed.total() == 0
    third = Bench(store)
    third.evaluator.want([C])
    third.evaluator.update(chain(third))
    assert [handle.work.name for handle in third.lanes.queue] == ["loading_result"]
    third.lanes.drain()
    assert third.evaluator.state(C).value == value  # type: ignore[union-attr]


def test_a_lost_result_on_disk_is_computed() -> None:
    class Broken(Store):
        def get(self, fingerprint: str) -> Any:
            self.items.pop(fingerprint, None)
            return MISSING

    store = Broken()
    first = Bench(store)
    first.evaluator.update(chain(first))
    first.evaluator.require(C)
    second = Bench(store)
    second.evaluator.want([C])
    second.evaluator.update(chain(second))
    second.lanes.drain()
    assert isinstance(second.evaluator.state(C), Ready)


def test_what_the_user_cancelled_stays_until_asked_again() -> None:
    bench = Bench()
    bench.evaluator.want([B])
    bench.evaluator.update(chain(bench))
    bench.lanes.queue[0].cancelled = True
    bench.lanes.drain()
    assert isinstance(bench.evaluator.state(B), Stale)
    bench.evaluator.retry([B])
    bench.lanes.drain()
    assert isinstance(bench.evaluator.state(B), Ready)


def test_what_the_user_cancelled_starts_again_after_an_edit_and_its_undo() -> None:
    bench = Bench()
    bench.evaluator.want([B])
    bench.evaluator.update(chain(bench, 0))
    bench.lanes.queue[0].cancelled = True
    bench.lanes.drain()
    for first in (1, 0):
        bench.evaluator.update(chain(bench, first))
        bench.lanes.drain()
        assert isinstance(bench.evaluator.state(B), Ready)


def test_a_result_has_one_job_however_often_it_is_asked_for() -> None:
    bench = Bench()
    bench.evaluator.update(chain(bench))
    for claimant in "abc":
        bench.evaluator.want([B, C], claimant)
        bench.evaluator.state(B)
    assert len(bench.lanes.queue) == 1


def test_a_missing_need_is_an_error_with_words() -> None:
    bench = Bench()
    bench.evaluator.update({B: bench.node("b", 0, (A,))})
    assert bench.evaluator.state(B) == Waiting(None, A, bench.evaluator.fingerprint(B))
    assert bench.evaluator.state(C) == Waiting(None, C, "")
    for key in (B, C):
        with pytest.raises(InputDataError) as caught:
            bench.evaluator.require(key)
        assert caught.value.message_id == "needs_missing"


def test_errors_with_words_are_not_computed_again() -> None:
    bench = Bench()
    tries = []

    def fail() -> None:
        tries.append(1)
        raise PlanCheckError("x")

    bench.evaluator.update({A: Node("fail", 1, fail)})
    for _ in range(2):
        with pytest.raises(PlanCheckError):
            bench.evaluator.require(A)
    assert isinstance(bench.evaluator.state(A), Failed)
    assert len(tries) == 1


def test_a_circle_is_refused() -> None:
    bench = Bench()
    with pytest.raises(ValueError, match="circle"):
        plan_of({A: bench.node("a", 0, (B,)), B: bench.node("b", 0, (A,))})


def test_require_from_another_thread_waits_for_the_job_that_computes() -> None:
    bench = Bench()
    gate, begun = threading.Event(), threading.Event()
    count = []

    def slow(*, progress: object = None) -> int:
        count.append(1)
        begun.set()
        gate.wait(10)
        return 7

    bench.evaluator.want([A])
    bench.evaluator.update({A: Node("slow", 1, slow, cost="thread")})
    worker = threading.Thread(target=bench.lanes.run)
    worker.start()
    begun.wait(10)
    answers: list[Any] = []
    asker = threading.Thread(target=lambda: answers.extend(bench.evaluator.require(A)))
    asker.start()
    time.sleep(0.02)
    gate.set()
    worker.join(10)
    asker.join(10)
    assert answers == [7]
    assert len(count) == 1


def test_cancelled_require_leaves_the_result_to_be_had_again() -> None:
    bench = Bench()
    bench.evaluator.update(chain(bench))

    class Impatient:
        def step(self, done: float, total: float, text_id: str) -> None:
            raise Cancelled

    def stopping(*args: Any, progress: Any) -> None:
        progress.step(0, 1, "x")

    bench.evaluator.update({A: Node("stop", 1, stopping, cost="thread")})
    with pytest.raises(Cancelled):
        bench.evaluator.require(A, progress=Impatient())
    assert bench.evaluator.require(A) == [None]


def test_the_memory_limit_holds_and_answers_stay_right() -> None:
    bench = Bench(limit=600)
    for first in range(30):
        bench.evaluator.update(chain(bench, first + 10))
        assert bench.evaluator.require(C)[0][2][0][2][0][1] == first + 10
    cache = MemoryCache(1000)
    for number in range(100):
        cache.put(str(number), "x" * 100)
    assert cache.bytes <= 1000
    assert "99" in cache
    assert "0" not in cache
    assert size_of("x" * 100) > 100


def test_one_drag_step_is_fast() -> None:
    bench = Bench()
    bench.computed = Counter()
    keys: list[Key] = [(f"k{number}",) for number in range(24)]

    def graph(param: int) -> dict[Key, Node]:
        return {
            key: Node("tuple", 1, lambda *items: None, (param, key), tuple(keys[max(0, n - 2) : n])) for n, key in enumerate(keys)
        }

    bench.evaluator.state(keys[-1])
    times = []
    for param in range(50):
        start = time.perf_counter()
        bench.evaluator.update(graph(param))
        bench.evaluator.state(keys[-1])
        times.append(time.perf_counter() - start)
    assert sorted(times)[25] < 0.005
