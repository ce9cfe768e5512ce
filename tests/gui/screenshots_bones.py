"""Writes the pictures of finding bones with a model: licence, heat map, two results compared, all in the real window.

    python -m tests.gui.screenshots_bones CASE.surgiplan [folder]

CASE holds a scan and no bones yet; a model pack must be installed (or named by SURGIPLAN_DATA_PATH). While the model works the
axial view is scrolled, as a user would.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from pathlib import Path

from PIL import Image, ImageGrab

from tests.gui.driver import RealWindow, Screen

TARGET = Path(__file__).resolve().parents[2] / "docs" / "screenshots"
#: A model on a busy machine without a graphics card, s.
PATIENCE_S = 1500.0


def main(case: Path, target: Path = TARGET) -> None:
    """Walk through the step Bones once."""

    def keep(name: str) -> None:
        time.sleep(3.0)  # also on a busy machine: what was pressed is drawn
        path = target / f"{name}.png"
        window.picture(path)
        with Image.open(path) as picture:
            picture.save(path, optimize=True)  # all colours: the legend is a smooth gradient

    with tempfile.TemporaryDirectory() as name:
        copy = Path(name) / case.name
        shutil.copy(case, copy)
        with Screen() as screen, RealWindow(screen, Path(name), str(copy)) as window:
            window.wait_idle(120)
            window.key("alt+2")
            window.wait(lambda state: "bones_way" in state["widgets"], 120, "the ways")
            window.wait_idle(120)
            window.click("bones_way")
            window.key("Home")
            window.key("Return")
            window.wait(lambda state: "licence_read" in state["widgets"], 120, "the licence")
            keep("21-model")
            window.click("licence_read", at=(0.05, 0.5))
            window.click("bones_primary")
            scroll_while_busy(window)
            window.wait_enabled("bones_primary", PATIENCE_S, "review")
            window.wait_idle(PATIENCE_S)
            look_at_the_knee(window)
            window.key("h")
            window.wait_idle(PATIENCE_S)
            keep("22-heat")
            window.click("look_button")
            wait_for_look(window, light=True)
            keep("23-heat-light")
            window.click("look_button")
            wait_for_look(window, light=False)
            window.key("h")
            window.click("find_otherwise")
            window.click("bones_way")
            window.key("End")
            window.key("Return")
            window.click("find_again")
            window.wait(lambda state: "result_other" in state["widgets"], PATIENCE_S, "a second result")
            window.wait_idle(PATIENCE_S)
            window.click("result_other")
            window.key("End")
            window.key("Return")
            window.wait(lambda state: "result_table" in state["widgets"], PATIENCE_S, "the comparison")
            window.wait_idle(PATIENCE_S)
            keep("24-two-results")


def wait_for_look(window: RealWindow, *, light: bool) -> None:
    """Wait until the panel is drawn in the other look; on a busy machine that takes seconds."""
    x, y, width, height = window.state()["widgets"]["panelFrame"]["rect"]
    at = x + width - 3, y + height // 2
    end = time.monotonic() + 60.0
    while time.monotonic() < end:
        bright = sum(ImageGrab.grab(xdisplay=window.screen.display).getpixel(at)[:3]) > 3 * 128
        if bright == light:
            return
        time.sleep(0.5)
    raise AssertionError("the look did not change")


def scroll_while_busy(window: RealWindow) -> None:
    """Scroll the axial view while the model works."""
    x, y, width, height = window.state()["widgets"]["view_axial"]["rect"]
    window.screen.tool("mousemove", x + width // 2, y + height // 2)
    for turn in (4, 4, 5, 5, 4, 5):
        window.screen.tool("click", "--repeat", 3, "--delay", 120, turn)


def look_at_the_knee(window: RealWindow) -> None:
    """Put the crosshair on the femur, through its condyles."""
    window.click("view_coronal", at=(0.42, 0.37))


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:3]))
