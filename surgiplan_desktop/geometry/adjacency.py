"""Which vertices of a mesh are joined by an edge, as a matrix that takes means."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from surgiplan_desktop.base.arrays import IntArray


def mean_of_neighbours(faces: IntArray, count: int) -> sparse.csr_array:
    """Matrix (count, count) that gives each vertex the mean of its own value and those of the vertices joined to it; float32."""
    one, two, three, every = faces[:, 0], faces[:, 1], faces[:, 2], np.arange(count)
    rows = np.concatenate([one, two, three, two, three, one, every])
    columns = np.concatenate([two, three, one, one, two, three, every])
    joined = sparse.csr_array((np.ones(len(rows), dtype=np.float32), (rows, columns)), shape=(count, count))
    joined.sum_duplicates()
    scale = (1.0 / np.diff(joined.indptr)).astype(np.float32)
    joined.data[:] = np.repeat(scale, np.diff(joined.indptr))
    return joined
