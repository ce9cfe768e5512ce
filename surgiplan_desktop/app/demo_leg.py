"""The scan of the demo leg for the window: the leg of the ``demo`` command, of the side asked for, as a folder of DICOM files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from surgiplan_desktop.app.demo import DEMO_LEG
from surgiplan_desktop.app.make_phantom import write_phantom
from surgiplan_desktop.base.progress import SILENT, Progress
from surgiplan_desktop.model.anatomy import Side


def write_demo_leg(side: Side, folder: Path, *, progress: Progress = SILENT) -> Path:
    """Write the demo leg below ``folder`` and return the folder of its DICOM files; errors as :func:`write_phantom`."""
    write_phantom(replace(DEMO_LEG, side=side), folder, progress=progress)
    return folder / "dicom"
