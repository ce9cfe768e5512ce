"""The truth against brute force on the mesh: fits, hulls, extreme points and sections that know nothing of the construction."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial import ConvexHull

from surgiplan_desktop.base.arrays import FloatArray
from surgiplan_desktop.model.anatomy import LANDMARKS, BoneId, BoneName
from surgiplan_desktop.model.mesh import Mesh
from surgiplan_desktop.phantom.limb import Leg

MM, DEG = 0.05, 0.05


def _unit(vector: FloatArray) -> FloatArray:
    return vector / np.linalg.norm(vector)


def _mesh(leg: Leg, bone: BoneName) -> Mesh:
    return leg.meshes[BoneId(leg.side, bone)]


def _axes(leg: Leg, up: FloatArray, across: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Lateral, anterior, up of a planning frame (clinical.md 0.2)."""
    up = _unit(up)
    lateral = _unit(across - (across @ up) * up)
    return lateral, leg.side.sign * np.cross(up, lateral), up


def _femur_axes(leg: Leg) -> tuple[FloatArray, FloatArray, FloatArray]:
    t = leg.truth_landmarks
    return _axes(leg, t["hip_centre"] - t["femoral_knee_centre"], t["lateral_posterior_condyle"] - t["medial_posterior_condyle"])


def _tibia_axes(leg: Leg) -> tuple[FloatArray, FloatArray, FloatArray]:
    t = leg.truth_landmarks
    return _axes(leg, t["tibial_knee_centre"] - t["ankle_centre"], t["lateral_posterior_plateau"] - t["medial_posterior_plateau"])


def _patella_axes(leg: Leg) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Up is the patella's own long axis."""
    solid = next(solid for solid in leg.solids if solid.bone.bone is BoneName.PATELLA)
    return _axes(leg, solid.proximal - solid.distal, np.array([-leg.side.sign * 1.0, 0.0, 0.0]))


def _limb_axes(leg: Leg) -> tuple[FloatArray, FloatArray, FloatArray]:
    t = leg.truth_landmarks
    return _axes(leg, t["hip_centre"] - t["ankle_centre"], t["lateral_posterior_condyle"] - t["medial_posterior_condyle"])


def _hull_bridge(points: FloatArray, across: FloatArray, outward: FloatArray, middle: float) -> FloatArray:
    """The hull edge that bridges the middle on the outer side: medial and lateral end, in (across, outward)."""
    flat = np.column_stack([points @ across, points @ outward])
    for a, b in ConvexHull(flat).simplices:
        ends = flat[[a, b]]
        if (ends[:, 0].min() < middle < ends[:, 0].max()) and ends[:, 1].min() > np.median(flat[:, 1]):
            return ends[np.argsort(ends[:, 0])]
    raise AssertionError("no edge bridges the middle")


def _section_centroid(mesh: Mesh, point: FloatArray, normal: FloatArray) -> FloatArray:
    """Centroid of the area inside the cut of a plane with a bone that has one loop there."""
    height = (mesh.vertices - point) @ normal
    faces = mesh.faces[(height[mesh.faces].min(axis=1) < 0.0) & (height[mesh.faces].max(axis=1) >= 0.0)]
    ends = []
    for i, j in ((0, 1), (1, 2), (2, 0)):
        a, b = faces[:, i], faces[:, j]
        crosses = (height[a] < 0.0) != (height[b] < 0.0)
        share = np.where(crosses, height[a] / np.where(crosses, height[a] - height[b], 1.0), np.nan)
        ends.append(mesh.vertices[a] + share[:, None] * (mesh.vertices[b] - mesh.vertices[a]))
    stacked = np.stack(ends, axis=1)
    segments = stacked[~np.isnan(stacked[..., 0])].reshape(-1, 2, 3)
    u = _unit(np.cross(normal, [0.3, 1.0, 0.2]))
    v = np.cross(normal, u)
    flat = np.stack([(segments - point) @ u, (segments - point) @ v], axis=-1)
    middle = flat.reshape(-1, 2).mean(axis=0)
    flat = flat - middle
    area = np.abs(flat[:, 0, 0] * flat[:, 1, 1] - flat[:, 0, 1] * flat[:, 1, 0])
    centre = middle + ((flat[:, 0] + flat[:, 1]) / 3.0 * area[:, None]).sum(axis=0) / area.sum()
    return point + centre[0] * u + centre[1] * v


