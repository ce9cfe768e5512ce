"""Judge an accepted volume by the headers alone, read by plain pydicom: does each of its planes lie where a file says it lies?

Nothing of the program's own reading is used. A plane that no file puts there, pixels of other spacing or direction, planes of
several patients, studies or frames of reference, or voxels that differ from the stored ones are contradictions.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any, Final

import numpy as np
import pydicom
from pydicom.dataset import Dataset

#: A plane may lie this far from its file's position: 1 % of the spacing (the verdict "ok"), never under rounding, mm.
_JITTER: Final = 0.0101
_ROUNDING_MM: Final = 0.011
_DIRECTION: Final = 2e-3
#: Only what is judged is read: damage elsewhere in a header is no reason not to judge it.
_TAGS: Final = (
    "PatientID", "PatientBirthDate", "StudyInstanceUID", "FrameOfReferenceUID", "SeriesInstanceUID", "Rows", "Columns",
    "PerFrameFunctionalGroupsSequence", "SharedFunctionalGroupsSequence", "ImagePositionPatient", "ImageOrientationPatient",
    "PixelSpacing", "BitsAllocated", "BitsStored", "PixelRepresentation", "PixelPaddingValue", "RescaleSlope", "RescaleIntercept",
    "PixelData", "SpecificCharacterSet",
)  # fmt: skip


@dataclass(frozen=True)
class Plane:
    """One image of a file as its header tells it."""

    file: str
    series: str
    identity: tuple[str, str, str, str]
    rows: int
    columns: int
    position: np.ndarray
    orientation: np.ndarray
    spacing: np.ndarray
    values: np.ndarray | None


def planes_of(files: Mapping[str, bytes]) -> list[Plane]:
    """Return every image whose header pydicom can read."""
    found: list[Plane] = []
    for name, data in files.items():
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                dataset = pydicom.dcmread(BytesIO(data), force=True, specific_tags=list(_TAGS))
                found += list(_planes(name, dataset))
        except Exception:  # noqa: BLE001, S112 - unreadable by pydicom: judged by nobody
            continue
    return found


def _planes(name: str, dataset: Dataset) -> Iterator[Plane]:
    identity = tuple(
        str(dataset.get(key) or "") for key in ("PatientID", "PatientBirthDate", "StudyInstanceUID", "FrameOfReferenceUID")
    )
    series, rows, columns = str(dataset.get("SeriesInstanceUID") or ""), int(dataset.Rows), int(dataset.Columns)
    frames = dataset.get("PerFrameFunctionalGroupsSequence")
    for number in range(len(frames) if frames else 1):
        groups = [frames[number], *dataset.get("SharedFunctionalGroupsSequence", [])] if frames else []

        def value(sequence: str, keyword: str, groups: Sequence[Dataset] = groups) -> Any:
            for group in groups:
                if sequence in group:
                    return group[sequence].value[0][keyword].value
            # as it stands in the file: a damaged VR is no other value
            raw = dataset.get_item(keyword).value
            return raw.decode("ascii").strip(" \0").split("\\") if isinstance(raw, bytes) else raw

        yield Plane(
            name,
            series,
            identity,  # type: ignore[arg-type]
            rows,
            columns,
            np.array(value("PlanePositionSequence", "ImagePositionPatient"), dtype=float),
            np.array(value("PlaneOrientationSequence", "ImageOrientationPatient"), dtype=float),
            np.array(value("PixelMeasuresSequence", "PixelSpacing"), dtype=float),
            None if frames else _values(dataset, rows, columns),
        )


def _values(dataset: Dataset, rows: int, columns: int) -> np.ndarray | None:
    """Return Hounsfield values of plain 16-bit pixels, None for all else."""
    if dataset.file_meta.get("TransferSyntaxUID") not in ("1.2.840.10008.1.2", "1.2.840.10008.1.2.1"):
        return None
    if dataset.get("BitsAllocated") != 16 or dataset.get("BitsStored") != 16 or "PixelPaddingValue" in dataset:
        return None
    kind = "<i2" if dataset.get("PixelRepresentation") == 1 else "<u2"
    stored = np.frombuffer(dataset.PixelData[: rows * columns * 2], dtype=kind)
    if stored.size != rows * columns:
        return None
    slope, intercept = float(dataset.get("RescaleSlope") or 1), float(dataset.get("RescaleIntercept") or 0)
    return stored.reshape(rows, columns).astype(float) * slope + intercept


def contradiction(planes: Sequence[Plane], matrix: np.ndarray, array: np.ndarray, series: Sequence[str]) -> str:
    """Return what of an accepted block contradicts the headers, empty when nothing does.

    Parameters
    ----------
    planes
        Of the damaged files.
    matrix, array
        Index (k, j, i) to LPS and the voxels of the block.
    series
        UIDs that the block says it comes from (``#2`` stands behind parts of a series).
    """
    uids = {uid.split("#")[0] for uid in series}
    known = {plane.series for plane in planes}
    own = [plane for plane in planes if plane.series in uids] if uids & known else list(planes)
    own = [plane for plane in own if np.isfinite(plane.position).all() and plane.position.shape == (3,)]
    if not own:
        return "no file that pydicom can read lies in space"
    steps = np.linalg.norm(matrix[:3, :3], axis=0)
    if not (np.isfinite(matrix).all() and (steps > 0).all()):
        return "the affine is not finite or has no extent"
    tolerance = max(_JITTER * float(steps[0]), _ROUNDING_MM)
    identities = set()
    for k in range(array.shape[0]):
        place = matrix[:3, 3] + matrix[:3, 0] * k
        near = [plane for plane in own if np.linalg.norm(plane.position - place) <= tolerance]
        if not near:
            return f"plane {k}: no file lies at {np.round(place, 3)}"
        fitting = [plane for plane in near if not _differs(plane, matrix, array[k])]
        if not fitting:
            return f"plane {k}: {_differs(near[0], matrix, array[k])}"
        identities.add(frozenset(plane.identity for plane in fitting))
    if not frozenset.intersection(*identities):
        return "planes of several patients, studies or frames of reference"
    return ""


def _differs(plane: Plane, matrix: np.ndarray, pixels: np.ndarray) -> str:
    if (plane.rows, plane.columns) != pixels.shape:
        return f"{pixels.shape} pixels instead of {plane.rows} x {plane.columns}"
    for column, direction, spacing in (
        (2, plane.orientation[:3], plane.spacing[1]),
        (1, plane.orientation[3:], plane.spacing[0]),
    ):
        if not np.allclose(matrix[:3, column], direction * spacing, atol=_DIRECTION * abs(spacing) + 1e-6):
            return f"axis {column} is {np.round(matrix[:3, column], 4)} instead of {np.round(direction * spacing, 4)}"
    off = 0.0 if plane.values is None or not np.isfinite(plane.values).all() else float(np.abs(pixels - plane.values).max())
    return f"voxels differ by up to {off:g} HU" if off > 0.5 + 1e-3 else ""
