"""A case with a tiny scan and two results of the segmentation that are known: balls about one centre, a cube in a corner."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from surgiplan_desktop.app.session import Session
from surgiplan_desktop.base.arrays import BoolArray
from surgiplan_desktop.model.anatomy import BoneId, BoneName, Side, label_code
from surgiplan_desktop.model.case import Case, Intake, SegmentationRun
from surgiplan_desktop.model.edits import set_segmentation
from surgiplan_desktop.model.study import SeriesOrigin, Study, VolumeBlock

TIBIA, FIBULA = (BoneId(Side.RIGHT, name) for name in (BoneName.TIBIA, BoneName.FIBULA))
ROWS = ((0.0, 0.0, 1.0, 0.0), (0.0, 1.0, 0.0, 0.0), (1.0, 0.0, 0.0, 0.0), (0.0, 0.0, 0.0, 1.0))
SHAPE = (36, 36, 36)


def ball(radius: float) -> BoolArray:
    """Return where a ball in the middle is, mm."""
    k, j, i = np.indices(SHAPE) - 17.5
    inside: BoolArray = k * k + j * j + i * i <= radius * radius
    return inside


def put_scan(session: Session) -> Case:
    """Give the case a scan of a bright ball of 12 mm radius in nothing, on a right leg."""
    image = np.where(ball(12.0), 800, 0).astype(np.int16)
    block = VolumeBlock(session.store.put(image), ROWS, SHAPE, SeriesOrigin("nifti"))
    intake = Intake(Side.RIGHT, "mowhto")
    return session.apply("scan", lambda case: replace(case, code="K7QX2M", study=Study((block,)), intake=intake))


def put_two_results(session: Session) -> Case:
    """Give the case ``other-1``, a tibia that is a ball of 10 mm beside a fibula, then ``leg-1``, a tibia of 12 mm alone."""
    put_scan(session)
    small = np.zeros(SHAPE, dtype=np.uint16)
    small[ball(10.0)] = label_code(TIBIA)
    small[1:6, 1:6, 1:6] = label_code(FIBULA)
    large = np.zeros(SHAPE, dtype=np.uint16)
    large[ball(12.0)] = label_code(TIBIA)
    put = session.store.put
    first = SegmentationRun("other-1", "threshold", "1", "cpu", (put(small),), (TIBIA, FIBULA))
    model = {"model": "leg", "model_version": "2.0", "licence": "MIT"}
    second = SegmentationRun("leg-1", "model", "1", "cpu", (put(large),), (TIBIA,), **model)
    return session.apply("results", lambda case: set_segmentation(set_segmentation(case, first), second))
