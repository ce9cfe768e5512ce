"""Unit and space of foreign meshes: assumed while plausible, guessed with reasons otherwise, never silently."""

from __future__ import annotations

import numpy as np
import pytest

from surgiplan_desktop.base.spaces import Affine
from surgiplan_desktop.model.anatomy import BoneName, Side
from surgiplan_desktop.model.images import Volume
from surgiplan_desktop.model.mesh import Mesh
from surgiplan_desktop.planning.mesh_guess import Guess, guess_unit_and_space
from surgiplan_desktop.planning.mesh_overlap import edge_share
from surgiplan_desktop.planning.mesh_pose import pose_of
from tests.helpers.lofts import loft

FEMUR, TIBIA, FIBULA, PATELLA = BoneName.FEMUR, BoneName.TIBIA, BoneName.FIBULA, BoneName.PATELLA
#: From x left, y back, z up to what stands in a file.
TO_FILE = {
    "lps": np.eye(3),
    "ras": np.diag([-1.0, -1.0, 1.0]),
    "y-up": np.array([[1.0, 0, 0], [0, 0, 1.0], [0, -1.0, 0]]),
}


def tibia(side: Side = Side.RIGHT, length: float = 360.0) -> Mesh:
    """A shin bone in LPS: plateau behind the shaft, malleolus on the middle side, the wide end up."""
    m = side.sign
    shin = [(7 * m, 0, 0, 6, 8), (3 * m, 0, 12, 20, 16), (0, 0, 40, 14, 13), (0, 0, 0.5 * length, 12, 14)]
    return loft(
        [*shin, (0, 0, length - 60, 16, 18), (0, 9, length - 22, 35, 24), (0, 11, length - 4, 36, 25), (0, 11, length, 20, 14)]
    )


def femur(side: Side = Side.RIGHT) -> Mesh:
    """A thigh bone in LPS above the joint: condyles to the back, shaft bowed forwards, head to the middle."""
    m = side.sign
    knee = [(0, 8, 375, 24, 14), (0, 10, 385, 40, 31), (0, 7, 400, 40, 29), (0, -2, 430, 20, 17)]
    shaft = [(0, -8, 520, 13, 13), (0, -10, 600, 13, 13), (0, -6, 700, 14, 14)]
    return loft([*knee, *shaft, (10 * m, -2, 760, 28, 16), (40 * m, 0, 800, 24, 22), (44 * m, 0, 822, 8, 8)])


def in_file(mesh: Mesh, space: str = "lps", mm_per_unit: float = 1.0) -> Mesh:
    return Mesh(mesh.vertices @ TO_FILE[space].T / mm_per_unit, mesh.faces)


