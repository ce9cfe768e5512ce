"""What scanners put into one series, and which of several series is proposed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset

from surgiplan_desktop.base.spaces import Affine
from surgiplan_desktop.imaging.dicom_blocks import plan_blocks
from surgiplan_desktop.imaging.dicom_scan import Series, scan_folder
from surgiplan_desktop.imaging.dicom_write import derived_uid, write_ct_series
from surgiplan_desktop.imaging.kernels import kernel_class
from surgiplan_desktop.model.images import Volume

Edit = Callable[[Dataset], object]


def volume(slices: int = 10, step: float = 1.0, low: float = 0.0, pixel: float = 0.7, seed: int = 0) -> Volume:
    values = np.random.default_rng(seed).integers(-1000, 1500, (slices, 5, 6)).astype(np.int16)
    linear = np.column_stack([[0, 0, step], [0, pixel, 0], [pixel, 0, 0]])
    return Volume(values, Affine.from_parts(linear, np.array([1.0, 2.0, low])))


def write(
    folder: Path, volume: Volume, edit: Edit | None = None, *, series: str = "1.2.3.4", prefix: str = "A", **options: object
) -> list[Path]:
    paths = write_ct_series(volume, folder, file_prefix=prefix, **options)  # type: ignore[arg-type]
    for path in paths:
        dataset = pydicom.dcmread(path)
        dataset.SeriesInstanceUID = series
        dataset.SOPInstanceUID = derived_uid(prefix, dataset.SOPInstanceUID)
        if edit is not None:
            edit(dataset)
        dataset.save_as(path)
    return paths


def found(folder: Path) -> list[Series]:
    return sorted(scan_folder(folder).series, key=lambda series: (-series.slices, series.uid))


def codes(series: Series) -> set[str]:
    return {finding.code for finding in series.findings}


@pytest.mark.parametrize(
    "keyword", ["AcquisitionNumber", "KVP", "TemporalPositionIdentifier", "AcquisitionTime", "ContrastBolusAgent"]
)
def test_acquisitions_that_lie_over_each_other_are_taken_apart(tmp_path: Path, keyword: str) -> None:
    offset = 0.4 if keyword == "KVP" else 0.0
    values = {"AcquisitionTime": "120100", "ContrastBolusAgent": "X"}
    write(tmp_path, volume())
    write(tmp_path, volume(low=offset, seed=1), lambda d: setattr(d, keyword, values.get(keyword, "80")), prefix="B")
    series = found(tmp_path)
    assert [(item.slices, item.verdict) for item in series] == [(10, "ok"), (10, "ok")]
    assert all("mixed_orientation" in codes(item) for item in series)
    assert [item.proposed for item in series].count(True) == 1


def test_shots_of_bolus_tracking_do_not_spoil_the_scan(tmp_path: Path) -> None:
    write(tmp_path, volume(20))
    for shot in range(5):
        write(
            tmp_path,
            volume(1, low=7.3, seed=shot),
            lambda d, shot=shot: setattr(d, "AcquisitionNumber", 10 + shot),
            prefix=f"S{shot}",
        )
    main, shots = found(tmp_path)
    assert (main.slices, main.verdict, main.blocks[0][0].name) == (20, "ok", "A00001.dcm")
    assert (shots.slices, shots.verdict) == (5, "refused")


def test_sequential_acquisitions_stay_one_series(tmp_path: Path) -> None:
    """Each table stop of an axial scan has a number of its own: that is no reason to take it apart."""
    numbers = iter(range(1, 100))
    write(tmp_path, volume(12), lambda d: setattr(d, "AcquisitionNumber", next(numbers) // 2))
    (series,) = found(tmp_path)
    assert (series.slices, series.verdict, series.findings) == (12, "ok", ())


def test_two_spacings_that_follow_each_other_stay_one_uneven_series(tmp_path: Path) -> None:
    write(tmp_path, volume(10, 2.0))
    write(tmp_path, volume(10, 4.0, low=22.0), lambda d: setattr(d, "AcquisitionNumber", 2), prefix="B")
    (series,) = found(tmp_path)
    assert (series.slices, series.verdict, codes(series)) == (20, "repairable", {"uneven"})


def test_fields_of_view_side_by_side_are_taken_apart(tmp_path: Path) -> None:
    """Right and left knee reconstructed apart, in one series."""
    write(tmp_path, volume())
    write(tmp_path, volume(seed=1), lambda d: setattr(d, "ImagePositionPatient", [101, 2, d.ImagePositionPatient[2]]), prefix="B")
    assert [(item.slices, item.verdict) for item in found(tmp_path)] == [(10, "ok"), (10, "ok")]


def test_frames_of_reference_in_one_series_are_taken_apart(tmp_path: Path) -> None:
    write(tmp_path, volume())
    write(tmp_path, volume(low=10.0), prefix="B", frame_of_reference_uid=derived_uid("other"))
    series = found(tmp_path)
    assert [(item.slices, item.verdict, item.linked) for item in series] == [(10, "ok", ()), (10, "ok", ())]


@pytest.mark.parametrize(
    ("edit", "code"),
    [
        (lambda d: setattr(d, "ImageType", ["DERIVED", "SECONDARY", "OTHER", "CT_SOM5 PROT"]), "secondary_capture"),
        (lambda d: setattr(d, "ImageType", ["DERIVED", "SECONDARY", "MIP"]), "secondary_capture"),
        (lambda d: setattr(d, "RescaleType", "US"), "not_ct"),
        (lambda d: setattr(d, "Modality", "PT"), "not_ct"),
        (lambda d: setattr(d, "Modality", "XA"), "film"),
    ],
)
def test_what_is_no_slice_is_set_aside(tmp_path: Path, edit: Edit, code: str) -> None:
    write(tmp_path, volume(), edit)
    (series,) = found(tmp_path)
    assert (series.verdict, code in codes(series)) == ("refused", True)


def test_a_scout_is_known_by_its_name_where_the_type_says_nothing(tmp_path: Path) -> None:
    def scout(dataset: Dataset) -> None:
        dataset.ImageOrientationPatient = [1, 0, 0, 0, 0, -1]
        dataset.SeriesDescription = "Topogram 0.6"

    write(tmp_path, volume(1), scout)
    (series,) = found(tmp_path)
    assert (series.verdict, "localizer" in codes(series)) == ("refused", True)


def test_positions_rounded_to_a_tenth_are_no_jitter(tmp_path: Path) -> None:
    def rounded(dataset: Dataset) -> None:
        dataset.ImagePositionPatient = [round(float(value), 1) for value in dataset.ImagePositionPatient]

    write(tmp_path, volume(60, 0.625), rounded)
    (series,) = found(tmp_path)
    (plan,) = plan_blocks([series])
    assert (series.verdict, series.findings) == ("ok", ())
    assert plan.affine.spacing[0] == pytest.approx(0.625, abs=1e-3)


@pytest.mark.parametrize(("share", "verdict"), [(0.009, "ok"), (0.03, "repairable")])
def test_jitter_up_to_a_hundredth_of_the_spacing_is_none(tmp_path: Path, share: float, verdict: str) -> None:
    places = iter(np.random.default_rng(1).uniform(-share, share, 40) + np.arange(40))
    write(tmp_path, volume(40), lambda d: setattr(d, "ImagePositionPatient", [1, 2, round(float(next(places)), 5)]))
    assert found(tmp_path)[0].verdict == verdict


def test_the_tag_of_the_tilt_is_not_believed(tmp_path: Path) -> None:
    write(tmp_path, volume(), lambda d: setattr(d, "GantryDetectorTilt", "18.5"))
    assert found(tmp_path)[0].verdict == "ok"


def test_thickness_and_numbers_play_no_part(tmp_path: Path) -> None:
    def lie(dataset: Dataset) -> None:
        dataset.SliceThickness, dataset.SliceLocation, dataset.SpacingBetweenSlices = 5, 77, 3
        dataset.InstanceNumber = 500 - dataset.InstanceNumber

    write(tmp_path, volume(), lie)
    (series,) = found(tmp_path)
    assert (series.verdict, series.spacing_mm[2]) == ("ok", 1.0)
    assert [header.name for header in series.blocks[0]] == [f"A{k:05d}.dcm" for k in range(1, 11)]


def test_series_without_a_frame_of_reference_are_never_linked(tmp_path: Path) -> None:
    for number in range(2):
        write(
            tmp_path,
            volume(low=300.0 * number),
            lambda d: delattr(d, "FrameOfReferenceUID"),
            prefix="AB"[number],
            series=f"1.2.{number}",
        )
    series = found(tmp_path)
    assert [item.linked for item in series] == [(), ()]
    assert series[0].frame != series[1].frame


def best(folder: Path) -> tuple[str, tuple[str, ...], dict[str, tuple[str, ...]]]:
    series = found(folder)
    (chosen,) = [item for item in series if item.proposed]
    return chosen.description, chosen.reason, {item.description: item.reason for item in series if not item.proposed}


def test_the_thinner_series_is_proposed_and_the_reason_told(tmp_path: Path) -> None:
    write(tmp_path, volume(40, 1.0), series="1.1", prefix="A", description="thin soft", kernel="B30f")
    write(tmp_path, volume(10, 4.0), series="1.2", prefix="B", description="thick bone", kernel="B70f")
    name, reason, others = best(tmp_path)
    assert (name, reason) == ("thin soft", ("thin",))
    assert others == {"thick bone": ("thicker",)}


def test_of_two_thin_series_the_bone_kernel_is_proposed(tmp_path: Path) -> None:
    write(tmp_path, volume(40, 1.0), series="1.1", prefix="A", description="soft", kernel="STANDARD")
    write(tmp_path, volume(40, 1.0), series="1.2", prefix="B", description="bone", kernel="BONEPLUS")
    name, reason, others = best(tmp_path)
    assert (name, reason, others) == ("bone", ("bone_kernel",), {"soft": ("softer_kernel",)})


def test_the_longer_of_two_series_is_proposed(tmp_path: Path) -> None:
    write(tmp_path, volume(100, 1.0), series="1.1", prefix="A", description="long", kernel="B30f")
    write(tmp_path, volume(40, 1.0), series="1.2", prefix="B", description="short", kernel="B30f")
    name, reason, others = best(tmp_path)
    assert (name, reason, others) == ("long", ("coverage",), {"short": ("less_coverage",)})


def test_a_sound_series_is_proposed_before_one_to_be_repaired(tmp_path: Path) -> None:
    write(tmp_path, volume(40, 1.0), series="1.1", prefix="A", description="thin")[20].unlink()
    write(tmp_path, volume(20, 2.0), series="1.2", prefix="B", description="sound")
    name, reason, others = best(tmp_path)
    assert (name, reason) == ("sound", ("sound",))
    assert others == {"thin": ("needs_repair",)}


@pytest.mark.parametrize(
    ("kernel", "kind"),
    [
        ("B60s", "sharp"), ("Br59f/3", "sharp"), ("Hr40", "soft"), ("B46f", "medium"), ("BONEPLUS", "sharp"),
        ("STANDARD", "soft"), ("DETAIL", "medium"), ("YC", "sharp"), ("B", "soft"), ("FC30", "sharp"), ("FC08", "soft"),
        ("", "unknown"), ("XYZ9", "unknown"),
    ],
)  # fmt: skip
def test_names_of_kernels(kernel: str, kind: str) -> None:
    assert kernel_class(kernel) == kind


@pytest.mark.parametrize("keyword", ["AcquisitionNumber", "AcquisitionTime", "KVP"])
def test_two_acquisitions_between_each_other_are_not_one_fine_stack(tmp_path: Path, keyword: str) -> None:
    values = {"AcquisitionNumber": "2", "AcquisitionTime": "124500", "KVP": "80"}
    write(tmp_path, volume(step=2.0))
    write(tmp_path, volume(step=2.0, low=1.0, seed=1), lambda d: setattr(d, keyword, values[keyword]), prefix="B")
    series = found(tmp_path)
    assert [(item.slices, item.verdict, item.spacing_mm[2]) for item in series] == [(10, "ok", 2.0), (10, "ok", 2.0)]
    assert all("mixed_orientation" in codes(item) for item in series)
    assert len(plan_blocks(series)) == 2, "nor are they joined where a person names both"


@pytest.mark.parametrize(("minutes", "volumes"), [(1, 1), (45, 2)])
@pytest.mark.parametrize("uids", [("1.2.3.4", "1.2.3.4"), ("1.2.3.4", "1.2.3.5")])
def test_a_pause_in_which_the_patient_may_move_parts_a_volume(
    tmp_path: Path, uids: tuple[str, str], minutes: int, volumes: int
) -> None:
    later = f"12{minutes:02d}00"
    write(tmp_path, volume(), series=uids[0])
    write(tmp_path, volume(low=10.0, seed=1), lambda d: setattr(d, "AcquisitionTime", later), series=uids[1], prefix="B")
    series = found(tmp_path)
    assert {item.verdict for item in series} == {"ok"}
    plans = plan_blocks(series)
    assert [len(plan.slices) for plan in plans] == ([20] if volumes == 1 else [10, 10])


def test_blocks_with_pauses_between_them_stay_one_series(tmp_path: Path) -> None:
    write(tmp_path, volume())
    write(tmp_path, volume(low=100.0, seed=1), lambda d: setattr(d, "AcquisitionTime", "124500"), prefix="B")
    (series,) = found(tmp_path)
    assert (series.verdict, len(series.blocks)) == ("ok", 2)


def test_a_slice_of_another_rescale_is_named(tmp_path: Path) -> None:
    paths = write(tmp_path, volume())
    dataset = pydicom.dcmread(paths[4])
    dataset.RescaleIntercept = "0"
    dataset.save_as(paths[4])
    (series,) = found(tmp_path)
    (finding,) = (item for item in series.findings if item.code == "varying_rescale")
    assert (series.verdict, finding.severity, finding.files) == ("ok", "warn", (paths[4].name,))
