"""NIfTI-1 and -2: header, the two places it may give a volume (sform and qform), and the stored values. RAS stays in this file.

Read here, not through SimpleITK, because which of two contradicting places is meant, and what unit they are in, is a question for
the user and not for a library (NIfTI-1 standard, nifti1.h; Cox et al. 2004).
"""

from __future__ import annotations

import gzip
import io
import math
import struct
import zlib
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any, BinaryIO, Final, cast

import numpy as np

from surgiplan_desktop.base.arrays import AnyArray, FloatArray
from surgiplan_desktop.base.errors import InputDataError
from surgiplan_desktop.base.spaces import LPS_FROM_RAS, Affine
from surgiplan_desktop.model.study import Finding

_TYPES: Final = {
    2: "u1", 4: "i2", 8: "i4", 16: "f4", 64: "f8", 256: "i1", 512: "u2", 768: "u4", 1024: "i8", 1280: "u8",
}  # fmt: skip
_COLOURS: Final = frozenset({128, 2304, 32, 1792, 2048})
_LABELS: Final = 1002
_MM: Final = {0: 1.0, 1: 1000.0, 2: 1.0, 3: 1e-3}
#: Places that differ by less are one place, written in single precision (mm).
_SAME_MM: Final = 0.2
#: gzip packs nothing better than this.
_PACKED: Final = 1032
_BROKEN: Final = (OSError, EOFError, zlib.error, struct.error)


@dataclass(frozen=True, slots=True)
class NiftiHeader:
    """What a NIfTI header says: size along i, j, k, index (k, j, i) -> LPS mm, how values are stored, and what is odd."""

    size: tuple[int, int, int]
    affine: Affine
    stored: str
    offset: int
    slope: float
    intercept: float
    is_labels: bool
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class _Fields:
    """The fields of either version, in one form."""

    dim: tuple[int, ...]
    datatype: int
    pixdim: tuple[float, ...]
    offset: int
    slope: float
    intercept: float
    units: int
    intent: int
    codes: tuple[int, int]
    quaternion: tuple[float, ...]
    shift: tuple[float, ...]
    rows: tuple[float, ...]
    order: str
    paired: bool


def read_nifti_header(path: Path) -> NiftiHeader:
    """Read and judge a header.

    Raises
    ------
    InputDataError
        ``unreadable_volume``, ``volume_not_3d``, ``volume_no_orientation`` when neither sform nor qform is valid,
        ``volume_forms_mirrored`` when one is the mirror image of the other.
    """
    try:
        with _opened(path) as stream:
            start = stream.read(540)
    except _BROKEN as error:
        raise InputDataError("unreadable_volume", file=path, detail=repr(error)) from error
    fields = _fields(start, path)
    count = fields.dim[0]
    if count < 3 or any(size != 1 for size in fields.dim[4 : count + 1]) or fields.datatype in _COLOURS:
        raise InputDataError("volume_not_3d", file=path)
    size = (fields.dim[1], fields.dim[2], fields.dim[3])
    kind = _TYPES.get(fields.datatype)
    if kind is None or min(size) < 1:
        raise InputDataError("unreadable_volume", file=path, detail=f"datatype {fields.datatype}, size {size}")
    affine, findings = _placed(fields, size, path)
    slope = fields.slope if math.isfinite(fields.slope) and fields.slope != 0 else 1.0
    intercept = fields.intercept if math.isfinite(fields.intercept) and fields.slope != 0 else 0.0
    return NiftiHeader(
        size=size,
        affine=affine,
        stored=fields.order + kind,
        offset=0 if fields.paired else max(fields.offset, 348),
        slope=slope,
        intercept=intercept,
        is_labels=fields.intent == _LABELS,
        findings=tuple(findings),
    )


def read_nifti_values(path: Path, header: NiftiHeader) -> AnyArray:
    """Return the stored values, shape (k, j, i), in the machine's byte order; rescale not applied.

    Raises
    ------
    InputDataError
        ``truncated_file`` when the file ends before its values do, ``volume_data_missing`` for a header without its image file.
    """
    source = _data_file(path)
    kind = np.dtype(header.stored)
    needed = math.prod(header.size) * kind.itemsize
    packed = source.name.lower().endswith(".gz")
    if needed > source.stat().st_size * (_PACKED if packed else 1):
        raise InputDataError("truncated_file", file=source)
    values: AnyArray = np.empty(header.size[::-1], dtype=kind)
    left = memoryview(values.reshape(-1).view(np.uint8))  # type: ignore[arg-type]
    try:
        with _opened(source) as stream:
            stream.seek(header.offset)
            while left:
                got = cast(Any, stream).readinto(left)
                if not got:
                    raise InputDataError("truncated_file", file=source)
                left = left[got:]
    except _BROKEN as error:
        raise InputDataError("truncated_file", file=source, detail=repr(error)) from error
    return values if kind.isnative else values.byteswap(inplace=True).view(kind.newbyteorder())


def _data_file(path: Path) -> Path:
    """Return the file of the values: the image beside a header that has none of its own."""
    name = path.name.lower()
    if not name.endswith((".hdr", ".hdr.gz")):
        return path
    stem = path.name[: name.rindex(".hdr")]
    for ending in (".img", ".img.gz", ".IMG"):
        if path.with_name(stem + ending).is_file():
            return path.with_name(stem + ending)
    raise InputDataError("volume_data_missing", file=path, missing=f"{stem}.img")


def _opened(path: Path) -> BinaryIO:
    if path.name.lower().endswith(".gz"):
        return cast(BinaryIO, io.BufferedReader(gzip.GzipFile(path)))
    return path.open("rb")


