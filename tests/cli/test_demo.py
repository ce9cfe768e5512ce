"""The main job as a user runs it, in a process of its own: every promise of the demo is checked on what it wrote."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.spatial import cKDTree

from surgiplan_desktop.app import documents, startup
from surgiplan_desktop.files.mesh_files import read_mesh
from surgiplan_desktop.geometry.solid import intersection_volume, is_solid
from surgiplan_desktop.model.anatomy import BoneId, BoneName, Side
from surgiplan_desktop.planning.graph import bone_key, implant_key, osteotomy_key
from surgiplan_desktop.planning.limits import default_limits


@dataclass(frozen=True)
class Demo:
    """The JSON of the demo and where it wrote."""

    data: dict[str, Any]
    folder: Path

    def stl(self, what: str) -> Path:
        (found,) = [Path(file) for file in self.data["files"] if re.search(rf"TEST_\w+_right_{what}_.*\.stl$", file)]
        return found


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    folder = tmp_path_factory.mktemp("demo") / "out"
    environment = {**os.environ, "SURGIPLAN_USER_FOLDER": str(folder.parent / "user")}
    command = [sys.executable, "-m", "surgiplan_desktop", "demo", "-o", str(folder), "--json", "--quiet"]
    answer = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert answer.returncode == 0, answer.stderr
    return Demo(json.loads(answer.stdout), folder)


def test_measured_values_are_the_true_ones(demo: Demo) -> None:
    for name in ("hka", "hka_deviation", "mldfa", "mpta"):
        assert demo.data["measured"][name] == pytest.approx(demo.data["truth"][name], abs=0.5)


def test_the_plan_meets_its_target_and_the_opened_bone_shows_it(demo: Demo) -> None:
    assert demo.data["planned"]["wbl"] == pytest.approx(55.0, abs=0.1)
    for name in ("hka", "mpta", "mldfa", "jlca"):
        assert demo.data["reached"][name] == pytest.approx(demo.data["planned"][name], abs=0.5)


def test_every_file_is_there_and_says_that_it_is_a_test(demo: Demo) -> None:
    files = [Path(file) for file in demo.data["files"]]
    assert all(file.is_absolute() and file.is_file() for file in files)
    assert {"truth.json", "report.pdf", "demo.surgiplan"} <= {file.name for file in files}
    bodies = [file for file in files if file.suffix == ".stl" and file.parent.name == "stl"]
    assert len(bodies) > 8
    for body in bodies:
        assert body.name.startswith("TEST_")
        sidecar = json.loads(Path(f"{body}.json").read_text())
        assert (sidecar["unit"], sidecar["space"], sidecar["side"]) == ("mm", "LPS", "right")
        assert sidecar["approval"] == "draft"


def test_the_guide_is_closed_and_shares_nothing_with_the_bone(demo: Demo) -> None:
    guide = read_mesh(demo.stl("guide"))
    assert is_solid(guide)
    assert demo.data["guide"]["closed"] is True
    assert demo.data["guide"]["bone_intersection_mm3"] == 0.0
    assert intersection_volume(guide, read_mesh(demo.stl("tibia"))) == 0.0
    checks = {check["id"]: check for check in demo.data["guide"]["checks"]}
    assert abs(checks["pins_parallel_after_opening"]["value"]) <= 0.2
    assert not [check for check in checks.values() if check["status"] == "fail"]


def test_the_exported_piece_moved_as_planned_and_the_tray_is_the_best_of_its_family(
    demo: Demo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SURGIPLAN_USER_FOLDER", str(demo.folder.parent / "user"))
    services = startup.start()
    session = documents.open_session(services, demo.folder / "demo.surgiplan", owner="command")
    try:
        tibia, plan, tray = session.require(
            bone_key(BoneId(Side.RIGHT, BoneName.TIBIA)), osteotomy_key("mowhto-1"), implant_key("implant-1")
        )
    finally:
        session.close(discard=True)
        services.close()
    moved = plan.correction(read_mesh(demo.stl("tibia-distal")).vertices)
    turn = plan.correction.linear
    by_hand = (read_mesh(demo.stl("tibia-distal")).vertices - plan.hinge_lps) @ turn.T + plan.hinge_lps
    assert np.abs(moved - by_hand).max() < 1e-6
    exported = read_mesh(demo.stl("tibia-distal-moved")).vertices
    assert cKDTree(exported).query(moved)[0].max() < 1e-3
    assert len(exported) == len(moved)
    assert len(tibia.parts) == 1
    over, under = (default_limits()[f"tray.{name}_mm"] for name in ("proposal_overhang", "underhang_amber"))
    misfits = {fit.size: max(fit.max_overhang_mm / over, fit.max_underhang_mm / under) for fit in tray.fits}
    assert tray.proposed_size == min(misfits, key=lambda size: misfits[size])
    proposed = next(fit for fit in tray.fits if fit.size == tray.size)
    assert proposed.max_overhang_mm <= 4.0
    assert proposed.max_underhang_mm <= 4.5


def test_outputs_are_not_replaced_unasked(demo: Demo) -> None:
    command = [sys.executable, "-m", "surgiplan_desktop", "demo", "-o", str(demo.folder), "--json", "--quiet"]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    assert answer.returncode == 2
    assert json.loads(answer.stdout)["error"]["id"] == "output_exists"
    assert (demo.folder / "demo.surgiplan").is_file()
