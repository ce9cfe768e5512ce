"""Figures of label maps with known answers: boxes, one voxel, shifts, anisotropy, edge cases, every relation of two grids."""

from __future__ import annotations

import math

import numpy as np
import pytest

from surgiplan_desktop.base.errors import InputDataError
from surgiplan_desktop.base.spaces import Affine, rotation_about
from surgiplan_desktop.geometry.surfels import neighbourhood_codes, surfel_areas
from surgiplan_desktop.model.images import LabelMap
from surgiplan_desktop.validation.label_metrics import LabelMetrics, compare_labels

SPACING = np.array([2.0, 0.5, 0.75])
ORIGIN = np.array([-40.0, 25.0, 900.0])


def placed(array: np.ndarray, spacing: np.ndarray = SPACING, origin: np.ndarray = ORIGIN) -> LabelMap:
    """An axial map in LPS: i to the left, j to the back, k up."""
    linear = np.zeros((3, 3))
    linear[2, 0], linear[1, 1], linear[0, 2] = spacing
    return LabelMap(array.astype(np.uint16), Affine.from_parts(linear, origin))


def box(
    low: tuple[int, int, int], high: tuple[int, int, int], shape: tuple[int, int, int] = (20, 30, 24), code: int = 1
) -> np.ndarray:
    array = np.zeros(shape, dtype=np.uint16)
    array[tuple(slice(a, b) for a, b in zip(low, high, strict=True))] = code
    return array


def only(prediction: LabelMap, reference: LabelMap, **options: object) -> LabelMetrics:
    (row,) = compare_labels(prediction, reference, **options).labels  # type: ignore[arg-type]
    return row


def moved(*step: float) -> np.ndarray:
    return ORIGIN + np.array(step)


REFERENCE = box((5, 8, 6), (13, 20, 18))


def test_areas_of_surface_elements_have_known_values() -> None:
    areas = surfel_areas(np.diag(SPACING))
    k, j, i = SPACING
    assert areas[0] == areas[255] == 0
    # one corner: the triangle through the middles of three edges
    corner = 0.125 * math.hypot(j * i, k * i, k * j)
    np.testing.assert_allclose([areas[1 << bit] for bit in range(8)], corner)
    np.testing.assert_allclose([areas[255 - (1 << bit)] for bit in range(8)], corner)
    # half a neighbourhood: a plane across it
    np.testing.assert_allclose([areas[0b00001111], areas[0b00110011], areas[0b01010101]], [j * i, k * i, k * j])
    # a turned grid has the same areas
    turn = rotation_about(np.zeros(3), np.array([1.0, 2.0, 3.0]), 33.0).linear
    np.testing.assert_allclose(surfel_areas(turn @ np.diag(SPACING)), areas)


def test_the_surface_of_a_long_box_is_that_of_its_faces_less_the_cut_edges() -> None:
    mask = np.zeros((12, 14, 16), dtype=bool)
    mask[1:11, 1:13, 1:15] = True
    area = surfel_areas(np.eye(3))[neighbourhood_codes(mask)].sum()
    # lengths between voxel centres: 9, 11, 13; half a voxel about them, edges cut at 45 degrees, corners by triangles
    faces, edges, corners = 2 * (9 * 11 + 9 * 13 + 11 * 13), 4 * (9 + 11 + 13) * math.sqrt(0.5), 8 * 0.125 * math.sqrt(3)
    assert area == pytest.approx(faces + edges + corners)


def test_a_map_agrees_with_itself() -> None:
    row = only(placed(REFERENCE), placed(REFERENCE))
    volume = 8 * 12 * 12 * SPACING.prod()
    assert (row.code, row.status, row.dice, row.at_edge) == (1, "ok", 1.0, False)
    assert (row.surface.assd_mm, row.surface.hd95_mm, row.surface.hd_mm) == (0, 0, 0)
    assert (row.surface.nsd_1mm, row.surface.nsd_half_mm) == (1, 1)
    np.testing.assert_allclose([*row.volume_mm3, *row.common_volume_mm3], volume)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_body_longer_at_one_end_by_known_steps(axis: int) -> None:
    high = [13, 20, 18]
    high[axis] += 2
    row = only(placed(box((5, 8, 6), tuple(high))), placed(REFERENCE))  # type: ignore[arg-type]
    size = np.array([8, 12, 12])
    larger = size[axis] + 2
    assert row.dice == pytest.approx(2 * size[axis] / (size[axis] + larger))
    assert row.surface.hd_mm == pytest.approx(2 * SPACING[axis])
    np.testing.assert_allclose(row.volume_mm3[0] / row.volume_mm3[1], larger / size[axis])


