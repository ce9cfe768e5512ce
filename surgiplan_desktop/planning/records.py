"""Records of computed planning results. All points LPS mm, all angles degrees. Results are never part of a Case."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from surgiplan_desktop.base.arrays import FloatArray
from surgiplan_desktop.base.spaces import Affine, Frame, Plane
from surgiplan_desktop.model.anatomy import LandmarkId, Side
from surgiplan_desktop.model.mesh import Mesh
from surgiplan_desktop.model.steps import PoseName, StepId, Vector
from surgiplan_desktop.model.study import Finding

LandmarkStatus = Literal["auto", "edited", "estimated", "missing"]
MeasureStatus = Literal["ok", "estimated", "not_measurable"]
MeasurePlane = Literal["bone", "limb", "axial", "sagittal", "none"]
FrameVariant = Literal["planning", "isb"]


@dataclass(frozen=True, slots=True, eq=False)
class LandmarkEstimate:
    """A landmark as found or placed.

    ``point_lps`` is None exactly when ``status`` is "missing"; then ``reason`` says why. ``fit_rms_mm`` is the residual of the
    fit it came from, None for extreme points, and ``n_points`` how many vertices entered that fit.

    Attributes
    ----------
    sd_mm
        Root mean square distance from the true place to be expected; None when nothing is known (placed by hand, missing).
    covariance_mm2
        The same by direction: covariance of the point (3, 3) in LPS, whose trace is ``sd_mm`` squared. A contact point of a flat
        condyle lies surely across the joint line and loosely along it.
    coverage
        How much of what should be there was there, 0..1: share of the sphere, of the joint surface, of the sections.
    other_lps
        Where a second, independent way (registration of the template bone) puts the point; None where it was not asked.
    """

    id: LandmarkId
    point_lps: FloatArray | None
    status: LandmarkStatus
    fit_rms_mm: float | None = None
    n_points: int = 0
    sd_mm: float | None = None
    reason: Finding | None = None
    covariance_mm2: FloatArray | None = None
    coverage: float | None = None
    other_lps: FloatArray | None = None

    @property
    def disagreement_mm(self) -> float | None:
        """Distance between the two ways of finding the point, mm; None with one way alone."""
        if self.point_lps is None or self.other_lps is None:
            return None
        return float(np.linalg.norm(self.point_lps - self.other_lps))


@dataclass(frozen=True, slots=True, eq=False)
class FitSphere:
    """A sphere through bone surface: centre (3,), radius and RMS (mm), share of the sphere covered by surface."""

    centre: FloatArray
    radius_mm: float
    rms_mm: float
    n_points: int
    coverage: float


@dataclass(frozen=True, slots=True, eq=False)
class FitCylinder:
    """A cylinder through bone surface: point of the axis (3,) in its middle, unit direction (3,), sizes in mm.

    ``coverage`` is the share of the turn on which surface lies.
    """

    point: FloatArray
    direction: FloatArray
    radius_mm: float
    half_length_mm: float
    rms_mm: float
    n_points: int
    coverage: float


@dataclass(frozen=True, slots=True, eq=False)
class FitPlane:
    """A plane through bone surface: its middle (3,), unit normal (3,), radius of the surface that entered, RMS; mm.

    ``coverage`` is the share of the expected joint surface that entered.
    """

    point: FloatArray
    normal: FloatArray
    radius_mm: float
    rms_mm: float
    n_points: int
    coverage: float


@dataclass(frozen=True, slots=True, eq=False)
class FitLine:
    """A line through centroids of sections: its ends (3,) in view and the RMS distance of the centroids, mm."""

    start: FloatArray
    end: FloatArray
    rms_mm: float
    n_points: int
    coverage: float


Fit = FitSphere | FitCylinder | FitPlane | FitLine


@dataclass(frozen=True, slots=True, eq=False)
class Landmarks:
    """Landmarks of one leg by id, and sizes that the finders know better than the points do (mm).

    ``constructed`` are points that published definitions of measures need and that are no landmark a user would place: centroids
    of named sections, ends of the shaft axis in view (planning/constructions.py).
    """

    side: Side
    items: Mapping[LandmarkId, LandmarkEstimate]
    femoral_head_radius_mm: float | None = None
    femur_ml_width_mm: float | None = None
    tibia_ml_width_mm: float | None = None
    plateau_normals: Mapping[str, FloatArray] | None = None  # "medial", "lateral", "both": unit, proximal
    findings: tuple[Finding, ...] = ()
    fits: Mapping[LandmarkId, Fit] = field(default_factory=dict)  # the shape that a landmark came from, for drawing
    constructed: Mapping[LandmarkId, LandmarkEstimate] = field(default_factory=dict)

    def estimate(self, landmark: LandmarkId) -> LandmarkEstimate | None:
        """Return a landmark or a constructed point as found, or None when nobody looked for it."""
        item = self.items.get(landmark)
        return self.constructed.get(landmark) if item is None else item

    def point(self, landmark: LandmarkId) -> FloatArray | None:
        """Return the point of a landmark or a constructed point, or None when it is missing."""
        item = self.estimate(landmark)
        return None if item is None else item.point_lps

    def missing_reason(self, *landmarks: LandmarkId) -> Finding | None:
        """Return the reason of the first of these landmarks that is missing, or None when all are there."""
        for landmark in landmarks:
            item = self.estimate(landmark)
            if item is None or item.point_lps is None:
                reason = None if item is None else item.reason
                return reason or Finding("landmark_missing", "warn", (("landmark", landmark),))
        return None


@dataclass(frozen=True, slots=True, eq=False)
class SurfaceSpread:
    """Standard deviation of a bone's surface along its normal, mm: one array (n,) a part of the Bone, one value a vertex.

    NaN where nothing is said: on the caps of open ends. Bones imported as meshes have no SurfaceSpread.
    """

    parts: tuple[FloatArray, ...]

    @property
    def sd_mm(self) -> FloatArray:
        """The values of all parts in their order, shape (n,)."""
        return np.concatenate(self.parts)


@dataclass(frozen=True, slots=True, eq=False)
class LegFrames:
    """Bone frames and named frontal planes of one leg (clinical.md 0.2, 0.4); None where a landmark is missing.

    ``variant`` names how they are made: "planning" (long axis = mechanical axis of the bone, posterior condylar and posterior
    plateau line) or "isb" (epicondyles, malleoli). The X-normal planes of ``femur`` and ``tibia`` are the *bone planes*, that of
    ``limb`` (Y = ankle to hip) the *limb plane*.
    """

    side: Side
    femur: Frame | None
    tibia: Frame | None
    limb: Frame | None
    variant: FrameVariant = "planning"


@dataclass(frozen=True, slots=True)
class Measure:
    """One number with all that it needs to be understood (ids as in the command line's contract).

    ``value`` is in the plane named by ``plane``; ``value_limb_plane`` stands beside bone-plane values and is None when the limb
    is incomplete; ``value_3d`` is the angle in space, without projection, of those that are projected angles. A measure that
    cannot be had has ``value`` None, status ``not_measurable`` and a ``reason``. ``plus_minus`` is the half width of what no
    spread of landmarks holds: motion between blocks that share no bone, or the interval of an estimated axis; else None. ``sd``
    is filled where the spread was asked for (:class:`MeasureSpreads`).
    """

    id: str
    value: float | str | None
    plane: MeasurePlane
    unit: Literal["deg", "mm", "%", ""]
    version: int
    status: MeasureStatus
    value_limb_plane: float | None = None
    reason: Finding | None = None
    sd: float | None = None
    normal: tuple[float, float] | None = None
    source: str = ""
    plus_minus: float | None = None
    value_3d: float | None = None


@dataclass(frozen=True, slots=True)
class Contribution:
    """What one landmark's error does to a measure: its share of the variance (0..1) and the change per mm, at most."""

    landmark: LandmarkId
    share: float
    per_mm: float


@dataclass(frozen=True, slots=True)
class MeasureSpread:
    """How sure a measure is, from the errors of its landmarks.

    ``sd`` in the measure's unit; ``interval`` holds the middle 95 % of the draws; ``contributions`` are the landmarks that
    matter, largest share first.
    """

    sd: float
    interval: tuple[float, float]
    contributions: tuple[Contribution, ...]


@dataclass(frozen=True, slots=True)
class MeasureSpreads:
    """Spread of every measure of a leg that is a number and has one; ``draws`` says from how many draws."""

    side: Side
    items: Mapping[str, MeasureSpread]
    draws: int


@dataclass(frozen=True, slots=True)
class Measures:
    """All measures of one leg by id; every id of the vocabulary is present."""

    side: Side
    items: Mapping[str, Measure]
    findings: tuple[Finding, ...] = ()

    def number(self, measure: str) -> float | None:
        """Return the value of a numeric measure, or None when it is not measurable."""
        value = self.items[measure].value
        return value if isinstance(value, float) else None


@dataclass(frozen=True, slots=True, eq=False)
class OsteotomySite:
    """Proposed start, hinge and hinge direction of a medial opening wedge, in the tibial frame (mm)."""

    side: Side
    frame: Frame
    start_tibia: Vector
    hinge_tibia: Vector
    hinge_direction_tibia: Vector
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class Scenario:
    """One row of the post-operative JLCA table (practice.md 1)."""

    name: Literal["unchanged", "default", "zero"]
    post_jlca_deg: float
    angle_deg: float
    after: Mapping[str, float | None]
    gap_to_measure_mm: Mapping[str, float] | None = None


@dataclass(frozen=True, slots=True)
class StandingPrediction:
    """The leg standing, before and as predicted after (clinical.md A.3): bones of the CT, joint line as standing.

    ``jlca_from`` is ``typed``, the id of a film, or ``implied`` by the standing HKA. ``before`` and ``after`` are measures by id.
    """

    jlca_deg: float
    jlca_from: str
    post_jlca_deg: float
    before: Mapping[str, float | None]
    after: Mapping[str, float | None]


@dataclass(frozen=True, slots=True, eq=False)
class OsteotomyPlan:
    """The solved osteotomy.

    Attributes
    ----------
    plane
        Cut plane: contains the hinge line and the start point; normal points proximal.
    hinge_direction
        Unit, posterior to anterior.
    angle_deg
        Opening angle, positive opens medially.
    correction
        Motion of the distal piece and everything below it: ``x' = C + R(h, a)(x - C)`` (clinical.md B.1).
    before, after
        Measures by id (values of the contract), None where not measurable; ``after`` has the landmarks carried by their pieces
        and the stated pose and post-operative JLCA.
    bone_correction_deg
        What the osteotomy does to the bone: change of MPTA. It says nothing of the leg standing.
    standing
        The leg standing, before and after, told apart from the correction; None where nothing is known of it.
    landmarks_after
        The landmarks carried by their pieces that ``after`` was measured on.
    """

    step: StepId
    side: Side
    frame: Frame
    plane: Plane
    start_lps: FloatArray
    hinge_lps: FloatArray
    hinge_direction: FloatArray
    angle_deg: float
    correction: Affine
    kerf_mm: float
    pose: PoseName
    pose_jlca_deg: float | None
    post_jlca_deg: float | None
    before: Mapping[str, float | None]
    after: Mapping[str, float | None]
    scenarios: tuple[Scenario, ...]
    findings: tuple[Finding, ...] = ()
    bone_correction_deg: float | None = None
    standing: StandingPrediction | None = None
    landmarks_after: Landmarks | None = None


@dataclass(frozen=True, slots=True)
class SawRay:
    """One ray of the slot: distances from the entry face along the blade, mm (practice.md 4)."""

    ray: str
    entry_to_cortex_mm: float
    entry_to_hinge_mm: float
    entry_to_far_cortex_mm: float


@dataclass(frozen=True, slots=True, eq=False)
class WedgeDetail:
    """What the surgeon measures in theatre: keys of the mappings are pm, mid, am (posteromedial, mid-medial, anteromedial).

    ``saw_entry_lps`` holds the entry points of the saw rays, shape (n, 3), in the order of ``saw``; ``blade_direction`` is the
    unit vector along which the blade goes (medial to lateral). ``scenario_gaps_mm`` has the gaps to measure by scenario name.
    """

    chord_mm: Mapping[str, float]
    gap_to_measure_mm: Mapping[str, float]
    gap_points_lps: Mapping[str, FloatArray]
    volume_mm3: float
    saw: tuple[SawRay, ...]
    hinge_zone: str
    hinge_to_cortex_mm: float | None
    hinge_to_plateau_mm: float | None
    section_outline_lps: FloatArray
    findings: tuple[Finding, ...] = ()
    cut_area_mm2: float = 0.0
    saw_entry_lps: FloatArray | None = None
    blade_direction: FloatArray | None = None
    scenario_gaps_mm: Mapping[str, Mapping[str, float]] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Pieces:
    """The tibia cut in two: ``distal`` lies where it was before the opening, ``distal_moved`` = correction(distal)."""

    proximal: Mesh
    distal: Mesh
    distal_moved: Mesh
    kerf_volume_mm3: float


@dataclass(frozen=True, slots=True, eq=False)
class ScrewPath:
    """A screw as a capsule from entry to tip (clinical.md C.3); distances are mm, negative = through."""

    name: str
    entry_lps: FloatArray
    tip_lps: FloatArray
    diameter_mm: float
    to_bone_surface_mm: float | None = None
    to_cut_mm: float | None = None
    to_joint_mm: float | None = None
    to_hinge_mm: float | None = None


@dataclass(frozen=True, slots=True)
class SizeFit:
    """How one size of a family fits: signed outline distance, overhang positive (mm); a notch counts for overhang alone."""

    size: str
    max_overhang_mm: float
    max_underhang_mm: float
    coverage: float


@dataclass(frozen=True, slots=True, eq=False)
class ImplantPlacement:
    """A component placed on the bone: proposed size beside the chosen one, fit and screws.

    ``fits`` has every size at its best place; ``fit`` is that of the chosen size where it stands (None for a plate).
    """

    step: StepId
    side: Side
    component: str
    size: str
    proposed_size: str
    frame: Frame
    mesh: Mesh
    fits: tuple[SizeFit, ...]
    overhang_points_lps: FloatArray
    outline_lps: FloatArray
    cut: Plane | None
    screws: tuple[ScrewPath, ...]
    findings: tuple[Finding, ...] = ()
    fit: SizeFit | None = None


@dataclass(frozen=True, slots=True)
class Check:
    """One check of a guide: value against limit, with the status; the words come from the id."""

    id: str
    status: Literal["pass", "warn", "fail"]
    value: float | str | None
    limit: float | str | None
    parameters: tuple[tuple[str, str | int | float | bool], ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Sleeve:
    """A drill sleeve: axis from the top of the sleeve into the bone, and the fragment its pin holds."""

    name: str
    top_lps: FloatArray
    direction: FloatArray
    bore_mm: float
    fragment: Literal["proximal", "distal"]
    to_far_cortex_mm: float


@dataclass(frozen=True, slots=True)
class FreePlay:
    """Motion left to the seated guide in its weakest direction at the stated gap (practice.md 18)."""

    mm: float
    deg: float
    direction: Vector


@dataclass(frozen=True, slots=True, eq=False)
class Guide:
    """The guide's body as it is printed, and the numbers the theatre needs."""

    step: StepId
    side: Side
    mesh: Mesh
    label: tuple[str, ...]
    check_code: str
    insertion_direction: FloatArray
    contact_mm2: float
    free_play: FreePlay
    sleeves: tuple[Sleeve, ...]
    slot_width_mm: float
    slot_depth_mm: float
    volume_mm3: float
    checks: tuple[Check, ...]
    findings: tuple[Finding, ...] = ()
