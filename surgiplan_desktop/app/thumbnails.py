"""Use case: the pictures of the series that a scan found, one at a time, each a job of its own that can be dropped."""

from __future__ import annotations

from typing import Final

import numpy as np

from surgiplan_desktop.base.progress import SILENT, Progress
from surgiplan_desktop.base.spaces import Affine
from surgiplan_desktop.imaging.dicom_blocks import BlockPlan
from surgiplan_desktop.imaging.dicom_read import read_block
from surgiplan_desktop.imaging.dicom_scan import ScanResult, Series
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
        plan = BlockPlan((header,), Affine(np.eye(4)), (series.uid,))
        values = read_block(sources, plan).array[0]
    progress.step(1, 1, "thumbnail")
    return thumbnail_of(values, header, LONGEST_PX)
