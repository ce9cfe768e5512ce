"""Write phantoms in every encoding, plane, position, tilt and fault, import them, and measure how far landmarks have moved.

The shift of the image around each landmark is found by least squares against the simulated volume itself (gradients of the
reference explain the difference), so it holds the whole road: writer, file, scan, repair, reader. Prints a Markdown table.

    python benchmarks/import_round_trips.py [--only syntax|orientation|position|tilt|defect|blocks] [--spacing 1.5]
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
from scipy import ndimage

from surgiplan_desktop.app.import_study import choose, load, scan
from surgiplan_desktop.app.make_phantom import ScanWish, write_phantom
from surgiplan_desktop.base.errors import SurgiPlanError
from surgiplan_desktop.base.spaces import Affine
from surgiplan_desktop.files.asset_store import AssetStore
from surgiplan_desktop.imaging.dicom_defects import DEFECTS
from surgiplan_desktop.imaging.encoding import SYNTAXES
from surgiplan_desktop.imaging.reorient import ORIENTATIONS, PATIENT_POSITIONS
from surgiplan_desktop.model.images import Volume
from surgiplan_desktop.phantom.ct import CtScene, simulate
from surgiplan_desktop.phantom.limb import build_leg
from surgiplan_desktop.phantom.parameters import LegParameters

_PARAMETERS = LegParameters(seed=7)
_KNEE = CtScene(region="knee", region_mm=200.0, noise_hu=0.0)
_HALF_MM = 12.0


def shift_mm(reference: Volume, other: Volume, point: np.ndarray) -> float | None:
    """How far the image around a point has moved, mm; None where one of the volumes does not show its surroundings."""
    offsets = np.stack(np.meshgrid(*[np.arange(-_HALF_MM, _HALF_MM + 0.5)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    first, second = (_sampled(volume, point + offsets) for volume in (reference, other))
    if first is None or second is None:
        return None
    shape = (round(len(offsets) ** (1 / 3)),) * 3
    smooth = [ndimage.gaussian_filter(values.reshape(shape), 1.5) for values in (first, second)]
    inner = (slice(3, -3),) * 3
    gradient = [component[inner].ravel() for component in np.gradient(smooth[0])]
    columns = np.column_stack([*gradient, np.ones(gradient[0].size), smooth[0][inner].ravel()])
    answer, *_ = np.linalg.lstsq(columns, smooth[1][inner].ravel(), rcond=None)
    return float(np.linalg.norm(answer[:3]))


def _sampled(volume: Volume, points: np.ndarray) -> np.ndarray | None:
    index = volume.affine.inverse()(points)
    if (index < 0).any() or (index > np.array(volume.shape) - 1).any():
        return None
    return ndimage.map_coordinates(volume.array.astype(np.float32), index.T, order=1)


def imported(folder: Path, work: Path) -> tuple[list[Volume], str]:
    """Import what a folder holds, with consent to a repair, and say how."""
    result = scan(folder)
    work.mkdir()
    store = AssetStore(work)
    verdict = max(result.series, key=lambda series: series.slices).verdict
    loaded = load(result, choose(result, accept_repair=True), store)
    blocks = [Volume(store.load(block.voxels), Affine(np.array(block.affine))) for block in loaded.blocks]
    return blocks, verdict


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", default="")
    parser.add_argument("--spacing", type=float, default=1.5)
    options = parser.parse_args()
    wishes: dict[str, list[tuple[str, ScanWish, int]]] = {
        "syntax": [(name, ScanWish(syntax=name, scene=_KNEE), 1) for name in SYNTAXES],
        "orientation": [(name, ScanWish(orientation=name, scene=_KNEE), 1) for name in ORIENTATIONS],
        "position": [(name, ScanWish(patient_position=name, scene=_KNEE), 1) for name in PATIENT_POSITIONS],
        "tilt": [(f"{tilt:g} deg", ScanWish(tilt_deg=tilt, scene=_KNEE), 1) for tilt in (-12.0, 18.5)],
        "defect": [(name, ScanWish(defect=name, scene=_KNEE), 1) for name in DEFECTS],
        "blocks": [("3 blocks", ScanWish(), 3)],
    }
    leg = build_leg(_PARAMETERS, step_mm=3.0)
    print("| what | name | verdict | landmarks | largest shift, mm | s |\n|---|---|---|---|---|---|")
    for what, list_of_wishes in wishes.items():
        if options.only not in ("", what):
            continue
        for name, wish, blocks in list_of_wishes:
            start = time.perf_counter()
            truth = simulate(
                leg, options.spacing, seed=_PARAMETERS.seed, blocks=blocks, tilt_deg=wish.tilt_deg, scene=wish.scene
            ).volumes
            with tempfile.TemporaryDirectory() as folder:
                place = Path(folder)
                write_phantom(_PARAMETERS, place / "p", spacing_mm=options.spacing, blocks=blocks, wish=wish, mesh_step_mm=3.0)
                try:
                    volumes, verdict = imported(place / "p" / "dicom", place / "store")
                except SurgiPlanError as error:
                    print(f"| {what} | {name} | {error.message_id} | - | - | {time.perf_counter() - start:.0f} |", flush=True)
                    continue
                shifts = [
                    found
                    for point in leg.truth_landmarks.values()
                    for reference in truth
                    for volume in volumes
                    if (found := shift_mm(reference, volume, np.asarray(point))) is not None
                ]
            worst, seconds = max(shifts, default=np.nan), time.perf_counter() - start
            print(f"| {what} | {name} | {verdict} | {len(shifts)} | {worst:.3f} | {seconds:.0f} |", flush=True)


if __name__ == "__main__":
    main()
