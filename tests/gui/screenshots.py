"""Writes docs/screenshots: every step of the demo road in the real window (python -m tests.gui.screenshots [folder])."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from PIL import Image

from tests.gui.driver import RealWindow, Screen, walk_the_road

TARGET = Path(__file__).resolve().parents[2] / "docs" / "screenshots"


def main(target: Path = TARGET) -> None:
    """Walk the road once and keep a picture of each screen, then the other looks of the window."""

    def keep(name: str) -> None:
        path = target / f"{name}.png"
        window.picture(path)
        with Image.open(path) as picture:
            picture.quantize(255).save(path)  # a third of the size

    with tempfile.TemporaryDirectory() as folder, Screen() as screen, RealWindow(screen, Path(folder)) as window:
        walk_the_road(window, seen=keep)
        window.click("look_button")
        keep("10-light")
        window.click("look_button")
        window.click("palette_button")
        keep("11-palette")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:2]))
