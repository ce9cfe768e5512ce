"""The acceptance test: it passes on this machine, and sees a landmark that moved by 2 mm, whichever way."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pytest

from surgiplan_desktop.app import acceptance_road
from surgiplan_desktop.app.acceptance import Acceptance, acceptance_legs, hardware, program_versions
from surgiplan_desktop.app.acceptance_road import LegResult, acceptance_limits, drive_leg
from surgiplan_desktop.app.describe_acceptance import acceptance_data, acceptance_lines, acceptance_sheet
from surgiplan_desktop.app.texts import load_texts
from surgiplan_desktop.base.errors import UsageError
from surgiplan_desktop.base.progress import SILENT
from surgiplan_desktop.files.acceptance_sheet import write_acceptance_pdf
from surgiplan_desktop.model.anatomy import Side
from surgiplan_desktop.planning import graph
from surgiplan_desktop.planning.measure_table import MEASURES
from surgiplan_desktop.planning.measures import measure_points
from surgiplan_desktop.planning.records import LandmarkEstimate, Landmarks
from tests.phantom.legs import built

THREE_BLOCKS = acceptance_legs(2)[1]


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> LegResult:
    return drive_leg(2, THREE_BLOCKS.parameters, tmp_path_factory.mktemp("accept"), blocks=3)


def whole(*legs: LegResult) -> Acceptance:
    return Acceptance(legs, (), program_versions(), hardware(), "2026-01-01 00:00 UTC", 1.0)


def test_a_leg_in_three_blocks_passes_every_comparison(result: LegResult) -> None:
    assert [row for row in result.rows if row.status == "fail"] == []
    assert result.broken is None
    assert {row.id for row in result.rows} >= {*acceptance_limits()["measures"], *acceptance_limits()["landmarks"]}
    assert whole(result).passed


def test_the_verdict_stands_on_paper_in_json_and_on_the_terminal(result: LegResult, tmp_path: Path) -> None:
    texts = load_texts("en")
    bad = replace(result.rows[-1], status="fail")
    failed = whole(replace(result, rows=(*result.rows, bad)))
    assert acceptance_data(whole(result))["verdict"] == "pass"
    assert acceptance_data(failed)["failed"] == [f"leg 2 left: {bad.id}"]
    assert any(line.startswith("FAILED: 1 of") for line in acceptance_lines(failed, texts))
    write_acceptance_pdf(tmp_path / "a.pdf", acceptance_sheet(failed, texts))
    assert (tmp_path / "a.pdf").read_bytes().startswith(b"%PDF")


def test_a_finder_moved_by_two_millimetres_fails_the_road(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the program itself: the tibia's finder lies by 2 mm, and the verdict names the measures."""
    find = graph.find_tibia

    def shifted(*arguments: object, **options: object) -> Landmarks:
        found = find(*arguments, **options)  # type: ignore[arg-type]
        centre = found.items["medial_plateau_centre"]
        moved = replace(centre, point_lps=centre.point_lps - np.array([0.0, 0.0, 2.0]))
        return replace(found, items=MappingProxyType({**found.items, "medial_plateau_centre": moved}))

    monkeypatch.setattr(graph, "find_tibia", shifted)
    broken = drive_leg(2, THREE_BLOCKS.parameters, tmp_path, blocks=3, spacing_mm=1.1)
    failed = {row.id for row in broken.rows if row.status == "fail"}
    assert "mpta" in failed


@pytest.mark.parametrize("landmark", sorted(acceptance_limits()["landmarks"]))
@pytest.mark.parametrize("direction", [(1, 0, 0), (-1, 0, 0), (0, 1, 0), (0, -1, 0), (0, 0, 1), (0, 0, -1)])
def test_every_landmark_moved_by_two_millimetres_is_seen(landmark: str, direction: tuple[int, int, int]) -> None:
    leg = built("varus")
    items = {name: LandmarkEstimate(name, np.asarray(point), "auto") for name, point in leg.truth_landmarks.items()}
    true = Landmarks(leg.side, MappingProxyType(items))
    moved = replace(true.items[landmark], point_lps=leg.truth_landmarks[landmark] + 2.0 * np.array(direction))
    shifted = replace(true, items=MappingProxyType({**true.items, landmark: moved}))
    road = acceptance_road._Road(SILENT)
    acceptance_road._compare_landmarks(road, shifted, leg)
    acceptance_road._compare_measures(road, measure_points(shifted), leg)
    failed = [row for row in road.rows if row.status == "fail"]
    assert any(row.id == landmark or landmark in MEASURES[row.id].needs for row in failed if row.id in (landmark, *MEASURES))


def test_the_legs_are_of_both_sides_and_one_comes_in_blocks() -> None:
    legs = acceptance_legs(6)
    assert {leg.parameters.side for leg in legs[:2]} == set(Side)
    assert 3 in {leg.blocks for leg in legs[:2]}
    assert len({leg.parameters for leg in legs}) == 6
    assert acceptance_legs(6) == legs
    for count in (0, -3, 501):
        with pytest.raises(UsageError) as caught:
            acceptance_legs(count)
        assert caught.value.message_id == "acceptance_legs"
