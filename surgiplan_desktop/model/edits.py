"""Pure edits: each takes a Case and returns a new one; undo is going back to the earlier Case."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

from surgiplan_desktop.model.anatomy import LandmarkId, Side
from surgiplan_desktop.model.case import (
    Approval,
    Case,
    ImportedBone,
    Intake,
    Landmark,
    Patient,
    PointCheck,
    SegmentationRun,
    SideResolution,
)
from surgiplan_desktop.model.steps import Step, StepId, Vector
from surgiplan_desktop.model.study import FILM_POINTS, Film, FilmCalibration, FilmLeg, FilmPoint, FilmPointName, Study


def set_intake(case: Case, intake: Intake) -> Case:
    """Set what the request says."""
    return replace(case, intake=intake)


def set_patient(case: Case, patient: Patient | None) -> Case:
    """Keep who the patient is, because the user asked for it, or forget it."""
    return replace(case, patient=patient)


def resolve_side(case: Case, resolution: SideResolution) -> Case:
    """Add a named person's word on the side and correct the request to it: labels and file names take their side from there."""
    intake = replace(case.intake, side=resolution.side)
    return replace(case, intake=intake, side_resolutions=(*case.side_resolutions, resolution))


def set_study(case: Case, study: Study, code: str) -> Case:
    """Set the imported study and the case code; segmentations, landmarks and steps of another study do not stay."""
    empty = Case()
    return replace(empty, code=code, intake=case.intake, notes=case.notes, study=study, films=_films_kept(case))


def set_imported_bones(case: Case, bones: tuple[ImportedBone, ...], code: str) -> Case:
    """Set bones that somebody else segmented; nothing of an earlier study stays."""
    empty = Case()
    return replace(empty, code=code, intake=case.intake, notes=case.notes, imported_bones=bones, films=_films_kept(case))


def put_bones_beside_scan(case: Case, bones: tuple[ImportedBone, ...]) -> Case:
    """Let bones that somebody else segmented stand beside the scan at hand; what was planned on other bones does not stay."""
    return replace(
        case,
        imported_bones=bones,
        active_segmentation=None,
        landmarks=MappingProxyType({}),
        point_checks=(),
        steps=(),
        approvals=(),
    )


def set_segmentation(case: Case, run: SegmentationRun) -> Case:
    """Add a segmentation run (or replace the one of the same id) and make it the active one."""
    others = tuple(item for item in case.segmentations if item.id != run.id)
    return replace(case, segmentations=(*others, run), active_segmentation=run.id)


def use_segmentation(case: Case, run_id: str) -> Case:
    """Make a run that the case holds the active one; KeyError if it holds none of that id."""
    if all(run.id != run_id for run in case.segmentations):
        raise KeyError(run_id)
    return replace(case, active_segmentation=run_id)


def place_landmark(case: Case, side: Side, landmark: LandmarkId, point_lps: Vector) -> Case:
    """Place or move a landmark by hand; it overrides the automatic one from then on."""
    landmarks = dict(case.landmarks)
    landmarks[side, landmark] = Landmark(point_lps)
    return replace(case, landmarks=MappingProxyType(landmarks))


def release_landmark(case: Case, side: Side, landmark: LandmarkId) -> Case:
    """Give a landmark back to the automatic finder."""
    landmarks = {key: value for key, value in case.landmarks.items() if key != (side, landmark)}
    return replace(case, landmarks=MappingProxyType(landmarks))


def release_landmarks(case: Case, side: Side) -> Case:
    """Give all landmarks of a leg back to the automatic finders."""
    landmarks = {key: value for key, value in case.landmarks.items() if key[0] is not side}
    return replace(case, landmarks=MappingProxyType(landmarks))


def put_point_check(case: Case, check: PointCheck) -> Case:
    """Keep that points were looked at; an earlier word on the same stage of the same leg goes."""
    others = tuple(item for item in case.point_checks if (item.side, item.stage) != (check.side, check.stage))
    return replace(case, point_checks=(*others, check))