def _angle(line: FloatArray) -> float:
    return float(np.degrees(np.arctan2(line[1], line[0])))


def test_every_landmark_and_measure_of_the_contract_has_a_truth(leg: Leg) -> None:
    assert set(leg.truth_landmarks) == set(LANDMARKS)
    assert all(np.isfinite(point).all() for point in leg.truth_landmarks.values())
    assert all(isinstance(value, str) or np.isfinite(value) for value in leg.truth_measures.values())


def test_the_wanted_angles_are_met(leg: Leg) -> None:
    p, m, limb = leg.parameters, leg.truth_measures, leg.truth_limb_plane
    assert limb["mldfa"] == pytest.approx(p.mldfa_deg, abs=0.001)
    assert limb["mpta"] == pytest.approx(p.mpta_deg, abs=0.001)
    assert m["jlca"] == pytest.approx(p.jlca_deg, abs=0.001)
    assert m["hka_deviation"] == pytest.approx(p.hka_deviation_deg, abs=0.001)
    assert m["femoral_torsion"] == pytest.approx(p.femoral_torsion_deg, abs=0.01)
    assert m["tibial_torsion"] == pytest.approx(p.tibial_torsion_deg, abs=0.01)
    assert m["slope_medial"] == pytest.approx(p.slope_medial_deg, abs=0.01)
    assert m["slope_lateral"] == pytest.approx(p.slope_lateral_deg, abs=0.01)
    assert m["neck_shaft_angle"] == pytest.approx(p.neck_shaft_deg, abs=0.3)
    assert m["femur_length"] == pytest.approx(p.femur_length_mm, abs=0.02)
    assert m["tibia_length"] == pytest.approx(p.tibia_length_mm, abs=0.02)


def test_the_frontal_sum_holds_exactly_in_the_limb_plane(leg: Leg) -> None:
    """clinical.md A.2: deviation = MPTA - mLDFA - JLCA."""
    limb = leg.truth_limb_plane
    assert leg.truth_measures["hka_deviation"] == pytest.approx(
        limb["mpta"] - limb["mldfa"] - float(leg.truth_measures["jlca"]), abs=1e-9
    )


def test_the_head_is_the_sphere_that_fits_it(leg: Leg) -> None:
    vertices, centre = _mesh(leg, BoneName.FEMUR).vertices, leg.truth_landmarks["hip_centre"]
    near = np.linalg.norm(vertices - centre, axis=1) < leg.parameters.head_radius_mm + 3.0
    points = vertices[near & (vertices[:, 2] > centre[2])]
    for _ in range(5):
        design = np.column_stack([2.0 * points, np.ones(len(points))])
        x = np.linalg.lstsq(design, (points**2).sum(axis=1), rcond=None)[0]
        radius = np.sqrt(x[3] + x[:3] @ x[:3])
        points = points[np.abs(np.linalg.norm(points - x[:3], axis=1) - radius) < 0.05]
    assert np.linalg.norm(x[:3] - centre) < MM
    assert radius == pytest.approx(leg.truth_measures["femoral_head_radius"], abs=MM)


@pytest.mark.parametrize(("plane", "names"), [("distal", "distal_condyle"), ("posterior", "posterior_condyle")])
def test_condylar_lines_are_edges_of_the_hull(leg: Leg, plane: str, names: str) -> None:
    lateral, anterior, up = _femur_axes(leg)
    outward = -up if plane == "distal" else -anterior
    vertices, knee = _mesh(leg, BoneName.FEMUR).vertices, leg.truth_landmarks["femoral_knee_centre"]
    end = vertices[(vertices - knee) @ up < 70.0]
    bridge = _hull_bridge(end, lateral, outward, float(knee @ lateral))
    points = [leg.truth_landmarks[f"{side}_{names}"] for side in ("medial", "lateral")]
    truth = np.array([[point @ lateral, point @ outward] for point in points])
    assert _angle(bridge[1] - bridge[0]) == pytest.approx(_angle(truth[1] - truth[0]), abs=DEG)
    normal = _unit(np.array([-(bridge[1] - bridge[0])[1], (bridge[1] - bridge[0])[0]]))
    assert np.abs((truth - bridge[0]) @ normal).max() < MM


