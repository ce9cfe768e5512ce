"""``plan`` and ``implant`` from the outside: shapes of the contract, exit codes, the case on disk."""

import json
from pathlib import Path

import pytest

from surgiplan_desktop.app import documents, startup
from surgiplan_desktop.cli.main import run
from surgiplan_desktop.model.anatomy import LANDMARKS, BoneName, Side
from surgiplan_desktop.model.case import Case, ImportedBone
from surgiplan_desktop.model.edits import place_landmark, set_imported_bones
from surgiplan_desktop.model.steps import ImplantStep, OsteotomyStep
from tests.planning.tibia_model import model_fibula, model_tibia, tibia_landmarks


def write_case(path: Path, *sides: Side) -> Path:
    """A case of model tibiae (and fibulae) whose landmarks are all placed by hand."""
    services = startup.start()
    try:
        session = documents.new_session(services)
        bones = []
        for side in sides:
            for bone in (model_tibia(side), model_fibula(side)):
                mesh = bone.parts[0].mesh
                assets = (session.store.put(mesh.vertices), session.store.put(mesh.faces))
                bones.append(ImportedBone(bone.id, *assets, f"{bone.id}.stl", "mm", "lps"))

        def fill(case: Case) -> Case:
            case = set_imported_bones(case, tuple(bones), "ABC234")
            for side in sides:
                for name, item in tibia_landmarks(side).items.items():
                    point = item.point_lps
                    # the hip of one leg only: the other cannot be planned by its alignment
                    if point is not None and not (side is Side.LEFT and LANDMARKS[name].bone is BoneName.FEMUR):
                        x, y, z = (float(value) for value in point)
                        case = place_landmark(case, side, name, (x, y, z))
            return case

        session.apply("Fill", fill)
        session.save(path)
        session.close(discard=True)
    finally:
        services.close()
    return path


def answer(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, dict[str, object]]:
    code = run([*arguments, "--json", "--quiet"])
    return code, json.loads(capsys.readouterr().out)


def test_plan_and_implant(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    case = str(write_case(tmp_path / "c.surgiplan", Side.RIGHT))
    code, plan = answer(capsys, "plan", "mowhto", case, "--target", "angle=8", "--post-jlca", "0")
    assert code == 0
    assert set(plan) >= {
        "step",
        "side",
        "pose",
        "post_jlca_deg",
        "before",
        "after",
        "scenarios",
        "wedge",
        "saw",
        "hinge",
        "findings",
    }
    assert plan["step"] == "mowhto-1"
    assert plan["side"] == "right"
    wedge, saw, hinge = plan["wedge"], plan["saw"], plan["hinge"]
    assert isinstance(wedge, dict)
    assert isinstance(saw, list)
    assert isinstance(hinge, dict)
    assert wedge["angle_deg"] == 8.0
    assert set(wedge["chord_mm"]) == set(wedge["gap_to_measure_mm"]) == {"pm", "mid", "am"}
    assert wedge["gap_to_measure_mm"]["mid"] == pytest.approx(wedge["chord_mm"]["mid"] + wedge["kerf_mm"])
    assert len(saw) >= 5
    assert set(saw[0]) == {"ray", "entry_to_cortex_mm", "entry_to_hinge_mm", "entry_to_far_cortex_mm"}
    assert hinge["zone"] == "WL"
    assert [row["name"] for row in plan["scenarios"]] == ["unchanged", "default", "zero"]  # type: ignore[attr-defined]
    code, tray = answer(capsys, "implant", case, "--catalogue", "generic")
    assert code == 0
    assert tray["size"] == tray["proposed_size"]
    code, plate = answer(capsys, "implant", case, "--component", "plate")
    assert code in (0, 4)
    assert plate["screws"]
    code, again = answer(capsys, "plan", "mowhto", case, "--target", "angle=5", "--step", "mowhto-1")
    assert code == 0
    assert again["step"] == "mowhto-1"
    services = startup.start()
    try:
        session = documents.open_session(services, Path(case))
        steps = session.case.steps
        session.close(discard=True)
    finally:
        services.close()
    assert [type(step) for step in steps] == [OsteotomyStep, ImplantStep, ImplantStep]
    first = steps[0]
    assert isinstance(first, OsteotomyStep)
    assert first.target.value == 5.0


def test_lines_for_people_carry_words(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    case = str(write_case(tmp_path / "c.surgiplan", Side.RIGHT))
    assert run(["plan", "mowhto", case, "--target", "hka=1valgus", "--quiet", "--standing-jlca", "4", "--pose", "standing"]) == 0
    shown = capsys.readouterr().out
    assert "1.0° valgus" in shown
    assert "gap to measure" in shown
    assert "finding." not in shown
    assert "ui." not in shown


@pytest.mark.parametrize(
    ("arguments", "code", "error"),
    [
        (("plan", "mowhto", "CASE"), 2, "side_needed"),
        (("implant", "CASE"), 2, "side_needed"),
        (("plan", "mowhto", "CASE", "--side", "left", "--target", "wbl=55"), 3, "target_not_measurable"),
        (("plan", "mowhto", "CASE", "--side", "right", "--pose", "standing"), 3, "standing_values_missing"),
        (("plan", "mowhto", "CASE", "--side", "right", "--target", "hka=5"), 2, "target_syntax"),
        (("plan", "mowhto", "CASE", "--side", "right", "--step", "mowhto-7"), 2, "step_unknown"),
        (("plan", "mowhto", "CASE", "--side", "right", "--post-jlca", "99"), 2, "option_range"),
        (("plan", "lowdfo", "CASE", "--side", "right"), 2, "not_in_this_version"),
        (("plan", "hto", "CASE", "--side", "right"), 2, "osteotomy_type_unknown"),
        (("implant", "CASE", "--side", "right", "--size", "59"), 2, "size_unknown"),
        (("implant", "CASE", "--side", "right", "--catalogue", "acme"), 2, "catalogue_unknown"),
        (("implant", "CASE", "--side", "right", "--component", "plate"), 2, "osteotomy_not_planned"),
    ],
)
def test_wrong_input_is_answered_and_leaves_the_case_alone(
    two_legs: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], code: int, error: str
) -> None:
    before = two_legs.read_bytes()
    found, data = answer(capsys, *(str(two_legs) if item == "CASE" else item for item in arguments))
    assert (found, data["error"]["id"]) == (code, error)  # type: ignore[index]
    assert data["error"]["hint"]  # type: ignore[index]
    assert two_legs.read_bytes() == before


@pytest.fixture(scope="module")
def two_legs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SURGIPLAN_USER_FOLDER", str(tmp_path_factory.mktemp("user")))
        return write_case(tmp_path_factory.mktemp("case") / "two.surgiplan", Side.RIGHT, Side.LEFT)
