"""Where the deformity is, before any plan: how much of the leg's deviation lies in the tibia, the femur and the joint.

dev = (MPTA - 87) - (mLDFA - 87) - JLCA, exactly, when all are measured in one plane (practice.md 3; clinical.md A.2). Bones count
the same lying and standing; what the joint adds does not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from surgiplan_desktop.planning.film_comparison import FilmComparison
from surgiplan_desktop.planning.limits import default_limits
from surgiplan_desktop.planning.records import Measures
from surgiplan_desktop.planning.standing import StandingValues

DeformityKind = Literal["none", "tibial", "femoral", "joint", "combined"]
Part = Literal["tibial", "femoral", "joint"]


@dataclass(frozen=True, slots=True)
class Deformity:
    """Shares of the deviation, degrees, varus negative; their sum is the deviation.

    ``pose`` says where the numbers are from: ``ct`` lying, ``standing`` = bones of the CT with the joint line standing, ``film``
    = all of a film (``film`` is its id then).
    """

    pose: Literal["ct", "standing", "film"]
    mpta_deg: float
    mldfa_deg: float
    jlca_deg: float
    tibia_deg: float
    femur_deg: float
    joint_deg: float
    film: str = ""

    @property
    def deviation_deg(self) -> float:
        """Sum of the shares = HKA deviation."""
        return self.tibia_deg + self.femur_deg + self.joint_deg

    @property
    def parts(self) -> tuple[Part, ...]:
        """Which parts take part, from the limit on."""
        least = default_limits()["osteotomy.deformity_share_deg"]
        shares: tuple[tuple[Part, float], ...] = (
            ("tibial", self.tibia_deg),
            ("femoral", self.femur_deg),
            ("joint", self.joint_deg),
        )
        return tuple(name for name, share in shares if abs(share) >= least)

    @property
    def kind(self) -> DeformityKind:
        """The one word for it."""
        parts = self.parts
        return "none" if not parts else parts[0] if len(parts) == 1 else "combined"


def deformity(pose: Literal["ct", "standing", "film"], mpta: float, mldfa: float, jlca: float, film: str = "") -> Deformity:
    """Return the shares of a leg from its angles in one plane."""
    limits = default_limits()
    tibia = mpta - limits["osteotomy.normal_mpta_deg"]
    femur = limits["osteotomy.normal_mldfa_deg"] - mldfa
    return Deformity(pose, mpta, mldfa, jlca, tibia, femur, -jlca, film)


def measured_deformity(measures: Measures, jlca_deg: float | None = None) -> Deformity | None:
    """Return the shares by the CT's limb-plane values, with another joint line where given; None where the limb is not whole."""
    mpta, mldfa = measures.items["mpta"].value_limb_plane, measures.items["mldfa"].value_limb_plane
    jlca = measures.number("jlca") if jlca_deg is None else jlca_deg
    if mpta is None or mldfa is None or jlca is None:
        return None
    return deformity("ct" if jlca_deg is None else "standing", mpta, mldfa, jlca)


def deformities(measures: Measures | None, standing: StandingValues, *films: FilmComparison) -> tuple[Deformity, ...]:
    """Return where the deformity is by all that is known: lying, standing, and on each film that shows it."""
    found: list[Deformity | None] = []
    if measures is not None:
        found.append(measured_deformity(measures))
        pose = standing.pose_jlca(measures)
        if pose is not None:
            found.append(measured_deformity(measures, pose[0]))
    for item in films:
        mpta, mldfa, jlca = (item.measures.number(name) for name in ("mpta", "mldfa", "jlca"))
        if mpta is not None and mldfa is not None and jlca is not None:
            found.append(deformity("film", mpta, mldfa, jlca, item.measures.film))
    return tuple(item for item in found if item is not None)