def test_the_posterior_plateau_points_are_an_edge_of_the_hull(leg: Leg) -> None:
    lateral, anterior, up = _tibia_axes(leg)
    vertices, knee = _mesh(leg, BoneName.TIBIA).vertices, leg.truth_landmarks["tibial_knee_centre"]
    end = vertices[(vertices - knee) @ up > -25.0]
    bridge = _hull_bridge(end, lateral, -anterior, float(knee @ lateral))
    assert _angle(bridge[1] - bridge[0]) == pytest.approx(0.0, abs=DEG)


def test_the_knee_centre_is_the_highest_of_the_lowest_points_between_the_condyles(leg: Leg) -> None:
    lateral, _, up = _femur_axes(leg)
    offset = _mesh(leg, BoneName.FEMUR).vertices - leg.truth_landmarks["femoral_knee_centre"]
    offset = offset[(np.abs(offset @ lateral) < 6.0) & (offset @ up < 12.0)]
    column = np.round(offset @ lateral / 1.5).astype(int)
    lowest = [(offset[column == number] @ up).min() for number in np.unique(column)]
    assert max(lowest) == pytest.approx(0.0, abs=MM)


@pytest.mark.parametrize(
    ("landmark", "bone", "axes", "sign"),
    [
        ("greater_trochanter_tip", BoneName.FEMUR, _femur_axes, 1.0),
        ("medial_malleolus", BoneName.TIBIA, _tibia_axes, -1.0),
        ("lateral_malleolus", BoneName.FIBULA, _tibia_axes, -1.0),
        ("fibular_head_tip", BoneName.FIBULA, _tibia_axes, 1.0),
        ("patella_superior_pole", BoneName.PATELLA, _patella_axes, 1.0),
        ("patella_inferior_pole", BoneName.PATELLA, _patella_axes, -1.0),
    ],
)
def test_tips_are_the_furthest_points(leg: Leg, landmark: str, bone: BoneName, axes: object, sign: float) -> None:
    up = sign * axes(leg)[2]  # type: ignore[operator]
    offset = _mesh(leg, bone).vertices - leg.truth_landmarks[landmark]
    near = offset[np.linalg.norm(offset, axis=1) < 9.0]
    assert (near @ up).max() == pytest.approx(0.0, abs=MM)
    assert np.linalg.norm(near[np.argmax(near @ up)]) < 1.0


@pytest.mark.parametrize("side", ["medial", "lateral"])
def test_spines_are_the_highest_points_over_the_plateau(leg: Leg, side: str) -> None:
    t = leg.truth_landmarks
    tip = t[f"{side}_spine"]
    normal = _unit(np.cross(t["lateral_plateau_centre"] - t["medial_plateau_centre"], t["tibial_knee_centre"] - tip))
    normal = _unit(np.cross(normal, t["lateral_plateau_centre"] - t["medial_plateau_centre"]))
    up = normal if normal @ _tibia_axes(leg)[2] > 0 else -normal
    offset = _mesh(leg, BoneName.TIBIA).vertices - tip
    near = offset[np.linalg.norm(offset, axis=1) < 3.0]
    assert (near @ up).max() < 0.15


def test_shaft_points_are_centroids_of_sections(leg: Leg) -> None:
    for bone, prefix, axes in ((BoneName.FEMUR, "femoral", _femur_axes), (BoneName.TIBIA, "tibial", _tibia_axes)):
        for end in ("proximal", "distal"):
            point = leg.truth_landmarks[f"{prefix}_shaft_{end}"]
            assert np.linalg.norm(_section_centroid(_mesh(leg, bone), point, axes(leg)[2]) - point) < MM


