"""Choose the shape shares of the generic tray's outline on procedural tibiae, and on nothing else.

    python training/tray_outline.py [--draws 150] [--legs 8]

Cuts phantoms of both sides and many shapes as a tray is placed, draws outlines at random and keeps the one whose worst misfit
(overhang and underhang as shares of their limits, best size of the family) is least. ML over AP stays the published mean.
"""

from __future__ import annotations

import argparse
from dataclasses import replace

import numpy as np

from surgiplan_desktop.base.paths import catalogue_roots
from surgiplan_desktop.base.progress import SILENT
from surgiplan_desktop.files.catalogues import load_catalogues
from surgiplan_desktop.model.anatomy import BoneId, BoneName, Side
from surgiplan_desktop.phantom.limb import build_leg
from surgiplan_desktop.phantom.parameters import LegParameters
from surgiplan_desktop.planning.axes import leg_frames
from surgiplan_desktop.planning.catalogue import TrayFamily
from surgiplan_desktop.planning.imported_bone import bone_from_mesh
from surgiplan_desktop.planning.landmarks.merge import merge_landmarks
from surgiplan_desktop.planning.landmarks.tibia import find_tibia
from surgiplan_desktop.planning.limits import default_limits
from surgiplan_desktop.planning.tray import TrayCut, fit_sizes, proposed_size, tray_cut

RANGES = {
    "anterior_exponent": (2.2, 3.0),
    "posterior_exponent": (2.2, 3.0),
    "anterior_share": (0.45, 0.62),
    "anteromedial_share": (0.0, 0.12),
    "notch_depth_share": (0.08, 0.2),
    "notch_width_share": (0.45, 0.65),
}


def cut_of(seed: int, slope_deg: float) -> tuple[Side, TrayCut]:
    """Cut the tibia of one phantom: sides in turn, widths, slopes and shapes drawn from the seed."""
    draw = np.random.default_rng(seed)
    side = Side.RIGHT if seed % 2 else Side.LEFT
    slope = float(draw.uniform(3.0, 11.0))
    parameters = LegParameters(
        side=side,
        mldfa_deg=float(draw.uniform(85.0, 90.0)),
        mpta_deg=float(draw.uniform(82.0, 90.0)),
        slope_medial_deg=slope,
        slope_lateral_deg=slope,
        knee_width_mm=float(draw.uniform(70.0, 84.0)),
        variation=1.0,
        seed=seed,
    )
    mesh = build_leg(parameters, step_mm=1.2).meshes[BoneId(side, BoneName.TIBIA)]
    tibia = bone_from_mesh(BoneId(side, BoneName.TIBIA), mesh.vertices, mesh.faces)
    landmarks = merge_landmarks(side, (), find_tibia(side, tibia))
    return side, tray_cut(landmarks, leg_frames(landmarks), tibia, slope_deg)


def worst_misfit(family: TrayFamily, cuts: list[tuple[Side, TrayCut]]) -> tuple[float, float, float]:
    """Return the worst misfit as a share of the limits, and the worst overhang and underhang in mm, of the proposed sizes."""
    limits = default_limits()
    over, under = 0.0, 0.0
    for side, cut in cuts:
        fits, _ = fit_sizes(family, cut, side, SILENT)
        fit = next(fit for fit in fits if fit.size == proposed_size(fits))
        over, under = max(over, fit.max_overhang_mm), max(under, fit.max_underhang_mm)
    return max(over / limits["tray.proposal_overhang_mm"], under / limits["tray.underhang_amber_mm"]), over, under


def main() -> None:
    """Print the best outline found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=150)
    parser.add_argument("--legs", type=int, default=8)
    options = parser.parse_args()
    components = load_catalogues(catalogue_roots())["generic"].components
    family = next(item for item in components if isinstance(item, TrayFamily))
    cuts = [cut_of(seed, family.slope_deg) for seed in range(1, options.legs + 1)]
    best = worst_misfit(family, cuts)
    print(f"now: worst share {best[0]:.2f}, overhang {best[1]:.2f}, underhang {best[2]:.2f} mm", flush=True)
    best = (np.inf, 0.0, 0.0)
    draw = np.random.default_rng(0)
    for _ in range(options.draws):
        shares = {name: round(float(draw.uniform(low, high)), 2) for name, (low, high) in RANGES.items()}
        found = worst_misfit(replace(family, **shares), cuts)
        if found < best:
            best = found
            print(f"worst share {found[0]:.2f}, overhang {found[1]:.2f}, underhang {found[2]:.2f} mm: {shares}", flush=True)


if __name__ == "__main__":
    main()
