"""One leg of the acceptance test: through the program stage by stage, each stage's outcome compared with the truth."""

from __future__ import annotations

import time
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Literal

import numpy as np
from scipy.spatial import cKDTree

from surgiplan_desktop.app import documents, startup
from surgiplan_desktop.app.build_guide import guide_of, put_guide
from surgiplan_desktop.app.export_plan import export, intersection_as_read
from surgiplan_desktop.app.import_meshes import import_meshes
from surgiplan_desktop.app.import_study import import_study
from surgiplan_desktop.app.make_phantom import write_phantom
from surgiplan_desktop.app.plan_steps import put_osteotomy
from surgiplan_desktop.app.run_segmentation import segment
from surgiplan_desktop.app.session import Session
from surgiplan_desktop.base.errors import SurgiPlanError
from surgiplan_desktop.base.paths import resource_folder
from surgiplan_desktop.base.progress import SILENT, PartOfProgress, Progress
from surgiplan_desktop.files.mesh_files import read_mesh
from surgiplan_desktop.geometry.solid import is_solid
from surgiplan_desktop.model.anatomy import BoneId, BoneName
from surgiplan_desktop.model.case import Intake
from surgiplan_desktop.model.mesh import Bone
from surgiplan_desktop.model.steps import OsteotomyStep, Target
from surgiplan_desktop.phantom.limb import Leg
from surgiplan_desktop.phantom.parameters import LegParameters
from surgiplan_desktop.planning import graph
from surgiplan_desktop.planning.leg_motion import carry
from surgiplan_desktop.planning.measure_table import MEASURES
from surgiplan_desktop.planning.measures import measure_points
from surgiplan_desktop.planning.records import LandmarkEstimate, Landmarks, Measures, OsteotomyPlan
from surgiplan_desktop.validation.surface_distance import bone_distance

RowStatus = Literal["pass", "fail"]
Stage = Literal["phantom", "import", "bones", "measures", "osteotomy", "guide", "export", "reading back"]

