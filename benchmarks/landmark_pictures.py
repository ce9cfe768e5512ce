"""Pictures of the worst landmarks of a batch: the bones around them from four sides, found and true points.

    python benchmarks/landmark_pictures.py RESULTS.jsonl PICTURE.png [--worst 5]

RESULTS is that of accuracy_landmarks.py (same noise and step as there). A case is a landmark of a leg; it counts by its distance
from the truth over what is allowed (hip centre 0.5 mm, others 2 mm), each landmark once. Red cross: found; green ring: true.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
from accuracy_landmarks import drawn, landmarks_of, meshes_of, with_noise
from PIL import Image, ImageDraw

from surgiplan_desktop.base.arrays import FloatArray
from surgiplan_desktop.model.mesh import Mesh

_HALF_MM, _SCALE = 32.0, 5.0
_ALLOWED_MM = {"hip_centre": 0.5}
#: Name, axis to the right, axis up (LPS); the viewer stands where their cross product points.
_VIEWS = (
    ("from the front", (1.0, 0.0, 0.0), (0.0, 0.0, 1.0)),
    ("from the patient's left", (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)),
    ("from behind", (-1.0, 0.0, 0.0), (0.0, 0.0, 1.0)),
    ("from below", (1.0, 0.0, 0.0), (0.0, -1.0, 0.0)),
)


def worst_cases(legs: list[dict[str, Any]], count: int) -> list[tuple[str, int, float]]:
    """Landmark, seed and distance in mm of the worst cases, each landmark once."""
    worst: dict[str, tuple[int, float]] = {}
    for leg in legs:
        for name, distance in leg["landmarks"].items():
            if distance is not None and distance > worst.get(name, (0, 0.0))[1]:
                worst[name] = (leg["seed"], distance)
    order = sorted(worst, key=lambda name: -worst[name][1] / _ALLOWED_MM.get(name, 2.0))
    return [(name, *worst[name]) for name in order[:count]]


def view_of(meshes: list[Mesh], centre: FloatArray, right: FloatArray, up: FloatArray) -> Image.Image:
    """Triangles near a point, lit from the viewer, far ones first."""
    towards = np.cross(right, up)
    size = round(2 * _HALF_MM * _SCALE)
    picture = Image.new("RGB", (size, size), (20, 20, 24))
    pen = ImageDraw.Draw(picture)
    triangles = np.concatenate([mesh.vertices[mesh.faces] for mesh in meshes]) - centre
    middle = triangles.mean(axis=1)
    near = (np.abs(middle @ right) < _HALF_MM) & (np.abs(middle @ up) < _HALF_MM) & (np.abs(middle @ towards) < 2 * _HALF_MM)
    triangles, middle = triangles[near], middle[near]
    normal = np.cross(triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0])
    light = normal @ towards / np.maximum(np.linalg.norm(normal, axis=1), 1e-9)
    for number in np.argsort(middle @ towards):
        if light[number] > 0.0:
            grey = round(50 + 180 * float(light[number]))
            corners = triangles[number]
            pen.polygon([tuple(pixel) for pixel in pixels_of(corners, right, up)], fill=(grey, grey, grey))
    return picture


def pixels_of(points: FloatArray, right: FloatArray, up: FloatArray) -> FloatArray:
    """Pixels (n, 2) of points (n, 3) from the middle of the picture, mm."""
    result: FloatArray = np.column_stack([_HALF_MM + points @ right, _HALF_MM - points @ up]) * _SCALE
    return result


def case_row(name: str, seed: int, distance: float, noise_mm: float, step_mm: float) -> Image.Image:
    """One landmark of one leg from four sides."""
    leg = drawn(seed, step_mm)
    meshes = with_noise(meshes_of(leg), noise_mm, seed)
    found, true = landmarks_of(leg.side, meshes).point(name), leg.truth_landmarks[name]
    views = []
    for title, right, up in _VIEWS:
        axes = np.array(right), np.array(up)
        picture = view_of(list(meshes.values()), true, *axes)
        pen = ImageDraw.Draw(picture)
        x, y = pixels_of(np.zeros((1, 3)), *axes)[0]
        pen.ellipse((x - 6, y - 6, x + 6, y + 6), outline=(60, 230, 90), width=2)
        if found is not None:
            x, y = pixels_of((found - true)[None], *axes)[0]
            pen.line((x - 6, y, x + 6, y), fill=(255, 60, 60), width=2)
            pen.line((x, y - 6, x, y + 6), fill=(255, 60, 60), width=2)
        pen.text((6, 4), f"{name}, leg {seed} ({leg.side}), {distance:.1f} mm, {title}", fill=(255, 255, 255))
        views.append(np.asarray(picture))
    return Image.fromarray(np.hstack(views))


def main() -> None:
    """Draw the worst cases, one a row."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path)
    parser.add_argument("picture", type=Path)
    parser.add_argument("--worst", type=int, default=5)
    parser.add_argument("--noise", type=float, default=0.3)
    parser.add_argument("--step", type=float, default=1.0)
    options = parser.parse_args()
    legs = [json.loads(line) for line in options.results.read_text().splitlines()]
    rows = [np.asarray(case_row(*case, options.noise, options.step)) for case in worst_cases(legs, options.worst)]
    Image.fromarray(np.vstack(rows)).save(options.picture, optimize=True)


if __name__ == "__main__":
    main()
