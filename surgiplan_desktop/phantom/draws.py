"""Legs drawn at random by their seed: like people, or evenly over everything that can be built."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np

from surgiplan_desktop.model.anatomy import Side
from surgiplan_desktop.phantom.parameters import RANGES, SMALLEST_GAP_MM, LegParameters

#: Mean and standard deviation in the population (sources as in RANGES; spreads without one are general knowledge).
_PEOPLE: Final[dict[str, tuple[float, float]]] = {
    "mldfa_deg": (87.0, 2.0),
    "mpta_deg": (86.5, 2.5),
    "jlca_deg": (1.0, 1.0),
    "slope_medial_deg": (7.4, 2.5),
    "femoral_torsion_deg": (14.0, 7.0),
    "tibial_torsion_deg": (28.5, 6.0),
    "neck_shaft_deg": (127.0, 4.0),
    "femur_length_mm": (430.0, 20.0),
    "patella_height": (0.95, 0.10),
}
#: The two slopes of one tibia differ little; tibia, knee and head go with the size of the leg: ratio and its spread.
_SLOPE_DIFFERENCE_DEG: Final = 1.5
_TIBIA_TO_FEMUR: Final = (0.85, 0.012)
_KNEE_TO_FEMUR: Final = (0.177, 0.008)
_HEAD_TO_KNEE: Final = (0.305, 0.010)


def draw_leg(seed: int, *, side: Side | None = None) -> LegParameters:
    """Draw a straight, healthy leg as people have them, cut at two standard deviations; ``side`` None: by the seed."""
    random = np.random.default_rng([seed, 1])
    values = {name: _inside(name, mean + deviation * _cut(random)) for name, (mean, deviation) in _PEOPLE.items()}
    drawn = Side.LEFT if random.random() < 0.5 else Side.RIGHT
    values["slope_lateral_deg"] = _inside("slope_lateral_deg", values["slope_medial_deg"] + _SLOPE_DIFFERENCE_DEG * _cut(random))
    ratio, spread = _TIBIA_TO_FEMUR
    values["tibia_length_mm"] = _inside("tibia_length_mm", values["femur_length_mm"] * (ratio + spread * _cut(random)))
    ratio, spread = _KNEE_TO_FEMUR
    values["knee_width_mm"] = _inside("knee_width_mm", values["femur_length_mm"] * (ratio + spread * _cut(random)))
    ratio, spread = _HEAD_TO_KNEE
    values["head_radius_mm"] = _inside("head_radius_mm", values["knee_width_mm"] * (ratio + spread * _cut(random)))
    parameters = LegParameters(side=drawn if side is None else side, variation=1.0, seed=seed)
    return replace(parameters, **values)  # type: ignore[arg-type]  # all of them are floats


def draw_anywhere(seed: int) -> LegParameters:
    """Draw every parameter evenly inside its range; what the four frontal angles and the joint's gap leave free, that is.

    Parts that are possible alone may not be so together: building such a leg raises ``phantom_combination``.
    """
    random = np.random.default_rng([seed, 2])
    values = {name: random.uniform(limits.lowest, limits.highest) for name, limits in RANGES.items() if name != "seed"}
    values["joint_narrowing_mm"] = min(values["joint_narrowing_mm"], values["joint_gap_mm"] - SMALLEST_GAP_MM - 1e-3)
    given = random.random()
    values = {name: float(round(value, 4)) for name, value in values.items()}
    if given < 0.5:
        values.pop("tt_tg_mm")
    parameters = LegParameters(side=Side.LEFT if random.random() < 0.5 else Side.RIGHT, seed=seed)
    return replace(parameters, **values)  # type: ignore[arg-type]  # all of them are floats


def _cut(random: np.random.Generator) -> float:
    return float(np.clip(random.normal(), -2.0, 2.0))


def _inside(name: str, value: float) -> float:
    limits = RANGES[name]
    return float(round(min(max(value, limits.lowest), limits.highest), 4))
