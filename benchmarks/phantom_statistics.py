"""The phantom's CT beside a real one: thickness, widths and Hounsfield values, measured in the same way on both; and pictures.

    python benchmarks/phantom_statistics.py DATA_FOLDER [--pictures docs/phantom]

DATA_FOLDER holds ``visible-human-legs`` (validation only: nothing of the phantom was fitted to it). Prints the table of
docs/phantom.md; with ``--pictures`` writes its side-by-side pictures.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from phantom_pictures import write_pictures
from scipy import ndimage

from surgiplan_desktop.imaging.best_series import best_series
from surgiplan_desktop.imaging.dicom_blocks import plan_blocks
from surgiplan_desktop.imaging.dicom_read import read_block
from surgiplan_desktop.imaging.dicom_scan import scan_folder
from surgiplan_desktop.imaging.sources import Sources
from surgiplan_desktop.model.anatomy import BoneId, BoneName, Side, label_code
from surgiplan_desktop.model.images import LabelMap, Volume
from surgiplan_desktop.phantom.ct import simulate
from surgiplan_desktop.phantom.limb import Leg, build_leg
from surgiplan_desktop.phantom.parameters import LegParameters
from surgiplan_desktop.segmentation.bones import find_bones

#: Between cortex and marrow, HU: what of a bone's section is denser is cortex.
_CORTEX_HU = 600.0
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Scanned:
    """A scan with bones found by the path without AI, and one tibia of it."""

    name: str
    volume: Volume
    labels: LabelMap
    side: Side
    findings: tuple[str, ...]

    def bone(self, name: BoneName) -> NDArray[np.bool_]:
        """Voxels of a bone of the side."""
        return self.labels.array == label_code(BoneId(self.side, name))


def real_scans(folder: Path) -> list[Scanned]:
    """Read the Visible Human legs: the same scan, seen once for each side."""
    scan = scan_folder(folder)
    plan = plan_blocks(best_series([series for series in scan.series if series.verdict == "ok"]))[0]
    with Sources(scan.path) as sources:
        volume = read_block(sources, plan)
    return _found([f"Visible Human {side}" for side in Side], volume, list(Side))


def phantom_scan(leg: Leg, name: str, seed: int) -> Scanned:
    """Scan a phantom at 1 mm, as the real one was."""
    return _found([name], simulate(leg, 1.0, seed=seed).volumes[0], [leg.side])[0]


def _found(names: list[str], volume: Volume, sides: list[Side]) -> list[Scanned]:
    found = find_bones([volume])
    codes = tuple(finding.code for finding in found.findings)
    return [Scanned(name, volume, found.labels[0], side, codes) for name, side in zip(names, sides, strict=True)]


def statistics(scan: Scanned) -> dict[str, str]:
    """Measure a tibia, its neighbours and the soft tissue; 1 mm voxels, slices across the leg."""
    tibia = scan.bone(BoneName.TIBIA)
    heights = np.flatnonzero(tibia.any(axis=(1, 2)))
    low, high = int(heights[0]), int(heights[-1])
    hu = scan.volume.array.astype(np.float32)

    def at(share: float) -> int:
        return round(low + share * (high - low))

    rows: dict[str, str] = {}
    for share in (0.25, 0.5, 0.75):
        thickness, canal, outer = _ring(tibia[at(share)], hu[at(share)])
        rows[f"tibia at {share:.0%}: cortex, mm"] = f"{thickness:.1f}"
        rows[f"tibia at {share:.0%}: canal, mm"] = f"{canal:.1f}"
        rows[f"tibia at {share:.0%}: outer, mm"] = f"{outer:.1f}"
    across, deep = _extent(tibia[high - 16 : high - 8].any(axis=0))
    rows["plateau: mediolateral, mm"] = f"{across:.1f}"
    rows["plateau: anteroposterior, mm"] = f"{deep:.1f}"
    shaft = slice(at(0.45), at(0.55))
    depth = ndimage.distance_transform_edt(tibia[shaft])
    rows["cortex, HU"] = _spread(hu[shaft][(depth > 1.5) & (depth < 3.0)])
    canal_mask = ndimage.binary_erosion(tibia[shaft] & (hu[shaft] < 300.0), iterations=2)
    rows["marrow of the shaft, HU"] = _spread(hu[shaft][canal_mask])
    box = (slice(high - 60, high + 1), *ndimage.find_objects(tibia.astype(np.uint8))[0][1:])
    head = np.pad(tibia[box], 1)
    deep_in_head = ndimage.distance_transform_edt(head)[1:-1, 1:-1, 1:-1]
    # the plateau is the part of the head within 15 mm of its top; the cut below is no surface
    upper, lower = slice(46, 61), slice(20, 40)
    shallow = (deep_in_head[upper] > 2) & (deep_in_head[upper] < 5)
    rows["tibial head, 2-5 mm below the surface, HU"] = _spread(hu[box][upper][shallow])
    rows["tibial metaphysis, deeper than 8 mm, HU"] = _spread(hu[box][lower][deep_in_head[lower] > 8])
    rows["cortex of the tibial head: brightest within 3 mm, HU"] = _brightest(hu[box], head[1:-1, 1:-1, 1:-1], slice(25, 50))
    calf = slice(at(0.6), at(0.75))
    bone = ndimage.binary_dilation(scan.labels.array[calf] > 0, iterations=4)
    near = _near(scan, calf)
    muscle = ndimage.binary_erosion((hu[calf] > 0) & (hu[calf] < 120), iterations=2) & ~bone & near
    fat = ndimage.binary_erosion((hu[calf] > -190) & (hu[calf] < -30), iterations=1) & ~bone & near
    rows["muscle of the calf, HU"] = _spread(hu[calf][muscle])
    rows["fat of the calf, HU"] = _spread(hu[calf][fat])
    rows["noise in muscle (slice to slice), HU"] = f"{_noise(hu[calf], muscle):.1f}"
    femur = scan.bone(BoneName.FEMUR)
    if np.count_nonzero(femur.any(axis=(1, 2))) > 300:
        ends = np.flatnonzero(femur.any(axis=(1, 2)))
        middle = round(0.45 * ends[0] + 0.55 * ends[-1])
        for row, value in zip(("cortex", "canal", "outer"), _ring(femur[middle], hu[middle]), strict=True):
            rows[f"femur at 55%: {row}, mm"] = f"{value:.1f}"
    fibula, talus = scan.bone(BoneName.FIBULA), scan.bone(BoneName.TALUS)
    rows["joint tibia-fibula, nearest, mm"] = f"{_gap(tibia, fibula):.1f}"
    rows["joint tibia-talus, nearest, mm"] = f"{_gap(tibia, talus):.1f}"
    rows["darkest between tibia and talus (median), HU"] = _valley(hu, tibia, talus)
    rows["findings"] = ", ".join(scan.findings) or "none"
    return rows


def _ring(section: NDArray[np.bool_], hu: NDArray[np.float32]) -> tuple[float, float, float]:
    """Mean thickness of the cortex, width of canal and of the whole section, as of circles of the same area."""
    whole = float(section.sum())
    # partial voxels count by their value between marrow and cortex
    dense = float(np.percentile(hu[section], 90))
    marrow = np.clip((dense - hu) / (dense + 50.0), 0.0, 1.0)[ndimage.binary_erosion(section, iterations=2)]
    canal = 2.0 * float(np.sqrt(marrow.sum() / np.pi))
    outer = 2.0 * float(np.sqrt(whole / np.pi))
    return 0.5 * (outer - canal), canal, outer


def _extent(section: NDArray[np.bool_]) -> tuple[float, float]:
    """Largest and smallest width of a section over all directions, mm."""
    points = np.argwhere(section).astype(float)
    widths = [np.ptp(points @ [np.sin(a), np.cos(a)]) + 1.0 for a in np.radians(np.arange(0, 180, 2))]
    widest = int(np.argmax(widths))
    return widths[widest], widths[(widest + 45) % 90]


def _spread(values: NDArray[np.float32]) -> str:
    """Median and the range that holds the middle 90 %: one displaced slice of the real scan moves neither."""
    low, middle, high = np.percentile(values, (5, 50, 95))
    return f"{middle:.0f} ({low:.0f} to {high:.0f})"


def _brightest(hu: NDArray[np.float32], bone: NDArray[np.bool_], rows: slice) -> str:
    """Of the surface voxels, the median and 5th percentile of the largest value within 3 mm: how thin a cortex looks."""
    largest = ndimage.maximum_filter(np.where(bone, hu, -1000.0), size=(3, 5, 5))
    surface = bone & ~ndimage.binary_erosion(bone)
    values = largest[rows][surface[rows]]
    return f"{np.median(values):.0f}, 5 % below {np.percentile(values, 5):.0f}"


def _near(scan: Scanned, rows: slice) -> NDArray[np.bool_]:
    """Pixels nearer to this leg's tibia than 75 mm: the other leg is no part of it."""
    columns = np.flatnonzero(scan.bone(BoneName.TIBIA)[rows].any(axis=(0, 1)))
    near = np.zeros(scan.volume.shape[2], dtype=bool)
    near[max(int(columns[0]) - 75, 0) : int(columns[-1]) + 76] = True
    return near[None, None, :]


