"""What a film does to the measures of a leg: the truth of drawn phantoms seen by parallel rays, by a cone of rays, and turned.

    python benchmarks/film_projection.py [--legs 10] [--source 2600] [--truth FILE.jsonl]

Leg n is drawn from seed n; its truth landmarks are one line of the file, so that a batch goes on where it was stopped. The
middle of the beam is at the height of the knee between both legs (100 mm beside the knee), the detector 150 mm behind it. Prints
film minus CT (limb plane) as mean and largest absolute difference, and how well the tuberosity tells the turn.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from types import MappingProxyType

import numpy as np

from surgiplan_desktop.model.anatomy import Side
from surgiplan_desktop.model.study import FILM_POINTS, Film, FilmCalibration, FilmLeg, FilmPoint
from surgiplan_desktop.phantom.draws import draw_leg
from surgiplan_desktop.phantom.limb import build_leg
from surgiplan_desktop.planning.axes import leg_frames
from surgiplan_desktop.planning.film_comparison import FilmComparison, compare_film
from surgiplan_desktop.planning.film_measures import measure_film
from surgiplan_desktop.planning.measures import measure_points
from surgiplan_desktop.planning.records import LandmarkEstimate, Landmarks

LANDMARK_OF = {
    "head": "hip_centre", "knee": "tibial_knee_centre", "ankle": "ankle_centre", "femur_medial": "medial_distal_condyle",
    "femur_lateral": "lateral_distal_condyle", "tibia_medial": "medial_plateau_edge", "tibia_lateral": "lateral_plateau_edge",
    "tuberosity": "tibial_tuberosity",
}  # fmt: skip
SHOWN = ("hka_deviation", "mldfa", "mpta", "jlca", "wbl", "mad", "leg_length")
BESIDE_MM, BEHIND_MM, PIXEL_MM = 100.0, 150.0, 0.15


def truths(count: int, path: Path) -> Iterator[Landmarks]:
    """Truth landmarks of drawn legs, right and left in turn; what stands in the file is not drawn again."""
    known = {row["seed"]: row for row in map(json.loads, path.read_text().splitlines())} if path.exists() else {}
    for seed in range(count):
        side = Side.LEFT if seed % 2 else Side.RIGHT
        if seed not in known:
            points = build_leg(draw_leg(seed, side=side)).truth_landmarks
            known[seed] = {"seed": seed, "points": {name: [float(value) for value in point] for name, point in points.items()}}
            with path.open("a") as stream:
                stream.write(json.dumps(known[seed]) + "\n")
        items = {name: LandmarkEstimate(name, np.array(point), "auto") for name, point in known[seed]["points"].items()}
        yield Landmarks(side, MappingProxyType(items))


def film(landmarks: Landmarks, source_mm: float, turned_deg: float) -> Film:
    """The leg on a film, its limb plane turned outward against the beam; ``source_mm`` from source to detector, inf: parallel."""
    limb = leg_frames(landmarks).limb
    assert limb is not None
    sign, turn, knee = landmarks.side.sign, np.radians(turned_deg), landmarks.point("tibial_knee_centre")
    placed = []
    for name in FILM_POINTS:
        point = landmarks.point(LANDMARK_OF[name])
        assert point is not None
        assert knee is not None
        offset = point - knee
        lateral, ahead, up = sign * float(offset @ limb.z), float(offset @ limb.x), float(offset @ limb.y)
        across = lateral * np.cos(turn) + ahead * np.sin(turn) + BESIDE_MM
        depth = ahead * np.cos(turn) - lateral * np.sin(turn) + BEHIND_MM
        larger = 1.0 if np.isinf(source_mm) else source_mm / (source_mm - depth)
        placed.append(FilmPoint(name, 4000.0 - sign * across * larger / PIXEL_MM, 4000.0 - up * larger / PIXEL_MM))
    knee_scale = 1.0 if np.isinf(source_mm) else source_mm / (source_mm - BEHIND_MM)
    spacing = (PIXEL_MM / knee_scale, PIXEL_MM / knee_scale)
    return Film("film-1", "", (8000, 8000), "DX", landmarks.side, "", FilmCalibration("ruler", spacing),
                legs=(FilmLeg(landmarks.side, tuple(placed)),))  # fmt: skip


def compared(landmarks: Landmarks, source_mm: float, turned_deg: float) -> FilmComparison:
    """Film beside CT."""
    measures = measure_film(film(landmarks, source_mm, turned_deg), landmarks.side)
    return compare_film(measures, landmarks, leg_frames(landmarks), measure_points(landmarks))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--legs", type=int, default=10)
    parser.add_argument("--source", type=float, default=2600.0)
    parser.add_argument("--truth", type=Path, default=Path("film_truth.jsonl"))
    options = parser.parse_args()
    legs = list(truths(options.legs, options.truth))
    print(f"| film minus CT, {len(legs)} legs | " + " | ".join(SHOWN) + " | turn told - turn |")
    print("|---|" + "---|" * (len(SHOWN) + 1))
    for name, source, turn in (
        ("parallel rays", np.inf, 0.0), ("cone", options.source, 0.0), ("cone, turned out 10 deg", options.source, 10.0),
        ("cone, turned in 10 deg", options.source, -10.0), ("cone, turned out 20 deg", options.source, 20.0),
    ):  # fmt: skip
        found = [compared(leg, source, turn) for leg in legs]
        cells = []
        for measure in SHOWN:
            off = [next(row.difference for row in item.rows if row.id == measure) for item in found]
            cells.append(f"{np.mean(off):+.2f} ({np.abs(off).max():.2f})")
        told = [item.turned_deg - turn for item in found if item.turned_deg is not None]
        print(f"| {name} | " + " | ".join(cells) + f" | {np.mean(told):+.1f} ({np.abs(told).max():.1f}) |")


if __name__ == "__main__":
    main()
