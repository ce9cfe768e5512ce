"""Pictures of the import for docs/screenshots, on simulated scans (python -m tests.gui.screenshots_import [target] [scans])."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from surgiplan_desktop.imaging.dicom_blocks import plan_blocks
from surgiplan_desktop.imaging.dicom_read import read_block
from surgiplan_desktop.imaging.dicom_scan import scan_folder
from surgiplan_desktop.imaging.sources import Sources
from tests.gui.driver import RealWindow, Screen
from tests.gui.screenshots import TARGET

_PHANTOMS = {
    "three blocks": ["--blocks", "3", "--spacing", "2"],
    "whole leg": ["--spacing", "2"],
    "tilted, slices missing": ["--tilt", "12", "--spacing", "2", "--defect", "missing"],
}

#: Pixels of the film, mm.
_FILM_MM = 0.4


def write_phantoms(folder: Path) -> None:
    """Write the simulated scans that the pictures show, unless they are there."""
    for name, options in _PHANTOMS.items():
        if not (folder / name).exists():
            command = [sys.executable, "-m", "surgiplan_desktop", "phantom", "-o", str(folder / name), *options]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def write_film(scan: Path, path: Path) -> None:
    """Write a picture of a film: the simulated CT seen from the front, with a ball of 25 mm beside the knee."""
    result = scan_folder(scan)
    with Sources(result.path) as sources:
        volume = read_block(sources, plan_blocks(result.series)[0])
    dense = np.clip(volume.array[::-1].astype(np.float32) + 950.0, 0.0, 2500.0).mean(axis=1)
    grey = 255.0 * (dense / dense.max()) ** 0.7
    between_rows, _, between_columns = volume.spacing_kji_mm
    size = round(grey.shape[1] * between_columns / _FILM_MM), round(grey.shape[0] * between_rows / _FILM_MM)
    film = np.asarray(Image.fromarray(grey.astype(np.uint8)).resize(size, Image.Resampling.BICUBIC)).copy()
    y, x = np.mgrid[0 : size[1], 0 : size[0]]
    film[(x - size[0] * 0.85) ** 2 + (y - size[1] * 0.45) ** 2 < (12.5 / _FILM_MM) ** 2] = 250
    Image.fromarray(film).save(path)


def place_film_points(window: RealWindow, scan: Path, film: Path) -> None:
    """Click the eight points where the truth of the phantom has them on the film of :func:`write_film`."""
    names = {
        "head": "hip_centre", "knee": "tibial_knee_centre", "ankle": "ankle_centre", "femur_medial": "medial_distal_condyle",
        "femur_lateral": "lateral_distal_condyle", "tibia_medial": "medial_plateau_edge",
        "tibia_lateral": "lateral_plateau_edge", "tuberosity": "tibial_tuberosity",
    }  # fmt: skip
    truth = json.loads((scan.parent / "truth.json").read_text())["landmarks"]
    result = scan_folder(scan)
    with Sources(result.path) as sources:
        volume = read_block(sources, plan_blocks(result.series)[0])
    low, high = volume.affine(np.zeros(3)), volume.affine(np.array(volume.array.shape) - 1.0)
    with Image.open(film) as picture:
        columns, rows = picture.size
    x, y, width, height = window.state()["widgets"]["film_view"]["rect"]
    scale = max(columns / width, rows / height)
    window.click("film_place")
    for landmark in names.values():
        point = truth[landmark]
        column, row = (point[0] - low[0]) / _FILM_MM, (high[2] - point[2]) / _FILM_MM
        window.screen.tool("mousemove", round(x + width / 2 + (column - columns / 2) / scale),
                           round(y + height / 2 + (row - rows / 2) / scale))  # fmt: skip
        time.sleep(0.3)
        window.screen.tool("click", 1)
        time.sleep(0.6)


def main(target: Path = TARGET, sources: Path | None = None) -> None:
    """Drop each kind of file on the window and keep a picture of what it shows."""

    def keep(name: str) -> None:
        time.sleep(1.5)
        window.picture(target / f"{name}.png")
        with Image.open(target / f"{name}.png") as picture:
            picture.quantize(255).save(target / f"{name}.png")  # a third of the size

    def drop(*paths: Path, shows: str, over: Callable[[], object] = lambda: None) -> None:
        window.drop(*paths, onto="study_pages", over=over)
        window.wait(lambda state: shows in state["widgets"], 60, shows)
        time.sleep(3.0)

    with tempfile.TemporaryDirectory() as name, Screen() as screen:
        folder = sources or Path(name) / "scans"
        folder.mkdir(exist_ok=True)
        write_phantoms(folder)
        tilted = folder / "tilted, slices missing"
        write_film(folder / "whole leg" / "dicom", folder / "standing film.png")
        with RealWindow(screen, Path(name) / "window") as window:
            window.click("side_right")
            window.click("procedure_mowhto")
            drop(folder / "standing film.png", shows="film_attach", over=lambda: keep("12-drop"))
            window.click("film_side_right")
            window.click("film_attach")
            window.wait(lambda state: "film_mark_ball" in state["widgets"], 30, "the attached film")
            keep("13-film-locked")
            place_film_points(window, folder / "whole leg" / "dicom", folder / "standing film.png")
            window.wait(lambda state: "varus" in state["widgets"].get("film_measures", {}).get("text", ""), 30, "film measures")
            keep("22-film-points")
            window.click("film_close")
            drop(folder / "three blocks" / "dicom", shows="series_2_verdict")
            keep("14-browser-blocks")
            window.click("look_button")
            keep("15-browser-light")
            window.click("look_button")
            time.sleep(2.0)
            drop(tilted / "dicom", shows="series_0_consent")
            window.click("series_0_files_0")
            keep("16-browser-repair")
            window.click("series_0_consent", at=(0.02, 0.5))
            window.click("study_primary")
            window.wait_enabled("study_primary", 120, "find the bones")
            time.sleep(4.0)
            keep("17-quality")
            drop(*sorted((tilted / "meshes").glob("right_*.stl")), shows="mesh_unit")
            window.wait_idle(120)
            keep("18-meshes")
            window.click("mesh_close")
            window.click("help_button")
            keep("19-help")
            window.key("Escape")
            window.click("side_left")
            window.click("resolve_sides")
            window.click("resolve_left")
            keep("20-sides")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:3]))
