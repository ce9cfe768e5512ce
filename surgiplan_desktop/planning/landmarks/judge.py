"""How sure a landmark is: against the template's opinion, and by what its kind is known to err.

Nothing here moves a landmark that was found. One that was not found is taken from the template where that fits, as an estimate.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from surgiplan_desktop.base.arrays import FloatArray, frozen
from surgiplan_desktop.base.paths import resource_folder
from surgiplan_desktop.model.anatomy import LANDMARKS, BoneName, LandmarkId, Side
from surgiplan_desktop.model.study import Finding
from surgiplan_desktop.planning.landmarks.found import Found, add
from surgiplan_desktop.planning.landmarks.registration import Transferred, transfer_landmarks
from surgiplan_desktop.planning.landmarks.surface import BoneSurface
from surgiplan_desktop.planning.records import LandmarkEstimate

#: Shares of a landmark's surroundings that must show bone: to believe the template, and not to speak of missing surface.
_TRUST_COVERAGE = 0.9
_TRUST_RMS_MM = 0.9
_LEAST_COVERAGE = 0.55
#: Bones too round or too flat for their shape to tell how they are turned.
_TURN_UNTOLD = (BoneName.FIBULA, BoneName.PATELLA)
#: A residual this many times what is usual makes the landmark as many times less sure.
_RMS_FACTOR = (1.0, 5.0)


@dataclass(frozen=True, slots=True)
class UsualError:
    """What a landmark of its kind errs by.

    Attributes
    ----------
    sd_mm
        Root mean square error towards lateral, anterior and up of its bone.
    apart_mm
        Distance to the template's opinion that is not unusual.
    rms_mm
        Residual that is usual for its fit; 0 where there is none.
    height_with, own_height_mm
        The landmark on whose height this one's hangs (None: on no other's), and what its height errs by besides.
    """

    sd_mm: tuple[float, float, float]
    apart_mm: float
    rms_mm: float
    height_with: LandmarkId | None = None
    own_height_mm: float = 0.0


@cache
def usual_errors() -> Mapping[LandmarkId, UsualError]:
    """Read resources/landmark_errors.toml."""
    with (resource_folder() / "landmark_errors.toml").open("rb") as stream:
        table = tomllib.load(stream)["landmark"]
    return {name: UsualError(**{**row, "sd_mm": tuple(row["sd_mm"])}) for name, row in table.items()}


def judge(
    found: Found, findings: list[Finding], side: Side, bone: BoneName, surface: BoneSurface, axes: FloatArray | None
) -> None:
    """Ask the template, write down disagreement and missing surface, and give every point of a bone its spread.

    Parameters
    ----------
    found
        Landmarks of the bone so far; replaced by judged ones. Those of an end outside the view stay missing.
    findings
        Gets ``landmark_from_template``, ``landmark_disagrees``, ``landmark_bare`` and ``template_does_not_fit``.
    axes
        Rows lateral, anterior, up of the bone, or None when it has none: then the spread is the same in all directions.
    """
    own = [name for name, definition in LANDMARKS.items() if definition.bone is bone]
    whole = not len(surface.cap_areas)
    hint = axes if bone in _TURN_UNTOLD else None
    second = transfer_landmarks(side, bone, surface, own, axes=hint) if whole else {}
    if whole and not _fits(second.values()):
        findings.append(Finding("template_does_not_fit", "warn", (("bone", bone.value),)))
    for name in own:
        item, other = found.get(name), second.get(name)
        if (item is None or item.point_lps is None) and other is not None and _trusted(other):
            found.pop(name, None)
            add(found, name, other.point, rms=other.rms, coverage=other.coverage, status="estimated")
            findings.append(Finding("landmark_from_template", "warn", (("landmark", name),)))
            item = found[name]
        if item is not None and item.point_lps is not None:
            found[name] = _judged(item, item.point_lps, other, axes, findings)


def _fits(second: Iterable[Transferred]) -> bool:
    coverage = [item.coverage for item in second]
    return bool(coverage) and float(np.mean(coverage)) > _LEAST_COVERAGE


def _trusted(other: Transferred) -> bool:
    return other.coverage >= _TRUST_COVERAGE and other.rms <= _TRUST_RMS_MM


def _judged(
    item: LandmarkEstimate, point: FloatArray, other: Transferred | None, axes: FloatArray | None, findings: list[Finding]
) -> LandmarkEstimate:
    """The landmark at ``point`` with its spread, beside the template's opinion."""
    usual = usual_errors()[item.id]
    sd = np.array(usual.sd_mm)
    if item.fit_rms_mm is not None and usual.rms_mm > 0.0:
        sd = sd * float(np.clip(item.fit_rms_mm / usual.rms_mm, *_RMS_FACTOR))
    if item.status == "estimated":
        sd = np.maximum(sd, usual.apart_mm / 4.0)
    covariance = np.eye(3) * float(np.mean(sd**2)) if axes is None else axes.T @ np.diag(sd**2) @ axes
    coverage, place = item.coverage, None
    if other is not None:
        place = frozen(other.point.copy())
        gap = point - other.point
        apart = float(np.linalg.norm(gap))
        excess = max(apart - usual.apart_mm, 0.0)
        if apart > 1e-9:
            # two opinions, either of which may be right: half of what they differ beyond the usual, in the direction they differ
            covariance = covariance + np.outer(gap, gap) * (0.5 * excess / apart) ** 2
        if excess > 0.0:
            told = (("landmark", item.id), ("distance_mm", round(apart, 1)))
            findings.append(Finding("landmark_disagrees", "warn", told))
        if other.coverage < _LEAST_COVERAGE:
            shown = round(100.0 * other.coverage)
            findings.append(Finding("landmark_bare", "warn", (("landmark", item.id), ("percent", shown))))
        coverage = other.coverage if coverage is None else min(coverage, other.coverage)
    sd_mm = float(np.sqrt(np.trace(covariance)))
    return replace(item, sd_mm=sd_mm, covariance_mm2=frozen(covariance), coverage=coverage, other_lps=place)
