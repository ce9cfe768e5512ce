"""Records of implant catalogues: parametric families, no meshes of any maker."""

from __future__ import annotations

from dataclasses import dataclass

from surgiplan_desktop.base.errors import UsageError


@dataclass(frozen=True, slots=True)
class TraySize:
    """One size of a tray: medio-lateral and antero-posterior extent, mm. The id is the ML in whole millimetres."""

    id: str
    ml_mm: float
    ap_mm: float


@dataclass(frozen=True, slots=True)
class TrayFamily:
    """Tibial trays of one design: an outline that scales with ML, a stem and two fins (mm, degrees).

    The outline is a superellipse with one exponent before and one behind its widest level and a notch behind, made for the right
    tibia and mirrored for the left: the front reaches ``anteromedial_share`` farther medially and less laterally.
    ``anterior_share`` and ``notch_depth_share`` are shares of AP before the notch is cut, ``notch_width_share`` of ML.
    """

    id: str
    sizes: tuple[TraySize, ...]
    anterior_exponent: float
    posterior_exponent: float
    anterior_share: float
    anteromedial_share: float
    notch_depth_share: float
    notch_width_share: float
    thickness_mm: float
    slope_deg: float
    stem_diameter_mm: float
    stem_length_mm: float
    fin_width_share: float
    fin_thickness_mm: float
    fin_depth_mm: float

    def size(self, size_id: str) -> TraySize:
        """Return a size by id; UsageError ``size_unknown`` with the list."""
        for size in self.sizes:
            if size.id == size_id:
                return size
        raise UsageError("size_unknown", size=size_id, sizes=", ".join(size.id for size in self.sizes))


@dataclass(frozen=True, slots=True)
class PlateScrew:
    """A screw hole of a plate.

    ``along_mm`` counts from the cut, proximal positive; ``across_mm`` and ``swing_deg`` are anterior positive, ``tilt_deg`` is
    proximal positive; the axis without tilt and swing is at right angles to the plate.
    """

    name: str
    along_mm: float
    across_mm: float
    tilt_deg: float
    swing_deg: float
    diameter_mm: float


@dataclass(frozen=True, slots=True)
class PlateFamily:
    """A straight locking plate with a wider head for the medial proximal tibia (mm); one size."""

    id: str
    body_width_mm: float
    head_width_mm: float
    head_from_mm: float
    proximal_mm: float
    distal_mm: float
    thickness_mm: float
    edge_radius_mm: float
    hole_clearance_mm: float
    screws: tuple[PlateScrew, ...]
    stock_lengths_mm: tuple[float, ...]


Component = TrayFamily | PlateFamily


@dataclass(frozen=True, slots=True)
class Catalogue:
    """A catalogue: name, version, licence, and its components."""

    name: str
    version: str
    licence: str
    source: str
    components: tuple[Component, ...]

    def component(self, component_id: str) -> Component:
        """Return a component by id; UsageError ``component_unknown`` with the list."""
        for item in self.components:
            if item.id == component_id:
                return item
        known = ", ".join(item.id for item in self.components)
        raise UsageError("component_unknown", component=component_id, catalogue=self.name, components=known)
