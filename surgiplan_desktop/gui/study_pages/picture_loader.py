"""Fetches the small pictures one at a time beside the window's work; dropped at once when the user moves on."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

from surgiplan_desktop.app.jobs import Job
from surgiplan_desktop.app.thumbnails import read_thumbnail
from surgiplan_desktop.gui.bridge import Bridge
from surgiplan_desktop.imaging.dicom_scan import ScanResult, Series
from surgiplan_desktop.imaging.thumbnail import Thumbnail

#: Called with a series' UID and its picture, or None where it has none.
Put = Callable[[str, Thumbnail | None], object]


class PictureLoader:
    """One job at a time, so that a scan or an import never waits behind pictures."""

    def __init__(self, bridge: Bridge) -> None:
        self._bridge = bridge
        self._waiting: deque[Series] = deque()
        self._result: ScanResult | None = None
        self._put: Put | None = None
        self._job: Job | None = None

    @property
    def busy(self) -> bool:
        """Whether pictures are still to come."""
        return self._job is not None

    def load(self, result: ScanResult, series: Sequence[Series], put: Put) -> None:
        """Fetch the pictures of these series in their order; those of an earlier call are dropped."""
        self.stop()
        self._result, self._put = result, put
        self._waiting = deque(series)
        self._next()

    def stop(self) -> None:
        """Drop what is under way."""
        self._waiting.clear()
        self._put = None
        if self._job is not None:
            self._job.cancel()
            self._job = None

    def _next(self) -> None:
        if not self._waiting or self._result is None or self._bridge.services.jobs.closed:
            self._job = None
            return
        series = self._waiting.popleft()

        def ended(job: Job) -> None:
            if job is self._job and self._put is not None:
                self._put(series.uid, job.value if job.state == "done" else None)
                self._next()

        self._job = self._bridge.services.jobs.submit("thumbnail", read_thumbnail, self._result, series, on_done=ended)
