"""The recorded run of Measure in the real window: open, check the points, drag two, compare, export, in at most ten clicks."""

from __future__ import annotations

import csv
import os
from pathlib import Path

import pytest

from tests.gui.driver import RealWindow, Screen, missing_programs
from tests.gui.two_legs import write_two_legs

pytestmark = [pytest.mark.window, pytest.mark.timeout(900)]

#: A surgeon's clicks from the open case to the file, confirmations of the points included.
MOST_CLICKS = 10
#: Handles that are dragged, by the number of the stage.
DRAGGED = {1: "coronal/hip_centre", 5: "coronal/ankle_centre"}


def hka(window: RealWindow) -> str:
    return window.text("check_measures").split("\n")[0]


def test_check_drag_two_compare_and_export_in_ten_clicks(tmp_path: Path) -> None:
    missing = missing_programs()
    if missing:
        message = f"needs {', '.join(missing)}"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    case = tmp_path / "two.surgiplan"
    write_two_legs(case, tmp_path / "made")
    with Screen() as screen, RealWindow(screen, tmp_path / "window", str(case)) as window:
        window.wait_enabled("measure_primary", 400, "check")
        window.wait_idle(400)
        window.click("measure_primary")
        for stage in range(1, 6):
            title = f"{stage} of 5"
            window.wait(lambda state, title=title: title in state["widgets"].get("check_title", {}).get("text", ""), 30, title)
            if stage in DRAGGED:
                before = hka(window)
                window.drag(DRAGGED[stage], 12, 0)
                window.wait(lambda _state, before=before: hka(window) != before, 30, "another HKA")
                assert "by hand" in window.text("check_points")
            window.click("measure_primary")
        window.wait_enabled("measure_primary", 30, "plan")
        assert window.text("check_stages").count("confirmed") == 5
        window.click("compare_other")
        window.wait(lambda state: "view_compared" in state["widgets"], 30, "the other leg")
        window.wait_idle(400)
        window.click("save_csv")
        window.wait(lambda state: ".csv is in" in state["widgets"]["notice"]["text"], 30, "the file")
        assert window.clicks <= MOST_CLICKS
        assert window.keys == 0
        (written,) = window.home.rglob("*.csv")
        rows = {row["measure"]: row for row in csv.DictReader(written.read_text(encoding="utf-8").splitlines())}
        assert rows["hka_deviation"]["compared_with"] == "other"
        assert float(rows["mpta"]["compared_value"]) == pytest.approx(86.5, abs=0.5)
    log = tmp_path / "window" / "user" / "log" / "window.log"
    assert "Traceback" not in (log.read_text(encoding="utf-8") if log.exists() else "")
