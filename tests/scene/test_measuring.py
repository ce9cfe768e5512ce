"""Angles as they are drawn, shapes of fits, snapping, and the frontal picture."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from surgiplan_desktop.base.spaces import Affine, Frame
from surgiplan_desktop.model.anatomy import Side
from surgiplan_desktop.model.images import Volume
from surgiplan_desktop.model.mesh import Mesh
from surgiplan_desktop.planning.axes import leg_frames
from surgiplan_desktop.planning.measures import measure_points
from surgiplan_desktop.planning.records import FitCylinder, FitLine, FitPlane, FitSphere, Landmarks
from surgiplan_desktop.scene.angles import ALWAYS, measure_marks
from surgiplan_desktop.scene.fit_shapes import fit_axis, fit_mesh, fit_rods
from surgiplan_desktop.scene.frontal import FrontalPlane, frontal_plane, project_leg
from surgiplan_desktop.scene.picking import Ray
from surgiplan_desktop.scene.snapping import on_section, on_surface
from tests.planning.golden_leg import golden_landmarks

_MOTION = Affine.from_parts(np.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]), np.array([30.0, -20.0, 500.0]))
_BODY = Frame(np.zeros(3), np.array([[0.0, 0.0, -1.0], [-1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]))


def leg(side: Side) -> Landmarks:
    """The golden leg with joint lines that are square to nothing."""
    return golden_landmarks(
        side, _MOTION, (), lateral_distal_condyle=(24.0, 1.3, 0.0), medial_plateau_centre=(-22.0, -1.1, 0.0),
        lateral_plateau_edge=(37.0, 0.9, 0.0),
    )  # fmt: skip


def sphere(radius: float, at: tuple[float, float, float] = (0.0, 0.0, 0.0)) -> Mesh:
    return fit_mesh(FitSphere(np.array(at), radius, 0.0, 1, 1.0))


@pytest.mark.parametrize("side", tuple(Side))
@pytest.mark.parametrize("measure", ["mldfa", "mpta", "hka_deviation"])
def test_the_arc_spans_the_angle_that_is_written_beside_it(side: Side, measure: str) -> None:
    landmarks = leg(side)
    frames = leg_frames(landmarks)
    item = measure_points(landmarks).items[measure]
    for plane, value in ((None, item.value), (frames.limb, item.value if item.plane == "limb" else item.value_limb_plane)):
        (mark,) = measure_marks(landmarks, frames, (measure,), plane)
        arc = mark.lines[mark.dashed.index(False)]
        middle, first, last = arc[len(arc) // 2], arc[0], arc[-1]
        assert isinstance(value, float)
        # the circle through three points of the arc has its angle at the centre
        chord, sagitta = float(np.linalg.norm(last - first)), float(np.linalg.norm(middle - (first + last) / 2.0))
        radius = chord**2 / (8.0 * sagitta) + sagitta / 2.0
        turned = 2.0 * np.degrees(np.arctan2(sagitta, chord / 2.0)) * 2.0
        assert turned == pytest.approx(abs(value), abs=0.25 if measure == "hka_deviation" else 1e-6)
        assert radius > 20.0


def test_what_lacks_a_point_is_left_out_and_the_words_stand_on_both_sides_alike() -> None:
    for side in Side:
        landmarks = leg(side)
        marks = {mark.measure: mark for mark in measure_marks(landmarks, leg_frames(landmarks))}
        assert set(marks) == set(ALWAYS)
        knee = landmarks.point("femoral_knee_centre")
        frame = leg_frames(landmarks).limb
        assert knee is not None
        assert frame is not None
        lateral = side.sign * frame.z
        assert (marks["mldfa"].anchor_lps - knee) @ lateral > 40.0
        assert (marks["mpta"].anchor_lps - knee) @ lateral < -40.0
    cut = golden_landmarks(Side.RIGHT, None, ("hip_centre",))
    assert {mark.measure for mark in measure_marks(cut, leg_frames(cut))} == {"mpta"}


def test_a_fit_is_drawn_where_it_lies() -> None:
    at, along = np.array([5.0, -3.0, 8.0]), np.array([0.0, 0.6, 0.8])
    for points in (sphere(23.0, (5.0, -3.0, 8.0)).vertices, fit_rods(FitSphere(at, 23.0, 0.1, 9, 0.5)).reshape(-1, 3)):
        assert np.allclose(np.linalg.norm(points - at, axis=1), 23.0)
    tube = FitCylinder(at, along, 18.0, 30.0, 0.1, 9, 0.5)
    for points in (fit_mesh(tube).vertices, fit_rods(tube).reshape(-1, 3)):
        away = points - at
        assert np.allclose(np.linalg.norm(away - np.outer(away @ along, along), axis=1), 18.0)
        assert np.abs(away @ along).max() == pytest.approx(30.0)
    flat = FitPlane(at, along, 20.0, 0.1, 9, 0.5)
    for points in (fit_mesh(flat).vertices, fit_rods(flat).reshape(-1, 3)):
        assert np.allclose((points - at) @ along, 0.0)
    line = FitLine(at, at + 90.0 * along, 0.1, 9, 0.5)
    axis = fit_axis(line)
    assert axis is not None
    assert np.allclose(axis, fit_rods(line)[0])
    assert fit_axis(flat) is None


def test_a_point_comes_to_the_contour_only_from_near() -> None:
    square = np.array([[[0, 0, 0], [10, 0, 0]], [[10, 0, 0], [10, 10, 0]]], dtype=float)
    assert np.allclose(on_section([square], np.array([4.0, 1.5, 0.0]), 3.0), [4.0, 0.0, 0.0])
    assert on_section([square], np.array([4.0, 5.0, 0.0]), 3.0) is None
    assert on_section([], np.zeros(3), 3.0) is None


def test_a_line_of_sight_finds_the_surface_in_front_as_deep_as_before_or_beside() -> None:
    ball = sphere(20.0)
    ray = Ray(np.array([0.3, -100.0, 0.2]), np.array([0.0, 1.0, 0.0]))
    front, behind = on_surface([ball], ray), on_surface([ball], ray, np.array([0.0, 18.0, 0.0]))
    assert front is not None
    assert behind is not None
    assert front[1] == pytest.approx(-20.0, abs=0.1)
    assert behind[1] == pytest.approx(20.0, abs=0.1)
    beside = on_surface([ball], replace(ray, start=np.array([50.0, -100.0, 0.0])))
    assert beside is not None
    assert beside[0] == pytest.approx(20.0, abs=0.2)
    assert on_surface([], ray) is None


@pytest.mark.parametrize("side", tuple(Side))
def test_the_frontal_picture_shows_the_patients_right_on_the_left(side: Side) -> None:
    landmarks = golden_landmarks(side)
    plane = frontal_plane(leg_frames(landmarks), np.zeros(3))
    assert plane.name == "limb"
    lateral = landmarks.point("lateral_plateau_edge")
    hip, medial = landmarks.point("hip_centre"), landmarks.point("medial_plateau_edge")
    assert lateral is not None
    assert medial is not None
    assert hip is not None
    flat = plane.flat(np.array([lateral, medial, hip]))
    assert (flat[0, 0] < flat[1, 0]) == (side is Side.RIGHT)
    assert flat[2, 1] > flat[0, 1]
    assert np.allclose(plane.lps(flat[0], float(plane.depth(lateral)[0])), lateral)


def test_planes_where_the_leg_is_incomplete() -> None:
    knee = golden_landmarks(Side.RIGHT, None, ("hip_centre",))
    assert frontal_plane(leg_frames(knee), np.zeros(3)).name == "tibia"
    assert frontal_plane(None, np.zeros(3)).name == "body"


def test_the_picture_of_bones_is_their_thickness_along_the_line_of_sight() -> None:
    picture = project_leg(FrontalPlane("body", _BODY), [sphere(25.0, (10.0, 40.0, -30.0))], mm_per_px=1.0)
    assert not picture.of_scan
    rows, columns = np.indices(picture.grey.shape)
    across, up = picture.corner[0] + columns + 0.5, picture.corner[1] - rows - 0.5
    apart = np.hypot(across - 10.0, up + 30.0)
    thick = 2.0 * np.sqrt(np.maximum(25.0**2 - apart**2, 0.0))
    shown = (picture.grey / 255.0) ** (1.0 / 0.65)  # the tone of bones, taken back
    inside = apart < 22.0
    assert np.abs(shown[inside] / shown[inside].max() - thick[inside] / 50.0).max() < 0.06
    assert picture.grey[apart > 28.0].max() == 0
    with pytest.raises(ValueError, match="without bones"):
        project_leg(FrontalPlane("body", _BODY), [])


def test_the_picture_of_a_scan_sums_what_lies_in_the_way_over_all_blocks() -> None:
    blocks = []
    for low in (0, 40):  # two blocks of 50 mm, 10 mm of which both show
        voxels = np.full((50, 40, 60), -1000, dtype=np.int16)
        voxels[:, 10:30, 20:30] = 1000  # a bar, 10 mm wide, 20 mm deep, at x = 20 .. 30
        matrix = np.array([[0.0, 0.0, 1.0, 0.0], [0.0, 1.0, 0.0, 0.0], [1.0, 0.0, 0.0, low], [0.0, 0.0, 0.0, 1.0]])
        blocks.append(Volume(voxels, Affine(matrix)))
    bone = sphere(30.0, (30.0, 20.0, 45.0))
    picture = project_leg(FrontalPlane("body", _BODY), [bone], blocks, mm_per_px=1.0)
    assert picture.of_scan
    row = picture.grey[round(picture.corner[1] - 45.0)].astype(float)
    columns = np.arange(len(row)) + picture.corner[0] + 0.5
    bar = (columns > 21.0) & (columns < 28.5)
    assert row[bar].min() > 240.0
    assert row[(columns < 18.0) | (columns > 32.0)].max() < 5.0
    heights = picture.corner[1] - np.arange(len(picture.grey)) - 0.5
    column = picture.grey[:, round(25.0 - picture.corner[0])].astype(float)
    assert np.ptp(column[(heights > 25.0) & (heights < 65.0)]) < 12.0  # no seam where the blocks overlap
