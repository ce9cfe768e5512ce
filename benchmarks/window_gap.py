"""How long the window stands still while it looks through a folder: longest gap between two turns of its event loop.

    python benchmarks/window_gap.py [--files 2400] [--series 8]

Small CT files are written first; then the window (off screen) scans them, shows the study browser and fetches its pictures.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import numpy as np
from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QApplication

from surgiplan_desktop.app.startup import start
from surgiplan_desktop.base.spaces import Affine
from surgiplan_desktop.gui.bridge import Bridge, Dispatcher
from surgiplan_desktop.gui.main_window import MainWindow, dress
from surgiplan_desktop.gui.theme import theme_named
from surgiplan_desktop.imaging.dicom_write import write_ct_series
from surgiplan_desktop.model.anatomy import Side
from surgiplan_desktop.model.case import Intake
from surgiplan_desktop.model.edits import set_intake
from surgiplan_desktop.model.images import Volume

_TICK_MS = 2


def write_files(folder: Path, files: int, series: int) -> None:
    """Write so many files in so many series, one above the other."""
    each = files // series
    rng = np.random.default_rng(0)
    for number in range(series):
        affine = np.eye(4)
        affine[:3, :3] = np.array([[0.0, 0.0, 2.0], [0.0, 2.0, 0.0], [0.5, 0.0, 0.0]])
        affine[2, 3] = -number * (each * 0.5 + 100.0)
        voxels = rng.integers(-1000, 1500, (each, 32, 32)).astype(np.int16)
        write_ct_series(Volume(voxels, Affine(affine)), folder / f"{number}", series_number=number + 1, description=f"{number}")


class Gaps:
    """Notes the longest gap between two ticks, by phase."""

    def __init__(self) -> None:
        self.phase = "start"
        self.longest: dict[str, float] = {}
        self._last = time.perf_counter()
        self._timer = QTimer()
        self._timer.setInterval(_TICK_MS)
        self._timer.timeout.connect(self._tick)
        self._timer.start()

    def begin(self, phase: str) -> None:
        """Begin a phase; a gap that spans its begin counts for it."""
        self.phase = phase

    def _tick(self) -> None:
        now = time.perf_counter()
        self.longest[self.phase] = max(self.longest.get(self.phase, 0.0), now - self._last)
        self._last = now


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=2400)
    parser.add_argument("--series", type=int, default=8)
    arguments = parser.parse_args()
    application = QApplication([])
    with tempfile.TemporaryDirectory() as name:
        os.environ["SURGIPLAN_USER_FOLDER"] = f"{name}/user"
        folder = Path(name) / "scan"
        write_files(folder, arguments.files, arguments.series)
        dispatcher = Dispatcher()
        services = start(post=dispatcher.post)
        bridge = Bridge(services)
        theme = theme_named("dark")
        dress(theme)
        window = MainWindow(bridge, theme)
        window.resize(1280, 800)
        window.show()
        bridge.session.apply("request", lambda case: set_intake(case, Intake(Side.RIGHT, "mowhto")))
        browser, gaps = window.pages.browser, Gaps()

        def until(condition: object) -> float:
            begun = time.perf_counter()
            while not condition():
                application.processEvents()
                time.sleep(0.0005)
            return time.perf_counter() - begun

        until(lambda: gaps.longest)
        gaps.begin("scan")
        window.take([folder])
        seconds = {"scan": until(lambda: browser.page is not None)}
        gaps.begin("show")
        seconds["show"] = until(lambda: len(browser.cards) == arguments.series)
        until(lambda: "show" in gaps.longest)
        gaps.begin("pictures")
        seconds["pictures"] = until(lambda: all(card.picture.text() == "RALP" for card in browser.cards))
        print(f"{arguments.files} files, {arguments.series} series, load {os.getloadavg()[0]:.1f}")
        for phase, taken in seconds.items():
            print(f"{phase:9} {taken:6.2f} s, longest gap {1000 * gaps.longest.get(phase, 0.0):5.0f} ms")
        window.views.volume.release()
        bridge.close(discard=True)
        services.close()


if __name__ == "__main__":
    main()
