"""A model pack of two tiny networks: the first sees the image, the second also the names that the first gave."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

from tests.helpers import tiny_onnx

MANIFEST = """
schema = 1
name = "tiny"
version = "1.0.0"
licence = "Apache-2.0"
intended_use = "tests of this program"
population = "nobody"
training_data = "none: the weights are written by hand"
limits = "knows no anatomy"
modality = "CT"
sides = "geometry"
card = "card.md"

[[label]]
name = "femur"
code = 1

[[label]]
name = "tibia"
code = 2

[[network]]
name = "coarse"
spacing_mm = [4.0, 4.0, 4.0]
axes = "SPL"
tile = [8, 8, 8]
overlap = 0.5
[network.normalisation]
kind = "fixed"
clip = [-400.0, 1600.0]
subtract = 600.0
divide = 1000.0
outside = -1.0
[[network.member]]
file = "coarse.onnx"
sha256 = "COARSE"

[[network]]
name = "fine"
spacing_mm = [1.5, 1.5, 1.5]
axes = "SPL"
tile = [8, 12, 8]
overlap = 0.25
guide = "coarse"
[network.normalisation]
kind = "image"
outside = 0.0
[[network.member]]
file = "fine.onnx"
sha256 = "FINE"

[blending]
what = "probabilities"
mirrors = [[], [2]]

[calibration]
temperature = 1.5
method = "temperature scaling"
data = "none"
"""


def write_pack(folder: Path, **changes: str) -> Path:
    """Write the pack into a folder; the values of ``changes`` replace text of the manifest: ``old => new``."""
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(0)
    tiny_onnx.classifier(folder / "coarse.onnx", random.normal(size=(3, 1, 3, 3, 3)), tile=(8, 8, 8))
    tiny_onnx.classifier(folder / "fine.onnx", random.normal(size=(3, 3, 1, 1, 1)))
    (folder / "card.md").write_text("# tiny\n")
    write_manifest(folder, **changes)
    return folder


def write_manifest(folder: Path, **changes: str) -> None:
    """Write the manifest with the hashes of the files as they are now."""
    text = MANIFEST
    for name in ("coarse", "fine"):
        text = text.replace(name.upper(), hashlib.sha256((folder / f"{name}.onnx").read_bytes()).hexdigest())
    for change in changes.values():
        old, new = change.split(" => ")
        assert old in text
        text = text.replace(old, new)
    (folder / "model.toml").write_text(text, encoding="utf-8")
