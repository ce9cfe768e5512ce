"""What a person types for a plan, and which side it is for."""

import pytest

from surgiplan_desktop.app.plan_steps import chosen_side, find_component, parse_target
from surgiplan_desktop.base.errors import InputDataError, UsageError
from surgiplan_desktop.base.paths import catalogue_roots
from surgiplan_desktop.files.catalogues import load_catalogues
from surgiplan_desktop.model.anatomy import BoneId, BoneName, Side
from surgiplan_desktop.model.case import Case, ImportedBone


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("wbl=55", "wbl", 55.0),
        ("hka=182", "hka", 182.0),
        ("hka=2valgus", "hka", 182.0),
        ("HKA = 1.5 varus", "hka", 178.5),
        ("mpta=90", "mpta", 90.0),
        ("angle=8.25", "angle", 8.25),
    ],
)
def test_targets(text: str, kind: str, value: float) -> None:
    target = parse_target(text)
    assert (target.kind, target.value) == (kind, value)


@pytest.mark.parametrize(
    "text", ["", "wbl", "wbl=", "wbl=abc", "hka=5", "hka=-2valgus", "mpta=2valgus", "slope=3", "wbl=55;angle=3", "wbl=nan"]
)
def test_targets_that_could_be_misread_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match="target_syntax"):
        parse_target(text)


def case_of(*bones: tuple[Side, BoneName]) -> Case:
    return Case(imported_bones=tuple(ImportedBone(BoneId(*bone), "sha256:0", "sha256:1", "x.stl", "mm", "lps") for bone in bones))


def test_two_legs_need_a_side() -> None:
    both = case_of((Side.RIGHT, BoneName.TIBIA), (Side.LEFT, BoneName.TIBIA))
    with pytest.raises(UsageError, match="side_needed") as caught:
        chosen_side(both, None)
    assert caught.value.exit_code == 2
    assert chosen_side(both, Side.LEFT) is Side.LEFT
    left = case_of((Side.LEFT, BoneName.TIBIA))
    assert chosen_side(left, None) is Side.LEFT
    with pytest.raises(UsageError, match="side_not_there"):
        chosen_side(left, Side.RIGHT)
    with pytest.raises(InputDataError, match="bone_not_there"):
        chosen_side(case_of((Side.LEFT, BoneName.FEMUR)), None)
    with pytest.raises(InputDataError, match="bone_not_there"):
        chosen_side(Case(), None)


def test_components_by_kind_or_id() -> None:
    catalogue = load_catalogues(catalogue_roots())["generic"]
    assert find_component(catalogue, "tray").id == "tibial-tray"
    assert find_component(catalogue, "plate").id == "medial-tibial-plate"
    assert find_component(catalogue, "tibial-tray").id == "tibial-tray"
    with pytest.raises(UsageError, match="component_unknown"):
        find_component(catalogue, "cup")
