"""What one step of a landmark drag costs in the window: edit, all measures, panel, film and 3D painted, snapping included.

    python benchmarks/window_drag.py CASE [--steps 40] [--view film]

CASE is a saved case with a measured leg; the window runs off screen. The handle is moved by mouse events on the view.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import numpy as np
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QWidget

from surgiplan_desktop.app.startup import start
from surgiplan_desktop.gui.bridge import Bridge, Dispatcher
from surgiplan_desktop.gui.main_window import MainWindow, dress
from surgiplan_desktop.gui.theme import theme_named
from surgiplan_desktop.planning.graph import measures_key

#: A point on the bone's surface: each step looks for the surface anew.
LANDMARK = "medial_distal_condyle"
_PATIENCE_S = 900.0


def wait_until_measured(window: MainWindow, application: QApplication) -> None:
    """Turn the event loop until the leg is measured and its picture is there."""
    end = time.monotonic() + _PATIENCE_S
    bridge = window.bridge
    while time.monotonic() < end:
        application.processEvents()
        time.sleep(0.02)
        measured = bridge.side is not None and bridge.ready(measures_key(bridge.side))
        if measured and not bridge.services.jobs.active and window.views.film.handles_shown():
            return
    raise SystemExit("the leg was not measured in time")


def drag(view: QWidget, steps: int, application: QApplication) -> list[float]:
    """Drag the point back and forth; return processor time of each step, ms."""
    handle = next(handle for handle in view.handles_shown() if handle.id == LANDMARK)
    x, y = (round(value) for value in view.to_screen(handle.point_lps[None])[0])
    QTest.mousePress(view, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, QPoint(x, y))
    taken = []
    for step in range(steps):
        started = time.thread_time()
        QTest.mouseMove(view, QPoint(x + 4 + step % 7, y + step % 3))
        for _ in range(3):  # results, then panel and views, then what they ask for
            application.processEvents()
        taken.append(1000.0 * (time.thread_time() - started))
    QTest.mouseRelease(view, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, QPoint(x + 4, y))
    return taken


def main() -> None:
    """Open the case, drag, and tell median and 95 %."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("case", type=Path)
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--view", choices=("film", "3d"), default="film")
    options = parser.parse_args()
    application = QApplication([])
    dispatcher = Dispatcher()
    with tempfile.TemporaryDirectory() as folder:
        services = start(post=dispatcher.post, user_folder=Path(folder))
        bridge = Bridge(services)
        theme = theme_named("dark")
        dress(theme)
        window = MainWindow(bridge, theme)
        window.resize(1280, 800)
        window.show()
        window.documents.open(options.case)
        while bridge.side is None:
            application.processEvents()
        window.go("measure")
        wait_until_measured(window, application)
        view = window.views.film if options.view == "film" else window.views.volume
        taken = drag(view, options.steps, application)
        print(
            f"{options.view}: median {np.median(taken):.1f} ms, 95 % {np.percentile(taken, 95):.1f} ms of processor time a step"
        )
        bridge.close(discard=True)
        window.views.volume.release()
        services.close()
        os._exit(0)  # Qt's teardown adds nothing


if __name__ == "__main__":
    main()
