"""Closed bodies of elliptic rings, for tests of shapes."""

from __future__ import annotations

import numpy as np

from surgiplan_desktop.model.mesh import Mesh


def loft(rings: list[tuple[float, float, float, float, float]], around: int = 40) -> Mesh:
    """A closed body of elliptic rings (x, y, z, half width, half depth), bottom to top."""
    turn = np.arange(around) * 2 * np.pi / around
    levels = np.linspace(0, len(rings) - 1, 12 * len(rings))
    table = np.array(rings)
    rows = np.column_stack([np.interp(levels, np.arange(len(rings)), table[:, n]) for n in range(5)])
    points = [np.c_[x + a * np.cos(turn), y + b * np.sin(turn), np.full(around, z)] for x, y, z, a, b in rows]
    vertices = np.concatenate([[rows[0, :3]], *points, [rows[-1, :3]]])
    faces = []
    for m in range(around):
        n = (m + 1) % around
        faces.append((0, 1 + n, 1 + m))
        for ring in range(len(rows) - 1):
            a, b = 1 + ring * around + m, 1 + ring * around + n
            faces += [(a, b, b + around), (a, b + around, a + around)]
        last = 1 + (len(rows) - 1) * around
        faces.append((last + m, last + n, len(vertices) - 1))
    return Mesh(vertices, np.array(faces, dtype=np.int32))
