"""Two results of the segmentation of one case: figures and distances that are known, results that lack a bone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from surgiplan_desktop.app.compare_runs import comparable_runs, compare_runs, distance_from
from surgiplan_desktop.app.documents import new_session
from surgiplan_desktop.app.session import Session
from surgiplan_desktop.app.startup import start
from surgiplan_desktop.base.errors import UsageError
from surgiplan_desktop.model.edits import use_segmentation
from surgiplan_desktop.model.mesh import Mesh
from surgiplan_desktop.planning.graph import bone_key, run_bone_key
from tests.helpers.two_results import FIBULA, TIBIA, put_two_results


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    services = start(user_folder=tmp_path, catalogues={})
    made = new_session(services)
    yield made
    made.close(discard=True)
    services.close()


def test_two_results_are_compared_by_bone(session: Session) -> None:
    put_two_results(session)
    found = compare_runs(session, "other-1")
    assert (found.run, found.other) == ("leg-1", "other-1")
    tibia, fibula = found.rows
    assert (tibia.bone, fibula.bone) == (TIBIA, FIBULA)
    # two balls about one centre: 2 r^3 / (r^3 + R^3)
    assert tibia.dice == pytest.approx(2 * 1000 / (1000 + 1728), abs=0.01)
    assert tibia.volume_mm3 == pytest.approx((4 / 3 * np.pi * 1728, 4 / 3 * np.pi * 1000), rel=0.02)
    assert fibula.dice == 0.0
    assert fibula.surface is None
    assert fibula.volume_mm3 == (0.0, 125.0)
    assert FIBULA not in found.heat.surfaces
    assert {outline.name for outline in found.outlines} == {"tibia", "fibula"}
    assert all(outline.dashed for outline in found.outlines)
    part = found.heat.surfaces[TIBIA][0]
    assert tibia.surface is not None
    assert tibia.surface.asd_mm[0] == pytest.approx(float(part.values.mean()), rel=0.05)


def test_the_other_result_can_be_used_again_without_making_its_bones_anew(session: Session) -> None:
    put_two_results(session)
    assert [run.id for run in comparable_runs(session.case)] == ["other-1"]
    bone = session.require(run_bone_key("other-1", TIBIA))[0]
    session.apply("use", lambda case: use_segmentation(case, "other-1"))
    assert session.require(bone_key(TIBIA))[0] is bone
    assert [run.id for run in comparable_runs(session.case)] == ["leg-1"]
    session.undo()
    assert session.case.active_segmentation == "leg-1"


def test_what_cannot_be_compared_is_said(session: Session) -> None:
    put_two_results(session)
    for other in ("leg-1", "none-1"):
        with pytest.raises(UsageError, match="runs_not_comparable"):
            compare_runs(session, other)
    with pytest.raises(KeyError):
        use_segmentation(session.case, "none-1")


def test_distances_from_a_dense_surface_are_those_from_its_triangles_and_far_ones_are_straight() -> None:
    angles = np.linspace(0.0, 2.0 * np.pi, 120, endpoint=False)
    heights = np.arange(0.0, 60.0, 0.8)
    ring = np.array([[15.0 * np.cos(a), 15.0 * np.sin(a), z] for z in heights for a in angles])
    index = np.arange(len(ring)).reshape(len(heights), -1)
    right, up = np.roll(index, -1, axis=1), index[1:]
    faces = np.concatenate([
        np.stack([index[:-1], right[:-1], up], axis=-1).reshape(-1, 3),
        np.stack([right[:-1], right[1:], up], axis=-1).reshape(-1, 3),
    ])  # fmt: skip
    tube = Mesh(ring, faces.astype(np.int32))
    rng = np.random.default_rng(5)
    turn, along, gap = rng.uniform(0, 2 * np.pi, 200), rng.uniform(5, 50, 200), rng.uniform(-2, 3, 200)
    points = np.stack([(15.0 + gap) * np.cos(turn), (15.0 + gap) * np.sin(turn), along], axis=1)
    assert np.abs(distance_from([tube], points) - np.abs(gap)).max() < 0.02
    beyond = np.array([[15.0, 0.0, 90.0]])  # above the open end: its tangent plane holds the point, the surface does not
    assert distance_from([tube], beyond)[0] == pytest.approx(90.0 - heights[-1], abs=0.01)
