"""Smoothing that keeps the volume, and simplification whose error is measured, not hoped for."""

from __future__ import annotations

from typing import Final

import fast_simplification
import numpy as np
from vtkmodules.vtkFiltersCore import vtkWindowedSincPolyDataFilter

from surgiplan_desktop.base.arrays import FloatArray, IntArray
from surgiplan_desktop.geometry.convert import polydata_from_arrays, polydata_to_arrays
from surgiplan_desktop.geometry.distance import closest_points
from surgiplan_desktop.geometry.solid import is_solid
from surgiplan_desktop.model.mesh import Mesh

#: Pass band and passes of the windowed sinc filter: takes off the steps of the voxels, keeps everything wider than some 3 mm.
_PASS_BAND: Final = 0.12
_PASSES: Final = 20
#: Shares of triangles that are tried to be taken away, largest first.
_REDUCTIONS: Final = (0.75, 0.6, 0.45, 0.3, 0.15)
#: At how many vertices a simplified surface is compared with the full one.
_PROBES: Final = 6000


def smoothed(mesh: Mesh) -> Mesh:
    """Smooth a closed surface with a windowed sinc filter (Taubin et al. 1996, ECCV): it does not shrink."""
    smoother = vtkWindowedSincPolyDataFilter()
    smoother.SetInputData(polydata_from_arrays(mesh.vertices, mesh.faces))
    smoother.SetNumberOfIterations(_PASSES)
    smoother.SetPassBand(_PASS_BAND)
    smoother.NormalizeCoordinatesOn()
    smoother.NonManifoldSmoothingOff()
    smoother.FeatureEdgeSmoothingOff()
    smoother.BoundarySmoothingOff()
    smoother.Update()
    vertices, _ = polydata_to_arrays(smoother.GetOutput())
    return Mesh(vertices, mesh.faces)


def simplified(mesh: Mesh, bound_mm: float) -> Mesh:
    """Take triangles away as long as the surface stays within ``bound_mm`` of what it was and stays a solid.

    The error is measured at vertices of the full surface against the simplified one (99.9 % of them within the bound), by quadric
    edge collapse (Garland and Heckbert 1997). The mesh comes back unchanged when no reduction holds the bound.
    """
    origin = mesh.vertices.mean(axis=0)
    near = np.ascontiguousarray(mesh.vertices - origin, dtype=np.float32)
    faces_in = mesh.faces.copy()  # the library refuses read-only arrays
    probes = mesh.vertices[:: max(1, len(mesh.vertices) // _PROBES)]
    for reduction in _REDUCTIONS:
        vertices, faces = fast_simplification.simplify(near, faces_in, target_reduction=reduction, agg=3.0)
        candidate = _used(np.asarray(vertices, dtype=np.float64) + origin, np.asarray(faces, dtype=np.int32))
        if not is_solid(candidate):
            continue
        _, distance, _ = closest_points(candidate, probes)
        if float(np.quantile(distance, 0.999)) <= bound_mm:
            return candidate
    return mesh


def _used(vertices: FloatArray, faces: IntArray) -> Mesh:
    """Return a mesh without vertices that no triangle names."""
    names, inverse = np.unique(faces.ravel(), return_inverse=True)
    return Mesh(vertices[names], inverse.reshape(-1, 3).astype(np.int32))
