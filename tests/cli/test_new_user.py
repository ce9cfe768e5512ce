"""What a new user does wrong at the command line: each slip is answered in words, with the option or file and a remedy."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from surgiplan_desktop.app import make_phantom
from surgiplan_desktop.app.texts import load_texts
from surgiplan_desktop.base.errors import ComputationError, UsageError
from surgiplan_desktop.base.progress import Cancelled
from surgiplan_desktop.cli.commands import demo as demo_command
from surgiplan_desktop.cli.commands import scan as scan_command
from surgiplan_desktop.cli.console import Console
from surgiplan_desktop.cli.main import COMMANDS, command_named, run
from surgiplan_desktop.files.asset_store import AssetStore
from surgiplan_desktop.files.mesh_files import write_stl
from surgiplan_desktop.files.sidecar import all_or_nothing
from surgiplan_desktop.model.anatomy import Side
from surgiplan_desktop.model.mesh import Mesh
from tests.planning import bone_shapes


@pytest.fixture(scope="module")
def meshes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("meshes")
    for name in ("femur", "tibia"):
        mesh = getattr(bone_shapes, name)(Side.RIGHT, spacing=3.0).bone.parts[0].mesh
        write_stl(folder / f"{name}.stl", mesh, "test bone, mm, LPS")
        write_stl(folder / f"{name}_metres.stl", Mesh(mesh.vertices / 1000.0, mesh.faces), "test bone, m, LPS")
    return folder


@pytest.fixture(scope="module")
def case(meshes: Path) -> Path:
    path = meshes / "leg.surgiplan"
    bones = ["--femur", str(meshes / "femur.stl"), "--tibia", str(meshes / "tibia.stl")]
    assert run(["import-meshes", "--side", "right", *bones, "-o", str(path), "--quiet"]) == 0
    return path


def refused(capsys: pytest.CaptureFixture[str], *arguments: str | Path, code: int = 2) -> dict[str, str]:
    """Run a command that must be refused; return the error told in JSON, after looking that people are told the same."""
    capsys.readouterr()
    assert run([*map(str, arguments), "--json", "--quiet"]) == code
    told = capsys.readouterr()
    error: dict[str, str] = json.loads(told.out)["error"]
    assert set(error) == {"id", "text", "hint", "file"}
    assert error["text"] in told.err
    assert error["hint"] in told.err
    assert "Traceback" not in told.err
    return error


@pytest.mark.parametrize("name", COMMANDS)
def test_every_help_has_words_for_every_option_and_an_example(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        run([name, "--help"])
    assert left.value.code == 0
    shown = capsys.readouterr().out
    assert f"example:\n  surgiplan {name}" in shown
    assert command_named(name).name == name
    lines = shown[shown.index("options:") : shown.index("example:")].splitlines()[1:]
    for line, following in zip(lines, [*lines[1:], ""], strict=True):
        if line.startswith("  -"):
            assert "  " in line.strip() or following.startswith("     "), f"{name}: no words for {line}"


@pytest.mark.parametrize("place", [("-9999", "5000", "9000"), ("1e300", "0", "0"), ("-88.0", "-12.0", "-1e+4")])
def test_a_landmark_far_from_its_bone_is_refused(case: Path, place: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    before = case.read_bytes()
    error = refused(capsys, "landmark", case, "right", "hip_centre", *place)
    assert error["id"] == "landmark_far"
    assert "hip_centre" in error["text"]
    assert "femur" in error["text"]
    assert case.read_bytes() == before


def test_negative_coordinates_in_any_writing_are_numbers(case: Path, capsys: pytest.CaptureFixture[str]) -> None:
    error = refused(capsys, "landmark", case, "right", "hip_centre", "-9.9e+4", "-83.", "-.5")
    assert error["id"] == "landmark_far"


@pytest.mark.parametrize("option", ["--start", "--hinge"])
def test_a_cut_away_from_the_tibia_is_refused(case: Path, option: str, capsys: pytest.CaptureFixture[str]) -> None:
    for place in (("0", "0", "9e3"), ("1e9", "0", "0")):
        error = refused(capsys, "plan", "mowhto", case, "--target", "mpta=90", option, *place)
        assert error["id"] == "cut_point_far"
        assert option in error["text"]


@pytest.mark.parametrize("value", ["nan", "inf", "-inf", "abc"])
def test_no_option_takes_what_is_no_number(case: Path, tmp_path: Path, value: str, capsys: pytest.CaptureFixture[str]) -> None:
    for line in (
        ("plan", "mowhto", case, "--start", "1", "2", value),
        ("plan", "mowhto", case, "--post-jlca", value),
        ("guide", case, "--clearance", value),
        ("phantom", "-o", tmp_path / "leg", "--slope", value),
    ):
        error = refused(capsys, *line)
        assert error["id"] == "usage"
        assert next(str(word) for word in line if str(word).startswith("--")) in error["text"]


def test_the_phantom_names_the_option_and_its_range(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for option, value in (
        ("--mldfa", "70"),
        ("--slope", "90"),
        ("--spacing", "0"),
        ("--seed", "-1"),
        ("--tibial-torsion", "200"),
    ):
        error = refused(capsys, "phantom", "-o", tmp_path / "leg", option, value)
        assert error["text"].startswith(f"{option} {value} ")
        assert " to " in error["hint"]
    assert not (tmp_path / "leg").exists()


def test_options_are_not_abbreviated(case: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "--tar" in refused(capsys, "plan", "mowhto", case, "--tar", "mpta=90")["text"]


def test_a_report_never_replaces_its_case_or_a_folder(case: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = case.read_bytes()
    assert refused(capsys, "report", case, "-o", case, "--force")["id"] == "output_is_input"
    assert case.read_bytes() == before
    assert refused(capsys, "report", case, "-o", tmp_path, "--force")["id"] == "output_is_folder"


def test_a_case_cannot_replace_a_folder(meshes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "leg.surgiplan").mkdir()
    error = refused(
        capsys, "import-meshes", "--side", "right", "--tibia", meshes / "tibia.stl", "-o", tmp_path / "leg", "--force"
    )
    assert error["id"] == "output_is_folder"


def test_one_mesh_is_not_two_bones(meshes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tibia = meshes / "tibia.stl"
    line = ("import-meshes", "--side", "right", "--femur", tibia, "--tibia", tibia, "-o", tmp_path / "leg")
    error = refused(capsys, *line, code=3)
    assert error["id"] == "mesh_parts_few"
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("name", "unit", "likely"), [("tibia", "m", "mm"), ("tibia", "cm", "mm"), ("tibia_metres", "mm", "m")])
def test_the_unit_that_would_fit_is_named(
    meshes: Path, tmp_path: Path, name: str, unit: str, likely: str, capsys: pytest.CaptureFixture[str]
) -> None:
    line = ("import-meshes", "--side", "right", "--tibia", meshes / f"{name}.stl", "--unit", unit, "-o", tmp_path / "leg")
    error = refused(capsys, *line, code=3)
    assert error["id"] == "mesh_size"
    assert error["text"].endswith(f"units that would fit: {likely}")


def test_a_folder_given_as_a_mesh_is_called_a_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    error = refused(capsys, "import-meshes", "--side", "left", "--tibia", tmp_path, "-o", tmp_path / "leg", code=3)
    assert error["id"] == "mesh_is_folder"


def test_a_case_in_the_wrong_place_is_recognised(case: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "surgiplan gui" in refused(capsys, case)["hint"]
    assert refused(capsys, "scan", case)["id"] == "scan_is_case"


@pytest.mark.parametrize(
    "line",
    [
        ("scan", "{long}"),
        ("import", "{long}", "-o", "x"),
        ("import-meshes", "--side", "left", "--tibia", "{long}.stl", "-o", "x"),
        ("import-meshes", "--side", "left", "--tibia", "tibia.stl", "-o", "{long}"),
        ("measure", "{long}.surgiplan"),
        ("export", "leg.surgiplan", "bones", "-o", "{long}"),
        ("report", "leg.surgiplan", "-o", "{long}.pdf"),
        ("phantom", "-o", "{long}"),
        ("demo", "-o", "{long}"),
    ],
)
@pytest.mark.skipif(sys.platform == "win32", reason="the limits of paths differ there")
def test_a_path_too_long_is_told_by_its_name(
    case: Path, line: tuple[str, ...], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(case.parent)
    error = refused(capsys, *(word.format(long="b" * 300) for word in line))
    assert error["id"] in ("system_refused", "output_not_writable")
    assert "b" * 300 in error["file"]


def test_letters_that_the_terminal_lacks_end_nothing() -> None:
    for encoding in ("ascii", "cp1252"):
        out = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
        console = Console(load_texts("en"), out=out, err=io.StringIO())
        console.print("Ölçüm 骨头.stl")
        console.print_json({"files": ["Ölçüm 骨头.stl"]})
        out.flush()
        line, data = out.buffer.getvalue().decode(encoding).splitlines()
        assert "l" in line
        assert json.loads(data) == {"files": ["Ölçüm 骨头.stl"]}


def test_a_cancelled_command_answers_in_json_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(*_: object, **__: object) -> None:
        raise Cancelled

    monkeypatch.setattr(scan_command, "scan", stopped)
    assert refused(capsys, "scan", tmp_path, code=130)["id"] == "cancelled"


@pytest.mark.skipif(sys.platform == "win32", reason="pipes break otherwise there")
def test_a_reader_who_leaves_early_is_no_fault(case: Path) -> None:
    line = [sys.executable, "-m", "surgiplan_desktop", "measure", str(case), "--quiet"]
    with subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as command:
        assert command.stdout is not None
        assert command.stderr is not None
        command.stdout.close()
        assert command.stderr.read() == b""
        assert command.wait(60) == 0


def test_a_cancelled_demo_leaves_no_empty_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(demo_command, "run_demo", stopped)
    assert refused(capsys, "demo", "-o", tmp_path / "out", code=130)["id"] == "cancelled"
    assert not list(tmp_path.iterdir())


def test_a_full_disk_is_told_by_the_place_the_user_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        (hidden,) = tmp_path.glob(".leg-*")
        raise UsageError("output_not_writable", file=hidden / "meshes" / "right_femur.stl", reason="No space left on device")

    monkeypatch.setattr(make_phantom, "build_leg", full)
    error = refused(capsys, "phantom", "-o", tmp_path / "leg")
    assert error["file"] == str(tmp_path / "leg")
    assert not list(tmp_path.iterdir())
    with pytest.raises(UsageError) as told, all_or_nothing(tmp_path / "out", ("a.stl",), force=False) as hidden:
        raise UsageError("output_not_writable", file=hidden / "a.stl", reason="No space left on device")
    assert told.value.file == str(tmp_path / "out")


def test_a_full_work_folder_gives_the_system_s_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError("120 requested and 64 written")

    monkeypatch.setattr(np, "save", full)
    with pytest.raises(ComputationError) as told:
        AssetStore(tmp_path).put(np.zeros(3))
    assert told.value.parameters["reason"] == "120 requested and 64 written"
    assert not list(tmp_path.iterdir())


def test_the_same_points_pass_where_they_belong(case: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["measure", str(case), "--json", "--quiet"]) == 0
    (leg,) = json.loads(capsys.readouterr().out)["legs"]
    copy = case.with_name("copy.surgiplan")
    copy.write_bytes(case.read_bytes())
    for name, landmark in leg["landmarks"].items():
        if landmark["point_lps"] is None or name not in ("hip_centre", "ankle_centre", "medial_plateau_edge"):
            continue
        place = [f"{value:.4f}" for value in np.array(landmark["point_lps"]) + 1.0]
        assert run(["landmark", str(copy), "right", name, *place, "--quiet"]) == 0
