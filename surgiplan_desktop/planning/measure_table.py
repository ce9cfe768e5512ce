"""The table of measures: what each is, in which plane, from which points, by which formula (clinical.md A.2).

Panel, report and JSON are made from it. Name and definition text of a measure: resources/messages; normal range with its source:
resources/normal_ranges.toml.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Final, Literal

from surgiplan_desktop.base.arrays import FloatArray
from surgiplan_desktop.base.paths import resource_folder
from surgiplan_desktop.model.anatomy import LandmarkId
from surgiplan_desktop.planning import measure_formulas as formula
from surgiplan_desktop.planning import surrogates, torsions
from surgiplan_desktop.planning.measure_formulas import Lines
from surgiplan_desktop.planning.measure_leg import Axes, Leg
from surgiplan_desktop.planning.records import MeasurePlane

Unit = Literal["deg", "mm", "%", ""]
Formula = Callable[[Leg], FloatArray]

_HIP, _NOTCH, _KNEE, _ANKLE = "hip_centre", "femoral_knee_centre", "tibial_knee_centre", "ankle_centre"
_POSTERIOR = ("medial_posterior_condyle", "lateral_posterior_condyle")
_REAR = ("medial_posterior_plateau", "lateral_posterior_plateau")
_DISTAL = ("medial_distal_condyle", "lateral_distal_condyle")
_CENTRES = ("medial_plateau_centre", "lateral_plateau_centre")
_EDGES = ("medial_plateau_edge", "lateral_plateau_edge")
_EPICONDYLES = ("medial_epicondyle", "lateral_epicondyle")
_MALLEOLI = ("medial_malleolus", "lateral_malleolus")
_FEMUR = (_HIP, _NOTCH, *_POSTERIOR)
_TIBIA = (_KNEE, _ANKLE, *_REAR)
_LIMB = (_HIP, _ANKLE, *_POSTERIOR)
_BOTH = (*_FEMUR, *_TIBIA, *_DISTAL, *_CENTRES)
_ISB = (_HIP, *_EPICONDYLES, *_MALLEOLI, *_EDGES)
_SHAFT = ("femoral_shaft_proximal", "femoral_shaft_distal")
_SHAFT_OF_TIBIA = ("tibial_proximal_shaft_low", "tibial_proximal_shaft_high")
_SHAFT_OF_FEMUR = ("femoral_distal_shaft_low", "femoral_distal_shaft_high")
_PATELLA = ("patella_superior_pole", "patella_articular_inferior")
_PATELLA_SECTION = ("patella_medial", "patella_lateral", "patella_anterior", "patella_posterior")
_NECK = "femoral_neck_base"


@dataclass(frozen=True, slots=True)
class MeasureSpec:
    """What a measure is.

    Attributes
    ----------
    plane, unit, version
        Plane of ``function``; unit of all its values; version of the definition.
    needs
        Landmarks and constructed points that must be there.
    function
        The value; a string for ``cpak`` alone.
    limb
        The same measure in the limb plane, for bone-plane measures.
    space
        The same angle in space, for angles that are projected.
    """

    id: str
    plane: MeasurePlane
    unit: Unit
    needs: tuple[LandmarkId, ...]
    function: Formula | Callable[[Leg], str]
    limb: Formula | None = None
    space: Formula | None = None
    version: int = 1

    @property
    def is_number(self) -> bool:
        """Whether the value is a number, so that it can have a spread."""
        return self.id != "cpak"


def _frontal(
    measure: str, bone: Literal["femur", "tibia"], needs: tuple[LandmarkId, ...], lines: Callable[[Leg], Lines]
) -> MeasureSpec:
    """A frontal angle of one bone: in its own plane, in the limb plane and in space."""

    def axes(leg: Leg) -> Axes:
        return leg.femur if bone == "femur" else leg.tibia

    return MeasureSpec(
        measure, "bone", "deg", needs,
        lambda leg: formula.frontal(leg, axes(leg), lines(leg)),
        lambda leg: formula.frontal(leg, leg.limb, lines(leg)),
        lambda leg: formula.in_space(leg, axes(leg), lines(leg)),
    )  # fmt: skip


def _slope(measure: str, needs: tuple[LandmarkId, ...], axes: Callable[[Leg], Axes]) -> MeasureSpec:
    """Slope of one compartment, or the mean of both, against the Y axis of ``axes``."""
    patch = next((name for name in ("medial", "lateral") if name in measure), None)
    if patch is None:
        return MeasureSpec(measure, "sagittal", "deg", (*needs, *_CENTRES), lambda leg: formula.mean_slope(leg, axes(leg)))
    needs = (*needs, f"{patch}_plateau_centre")
    return MeasureSpec(measure, "sagittal", "deg", needs, lambda leg: formula.slope(leg, patch, axes(leg)))


def _length(measure: str, start: LandmarkId, end: LandmarkId) -> MeasureSpec:
    return MeasureSpec(measure, "none", "mm", (start, end), lambda leg: formula.length(leg, start, end))


def _size(measure: str, needs: tuple[LandmarkId, ...]) -> MeasureSpec:
    """A size that the finder of the bone gives."""

    def size(leg: Leg) -> FloatArray:
        value: FloatArray | None = getattr(leg.landmarks, f"{measure}_mm")
        if value is None:
            raise LookupError(measure)
        return value

    return MeasureSpec(measure, "none", "mm", needs, size)


def _mechanical(leg: Leg) -> Axes:
    return leg.tibia


def _anatomical(leg: Leg) -> Axes:
    return leg.tibial_shaft


_HKA = (*_LIMB, _NOTCH, _KNEE)
_JLCA = (*_LIMB, *_DISTAL, *_CENTRES)
_CONTRACT: Final = (
    MeasureSpec(
        "hka_deviation", "limb", "deg", _HKA, formula.hka_deviation,
        space=lambda leg: formula.in_space(leg, leg.limb, formula.hka_lines(leg)),
    ),
    MeasureSpec("hka", "limb", "deg", _HKA, formula.hka, space=formula.hka_in_space),
    _frontal("mldfa", "femur", (*_FEMUR, *_DISTAL), formula.mldfa_lines),
    _frontal("mpta", "tibia", (*_TIBIA, *_CENTRES), formula.mpta_lines),
    # in space the joint lines differ by turns about the limb as well: no JLCA
    MeasureSpec("jlca", "limb", "deg", _JLCA, formula.jlca),
    MeasureSpec("ahka", "bone", "deg", _BOTH, formula.ahka, formula.ahka_limb),
    MeasureSpec("jlo", "bone", "deg", _BOTH, formula.jlo, formula.jlo_limb),
    MeasureSpec("cpak", "bone", "", _BOTH, formula.cpak),
    MeasureSpec("mad", "limb", "mm", (*_LIMB, _NOTCH), formula.mad),
    MeasureSpec("wbl", "limb", "%", (*_LIMB, *_EDGES), formula.wbl),
    _frontal("lpfa", "femur", (*_FEMUR, "greater_trochanter_tip"), formula.lpfa_lines),
    _frontal("ldta", "tibia", (*_TIBIA, "medial_plafond", "lateral_plafond"), formula.ldta_lines),
    _frontal("aldfa", "femur", (*_FEMUR, *_DISTAL, *_SHAFT), formula.aldfa_lines),
    _frontal("ama", "femur", (*_FEMUR, *_SHAFT), formula.ama_lines),
    MeasureSpec("femoral_torsion", "axial", "deg", (*_FEMUR, _NECK), torsions.femoral_torsion),
    MeasureSpec("tibial_torsion", "axial", "deg", (*_TIBIA, *_MALLEOLI), torsions.tibial_torsion),
    _slope("slope_medial", _TIBIA, _mechanical),
    _slope("slope_lateral", _TIBIA, _mechanical),
    MeasureSpec("tt_tg", "axial", "mm", (*_FEMUR, "tibial_tuberosity", "trochlear_groove"), formula.tt_tg),
    MeasureSpec("caton_deschamps", "none", "", (*_PATELLA, "tibial_anterosuperior_edge"), formula.caton_deschamps),
    MeasureSpec(
        "insall_salvati", "none", "", ("patella_superior_pole", "patella_inferior_pole", "tibial_tuberosity"),
        formula.insall_salvati,
    ),
    MeasureSpec("knee_flexion", "none", "deg", (*_FEMUR, *_TIBIA), lambda leg: formula.pose(leg).flexion_deg),
    MeasureSpec("knee_rotation", "none", "deg", (*_FEMUR, *_TIBIA), lambda leg: formula.pose(leg).internal_rotation_deg),
    _length("femur_length", _HIP, _NOTCH),
    _length("tibia_length", _KNEE, _ANKLE),
    _length("leg_length", _HIP, _ANKLE),
    _size("femoral_head_radius", (_HIP,)),
    MeasureSpec("neck_shaft_angle", "none", "deg", (_HIP, _NECK, *_SHAFT), formula.neck_shaft_angle),
    _size("femur_ml_width", _DISTAL),
    _size("tibia_ml_width", _CENTRES),
)  # fmt: skip
#: Beyond the contract's list: further definitions, which stand beside the value of the contract and never replace it.
_BEYOND: Final = (
    MeasureSpec("femoral_torsion_murphy", "axial", "deg", (*_FEMUR, "murphy_base"), torsions.femoral_torsion_murphy),
    MeasureSpec(
        "femoral_torsion_waidelich", "axial", "deg", (*_FEMUR, "greater_trochanter_centre"), torsions.femoral_torsion_waidelich
    ),
    MeasureSpec("femoral_torsion_bergmann", "axial", "deg", (*_FEMUR, _NECK), torsions.femoral_torsion_bergmann),
    MeasureSpec(
        "femoral_torsion_epicondylar", "axial", "deg", (*_FEMUR, _NECK, *_EPICONDYLES), torsions.femoral_torsion_epicondylar
    ),
    MeasureSpec("tibial_torsion_jend", "axial", "deg", (*_TIBIA, "fibular_notch"), torsions.tibial_torsion_jend),
    MeasureSpec(
        "tibial_torsion_waidelich", "axial", "deg",
        (*_TIBIA, "tibial_head_medial", "tibial_head_lateral", "medial_malleolus_centre", "lateral_malleolus_centre"),
        torsions.tibial_torsion_waidelich,
    ),
    MeasureSpec(
        "tibial_torsion_transcondylar", "axial", "deg", (*_TIBIA, *_CENTRES, *_MALLEOLI), torsions.tibial_torsion_transcondylar
    ),
    _slope("slope_mean", _TIBIA, _mechanical),
    _slope("slope_medial_anatomical", (*_REAR, *_SHAFT_OF_TIBIA), _anatomical),
    _slope("slope_lateral_anatomical", (*_REAR, *_SHAFT_OF_TIBIA), _anatomical),
    _slope("slope_mean_anatomical", (*_REAR, *_SHAFT_OF_TIBIA), _anatomical),
    MeasureSpec("blackburne_peel", "none", "", (*_PATELLA, _KNEE), formula.blackburne_peel),
    MeasureSpec("patellar_tilt", "axial", "deg", (*_FEMUR, "patella_medial", "patella_lateral"), torsions.patellar_tilt),
    MeasureSpec("patella_thickness", "none", "mm", _PATELLA_SECTION, formula.patella_thickness),
    MeasureSpec("femoral_offset", "none", "mm", (_HIP, *_SHAFT), formula.femoral_offset),
    MeasureSpec("knee_varus", "none", "deg", (*_FEMUR, *_TIBIA), lambda leg: formula.pose(leg).varus_deg),
    MeasureSpec("knee_flexion_isb", "none", "deg", _ISB, lambda leg: formula.pose_isb(leg).flexion_deg),
    MeasureSpec("knee_varus_isb", "none", "deg", _ISB, lambda leg: formula.pose_isb(leg).varus_deg),
    MeasureSpec("knee_rotation_isb", "none", "deg", _ISB, lambda leg: formula.pose_isb(leg).internal_rotation_deg),
    MeasureSpec("mldfa_surrogate", "bone", "deg", (*_POSTERIOR, *_DISTAL, *_SHAFT_OF_FEMUR), surrogates.mldfa_surrogate),
    MeasureSpec("mpta_surrogate", "bone", "deg", (*_REAR, *_CENTRES, *_SHAFT_OF_TIBIA), surrogates.mpta_surrogate),
    MeasureSpec(
        "hka_surrogate", "limb", "deg", (*_POSTERIOR, *_SHAFT_OF_FEMUR, *_REAR, *_SHAFT_OF_TIBIA), surrogates.hka_surrogate
    ),
)  # fmt: skip
#: Every measure by id: those of the command line's contract in its order, then the further definitions.
MEASURES: Final[Mapping[str, MeasureSpec]] = MappingProxyType({spec.id: spec for spec in (*_CONTRACT, *_BEYOND)})
#: Word of a positive and of a negative value: no such number stands without its word (practice.md 10). HKA has "varus" or
#: "valgus" by its distance from 180, WBL is counted from the medial edge.
SIGN_WORDS: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "hka_deviation": ("valgus", "varus"),
        "ahka": ("valgus", "varus"),
        "jlca": ("opens_laterally", "opens_medially"),
        "mad": ("medial", "lateral"),
        "tt_tg": ("lateral", "medial"),
        "patellar_tilt": ("lateral", "medial"),
        **{name: ("anteversion", "retroversion") for name in MEASURES if name.startswith("femoral_torsion")},
        **{name: ("external", "internal") for name in MEASURES if name.startswith("tibial_torsion")},
        **{name: ("posterior_down", "anterior_down") for name in MEASURES if name.startswith("slope_")},
        **{name: ("flexion", "hyperextension") for name in MEASURES if name.startswith("knee_flexion")},
        **{name: ("internal", "external") for name in MEASURES if name.startswith("knee_rotation")},
        **{name: ("varus", "valgus") for name in MEASURES if name.startswith("knee_varus")},
    }
)
#: Measures of the command line's contract.
CONTRACT_MEASURES: Final = tuple(spec.id for spec in _CONTRACT)
#: Definitions that are to be read side by side, the one of the contract first.
SIDE_BY_SIDE: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "femoral_torsion": tuple(name for name in MEASURES if name.startswith("femoral_torsion")),
        "tibial_torsion": tuple(name for name in MEASURES if name.startswith("tibial_torsion")),
        "slope": tuple(name for name in MEASURES if name.startswith("slope_")),
        "patellar_height": ("caton_deschamps", "insall_salvati", "blackburne_peel"),
    }
)
#: What stands in for a measure when it cannot be had, marked as estimated.
STAND_IN: Final[Mapping[str, str]] = MappingProxyType({name: f"{name}_surrogate" for name in ("hka", "mldfa", "mpta")})


def reading_order() -> tuple[str, ...]:
    """All measures as they are read: further definitions of the same thing behind the first one."""
    order = []
    for name in CONTRACT_MEASURES:
        order.append(name)
        group = next((names for names in SIDE_BY_SIDE.values() if name == _last_of_contract(names)), ())
        order += [other for other in group if other not in CONTRACT_MEASURES]
        order += [other for other in MEASURES if other in (f"{name}_isb", f"{name}_surrogate")]
    return (*order, *(name for name in MEASURES if name not in order))


def _last_of_contract(names: tuple[str, ...]) -> str:
    return [name for name in names if name in CONTRACT_MEASURES][-1]


@dataclass(frozen=True, slots=True)
class NormalRange:
    """Normal range of a measure (None: no range that holds for this definition) and where it comes from."""

    range: tuple[float, float] | None
    source: str


@cache
def normal_ranges() -> Mapping[str, NormalRange]:
    """The table of normal ranges shipped with the program (resources/normal_ranges.toml)."""
    with (resource_folder() / "normal_ranges.toml").open("rb") as stream:
        table = tomllib.load(stream)
    return MappingProxyType(
        {
            measure: NormalRange((float(entry["low"]), float(entry["high"])) if "low" in entry else None, str(entry["source"]))
            for measure, entry in table.items()
            if isinstance(entry, dict)
        }
    )
