"""Writes docs/screenshots: every step of the demo road in the real window (python -m tests.gui.screenshots [folder])."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.gui.driver import RealWindow, Screen, walk_the_road

TARGET = Path(__file__).resolve().parents[2] / "docs" / "screenshots"


def main(target: Path = TARGET) -> None:
    """Walk the road once and keep a picture of each screen, then the other looks of the window."""
    with tempfile.TemporaryDirectory() as folder, Screen() as screen, RealWindow(screen, Path(folder)) as window:
        walk_the_road(window, seen=lambda name: window.picture(target / f"{name}.png"))
        window.click("look_button")
        window.picture(target / "10-light.png")
        window.click("look_button")
        window.click("palette_button")
        window.picture(target / "11-palette.png")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:2]))
