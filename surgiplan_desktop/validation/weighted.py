"""What is made of the distances between two surfaces: ASSD, HD95 and NSD, every element weighted by its area.

Definitions: clinical.md E.1 after Nikolov et al. 2018 (arXiv:1809.04430); docs/metrics.md holds them with all edge cases.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from surgiplan_desktop.base.arrays import FloatArray

#: Raised with every change of a definition; told with every result.
METRICS_VERSION: Final = 1
#: Tolerances of the normalised surface distance: bone, and surfaces of joints (mm).
BONE_TOLERANCE_MM: Final = 1.0
ARTICULAR_TOLERANCE_MM: Final = 0.5
#: A distance that is the tolerance but for rounding (single precision of headers) lies within it (mm).
_ROUNDING_MM: Final = 1e-6
_HD95: Final = 0.95


@dataclass(frozen=True, slots=True, eq=False)
class WeightedDistances:
    """Distances from the elements of one surface to another surface, and the area each element stands for.

    Attributes
    ----------
    distance_mm
        Shape (n,), mm; infinity where there is no other surface.
    area_mm2
        Shape (n,), mm2.
    """

    distance_mm: FloatArray
    area_mm2: FloatArray

    @property
    def area(self) -> float:
        """Area of the whole surface, mm2."""
        return float(self.area_mm2.sum())

    @property
    def mean_mm(self) -> float:
        """Mean by area, mm."""
        return float((self.distance_mm * self.area_mm2).sum() / self.area)

    @property
    def max_mm(self) -> float:
        """Largest distance, mm."""
        return float(self.distance_mm.max())

    def percentile_mm(self, share: float) -> float:
        """Return the smallest distance that ``share`` (0..1) of the area does not exceed, mm."""
        order = np.argsort(self.distance_mm, kind="stable")
        reached = np.cumsum(self.area_mm2[order]) / self.area
        return float(self.distance_mm[order[min(int(np.searchsorted(reached, share)), len(order) - 1)]])

    def area_within(self, tolerance_mm: float) -> float:
        """Return the area whose distance does not exceed the tolerance, mm2."""
        return float(self.area_mm2[self.distance_mm <= tolerance_mm + _ROUNDING_MM].sum())


@dataclass(frozen=True, slots=True)
class SurfaceMetrics:
    """How well two surfaces agree.

    NaN where neither has a surface; infinite distances and NSD 0 where only one has.

    Attributes
    ----------
    asd_mm
        Mean distance by area: prediction to reference, and back.
    assd_mm
        Mean of all elements of both surfaces by area.
    hd95_mm
        The larger of the two directed 95th percentiles by area (not the percentile of the pooled distances).
    hd_mm
        The largest distance of either direction (Hausdorff).
    nsd_1mm, nsd_half_mm
        Share of both areas that lies within 1 mm and 0.5 mm of the other surface.
    """

    asd_mm: tuple[float, float]
    assd_mm: float
    hd95_mm: float
    hd_mm: float
    nsd_1mm: float
    nsd_half_mm: float


def surface_metrics(there: WeightedDistances, back: WeightedDistances) -> SurfaceMetrics:
    """Sum up the distances from prediction to reference (``there``) and from reference to prediction (``back``)."""
    areas = there.area, back.area
    if min(areas) == 0:
        far, none = (math.nan, math.nan) if max(areas) == 0 else (math.inf, 0.0)
        return SurfaceMetrics((far, far), far, far, far, none, none)

    def nsd(tolerance_mm: float) -> float:
        return (there.area_within(tolerance_mm) + back.area_within(tolerance_mm)) / sum(areas)

    asd = there.mean_mm, back.mean_mm
    return SurfaceMetrics(
        asd_mm=asd,
        assd_mm=(asd[0] * areas[0] + asd[1] * areas[1]) / sum(areas),
        hd95_mm=max(there.percentile_mm(_HD95), back.percentile_mm(_HD95)),
        hd_mm=max(there.max_mm, back.max_mm),
        nsd_1mm=nsd(BONE_TOLERANCE_MM),
        nsd_half_mm=nsd(ARTICULAR_TOLERANCE_MM),
    )
