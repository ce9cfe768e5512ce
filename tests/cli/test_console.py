"""The terminal's progress: how long is left, once the pace is known, and nothing before."""

from __future__ import annotations

import io

from surgiplan_desktop.app.texts import load_texts
from surgiplan_desktop.base.progress import Pace
from surgiplan_desktop.cli.console import Console


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_the_time_left_follows_the_pace() -> None:
    clock = Clock()
    pace = Pace(clock)
    assert pace.seconds_left(0.0) is None
    clock.now = 1.0
    assert pace.seconds_left(0.1) is None
    clock.now = 4.0
    assert pace.seconds_left(0.2) == 16.0
    assert pace.seconds_left(1.0) == 0.0
    # the next piece of work begins anew
    clock.now = 100.0
    assert pace.seconds_left(0.0) is None
    clock.now = 110.0
    assert pace.seconds_left(0.5) == 10.0


def test_the_terminal_shows_it() -> None:
    clock, err = Clock(), Terminal()
    console = Console(load_texts("en", strict=True), out=io.StringIO(), err=err)
    console._pace = Pace(clock)
    for now, done in ((0.0, 0.0), (10.0, 10.0), (40.0, 20.0)):
        clock.now = now
        console._last_time = 0.0
        console.step(done, 100.0, "inference")
    shown = err.getvalue().split("\r")
    assert "left" not in shown[1]
    assert shown[2].rstrip().endswith("10 % about 2 min left")
    assert shown[3].rstrip().endswith("20 % about 3 min left")
