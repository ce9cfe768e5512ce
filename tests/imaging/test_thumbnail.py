"""The small pictures: the same part of the patient is at the same place whatever way the slice was stored."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from surgiplan_desktop.app.thumbnails import read_thumbnail
from surgiplan_desktop.base.spaces import Affine
from surgiplan_desktop.imaging.dicom_scan import scan_folder
from surgiplan_desktop.imaging.dicom_write import write_ct_series
from surgiplan_desktop.imaging.thumbnail import thumbnail_of
from surgiplan_desktop.model.images import Volume

_AXES = {"R": (-1, 0, 0), "L": (1, 0, 0), "A": (0, -1, 0), "P": (0, 1, 0), "S": (0, 0, 1), "I": (0, 0, -1)}


def _scan(tmp_path: Path, columns: str, rows: str, slices: str) -> tuple[object, object]:
    """A bright corner at the patient's left, posterior, superior end of 30 x 20 x 5 voxels stored along the directions named."""
    linear = np.stack([np.array(_AXES[name], dtype=float) * step for name, step in ((slices, 3.0), (rows, 1.0), (columns, 1.0))])
    affine = np.eye(4)
    affine[:3, :3] = linear.T
    array = np.full((5, 20, 30), -1000, dtype=np.int16)
    bright = [slice(None)] * 3
    for axis, name in enumerate((slices, rows, columns)):
        size = array.shape[axis]
        bright[axis] = slice(size // 2, size) if name in "LPS" else slice(0, (size + 1) // 2)
    array[tuple(bright)] = 1500
    array[:, ::19, ::29] = np.where(array[:, ::19, ::29] > 0, 1500, -1000)
    write_ct_series(Volume(array, Affine(affine)), tmp_path)
    result = scan_folder(tmp_path)
    return result, result.series[0]


@pytest.mark.parametrize(
    ("columns", "rows", "slices", "edges", "corner"),
    [
        ("L", "P", "S", "RALP", (1, 1)),
        ("R", "P", "S", "RALP", (1, 1)),
        ("P", "L", "S", "RALP", (1, 1)),
        ("R", "A", "I", "RALP", (1, 1)),
        ("L", "I", "A", "RSLI", (0, 1)),
        ("S", "R", "P", "RSLI", (0, 1)),
        ("P", "I", "L", "ASPI", (0, 1)),
        ("A", "S", "R", "ASPI", (0, 1)),
    ],
)
def test_it_is_turned_radiologically(
    tmp_path: Path, columns: str, rows: str, slices: str, edges: str, corner: tuple[int, int]
) -> None:
    result, series = _scan(tmp_path, columns, rows, slices)
    made = read_thumbnail(result, series)
    assert "".join(made.letters) == edges
    high, wide = made.pixels.shape
    assert max(high, wide) == 192
    quarter = [
        [made.pixels[i * high // 2 : (i + 1) * high // 2, j * wide // 2 : (j + 1) * wide // 2].mean() for j in (0, 1)]
        for i in (0, 1)
    ]
    assert np.unravel_index(np.argmax(quarter), (2, 2)) == corner


def test_pixels_that_are_not_square_are_shown_in_mm_and_oblique_edges_bear_no_letter(tmp_path: Path) -> None:
    _, series = _scan(tmp_path, "L", "P", "S")
    header = replace(series.first, pixel_spacing=(3.0, 1.0))
    made = thumbnail_of(np.zeros((20, 30), dtype=np.int16), header, 120)
    assert made.pixels.shape == (120, 60)
    half = 0.5**0.5
    oblique = replace(header, orientation=(half, half, 0.0, -half, half, 0.0))
    assert thumbnail_of(np.zeros((20, 30), dtype=np.int16), oblique, 120).letters == ("", "", "", "")


def test_films_are_bright_bone_and_spread_over_their_own_values(tmp_path: Path) -> None:
    _, series = _scan(tmp_path, "L", "P", "S")
    film = replace(series.first, modality="DX", photometric="MONOCHROME1", orientation=None)
    values = np.linspace(4000, 100, 600).reshape(20, 30)
    made = thumbnail_of(values, film, 60)
    assert made.pixels[0].mean() < 20
    assert made.pixels[-1].mean() > 235
