"""The recorded run of Measure in the real window: open, check the points, drag two, compare, export, in at most ten clicks."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from tests.gui.driver import RealWindow, Screen, require_programs
from tests.gui.measure_run import run_through
from tests.gui.two_legs import write_two_legs

pytestmark = [pytest.mark.window, pytest.mark.timeout(1500)]

#: A surgeon's clicks from the open case to the file, confirmations of the points included.
MOST_CLICKS = 10


def test_check_drag_two_compare_and_export_in_ten_clicks(tmp_path: Path) -> None:
    require_programs()
    case = tmp_path / "two.surgiplan"
    write_two_legs(case, tmp_path / "made")
    with Screen() as screen, RealWindow(screen, tmp_path / "window", str(case)) as window:
        run_through(window)
        assert window.clicks <= MOST_CLICKS
        assert window.keys == 0
        assert window.text("check_stages").count("confirmed") == 5
        (written,) = window.home.rglob("*.csv")
        rows = {row["measure"]: row for row in csv.DictReader(written.read_text(encoding="utf-8").splitlines())}
        assert rows["hka_deviation"]["compared_with"] == "other"
        assert float(rows["mpta"]["compared_value"]) == pytest.approx(86.5, abs=0.5)
    log = tmp_path / "window" / "user" / "log" / "window.log"
    assert "Traceback" not in (log.read_text(encoding="utf-8") if log.exists() else "")
