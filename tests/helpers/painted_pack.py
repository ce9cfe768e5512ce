"""A pack whose networks read the bone off the Hounsfield value, and scans painted for it: the whole road with real engines.

Every class has a value of its own and a voxel belongs to the nearest one, which a convolution of one voxel can say:
``logit = s (2 v x - v x v)``. So whatever classes a test paints, right ones or wrong ones, the networks answer.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

from surgiplan_desktop.model.images import Volume
from tests.helpers import tiny_onnx

#: Hounsfield value of each class: background, femur, tibia, patella, fibula, talus, hip bone, other bone.
VALUES = (40, 350, 500, 650, 800, 950, 1100, 1250)
_SHARP = 2000.0
_LABELS = (("femur", 1), ("tibia", 2), ("patella", 3), ("fibula", 4), ("talus", 5), ("hip_bone", 6), ("other_bone", 200))
_HEAD = """schema = 1
name = "painted"
version = "0.1"
licence = "Apache-2.0"
intended_use = "tests of this program"
population = "none"
training_data = "none"
limits = "not for scans of people"
modality = "CT"
sides = "geometry"
card = "card.md"
"""
_NETWORK = """
[[network]]
name = "{name}"
spacing_mm = [{step}, {step}, {step}]
axes = "SPL"
tile = [{tile}]
overlap = 0.5
{guide}

[network.normalisation]
kind = "fixed"
clip = [-400.0, 1600.0]
subtract = 600.0
divide = 1000.0
outside = -1.0

[[network.member]]
file = "{name}.onnx"
sha256 = "{digest}"
"""
_TAIL = """
[blending]
what = "probabilities"
mirrors = [[]]
uncertainty_mirrors = [[2]]

[calibration]
temperature = 1.0
method = "none"
data = "none"
"""


def write_painted_pack(folder: Path, *, coarse_mm: float = 6.0, fine_mm: float = 2.0) -> Path:
    """Write the pack into a folder named ``painted``, such as ``<data folder>/models/painted``."""
    folder.mkdir(parents=True, exist_ok=True)
    levels = (np.array(VALUES) - 600.0) / 1000.0
    text = _HEAD + "".join(f'\n[[label]]\nname = "{name}"\ncode = {code}\n' for name, code in _LABELS)
    for name, step, tile, guide in (("coarse", coarse_mm, (40, 24, 24), ""), ("fine", fine_mm, (32, 32, 32), "coarse")):
        weights = np.zeros((len(VALUES), 1 if not guide else len(VALUES), 1, 1, 1), dtype=np.float32)
        weights[:, 0, 0, 0, 0] = _SHARP * 2.0 * levels
        path = tiny_onnx.classifier(folder / f"{name}.onnx", weights, tile=tile, bias=-_SHARP * levels**2)
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        text += _NETWORK.format(
            name=name, step=step, tile=", ".join(map(str, tile)), guide=f'guide = "{guide}"' if guide else "", digest=digest
        )
    (folder / "model.toml").write_text(text + _TAIL, encoding="utf-8")
    (folder / "card.md").write_text("# painted\n")
    return folder


def painted(classes: np.ndarray, like: Volume) -> Volume:
    """A scan in which every class has its value; air beyond the flesh."""
    values = np.array(VALUES, dtype=np.int16)[classes]
    values[(classes == 0) & (like.array < -300)] = -1000
    return Volume(values, like.affine)
