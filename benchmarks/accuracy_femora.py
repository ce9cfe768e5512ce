"""Femora that are no phantoms: hip centre, notch and mLDFA beside five readers who pick points on the bare mesh, by definition.

    python benchmarks/accuracy_femora.py DATA [--first 0] [--knees 100] [--results FILE.jsonl]

DATA is the unpacked bones archive. Measured are its whole femora, its proximal femur (hip centre alone), and its knees of a
statistical shape model: each gets the upper part of a whole femur, scaled and laid on by the condyles, as a second block. A
reader is no person: a sphere through twenty points picked on the head with 0.5 mm error, the highest most distal point of
sections 2 mm apart, and vertices within 0.3 mm of the farthest of each condyle, seen along the reader's own axis. Compared is
with the mean of the five. Also printed: how far finder and stored points of somebody else's lie apart, and what was found amiss.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from surgiplan_desktop.base.arrays import FloatArray
from surgiplan_desktop.base.spaces import Plane
from surgiplan_desktop.files.mesh_files import read_mesh
from surgiplan_desktop.geometry.fit import fit_sphere
from surgiplan_desktop.geometry.solid import split
from surgiplan_desktop.model.anatomy import BoneId, BoneName, Side
from surgiplan_desktop.model.mesh import Bone, Mesh
from surgiplan_desktop.planning.imported_bone import bone_from_mesh
from surgiplan_desktop.planning.landmarks.femur import find_femur
from surgiplan_desktop.planning.landmarks.merge import merge_landmarks
from surgiplan_desktop.planning.measures import measure_points
from surgiplan_desktop.planning.records import Landmarks

READERS = 5
#: Somebody else's points that mean the same as ours, by their number in the landmark files.
STORED = {"lesser_trochanter_tip": 1, "greater_trochanter_tip": 2, "femoral_knee_centre": 5}
#: Where the whole femora stand on their heads: half a turn about the first axis puts them up.
OVER = np.diag([1.0, -1.0, -1.0])


def unit(vector: FloatArray) -> FloatArray:
    """The direction of a vector."""
    result: FloatArray = vector / np.linalg.norm(vector)
    return result


def femur(mesh: Mesh, side: Side) -> Bone:
    """One femur as it is imported."""
    return bone_from_mesh(BoneId(side, BoneName.FEMUR), mesh.vertices, mesh.faces)


def upright(path: Path) -> Mesh:
    """A whole femur, head up."""
    mesh = read_mesh(path)
    return Mesh(mesh.vertices @ OVER.T, mesh.faces)


def with_upper_part(knee: Mesh, whole: Mesh) -> Bone | None:
    """The knee with the upper half of another femur as a second block, scaled and laid on by width and condyles."""
    frames = []
    for mesh in (knee, whole):
        found = find_femur(Side.RIGHT, femur(mesh, Side.RIGHT))
        points = [found.point(name) for name in ("femoral_knee_centre", "medial_posterior_condyle", "lateral_posterior_condyle")]
        distal = [found.point(f"{name}_distal_condyle") for name in ("medial", "lateral")]
        if any(point is None for point in (*points, *distal)) or found.femur_ml_width_mm is None:
            return None
        across = unit(points[2] - points[1])
        level = distal[1] - distal[0]
        up = unit(np.cross(across, np.cross(mesh.vertices.mean(axis=0) - points[0], across)))
        # the joint line is the knee's own: tilted against the other femur's by what the shape model gives, not by this frame
        frames.append((points[0], np.array([across, np.cross(up, across), up]), found.femur_ml_width_mm, level))
    (to, axes, width, _), (origin, other, usual, _) = frames
    moved = to + (width / usual) * ((whole.vertices - origin) @ other.T) @ axes
    top, bottom = float((moved @ axes[2]).max()), float((moved @ axes[2]).min())
    upper, _ = split(Mesh(moved, whole.faces), Plane(axes[2] * (0.5 * (top + bottom)), axes[2]))
    parts = [femur(mesh, Side.RIGHT).parts[0] for mesh in (upper, knee)]
    return Bone(BoneId(Side.RIGHT, BoneName.FEMUR), tuple(replace(part, block=number) for number, part in enumerate(parts)))


def samples(bone: Bone) -> FloatArray:
    """Points of the bare surface about a millimetre apart: vertices, and points inside of large triangles; no caps."""
    points = []
    for part in bone.parts:
        corners = part.mesh.vertices[part.mesh.faces[~part.cap_vertices[part.mesh.faces].all(axis=1)]]
        edge = float(np.median(np.linalg.norm(corners - np.roll(corners, 1, axis=1), axis=2)))
        steps = max(1, round(edge))
        shares = np.array([(i, j, steps - i - j) for i in range(steps + 1) for j in range(steps + 1 - i)]) / steps
        points.append(np.einsum("sk,mkd->msd", shares, corners).reshape(-1, 3))
    return np.concatenate(points)


def read_hip(head: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Centre of a sphere through twenty points picked on the head."""
    picked = head[rng.choice(len(head), 20, replace=False)] + rng.normal(0.0, 0.5, (20, 3))
    return fit_sphere(picked).centre


