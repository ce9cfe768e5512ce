"""Sides, bones, label codes and the vocabulary of landmarks.

Label codes (docs/conventions.md): right 1..6, left 101..106, always, one leg or two; sacrum 7; fragments and user labels from 200.
Landmark definitions are short forms of clinical.md A.1.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple


class Side(StrEnum):
    """Side of the body."""

    RIGHT = "right"
    LEFT = "left"

    @property
    def sign(self) -> int:
        """+1 on the right, -1 on the left: lateral unit vector = sign * Z of the bone frame (clinical.md 0.1)."""
        return 1 if self is Side.RIGHT else -1

    @property
    def other(self) -> Side:
        """The opposite side."""
        return Side.LEFT if self is Side.RIGHT else Side.RIGHT


class BoneName(StrEnum):
    """Bones the program knows by name."""

    FEMUR = "femur"
    TIBIA = "tibia"
    PATELLA = "patella"
    FIBULA = "fibula"
    TALUS = "talus"
    HIP = "hip"
    SACRUM = "sacrum"


class BoneId(NamedTuple):
    """A bone of one side; two legs never collide."""

    side: Side
    bone: BoneName

    def __str__(self) -> str:
        return f"{self.side}_{self.bone}"


_CODE_ON_THE_RIGHT: Final = {
    BoneName.FEMUR: 1,
    BoneName.TIBIA: 2,
    BoneName.PATELLA: 3,
    BoneName.FIBULA: 4,
    BoneName.TALUS: 5,
    BoneName.HIP: 6,
}
SACRUM_CODE: Final = 7
FIRST_USER_CODE: Final = 200


def label_code(bone: BoneId) -> int:
    """Return the label code of a bone: 1..6 right, 101..106 left; the sacrum is 7 whichever side it came with."""
    if bone.bone is BoneName.SACRUM:
        return SACRUM_CODE
    return _CODE_ON_THE_RIGHT[bone.bone] + (0 if bone.side is Side.RIGHT else 100)


def bone_of_label(code: int) -> BoneId | None:
    """Return the bone of a label code, or None for background, sacrum, fragments and user labels."""
    for bone, right in _CODE_ON_THE_RIGHT.items():
        if code == right:
            return BoneId(Side.RIGHT, bone)
        if code == right + 100:
            return BoneId(Side.LEFT, bone)
    return None


@dataclass(frozen=True, slots=True)
class LandmarkDefinition:
    """What a landmark id means, which bone it lies on and where the definition comes from."""

    id: str
    bone: BoneName
    definition: str
    source: str = "clinical.md A.1"


_F, _T, _B, _P = BoneName.FEMUR, BoneName.TIBIA, BoneName.FIBULA, BoneName.PATELLA
_DEFINITIONS: Final = (
    LandmarkDefinition("hip_centre", _F, "centre of the sphere fitted to the femoral head"),
    LandmarkDefinition(
        "femoral_neck_base", _F, "centroid of the smallest neck section carried along the neck axis to the shaft axis"
    ),
    LandmarkDefinition("greater_trochanter_tip", _F, "most proximal point of the lateral proximal femur outside head and neck"),
    LandmarkDefinition("lesser_trochanter_tip", _F, "apex of the posteromedial bulge below the head"),
    LandmarkDefinition(
        "femoral_knee_centre",
        _F,
        "highest of the most distal points of the sagittal sections between the condyles (notch)",
    ),
    LandmarkDefinition("medial_epicondyle", _F, "most medial point of the medial condyle along the condylar axis"),
    LandmarkDefinition("lateral_epicondyle", _F, "most lateral point of the lateral condyle along the condylar axis"),
    LandmarkDefinition("medial_distal_condyle", _F, "medial contact point of the distal bitangent in the frontal projection"),
    LandmarkDefinition("lateral_distal_condyle", _F, "lateral contact point of the distal bitangent in the frontal projection"),
    LandmarkDefinition("medial_posterior_condyle", _F, "medial contact point of the posterior bitangent in the axial projection"),
    LandmarkDefinition(
        "lateral_posterior_condyle", _F, "lateral contact point of the posterior bitangent in the axial projection"
    ),
    LandmarkDefinition("trochlear_groove", _F, "deepest point of the trochlear groove"),
    LandmarkDefinition("femoral_shaft_proximal", _F, "centroid of the shaft section at 75 % of the femur's length from distal"),
    LandmarkDefinition("femoral_shaft_distal", _F, "centroid of the shaft section at 25 % of the femur's length from distal"),
    LandmarkDefinition("adductor_tubercle", _F, "peak of the medial supracondylar ridge above the medial epicondyle"),
    LandmarkDefinition("tibial_knee_centre", _T, "midpoint of the tibial spines dropped on the plateau plane"),
    LandmarkDefinition("medial_plateau_centre", _T, "centroid of the medial plateau patch"),
    LandmarkDefinition("lateral_plateau_centre", _T, "centroid of the lateral plateau patch"),
    LandmarkDefinition("medial_plateau_edge", _T, "medial extreme of the plateau rim, on the tibial joint line"),
    LandmarkDefinition("lateral_plateau_edge", _T, "lateral extreme of the plateau rim, on the tibial joint line"),
    LandmarkDefinition("medial_spine", _T, "highest point of the medial intercondylar tubercle"),
    LandmarkDefinition("lateral_spine", _T, "highest point of the lateral intercondylar tubercle"),
    LandmarkDefinition("tibial_tuberosity", _T, "most anterior point of the tuberosity, of largest radius from the shaft axis"),
    LandmarkDefinition(
        "tibial_anterosuperior_edge", _T, "antero-superior edge of the tibial plateau in the mid-sagittal section"
    ),
    LandmarkDefinition("medial_posterior_plateau", _T, "most posterior point of the medial plateau rim"),
    LandmarkDefinition("lateral_posterior_plateau", _T, "most posterior point of the lateral plateau rim"),
    LandmarkDefinition("medial_plafond", _T, "medial end of the plafond's articular patch in the frontal projection"),
    LandmarkDefinition("lateral_plafond", _T, "lateral end of the plafond's articular patch in the frontal projection"),
    LandmarkDefinition("tibial_shaft_proximal", _T, "centroid of the shaft section at 75 % of the tibia's length from distal"),
    LandmarkDefinition("tibial_shaft_distal", _T, "centroid of the shaft section at 25 % of the tibia's length from distal"),
    LandmarkDefinition("ankle_centre", _T, "centroid of the section 5 mm above the plafond, projected on the plafond"),
    LandmarkDefinition("medial_malleolus", _T, "most distal tibial point on the medial side"),
    LandmarkDefinition("ptfj_proximal", _T, "proximal margin of the proximal tibiofibular joint"),
    LandmarkDefinition("ptfj_distal", _T, "distal margin of the proximal tibiofibular joint"),
    LandmarkDefinition("ptfj_medial_margin", _T, "medial margin of the proximal tibiofibular joint"),
    LandmarkDefinition("fibular_head_tip", _B, "most proximal point of the fibula"),
    LandmarkDefinition("lateral_malleolus", _B, "most distal point of the fibula"),
    LandmarkDefinition("patella_superior_pole", _P, "proximal pole of the patella along its long axis"),
    LandmarkDefinition("patella_inferior_pole", _P, "distal pole of the patella along its long axis"),
    LandmarkDefinition("patella_articular_inferior", _P, "lower border of the articular face of the patella"),
)

LandmarkId = str
LANDMARKS: Final[dict[LandmarkId, LandmarkDefinition]] = {item.id: item for item in _DEFINITIONS}
