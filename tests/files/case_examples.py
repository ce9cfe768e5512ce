"""Cases for tests: strategies and one case with every kind of record in it."""

from __future__ import annotations

from types import MappingProxyType

from hypothesis import strategies as st

from surgiplan_desktop.model.anatomy import LANDMARKS, BoneId, BoneName, Side
from surgiplan_desktop.model.case import Approval, Case, ImportedBone, Intake, Landmark, SegmentationRun
from surgiplan_desktop.model.steps import Blade, GuideStep, ImplantStep, OsteotomyStep, Target
from surgiplan_desktop.model.study import Finding, SeriesOrigin, Study, VolumeBlock

IDENTITY = ((1.0, 0.0, 0.0, 0.0), (0.0, 1.0, 0.0, 0.0), (0.0, 0.0, 1.0, 0.0), (0.0, 0.0, 0.0, 1.0))


def full_case(voxels: str = "sha256:" + "a" * 64, labels: str = "sha256:" + "b" * 64) -> Case:
    """A case with every kind of record."""
    finding = Finding("gap", "warn", (("mm", 3.5), ("at", 7), ("name", "x"), ("sure", True)), ("a.dcm",))
    tibia = BoneId(Side.LEFT, BoneName.TIBIA)
    return Case(
        code="ABC234",
        intake=Intake(Side.LEFT, "mowhto", "2026-01-02", 174.5, None),
        study=Study((VolumeBlock(voxels, IDENTITY, (2, 3, 4), SeriesOrigin("dicom", ("1.2",), findings=(finding,))),)),
        imported_bones=(ImportedBone(tibia, voxels, labels, "tibia.stl", "mm", "lps"),),
        segmentations=(SegmentationRun("threshold-1", "threshold", "1", "cpu", (labels,), (tibia,), (finding,), 1.5),),
        active_segmentation="threshold-1",
        landmarks=MappingProxyType({(Side.LEFT, "hip_centre"): Landmark((1.0, -2.5, 3.0))}),
        steps=(
            OsteotomyStep("mowhto-1", Side.LEFT, Target("wbl", 55.0), start_tibia=(1.0, 2.0, 3.0), blade=Blade(kerf_mm=1.0)),
            ImplantStep("plate-1", Side.LEFT, "generic", "plate", None, "mowhto-1", (0.5, 0.0, 0.0), 2.0),
            GuideStep("guide-1", Side.LEFT, "mowhto-1", revision=2),
        ),
        approvals=(Approval("surgeon", "N", "f" * 64, "2026-01-02T03:04:05Z"),),
        notes='ünı "quoted" / ~',
    )


finite = st.floats(-1e6, 1e6)
vectors = st.tuples(finite, finite, finite)
sides = st.sampled_from(list(Side))


def ids(kind: str) -> st.SearchStrategy[str]:
    return st.integers(1, 3).map(lambda number: f"{kind}-{number}")


names = st.text(max_size=4)
targets = st.builds(Target, st.sampled_from(["wbl", "hka", "mpta", "angle"]), finite | st.integers(0, 100))
steps = st.one_of(
    st.builds(OsteotomyStep, ids("mowhto"), sides, targets, post_jlca_deg=st.none() | finite, hinge_tibia=st.none() | vectors),
    st.builds(ImplantStep, ids("plate"), sides, names, names, offset_mm=vectors),
    st.builds(GuideStep, ids("guide"), sides, st.just("mowhto-1"), revision=st.integers(1, 9)),
)
intakes = st.builds(Intake, st.none() | sides, st.none() | names, st.none(), st.none() | finite, st.none() | finite)
placed = st.dictionaries(st.tuples(sides, st.sampled_from(sorted(LANDMARKS))), st.builds(Landmark, vectors), max_size=4)
cases = st.builds(
    Case,
    code=st.text(max_size=6),
    intake=intakes,
    landmarks=placed.map(MappingProxyType),
    steps=st.lists(steps, max_size=4).map(tuple),
    notes=st.text(max_size=20),
)
