"""The edge of a bone whose cortex is thinner than the blur of the scanner."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import ndtr

from surgiplan_desktop.geometry.edge import SOFT_TISSUE_HU, edge_field

DENSE, SPONGY, BLUR_MM = 1500.0, 350.0, 0.6
NEAR, FAR = 12.3, 47.7


def seen(across_mm: np.ndarray, plate_mm: float) -> np.ndarray:
    """Hounsfield values across a bone from NEAR (a plate) to FAR (a thick cortex), spongy between, blurred."""

    def step(at: float) -> np.ndarray:
        return ndtr((across_mm - at) / BLUR_MM)

    dense = (DENSE - SOFT_TISSUE_HU) * (step(NEAR) - step(NEAR + plate_mm) + step(FAR - 6.0) - step(FAR))
    return SOFT_TISSUE_HU + dense + (SPONGY - SOFT_TISSUE_HU) * (step(NEAR + plate_mm) - step(FAR - 6.0))


@pytest.mark.parametrize(("plate_mm", "within_mm"), [(0.5, 0.32), (0.7, 0.3), (1.0, 0.28), (2.0, 0.17), (5.0, 0.07)])
def test_half_of_what_is_seen_of_a_thin_plate_is_not_taken_for_its_face(plate_mm: float, within_mm: float) -> None:
    # half of the greatest value that is seen lies 0.5 mm outside of a plate of 0.5 mm, 0.4 mm outside of one of 1 mm
    near, far = [], []
    for shift in (0.0, 0.25, 0.5, 0.75):
        across = np.arange(60.0) - shift
        hu = np.broadcast_to(seen(across, plate_mm), (24, 24, len(across))).astype(np.float32)
        own = np.broadcast_to((across > NEAR) & (across < FAR), hu.shape)
        row = edge_field(hu, own, np.zeros_like(own), np.ones(3))[12, 12]
        first, last = int(np.argmax(row > 0)), len(row) - 1 - int(np.argmax(row[::-1] > 0))
        near.append(first - row[first] / (row[first] - row[first - 1]) - shift - NEAR)
        far.append(last + row[last] / (row[last] - row[last + 1]) - shift - FAR)
    assert np.mean(near) == pytest.approx(0.0, abs=within_mm)
    assert np.mean(far) == pytest.approx(0.0, abs=0.07), "the thick cortex on the other side stays where it was"
