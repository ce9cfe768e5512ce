"""Runs through Measure with two legs, counts clicks, keeps pictures (python -m tests.gui.screenshots_measure [folder [case]]).

The stages of the check on a scan are among the pictures of :mod:`tests.gui.screenshots`.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from PIL import Image

from tests.gui.driver import RealWindow, Screen
from tests.gui.measure_run import run_through
from tests.gui.screenshots import TARGET
from tests.gui.two_legs import write_two_legs


def main(target: Path = TARGET, case: Path | None = None) -> None:
    """Take the pictures; ``case`` is a file of two legs made before."""

    def keep(name: str) -> None:
        path = target / f"{name}.png"
        window.picture(path)
        with Image.open(path) as picture:
            picture.quantize(255).save(path)

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if case is None:
            case = folder / "two.surgiplan"
            write_two_legs(case, folder / "made", step_mm=1.5)
        with Screen() as screen, RealWindow(screen, folder / "window", str(case)) as window:
            run_through(window, keep)
            sys.stdout.write(f"{window.clicks} clicks, {window.keys} keys, drags and confirmations included\n")
            window.click("compare_other")
            time.sleep(2.0)  # the table comes up
            window.click("measures", at=(0.3, 0.31))  # the third row: MPTA
            window.wait_idle(60)
            time.sleep(1.0)
            keep("24-measure-definition")
            window.click("look_button")
            time.sleep(2.0)  # every colour is painted anew
            keep("25-measure-light")
            window.click("measures", at=(0.3, 0.31))
            window.click("check_stages", at=(0.3, 0.7))  # the fourth row: plateau
            time.sleep(1.0)
            window.wait_idle(60)
            keep("26-check-light")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:3]))
