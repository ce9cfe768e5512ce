"""Random damage to valid studies, the same for the same seed and number."""

from __future__ import annotations

import random
import struct
import zipfile
from collections.abc import Callable, Sequence
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any, Final

import numpy as np
import pydicom
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset

from surgiplan_desktop.base.spaces import Affine
from surgiplan_desktop.imaging.dicom_write import write_ct_series
from surgiplan_desktop.imaging.encoding import SYNTAXES
from surgiplan_desktop.imaging.enhanced_write import write_enhanced_ct
from surgiplan_desktop.model.images import Volume

#: Bytes of the files of a study by name.
Files = dict[str, bytes]
_SLICES: Final = 7
#: Values that no scanner should write, for numbers, words and vectors.
_ODD: Final[tuple[Any, ...]] = (
    "", "nan", "inf", "-inf", "1e308", "-1", "0", "0.0000001", "99999", "100000", "4294967296", "abc", "\\\\", "1\\2", "1\\2\\3",
    "1\\0\\0\\1\\0\\0", "0\\0\\0\\0\\0\\0", "nan\\nan", "0\\0", "-0.5\\0.5", "1e-30\\1e-30", "\0\0", "ş" * 40, "9" * 70,
)  # fmt: skip
_KEYWORDS: Final = (
    "ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "SliceThickness", "Rows", "Columns", "BitsAllocated",
    "BitsStored", "HighBit", "PixelRepresentation", "SamplesPerPixel", "PhotometricInterpretation", "RescaleSlope",
    "RescaleIntercept", "SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID", "FrameOfReferenceUID", "SOPClassUID",
    "Modality", "ImageType", "PatientID", "PatientName", "NumberOfFrames", "PixelPaddingValue", "InstanceNumber", "SeriesNumber",
    "SpecificCharacterSet", "PatientPosition", "Laterality", "ConvolutionKernel", "AcquisitionNumber", "GantryDetectorTilt",
    "PlanarConfiguration", "LossyImageCompression", "RescaleType",
)  # fmt: skip


def _volume(slices: int = _SLICES, rows: int = 40, columns: int = 36, shear: float = 0.0) -> Volume:
    values = np.random.default_rng(5).integers(-1000, 1500, (slices, rows, columns)).astype(np.int16)
    linear = np.column_stack([[0.0, shear, 1.5], [0.0, 0.7, 0.0], [0.6, 0.0, 0.0]])
    return Volume(values, Affine.from_parts(linear, np.array([-80.0, 20.0, -300.0])))


@cache
def studies(scratch: Path, corpus: Path | None = None) -> dict[str, Files]:
    """Return valid studies: written in every encoding, as one enhanced file, tilted, zipped, and small ones of a corpus."""
    found: dict[str, Files] = {}
    for syntax in SYNTAXES:
        found[syntax] = _read(write_ct_series(_volume(), scratch / syntax, transfer_syntax=syntax))
    found["oblique"] = _read(write_ct_series(_tilted(), scratch / "oblique"))
    for syntax in ("explicit_le", "rle"):
        path = write_enhanced_ct([_volume()], scratch / f"enhanced_{syntax}.dcm", transfer_syntax=syntax)
        found[f"enhanced_{syntax}"] = _read([path])
    for syntax in ("explicit_le", "jpeg_ls"):
        found[f"zip_{syntax}"] = {"study.zip": _zipped(found[syntax])}
    if corpus is not None:
        found["corpus/j2k"] = _read(sorted((corpus / "ct-jpeg2000-lossless").glob("CT*"))[:_SLICES])
        found["corpus/ct-3slice"] = _read(sorted((corpus / "ct-3slice").glob("*.dcm")))
        found["corpus/tilt"] = _read(sorted((corpus / "ct-gantry-tilt-uneven").glob("*.dcm"))[:3])
        for name in (
            "enhanced/emri_small.dcm",
            "enhanced/emri_small_jpeg_ls_lossless.dcm",
            "compressed/MR2_J2KR.dcm",
            "seg/liver.dcm",
        ):
            found[f"corpus/{name}"] = _read([corpus / name])
    return found


def _tilted() -> Volume:
    turn = np.array([[1.0, 0.0, 0.0], [0.0, 0.9, -np.sqrt(0.19)], [0.0, np.sqrt(0.19), 0.9]])
    straight = _volume()
    linear = turn @ straight.affine.linear
    return Volume(straight.array, Affine.from_parts(linear, np.array([10.0, -20.0, 30.0])))


def _read(paths: Sequence[Path]) -> Files:
    return {path.name: path.read_bytes() for path in paths}


def _zipped(files: Files) -> bytes:
    stream = BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(zipfile.ZipInfo(f"disc/{name}"), data, zipfile.ZIP_DEFLATED)
    return stream.getvalue()