def read_notch(points: FloatArray, up: FloatArray, lateral: FloatArray, low: float, high: float) -> FloatArray:
    """Highest of the most distal vertices of strips 2 mm wide between two places across."""
    across = points @ lateral
    lowest = []
    for start in np.arange(low + 0.2 * (high - low), high - 0.2 * (high - low), 2.0):
        strip = points[(across >= start) & (across < start + 2.0)]
        if len(strip):
            lowest.append(strip[int(np.argmin(strip @ up))])
    return lowest[int(np.argmax(np.array(lowest) @ up))]


def read_condyles(points: FloatArray, outward: FloatArray, lateral: FloatArray, rng: np.random.Generator) -> list[FloatArray]:
    """A vertex within 0.3 mm of the farthest, medial and lateral of the middle."""
    across = points @ lateral
    middle = float(np.median(across))
    result = []
    for half in (points[across < middle], points[across >= middle]):
        reach = half @ outward
        result.append(half[rng.choice(np.flatnonzero(reach > reach.max() - 0.3))])
    return result


def reading(vertices: FloatArray, head: FloatArray | None, up: FloatArray, lateral: FloatArray, seed: int) -> dict[str, Any]:
    """What one reader finds: hip centre, notch and mLDFA of a right femur; ``up`` and ``lateral`` are a first look."""
    rng = np.random.default_rng(seed)
    hip = None if head is None else read_hip(head, rng)
    if hip is None:
        return {}
    notch = hip
    for _ in range(4):
        heights = vertices @ up
        distal = vertices[heights < heights.min() + 40.0]
        anterior = np.cross(up, lateral)
        medial_back, lateral_back = read_condyles(distal, -anterior, lateral, rng)
        notch = read_notch(distal, up, lateral, float(medial_back @ lateral), float(lateral_back @ lateral))
        up = unit(hip - notch)
        back = lateral_back - medial_back
        lateral = unit(back - float(back @ up) * up)
    heights = vertices @ up
    medial, lateral_end = read_condyles(vertices[heights < heights.min() + 25.0], -up, lateral, rng)
    line = lateral_end - medial
    return {"hip": hip, "notch": notch, "mldfa": 90.0 - float(np.degrees(np.arctan2(line @ up, line @ lateral)))}


def head_points(vertices: FloatArray, found: Landmarks) -> FloatArray | None:
    """Vertices of the head, but for its seam with the neck; None without a head."""
    centre, base, radius = found.point("hip_centre"), found.point("femoral_neck_base"), found.femoral_head_radius_mm
    if centre is None or radius is None:
        return None
    offset = vertices - centre
    far = np.linalg.norm(offset, axis=1)
    near = far < radius + 4.0
    if base is not None:
        near &= offset @ unit(centre - base) > -0.3 * far
    return vertices[near & (far > radius - 4.0)]


