"""What the text headers of NRRD and MetaImage leave unsaid: readers fill it in silently, the user should know or be asked."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from surgiplan_desktop.base.errors import InputDataError
from surgiplan_desktop.model.study import Finding

#: Spaces of NRRD that say left and right (Teem, "space").
_NRRD_SPACES: Final = frozenset({
    "right-anterior-superior", "ras", "left-anterior-superior", "las", "left-posterior-superior", "lps",
})  # fmt: skip
_MILLIMETRES: Final = frozenset({"mm", "millimeter", "millimetre", "millimeters", "millimetres", ""})
_HEADER_BYTES: Final = 1 << 16


def nrrd_findings(path: Path) -> tuple[Finding, ...]:
    """Check that a NRRD says where its axes point, in which unit, and that its data is there.

    Raises
    ------
    InputDataError
        ``volume_no_orientation`` without a space that tells left from right, or without directions; ``volume_unit`` for another
        unit than millimetres; ``volume_data_missing``.
    """
    fields = _nrrd_fields(path)
    space = fields.get("space", "").lower()
    if space not in _NRRD_SPACES or "space directions" not in fields:
        raise InputDataError("volume_no_orientation", file=path)
    units = {part.strip(' "').lower() for part in fields.get("space units", "").split()}
    if units - _MILLIMETRES:
        raise InputDataError("volume_unit", file=path, unit=", ".join(sorted(units)))
    data = fields.get("data file", fields.get("datafile", ""))
    if data and not data.upper().startswith("LIST") and "%" not in data and not (path.parent / data).is_file():
        raise InputDataError("volume_data_missing", file=path, missing=data)
    return () if "space origin" in fields else (Finding("volume_origin_assumed", "note"),)


def _nrrd_fields(path: Path) -> dict[str, str]:
    lines = _lines(path)
    if not lines or not lines[0].startswith("NRRD"):
        raise InputDataError("unreadable_volume", file=path, detail="no NRRD header")
    fields: dict[str, str] = {}
    for line in lines[1:]:
        if not line:
            break
        name, colon, value = line.partition(":")
        if colon and not line.startswith("#") and not value.startswith("="):
            fields[name.strip().lower()] = value.strip()
    return fields


def metaimage_findings(path: Path) -> tuple[Finding, ...]:
    """Check that a MetaImage says its spacing, and that its data is there; directions that it leaves out are told.

    Raises
    ------
    InputDataError
        ``volume_no_spacing``, ``volume_data_missing``, ``unreadable_volume``.
    """
    fields: dict[str, str] = {}
    for line in _lines(path):
        name, equals, value = line.partition("=")
        if not equals:
            break
        fields[name.strip().lower()] = value.strip()
        if name.strip().lower() == "elementdatafile":
            break
    if "dimsize" not in fields:
        raise InputDataError("unreadable_volume", file=path, detail="no MetaImage header")
    if "elementspacing" not in fields and "elementsize" not in fields:
        raise InputDataError("volume_no_spacing", file=path)
    data = fields.get("elementdatafile", "")
    if data and data.upper() not in ("LOCAL", "LIST") and "%" not in data and not (path.parent / data).is_file():
        raise InputDataError("volume_data_missing", file=path, missing=data)
    findings = []
    if not {"transformmatrix", "rotation", "orientation"} & set(fields):
        findings.append(Finding("volume_directions_assumed", "warn"))
    if not {"offset", "position", "origin"} & set(fields):
        findings.append(Finding("volume_origin_assumed", "note"))
    return tuple(findings)


def _lines(path: Path) -> list[str]:
    try:
        with path.open("rb") as stream:
            start = stream.read(_HEADER_BYTES)
    except OSError as error:
        raise InputDataError("unreadable_volume", file=path, detail=repr(error)) from error
    return [line.decode("latin-1").rstrip("\r") for line in start.split(b"\n")]