def _fields(start: bytes, path: Path) -> _Fields:
    for order in "<>":
        size = struct.unpack_from(f"{order}i", start)[0] if len(start) >= 4 else 0
        try:
            if size == 348 and start[344:347] in (b"n+1", b"ni1"):
                return _version_1(start, order)
            if size == 540 and start[4:7] in (b"n+2", b"ni2"):
                return _version_2(start, order)
        except struct.error as error:
            raise InputDataError("unreadable_volume", file=path, detail=str(error)) from error
    # an Analyze header has no magic and says nothing of left and right
    if len(start) >= 348 and 348 in (struct.unpack_from("<i", start)[0], struct.unpack_from(">i", start)[0]):
        raise InputDataError("volume_no_orientation", file=path)
    raise InputDataError("unreadable_volume", file=path, detail="no NIfTI header")


def _version_1(start: bytes, order: str) -> _Fields:
    get = struct.unpack_from
    return _Fields(
        dim=get(f"{order}8h", start, 40), datatype=get(f"{order}h", start, 70)[0], pixdim=get(f"{order}8f", start, 76),
        offset=int(get(f"{order}f", start, 108)[0]), slope=get(f"{order}f", start, 112)[0],
        intercept=get(f"{order}f", start, 116)[0], units=start[123], intent=get(f"{order}h", start, 68)[0],
        codes=get(f"{order}2h", start, 252), quaternion=get(f"{order}3f", start, 256), shift=get(f"{order}3f", start, 268),
        rows=get(f"{order}12f", start, 280), order=order, paired=start[344:347] == b"ni1",
    )  # fmt: skip


def _version_2(start: bytes, order: str) -> _Fields:
    get = struct.unpack_from
    return _Fields(
        dim=get(f"{order}8q", start, 16), datatype=get(f"{order}h", start, 12)[0], pixdim=get(f"{order}8d", start, 104),
        offset=get(f"{order}q", start, 168)[0], slope=get(f"{order}d", start, 176)[0],
        intercept=get(f"{order}d", start, 184)[0], units=get(f"{order}i", start, 500)[0] & 0xFF,
        intent=get(f"{order}i", start, 504)[0], codes=get(f"{order}2i", start, 344), quaternion=get(f"{order}3d", start, 352),
        shift=get(f"{order}3d", start, 376), rows=get(f"{order}12d", start, 400), order=order, paired=start[4:7] == b"ni2",
    )  # fmt: skip


def _placed(fields: _Fields, size: tuple[int, int, int], path: Path) -> tuple[Affine, list[Finding]]:
    """Choose between sform and qform: the sform where both are valid, and say by how much the other differs."""
    unit = fields.units & 7
    findings: list[Finding] = []
    if unit == 0:
        findings.append(Finding("volume_unit_assumed", "note"))
    factor = _MM.get(unit)
    if factor is None:
        raise InputDataError("volume_geometry", file=path, detail=f"unit code {unit}")
    qform = _qform(fields) if fields.codes[0] > 0 else None
    sform = _sform(fields) if fields.codes[1] > 0 else None
    chosen = qform if sform is None else sform
    if chosen is None:
        raise InputDataError("volume_no_orientation", file=path)
    if sform is not None and qform is not None:
        if np.linalg.det(sform[:3, :3]) * np.linalg.det(qform[:3, :3]) < 0:
            raise InputDataError("volume_forms_mirrored", file=path)
        corners = np.array([(*corner, 1.0) for corner in product(*((0.0, count - 1.0) for count in size))])
        apart = float(np.linalg.norm(corners @ (sform - qform)[:3].T, axis=1).max()) * factor
        if apart > _SAME_MM:
            findings.append(Finding("volume_forms_disagree", "warn", (("apart_mm", round(apart, 2)),)))
    scaled = np.diag([factor, factor, factor, 1.0]) @ chosen
    lps = LPS_FROM_RAS @ scaled
    return Affine(lps[:, [2, 1, 0, 3]]), findings


def _sform(fields: _Fields) -> FloatArray | None:
    rows = np.array(fields.rows, dtype=np.float64).reshape(3, 4)
    return _valid(np.vstack([rows, [0, 0, 0, 1]]))


def _qform(fields: _Fields) -> FloatArray | None:
    """Return the map of the quaternion (b, c, d), the spacings and the sign of the third axis (nifti1.h, method 2)."""
    b, c, d = fields.quaternion
    squared = b * b + c * c + d * d
    if not math.isfinite(squared):
        return None
    if squared > 1.0:  # rounded: a half turn
        length = math.sqrt(squared)
        a, b, c, d = 0.0, b / length, c / length, d / length
    else:
        a = math.sqrt(1.0 - squared)
    turn = np.array([
        [a * a + b * b - c * c - d * d, 2 * (b * c - a * d), 2 * (b * d + a * c)],
        [2 * (b * c + a * d), a * a + c * c - b * b - d * d, 2 * (c * d - a * b)],
        [2 * (b * d - a * c), 2 * (c * d + a * b), a * a + d * d - b * b - c * c],
    ])  # fmt: skip
    spacing = np.array(fields.pixdim[1:4], dtype=np.float64)
    if not (np.isfinite(spacing).all() and (spacing > 0).all()):
        return None
    spacing[2] *= -1.0 if fields.pixdim[0] < 0 else 1.0
    matrix = np.eye(4)
    matrix[:3, :3] = turn * spacing
    matrix[:3, 3] = fields.shift
    return _valid(matrix)


def _valid(matrix: FloatArray) -> FloatArray | None:
    """Return the matrix where it maps three dimensions to three, None otherwise."""
    if not np.isfinite(matrix).all():
        return None
    lengths = np.linalg.norm(matrix[:3, :3], axis=0)
    if not (lengths > 0).all() or abs(float(np.linalg.det(matrix[:3, :3] / lengths))) < 1e-3:
        return None
    return matrix
