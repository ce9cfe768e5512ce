"""Make the template bones of the program: coarse meshes of the mean phantom with its landmarks.

    python training/make_templates.py [-o resources/templates]

Writes ``right_leg.npz``: for each bone ``<bone>_vertices`` (n, 3) float32 and ``<bone>_faces`` (m, 3) int32, about 5,000
triangles each, LPS mm of a right leg; and for each landmark ``landmark_<id>`` (3,) float32. A left leg is its mirror image in x.
The same command gives the same bytes.
"""

from __future__ import annotations

import argparse
import io
import zipfile
from pathlib import Path

import fast_simplification
import numpy as np

from surgiplan_desktop.phantom.limb import build_leg
from surgiplan_desktop.phantom.parameters import LegParameters

FACES = 5000
STEP_MM = 1.5


def templates() -> dict[str, np.ndarray]:
    """Arrays by name, as the module says."""
    leg = build_leg(LegParameters(variation=0.0), step_mm=STEP_MM)
    arrays: dict[str, np.ndarray] = {}
    for bone, mesh in leg.meshes.items():
        near = np.ascontiguousarray(mesh.vertices, dtype=np.float32)
        vertices, faces = near, mesh.faces.copy()
        while len(faces) > FACES:
            # a pass ends early where it would cost too much; the next one has a coarser mesh to start from
            vertices, faces = fast_simplification.simplify(vertices, faces, target_reduction=1.0 - FACES / len(faces), agg=7.0)
        arrays[f"{bone.bone}_vertices"] = np.round(vertices, 2).astype(np.float32)
        arrays[f"{bone.bone}_faces"] = faces.astype(np.int32)
    for name, point in leg.truth_landmarks.items():
        arrays[f"landmark_{name}"] = np.round(point, 2).astype(np.float32)
    return arrays


def main() -> None:
    """Write the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", type=Path, default=Path("resources/templates"))
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    target = options.output / "right_leg.npz"
    # numpy's own writer stamps the time of day into the archive
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, array in sorted(templates().items()):
            buffer = io.BytesIO()
            np.save(buffer, array)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy", (1980, 1, 1, 0, 0, 0)), buffer.getvalue(), zipfile.ZIP_DEFLATED, 9)
    print(f"{target}: {target.stat().st_size / 1024:.0f} KiB")


if __name__ == "__main__":
    main()
