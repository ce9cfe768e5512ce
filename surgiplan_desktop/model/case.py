"""The Case: an immutable tree of what was imported, decided or placed. Nothing computed is in it.

Big arrays are assets named by content hash (``"sha256:<hex>"``); the case holds only the names.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, Literal

from surgiplan_desktop.model.anatomy import BoneId, LandmarkId, Side
from surgiplan_desktop.model.steps import Step, StepId, Vector
from surgiplan_desktop.model.study import AssetId, Film, Finding, Matrix, Study

#: Schema of case.json; raised by one with each change that an older program cannot read.
CASE_SCHEMA: Final = 3


@dataclass(frozen=True, slots=True)
class Intake:
    """What the request says, entered before the program shows a side (practice.md 13)."""

    side: Side | None = None
    procedure: str | None = None
    operation_date: str | None = None
    standing_hka_deg: float | None = None
    standing_jlca_deg: float | None = None


@dataclass(frozen=True, slots=True)
class ImportedBone:
    """A bone somebody else segmented: vertices and faces as assets, and the file it came from (name only).

    ``unit`` and ``space`` are those of the file; ``chosen_by`` says whether the user named them, or confirmed a guess.
    """

    bone: BoneId
    vertices: AssetId
    faces: AssetId
    file_name: str
    unit: str
    space: str
    chosen_by: Literal["user", "confirmed_guess"] = "user"
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class SegmentationRun:
    """What a model or the threshold path gave, stored as it was: one label asset (uint16) a block.

    ``model`` is the name of the model pack, empty for the threshold path; ``provider`` what really ran, in words. ``uncertainty``
    holds the assets (entropy, disagreement, chance) of a block's ``model.images.UncertaintyMap`` with its affine in
    ``uncertainty_affines``; ``likeness`` 0..1 tells how like the model's training the scan is, None where nobody looked.
    """

    id: str
    method: str
    version: str
    provider: str
    labels: tuple[AssetId, ...]
    bones: tuple[BoneId, ...]
    findings: tuple[Finding, ...] = ()
    seconds: float = 0.0
    model: str = ""
    model_version: str = ""
    licence: str = ""
    peak_mib: int = 0
    likeness: float | None = None
    uncertainty: tuple[tuple[AssetId, AssetId, AssetId], ...] = ()
    uncertainty_affines: tuple[Matrix, ...] = ()


@dataclass(frozen=True, slots=True)
class Landmark:
    """A landmark that the user placed or confirmed; it overrides the automatic one."""

    point_lps: Vector


@dataclass(frozen=True, slots=True)
class Approval:
    """A signature under the state of the plan with this fingerprint."""

    role: Literal["planner", "surgeon", "lab"]
    name: str
    fingerprint: str
    time_utc: str


@dataclass(frozen=True, slots=True)
class Patient:
    """Identifiers of the patient, kept only where the user says so; the case code stands for the patient everywhere else."""

    name: str = ""
    patient_id: str = ""
    birth_date: str = ""


@dataclass(frozen=True, slots=True)
class SideResolution:
    """A named person's word on contradicting witnesses of side (practice.md 13): which side holds, and why.

    ``witnesses`` is what contradicted when it was signed; another contradiction later is not covered by it.
    """

    side: Side
    person: str
    reason: str
    witnesses: tuple[str, ...]
    time_utc: str


@dataclass(frozen=True, slots=True)
class PointCheck:
    """The user's word that points of one stage of the check lie where they should (practice.md 16).

    ``points`` is where they were when they were looked at: a point that moves afterwards is to be looked at again. ``seconds`` is
    how long it was looked.
    """

    side: Side
    stage: str
    points: tuple[tuple[LandmarkId, Vector], ...]
    seconds: float
    time_utc: str


def _no_landmarks() -> Mapping[tuple[Side, LandmarkId], Landmark]:
    return MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Case:
    """One patient's plan. ``code`` is the pseudonym: first 6 base32 characters of the hash of the input."""

    code: str = ""
    schema: int = CASE_SCHEMA
    intake: Intake = Intake()
    study: Study | None = None
    imported_bones: tuple[ImportedBone, ...] = ()
    segmentations: tuple[SegmentationRun, ...] = ()
    active_segmentation: str | None = None
    landmarks: Mapping[tuple[Side, LandmarkId], Landmark] = field(default_factory=_no_landmarks)
    steps: tuple[Step, ...] = ()
    approvals: tuple[Approval, ...] = ()
    notes: str = ""
    patient: Patient | None = None
    films: tuple[Film, ...] = ()
    side_resolutions: tuple[SideResolution, ...] = ()
    point_checks: tuple[PointCheck, ...] = ()

    @property
    def segmentation(self) -> SegmentationRun | None:
        """The active run, if any."""
        return next((run for run in self.segmentations if run.id == self.active_segmentation), None)

    @property
    def bones(self) -> tuple[BoneId, ...]:
        """Bones at hand: of the active segmentation, or imported as meshes."""
        run = self.segmentation
        return tuple(item.bone for item in self.imported_bones) if run is None else run.bones

    @property
    def sides(self) -> tuple[Side, ...]:
        """Sides that have bones, right first."""
        present = {bone.side for bone in self.bones}
        return tuple(side for side in Side if side in present)

    def step(self, step_id: StepId) -> Step:
        """Return the step of that id; KeyError if there is none."""
        for item in self.steps:
            if item.id == step_id:
                return item
        raise KeyError(step_id)

    def film(self, film_id: str) -> Film:
        """Return the film of that id; KeyError if there is none."""
        for item in self.films:
            if item.id == film_id:
                return item
        raise KeyError(film_id)