def guess(bodies: dict[BoneName, Mesh], side: Side = Side.RIGHT, **options: object) -> Guess:
    return guess_unit_and_space(bodies, side, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("side", list(Side))
def test_shapes_tell_how_they_lie(side: Side) -> None:
    for bone, mesh in ((TIBIA, tibia(side)), (FEMUR, femur(side))):
        pose = pose_of(bone, mesh)
        assert pose.back is not None
        assert pose.back[1] > 0.9
        assert pose.middle is not None
        assert pose.middle[0] * side.sign > 0.9
        assert (pose.shape_side, pose.upside_down) == (side, False)
        # half a turn about the vertical leaves the handedness, a mirror does not
        assert pose_of(bone, in_file(mesh, "ras")).shape_side is side
        mirrored = Mesh(mesh.vertices * [-1, 1, 1], mesh.faces[:, ::-1])
        assert pose_of(bone, mirrored).shape_side is side.other
        upturned = Mesh(mesh.vertices * [1, -1, -1], mesh.faces)
        assert pose_of(bone, upturned).upside_down is not False
        assert pose_of(bone, in_file(mesh, "y-up")).lying == pytest.approx(90.0, abs=6)


def test_a_shaft_tells_nothing_it_does_not_show() -> None:
    shaft = loft([(0, 0, 0, 12, 12), (0, 0, 200, 12, 12)])
    pose = pose_of(TIBIA, shaft)
    assert (pose.back, pose.middle, pose.upside_down) == (None, None, None)
    assert not guess({TIBIA: shaft}).is_guess


@pytest.mark.parametrize("side", list(Side))
def test_plain_bones_are_taken_as_they_are_with_the_reasons(side: Side) -> None:
    for bodies in ({TIBIA: tibia(side)}, {FEMUR: femur(side)}, {TIBIA: tibia(side), FEMUR: femur(side)}):
        found = guess(bodies, side)
        assert (found.unit, found.space, found.unit_by, found.space_by) == ("mm", "lps", "assumed", "assumed")
        assert {"mesh_length", "mesh_facing", "mesh_middle"} <= {item.code for item in found.reasons}
        assert found.against == ()


@pytest.mark.parametrize(("unit", "mm"), [("m", 1000.0), ("cm", 10.0), ("inch", 25.4)])
@pytest.mark.parametrize("space", ["lps", "ras"])
def test_another_unit_or_space_is_guessed_with_what_contradicts_the_assumed(unit: str, mm: float, space: str) -> None:
    found = guess({TIBIA: in_file(tibia(), space, mm)})
    assert (found.unit, found.space, found.unit_by, found.is_guess) == (unit, space, "guessed", True)
    assert found.assumed_against[0].code == "mesh_length"
    lone = guess({TIBIA: in_file(tibia(), "ras")})
    assert (lone.unit_by, lone.space, lone.space_by) == ("assumed", "ras", "guessed")
    assert {item.code for item in lone.assumed_against} == {"mesh_facing_back", "mesh_middle_outside"}


def test_what_was_said_is_taken_and_contradicted_aloud() -> None:
    found = guess({TIBIA: in_file(tibia(), "ras")}, space="lps")
    assert (found.space, found.space_by, found.is_guess) == ("lps", "said", False)
    assert "mesh_facing_back" in {item.code for item in found.against}


def test_what_files_say_holds_unless_the_bones_contradict_it() -> None:
    declared = guess({TIBIA: in_file(tibia(), "ras")}, declared_space="ras", declared_unit="mm")
    assert (declared.space, declared.space_by, declared.unit_by) == ("ras", "declared", "declared")
    stale = guess({TIBIA: tibia()}, declared_space="ras", declared_unit="mm")
    assert (stale.space, stale.space_by) == ("lps", "guessed")


def test_a_wrong_side_is_no_matter_of_space() -> None:
    for side in Side:
        found = guess({TIBIA: tibia(side)}, side.other)
        assert not found.is_guess
        assert {item.code for item in found.against} == {"mesh_middle_outside"}


def test_a_glb_stands_up_by_its_standard_or_is_asked_about() -> None:
    standing = guess({TIBIA: in_file(tibia(), "y-up", 1000.0)}, declared_unit="m", y_up=True)
    assert (standing.unit, standing.space, standing.space_by) == ("m", "y-up", "assumed")
    other = guess({TIBIA: in_file(tibia(), "lps", 1000.0)}, declared_unit="m", y_up=True)
    assert (other.space, other.space_by) == ("lps", "guessed")


def test_neighbours_are_witnesses() -> None:
    patella = loft([(0, -45, 370, 6, 4), (0, -45, 390, 21, 10), (0, -45, 410, 8, 5)])
    piece = loft([(0, 0, 360, 30, 30), (0, 0, 440, 30, 30)])
    fibula = loft([(-32.0, 22, 10, 8, 8), (-32, 22, 340, 8, 8)])
    assert guess({FEMUR: piece, PATELLA: patella}).against == ()
    turned = {bone: in_file(mesh, "ras") for bone, mesh in {FEMUR: piece, PATELLA: patella}.items()}
    assert guess(turned).space == "ras"
    shaft = loft([(0, 0, 0, 12, 12), (0, 0, 350, 12, 12)])
    legs = {bone: in_file(mesh, "ras") for bone, mesh in {TIBIA: shaft, FIBULA: fibula}.items()}
    assert (guess(legs).space, guess(legs).is_guess) == ("ras", True)
    assert not guess({TIBIA: shaft, FIBULA: fibula}).is_guess
    below = {FEMUR: Mesh(femur().vertices - [0, 0, 900], femur().faces), TIBIA: tibia()}
    assert "mesh_order" in {item.code for item in guess(below).against}


def test_the_scan_tells_the_space_where_the_shape_does_not() -> None:
    body = loft([(30.0, 18, 40, 12, 12), (34, 20, 240, 12, 12)])
    step = 3.0
    grid = np.stack(np.meshgrid(*(np.arange(n) * step for n in (90, 40, 40)), indexing="ij"), axis=-1)
    z, y, x = np.moveaxis(grid, -1, 0)
    along = np.clip((z - 40) / 200, 0, 1)
    inside = (np.hypot(x - 60 - 30 - 4 * along, y - 60 - 18 - 2 * along) < 12) & (z >= 40) & (z <= 240)
    linear = np.array([[0, 0, step], [0, step, 0], [step, 0, 0]])
    scan = Volume(np.where(inside, 900, 20).astype(np.int16), Affine.from_parts(linear, np.array([-60.0, -60, 0])))
    assert edge_share(body, [scan]) > 0.7
    assert edge_share(in_file(body, "ras"), [scan]) < 0.05
    found = guess({TIBIA: in_file(body, "ras")}, volumes=[scan])
    assert (found.space, found.is_guess) == ("ras", True)
    assert "mesh_on_scan" in {item.code for item in found.reasons}
    taken = guess({TIBIA: body}, volumes=[scan])
    assert (taken.space, taken.space_by) == ("lps", "assumed")
    metres = guess({TIBIA: in_file(body, "lps", 1000.0)}, volumes=[scan])
    assert (metres.unit, metres.space) == ("m", "lps")