def test_the_ankle_centre_is_the_centroid_5_mm_above_the_plafond(leg: Leg) -> None:
    """The section is laid along the tibial axis here; the plafond's plane leans by some degrees at most."""
    up = _tibia_axes(leg)[2]
    centre = leg.truth_landmarks["ankle_centre"]
    found = _section_centroid(_mesh(leg, BoneName.TIBIA), centre + 5.0 * up, up)
    assert np.linalg.norm(found - (centre + 5.0 * up)) < 1.0


def test_landmarks_of_a_surface_lie_on_it(leg: Leg) -> None:
    inside = {
        "hip_centre", "femoral_neck_base", "femoral_shaft_proximal", "femoral_shaft_distal", "tibial_shaft_proximal",
        "tibial_shaft_distal", "tibial_knee_centre", "medial_plateau_centre", "lateral_plateau_centre",
        "medial_plateau_edge", "lateral_plateau_edge", "ankle_centre", "medial_plafond", "lateral_plafond",
    }  # fmt: skip
    fields = {solid.bone.bone: solid.field for solid in leg.solids}
    for name, point in leg.truth_landmarks.items():
        if name not in inside:
            assert abs(float(fields[LANDMARKS[name].bone](point[None])[0])) < 0.1, name


def test_plateau_centres_are_the_middle_of_the_flat_regions(leg: Leg) -> None:
    """The patches that a finder would grow by the direction of the normals agree with the construction's."""
    t, mesh = leg.truth_landmarks, _mesh(leg, BoneName.TIBIA)
    lateral, _, up = _tibia_axes(leg)
    corners = mesh.vertices[mesh.faces]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    areas = np.linalg.norm(normals, axis=1)
    normals, centres = normals / np.maximum(areas, 1e-12)[:, None], corners.mean(axis=1)
    found = []
    for side, sign in (("medial", -1.0), ("lateral", 1.0)):
        centre = t[f"{side}_plateau_centre"]
        seed = np.argmin(np.linalg.norm(centres - centre, axis=1))
        flat = (normals @ normals[seed] > np.cos(np.radians(14.0))) & (sign * ((centres - t["tibial_knee_centre"]) @ lateral) > 8)
        flat &= np.abs((centres - centre) @ normals[seed]) < 3.0
        found.append((centres[flat] * areas[flat, None]).sum(axis=0) / areas[flat].sum())
        assert np.linalg.norm(found[-1] - centre) < 1.2
    line = t["lateral_plateau_centre"] - t["medial_plateau_centre"]
    difference = _angle(np.array([line @ lateral, line @ up]))
    difference -= _angle(np.array([(found[1] - found[0]) @ lateral, (found[1] - found[0]) @ up]))
    assert abs(difference) < 0.35


def test_anatomy_has_its_order(leg: Leg) -> None:
    lateral, anterior, up = _limb_axes(leg)
    t = leg.truth_landmarks

    def along(name: str, axis: FloatArray) -> float:
        return float((t[name] - t["tibial_knee_centre"]) @ axis)

    heights = [
        "hip_centre", "lesser_trochanter_tip", "femoral_shaft_proximal", "femoral_shaft_distal", "adductor_tubercle",
        "medial_epicondyle", "femoral_knee_centre", "medial_spine", "tibial_tuberosity", "tibial_shaft_proximal",
        "tibial_shaft_distal", "ankle_centre", "medial_malleolus", "lateral_malleolus",
    ]  # fmt: skip
    values = [along(name, up) for name in heights]
    assert values == sorted(values, reverse=True)
    for name in ("epicondyle", "distal_condyle", "plateau_edge", "plateau_centre", "spine", "plafond"):
        assert along(f"medial_{name}", lateral) < along(f"lateral_{name}", lateral)
    assert along("greater_trochanter_tip", lateral) > along("hip_centre", lateral)
    assert along("fibular_head_tip", lateral) > along("tibial_knee_centre", lateral)
    assert along("fibular_head_tip", anterior) < along("tibial_tuberosity", anterior)
    assert along("ptfj_proximal", up) > along("ptfj_distal", up)
    assert along("trochlear_groove", anterior) > along("femoral_knee_centre", anterior)
