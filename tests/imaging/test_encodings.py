"""Stored values become Hounsfield units whatever bits, sign, padding or encoding they have; what is broken is refused by name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate

from surgiplan_desktop.base.errors import InputDataError
from surgiplan_desktop.base.spaces import Affine
from surgiplan_desktop.imaging import decoder_process
from surgiplan_desktop.imaging.decoding import DecodeError, Frame
from surgiplan_desktop.imaging.deflated import inflated
from surgiplan_desktop.imaging.dicom_header import SliceHeader, read_header
from surgiplan_desktop.imaging.dicom_read import read_slice
from surgiplan_desktop.imaging.dicom_scan import scan_folder
from surgiplan_desktop.imaging.dicom_write import save, write_ct_series
from surgiplan_desktop.imaging.encoding import SYNTAXES, encode
from surgiplan_desktop.imaging.jpeg_headers import irreversible_jpeg_2000
from surgiplan_desktop.imaging.sources import Sources
from surgiplan_desktop.model.images import Volume
from tests.imaging.htj2k_codestream import CODESTREAM

SIZE = (33, 36)
ENCAPSULATED = ("rle", "jpeg_lossless", "jpeg_ls", "jpeg_ls_near", "j2k_lossless", "j2k_lossy")


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """Give one file with the values of :func:`hounsfield`, stored as signed 16 bits with intercept -1024."""
    affine = Affine.from_parts(np.column_stack([[0, 0, 2.0], [0, 0.5, 0], [0.5, 0, 0]]), np.zeros(3))
    return write_ct_series(Volume(hounsfield()[None], affine), tmp_path)[0]


def hounsfield() -> np.ndarray:
    """A smooth picture with every kind of value from air to metal."""
    j, i = np.indices(SIZE)
    return np.rint(900 + 1900 * np.sin(i / 7.0) * np.cos(j / 5.0)).astype(np.int16)


def header_of(path: Path) -> SliceHeader:
    with path.open("rb") as stream:
        header = read_header(path.name, stream)
    assert isinstance(header, SliceHeader)
    return header


def read(path: Path) -> np.ndarray:
    with Sources(path.parent) as sources:
        return read_slice(sources, header_of(path))


def change(path: Path, edit: Callable[[Dataset], object]) -> None:
    dataset = pydicom.dcmread(path)
    edit(dataset)
    save(dataset, path)


def store(dataset: Dataset, stored: np.ndarray, bits_stored: int, *, high_bit: int | None = None) -> None:
    dataset.PixelData = stored.tobytes()
    dataset["PixelData"].VR = "OW" if stored.dtype.itemsize > 1 else "OB"
    dataset.BitsAllocated = 8 * stored.dtype.itemsize
    dataset.BitsStored, dataset.HighBit = bits_stored, bits_stored - 1 if high_bit is None else high_bit
    dataset.PixelRepresentation = int(stored.dtype.kind == "i")


# ---- bits


def test_twelve_bits_signed_with_foreign_bits_above(image: Path) -> None:
    values = np.clip(hounsfield(), -1000, 1000)

    def edit(dataset: Dataset) -> None:
        dirty = (values.astype(np.uint16) & 0x0FFF) | 0xA000
        store(dataset, dirty.view(np.int16), 12)
        dataset.RescaleIntercept = "0"

    change(image, edit)
    np.testing.assert_array_equal(read(image), values)


def test_twelve_bits_at_the_top_of_the_word(image: Path) -> None:
    def edit(dataset: Dataset) -> None:
        store(dataset, ((hounsfield() + 1024).astype(np.uint16) << 4) | 0x9, 12, high_bit=15)

    change(image, edit)
    np.testing.assert_array_equal(read(image), hounsfield())


@pytest.mark.parametrize("kind", [np.uint16, np.int16, np.int32, np.uint32])
def test_words_of_every_kind(image: Path, kind: type) -> None:
    change(image, lambda dataset: store(dataset, (hounsfield() + 1024).astype(kind), np.dtype(kind).itemsize * 8))
    np.testing.assert_array_equal(read(image), hounsfield())


def test_eight_bits(image: Path) -> None:
    def edit(dataset: Dataset) -> None:
        store(dataset, np.arange(np.prod(SIZE), dtype=np.uint8).reshape(SIZE), 8)
        dataset.RescaleSlope, dataset.RescaleIntercept = "8", "-1000"

    change(image, edit)
    np.testing.assert_array_equal(read(image).reshape(-1), np.arange(np.prod(SIZE)) % 256 * 8 - 1000)


def test_eight_bits_in_big_endian_words(image: Path) -> None:
    values = np.arange(np.prod(SIZE), dtype=np.uint8).reshape(SIZE)

    def edit(dataset: Dataset) -> None:
        store(dataset, values.reshape(-1, 2)[:, ::-1], 8)
        dataset["PixelData"].VR = "OW"
        dataset.RescaleIntercept = "0"
        dataset.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRBigEndian

    change(image, edit)
    np.testing.assert_array_equal(read(image), values)


def test_floating_pixels_are_refused(image: Path) -> None:
    def edit(dataset: Dataset) -> None:
        del dataset.PixelData
        dataset.add_new("FloatPixelData", "OF", hounsfield().astype(np.float32).tobytes())
        dataset.BitsAllocated = dataset.BitsStored = 32

    change(image, edit)
    with pytest.raises(InputDataError, match="cannot_decode"):
        read(image)


@pytest.mark.parametrize("stored", [0, 17])
def test_impossible_bits_are_refused(image: Path, stored: int) -> None:
    change(image, lambda dataset: setattr(dataset, "BitsStored", stored))
    with pytest.raises(InputDataError, match="cannot_decode"):
        read(image)


def test_inverted_display_leaves_the_values(image: Path) -> None:
    change(image, lambda dataset: setattr(dataset, "PhotometricInterpretation", "MONOCHROME1"))
    np.testing.assert_array_equal(read(image), hounsfield())


# ---- rescale and padding


def test_each_slice_has_its_own_rescale(tmp_path: Path) -> None:
    volume = Volume(np.stack([hounsfield() // 4 * 4] * 3), Affine.from_parts(np.diag([1.0, 1.0, 1.0])[::-1], np.zeros(3)))
    paths = write_ct_series(volume, tmp_path, rescale_intercept=0)
    for path, slope in zip(paths, (1, 2, 4), strict=True):

        def edit(dataset: Dataset, slope: int = slope) -> None:
            store(dataset, (volume.array[0] // slope + 5).astype(np.int16), 16)
            dataset.RescaleSlope, dataset.RescaleIntercept = str(slope), str(-5 * slope)

        change(path, edit)
    for path in paths:
        np.testing.assert_array_equal(read(path), volume.array[0])


def test_a_fractional_rescale_is_rounded_to_whole_units(image: Path) -> None:
    change(image, lambda dataset: setattr(dataset, "RescaleSlope", "0.3333"))
    exact = (hounsfield().astype(float) + 1024) * 0.3333 - 1024
    np.testing.assert_array_equal(read(image), np.rint(exact))


def test_values_without_rescale_that_cannot_be_negative_are_no_hounsfield_units(image: Path) -> None:
    def edit(dataset: Dataset) -> None:
        store(dataset, (hounsfield() + 1024).astype(np.uint16), 16)
        del dataset.RescaleIntercept, dataset.RescaleSlope, dataset.RescaleType

    change(image, edit)
    (series,) = scan_folder(image.parent).series
    assert "not_ct" in {finding.code for finding in series.findings}
    change(image, lambda dataset: store(dataset, hounsfield(), 16))
    (series,) = scan_folder(image.parent).series
    assert "not_ct" not in {finding.code for finding in series.findings}
    np.testing.assert_array_equal(read(image), hounsfield())


def padded(values: np.ndarray, padding: int) -> np.ndarray:
    values = values.copy()
    values[:3, :] = values[:, -2:] = padding
    return values


@pytest.mark.parametrize(
    ("padding", "tags"),
    [
        (-2000, {"PixelPaddingValue": -2000}),
        (-32768, {"PixelPaddingValue": -32768}),
        (-1990, {"PixelPaddingValue": -2000, "PixelPaddingRangeLimit": -1980}),
        (-1990, {"PixelPaddingValue": -1980, "PixelPaddingRangeLimit": -2000}),
        (30000, {"PixelPaddingValue": 30000}),
    ],
)
def test_padding_becomes_air(image: Path, padding: int, tags: dict[str, int]) -> None:
    def edit(dataset: Dataset) -> None:
        store(dataset, padded(hounsfield() + 1024, padding).astype(np.int16), 16)
        for keyword, value in tags.items():
            dataset.add_new(keyword, "SS", value)

    change(image, edit)
    values = read(image)
    assert values.dtype == np.int16
    np.testing.assert_array_equal(values, padded(hounsfield(), -1024))


def test_padding_written_unsigned_is_that_of_signed_pixels(image: Path) -> None:
    def edit(dataset: Dataset) -> None:
        store(dataset, padded(hounsfield() + 1024, -2000).astype(np.int16), 16)
        dataset.add_new("PixelPaddingValue", "US", 63536)

    change(image, edit)
    np.testing.assert_array_equal(read(image), padded(hounsfield(), -1024))


def test_padding_with_a_value_of_the_body_makes_no_holes(image: Path) -> None:
    """Padding 0 where water is 0 too: the frame is air, water inside stays water."""
    inside = np.full(SIZE, 40, dtype=np.int16)
    inside[10:20, 10:20] = 0

    def edit(dataset: Dataset) -> None:
        store(dataset, padded(inside, 0), 16)
        dataset.RescaleIntercept = "0"
        dataset.add_new("PixelPaddingValue", "SS", 0)

    change(image, edit)
    np.testing.assert_array_equal(read(image), padded(inside, -1024))


def test_an_image_of_padding_alone_is_air(image: Path) -> None:
    def edit(dataset: Dataset) -> None:
        store(dataset, np.full(SIZE, -2000, dtype=np.int16), 16)
        dataset.add_new("PixelPaddingValue", "SS", -2000)

    change(image, edit)
    np.testing.assert_array_equal(read(image), np.full(SIZE, -1024))


# ---- compressed


@pytest.mark.parametrize("syntax", ENCAPSULATED)
@pytest.mark.parametrize("signed", [False, True])
def test_every_codec_keeps_either_sign(tmp_path: Path, syntax: str, signed: bool) -> None:
    stored = hounsfield() - 500 if signed else (hounsfield() + 1024).astype(np.uint16)
    frame = Frame(encode(stored, syntax), SYNTAXES[syntax], *SIZE, 16, 16, signed)
    values = decoder_process.decode_apart(frame)
    allowed = {"jpeg_ls_near": 2, "j2k_lossy": 40}.get(syntax, 0)
    assert np.abs(values.astype(int) - stored).max() <= allowed


@pytest.mark.parametrize("syntax", ENCAPSULATED)
def test_frames_cut_anywhere_are_refused(syntax: str) -> None:
    data = encode((hounsfield() + 1024).astype(np.uint16), syntax)
    for tenth in range(10):
        cut = Frame(data[: len(data) * tenth // 10], SYNTAXES[syntax], *SIZE, 16, 16, False)
        with pytest.raises(DecodeError):
            decoder_process.decode_apart(cut)


@pytest.mark.parametrize("syntax", ENCAPSULATED)
def test_flipped_bytes_never_break_the_program(syntax: str) -> None:
    data = encode((hounsfield() + 1024).astype(np.uint16), syntax)
    random = np.random.default_rng(5)
    for _ in range(12):
        broken = bytearray(data)
        for place in random.integers(0, len(data), 4):
            broken[place] = int(random.integers(256))
        try:
            values = decoder_process.decode_apart(Frame(bytes(broken), SYNTAXES[syntax], *SIZE, 16, 16, False))
        except DecodeError:
            continue
        assert values.shape == SIZE


@pytest.mark.parametrize("syntax", ["jpeg_ls", "j2k_lossless", "jpeg_lossless"])
def test_a_frame_of_another_size_is_refused_before_it_is_decoded(syntax: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoder_process, "_Decoder", None)  # no decoder may be asked
    monkeypatch.setattr(decoder_process, "_idle", decoder_process.queue.LifoQueue())
    data = encode((hounsfield() + 1024).astype(np.uint16), syntax)
    with pytest.raises(DecodeError, match="36 x 33"):
        decoder_process.decode_apart(Frame(data, SYNTAXES[syntax], 8000, 8000, 16, 16, False))


def test_a_decoder_that_dies_or_hangs_is_told_and_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    data = encode((hounsfield() + 1024).astype(np.uint16), "jpeg_ls")
    frame = Frame(data, SYNTAXES["jpeg_ls"], *SIZE, 16, 16, False)
    decoder_process.close_decoders()
    decoder_process.decode_apart(frame)
    decoder = decoder_process._idle.get_nowait()
    decoder._process.kill()
    decoder._process.wait()
    with pytest.raises(decoder_process.DecoderCrash):
        decoder.decode(frame)
    decoder_process._idle.put(decoder)
    assert decoder_process.decode_apart(frame).shape == SIZE  # by a fresh process
    with monkeypatch.context() as patch:
        patch.setattr(decoder_process, "_FRAME_S", 0.0)
        patch.setattr(decoder_process, "_FRAME_S_PER_MEGAPIXEL", 0.0)
        patch.setattr(decoder_process, "_send", lambda stream, data: None)  # so that no answer ever comes
        with pytest.raises(DecodeError, match="in time"):
            decoder_process.decode_apart(frame)
    assert decoder_process.decode_apart(frame).shape == SIZE


def test_broken_pixels_name_their_file(tmp_path: Path, image: Path) -> None:
    def edit(dataset: Dataset) -> None:
        dataset.compress(pydicom.uid.JPEGLSLossless)
        dataset.PixelData = dataset.PixelData.replace(b"\xff\xda", b"\xff\xff")
        dataset["PixelData"].is_undefined_length = True

    change(image, edit)
    with pytest.raises(InputDataError, match="cannot_decode") as caught:
        read(image)
    assert caught.value.file == str(image)


def test_an_image_that_no_memory_holds_is_refused(image: Path) -> None:
    change(image, lambda dataset: dataset.compress(pydicom.uid.RLELossless))
    change(image, lambda dataset: (setattr(dataset, "Rows", 60000), setattr(dataset, "Columns", 60000)))
    with pytest.raises(InputDataError, match="image_too_large"):
        read(image)


def test_a_deflated_bomb_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, image: Path) -> None:
    change(image, lambda dataset: setattr(dataset.file_meta, "TransferSyntaxUID", pydicom.uid.DeflatedExplicitVRLittleEndian))
    np.testing.assert_array_equal(read(image), hounsfield())
    monkeypatch.setattr("surgiplan_desktop.imaging.deflated.MAX_BYTES", 1000)
    with image.open("rb") as stream, pytest.raises(ValueError, match="grows beyond"):
        inflated(stream)
    with image.open("rb") as stream:
        assert getattr(read_header(image.name, stream), "reason", "") == "unreadable"


@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2.4.201", "1.2.840.10008.1.2.4.202", "1.2.840.10008.1.2.4.203"])
def test_high_throughput_jpeg_2000_is_read(image: Path, syntax: str) -> None:
    """No codec at hand writes it: the codestream is one of OpenJPH 0.26 of the same picture."""

    def edit(dataset: Dataset) -> None:
        store(dataset, hounsfield().astype(np.uint16), 16)
        dataset.add_new("PixelData", "OB", encapsulate([CODESTREAM]))
        dataset["PixelData"].is_undefined_length = True
        dataset.file_meta.TransferSyntaxUID = pydicom.uid.UID(syntax)

    change(image, edit)
    np.testing.assert_array_equal(read(image), hounsfield())
    assert not header_of(image).lossy


def test_lossy_jpeg_2000_is_known_by_its_wavelet(tmp_path: Path) -> None:
    stored = (hounsfield() + 1024).astype(np.uint16)
    assert irreversible_jpeg_2000(encode(stored, "j2k_lossy"))
    assert not irreversible_jpeg_2000(encode(stored, "j2k_lossless"))
    affine = Affine.from_parts(np.column_stack([[0, 0, 2.0], [0, 0.5, 0], [0.5, 0, 0]]), np.zeros(3))
    (path,) = write_ct_series(Volume(hounsfield()[None], affine), tmp_path, transfer_syntax="j2k_lossy")
    change(path, lambda dataset: delattr(dataset, "LossyImageCompression"))
    assert header_of(path).lossy
    (path,) = write_ct_series(Volume(hounsfield()[None], affine), tmp_path, transfer_syntax="j2k_lossless")
    change(path, lambda dataset: setattr(dataset.file_meta, "TransferSyntaxUID", pydicom.uid.JPEG2000))
    assert not header_of(path).lossy
