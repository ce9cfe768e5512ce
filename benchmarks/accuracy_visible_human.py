"""Accuracy on real CT: the Visible Human legs against the labelled surfaces of the same woman, placed by the stored transforms.

    python benchmarks/accuracy_visible_human.py DATA_FOLDER

DATA_FOLDER holds visible-human-legs/, visible-human-bones/ (unpacked) and visible-human-placement.json. Prints for each bone the
distance of the exported surface to the labelled one and back (mean, median, 95 %; both where the other surface is in the scan).
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

import numpy as np
from command import surgiplan

from surgiplan_desktop.base.spaces import Affine
from surgiplan_desktop.files.mesh_files import read_mesh
from surgiplan_desktop.geometry.distance import closest_points
from surgiplan_desktop.model.mesh import Mesh

BONES = ("right_tibia", "left_tibia", "right_fibula", "left_fibula")


def centroids(mesh: Mesh) -> tuple[np.ndarray, np.ndarray]:
    """Return centroids (m, 3) and areas (m,) of the triangles: samples of the surface with their weights."""
    corners = mesh.vertices[mesh.faces]
    areas = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1) / 2.0
    return corners.mean(axis=1), areas


def weighted(values: np.ndarray, weights: np.ndarray, share: float) -> float:
    """Return the area-weighted quantile."""
    order = np.argsort(values)
    cumulated = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(cumulated, share * cumulated[-1])])


def distances(of: Mesh, to: Mesh) -> str:
    """Describe the distances from one surface to the other; samples beyond the other's extent along z do not count."""
    points, areas = centroids(of)
    low, high = to.vertices[:, 2].min(), to.vertices[:, 2].max()
    inside = (points[:, 2] >= low) & (points[:, 2] <= high)
    found = closest_points(to, points[inside])[1]
    weights = areas[inside]
    mean = float(np.average(found, weights=weights))
    return f"{mean:8.2f}{weighted(found, weights, 0.5):8.2f}{weighted(found, weights, 0.95):8.2f}"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    options = parser.parse_args()
    placement = json.loads((options.data / "visible-human-placement.json").read_text())["placement"]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        case = folder / "legs.surgiplan"
        surgiplan(["import", options.data / "visible-human-legs", "-o", case], folder / "user")
        surgiplan(["segment", case, "--no-ai"], folder / "user")
        files = surgiplan(["export", case, "bones", "-f", "stl", "-o", folder / "stl"], folder / "user").data["files"]
        exported = {
            bone: read_mesh(Path(file)) for bone in BONES for file in files if f"_{bone}_" in file and file.endswith("stl")
        }
    print(f"{'bone':<14}{'ours to labelled: mean, median, 95 %':>40}{'labelled to ours':>28}")
    for bone, ours in exported.items():
        side, kind = bone.split("_")
        stl = f"VHF_{side.capitalize()}_Bone_{kind.capitalize()}_smooth.stl"
        path = next((options.data / "visible-human-bones").rglob(stl))
        labelled = read_mesh(path).moved(Affine(np.array(placement[stl]["matrix"])))
        print(f"{bone:<14}{'':>16}{distances(ours, labelled)}{'':>4}{distances(labelled, ours)}")


if __name__ == "__main__":
    main()