def next_step_id(case: Case, kind: str) -> StepId:
    """Return the next free id of a kind, such as ``mowhto-2``; ids are never used again within the steps at hand."""
    numbers = [int(step.id.rsplit("-", 1)[1]) for step in case.steps if step.id.rsplit("-", 1)[0] == kind]
    return f"{kind}-{max(numbers, default=0) + 1}"


def put_step(case: Case, step: Step) -> Case:
    """Add a step, or replace the step of the same id in its place."""
    if any(item.id == step.id for item in case.steps):
        return replace(case, steps=tuple(step if item.id == step.id else item for item in case.steps))
    return replace(case, steps=(*case.steps, step))


def remove_step(case: Case, step_id: StepId) -> Case:
    """Remove a step and every step that stands on it."""
    gone = {step_id}
    for step in case.steps:
        if getattr(step, "osteotomy", None) in gone:
            gone.add(step.id)
    return replace(case, steps=tuple(step for step in case.steps if step.id not in gone))


def approve(case: Case, approval: Approval) -> Case:
    """Add a signature; an earlier one of the same role goes."""
    others = tuple(item for item in case.approvals if item.role != approval.role)
    return replace(case, approvals=(*others, approval))


def set_notes(case: Case, notes: str) -> Case:
    """Set the free text of the case."""
    return replace(case, notes=notes)


def put_film(case: Case, film: Film, code: str) -> Case:
    """Add a film, or replace the film of the same id in its place; the code is taken where the case has none yet."""
    if any(item.id == film.id for item in case.films):
        films = tuple(film if item.id == film.id else item for item in case.films)
    else:
        films = (*case.films, film)
    return replace(case, films=films, code=case.code or code)


def calibrate_film(case: Case, film_id: str, calibration: FilmCalibration) -> Case:
    """Set how lengths on a film are calibrated; KeyError if there is no such film."""
    film = case.film(film_id)
    return put_film(case, replace(film, calibration=calibration), case.code)


def place_film_point(
    case: Case, film_id: str, side: Side, name: FilmPointName, at: tuple[float, float] | None, head_radius_px: float | None = None
) -> Case:
    """Place or move a point of a leg on a film (column, row), or take it away (None); KeyError if there is no such film.

    ``head_radius_px`` sets the radius of the head circle with its centre; None leaves the radius as it is.
    """
    film = case.film(film_id)
    leg = film.leg(side)
    placed = {item.name: item for item in leg.points if item.name != name}
    if at is not None:
        placed[name] = FilmPoint(name, round(float(at[0]), 2), round(float(at[1]), 2))
    radius = leg.head_radius_px if head_radius_px is None else round(float(head_radius_px), 2)
    changed = FilmLeg(side, tuple(placed[item] for item in FILM_POINTS if item in placed), radius if "head" in placed else None)
    others = tuple(item for item in film.legs if item.side != side)
    legs = tuple(sorted((*others, changed), key=lambda item: item.side == Side.LEFT))
    return put_film(case, replace(film, legs=tuple(item for item in legs if item.points)), case.code)


def mirror_film(case: Case, film_id: str, *, mirrored: bool) -> Case:
    """Say whether the patient's right is at the right of the film; KeyError if there is no such film."""
    return put_film(case, replace(case.film(film_id), mirrored=mirrored), case.code)


def remove_film(case: Case, film_id: str) -> Case:
    """Remove a film."""
    return replace(case, films=tuple(film for film in case.films if film.id != film_id))


def next_film_id(case: Case) -> str:
    """Return the next free id of a film, such as ``film-2``."""
    numbers = [int(film.id.rsplit("-", 1)[1]) for film in case.films]
    return f"film-{max(numbers, default=0) + 1}"


def _films_kept(case: Case) -> tuple[Film, ...]:
    """Films that came before the scan stay with it; those of a case whose scan is replaced may be of somebody else."""
    return case.films if case.study is None and not case.imported_bones else ()
