"""The distal femur: posterior and distal bitangents, notch and epicondyles (clinical.md A.1)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from surgiplan_desktop.base.arrays import FloatArray
from surgiplan_desktop.base.spaces import Plane
from surgiplan_desktop.geometry.fit import fit_sphere
from surgiplan_desktop.geometry.section import section_segments
from surgiplan_desktop.planning.landmarks.extremes import bitangent, extreme
from surgiplan_desktop.planning.landmarks.surface import BoneSurface

#: The condyles are looked for in this much of the distal end.
REGION_MM = 40.0
#: Contacts of a bitangent lie this far apart (clinical.md A.1: 35-65 mm; wider here for very small and large bones).
_APART_MM = (28.0, 75.0)
#: Band below the highest section of the notch that counts as its roof.
_ROOF_MM = 0.6
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
    middle = float(np.median(surface.vertices[region] @ lateral))
    contacts = bitangent(surface, region, lateral, -up, across=middle)
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
    return centre + (float(smooth[top]) - float(centre @ up)) * up


def find_epicondyles(surface: BoneSurface, condyles: Condyles) -> tuple[FloatArray | None, FloatArray | None]:
    """Most medial and most lateral point along the condylar axis, each None when it is over 20 mm off that axis.

    The axis joins the centres of the spheres that fit the posterior arcs of the condyles.
    """
    centres = []
    for contact in (condyles.posterior.medial, condyles.posterior.lateral):
        near = surface.real & (np.linalg.norm(surface.vertices - contact, axis=1) < 16.0)
        near &= surface.normals @ condyles.anterior < 0.2
        if np.count_nonzero(near) < 8:
            return None, None
        try:
            sphere = fit_sphere(surface.vertices[near], surface.areas[near])
        except ValueError:
            return None, None
        # a condyle narrow from side to side fixes the centre badly along the axis: keep it in the plane of the contact
        along = float((sphere.centre - contact) @ condyles.lateral)
        centres.append(sphere.centre - along * condyles.lateral)
    axis = centres[1] - centres[0]
    axis /= np.linalg.norm(axis)
    heights = surface.heights(condyles.up)
    region = surface.real & (heights < heights.min() + 60.0)
    found: list[FloatArray | None] = []
    for outward in (-axis, axis):
        tip = extreme(surface, region, outward)
        if tip is None:
            found.append(None)
            continue
        offset = tip[0] - centres[0]
        off_axis = float(np.linalg.norm(offset - (offset @ axis) * axis))
        found.append(tip[0] if off_axis <= 20.0 else None)
    return found[0], found[1]


def width_mm(surface: BoneSurface, up: FloatArray, lateral: FloatArray) -> float:
    """Extent along ``lateral`` of the distal 40 mm."""
    heights = surface.heights(up)
    region = surface.real & (heights < heights.min() + REGION_MM)
    across = surface.vertices[region] @ lateral
    return float(across.max() - across.min())
