"""A head in its socket: the joint gap under the roof is a closed ring in every slice, and no marrow."""

from __future__ import annotations

import numpy as np
import pytest

from surgiplan_desktop.segmentation.label_ops import filled
from surgiplan_desktop.segmentation.separate import separate


@pytest.mark.parametrize(("gap_mm", "step_mm"), [(3.0, 1.5), (4.5, 1.5), (6.0, 1.5), (4.5, 1.2)])
def test_a_head_parts_from_its_socket_however_wide_the_joint_gap(gap_mm: float, step_mm: float) -> None:
    spacing = np.full(3, step_mm)
    z, y, x = np.meshgrid(*(np.arange(-low, 45.0, step_mm) for low in (70.0, 45.0, 45.0)), indexing="ij")
    away = np.sqrt(x**2 + y**2 + z**2)
    shaft = (z < 0) & (x**2 + y**2 < 13.0**2)
    head = (away < 22.0) | shaft
    # a cortex around marrow, as a threshold sees a bone
    head &= ~((x**2 + y**2 < 8.0**2) & (z < -25.0))
    inner = 22.0 + gap_mm
    socket = (away > inner) & (away < inner + 14.0) & (z > 0.0)
    socket &= ~((away > inner + 3.0) & (away < inner + 11.0) & (z > 3.0))
    pieces = separate(filled(head | socket, spacing), spacing)
    owner = int(pieces[(away < 15.0) & (z > 0.0)].max())
    assert owner > 0
    assert np.mean(pieces[shaft & (z < -30.0)] == owner) > 0.95, "the marrow of the shaft belongs to the bone"
    assert not (pieces[socket] == owner).any()
