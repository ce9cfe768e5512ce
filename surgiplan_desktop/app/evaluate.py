"""Use case: a result against a reference, label by label; two label maps or two meshes (docs/metrics.md)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Final, Literal

import numpy as np

from surgiplan_desktop.app.import_meshes import named_bone
from surgiplan_desktop.base.errors import InputDataError, UsageError
from surgiplan_desktop.base.progress import SILENT, PartOfProgress, Progress
from surgiplan_desktop.base.spaces import Affine
from surgiplan_desktop.base.units import MM_PER_UNIT
from surgiplan_desktop.files.mesh_files import MESH_ENDINGS, read_mesh_file
from surgiplan_desktop.imaging.label_files import read_label_file
from surgiplan_desktop.imaging.volume_files import volume_kind
from surgiplan_desktop.model.anatomy import SACRUM_CODE, BoneId, BoneName, bone_of_label, label_code
from surgiplan_desktop.model.mesh import Mesh
from surgiplan_desktop.model.study import Finding
from surgiplan_desktop.planning.mesh_guess import TO_LPS
from surgiplan_desktop.validation.label_metrics import LabelComparison, LabelMetrics, Status, compare_labels
from surgiplan_desktop.validation.mesh_metrics import compare_meshes
from surgiplan_desktop.validation.weighted import SurfaceMetrics

Kind = Literal["labels", "meshes"]
#: Key of two meshes whose names tell no bone.
_NAMELESS: Final = "mesh"
#: Meshes of one bone whose sizes differ by more are in different units (the smallest ratio of two units is 2.54).
_SIZE_RATIO: Final = 2.0


@dataclass(frozen=True, slots=True)
class MeshReading:
    """Unit and space of a mesh file that does not say them; what the user says goes before what the file says."""

    unit: str | None = None
    space: str | None = None


@dataclass(frozen=True, slots=True)
class Agreement:
    """One label or mesh; pairs are (prediction, reference), NaN what cannot be had. Fields as in ``validation.label_metrics``."""

    id: str
    name: str
    status: Status
    dice: float
    surface: SurfaceMetrics
    volume_mm3: tuple[float, float]
    common_volume_mm3: tuple[float, float]
    at_edge: bool = False


@dataclass(frozen=True, slots=True)
class Evaluation:
    """All labels, the medians over them, and what has to be said."""

    kind: Kind
    rows: tuple[Agreement, ...]
    findings: tuple[Finding, ...]

    def median_of(self, name: str) -> float:
        """Return the median of a figure over labels; those that neither file has, or that lie outside the field, are left out.

        A label that only one file has counts with Dice 0 and infinite distance: a mean would be infinite, or hide it.
        """
        rows = [row for row in self.rows if row.status not in ("absent_correct", "outside_common_field")]
        values = [row.dice if name == "dice" else float(getattr(row.surface, name)) for row in rows]
        values = [value for value in values if not math.isnan(value)]
        return median(values) if values else math.nan


def evaluate(
    prediction: Path,
    reference: Path,
    *,
    codes: Sequence[int] | None = None,
    closed_edges: bool = False,
    readings: tuple[MeshReading, MeshReading] = (MeshReading(), MeshReading()),
    progress: Progress = SILENT,
) -> Evaluation:
    """Compare two files.

    Parameters
    ----------
    codes
        Labels to compare, present or not; None takes every label that either file has.
    closed_edges
        Count the surface where the edge of the image cuts a bone.
    readings
        How to take the meshes whose files do not say unit and space.

    Raises
    ------
    InputDataError
        ``evaluate_format`` for a file that is neither, ``not_labels`` for a scan, ``evaluate_apart`` for images without a common
        place, ``evaluate_sizes`` for meshes of different units, and the readers' own errors.
    UsageError
        ``evaluate_mixed`` for a label map against a mesh.
    """
    kinds = tuple(_kind(path) for path in (prediction, reference))
    if kinds[0] != kinds[1]:
        raise UsageError("evaluate_mixed", file=prediction, prediction=kinds[0], reference=kinds[1])
    if kinds[0] == "labels":
        return _labels(prediction, reference, codes, closed_edges, progress)
    return _meshes(prediction, reference, readings, progress)


def _kind(path: Path) -> Kind:
    if not path.exists():
        raise InputDataError("not_found", file=path)
    if path.is_file() and volume_kind(path) is not None:
        return "labels"
    if path.is_file() and path.suffix.lower() in MESH_ENDINGS:
        return "meshes"
    raise InputDataError("evaluate_format", file=path)


def _labels(prediction: Path, reference: Path, codes: Sequence[int] | None, closed_edges: bool, progress: Progress) -> Evaluation:
    progress.step(0, 1, "reading")
    ours, theirs = (read_label_file(path) for path in (prediction, reference))
    comparison = compare_labels(
        ours.labels, theirs.labels, codes=codes, closed_edges=closed_edges, progress=PartOfProgress(progress, 0.2, 1.0)
    )
    rows = tuple(
        Agreement(
            id=str(item.code),
            name=_label_name(item.code),
            status=item.status,
            dice=item.dice,
            surface=item.surface,
            volume_mm3=item.volume_mm3,
            common_volume_mm3=item.common_volume_mm3,
            at_edge=item.at_edge,
        )
        for item in comparison.labels
    )
    told = [
        Finding(item.code, item.severity, item.parameters, (str(path),))
        for path, read in ((prediction, ours), (reference, theirs))
        for item in read.findings
    ]
    spacings = tuple(" x ".join(f"{step:.4g}" for step in read.labels.affine.spacing[::-1]) for read in (ours, theirs))
    told += [*_grid_findings(comparison, spacings, closed_edges), *_label_findings(comparison.labels)]
    return Evaluation("labels", rows, tuple(told))


def _label_name(code: int) -> str:
    bone = bone_of_label(code)
    if bone is not None:
        return str(bone)
    return str(BoneName.SACRUM) if code == SACRUM_CODE else f"label_{code}"


def _grid_findings(comparison: LabelComparison, spacings: tuple[str, ...], closed_edges: bool) -> list[Finding]:
    found = []
    if comparison.relation == "turned":
        found.append(Finding("evaluate_turned", "note"))
    elif comparison.relation == "cropped":
        found.append(Finding("evaluate_cropped", "warn"))
    elif comparison.relation == "resampled":
        found.append(Finding("evaluate_resampled", "warn", (("prediction", spacings[0]), ("reference", spacings[1]))))
    cut = ", ".join(_label_name(item.code) for item in comparison.labels if item.at_edge)
    if cut and not closed_edges:
        found.append(Finding("evaluate_at_edge", "note", (("labels", cut),)))
    return found


def _label_findings(labels: Sequence[LabelMetrics]) -> list[Finding]:
    if not labels:
        return [Finding("evaluate_no_labels", "warn")]
    found = []
    one_sided: tuple[tuple[Status, str], ...] = (
        ("only_prediction", "evaluate_only_prediction"),
        ("only_reference", "evaluate_only_reference"),
        ("outside_common_field", "evaluate_outside_field"),
    )
    for status, code in one_sided:
        names = ", ".join(_label_name(item.code) for item in labels if item.status == status)
        if names:
            found.append(Finding(code, "warn", (("labels", names),)))
    statuses = {item.status for item in labels}
    if "ok" not in statuses and {"only_prediction", "only_reference"} <= statuses:
        found.append(Finding("evaluate_no_common_label", "warn"))
    return found


def _meshes(prediction: Path, reference: Path, readings: tuple[MeshReading, MeshReading], progress: Progress) -> Evaluation:
    progress.step(0, 1, "reading")
    paths = prediction, reference
    placed, findings = zip(*(_placed(path, reading) for path, reading in zip(paths, readings, strict=True)), strict=True)
    sizes = [float(np.ptp(mesh.vertices, axis=0).max()) for mesh in placed]
    if max(sizes) > _SIZE_RATIO * min(sizes):
        raise InputDataError("evaluate_sizes", file=prediction, prediction_mm=sizes[0], reference_mm=sizes[1])
    told = [item for each in findings for item in each]
    # the same words for both files are no contradiction, one word for one file may be
    if len({any(item.code == "evaluate_space_assumed" for item in each) for each in findings}) == 1:
        told = [item for item in told if item.code != "evaluate_space_assumed"]
    low, high = (np.array([edge(mesh.vertices, axis=0) for mesh in placed]) for edge in (np.min, np.max))
    if (low.max(axis=0) > high.min(axis=0)).any():
        told.append(Finding("evaluate_meshes_apart", "warn"))
    found = compare_meshes(*placed, progress=PartOfProgress(progress, 0.2, 1.0))
    for path, whole, turned in zip(paths, found.solid, found.inside_out, strict=True):
        if not whole:
            told.append(Finding("evaluate_mesh_open", "warn", files=(str(path),)))
        if turned:
            told.append(Finding("evaluate_mesh_inside_out", "note", files=(str(path),)))
    bone = next(filter(None, map(_bone_of_file, (reference, prediction))), None)
    row = Agreement(
        id=_NAMELESS if bone is None else str(label_code(bone)),
        name=reference.stem if bone is None else _label_name(label_code(bone)),
        status="ok",
        dice=found.dice,
        surface=found.surface,
        volume_mm3=found.volume_mm3,
        common_volume_mm3=found.volume_mm3,
    )
    return Evaluation("meshes", (row,), tuple(told))


def _placed(path: Path, reading: MeshReading) -> tuple[Mesh, list[Finding]]:
    """Read a mesh in LPS mm; unit and space as said, else as the file says, else mm and LPS with a finding."""
    read = read_mesh_file(path)
    unit = reading.unit or read.unit
    space = reading.space or read.space or ("y-up" if read.y_up else None)
    findings = [
        Finding(f"evaluate_{what}_assumed", "note", files=(str(path),))
        for what, value in (("unit", unit), ("space", space))
        if value is None
    ]
    to_lps = Affine(TO_LPS[space or "lps"] @ np.diag([MM_PER_UNIT[unit or "mm"]] * 3 + [1.0]))
    return read.mesh.moved(to_lps), findings


def _bone_of_file(path: Path) -> BoneId | None:
    bone, side = named_bone(path)
    return None if bone is None or side is None else BoneId(side, bone)
