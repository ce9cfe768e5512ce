"""Parameters of the procedural leg: defaults, ranges, sources, and the rule that ties the four frontal angles together."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Final, NamedTuple

from surgiplan_desktop.base.errors import UsageError
from surgiplan_desktop.model.anatomy import Side

#: Angles of the rule may disagree by this much when all four are given (docs: cli contract), degrees.
SUM_TOLERANCE_DEG: Final = 1e-6


#: Bones of a joint that has lost its cartilage do not touch: a mesh and a label map need something between them, mm.
SMALLEST_GAP_MM: Final = 0.8


class Range(NamedTuple):
    """Lowest and highest value, unit and source of a parameter."""

    lowest: float
    highest: float
    unit: str
    source: str


RANGES: Final[dict[str, Range]] = {
    "mldfa_deg": Range(80.0, 95.0, "deg", "clinical.md A.2: 85-90, CT 85.6 +- 2.3 (Jamali 2017)"),
    "mpta_deg": Range(80.0, 95.0, "deg", "clinical.md A.2: 85-90, CT 86.1 +- 2.8 (Jamali 2017)"),
    "jlca_deg": Range(-2.0, 6.0, "deg", "clinical.md A.2: 0-2, lax knees more"),
    "slope_medial_deg": Range(0.0, 15.0, "deg", "clinical.md A.2: CT planes 7.4 (BMC MSD 2020)"),
    "slope_lateral_deg": Range(0.0, 15.0, "deg", "clinical.md A.2: CT planes 7.5 (BMC MSD 2020)"),
    "femoral_torsion_deg": Range(-10.0, 40.0, "deg", "clinical.md A.2: 11.4-22.4 by method (Kaiser 2016)"),
    "tibial_torsion_deg": Range(5.0, 50.0, "deg", "clinical.md A.2: median 28.5"),
    "neck_shaft_deg": Range(115.0, 140.0, "deg", "general knowledge: 125-130"),
    "femur_length_mm": Range(380.0, 480.0, "mm", "general knowledge: |head centre - notch| of adults"),
    "tibia_length_mm": Range(310.0, 420.0, "mm", "clinical.md 0.5 uses 370"),
    "head_radius_mm": Range(20.0, 28.0, "mm", "clinical.md A.1: 18-30"),
    "knee_width_mm": Range(66.0, 92.0, "mm", "general knowledge: tibial plateau 65-90"),
    "joint_gap_mm": Range(2.0, 6.0, "mm", "general knowledge: cartilage of both sides at the tight compartment"),
    "joint_narrowing_mm": Range(0.0, 4.0, "mm", "general knowledge: cartilage lost at the tight compartment"),
    "knee_flexion_deg": Range(0.0, 30.0, "deg", "clinical.md 0.3, 0.4: supine CT a few degrees; warned above 5"),
    "knee_rotation_deg": Range(-15.0, 15.0, "deg", "clinical.md 0.3: tibia turned inward positive"),
    "patella_height": Range(0.6, 1.3, "", "clinical.md A.2: Caton-Deschamps 0.6-1.2"),
    "tt_tg_mm": Range(4.0, 22.0, "mm", "clinical.md A.2: 8-14 normal, lateral positive"),
    "osteophyte_mm": Range(0.0, 6.0, "mm", "general knowledge: how far osteophytes stand off the rims"),
    "flattened_condyle_mm": Range(-3.0, 3.0, "mm", "general knowledge: worn off the medial (+) or lateral (-) condyle"),
    "roughness_mm": Range(0.0, 0.8, "mm", "smooth random displacement of the surface away from joints and landmarks"),
    "variation": Range(0.0, 1.0, "", "share of the seeded variation of shape"),
    "seed": Range(0.0, 2.0**31, "", "seed of shape and noise"),
}


def impossible(name: str, value: float) -> UsageError:
    """Return the refusal of a parameter that is possible alone and not with the others."""
    limits = RANGES[name]
    return UsageError(
        "phantom_combination", parameter=name, value=value, lowest=limits.lowest, highest=limits.highest, unit=limits.unit
    )


@dataclass(frozen=True, slots=True)
class LegParameters:
    """A leg. Angles in degrees, lengths in mm.

    mLDFA, MPTA and JLCA are limb-plane values of the straight leg and met exactly there, as is the height of the patella. So is
    TT-TG when it is given; without (None) the tuberosity lies where it lies on the mean tibia, and TT-TG follows.
    Flexion and rotation (Grood and Suntay) then bend that leg: they change no bone, and the truth is that of the bent leg.
    """

    side: Side = Side.RIGHT
    mldfa_deg: float = 87.0
    mpta_deg: float = 87.0
    jlca_deg: float = 1.0
    slope_medial_deg: float = 7.0
    slope_lateral_deg: float = 7.0
    femoral_torsion_deg: float = 14.0
    tibial_torsion_deg: float = 28.0
    neck_shaft_deg: float = 127.0
    femur_length_mm: float = 435.0
    tibia_length_mm: float = 370.0
    head_radius_mm: float = 23.5
    knee_width_mm: float = 77.0
    joint_gap_mm: float = 3.5
    joint_narrowing_mm: float = 0.0
    knee_flexion_deg: float = 0.0
    knee_rotation_deg: float = 0.0
    patella_height: float = 0.95
    tt_tg_mm: float | None = None
    osteophyte_mm: float = 0.0
    flattened_condyle_mm: float = 0.0
    roughness_mm: float = 0.0
    variation: float = 0.5
    seed: int = 0

    def __post_init__(self) -> None:
        for name, limits in RANGES.items():
            value = getattr(self, name)
            if value is None:
                continue
            if not limits.lowest <= value <= limits.highest:
                raise UsageError(
                    "phantom_range",
                    parameter=name,
                    value=float(value),
                    lowest=limits.lowest,
                    highest=limits.highest,
                    unit=limits.unit,
                )
        if self.tight_gap_mm < SMALLEST_GAP_MM:
            raise UsageError(
                "phantom_range",
                parameter="joint_narrowing_mm",
                value=float(self.joint_narrowing_mm),
                lowest=0.0,
                highest=self.joint_gap_mm - SMALLEST_GAP_MM,
                unit="mm",
            )

    @property
    def tight_gap_mm(self) -> float:
        """What is left of the gap between femur and tibia where they come nearest, mm."""
        return self.joint_gap_mm - self.joint_narrowing_mm

    @property
    def hka_deviation_deg(self) -> float:
        """What follows from the three: MPTA - mLDFA - JLCA, valgus positive (clinical.md A.2)."""
        return self.mpta_deg - self.mldfa_deg - self.jlca_deg

    def as_dict(self) -> dict[str, object]:
        """Plain values for truth.json."""
        return {**asdict(self), "side": str(self.side), "hka_deviation_deg": self.hka_deviation_deg}


class FrontalAngles(NamedTuple):
    """The three free frontal angles, degrees."""

    mldfa_deg: float
    mpta_deg: float
    jlca_deg: float


def resolve_angles(
    mldfa_deg: float | None = None,
    mpta_deg: float | None = None,
    jlca_deg: float | None = None,
    hka_deviation_deg: float | None = None,
) -> FrontalAngles:
    """Fill in what was not given, by the rule ``deviation = MPTA - mLDFA - JLCA`` of the command line's contract.

    With a deviation given, what is left of the sum goes first to MPTA, then to mLDFA, last to JLCA, as far as these were not
    given and inside their ranges.

    Raises
    ------
    UsageError
        ``phantom_angle_sum`` when the four disagree or the sum cannot be met; ``phantom_range`` for a value out of range.
    """
    given = {"mpta_deg": mpta_deg, "mldfa_deg": mldfa_deg, "jlca_deg": jlca_deg}
    defaults = LegParameters()
    angles = {name: float(getattr(defaults, name) if value is None else value) for name, value in given.items()}
    for name, value in angles.items():
        limits = RANGES[name]
        if not limits.lowest <= value <= limits.highest:
            raise UsageError(
                "phantom_range", parameter=name, value=value, lowest=limits.lowest, highest=limits.highest, unit=limits.unit
            )
    if hka_deviation_deg is not None:
        for name, sign in (("mpta_deg", 1.0), ("mldfa_deg", -1.0), ("jlca_deg", -1.0)):
            left = hka_deviation_deg - _deviation(angles)
            if given[name] is None:
                limits = RANGES[name]
                angles[name] = min(max(angles[name] + sign * left, limits.lowest), limits.highest)
        if abs(hka_deviation_deg - _deviation(angles)) > SUM_TOLERANCE_DEG:
            raise UsageError(
                "phantom_angle_sum",
                mpta=angles["mpta_deg"],
                mldfa=angles["mldfa_deg"],
                jlca=angles["jlca_deg"],
                sum=_deviation(angles),
                deviation=float(hka_deviation_deg),
            )
    return FrontalAngles(angles["mldfa_deg"], angles["mpta_deg"], angles["jlca_deg"])


def _deviation(angles: dict[str, float]) -> float:
    return angles["mpta_deg"] - angles["mldfa_deg"] - angles["jlca_deg"]
