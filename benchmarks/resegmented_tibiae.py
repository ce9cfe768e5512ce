"""Both tibiae of the Visible Human, their bones found in several ways: measures, how sure they are, and how much they change.

    python benchmarks/resegmented_tibiae.py DATA KEEP [--ways plain,again,edge-lower,...] [--model PACK]

DATA as for accuracy_surface.py; KEEP holds the bones of each way, so that a way is not done again. Ways: ``plain`` the path
without AI; ``again`` the same once more; ``lower`` and ``higher`` the same on Hounsfield values 50 more or less, as thresholds 50
lower or higher would do; ``edge-lower`` and ``edge-higher`` with the labels of ``plain`` and only the surface's edge found so;
``model`` labels of the pack, moved to the edge; ``placed`` the surfaces labelled in the cryosections.
Prints every measure that a tibia has, its printed standard deviation, and the difference of each way from ``plain``.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import numpy as np
from accuracy_surface import visible_human

from surgiplan_desktop.geometry.surface import bone_from_blocks
from surgiplan_desktop.model.anatomy import BoneId, BoneName, Side
from surgiplan_desktop.model.images import Volume
from surgiplan_desktop.model.mesh import Bone
from surgiplan_desktop.planning.axes import leg_frames
from surgiplan_desktop.planning.constructions import find_constructions
from surgiplan_desktop.planning.imported_bone import bone_from_mesh
from surgiplan_desktop.planning.landmarks.merge import merge_landmarks
from surgiplan_desktop.planning.landmarks.tibia import find_tibia
from surgiplan_desktop.planning.limits import default_limits
from surgiplan_desktop.planning.measure_spread import spread_of
from surgiplan_desktop.planning.measures import measure_leg
from surgiplan_desktop.planning.records import Landmarks
from surgiplan_desktop.segmentation.bones import find_bones
from surgiplan_desktop.segmentation.leg_model import find_bones_with_model
from surgiplan_desktop.segmentation.packs import read_pack

WAYS = "plain,again,edge-lower,edge-higher,lower,higher,model,placed"
SHIFTS = {"plain": 0, "again": 0, "lower": 50, "higher": -50}
CODES = {2: (Side.RIGHT, BoneName.TIBIA), 102: (Side.LEFT, BoneName.TIBIA),
         4: (Side.RIGHT, BoneName.FIBULA), 104: (Side.LEFT, BoneName.FIBULA)}  # fmt: skip
SHOWN = ("mpta", "tibial_torsion", "tibial_torsion_jend", "tibial_torsion_waidelich", "tibial_torsion_transcondylar",
         "slope_medial", "slope_lateral", "ldta", "tibia_length", "tibia_ml_width")  # fmt: skip


def bones_by(way: str, data: Path, model: Path) -> dict[BoneId, Bone]:
    """Tibiae and fibulae found in one way."""
    volume, placed = visible_human(data)
    names = {code: BoneId(*name) for code, name in CODES.items()}
    if way == "placed":
        return {bone: bone_from_mesh(bone, placed[code].vertices, placed[code].faces) for code, bone in names.items()}
    doubt = 0.0
    if way == "model":
        labels = find_bones_with_model([volume], read_pack(model), device="cpu", uncertainty=False).labels[0]
        doubt = default_limits()["surface.label_doubt_mm"]
    else:
        shift = np.int16(SHIFTS[way.removeprefix("edge-")])
        shifted = Volume(np.clip(volume.array + shift, -1024, 3071).astype(np.int16), volume.affine)
        labels = find_bones([volume if way.startswith("edge-") else shifted]).labels[0]
        volume = shifted
    return {bone: bone_from_blocks(bone, labels, volume, doubt_mm=doubt) for bone in names.values()}


def kept_bones(way: str, keep: Path, data: Path, model: Path) -> dict[BoneId, Bone]:
    """Bones of a way, from the folder where they stand there."""
    path = keep / f"{way}.npz"
    names = [BoneId(*name) for name in CODES.values()]
    if not path.exists():
        bones = bones_by(way, data, model)
        meshes = {bone: bones[bone].parts[0].mesh for bone in names}
        np.savez(
            path, **{f"{bone} {what}": getattr(mesh, what) for bone, mesh in meshes.items() for what in ("vertices", "faces")}
        )
    with np.load(path) as kept:
        return {bone: bone_from_mesh(bone, kept[f"{bone} vertices"], kept[f"{bone} faces"]) for bone in names}


def measured(side: Side, bones: Mapping[BoneId, Bone]) -> tuple[Landmarks, dict[str, tuple[float, float | None]]]:
    """Landmarks of a tibia, and value and printed standard deviation by measure."""
    tibia, fibula = (bones[BoneId(side, name)] for name in (BoneName.TIBIA, BoneName.FIBULA))
    found = find_tibia(side, tibia, fibula)
    made = find_constructions(side, (BoneName.TIBIA, BoneName.FIBULA), tibia, fibula, found)
    landmarks = merge_landmarks(side, (), found, made)
    frames = leg_frames(landmarks)
    measures, spreads = measure_leg(landmarks, frames), spread_of(landmarks, frames, MappingProxyType({}))
    rows = {}
    for name in SHOWN:
        value = measures.number(name)
        if value is not None:
            rows[name] = (value, spreads[name].sd if name in spreads else None)
    return landmarks, rows


def main() -> None:
    """Print a table a side, and the landmarks that moved most."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("keep", type=Path)
    parser.add_argument("--ways", default=WAYS)
    parser.add_argument("--model", type=Path, default=Path("resources/models/leg-ct"))
    options = parser.parse_args()
    options.keep.mkdir(parents=True, exist_ok=True)
    ways = options.ways.split(",")
    bones = {way: kept_bones(way, options.keep, options.data, options.model) for way in ways}
    for side in Side:
        found = {way: measured(side, bones[way]) for way in ways}
        print(f"| {side} | " + " | ".join([ways[0], *(f"{way} - {ways[0]}" for way in ways[1:])]) + " |")
        print("|---|" + "---|" * len(ways))
        first = found[ways[0]]
        for name, (value, sd) in first[1].items():
            changes = [found[way][1].get(name) for way in ways[1:]]
            cells = [f"{value:.2f}" + ("" if sd is None else f" +- {sd:.2f}")]
            cells += ["none" if change is None else f"{change[0] - value:+.2f}" for change in changes]
            print(f"| {name} | " + " | ".join(cells) + " |")
        for way in ways[1:]:
            moved = {
                name: float(np.linalg.norm(item.point_lps - point))
                for name, item in found[way][0].items.items()
                if item.point_lps is not None and (point := first[0].point(name)) is not None
            }
            worst = sorted(moved, key=lambda name: -moved[name])[:5]
            print(f"{way}: farthest moved, mm: " + ", ".join(f"{name} {moved[name]:.1f}" for name in worst))


if __name__ == "__main__":
    main()
