"""A leg measured for telling: landmarks, frames of the variant asked for, measures and how sure they are."""

from __future__ import annotations

from dataclasses import dataclass

from surgiplan_desktop.app.session import Session
from surgiplan_desktop.base.progress import SILENT, Progress
from surgiplan_desktop.model.anatomy import Side
from surgiplan_desktop.planning.axes import leg_frames
from surgiplan_desktop.planning.block_joints import block_heights
from surgiplan_desktop.planning.block_measures import measure_over_blocks
from surgiplan_desktop.planning.cora import LegCora
from surgiplan_desktop.planning.graph import cora_key, frames_key, landmarks_key, measure_spread_key, measures_key
from surgiplan_desktop.planning.measure_spread import leg_spread
from surgiplan_desktop.planning.measures import measure_leg
from surgiplan_desktop.planning.records import FrameVariant, Landmarks, LegFrames, Measures, MeasureSpreads


@dataclass(frozen=True, slots=True, eq=False)
class SideMeasured:
    """What is told of a leg."""

    landmarks: Landmarks
    frames: LegFrames
    measures: Measures
    spreads: MeasureSpreads
    cora: tuple[LegCora, ...] = ()


def measure_side(
    session: Session, side: Side, *, variant: FrameVariant = "planning", progress: Progress = SILENT
) -> SideMeasured:
    """Measure a leg of the case in the frames of a variant; plans and guides always use the planning variant."""
    keys = (landmarks_key(side), frames_key(side), measures_key(side), measure_spread_key(side), cora_key(side))
    if variant == "planning":
        return SideMeasured(*session.require(*keys, progress=progress))
    landmarks, cora = session.require(keys[0], keys[-1], progress=progress)
    frames = leg_frames(landmarks, variant)
    study = session.case.study
    if study is None:
        measures = measure_leg(landmarks, frames)
    else:
        measures = measure_over_blocks(tuple(map(block_heights, study.blocks)), landmarks, frames)
    # where the bones are bent is told in the planes of the plans always, which it names
    return SideMeasured(landmarks, frames, measures, leg_spread((), landmarks, frames, progress=progress), cora)
