"""The run through Measure by mouse alone: check the points, drag two of them, compare with the other leg, save the CSV."""

from __future__ import annotations

from collections.abc import Callable

from tests.gui.driver import RealWindow

#: Handles that are dragged, by the number of the stage in which that is done.
DRAGGED = {1: "coronal/hip_centre", 5: "coronal/ankle_centre"}


def run_through(window: RealWindow, seen: Callable[[str], object] = lambda _name: None) -> None:
    """Go from the opened case with two legs to the file; ``seen(name)`` is called on each screen."""
    window.wait_enabled("measure_primary", 600, "check")
    window.wait_idle(600)
    seen("21-measure-whole")
    window.click("measure_primary")
    for stage in range(1, 6):
        title = f"{stage} of 5"
        window.wait(lambda state, title=title: title in state["widgets"].get("check_title", {}).get("text", ""), 60, title)
        if stage in DRAGGED:
            before = _first_measure(window)
            window.drag(DRAGGED[stage], 12, 0)
            window.wait(lambda _state, before=before: _first_measure(window) != before, 60, "another HKA")
            seen(f"22-measure-dragged-{stage}")
        window.click("measure_primary")
    window.wait_enabled("measure_primary", 60, "plan")
    window.click("compare_other")
    window.wait(lambda state: "view_compared" in state["widgets"], 60, "the other leg")
    window.wait(lambda state: "other leg" in state["widgets"].get("measures_heads", {}).get("text", ""), 600, "its measures")
    window.wait_idle(600)
    seen("23-measure-compared")
    window.click("save_csv")
    window.wait(lambda state: ".csv is in" in state["widgets"]["notice"]["text"], 60, "the file")


def _first_measure(window: RealWindow) -> str:
    return window.text("check_measures").split("\n")[0]
