"""Use case: the pictures of the series that a scan found, one at a time, each a job of its own that can be dropped."""

from __future__ import annotations

from typing import Final

from surgiplan_desktop.base.progress import SILENT, Progress
from surgiplan_desktop.imaging.dicom_read import read_slice
from surgiplan_desktop.imaging.series import ScanResult, Series
from surgiplan_desktop.imaging.sources import Sources
from surgiplan_desktop.imaging.thumbnail import Thumbnail, middle_header, thumbnail_of

#: Longer edge of a picture, px; drawn at half of it, so that it stays sharp on fine screens.
LONGEST_PX: Final = 192


def read_thumbnail(result: ScanResult, series: Series, *, progress: Progress = SILENT) -> Thumbnail:
    """Read the middle slice of a series and make its picture.

    Raises
    ------
    InputDataError
        The slice cannot be read; the error names the file. The series then has no picture, and the scan says why.
    """
    header = middle_header(series.headers, series.blocks)
    progress.step(0, 1, "thumbnail")
    with Sources(result.path) as sources:
        values = read_slice(sources, header)
    progress.step(1, 1, "thumbnail")
    return thumbnail_of(values, header, LONGEST_PX)
