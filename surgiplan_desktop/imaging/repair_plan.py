"""Which defects of a series could be mended with the user's consent, and what would be done to which files.

Nothing is read here: a plan comes from the headers alone. Limits stand in resources/limits.toml (group ``repair``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from surgiplan_desktop.imaging.slice_stack import StackFinding

RepairKind = Literal["tilt", "missing_slices", "uneven", "duplicate_position", "duplicate_uid", "truncated"]
Parameters = tuple[tuple[str, str | int | float | bool], ...]


@dataclass(frozen=True, slots=True)
class RepairLimits:
    """How far a repair may go; beyond it the series is refused. The values of the table of limits are given by the caller.

    ``missing_slices`` is the largest number of slices lacking in one place, ``gap_mm`` the widest distance of neighbouring slices
    that is interpolated, ``tilt_deg`` the largest tilt that is straightened, ``sideways_mm`` how far a slice may lie beside its
    neighbours.
    """

    missing_slices: int = 2
    gap_mm: float = 8.0
    tilt_deg: float = 35.0
    sideways_mm: float = 5.0


@dataclass(frozen=True, slots=True)
class RepairPlan:
    """One repair that would be done: its kind, how much and how large (for the words), and the files concerned."""

    kind: RepairKind
    parameters: Parameters = ()
    files: tuple[str, ...] = ()


def plan_repairs(findings: Sequence[StackFinding], truncated: Sequence[str], limits: RepairLimits) -> tuple[RepairPlan, ...]:
    """Return the repair of each defect, or nothing at all where one of them cannot be mended within the limits.

    Parameters
    ----------
    findings
        What :func:`surgiplan_desktop.imaging.slice_stack.stack_slices` found, several of a kind where blocks differ.
    truncated
        Files left out since they end too early; the holes they leave are among the findings.
    """
    plans = [RepairPlan("truncated", (("files", len(truncated)),), tuple(truncated))] if truncated else []
    for finding in findings:
        if finding.code == "gap":
            continue
        if not _within(dict(finding.parameters), finding.code, limits):
            return ()
        plans.append(RepairPlan(finding.code, finding.parameters, finding.files))
    return tuple(plans)


def _within(values: dict[str, str | int | float | bool], code: str, limits: RepairLimits) -> bool:
    if code == "tilt":
        return float(values["degrees"]) <= limits.tilt_deg
    if code == "missing_slices":
        return int(values["together"]) <= limits.missing_slices and float(values["largest_mm"]) <= limits.gap_mm
    if code == "uneven":
        return float(values["largest_mm"]) <= limits.gap_mm and float(values["sideways_mm"]) <= limits.sideways_mm
    return int(values["different"]) == 0
