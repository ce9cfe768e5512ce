"""Accuracy of the final surfaces, from labels that are wrong by a voxel or two, or from a model pack.

    python benchmarks/accuracy_surface.py legs|knees|visible-human [--data FOLDER] [--labels shaken|PACK_FOLDER]
        [--count 8] [--first 700] [--spacing 1.0] [--noise 60] [--results FILE.jsonl]

legs: procedural knees and ankles (seed by seed, joints narrowed to 1 mm). knees: the stored statistical knees of DATA,
joints at 1 mm. visible-human: the real legs of DATA against the labelled surfaces, placed by the stored transforms (nothing
was ever chosen on them). ``shaken``: the true labels (Visible Human: those of the path without AI) moved by 1.8 mm RMS and
drawn at 1.5 mm. Each line of the results is one scan; scans that stand there are not computed again. Prints, for each bone,
n, mean and worst of Dice, ASSD and HD95 of the surface, and the stated standard deviation against what is found.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from knee_scans import FILE, knee_scan

from surgiplan_desktop.base.arrays import FloatArray
from surgiplan_desktop.base.spaces import Affine
from surgiplan_desktop.files.mesh_files import read_mesh
from surgiplan_desktop.geometry import solid
from surgiplan_desktop.geometry.distance import closest_points
from surgiplan_desktop.geometry.spread import surface_spread
from surgiplan_desktop.geometry.surface import bone_from_blocks
from surgiplan_desktop.imaging.best_series import best_series
from surgiplan_desktop.imaging.dicom_blocks import plan_blocks
from surgiplan_desktop.imaging.dicom_read import read_block
from surgiplan_desktop.imaging.dicom_scan import scan_folder
from surgiplan_desktop.imaging.sources import Sources
from surgiplan_desktop.model.anatomy import BoneName, Side, bone_of_label, label_code
from surgiplan_desktop.model.images import LabelMap, UncertaintyMap, Volume
from surgiplan_desktop.model.mesh import Mesh
from surgiplan_desktop.phantom.ct.scene import CtScene
from surgiplan_desktop.phantom.ct.simulate import simulate
from surgiplan_desktop.phantom.draws import draw_leg
from surgiplan_desktop.phantom.limb import build_leg
from surgiplan_desktop.phantom.shaken import shaken
from surgiplan_desktop.planning.limits import default_limits
from surgiplan_desktop.segmentation.bones import find_bones
from surgiplan_desktop.segmentation.leg_model import find_bones_with_model
from surgiplan_desktop.segmentation.packs import read_pack
from surgiplan_desktop.validation.surface_distance import bone_distance

SHAKEN_MM = 1.8


def leg_scene(seed: int, spacing: float, noise: float) -> tuple[Volume, LabelMap, dict[int, Mesh]]:
    """A part of a procedural leg with its true labels and surfaces."""
    leg = build_leg(replace(draw_leg(seed), joint_gap_mm=3.0, joint_narrowing_mm=2.0))
    region = "ankle" if seed % 4 == 3 else "knee"
    scan = simulate(leg, spacing, seed=seed, scene=CtScene(noise_hu=noise, region=region, region_mm=150.0))
    return scan.volumes[0], scan.labels[0], {label_code(bone): mesh for bone, mesh in leg.meshes.items()}


def visible_human(data: Path) -> tuple[Volume, dict[int, Mesh]]:
    """The real scan and the surfaces labelled in the cryosections."""
    scan = scan_folder(data / "visible-human-legs")
    plans = plan_blocks(best_series([series for series in scan.series if series.verdict == "ok"]))
    with Sources(scan.path) as sources:
        volume = read_block(sources, plans[0])
    placement = json.loads((data / "visible-human-placement.json").read_text())["placement"]
    meshes = {}
    for code, name in ((2, "Right_Bone_Tibia"), (102, "Left_Bone_Tibia"), (4, "Right_Bone_Fibula"), (104, "Left_Bone_Fibula")):
        file = f"VHF_{name}_smooth.stl"
        matrix = Affine(np.array(placement[file]["matrix"]))
        meshes[code] = read_mesh(next((data / "visible-human-bones").rglob(file))).moved(matrix)
    return volume, meshes


def dice(part: Mesh, reference: Mesh) -> float:
    """Dice of two bodies."""
    return 2.0 * solid.intersection_volume(part, reference) / (solid.volume(part) + solid.volume(reference))


def inside_of(volume: Volume) -> dict[str, FloatArray]:
    """Box of a scan less half a millimetre all round, LPS mm: what its edge cuts off counts for nobody."""
    ends = volume.affine(np.array([np.zeros(3), np.array(volume.shape) - 1.0]))
    return {"low_lps": ends.min(axis=0) + 0.5, "high_lps": ends.max(axis=0) - 0.5}


def judged(
    volume: Volume, labels: LabelMap, truth: dict[int, Mesh], doubt_mm: float, uncertainty: UncertaintyMap | None
) -> dict[str, Any]:
    """Figures by bone."""
    box = inside_of(volume)
    result: dict[str, Any] = {}
    for code, reference in truth.items():
        name = bone_of_label(code)
        if name is None or np.count_nonzero(labels.array == code) * float(np.prod(volume.affine.spacing)) < 2000.0:
            continue
        bone = bone_from_blocks(name, labels, volume, doubt_mm=doubt_mm)
        distance = bone_distance(bone, reference, **box)
        part = bone.parts[0]
        spread = surface_spread(part, labels, volume, code, uncertainty)
        rows = np.flatnonzero(~part.cap_vertices)[::7]
        error = closest_points(reference, part.mesh.vertices[rows])[1]
        said = spread[rows]
        result[str(name)] = {
            "assd": distance.assd_mm,
            "hd95": distance.hd95_mm,
            "within_2sd": float(np.mean(error < 2.0 * said)),
            "said_rms": float(np.sqrt(np.mean(said**2))),
            "found_rms": float(np.sqrt(np.mean(np.minimum(error, 4.0) ** 2))),
        }
        if bone.cut_ends == 0:
            result[str(name)]["dice"] = dice(part.mesh, reference)
    return result


def main() -> None:
    """Compute what is missing and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("legs", "knees", "visible-human"))
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--labels", default="shaken")
    parser.add_argument("--count", type=int, default=8)
    parser.add_argument("--first", type=int, default=700)
    parser.add_argument("--spacing", type=float, default=1.0)
    parser.add_argument("--noise", type=float, default=60.0)
    parser.add_argument("--results", type=Path, default=Path("accuracy_surface.jsonl"))
    options = parser.parse_args()
    lines = options.results.read_text().splitlines() if options.results.exists() else []
    done = {item["scan"]: item for item in map(json.loads, lines)}
    first, count = (options.first if options.what == "legs" else 0), (1 if options.what == "visible-human" else options.count)
    names = []
    for number in range(first, first + count):
        scan = f"{options.what} {number} {options.spacing} {options.noise} {options.labels}"
        names.append(scan)
        if scan in done:
            continue
        truth: LabelMap | None
        if options.what == "legs":
            volume, truth, meshes = leg_scene(number, options.spacing, options.noise)
        elif options.what == "knees":
            knee = knee_scan(next(options.data.rglob(FILE)), number, options.spacing, options.noise, gap_mm=1.0)
            volume, truth, meshes = knee.volume, knee.labels, knee.meshes
        else:
            volume, meshes = visible_human(options.data)
            truth = find_bones([volume]).labels[0] if options.labels == "shaken" else None
        doubts: UncertaintyMap | None = None
        if options.labels == "shaken" and truth is not None:
            labels = shaken(truth, SHAKEN_MM, seed=number)
        else:
            expected = Side.RIGHT if options.what == "knees" else None
            found = find_bones_with_model([volume], read_pack(Path(options.labels)), expected=expected)
            labels, doubts = found.labels[0], next(iter(found.uncertainty), None)
        item = {"scan": scan, **judged(volume, labels, meshes, default_limits()["surface.label_doubt_mm"], doubts)}
        done[scan] = item
        with options.results.open("a") as stream:
            stream.write(json.dumps(item) + "\n")
        print(item, flush=True)
    print("| bone | n | Dice mean, worst | ASSD mm mean, worst | HD95 mm mean, worst | said, found RMS mm | within 2 sd |")
    print("|---|---|---|---|---|---|---|")
    for bone in (f"{side} {name}" for name in BoneName for side in Side):
        rows = [done[name][key] for name in names for key in done[name] if key.replace("_", " ") == bone]
        if not rows:
            continue
        cells = []
        for figure, worst in (("dice", np.min), ("assd", np.max), ("hd95", np.max)):
            values = [row[figure] for row in rows if figure in row]
            cells.append(f"{np.mean(values):.3f}, {worst(values):.3f}" if values else "cut")
        said, found_rms, within = (float(np.mean([row[n] for row in rows])) for n in ("said_rms", "found_rms", "within_2sd"))
        print(f"| {bone} | {len(rows)} | {' | '.join(cells)} | {said:.2f}, {found_rms:.2f} | {within:.1%} |")


if __name__ == "__main__":
    main()