def row_of(name: str, bone: Bone, stored: list[FloatArray] | None = None) -> dict[str, Any]:
    """Finder beside readers for one femur."""
    side = bone.id.side
    found = find_femur(side, bone)
    measures = measure_points(merge_landmarks(side, (), found))
    vertices = samples(bone)
    row: dict[str, Any] = {"name": name, "findings": sorted({f"{item.code} ({item.severity})" for item in found.findings})}
    hip, notch, mldfa = found.point("hip_centre"), found.point("femoral_knee_centre"), measures.number("mldfa")
    head = head_points(vertices, found)
    if hip is None or head is None:
        return {**row, "hip": None, "notch": None, "mldfa": None}
    if notch is None or mldfa is None:
        readings = [{"hip": read_hip(head, np.random.default_rng(seed))} for seed in range(READERS)]
    else:
        ends = [found.point(f"{half}_posterior_condyle") for half in ("medial", "lateral")]
        readings = [reading(vertices, head, unit(hip - notch), unit(ends[1] - ends[0]), seed) for seed in range(READERS)]
        row["notch"] = float(np.linalg.norm(notch - np.mean([item["notch"] for item in readings], axis=0)))
        told = [item["mldfa"] for item in readings]
        row |= {"mldfa": mldfa - float(np.mean(told)), "mldfa_readers_sd": float(np.std(told, ddof=1))}
    centres = np.array([item["hip"] for item in readings])
    row["hip"] = float(np.linalg.norm(hip - centres.mean(axis=0)))
    row["hip_readers"] = float(np.linalg.norm(centres - centres.mean(axis=0), axis=1).mean())
    if stored is not None:
        row["stored"] = {
            landmark: None if (point := found.point(landmark)) is None else float(np.linalg.norm(point - stored[number]))
            for landmark, number in STORED.items()
        }
    return row


def rows_of(data: Path, knees: range, done: set[str]) -> Any:
    """Rows that are not done yet, one by one."""
    wholes = []
    for path in sorted(data.rglob("whole-femora/*.stl")):
        stored = [OVER @ np.array(item["coordinates"]) for item in json.loads(path.with_suffix(".json").read_text())]
        wholes.append(upright(path))
        if path.stem not in done:
            yield row_of(path.stem, femur(wholes[-1], Side.RIGHT), stored)
    for path in sorted(data.rglob("proximal-femora/*.stl")):
        if path.stem not in done:
            yield row_of(path.stem, femur(read_mesh(path), Side.LEFT))
    with np.load(next(data.rglob("synthetic-knees-100.npz"))) as shapes:
        vertices, faces = shapes["femur_vertices_5um"] * 0.005, shapes["femur_faces"].astype(np.int32)
    for number in knees:
        name = f"knee-{number}"
        if name not in done:
            # +x lateral, +y anterior: half a turn makes it a right knee in LPS
            bone = with_upper_part(Mesh(vertices[number] * [-1.0, -1.0, 1.0], faces), wholes[number % len(wholes)])
            yield {"name": name, "findings": ["no knee found"], "hip": None} if bone is None else row_of(name, bone)


def summary(title: str, values: list[float], unit_name: str) -> str:
    """Mean, 95 % and largest of a column."""
    array = np.array(values)
    spread = np.abs(array)
    return (
        f"| {title} ({unit_name}) | {len(array)} | {array.mean():+.2f} | {spread.mean():.2f} "
        f"| {np.quantile(spread, 0.95):.2f} | {spread.max():.2f} |"
    )


def main() -> None:
    """Measure what is missing and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--knees", type=int, default=100)
    parser.add_argument("--results", type=Path, default=Path("accuracy_femora.jsonl"))
    options = parser.parse_args()
    rows = [json.loads(line) for line in options.results.read_text().splitlines()] if options.results.exists() else []
    wanted = range(options.first, options.first + options.knees)
    with options.results.open("a") as out:
        for row in rows_of(options.data, wanted, {row["name"] for row in rows}):
            rows.append(row)
            out.write(json.dumps(row) + "\n")
            out.flush()
    chosen = [row for row in rows if not row["name"].startswith("knee-") or int(row["name"][5:]) in wanted]
    for row in chosen:
        if not row["name"].startswith("knee-"):
            print({key: round(value, 2) if isinstance(value, float) else value for key, value in row.items()})
    chosen = [row for row in chosen if row["name"].startswith("knee-")]
    print("| knee with an upper part, program - readers | n | mean | mean of abs | 95 % of abs | largest |")
    print("|---|---|---|---|---|---|")
    for title, key, unit_name in (("hip centre", "hip", "mm"), ("notch", "notch", "mm"), ("mLDFA", "mldfa", "deg")):
        print(summary(title, [row[key] for row in chosen if row.get(key) is not None], unit_name))
    print(f"not measured: {[row['name'] for row in chosen if row.get('mldfa') is None]}")
    print(dict(Counter(code for row in chosen for code in row["findings"])))


if __name__ == "__main__":
    main()