def test_the_distance_of_two_planes_and_its_tolerance() -> None:
    # two slabs across the whole field: one surface each, 3 steps of 0.5 mm apart
    one, two = box((0, 0, 0), (20, 10, 24)), box((0, 0, 0), (20, 13, 24))
    row = only(placed(one), placed(two))
    surface = row.surface
    np.testing.assert_allclose([*surface.asd_mm, surface.assd_mm, surface.hd95_mm, surface.hd_mm], 1.5)
    assert (surface.nsd_1mm, row.at_edge) == (0, True)
    # a tolerance that is met but for rounding is met
    assert only(placed(box((0, 0, 0), (20, 11, 24))), placed(two)).surface.nsd_1mm == 1
    near = placed(one, SPACING * 0.3333333), placed(box((0, 0, 0), (20, 16, 24)), SPACING * 0.3333333)
    assert only(*near).surface.nsd_1mm == 1


def test_doubling_one_spacing_scales_distances_along_it() -> None:
    one, two = box((0, 0, 0), (20, 10, 24)), box((0, 0, 0), (20, 13, 24))
    doubled = SPACING * (1, 2, 1)
    assert only(placed(one, doubled), placed(two, doubled)).surface.assd_mm == pytest.approx(3.0)
    across = SPACING * (2, 1, 2)
    assert only(placed(one, across), placed(two, across)).surface.assd_mm == pytest.approx(1.5)


def test_hd95_is_the_larger_directed_percentile_and_areas_weigh() -> None:
    # spikes on a plane of 19 x 23 elements of 1.5 mm2: seen from the prediction only
    plane = box((0, 0, 0), (20, 10, 24))
    one = plane.copy()
    one[10, 10:25, 12] = 1
    surface = only(placed(one), placed(plane)).surface
    areas = surfel_areas(np.diag(SPACING))
    # a column of single voxels: four elements a layer, two corners inside each; at its tip four of one corner
    sides, tip = 4 * 14 * areas[0b101], 4 * areas[1]
    assert sides + tip < 0.05 * 655.5
    assert (surface.hd_mm, surface.hd95_mm) == (pytest.approx(7.5), 0)
    assert surface.asd_mm[1] == 0
    two = one.copy()
    two[4, 10:25, 5] = 1
    surface = only(placed(two), placed(plane)).surface
    assert surface.asd_mm[1] == 0
    # pooled with the plane's own zeros the 95th percentile would be smaller
    assert surface.hd95_mm > 2.5


def test_one_voxel() -> None:
    array, other = np.zeros((2, 9, 9, 9), dtype=np.uint16)
    array[4, 4, 4] = other[4, 4, 6] = 1
    row = only(placed(other, np.ones(3)), placed(array, np.ones(3)))
    assert row.dice == 0
    # of the 8 elements at its corners four meet none closer than 2 mm, four one at 1 mm
    np.testing.assert_allclose([row.surface.assd_mm, row.surface.hd95_mm, row.surface.nsd_1mm], [1.5, 2.0, 0.5])


def test_empty_maps() -> None:
    empty, full = placed(np.zeros_like(REFERENCE)), placed(REFERENCE)
    for pair, status in (((full, empty), "only_prediction"), ((empty, full), "only_reference")):
        row = only(*pair)
        assert (row.status, row.dice, row.surface.nsd_1mm, row.surface.nsd_half_mm) == (status, 0, 0, 0)
        assert math.isinf(row.surface.hd95_mm)
        assert math.isinf(row.surface.assd_mm)
        assert sorted(row.volume_mm3) == [0, pytest.approx(864.0)]
    assert compare_labels(empty, empty).labels == ()
    row = only(empty, empty, codes=(2,))
    assert (row.status, row.dice, row.volume_mm3) == ("absent_correct", 1, (0, 0))
    assert math.isnan(row.surface.hd95_mm)
    assert math.isnan(row.surface.nsd_1mm)


def test_every_label_for_itself_whatever_its_code() -> None:
    ours, theirs = box((2, 2, 2), (6, 8, 8), code=1), box((2, 2, 2), (6, 8, 8), code=1)
    ours[10:15, 10:20, 10:20] = theirs[10:15, 10:20, 10:20] = 104
    ours[16:18] = 65535
    theirs[10:12, 2:5, 2:5] = 200
    rows = {row.code: row for row in compare_labels(placed(ours), placed(theirs)).labels}
    assert list(rows) == [1, 104, 200, 65535]
    assert [row.status for row in rows.values()] == ["ok", "ok", "only_reference", "only_prediction"]
    assert [row.dice for row in rows.values()] == [1, 1, 0, 0]


def test_where_the_field_cuts_a_body_there_is_no_surface_unless_closed() -> None:
    ours, theirs = box((0, 8, 6), (13, 20, 18)), box((0, 8, 6), (15, 20, 18))
    opened, closed = only(placed(ours), placed(theirs)), only(placed(ours), placed(theirs), closed_edges=True)
    assert opened.at_edge
    assert closed.at_edge
    # the far end differs alike; the near end is one more surface without distance
    assert closed.surface.hd_mm == opened.surface.hd_mm == pytest.approx(4.0)
    assert closed.surface.assd_mm < opened.surface.assd_mm
    assert only(placed(REFERENCE), placed(REFERENCE), closed_edges=True).at_edge is False


