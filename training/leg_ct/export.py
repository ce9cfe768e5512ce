"""Make the pack leg-ct from checkpoints: ONNX files, manifest, card.

    python training/leg_ct/export.py RUN PACK [--shapes SHAPES] [--seeds 0] [--version 0.1.0] [--state preliminary]

Takes the averaged weights of ``RUN/coarse_<seed>.pt`` and ``RUN/fine_<seed>.pt`` (each seed a member) and, where it is there,
``RUN/calibration.json`` (calibrate.py). Weights are stored in float16 and computed in float32. The folder PACK is replaced whole.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from string import Template
from typing import Any

import torch
from networks import CLASSES, DESIGNS, Design, UNet
from rendering import AIR_HU, WINDOW_HU

sys.path.append(str(Path(__file__).resolve().parents[1]))
from pack_writing import UNCALIBRATED, new_pack, write_half, write_onnx, write_pack

_MOST_BYTES = 8 * 1000 * 1000
#: Names and codes of the classes from channel 1. The last is no bone of the leg: the program drops what bears it.
LABELS = (("femur", 1), ("tibia", 2), ("patella", 3), ("fibula", 4), ("talus", 5), ("hip_bone", 6), ("other_bone", 200))
#: Least share of the edge that neighbouring tiles have in common.
OVERLAP = {"coarse": 0.5, "fine": 0.5}
LICENCE = "Apache-2.0"
POPULATION = (
    "adults; one or both legs, whole or in part (hip, knee, ankle), lying in any position, slices of 0.4 to 3 mm, "
    "with or without metal in view"
)
TRAINING_DATA = (
    "$drawn procedural right legs of this program's phantom (hip bone to talus, with a plain foot)$real, mirrored, scaled, "
    "bent, and rendered as random CT; no CT of a person"
)
REAL_BONES = (
    " and $count more with real bones in the place of drawn ones (whole femora: unibas-gravis, Apache-2.0; fibulae and patellae "
    "of the Visible Human man: Andreassen et al. 2022, doi:10.1038/s41597-022-01905-2, CC BY 4.0)"
)
LIMITS = (
    "not for open growth plates, MR, fractures, tumours, prostheses of the joint itself or feet; trained on synthetic images "
    "alone; spine, arms and foot are not named"
)
_CARD = Path(__file__).parent / "pack" / "card.md"


def load_network(run: Path, name: str, seed: int) -> tuple[UNet, int]:
    """Return the averaged network of a checkpoint, for use, and the number of steps that it has seen."""
    state = torch.load(run / f"{name}_{seed}.pt", map_location="cpu", weights_only=True)
    network = UNet(DESIGNS[name])
    network.load_state_dict(state["average"])
    return network.eval(), int(state["step"])


def manifest_network(name: str, design: Design, files: list[str]) -> dict[str, Any]:
    """Return the fields of a network in model.toml; the normalisation is that of rendering.normalised."""
    low, high = WINDOW_HU
    middle, half = 0.5 * (low + high), 0.5 * (high - low)
    outside = (max(low, AIR_HU) - middle) / half
    return {
        "name": name,
        "spacing_mm": [design.step_mm] * 3,
        "axes": "SPL",
        "tile": list(design.tile),
        "overlap": OVERLAP[name],
        "tiles": "steps",
        **({"guide": "coarse"} if design.guided else {}),
        "files": files,
        "normalisation": {"kind": "fixed", "clip": [low, high], "subtract": middle, "divide": half, "outside": outside},
    }


def main() -> None:
    """Write the pack."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("pack", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--version", default="0.1.0")
    parser.add_argument("--state", default="preliminary")
    parser.add_argument("--shapes", type=Path, help="the shapes that it was trained on, counted for the card")
    options = parser.parse_args()
    with new_pack(options.pack) as partial:
        _write(options, partial)


def _write(options: argparse.Namespace, partial: Path) -> None:
    networks, told = [], []
    for name, design in DESIGNS.items():
        files = []
        for seed in options.seeds:
            network, steps = load_network(options.run, name, seed)
            files.append(f"{name}_{seed}.onnx")
            path = partial / files[-1]
            write_onnx(network, path, 1 + (CLASSES - 1 if design.guided else 0), design.tile)
            write_half(path)
            size = path.stat().st_size
            if size > _MOST_BYTES:
                raise SystemExit(f"{path.name} has {size} bytes, more than {_MOST_BYTES}")
            told.append(f"{name}, {design.step_mm:g} mm, {steps} steps")
        networks.append(manifest_network(name, design, files))
    calibration = read_calibration(options.run / "calibration.json")
    head = {
        "name": "leg-ct",
        "version": options.version,
        "licence": LICENCE,
        "intended_use": "bones of the leg in CT, for planning that a surgeon checks; research use only",
        "population": POPULATION,
        "training_data": told_shapes(options.shapes),
        "limits": LIMITS,
        "modality": "CT",
        "sides": "geometry",
    }
    words = f"temperature {calibration['temperature']:g}; {calibration['method']}; {calibration['data']}"
    card = Template(_CARD.read_text(encoding="utf-8")).substitute(
        head, state=options.state, networks="; ".join(told), calibration=words
    )
    blending = {"what": "probabilities", "mirrors": [[]], "uncertainty_mirrors": [[2]]}
    write_pack(partial, head, LABELS, networks, blending, calibration, card)


def told_shapes(folder: Path | None) -> str:
    """Tell how many legs of which kind lie in a folder of shapes."""
    drawn = len(list(folder.glob("leg_*.npz"))) if folder else 0
    real = len(list(folder.glob("real_*.npz"))) if folder else 0
    more = Template(REAL_BONES).substitute(count=real) if real else ""
    return Template(TRAINING_DATA).substitute(drawn=drawn or "some hundred", real=more)


def read_calibration(path: Path) -> dict[str, Any]:
    """Return the calibration as model.toml wants it; temperature 1 where none was made."""
    if not path.exists():
        return dict(UNCALIBRATED)
    found = json.loads(path.read_text(encoding="utf-8"))
    return {name: found[name] for name in ("temperature", "method", "data")}


if __name__ == "__main__":
    main()