_TARGET: Final = Target("wbl", 55.0)
#: Ends of the stages on the scale of the whole, from measured times.
_STAGES: Final[Mapping[Stage, float]] = {
    "phantom": 0.35, "import": 0.40, "bones": 0.55, "measures": 0.72, "osteotomy": 0.80, "guide": 0.92, "export": 0.96,
    "reading back": 1.0,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class AcceptanceRow:
    """One comparison: ``error`` is found minus expected (or a distance), held against ``limit``; ``needs`` hangs on it."""

    stage: Stage
    id: str
    expected: float | str | None
    found: float | str | None
    error: float | None
    limit: float | None
    unit: str
    status: RowStatus
    needs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LegResult:
    """What became of one leg: its comparisons and the seconds of each stage; ``broken`` is the error that ended it early."""

    number: int
    parameters: LegParameters
    blocks: int
    rows: tuple[AcceptanceRow, ...]
    seconds: Mapping[str, float]
    broken: SurgiPlanError | None = None

    @property
    def name(self) -> str:
        """Short name, such as ``leg 2 left``."""
        return f"leg {self.number} {self.parameters.side}"


@cache
def acceptance_limits() -> Mapping[str, Mapping[str, float]]:
    """Return the limits by kind (``measures``, ``landmarks``, ``bones``, ``plan``) and id (resources/acceptance.toml)."""
    with (resource_folder() / "acceptance.toml").open("rb") as stream:
        table = tomllib.load(stream)
    return MappingProxyType({kind: MappingProxyType({name: float(value) for name, value in entries.items()})
                             for kind, entries in table.items() if isinstance(entries, dict)})  # fmt: skip


class _Road:
    """Collects comparisons and times of one leg."""

    def __init__(self, progress: Progress) -> None:
        self.rows: list[AcceptanceRow] = []
        self.seconds: dict[str, float] = {}
        self.stage: Stage = "phantom"
        self._progress = progress
        self._start = 0.0

    @contextmanager
    def at(self, stage: Stage) -> Iterator[Progress]:
        """Time a stage and give its progress."""
        self.stage = stage
        begun = time.perf_counter()
        yield PartOfProgress(self._progress, self._start, _STAGES[stage])
        self._start = _STAGES[stage]
        self.seconds[stage] = round(time.perf_counter() - begun, 2)

    def compare(self, row_id: str, expected: float, found: float | None, limit: float, unit: str) -> None:
        """Hold a number against its true value."""
        error = None if found is None else found - expected
        holds = error is not None and abs(error) <= limit
        self._add(row_id, expected, found, error, limit, unit, holds)

    def distance(self, row_id: str, found_mm: float | None, limit: float, needs: tuple[str, ...] = ()) -> None:
        """Hold a distance from the truth against its limit."""
        self._add(row_id, 0.0, found_mm, found_mm, limit, "mm", found_mm is not None and found_mm <= limit, needs)

    def holds(self, row_id: str, expected: str, found: str) -> None:
        """Say whether something is as it should be."""
        self._add(row_id, expected, found, None, None, "", expected == found)

    def _add(self, row_id: str, expected: Any, found: Any, error: float | None, limit: float | None, unit: str, holds: bool,
             needs: tuple[str, ...] = ()) -> None:  # fmt: skip
        status: RowStatus = "pass" if holds else "fail"
        self.rows.append(AcceptanceRow(self.stage, row_id, expected, found, error, limit, unit, status, needs))


def drive_leg(
    number: int, parameters: LegParameters, folder: Path, *, blocks: int = 1, spacing_mm: float = 1.0, progress: Progress = SILENT
) -> LegResult:
    """Write a leg, drive it through the program in ``folder`` and compare; an error of a stage becomes a failed row.

    Raises
    ------
    Cancelled
        As the progress says.
    """
    road = _Road(progress)
    broken: SurgiPlanError | None = None
    services = startup.start(user_folder=folder / "user")
    try:
        session = documents.new_session(services, owner="command")
        try:
            _drive(road, session, parameters, folder, blocks, spacing_mm)
        except SurgiPlanError as error:
            broken = error
            road.holds("stage", "done", error.message_id)
        finally:
            session.close(discard=True)
    finally:
        services.close()
    return LegResult(number, parameters, blocks, tuple(road.rows), MappingProxyType(road.seconds), broken)


def _drive(road: _Road, session: Session, parameters: LegParameters, folder: Path, blocks: int, spacing_mm: float) -> None:
    side = parameters.side
    with road.at("phantom") as part:
        phantom = folder / "phantom"
        leg = write_phantom(parameters, phantom, spacing_mm=spacing_mm, blocks=blocks, progress=part).leg
    with road.at("import") as part:
        loaded = import_study(session, phantom / "dicom", intake=Intake(side=side, procedure="mowhto"), progress=part)
        road.compare("blocks", blocks, len(loaded.blocks), 0.0, "")
        conflicts = [finding.code for finding in loaded.findings if finding.severity == "critical"]
        road.holds("import_conflicts", "none", ", ".join(conflicts) or "none")
    with road.at("bones") as part:
        segment(session, progress=part)
        _compare_bones(road, session, leg)
    with road.at("measures") as part:
        landmarks, measures = session.require(graph.landmarks_key(side), graph.measures_key(side), progress=part)
        _compare_landmarks(road, landmarks, leg)
        _compare_measures(road, measures, leg)
    with road.at("osteotomy") as part:
        step = put_osteotomy(session, side, _TARGET)
        plan: OsteotomyPlan = session.require(graph.osteotomy_key(step.id), progress=part)[0]
        _compare_plan(road, plan, leg)
    with road.at("guide") as part:
        _compare_guide(road, session, step, folder, part)
    with road.at("export") as part:
        files = export(session, "all", "stl", folder / "stl", progress=part)
    with road.at("reading back") as part:
        _compare_files(road, plan, [path for path in files if path.suffix == ".stl"])
        if blocks == 1:
            _compare_reimported(road, session, measures, files)
        _compare_saved(road, session, step, folder / "leg.surgiplan", part)


def _compare_bones(road: _Road, session: Session, leg: Leg) -> None:
    limits = acceptance_limits()["bones"]
    for name in (BoneName.FEMUR, BoneName.TIBIA, BoneName.FIBULA):
        bone_id = BoneId(leg.side, name)
        if bone_id not in session.case.bones:
            road.distance(f"{name}_surface_p95", None, limits["surface_p95_mm"])
            continue
        bone: Bone = session.require(graph.bone_key(bone_id))[0]
        there = bone_distance(bone, leg.meshes[bone_id]).there
        road.distance(f"{name}_surface_median", there.median_mm, limits["surface_median_mm"])
        road.distance(f"{name}_surface_p95", there.p95_mm, limits["surface_p95_mm"])


def _compare_landmarks(road: _Road, landmarks: Landmarks, leg: Leg) -> None:
    for name, limit in acceptance_limits()["landmarks"].items():
        point = landmarks.point(name)
        off = None if point is None else float(np.linalg.norm(point - leg.truth_landmarks[name]))
        road.distance(name, off, limit, tuple(spec.id for spec in MEASURES.values() if name in spec.needs))


def _compare_measures(road: _Road, measures: Measures, leg: Leg) -> None:
    for name, limit in acceptance_limits()["measures"].items():
        road.compare(name, float(leg.truth_measures[name]), measures.number(name), limit, MEASURES[name].unit)


def _compare_plan(road: _Road, plan: OsteotomyPlan, leg: Leg) -> None:
    """The solver must meet its target, and the true leg, opened as planned, must get where the plan says."""
    limits = acceptance_limits()["plan"]
    road.compare("planned_wbl", _TARGET.value, plan.after.get("wbl"), limits["solver_percent"], "%")
    items = {
        name: LandmarkEstimate(name, np.asarray(point, dtype=np.float64), "auto") for name, point in leg.truth_landmarks.items()
    }
    opened = carry(Landmarks(leg.side, MappingProxyType(items)), plan.plane, plan.correction, type(plan.correction).identity())
    reached = measure_points(opened)
    for name, limit, unit in (("wbl", limits["reached_percent"], "%"), ("hka", limits["reached_deg"], "deg"),
                              ("mpta", limits["reached_deg"], "deg")):  # fmt: skip
        planned = plan.after.get(name)
        road.compare(
            f"true_{name}_after_opening", float("nan") if planned is None else planned, reached.number(name), limit, unit
        )


def _compare_guide(road: _Road, session: Session, step: OsteotomyStep, folder: Path, progress: Progress) -> None:
    guide = guide_of(session, put_guide(session, step), progress=progress)
    failed = ", ".join(check.id for check in guide.checks if check.status == "fail")
    road.holds("guide_checks_failed", "none", failed or "none")
    road.holds("guide_closed", "yes", "yes" if is_solid(guide.mesh) else "no")
    tibia: Bone = session.require(graph.bone_key(BoneId(step.side, BoneName.TIBIA)))[0]
    road.compare("guide_in_bone", 0.0, intersection_as_read(guide, tibia, folder), 0.0, "mm3")


def _compare_files(road: _Road, plan: OsteotomyPlan, files: list[Path]) -> None:
    """Every STL is a body when read again, and the moved piece lies where the correction puts it."""
    meshes = {path.name.split("_")[3]: read_mesh(path) for path in files}
    road.compare("files_not_solid", 0.0, float(sum(not is_solid(mesh) for mesh in meshes.values())), 0.0, "")
    placed, moved = plan.correction(meshes["tibia-distal"].vertices), meshes["tibia-distal-moved"].vertices
    off = max(float(np.max(cKDTree(one).query(other)[0])) for one, other in ((placed, moved), (moved, placed)))
    road.distance("moved_piece", off, acceptance_limits()["plan"]["moved_piece_mm"])


def _compare_reimported(road: _Road, session: Session, measures: Measures, files: list[Path]) -> None:
    """The exported bones, taken in again as meshes of somebody else, must measure the same."""
    side = measures.side
    names = (BoneName.FEMUR, BoneName.TIBIA, BoneName.FIBULA)
    chosen = {name: path for name in names for path in files if path.suffix == ".stl" and path.name.split("_")[3] == name.value}
    other = documents.new_session(session.services, owner="command")
    try:
        import_meshes(other, side, chosen)
        again: Measures = other.require(graph.measures_key(side))[0]
    finally:
        other.close(discard=True)
    for name in ("hka", "mldfa", "mpta"):
        road.compare(f"{name}_of_reimported_bones", measures.number(name) or float("nan"), again.number(name),
                     acceptance_limits()["plan"]["reimported_deg"], "deg")  # fmt: skip


def _compare_saved(road: _Road, session: Session, step: OsteotomyStep, path: Path, progress: Progress) -> None:
    """The case, saved and opened again, is the same plan."""
    before = session.fingerprint(graph.osteotomy_key(step.id))
    session.save(path, progress=progress)
    opened = documents.open_session(session.services, _copied(path), owner="command")
    try:
        road.holds("plan_after_reopening", before[:12], opened.fingerprint(graph.osteotomy_key(step.id))[:12])
    finally:
        opened.close(discard=True)


def _copied(path: Path) -> Path:
    copy = path.with_name("copy.surgiplan")
    copy.write_bytes(path.read_bytes())
    return copy
