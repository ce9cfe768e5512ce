"""How alive the window stays while it finds bones: the user scrolls on, and every scrolled slice is painted.

    python benchmarks/segmentation_gap.py CASE.surgiplan [--model NAME | --no-ai] [--every-ms 100]

CASE holds a scan. The window (off screen, or on DISPLAY with QT_QPA_PLATFORM=xcb) opens it and finds the bones, while every so
many ms a view is scrolled by one slice. Printed: time from scroll to painted slice, and the longest gap between two turns of the
event loop, at rest and during the work.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path
from statistics import median

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from PySide6.QtCore import QEvent, QObject, QTimer
from PySide6.QtWidgets import QApplication
from window_gap import Gaps

from surgiplan_desktop.app.run_segmentation import WITHOUT_AI, segment
from surgiplan_desktop.app.startup import start
from surgiplan_desktop.gui.bridge import Bridge, Dispatcher
from surgiplan_desktop.gui.main_window import MainWindow, dress
from surgiplan_desktop.gui.theme import theme_named


class Scroller(QObject):
    """Scrolls the axial view at a steady pace and notes how long each slice takes until it is painted."""

    def __init__(self, window: MainWindow, every_ms: int) -> None:
        super().__init__()
        self._view = window.views.slices["axial"]
        self._asked: float | None = None
        self._step = 1
        self.taken: list[float] = []
        self._view.installEventFilter(self)
        self._timer = QTimer(self)
        self._timer.setInterval(every_ms)
        self._timer.timeout.connect(self._scroll)
        self._timer.start()

    def _scroll(self) -> None:
        if self._asked is None:
            self._asked = time.perf_counter()
            before = self._view.position
            self._view.scroll(self._step)
            if self._view.position == before:
                self._step = -self._step
                self._asked = None

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Note the time once the view has painted: the timer's turn comes after it."""
        if event.type() == QEvent.Type.Paint and self._asked is not None:
            QTimer.singleShot(0, self._painted)
        return super().eventFilter(watched, event)

    def _painted(self) -> None:
        if self._asked is not None:
            self.taken.append(time.perf_counter() - self._asked)
            self._asked = None


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("case", type=Path)
    parser.add_argument("--model", help="a model pack; without it the proposed way")
    parser.add_argument("--no-ai", action="store_true")
    parser.add_argument("--every-ms", type=int, default=100)
    arguments = parser.parse_args()
    model = WITHOUT_AI if arguments.no_ai else arguments.model
    application = QApplication([])
    with tempfile.TemporaryDirectory() as name:
        os.environ["SURGIPLAN_USER_FOLDER"] = f"{name}/user"
        dispatcher = Dispatcher()
        services = start(post=dispatcher.post)
        bridge = Bridge(services)
        theme = theme_named("dark")
        dress(theme)
        window = MainWindow(bridge, theme)
        window.resize(1280, 800)
        window.show()
        gaps = Gaps()

        def until(condition: object, seconds: float = 900.0) -> float:
            begun = time.perf_counter()
            while not condition() and time.perf_counter() - begun < seconds:
                application.processEvents()
                time.sleep(0.0005)
            return time.perf_counter() - begun

        opened: list[int] = []
        bridge.open(arguments.case, may_replace=lambda: True, opened=lambda: opened.append(1))
        until(lambda: opened)
        window.go("bones")
        until(lambda: window.stage.sampler is not None and not services.jobs.active)
        scroller = Scroller(window, arguments.every_ms)
        gaps.begin("rest")
        until(lambda: False, 5.0)
        report("at rest", 5.0, scroller, gaps.longest["rest"])
        gaps.begin("work")
        job = bridge.run_job("segmenting", segment, bridge.session, model=model, leave_one_core=True, on_value=lambda _run: None)
        seconds = until(lambda: job.state in ("done", "failed", "cancelled"))
        report(f"finding bones ({job.state})", seconds, scroller, gaps.longest["work"])
        run = bridge.case.segmentation
        print(f"by {run.model or 'threshold'} {run.model_version}: {run.provider}" if run else f"no result: {job.error!r}")
        window.views.volume.release()
        bridge.close(discard=True)
        services.close()


def report(phase: str, seconds: float, scroller: Scroller, gap: float) -> None:
    """Print what was measured, and begin anew."""
    taken = sorted(scroller.taken)
    scroller.taken.clear()
    if not taken:
        print(f"{phase}: nothing was painted")
        return
    ms = 1000.0 * median(taken), 1000.0 * taken[int(0.95 * (len(taken) - 1))], 1000.0 * taken[-1]
    print(
        f"{phase}: {seconds:.1f} s, {len(taken)} slices painted, scroll to paint median {ms[0]:.0f} ms, 95 % {ms[1]:.0f} ms, "
        f"worst {ms[2]:.0f} ms; longest gap of the event loop {1000 * gap:.0f} ms; load {os.getloadavg()[0]:.1f}"
    )


if __name__ == "__main__":
    main()
