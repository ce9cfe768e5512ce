"""Films: brightness, the two kinds of spacing, pictures turned upright, and what is no film."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.uid import JPEG2000Lossless, JPEGLSLossless, RLELossless

from surgiplan_desktop.base.errors import InputDataError
from surgiplan_desktop.imaging.encoding import put_pixels
from surgiplan_desktop.imaging.films import is_film, read_film
from tests.helpers.films import compressed, dicom_film, leg

HIGHEST = (1 << 12) - 1


def codes(path: Path) -> set[str]:
    return {item.code for item in read_film(path).findings}


@pytest.mark.parametrize(
    ("tags", "turned"),
    [
        ({}, False),
        ({"PresentationLUTShape": "IDENTITY"}, False),
        ({"PhotometricInterpretation": "MONOCHROME1"}, True),
        ({"PhotometricInterpretation": "MONOCHROME1", "PresentationLUTShape": "INVERSE"}, True),
        ({"PresentationLUTShape": "INVERSE"}, True),
        ({"RescaleSlope": "-1", "RescaleIntercept": "4095"}, True),
    ],
)
def test_bone_is_bright_whatever_the_photometry(tmp_path: Path, tags: dict[str, object], turned: bool) -> None:
    stored = HIGHEST - leg() if turned else leg()
    film = read_film(dicom_film(tmp_path / "f.dcm", stored, **tags))
    assert film.pixels.dtype == np.uint16
    np.testing.assert_array_equal(film.pixels, leg())
    assert "film_looks_inverted" not in {item.code for item in film.findings}


def test_dark_bones_are_said(tmp_path: Path) -> None:
    assert "film_looks_inverted" in codes(dicom_film(tmp_path / "f.dcm", HIGHEST - leg()))
    sign = {"PixelIntensityRelationship": "LOG", "PixelIntensityRelationshipSign": 1}
    assert "film_photometry_contradicts" in codes(dicom_film(tmp_path / "g.dcm", **sign))
    assert "film_photometry_contradicts" not in codes(
        dicom_film(tmp_path / "h.dcm", PhotometricInterpretation="MONOCHROME1", **sign)
    )


def test_overlay_bits_signs_and_padding(tmp_path: Path) -> None:
    np.testing.assert_array_equal(read_film(dicom_film(tmp_path / "a.dcm", leg() | 0x8000)).pixels, leg())
    shifted = (leg().astype(np.int16) - 2048).view(np.uint16)
    np.testing.assert_array_equal(read_film(dicom_film(tmp_path / "b.dcm", shifted, PixelRepresentation=1)).pixels, leg())
    shuttered = HIGHEST - leg()
    shuttered[:, :5] = 0
    film = read_film(dicom_film(tmp_path / "c.dcm", shuttered, PhotometricInterpretation="MONOCHROME1", PixelPaddingValue=0))
    assert film.pixels[:, :5].max() == 0
    np.testing.assert_array_equal(film.pixels[:, 5:], leg()[:, 5:])


@pytest.mark.parametrize("syntax", [RLELossless, JPEGLSLossless, JPEG2000Lossless])
def test_compressed_films(tmp_path: Path, syntax: str) -> None:
    np.testing.assert_array_equal(read_film(compressed(dicom_film(tmp_path / "f.dcm"), syntax)).pixels, leg())


def test_a_film_in_lossless_jpeg(tmp_path: Path) -> None:
    path = dicom_film(tmp_path / "f.dcm", HIGHEST - leg(), PhotometricInterpretation="MONOCHROME1")
    dataset = pydicom.dcmread(path)
    put_pixels(dataset, [HIGHEST - leg()], "jpeg_lossless")
    dataset.PhotometricInterpretation, dataset.BitsStored, dataset.HighBit = "MONOCHROME1", 12, 11
    dataset.save_as(path)
    np.testing.assert_array_equal(read_film(path).pixels, leg())


def test_a_film_stored_in_colour_that_shows_only_grey(tmp_path: Path) -> None:
    grey = (leg() // 16).astype(np.uint8)
    colour = {"SamplesPerPixel": 3, "PhotometricInterpretation": "RGB", "PlanarConfiguration": 0, "BitsAllocated": 8}
    data = np.stack([grey] * 3, axis=2)
    path = dicom_film(tmp_path / "f.dcm", leg(), bits=8, **colour, PixelData=data.tobytes())
    np.testing.assert_array_equal(read_film(path).pixels, grey)
    data[40:70] = (250, 10, 10)
    path = dicom_film(tmp_path / "g.dcm", leg(), bits=8, **colour, PixelData=data.tobytes())
    with pytest.raises(InputDataError, match="film_colour"):
        read_film(path)


@pytest.mark.parametrize(
    ("tags", "patient", "detector", "code"),
    [
        ({"ImagerPixelSpacing": [0.2, 0.2]}, None, (0.2, 0.2), "film_detector_spacing"),
        ({"ImagerPixelSpacing": [0.2, 0.2], "PixelSpacing": [0.2, 0.2]}, None, (0.2, 0.2), "film_detector_spacing"),
        ({"ImagerPixelSpacing": [0.2, 0.2], "PixelSpacing": [0.18, 0.18]}, None, (0.2, 0.2), "film_spacing_unstated"),
        ({"PixelSpacing": [0.18, 0.18]}, None, (0.18, 0.18), "film_spacing_unstated"),
        (
            {"ImagerPixelSpacing": [0.2, 0.2], "PixelSpacing": [0.18, 0.18], "PixelSpacingCalibrationType": "FIDUCIAL"},
            (0.18, 0.18), (0.2, 0.2), "",
        ),
        (
            {"ImagerPixelSpacing": [0.2, 0.2], "PixelSpacing": [0.18, 0.18], "PixelSpacingCalibrationType": "GEOMETRY"},
            (0.18, 0.18), (0.2, 0.2), "film_spacing_by_geometry",
        ),
        (
            {"ImagerPixelSpacing": [0.2, 0.2], "PixelSpacing": [0.25, 0.25], "PixelSpacingCalibrationType": "FIDUCIAL"},
            None, (0.2, 0.2), "film_spacing_implausible",
        ),
        (
            {"ImagerPixelSpacing": [0.2, 0.2], "EstimatedRadiographicMagnificationFactor": "1.1"},
            None, (0.2, 0.2), "film_magnification",
        ),
        ({"ImagerPixelSpacing": [0.0, 0.2]}, None, None, "film_spacing_invalid"),
        ({}, None, None, "film_no_spacing"),
    ],
)  # fmt: skip
def test_only_a_calibrated_spacing_is_the_patients(
    tmp_path: Path, tags: dict[str, object], patient: object, detector: object, code: str
) -> None:
    film = read_film(dicom_film(tmp_path / "f.dcm", **tags))
    assert (film.patient_spacing_mm, film.detector_spacing_mm) == (patient, detector)
    assert not code or code in {item.code for item in film.findings}


def test_pixels_that_are_not_square(tmp_path: Path) -> None:
    assert read_film(dicom_film(tmp_path / "f.dcm", PixelAspectRatio=[3, 2])).aspect == 1.5
    film = read_film(dicom_film(tmp_path / "g.dcm", ImagerPixelSpacing=[0.1, 0.2]))
    assert film.aspect == 0.5
    assert "film_pixels_not_square" in {item.code for item in film.findings}
    Image.fromarray(leg().astype(np.uint8)).save(tmp_path / "p.png", dpi=(300, 150))
    assert read_film(tmp_path / "p.png").aspect == pytest.approx(2.0, rel=1e-3)


def test_stitched_films_are_told_by_tag_or_shape(tmp_path: Path) -> None:
    assert "film_stitched" in codes(dicom_film(tmp_path / "a.dcm", ImageType=["DERIVED", "PRIMARY", "", "STITCHED"]))
    assert "film_stitched" in codes(dicom_film(tmp_path / "b.dcm", leg(300, 100)))
    assert "film_stitched" not in codes(dicom_film(tmp_path / "c.dcm"))


def test_date_side_and_orientation_come_from_the_tags(tmp_path: Path) -> None:
    path = dicom_film(tmp_path / "f", ImageLaterality="L", StudyDate="20260314", PatientOrientation=["R", "F"])
    film = read_film(path)
    assert is_film(path)
    assert (film.taken, film.laterality, film.orientation, film.modality) == ("2026-03-14", "L", "R\\F", "DX")
    assert "film_orientation" in {item.code for item in film.findings}


@pytest.mark.parametrize("name", ["p.png", "p.tif", "p.jpg"])
def test_grey_pictures_of_8_bits(tmp_path: Path, name: str) -> None:
    grey = (leg() // 16).astype(np.uint8)
    Image.fromarray(grey).save(tmp_path / name, quality=100)
    film = read_film(tmp_path / name)
    np.testing.assert_allclose(film.pixels, grey, atol=6 if name.endswith("jpg") else 0)
    assert (film.source, film.patient_spacing_mm) == ("picture", None)


@pytest.mark.parametrize("name", ["p.png", "p.tif"])
def test_grey_pictures_of_16_bits_keep_every_value(tmp_path: Path, name: str) -> None:
    Image.fromarray(leg()).save(tmp_path / name)
    np.testing.assert_array_equal(read_film(tmp_path / name).pixels, leg())


def test_a_tiff_in_which_white_is_zero(tmp_path: Path) -> None:
    wide = Image.fromarray(65535 - leg())
    wide.save(tmp_path / "wide.tif", tiffinfo={262: 0})
    np.testing.assert_array_equal(read_film(tmp_path / "wide.tif").pixels, leg())


@pytest.mark.parametrize("orientation", range(1, 9))
def test_pictures_are_turned_upright(tmp_path: Path, orientation: int) -> None:
    upright = (leg() // 16).astype(np.uint8)
    upright[:30, :20] = 90
    # what the camera stores so that its note turns it upright again (EXIF 2.3, tag 0x0112)
    stored = {
        1: upright, 2: upright[:, ::-1], 3: upright[::-1, ::-1], 4: upright[::-1], 5: upright.T,
        6: np.rot90(upright, 1), 7: upright[::-1, ::-1].T, 8: np.rot90(upright, -1),
    }[orientation]  # fmt: skip
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(np.ascontiguousarray(stored)).save(tmp_path / "p.png", exif=exif)
    film = read_film(tmp_path / "p.png")
    np.testing.assert_array_equal(film.pixels, upright)
    assert ("film_turned" in {item.code for item in film.findings}) == (orientation != 1)


def test_grey_in_colour_is_taken_and_said_colours_are_refused(tmp_path: Path) -> None:
    grey = (leg() // 16).astype(np.float64)
    Image.fromarray(np.stack([grey] * 3, axis=2).astype(np.uint8)).save(tmp_path / "grey.png")
    assert "film_was_coloured" in codes(tmp_path / "grey.png")
    tint = np.stack([grey, grey * 0.95, grey * 0.8], axis=2).astype(np.uint8)
    Image.fromarray(tint).save(tmp_path / "tint.png")
    assert "film_tinted" in codes(tmp_path / "tint.png")
    tint[40:60] = (200, 20, 20)
    Image.fromarray(tint).save(tmp_path / "colour.png")
    with pytest.raises(InputDataError, match="film_colour"):
        read_film(tmp_path / "colour.png")


def no_picture(path: Path) -> Path:
    path.write_bytes(b"\x89PNG\r\n\x1a\nnothing")
    return path


def huge(path: Path) -> Path:
    """A picture of a few bytes whose header claims 15,000 x 11,000 pixels."""
    Image.new("L", (4, 4)).save(path)
    data = bytearray(path.read_bytes())
    data[16:24] = struct.pack(">II", 15000, 11000)
    data[29:33] = struct.pack(">I", zlib.crc32(data[12:29]))
    path.write_bytes(data)
    return path


def pages(path: Path) -> Path:
    Image.new("L", (30, 30)).save(path, save_all=True, append_images=[Image.new("L", (30, 30))])
    return path


def scan(path: Path) -> Path:
    return dicom_film(path, Modality="CT")


def run_of_frames(path: Path) -> Path:
    return dicom_film(path, NumberOfFrames=7)


def short(path: Path) -> Path:
    return dicom_film(path, PixelData=b"\0\0" * 50)


def claims(path: Path) -> Path:
    return dicom_film(path, Rows=65535, Columns=65535)


@pytest.mark.parametrize(
    ("make", "name", "error"),
    [
        (no_picture, "a.png", "film_unreadable"),
        (huge, "a.png", "film_size"),
        (pages, "a.tif", "film_pages"),
        (scan, "a.dcm", "film_not_a_film"),
        (run_of_frames, "a.dcm", "film_frames"),
        (short, "a.dcm", "truncated_file"),
        (claims, "a.dcm", "film_size"),
    ],
)
def test_what_is_no_film_is_named(tmp_path: Path, make: object, name: str, error: str) -> None:
    path = make(tmp_path / name)  # type: ignore[operator]
    with pytest.raises(InputDataError, match=error) as caught:
        read_film(path)
    assert caught.value.file == str(path)


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.jpg", "a.dcm"])
def test_cut_films_raise_nothing_else(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    noise = np.random.default_rng(3).integers(0, 200, (90, 60)).astype(np.uint8)
    dicom_film(path, noise.astype(np.uint16)) if name.endswith("dcm") else Image.fromarray(noise).save(path)
    whole = path.read_bytes()
    for tenth in range(10):
        path.write_bytes(whole[: len(whole) * tenth // 10])
        with pytest.raises(InputDataError):
            read_film(path)