def test_the_same_voxels_in_another_order_are_matched_by_place() -> None:
    ours = box((5, 8, 6), (13, 20, 16))
    plain = compare_labels(placed(ours), placed(REFERENCE))
    image = placed(ours)
    for axes, flips in (((0, 1, 2), (0,)), ((0, 1, 2), (1, 2)), ((2, 0, 1), ()), ((1, 2, 0), (0, 1, 2))):
        array, linear, origin = np.transpose(image.array, axes), image.affine.linear[:, axes].copy(), image.affine.translation
        for axis in flips:
            origin = origin + linear[:, axis] * (array.shape[axis] - 1)
            linear[:, axis] *= -1
            array = np.flip(array, axis)
        turned = LabelMap(np.ascontiguousarray(array), Affine.from_parts(linear, origin))
        found = compare_labels(turned, placed(REFERENCE))
        assert found.relation == "turned"
        assert found.labels[0].dice == plain.labels[0].dice < 1
        np.testing.assert_allclose(found.labels[0].surface.assd_mm, plain.labels[0].surface.assd_mm)
        back = compare_labels(placed(REFERENCE), turned)
        assert back.labels[0].dice == plain.labels[0].dice
        np.testing.assert_allclose(back.labels[0].surface.hd95_mm, plain.labels[0].surface.hd95_mm)


def test_index_never_stands_for_place() -> None:
    shifted = placed(REFERENCE, origin=moved(0.75 * 3, 0, 0))
    found = compare_labels(shifted, placed(REFERENCE))
    assert found.relation == "cropped"
    assert found.labels[0].dice == pytest.approx(9 / 12)
    with pytest.raises(InputDataError, match="evaluate_apart"):
        compare_labels(placed(REFERENCE, origin=moved(500, 0, 0)), placed(REFERENCE))
    with pytest.raises(InputDataError, match="evaluate_apart"):
        compare_labels(placed(REFERENCE, SPACING * 0.9, moved(500, 0, 0)), placed(REFERENCE))


def test_a_part_of_the_field_is_compared_within_that_part() -> None:
    part = placed(REFERENCE[7:, 2:], origin=moved(0, 2 * 0.5, 7 * 2.0))
    found = compare_labels(part, placed(REFERENCE))
    row = found.labels[0]
    assert (found.relation, row.dice, row.surface.hd_mm, row.at_edge) == ("cropped", 1, 0, True)
    assert row.volume_mm3 == (pytest.approx(648.0), pytest.approx(864.0))
    assert row.common_volume_mm3 == (pytest.approx(648.0), pytest.approx(648.0))
    beyond = compare_labels(placed(REFERENCE[14:], origin=moved(0, 0, 28.0)), placed(REFERENCE)).labels[0]
    assert (beyond.status, math.isnan(beyond.dice)) == ("outside_common_field", True)


def ball(spacing: float, turn_deg: float = 0.0) -> LabelMap:
    """A ball of 12 mm about one point on a grid of any spacing, turned about it."""
    count = int(36 / spacing)
    linear = (
        rotation_about(np.zeros(3), np.array([1.0, 1.0, 0.3]), turn_deg).linear
        @ placed(np.zeros((1, 1, 1)), np.full(3, spacing)).affine.linear
    )
    affine = Affine.from_parts(linear, -linear @ np.full(3, (count - 1) / 2))
    points = affine(np.array(list(np.ndindex(count, count, count)), dtype=float))
    inside = np.linalg.norm(points, axis=1) < 12
    return LabelMap(inside.reshape(count, count, count).astype(np.uint16), affine)


@pytest.mark.parametrize(("spacing", "turn_deg"), [(0.8, 0.0), (1.0, 30.0)])
def test_other_voxels_are_sampled_by_place(spacing: float, turn_deg: float) -> None:
    found = compare_labels(ball(spacing, turn_deg), ball(1.0))
    row = found.labels[0]
    assert (found.relation, row.status) == ("resampled", "ok")
    assert row.dice > 0.96
    assert row.surface.assd_mm < 0.35
    # a turned field has corners that the other does not see: no surface may arise there
    assert row.surface.hd_mm < 1.8
    assert row.at_edge is False


def test_concentric_balls_of_known_radii() -> None:
    def map_of(radius: float) -> LabelMap:
        k, j, i = np.ogrid[-20:21, -20:21, -20:21]
        return placed(k * k + j * j + i * i < radius * radius, np.ones(3))

    row = only(map_of(15.0), map_of(12.0))
    assert row.dice == pytest.approx(2 * 12**3 / (12**3 + 15**3), abs=0.01)
    # on curved surfaces of voxels the nearest corner lies nearer than the surface, by less than half a voxel
    assert 2.5 < row.surface.assd_mm < 3.0
    assert 2.5 < row.surface.hd95_mm < 3.2
    assert row.volume_mm3[0] == pytest.approx(4 / 3 * math.pi * 15**3, rel=0.02)
