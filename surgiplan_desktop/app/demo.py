"""The main job on the embedded leg: DICOM, bones, measures, osteotomy, implants, guide, files; beside the true values."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from surgiplan_desktop.app.build_guide import guide_of, put_guide
from surgiplan_desktop.app.export_plan import export
from surgiplan_desktop.app.import_study import import_study
from surgiplan_desktop.app.make_phantom import write_phantom
from surgiplan_desktop.app.make_report import write_report
from surgiplan_desktop.app.plan_steps import find_component, put_implant, put_osteotomy
from surgiplan_desktop.app.run_segmentation import segment
from surgiplan_desktop.app.session import Session
from surgiplan_desktop.base.progress import SILENT, PartOfProgress, Progress
from surgiplan_desktop.model.anatomy import BoneId, BoneName, Side
from surgiplan_desktop.model.case import Intake
from surgiplan_desktop.model.steps import Target
from surgiplan_desktop.phantom.parameters import LegParameters
from surgiplan_desktop.planning.after_cut import opened_bone
from surgiplan_desktop.planning.graph import (
    bone_key,
    implant_key,
    measures_key,
    osteotomy_key,
    pieces_key,
    wedge_key,
)
from surgiplan_desktop.planning.landmarks.merge import merge_landmarks
from surgiplan_desktop.planning.landmarks.tibia import find_tibia
from surgiplan_desktop.planning.measures import measure_points
from surgiplan_desktop.planning.records import Guide, ImplantPlacement, Measures, Pieces

#: The embedded leg: varus of the tibia, the usual case for a medial opening wedge.
DEMO_LEG: Final = LegParameters(side=Side.RIGHT, mldfa_deg=88.0, mpta_deg=83.0, jlca_deg=1.0)
#: Default target of practice.md 12.
DEMO_TARGET: Final = Target("wbl", 55.0)
DEMO_CATALOGUE: Final = "generic"
#: What the closing table compares.
DEMO_MEASURES: Final = ("hka", "hka_deviation", "mldfa", "mpta", "jlca", "mad", "wbl")

#: Ends of the stages on the scale of the whole, from measured times.
_STAGES: Final = {
    "phantom": 0.25,
    "import": 0.30,
    "segment": 0.45,
    "measure": 0.60,
    "plan": 0.65,
    "implant": 0.75,
    "guide": 0.90,
    "export": 0.96,
    "report": 1.0,
}


@dataclass(frozen=True, slots=True, eq=False)
class DemoResult:
    """Values by measure: true, measured on the CT, planned, and found anew on the opened bone; times by stage; files."""

    truth: Mapping[str, float | None]
    measured: Mapping[str, float | None]
    planned: Mapping[str, float | None]
    reached: Mapping[str, float | None]
    tray: ImplantPlacement
    guide: Guide
    seconds: Mapping[str, float]
    files: tuple[Path, ...]


class _Stages:
    """Shares out the progress among the stages and notes how long each takes."""

    def __init__(self, whole: Progress) -> None:
        self._whole = whole
        self._start = 0.0
        self.seconds: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[Progress]:
        """Give the progress of one stage."""
        begun = time.perf_counter()
        yield PartOfProgress(self._whole, self._start, _STAGES[name])
        self._start = _STAGES[name]
        self.seconds[name] = round(time.perf_counter() - begun, 2)


def run_demo(
    session: Session,
    folder: Path,
    parameters: LegParameters = DEMO_LEG,
    *,
    force: bool = False,
    progress: Progress = SILENT,
) -> DemoResult:
    """Drive an empty session through the whole road; everything is written below ``folder`` (the session is not saved).

    Raises
    ------
    SurgiPlanError
        Whatever a stage of the road refuses.
    """
    side = parameters.side
    stages = _Stages(progress)
    with stages.stage("phantom") as part:
        phantom = write_phantom(parameters, folder / "phantom", force=force, progress=part)
    with stages.stage("import") as part:
        intake = Intake(side=side, procedure="mowhto")
        import_study(session, folder / "phantom" / "dicom", intake=intake, progress=part)
    with stages.stage("segment") as part:
        segment(session, progress=part)
    with stages.stage("measure") as part:
        (measures,) = session.require(measures_key(side), progress=part)
    with stages.stage("plan") as part:
        osteotomy = put_osteotomy(session, side, DEMO_TARGET)
        plan, _, pieces = session.require(
            osteotomy_key(osteotomy.id), wedge_key(osteotomy.id), pieces_key(osteotomy.id), progress=part
        )
    with stages.stage("implant") as part:
        catalogue = session.services.catalogues[DEMO_CATALOGUE]
        placed = [put_implant(session, side, catalogue, find_component(catalogue, name)) for name in ("tray", "plate")]
        tray, _ = session.require(*(implant_key(step.id) for step in placed), progress=part)
    with stages.stage("guide") as part:
        step = put_guide(session, osteotomy)
        guide = guide_of(session, step, progress=part)
    with stages.stage("export") as part:
        files = [*phantom.files, *export(session, "all", "stl", folder / "stl", force=force, progress=part)]
    with stages.stage("report") as part:
        files.append(write_report(session, folder / "report.pdf", force=force, progress=part))
    truth = {name: _number(phantom.leg.truth_measures[name]) for name in DEMO_MEASURES}
    reached = _found_anew(session, side, pieces)
    return DemoResult(
        truth=truth,
        measured=_chosen(measures),
        planned={name: plan.after.get(name) for name in DEMO_MEASURES},
        reached=_chosen(reached),
        tray=tray,
        guide=guide,
        seconds={**stages.seconds, "total": round(sum(stages.seconds.values()), 2)},
        files=tuple(files),
    )


def _found_anew(session: Session, side: Side, pieces: Pieces) -> Measures:
    """Measure the leg with the tibial landmarks found anew on the opened bone and the femoral ones as they were."""
    femur, tibia = session.require(("found", side, BoneName.FEMUR), bone_key(BoneId(side, BoneName.TIBIA)))
    return measure_points(merge_landmarks(side, (), femur, find_tibia(side, opened_bone(tibia, pieces))))


def _chosen(measures: Measures) -> dict[str, float | None]:
    return {name: measures.number(name) for name in DEMO_MEASURES}


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) else None
