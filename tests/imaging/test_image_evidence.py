"""Evidence of image quality on a simple leg of known tissue: what is planted is found, and nothing else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from surgiplan_desktop.base.progress import Cancelled
from surgiplan_desktop.base.spaces import Affine
from surgiplan_desktop.imaging.image_evidence import measure_evidence
from surgiplan_desktop.model.images import Volume

SPACING = (2.0, 1.0, 1.0)


def leg(*, centres: tuple[float, ...] = (0.0,), width: int = 120, noise: float = 12.0, slices: int = 50) -> np.ndarray:
    """Air, skin of fat, muscle and a shaft of bone: a cone a leg, leaning a little, as HU (k, j, i)."""
    random = np.random.default_rng(7)
    k, j, i = np.mgrid[0:slices, 0:110, 0:width].astype(np.float32)
    array = np.full(k.shape, -1000.0, dtype=np.float32)
    for centre in centres:
        x, y = i - (width - 1) / 2 - centre - 0.1 * k, j - 55.0 - 0.05 * k
        radius = np.hypot(x, y)
        for size, hu in ((44.0 - 0.15 * k, -100.0), (36.0 - 0.15 * k, 50.0), (14.0, 1300.0), (8.0, -40.0)):
            # each slice has muscles of its own shape, so that slices differ as in life
            uneven = 1.5 * np.sin(3.0 * np.arctan2(y, x) + 0.05 * k)
            array[radius < size + uneven] = hu
    array = ndimage.gaussian_filter(array, (0.3, 0.6, 0.6)) + random.normal(0.0, noise, array.shape)
    return np.clip(np.rint(array), -1024, 3071).astype(np.int16)


def values(array: np.ndarray, affine: Affine | None = None) -> dict[str, float]:
    place = Affine.from_parts(np.array([[0, 0, SPACING[2]], [0, SPACING[1], 0], [SPACING[0], 0, 0]], dtype=float), np.zeros(3))
    return dict(measure_evidence(Volume(array, affine or place)).values)


def test_a_good_scan_shows_its_tissues_and_nothing_else() -> None:
    found = values(leg())
    assert found["air_hu"] == pytest.approx(-1000, abs=5)
    assert found["fat_hu"] == pytest.approx(-100, abs=6)
    assert found["muscle_hu"] == pytest.approx(50, abs=5)
    assert found["noise_hu"] == pytest.approx(12.0, rel=0.1)
    assert found["metal_mm3"] == 0.0
    assert found["shift_slices"] == 0.0
    assert found["step_mm"] == 0.0
    assert found["bone_edge_mm2"] == 0.0
    assert found["body_edge_share"] == 0.0
    assert found["skin_edge_mm"] == pytest.approx(0.6 * 2.56, rel=0.25)


def test_it_is_the_same_twice_and_can_be_cancelled() -> None:
    array = leg(slices=30)
    assert values(array) == values(array)

    class Impatient:
        def step(self, done: float, total: float, message: str) -> None:
            if done > 0:
                raise Cancelled

    with pytest.raises(Cancelled):
        measure_evidence(Volume(array, Affine.identity()), progress=Impatient())


def test_a_scale_without_its_offset_is_seen_and_names_no_tissue() -> None:
    found = values((leg() + 1024).astype(np.int16))
    assert found["air_hu"] == pytest.approx(24, abs=6)
    assert "fat_hu" not in found
    assert "muscle_hu" not in found


def test_without_air_there_is_no_peak_of_air() -> None:
    found = values(leg()[:, 40:75, 45:80])
    assert "air_hu" not in found
    assert found["muscle_hu"] == pytest.approx(50, abs=8)


def test_metal_is_measured_with_its_place_and_streaks_and_single_voxels_are_not_metal() -> None:
    array = leg()
    array[5, 20, 20] = 3071
    assert values(array)["metal_mm3"] == 0.0
    array[20:24, 50:55, 70:78] = 3071
    found = values(array)
    assert found["metal_mm3"] == pytest.approx(4 * 5 * 8 * 2.0)
    assert [found[f"metal_{name}_mm"] for name in ("x0", "x1", "y0", "y1", "z0", "z1")] == [70, 77, 50, 54, 40, 46]
    assert found["metal_dark_hu"] > -200.0
    array[20:24, 48:57, 30:70] = -700
    assert values(array)["metal_dark_hu"] < -500.0


def test_a_patient_who_moved_is_seen_where_and_how_far() -> None:
    array = leg()
    array[30:] = np.roll(array[30:], (3, -4), axis=(1, 2))
    found = values(array)
    assert found["step_mm"] == pytest.approx(5.0, abs=0.6)
    assert found["step_z_mm"] == 60.0
    assert found["shift_slices"] == 0.0


def test_one_slice_out_of_place_is_told_from_motion() -> None:
    array = leg()
    array[22] = np.roll(array[22], 7, axis=1)
    found = values(array)
    assert found["shift_slices"] == 1.0
    assert found["shift_mm"] == pytest.approx(7.0, abs=0.6)
    assert found["shift_z_mm"] == 44.0
    assert found["step_mm"] == 0.0


def test_one_leg_of_two_may_move() -> None:
    array = leg(centres=(-80.0, 80.0), width=330)
    assert values(array)["step_mm"] == 0.0
    array[25:, :, 165:] = np.roll(array[25:, :, 165:], 6, axis=1)
    assert values(array)["step_mm"] == pytest.approx(6.0, abs=1.0)


def test_bone_cut_by_the_side_of_the_field_is_measured_on_axial_and_sagittal_slices() -> None:
    cut = np.ascontiguousarray(leg()[:, :, 60:])
    assert values(cut)["bone_edge_mm2"] > 800.0
    assert values(cut)["body_edge_share"] == 1.0
    # the same voxels as sagittal slices: the bone ends at the first slice, no longer at the side of a slice
    sagittal = Affine(np.array([[1.0, 0, 0, 0], [0, 1.0, 0, 0], [0, 0, 2.0, 0], [0, 0, 0, 1]]))
    turned = np.ascontiguousarray(cut.transpose(2, 1, 0))
    assert values(turned, sagittal)["bone_edge_mm2"] == pytest.approx(values(cut)["bone_edge_mm2"])


def test_bone_cut_by_a_round_field_is_measured() -> None:
    array = leg()
    j, i = np.mgrid[0:110, 0:120]
    for radius, touches in ((54.0, False), (30.0, True)):
        round_field = array.copy()
        round_field[:, np.hypot(j - 55.0, i - 80.0 if touches else i - 60.0) > radius] = -1024
        assert (values(round_field)["bone_edge_mm2"] > 100.0) == touches


@pytest.mark.real
def test_the_displaced_slice_of_the_visible_human_is_noticed(data_folder: object) -> None:
    from surgiplan_desktop.imaging.best_series import best_series
    from surgiplan_desktop.imaging.dicom_blocks import plan_blocks
    from surgiplan_desktop.imaging.dicom_read import read_block
    from surgiplan_desktop.imaging.dicom_scan import scan_folder
    from surgiplan_desktop.imaging.sources import Sources

    folder: Path = data_folder("visible-human-legs")  # type: ignore[operator]
    scan = scan_folder(folder)
    plan = plan_blocks(best_series([series for series in scan.series if series.verdict == "ok"]))[0]
    with Sources(scan.path) as sources:
        found = dict(measure_evidence(read_block(sources, plan)).values)
    assert found["shift_slices"] == 1.0
    assert found["shift_z_mm"] == 315.0
    assert found["step_mm"] == 0.0
    assert found["metal_mm3"] == 0.0
    assert -1010 < found["air_hu"] < -980
    assert -120 < found["fat_hu"] < -80
    assert 35 < found["muscle_hu"] < 70
