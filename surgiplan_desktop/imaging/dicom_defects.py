"""Plant one fault in a written CT series, and say what a right import makes of it.

The content of every slice stays true to the place its header tells, unless the fault is that it does not: after the repair that a
user may consent to, landmarks are where they were.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import numpy as np
import pydicom
from pydicom.dataset import Dataset

from surgiplan_desktop.base.arrays import AnyArray
from surgiplan_desktop.imaging.dicom_header import SliceHeader, read_header
from surgiplan_desktop.imaging.dicom_pixels import PixelReader
from surgiplan_desktop.imaging.dicom_write import decimal, derived_uid, save
from surgiplan_desktop.imaging.encoding import SYNTAXES, put_pixels
from surgiplan_desktop.imaging.repair_plan import RepairLimits
from surgiplan_desktop.imaging.sources import Sources

#: A fault needs this many slices to be planted between sound ones.
LEAST_SLICES: Final = 8
#: How far each second slice of an uneven stretch lies from its even place, as a share of the spacing.
_OFF_PLACE: Final = 0.4
#: What is left of the pixels of a truncated file.
_LEFT: Final = 0.6


@dataclass(frozen=True, slots=True)
class PlantedDefect:
    """A fault: what a right scan says of the series it was planted in.

    ``verdict`` is that of the series (of its largest part where it falls apart), ``findings`` the codes that tell it, ``files``
    the files concerned, ``note`` what was done.
    """

    name: str
    verdict: Literal["ok", "repairable", "refused"]
    findings: tuple[str, ...]
    files: tuple[Path, ...]
    note: str


def plant_defect(paths: Sequence[Path], name: str) -> PlantedDefect:
    """Change the files of a series (in the order of its slices, as the writer returns them) so that it has the fault ``name``.

    Raises
    ------
    KeyError
        There is no such fault; :data:`DEFECTS` lists them.
    ValueError
        Fewer than :data:`LEAST_SLICES` slices.
    """
    if len(paths) < LEAST_SLICES:
        raise ValueError(f"a fault needs {LEAST_SLICES} slices to be planted among, got {len(paths)}")
    return DEFECTS[name](list(paths))


def _place(paths: list[Path]) -> int:
    """Where a fault of single slices stands: at a quarter, in the shaft below a knee, away from what is measured to a mm."""
    return len(paths) // 4


def _spacing_mm(paths: list[Path]) -> float:
    positions = [np.array(pydicom.dcmread(path, stop_before_pixels=True).ImagePositionPatient, float) for path in paths[:2]]
    return float(np.linalg.norm(positions[1] - positions[0]))


def _after_a_hole(width_mm: float) -> Literal["repairable", "refused"]:
    """Return the verdict on a series with a hole: a wider one than may be interpolated is refused."""
    return "repairable" if width_mm <= RepairLimits().gap_mm else "refused"


def _missing(paths: list[Path]) -> PlantedDefect:
    first, spacing = _place(paths), _spacing_mm(paths)
    count = 2 if 3.0 * spacing <= RepairLimits().gap_mm else 1
    for path in paths[first : first + count]:
        path.unlink()
    files = (paths[first - 1], paths[first + count])
    note = f"{count} neighbouring slices are not there"
    return PlantedDefect("missing", _after_a_hole((count + 1) * spacing), ("missing_slices",), files, note)


def _duplicate(paths: list[Path]) -> PlantedDefect:
    original = paths[_place(paths)]
    copy = original.with_name(f"{original.stem}_copy.dcm")
    copy.write_bytes(original.read_bytes())
    return PlantedDefect("duplicate", "repairable", ("duplicate_uid",), (original, copy), "one file is there twice")


def _swapped(paths: list[Path]) -> PlantedDefect:
    """Exchange file name and instance number of two slices; each keeps its own position and pixels.

    Who orders by name or number exchanges the slices; who orders by position does not, so the series is sound.
    """
    one, other = paths[len(paths) // 3], paths[2 * len(paths) // 3]
    first, second = pydicom.dcmread(one), pydicom.dcmread(other)
    first.InstanceNumber, second.InstanceNumber = second.InstanceNumber, first.InstanceNumber
    save(first, other)
    save(second, one)
    return PlantedDefect("swapped", "ok", (), (one, other), "two slices have exchanged file name and instance number")


def _uneven(paths: list[Path]) -> PlantedDefect:
    """Move each second slice of a stretch along the stack, with the content of where it now is."""
    span = range(_place(paths) - 1, _place(paths) + max(len(paths) // 12, 4), 2)
    stored = {k: _stored(paths[k]) for start in span for k in (start, start + 1)}
    for k in span:
        here, there = pydicom.dcmread(paths[k]), pydicom.dcmread(paths[k + 1], stop_before_pixels=True)
        position, following = (np.array(item.ImagePositionPatient, dtype=float) for item in (here, there))
        here.ImagePositionPatient = [decimal(value) for value in position + _OFF_PLACE * (following - position)]
        if "SliceLocation" in here:
            step = float(there.SliceLocation) - float(here.SliceLocation)
            here.SliceLocation = decimal(float(here.SliceLocation) + _OFF_PLACE * step)
        mixed = (1.0 - _OFF_PLACE) * stored[k] + _OFF_PLACE * stored[k + 1]
        put_pixels(here, [np.rint(mixed).astype(stored[k].dtype)], _syntax_name(here))
        save(here, paths[k])
    files = tuple(paths[k] for k in span)
    return PlantedDefect("uneven", "repairable", ("uneven",), files, "each second slice of a stretch is off its even place")


def _truncated(paths: list[Path]) -> PlantedDefect:
    path = paths[_place(paths)]
    data = path.read_bytes()
    header = _header(path)
    start = 0 if header.deflated else header.pixel_offset
    path.write_bytes(data[: start + int((len(data) - start) * _LEFT)])
    verdict = _after_a_hole(2.0 * _spacing_mm(paths))
    return PlantedDefect("truncated", verdict, ("truncated",), (path,), "one file ends in the middle of its pixels")


def _mixed(paths: list[Path]) -> PlantedDefect:
    """Put a second reconstruction of some slices, and two slices of another orientation, into the same series."""
    added = []
    for k in range(len(paths) // 4, len(paths) // 2):
        dataset = _copy_of(paths[k], "other kernel")
        dataset.ConvolutionKernel = "B20"
        added.append((dataset, paths[k].with_name(f"{paths[k].stem}_soft.dcm")))
    for k in (0, 1):
        dataset = _copy_of(paths[k], "other orientation")
        row, column = np.array(dataset.ImageOrientationPatient, dtype=float).reshape(2, 3)
        dataset.ImageOrientationPatient = [decimal(value) for value in (*row, *np.cross(row, column))]
        added.append((dataset, paths[k].with_name(f"{paths[k].stem}_turned.dcm")))
    for dataset, path in added:
        save(dataset, path)
    files = tuple(path for _, path in added)
    return PlantedDefect("mixed", "ok", ("mixed_kernel", "mixed_orientation"), files, "slices of another kernel and orientation")


def _nan_spacing(paths: list[Path]) -> PlantedDefect:
    for path in paths:
        dataset = pydicom.dcmread(path)
        dataset["PixelSpacing"] = pydicom.DataElement("PixelSpacing", "LO", ["nan", "nan"])
        save(dataset, path)
    return PlantedDefect("nan_spacing", "refused", ("bad_spacing",), tuple(paths), "the pixel spacing is no number")


def _no_position(paths: list[Path]) -> PlantedDefect:
    for path in paths:
        dataset = pydicom.dcmread(path)
        del dataset.ImagePositionPatient
        save(dataset, path)
    return PlantedDefect("no_position", "refused", ("no_position",), tuple(paths), "no slice says where it is")


def _two_patients(paths: list[Path]) -> PlantedDefect:
    half = paths[len(paths) // 2 :]
    for path in half:
        dataset = pydicom.dcmread(path)
        dataset.PatientID = dataset.PatientName = "ANOTHER"
        save(dataset, path)
    return PlantedDefect(
        "two_patients", "refused", ("identity_conflict",), tuple(half), "half of the slices bear another patient"
    )


DEFECTS: Final[dict[str, Callable[[list[Path]], PlantedDefect]]] = {
    "missing": _missing,
    "duplicate": _duplicate,
    "swapped": _swapped,
    "uneven": _uneven,
    "truncated": _truncated,
    "mixed": _mixed,
    "nan_spacing": _nan_spacing,
    "no_position": _no_position,
    "two_patients": _two_patients,
}


def _copy_of(path: Path, why: str) -> Dataset:
    dataset = pydicom.dcmread(path)
    dataset.SOPInstanceUID = derived_uid(why, dataset.SOPInstanceUID)
    return dataset


def _header(path: Path) -> SliceHeader:
    with path.open("rb") as stream:
        header = read_header(path.name, stream)
    if not isinstance(header, SliceHeader):
        raise ValueError(f"{path.name} is no image")
    return header


def _stored(path: Path) -> AnyArray:
    with Sources(path) as sources:
        return PixelReader(sources).stored(_header(path))


def _syntax_name(dataset: Dataset) -> str:
    return next(name for name, uid in SYNTAXES.items() if uid == dataset.file_meta.TransferSyntaxUID)
