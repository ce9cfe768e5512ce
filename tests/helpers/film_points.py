"""Points of a leg on a film for tests: landmarks seen from the front, by parallel rays, turned about the leg's axis or not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from surgiplan_desktop.model.anatomy import Side
from surgiplan_desktop.model.study import FILM_POINTS, Film, FilmCalibration, FilmLeg, FilmPoint
from surgiplan_desktop.planning.axes import leg_frames
from surgiplan_desktop.planning.records import Landmarks

#: Which landmark a point of the film is.
LANDMARK_OF: Mapping[str, str] = {
    "head": "hip_centre",
    "knee": "tibial_knee_centre",
    "ankle": "ankle_centre",
    "femur_medial": "medial_distal_condyle",
    "femur_lateral": "lateral_distal_condyle",
    "tibia_medial": "medial_plateau_edge",
    "tibia_lateral": "lateral_plateau_edge",
    "tuberosity": "tibial_tuberosity",
}
PIXEL_MM = 0.5


def film_of(
    landmarks: Landmarks, *, turned_deg: float = 0.0, mirrored: bool = False, aspect: float = 1.0, calibrated: bool = True
) -> Film:
    """A film of the leg: its limb plane turned outward by ``turned_deg`` against the beam, 0.5 mm a column."""
    limb = leg_frames(landmarks).limb
    assert limb is not None
    turn = np.radians(turned_deg)
    points = {}
    for name in FILM_POINTS:
        at = landmarks.point(LANDMARK_OF[name])
        if at is None:
            continue
        offset = at - limb.origin_lps
        lateral = landmarks.side.sign * float(offset @ limb.z)
        across = lateral * np.cos(turn) + float(offset @ limb.x) * np.sin(turn)
        points[name] = (across, float(offset @ limb.y))
    # the patient's right is at the left of the picture, unless it is mirrored
    way = -landmarks.side.sign * (-1 if mirrored else 1)
    placed = tuple(
        FilmPoint(name, float(500.0 + way * x / PIXEL_MM), float(60.0 - y / PIXEL_MM / aspect)) for name, (x, y) in points.items()
    )
    calibration = FilmCalibration("ruler", (PIXEL_MM * aspect, PIXEL_MM), 100.0, 200.0) if calibrated else FilmCalibration()
    return Film(
        "film-1", "sha256:0", (2000, 1000), "DX", landmarks.side, "2026-03-01", calibration,
        aspect=aspect, mirrored=mirrored, legs=(FilmLeg(landmarks.side, placed, 48.0),),
    )  # fmt: skip


def moved(film: Film, side: Side, name: str, dx: float = 0.0, dy: float = 0.0) -> Film:
    """The film with one point moved, pixels."""
    leg = film.leg(side)
    points = tuple(FilmPoint(p.name, p.x + dx, p.y + dy) if p.name == name else p for p in leg.points)
    return replace(film, legs=(replace(leg, points=points),))


def without(film: Film, side: Side, *names: str) -> Film:
    """The film without some points."""
    leg = film.leg(side)
    return replace(film, legs=(replace(leg, points=tuple(p for p in leg.points if p.name not in names)),))
