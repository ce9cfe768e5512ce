"""The distal femur: posterior and distal bitangents and the notch (clinical.md A.1)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from surgiplan_desktop.base.arrays import FloatArray
from surgiplan_desktop.base.spaces import Plane
from surgiplan_desktop.geometry.local_fit import fit_quadric, pass_point
from surgiplan_desktop.geometry.section import section_segments
from surgiplan_desktop.planning.landmarks.extremes import bitangent
from surgiplan_desktop.planning.landmarks.surface import BoneSurface

#: The condyles are looked for in this much of the distal end.
REGION_MM = 40.0
#: Contacts of a bitangent lie this far apart (clinical.md A.1: 35-65 mm; wider here for very small and large bones).
_APART_MM = (28.0, 75.0)
#: The joint line hangs on the height of its contacts alone: each is fitted over this share of the femur's width, so that noise
#: of a coarse mesh averages out; beyond, the patch would run over the condyle's rims.
_DISTAL_FIT_SHARE = 0.14
#: Band below the highest section of the notch that counts as its roof.
_ROOF_MM = 0.6
#: Half axes of the patch at the notch's edge to which a saddle is fitted (across, front to back), and how far it may lie, mm.
_PASS_MM = (6.0, 5.0)
_PASS_REACH_MM = 6.0
_CONVERGED_RAD = np.radians(0.005)


@dataclass(frozen=True, slots=True, eq=False)
class Contact:
    """A bitangent over both condyles, with the larger RMS of the fits at its ends (None: plain vertices)."""

    medial: FloatArray
    lateral: FloatArray
    rms: float | None


@dataclass(frozen=True, slots=True, eq=False)
class Condyles:
    """Distal femur in its own frame: unit axes, contacts and knee centre (LPS mm)."""

    up: FloatArray
    lateral: FloatArray
    anterior: FloatArray
    posterior: Contact
    distal: Contact
    knee_centre: FloatArray | None


def posterior_direction(surface: BoneSurface, up: FloatArray) -> FloatArray | None:
    """Direction (unit, orthogonal to ``up``) to which the condyles stand out: the side whose bridge spans the deeper notch."""
    heights = surface.heights(up)
    region = surface.real & (heights < heights.min() + REGION_MM)
    points, areas = surface.vertices[region], surface.areas[region]
    flat = points - np.outer(points @ up, up)
    centre = areas @ flat / areas.sum()
    _, vectors = np.linalg.eigh(((flat - centre) * areas[:, None]).T @ (flat - centre))
    width = vectors[:, 2]
    best: tuple[float, FloatArray] | None = None
    for outward in (np.cross(up, width), -np.cross(up, width)):
        contacts = bitangent(surface, region, width, outward, across=float(centre @ width), radius_mm=0.1)
        if contacts is None:
            continue
        middle = 0.5 * (contacts[0] + contacts[1])
        between = np.abs((points - middle) @ width) < 4.0
        if not between.any():
            continue
        depth = float(middle @ outward - (points[between] @ outward).max())
        if best is None or depth > best[0]:
            best = (depth, outward)
    return None if best is None else best[1]


def find_condyles(
    surface: BoneSurface, up: FloatArray, posterior: FloatArray, side_sign: int, head: FloatArray | None
) -> Condyles | None:
    """Iterate frame, posterior bitangent and notch until the frame stands still (0.005 degrees).

    Parameters
    ----------
    up
        First guess of the long axis, unit, proximal.
    posterior
        First guess of the posterior direction.
    side_sign
        +1 right, -1 left.
    head
        Hip centre, or None when the head is not in view: then ``up`` stays what it is.

    Returns
    -------
    Condyles or None
        None when there are no two condyles.
    """
    heights = surface.heights(up)
    cropped = surface.crop(heights < heights.min() + 75.0)
    anterior = -(posterior - (posterior @ up) * up)
    anterior /= np.linalg.norm(anterior)
    contact: Contact | None = None
    centre: FloatArray | None = None
    for _ in range(12):
        lateral = side_sign * np.cross(anterior, up)
        contact = _posterior_contact(cropped, up, lateral, anterior)
        if contact is None:
            return None
        line = contact.lateral - contact.medial
        centre = _notch(cropped, up, lateral, contact) if head is not None else None
        next_up = up if head is None or centre is None else (head - centre) / np.linalg.norm(head - centre)
        next_lateral = line - (line @ next_up) * next_up
        next_lateral /= np.linalg.norm(next_lateral)
        turned = max(float(np.linalg.norm(next_up - up)), float(np.linalg.norm(next_lateral - lateral)))
        up = next_up
        anterior = side_sign * np.cross(up, next_lateral)
        if turned < _CONVERGED_RAD:
            break
    lateral = side_sign * np.cross(anterior, up)
    distal = _distal_contact(cropped, up, lateral)
    if distal is None or contact is None:
        return None
    centre = _notch(cropped, up, lateral, distal)
    return Condyles(up, lateral, anterior, contact, distal, centre)


def _posterior_contact(surface: BoneSurface, up: FloatArray, lateral: FloatArray, anterior: FloatArray) -> Contact | None:
    heights = surface.heights(up)
    region = surface.real & (heights < heights.min() + REGION_MM)
    middle = float(np.median(surface.vertices[region] @ lateral))
    contacts = bitangent(surface, region, lateral, -anterior, across=middle)
    return _checked(contacts, lateral)


def _distal_contact(surface: BoneSurface, up: FloatArray, lateral: FloatArray) -> Contact | None:
    heights = surface.heights(up)
    region = surface.real & (heights < heights.min() + 25.0)
    across = surface.vertices[region] @ lateral
    radius = _DISTAL_FIT_SHARE * float(np.ptp(across))
    contacts = bitangent(surface, region, lateral, -up, across=float(np.median(across)), radius_mm=radius)
    return _checked(contacts, lateral)


def _checked(contacts: tuple[FloatArray, FloatArray, float | None] | None, lateral: FloatArray) -> Contact | None:
    if contacts is None:
        return None
    apart = float((contacts[1] - contacts[0]) @ lateral)
    return Contact(*contacts) if _APART_MM[0] <= apart <= _APART_MM[1] else None


def _notch(surface: BoneSurface, up: FloatArray, lateral: FloatArray, contact: Contact) -> FloatArray | None:
    """Knee centre: the highest of the most distal points of the sagittal sections between the contacts.

    A flat notch roof leaves the place along the roof open; so the sections within 0.6 mm of the highest are averaged, each with
    how far it reaches into that band.
    """
    low, high = float(contact.medial @ lateral), float(contact.lateral @ lateral)
    levels = np.arange(low + 0.15 * (high - low), high - 0.15 * (high - low), 0.75)
    cropped = surface.crop(surface.heights(up) < surface.heights(up).min() + 45.0)
    lowest = []
    for level in levels:
        start, _, _ = section_segments(cropped.vertices, cropped.faces, Plane(lateral * level, lateral))
        if len(start) == 0:
            return None
        lowest.append(start[int(np.argmin(start @ up))])
    points = np.array(lowest)
    heights = points @ up
    # a running mean over five sections: one noisy vertex must not be the roof
    smooth = np.convolve(np.pad(heights, 2, mode="edge"), np.full(5, 0.2), mode="valid")
    top = int(np.argmax(smooth))
    inside = smooth > smooth[top] - _ROOF_MM
    first = top
    while first > 0 and inside[first - 1]:
        first -= 1
    last = top
    while last < len(levels) - 1 and inside[last + 1]:
        last += 1
    roof = slice(first, last + 1)
    weights = np.maximum(smooth[roof] - smooth[top] + _ROOF_MM, 0.0)
    centre: FloatArray = weights @ points[roof] / weights.sum()
    centre = centre + (float(smooth[top]) - float(centre @ up)) * up
    return _on_the_pass(cropped, up, lateral, centre)


def _on_the_pass(surface: BoneSurface, up: FloatArray, lateral: FloatArray, start: FloatArray) -> FloatArray:
    """The saddle of the notch's edge near ``start``: lowest from front to back, highest from side to side.

    A roof that runs on level to the front has no saddle: then ``start`` stays.
    """
    facing = surface.real & (surface.normals @ up < -0.3)
    points, areas = surface.vertices[facing], surface.areas[facing]
    across = lateral - float(lateral @ up) * up
    across /= np.linalg.norm(across)
    place = start
    for _ in range(4):
        quadric = fit_quadric(points, areas, place, -up, across, _PASS_MM)
        found = None if quadric is None else pass_point(quadric, _PASS_MM[0])
        if found is None or float(np.linalg.norm(found - start)) > _PASS_REACH_MM:
            return start
        moved = float(np.linalg.norm(found - place))
        place = found
        if moved < 0.02:
            break
    return place


def width_mm(surface: BoneSurface, up: FloatArray, lateral: FloatArray) -> float:
    """Extent along ``lateral`` of the distal 40 mm."""
    heights = surface.heights(up)
    region = surface.real & (heights < heights.min() + REGION_MM)
    across = surface.vertices[region] @ lateral
    return float(across.max() - across.min())
