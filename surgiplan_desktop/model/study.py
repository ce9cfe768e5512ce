"""What was imported as images: blocks of a scan with their origin, scouts, films. No voxels: those are assets.

Big arrays are assets named by content hash (``"sha256:<hex>"``); a record holds only the names.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, get_args

from surgiplan_desktop.model.anatomy import Side

AssetId = str
Matrix = tuple[tuple[float, float, float, float], ...]


@dataclass(frozen=True, slots=True)
class Finding:
    """Something the user must know: an id with parameters, never words; severity decides colour and gate."""

    code: str
    severity: Literal["note", "warn", "fail", "critical"]
    parameters: tuple[tuple[str, str | int | float | bool], ...] = ()
    files: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Repair:
    """What was done to a series, with consent, before it became a volume.

    ``parameters`` state how much and how large the error is (mm or HU); ``original_affine`` is index (k, j, i) -> LPS mm of the
    slices as they were, None where no single affine describes them. ``stretches`` are the first and last k of each run of slices
    of the volume that were interpolated over a hole: nothing is known there, and no guide may touch it.
    """

    kind: Literal["tilt", "missing_slices", "uneven", "duplicate_position", "duplicate_uid", "truncated"]
    parameters: tuple[tuple[str, str | int | float | bool], ...] = ()
    original_affine: Matrix | None = None
    stretches: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class ImageEvidence:
    """What the pixels of one block say about its quality, measured once at import; judged later against limits.

    ``version`` is that of the measuring code. Values are None where the block does not show what is needed.
    """

    version: int
    values: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True)
class SeriesOrigin:
    """Where a block came from: UIDs and technique, no name of a patient. ``laterality`` is the DICOM tag or empty.

    ``acquired`` is ``YYYYMMDDTHHMMSS`` as far as the tags say it; ``repairs`` what was mended with the user's consent.
    """

    kind: Literal["dicom", "nifti", "nrrd", "mha"]
    series_uids: tuple[str, ...] = ()
    study_uid: str = ""
    frame_of_reference_uid: str = ""
    description: str = ""
    kernel: str = ""
    slice_thickness_mm: float | None = None
    patient_position: str = ""
    laterality: str = ""
    acquired: str = ""
    findings: tuple[Finding, ...] = ()
    repairs: tuple[Repair, ...] = ()
    patient_age_years: float | None = None
    transfer_syntax: str = ""
    body_part: str = ""


@dataclass(frozen=True, slots=True)
class VolumeBlock:
    """One gap-free volume: the asset of its voxels and the affine index (k, j, i) -> LPS mm as four rows."""

    voxels: AssetId
    affine: Matrix
    shape: tuple[int, int, int]
    origin: SeriesOrigin
    evidence: ImageEvidence | None = None


@dataclass(frozen=True, slots=True)
class Study:
    """The blocks of one study in one frame of reference (hip, knee and ankle slabs, or one volume), proximal first.

    ``scouts`` are the localizers of the same frame of reference, kept with their geometry and never used as a volume.
    """

    blocks: tuple[VolumeBlock, ...]
    scouts: tuple[Scout, ...] = ()


@dataclass(frozen=True, slots=True)
class Scout:
    """A CT localizer: pixels (j, i) as an asset, and the affine index (0, j, i) -> LPS mm of its plane."""

    pixels: AssetId
    affine: Matrix
    shape: tuple[int, int]
    series_uid: str
    description: str = ""


@dataclass(frozen=True, slots=True)
class FilmCalibration:
    """How lengths on a film were calibrated: nothing yet, the pixel spacing of the patient, or a ball or ruler of known size.

    ``spacing_mm`` is (between rows, between columns) in the plane of the bone; None locks lengths, angles stay free.
    ``points_px`` are the points that the user placed, (column, row) counted in pixels from the centre of the first;
    ``measured_px`` the diameter or length they give, in distances between columns.
    """

    kind: Literal["none", "patient_spacing", "ball", "ruler"] = "none"
    spacing_mm: tuple[float, float] | None = None
    known_mm: float | None = None
    measured_px: float | None = None
    points_px: tuple[tuple[float, float], ...] = ()


FilmPointName = Literal[
    "head", "knee", "ankle", "femur_medial", "femur_lateral", "tibia_medial", "tibia_lateral", "tuberosity"
]  # fmt: skip
#: The eight points of a leg on a standing film (practice.md 2), in the order in which they are placed.
FILM_POINTS: Final[tuple[FilmPointName, ...]] = get_args(FilmPointName)


@dataclass(frozen=True, slots=True)
class FilmPoint:
    """A point that somebody placed on a film: column and row, counted in pixels from the centre of the first pixel."""

    name: FilmPointName
    x: float
    y: float


@dataclass(frozen=True, slots=True)
class FilmLeg:
    """What was placed on one leg of a film; ``head_radius_px`` is that of the head circle, in distances between columns."""

    side: Side
    points: tuple[FilmPoint, ...] = ()
    head_radius_px: float | None = None

    def point(self, name: str) -> tuple[float, float] | None:
        """Return column and row of a point, None when it is not placed."""
        return next(((item.x, item.y) for item in self.points if item.name == name), None)


@dataclass(frozen=True, slots=True)
class Film:
    """A radiograph of the leg: pixels (j, i) uint16 as an asset, bright bone; the side is set by hand, never guessed.

    ``taken`` is ``YYYY-MM-DD`` or empty. ``aspect`` is distance between rows / between columns: angles need it, lengths need the
    calibration too (planning.film_geometry). ``source`` is the digest of the pixels as they were in the file, so that one film
    is not attached twice; ``inverted`` says that the user turned bright and dark; ``laterality`` and ``orientation`` are
    the tags. ``mirrored`` says that the patient's right is at the right of the picture (seen from behind, or turned over);
    ``legs`` holds the points, at most one leg a side (a film of both legs has two).
    """

    id: str
    pixels: AssetId
    shape: tuple[int, int]
    modality: str
    side: Side | None
    taken: str
    calibration: FilmCalibration = FilmCalibration()
    detector_spacing_mm: tuple[float, float] | None = None
    findings: tuple[Finding, ...] = ()
    aspect: float = 1.0
    source: str = ""
    inverted: bool = False
    laterality: str = ""
    orientation: str = ""
    mirrored: bool = False
    legs: tuple[FilmLeg, ...] = ()

    def leg(self, side: Side) -> FilmLeg:
        """Return what was placed on a side's leg; a leg without points when nothing was."""
        return next((item for item in self.legs if item.side == side), FilmLeg(side))