def _noise(hu: NDArray[np.float32], mask: NDArray[np.bool_]) -> float:
    both = mask[1:] & mask[:-1]
    difference = np.diff(hu, axis=0)[both]
    return float(1.4826 * np.median(np.abs(difference)) / np.sqrt(2.0))


def _gap(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    if not one.any() or not other.any():
        return float("nan")
    box = tuple(slice(max(part.start - 12, 0), part.stop + 12) for part in ndimage.find_objects(other.astype(np.uint8))[0])
    return float(ndimage.distance_transform_edt(~one[box])[other[box]].min())


def _valley(hu: NDArray[np.float32], tibia: NDArray[np.bool_], talus: NDArray[np.bool_]) -> str:
    """Down each column of voxels through the ankle joint, the darkest value between the two bones."""
    if not talus.any():
        return "none"
    box = tuple(slice(max(part.start - 2, 0), part.stop + 12) for part in ndimage.find_objects(talus.astype(np.uint8))[0])
    values = []
    for column in np.argwhere(talus[box].any(axis=0) & tibia[box].any(axis=0)):
        line = (slice(None), *column)
        top, bottom = np.flatnonzero(talus[box][line])[-1], np.flatnonzero(tibia[box][line])[0]
        if 0 < bottom - top < 9:
            values.append(hu[box][line][top : bottom + 1].min())
    return f"{np.median(values):.0f}" if values else "none"


def condyles(leg: Leg) -> dict[str, str]:
    """Radii of spheres and circles through the posterior condyles of a phantom, mm."""
    mesh = leg.meshes[BoneId(leg.side, BoneName.FEMUR)]
    rows = {}
    for name in ("medial", "lateral"):
        back = leg.truth_landmarks[f"{name}_posterior_condyle"]
        near = mesh.vertices[np.linalg.norm(mesh.vertices - back, axis=1) < 14.0]
        design = np.column_stack([2.0 * near, np.ones(len(near))])
        solution = np.linalg.lstsq(design, (near**2).sum(axis=1), rcond=None)[0]
        radius = float(np.sqrt(solution[3] + solution[:3] @ solution[:3]))
        rows[f"{name} posterior condyle, radius of a sphere, mm"] = f"{radius:.1f}"
    return rows


def main() -> None:
    """Print the table; write the pictures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--pictures", type=Path)
    options = parser.parse_args()
    scans = real_scans(options.data / "visible-human-legs")
    tables = [statistics(scan) for scan in scans]
    for name, parameters in (("phantom (mean)", LegParameters()), ("phantom (small, seed 5)", _small())):
        leg = build_leg(parameters, step_mm=1.0)
        scans.append(phantom_scan(leg, name, parameters.seed))
        tables.append(statistics(scans[-1]) | condyles(leg))
    print("| | " + " | ".join(scan.name for scan in scans) + " |")
    print("|---|" + "---|" * len(scans))
    for row in tables[-1]:
        print(f"| {row} | " + " | ".join(table.get(row, "not in the scan") for table in tables) + " |")
    if options.pictures is not None:
        options.pictures.mkdir(parents=True, exist_ok=True)
        real, phantom = scans[0], scans[2]
        write_pictures(
            options.pictures,
            (real.volume.array, real.labels.array, real.side),
            (phantom.volume.array, phantom.labels.array, phantom.side),
        )


def _small() -> LegParameters:
    return LegParameters(side=Side.LEFT, seed=5, variation=1.0, knee_width_mm=70.0, tibia_length_mm=345.0, femur_length_mm=410.0)


if __name__ == "__main__":
    main()