def mutate(files: Files, random_: random.Random) -> tuple[str, Files]:
    """Return the name of the damage and the damaged study; ``files`` stays as it is."""
    damaged = dict(files)
    kinds = [name for name in MUTATIONS if name != "zip_inside" or next(iter(files)).endswith(".zip")]
    weights = [4 if name in ("tag_value", "geometry", "header_bits") else 3 if name == "zip_inside" else 2 for name in kinds]
    name = random_.choices(kinds, weights)[0]
    for _ in range(random_.choice((1, 1, 1, 2, 4))):
        MUTATIONS[name](damaged, random_)
    return name, damaged


def _some(files: Files, random_: random.Random) -> list[str]:
    """Choose one file, or (one time in four) all."""
    names = sorted(files)
    return names if random_.random() < 0.25 else [random_.choice(names)] if names else []


def _bits(files: Files, random_: random.Random, share: float) -> None:
    for name in _some(files, random_):
        data = bytearray(files[name])
        end = max(int(len(data) * share), 1)
        for _ in range(random_.choice((1, 2, 8, 64))):
            if data:
                data[random_.randrange(end) % len(data)] ^= 1 << random_.randrange(8)
        files[name] = bytes(data)


def _header_bits(files: Files, random_: random.Random) -> None:
    for name in _some(files, random_):
        data = bytearray(files[name])
        place = data.find(b"\xe0\x7f\x10\x00")
        end = place if place > 140 else len(data)
        for _ in range(random_.choice((1, 2, 8))):
            if end > 132:
                data[random_.randrange(132, end)] ^= 1 << random_.randrange(8)
        files[name] = bytes(data)


def _cut(files: Files, random_: random.Random) -> None:
    for name in _some(files, random_):
        files[name] = files[name][: random_.randrange(len(files[name]) + 1)]


def _splice(files: Files, random_: random.Random) -> None:
    for name in _some(files, random_):
        data = files[name]
        place, count = random_.randrange(len(data) + 1), random_.choice((1, 2, 3, 8, 100))
        if random_.random() < 0.5:
            files[name] = data[:place] + random_.randbytes(count) + data[place:]
        else:
            files[name] = data[:place] + data[place + count :]


def _length(files: Files, random_: random.Random) -> None:
    """Change the length of an element (or of a sequence item) where it stands in the bytes."""
    for name in _some(files, random_):
        data = bytearray(files[name])
        places = [at for at in range(132, min(len(data) - 8, 4000)) if bytes(data[at + 4 : at + 6]).isalpha()]
        if not places:
            continue
        at = random_.choice(places)
        long = bytes(data[at + 4 : at + 6]) in (b"OB", b"OW", b"SQ", b"UN", b"UT")
        value = random_.choice((0, 1, 2, 7, 255, 65535, 0x7FFFFFFF, 0xFFFFFFFE, 0xFFFFFFFF, random_.randrange(1 << 16)))
        field = struct.pack("<I", value) if long else struct.pack("<H", value & 0xFFFF)
        start = at + 8 if long else at + 6
        data[start : start + len(field)] = field
        files[name] = bytes(data)


def _edit(files: Files, random_: random.Random, change: Callable[[Dataset], None]) -> None:
    for name in _some(files, random_):
        try:
            dataset = pydicom.dcmread(BytesIO(files[name]), force=True)
            change(dataset)
            stream = BytesIO()
            dataset.save_as(stream)
            files[name] = stream.getvalue()
        except Exception:  # noqa: BLE001, S112 - what pydicom itself cannot write is no mutation
            continue


def _tag_value(files: Files, random_: random.Random) -> None:
    keyword, value = random_.choice(_KEYWORDS), random_.choice(_ODD)

    def change(dataset: Dataset) -> None:
        if random_.random() < 0.2:
            if keyword in dataset:
                delattr(dataset, keyword)
            return
        if keyword in ("Rows", "Columns", "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation", "SamplesPerPixel"):
            setattr(dataset, keyword, random_.choice((0, 1, 2, 3, 7, 8, 12, 13, 16, 17, 32, 64, 255, 1000, 30000, 65535)))
            return
        element = DataElement(pydicom.datadict.tag_for_keyword(keyword), "LO", value)
        element.VR = pydicom.datadict.dictionary_VR(element.tag).split(" or ")[0]
        # past the checks of pydicom's own setter: values that it would refuse are what is wanted
        if element.VR in ("US", "SS"):
            number = random_.randrange(-30000, 30000) if element.VR == "SS" else random_.randrange(65536)
            element._value = number  # noqa: SLF001 - as above
        elif element.VR in ("DS", "IS", "UI", "CS", "LO", "PN", "SH"):
            element._value = str(element._value)  # noqa: SLF001 - as above
        dataset[element.tag] = element

    _edit(files, random_, change)


