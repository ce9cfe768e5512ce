"""Make a model pack of a PyTorch network: V-Net, SegResNet, Attention U-Net and others of MONAI, or a function of your own.

    python training/export_torch.py WEIGHTS PACK --network VNet|SegResNet|AttentionUnet|...|my_module:function
        --arguments '{"spatial_dims": 3, "in_channels": 1, "out_channels": 3}' --labels femur=1 tibia=2
        --tile 96 96 96 --spacing 1.5 1.5 1.5 --clip -400 1600 --subtract 600 --divide 1000
        --name NAME --licence LICENCE --population TEXT --training-data TEXT --limits TEXT
        [--answer logits|softmax|log_softmax] [--axes SPL] [--overlap 0.5] [--per-image] [--halve] [--version 1.0.0]

WEIGHTS is a file of ``torch.save``: a state dict, or a dict that holds one under state_dict, model, network or net. Labels are in
the order of the channels, the background is channel 0 and not named. A network with several answers (deep supervision) gives its
first. Needs torch, onnx, onnxscript, onnxruntime, and monai for its networks. What the exported file answers to noise is compared
with the network itself, and refused above a thousandth of the answer's standard deviation (with --halve: a twentieth).
"""

from __future__ import annotations

import argparse
import importlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import torch
from pack_writing import UNCALIBRATED, add_pack_options, card_of, head_of, new_pack, write_onnx, write_pack

#: Largest difference between file and network in parts of the answer's standard deviation.
_MOST, _MOST_HALVED = 1e-3, 5e-2
_TABLES = ("state_dict", "model_state_dict", "model", "network", "net")


class FirstAnswer(torch.nn.Module):
    """A network whose first answer, turned to logits, is the answer."""

    def __init__(self, network: torch.nn.Module, answer: str) -> None:
        super().__init__()
        self.network = network
        self.answer = answer

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Logits (1, classes, k, j, i); the logarithm of chances is as good as logits, for a softmax gives the chances back."""
        found = self.network(values)
        first: torch.Tensor = found[0] if isinstance(found, tuple | list) else found
        return first.clamp_min(1e-7).log() if self.answer == "softmax" else first


def main(arguments: list[str] | None = None) -> None:
    """Write the pack."""
    options = _options(arguments)
    network = FirstAnswer(made_network(options.network, json.loads(options.arguments)), options.answer)
    network.network.load_state_dict(weights_of(torch.load(options.weights, map_location="cpu", weights_only=True)))
    network.eval()
    labels = [(name, int(code)) for name, code in (item.split("=") for item in options.labels)]
    with new_pack(options.pack) as partial:
        path = partial / "network_0.onnx"
        write_onnx(network, path, 1, options.tile, halve=options.halve)
        difference = largest_difference(network, path, options.tile, len(labels) + 1)
        print(f"the file differs from the network by {difference:.1e} of the answer's standard deviation")
        if difference > (_MOST_HALVED if options.halve else _MOST):
            raise SystemExit("the exported file does not answer as the network does")
        normalisation = {"kind": "image" if options.per_image else "fixed"}
        normalisation |= {"clip": options.clip} if options.clip else {}
        normalisation |= {} if options.per_image else {"subtract": options.subtract, "divide": options.divide}
        fields = {
            "name": "network",
            "spacing_mm": options.spacing,
            "axes": options.axes,
            "tile": options.tile,
            "overlap": options.overlap,
            "tiles": "steps",
            "files": [path.name],
            "normalisation": normalisation | {"outside": options.outside},
        }
        head = head_of(options, [code for _, code in labels])
        blending = {"what": "logits", "mirrors": [[]]}
        write_pack(partial, head, labels, [fields], blending, UNCALIBRATED, card_of(head, f"A {options.network}"))


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("weights", type=Path)
    parser.add_argument("pack", type=Path)
    parser.add_argument("--network", required=True)
    parser.add_argument("--arguments", default="{}")
    parser.add_argument("--labels", nargs="+", required=True, metavar="NAME=CODE")
    parser.add_argument("--tile", nargs=3, type=int, required=True)
    parser.add_argument("--spacing", nargs=3, type=float, required=True)
    parser.add_argument("--clip", nargs=2, type=float)
    parser.add_argument("--subtract", type=float, default=0.0)
    parser.add_argument("--divide", type=float, default=1.0)
    parser.add_argument("--outside", type=float, default=0.0, help="what the network saw outside of images, normalised")
    parser.add_argument("--per-image", action="store_true", help="mean 0 and standard deviation 1 of each image")
    parser.add_argument("--answer", default="logits", choices=("logits", "softmax", "log_softmax"))
    add_pack_options(parser)
    return parser.parse_args(arguments)


def made_network(name: str, arguments: dict[str, Any]) -> torch.nn.Module:
    """Return a network of MONAI by its name, or what ``module:function`` makes."""
    module, _, function = name.rpartition(":")
    maker = getattr(importlib.import_module(module or "monai.networks.nets"), function)
    result: torch.nn.Module = maker(**arguments)
    return result


def weights_of(found: dict[str, Any]) -> dict[str, torch.Tensor]:
    """Return the state dict in what was saved; names that parallel training put in front are taken off."""
    for name in _TABLES:
        if name in found and isinstance(found[name], dict):
            found = found[name]
            break
    return {name.removeprefix("module."): value for name, value in found.items()}


def largest_difference(network: torch.nn.Module, path: Path, tile: list[int], classes: int) -> float:
    """Return how far the file's answer to noise lies from the network's, in parts of its standard deviation."""
    values = torch.randn(1, 1, *tile, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        truth = network(values).numpy()
    if truth.shape != (1, classes, *tile):
        raise SystemExit(f"the network answers {truth.shape}, tile and labels say {(1, classes, *tile)}")
    found = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"]).run(None, {"image": values.numpy()})[0]
    return float(np.abs(found - truth).max() / truth.std())


if __name__ == "__main__":
    main()