def _geometry(files: Files, random_: random.Random) -> None:
    """Change position, orientation or spacing a little or much, as a wrong export does."""
    what, amount = random_.randrange(5), random_.choice((1e-4, 0.004, 0.05, 0.4, 1.5, 100.0)) * random_.choice((-1, 1))
    axis = random_.randrange(3)

    def change(dataset: Dataset) -> None:
        if what == 0:
            position = list(dataset.ImagePositionPatient)
            position[axis] = round(float(position[axis]) + amount, 6)
            dataset.ImagePositionPatient = position
        elif what == 1:
            orientation = list(map(float, dataset.ImageOrientationPatient))
            orientation[random_.randrange(6)] += amount / 10
            dataset.ImageOrientationPatient = [round(value, 8) for value in orientation]
        elif what == 2:
            dataset.PixelSpacing = [round(float(value) * (1 + amount / 10), 6) for value in dataset.PixelSpacing]
        elif what == 3:
            dataset.ImageOrientationPatient = [-float(value) for value in dataset.ImageOrientationPatient[:3]] + list(
                dataset.ImageOrientationPatient[3:]
            )
        else:
            dataset.Rows, dataset.Columns = dataset.Columns, dataset.Rows

    _edit(files, random_, change)


def _syntax(files: Files, random_: random.Random) -> None:
    uid = str(random_.choice([*SYNTAXES.values(), "1.2.840.10008.1.2.4.201", "1.2.840.10008.1.2.4.50", "1.2.3", ""]))

    def change(dataset: Dataset) -> None:
        dataset.file_meta.TransferSyntaxUID = uid

    for name in _some(files, random_):
        data = files[name]
        for known in SYNTAXES.values():
            raw = str(known).encode()
            if raw + b"\0" in data[:600] and uid:
                files[name] = data.replace(raw, uid.encode()[: len(raw)].ljust(len(raw), b"\0"), 1)
                break


def _members(files: Files, random_: random.Random) -> None:
    """Remove, repeat, swap or rename files."""
    names = sorted(files)
    if not names:
        return
    one, other = random_.choice(names), random_.choice(names)
    what = random_.randrange(4)
    if what == 0 and len(names) > 1:
        del files[one]
    elif what == 1:
        files[f"copy of {one}"] = files[one]
    elif what == 2:
        files[one], files[other] = files[other], files[one]
    else:
        files[random_.choice(("DICOMDIR", "ç" * 60 + ".dcm", "a.zip", "x.nii", "图像.dcm"))] = files.pop(one)


def _payload(files: Files, random_: random.Random) -> None:
    """Damage the pixel data: bytes, or the lengths of its fragments."""
    for name in _some(files, random_):
        data = bytearray(files[name])
        place = data.find(b"\xe0\x7f\x10\x00")
        if place < 0 or place + 12 >= len(data):
            continue
        for _ in range(random_.choice((1, 4, 40))):
            data[random_.randrange(place + 8, len(data))] = random_.randrange(256)
        files[name] = bytes(data)


def _reorder(files: Files, random_: random.Random) -> None:
    """Swap two stretches of the header, as elements out of order."""
    for name in _some(files, random_):
        data = files[name]
        place = data.find(b"\xe0\x7f\x10\x00")
        if place < 200:
            continue
        a, b, c, d = sorted(random_.randrange(132, place) for _ in range(4))
        files[name] = data[:a] + data[c:d] + data[b:c] + data[a:b] + data[d:]


def _zip_inside(files: Files, random_: random.Random) -> None:
    """Damage a file inside the archive, or lie in the archive's own directory about sizes and names."""
    for name in [name for name in files if name.endswith(".zip")]:
        try:
            with zipfile.ZipFile(BytesIO(files[name])) as archive:
                inside = {item: archive.read(item) for item in archive.namelist()}
        except Exception:  # noqa: BLE001, S112 - already beyond repair
            continue
        if random_.random() < 0.5:
            damaged = {Path(item).name: data for item, data in inside.items()}
            _, damaged = mutate(damaged, random_)
            files[name] = _zipped(damaged)
            continue
        data = bytearray(files[name])
        place = data.rfind(b"PK\x01\x02")
        for _ in range(3):
            data[random_.randrange(max(place, 0), len(data))] ^= 1 << random_.randrange(8)
        files[name] = bytes(data)


MUTATIONS: Final[dict[str, Callable[[Files, random.Random], None]]] = {
    "bits": lambda files, random_: _bits(files, random_, 1.0),
    "header_bits": _header_bits,
    "cut": _cut,
    "splice": _splice,
    "length": _length,
    "tag_value": _tag_value,
    "geometry": _geometry,
    "syntax": _syntax,
    "members": _members,
    "payload": _payload,
    "reorder": _reorder,
    "zip_inside": _zip_inside,
}
