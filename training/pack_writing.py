"""Write a model pack (docs/models/README.md): networks of PyTorch as ONNX files with halved weights, the manifest, the card.

Shared by all exporters. Needs torch, onnx and onnxscript; nothing of the program.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper

#: Opset of the files: the newest that every engine of the last years runs.
OPSET = 18
#: From here on label codes mean what the pack says.
OWN = 200
#: The calibration of a pack whose chances nobody has held against truth.
UNCALIBRATED: Mapping[str, Any] = {"temperature": 1.0, "method": "none", "data": "none"}
#: Weights of fewer values stay float32: norms and biases cost nothing and would lose most.
_LEAST_HALVED = 1024
#: Largest value of float16; a weight beyond it cannot be halved.
_HALF_MOST = 65504.0


def add_pack_options(parser: argparse.ArgumentParser) -> None:
    """Add what the maker of any pack must say of it."""
    parser.add_argument("--axes", default="SPL")
    parser.add_argument("--overlap", type=float, default=0.5)
    parser.add_argument("--halve", action="store_true", help="store the weights in float16")
    parser.add_argument("--modality", default="CT", choices=("CT", "MR", "any"))
    for name in ("name", "licence", "population", "training-data", "limits"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--version", default="1.0.0")
    parser.add_argument("--intended-use", default="research use only")


def head_of(options: argparse.Namespace, codes: Sequence[int]) -> dict[str, Any]:
    """Return the top of model.toml from the options; a label of one side (code 101 to 199) means that labels tell the side."""
    names = ("name", "version", "licence", "intended_use", "population", "training_data", "limits", "modality")
    return {name: getattr(options, name) for name in names} | {
        "sides": "labels" if any(100 < code < OWN for code in codes) else "geometry"
    }


def card_of(head: Mapping[str, Any], made_from: str) -> str:
    """Return the card of a pack: what it was made from, and the fields of its head."""
    told = (f"**{name.replace('_', ' ').capitalize()}.** {text}" for name, text in list(head.items())[2:])
    return "\n\n".join([f"# {head['name']} {head['version']}", f"{made_from} as a model pack.", *told]) + "\n"


@contextmanager
def new_pack(folder: Path) -> Iterator[Path]:
    """Give a folder to fill that takes the place of the pack's when all went well, and not otherwise."""
    partial = folder.with_name(f"{folder.name}.part")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    yield partial
    shutil.rmtree(folder, ignore_errors=True)
    partial.rename(folder)


def write_onnx(network: torch.nn.Module, path: Path, channels: int, tile: Sequence[int], *, halve: bool = True) -> None:
    """Write a network as one ONNX file that takes float32 (1, channels, k, j, i) and gives float32 logits.

    Parameters
    ----------
    network
        On the CPU; put into evaluation mode.
    path
        File to write; the weights lie inside it.
    tile
        Voxels along (k, j, i); the file is for this tile alone.
    halve
        Store the weights in float16 with a cast to float32 behind them: half the file, computed in float32 as before.
    """
    example = torch.zeros(1, channels, *tile)
    with tempfile.TemporaryDirectory() as folder, torch.no_grad():
        whole = Path(folder) / "network.onnx"
        torch.onnx.export(network.eval(), (example,), whole, input_names=["image"], output_names=["logits"], opset_version=OPSET,
                          dynamo=True, external_data=False, optimize=True, verbose=False)  # fmt: skip
        model = onnx.load(whole)
    _strip(model)
    if halve:
        halve_weights(model)
    onnx.checker.check_model(model, full_check=True)
    path.write_bytes(model.SerializeToString(deterministic=True))


def _strip(model: onnx.ModelProto) -> None:
    """Take out what exporters tell about the machine and source lines: the same network gives the same bytes anywhere."""
    del model.metadata_props[:]
    del model.graph.metadata_props[:]
    del model.graph.value_info[:]
    model.doc_string = ""
    for node in model.graph.node:
        node.doc_string = ""
        del node.metadata_props[:]
    for item in (*model.graph.input, *model.graph.output, *model.graph.initializer):
        item.doc_string = ""
        del item.metadata_props[:]
    domains = {node.domain for node in model.graph.node}
    used = [entry for entry in model.opset_import if entry.domain in domains or entry.domain == ""]
    del model.opset_import[:]
    model.opset_import.extend(used)
    del model.functions[:]


def halve_weights(model: onnx.ModelProto) -> None:
    """Store large float32 weights as float16, each with a Cast in front of what uses it.

    Raises
    ------
    ValueError
        A weight is too large for float16 or not finite.
    """
    casts = []
    for weight in model.graph.initializer:
        if weight.data_type != TensorProto.FLOAT:
            continue
        values = numpy_helper.to_array(weight)
        if values.size < _LEAST_HALVED:
            continue
        if not np.isfinite(values).all() or np.abs(values).max() > _HALF_MOST:
            raise ValueError(f"the weight {weight.name} cannot be stored in float16")
        name = weight.name
        weight.CopyFrom(numpy_helper.from_array(values.astype(np.float16), f"{name}_half"))
        casts.append(helper.make_node("Cast", [f"{name}_half"], [name], name=f"{name}_cast", to=TensorProto.FLOAT))
    nodes = [*casts, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)


def write_half(path: Path) -> Path:
    """Write the float16 form of a network beside it, for cards: all of it in half precision, float32 at its ends.

    The answer moves by about a hundredth of its standard deviation.
    """
    model = onnx.load(path)
    graph = model.graph
    # casts that only turned halved weights into float32 are not needed any more
    widened = {node.output[0]: node.input[0] for node in graph.node if node.op_type == "Cast" and node.input[0].endswith("_half")}
    kept = [node for node in graph.node if not (node.op_type == "Cast" and node.output[0] in widened)]
    image, answer = graph.input[0].name, graph.output[0].name
    names = widened | {image: "image_half", answer: "answer_half"}
    for node in kept:
        for values in (node.input, node.output):
            for number, name in enumerate(values):
                values[number] = names.get(name, name)
    for weight in graph.initializer:
        if weight.data_type == TensorProto.FLOAT:
            weight.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(weight).astype(np.float16), weight.name))
    del graph.node[:]
    graph.node.append(helper.make_node("Cast", [image], ["image_half"], name="to_half", to=TensorProto.FLOAT16))
    graph.node.extend(kept)
    graph.node.append(helper.make_node("Cast", ["answer_half"], [answer], name="from_half", to=TensorProto.FLOAT))
    onnx.checker.check_model(model, full_check=True)
    half = path.with_name(f"{path.stem}.half{path.suffix}")
    half.write_bytes(model.SerializeToString(deterministic=True))
    return half


def write_pack(
    folder: Path,
    head: Mapping[str, Any],
    labels: Sequence[tuple[str, int]],
    networks: Sequence[Mapping[str, Any]],
    blending: Mapping[str, Any],
    calibration: Mapping[str, Any],
    card: str,
) -> None:
    """Write card and manifest of a pack whose ONNX files lie in its folder already.

    Parameters
    ----------
    head
        Fields of the top of model.toml, without ``schema`` and ``card``.
    labels
        Name and code of each class from channel 1.
    networks
        Fields of each network; ``files`` are the names of its members' files, of which the hashes are taken here.
    """
    filled = []
    for network in networks:
        fields = {name: value for name, value in network.items() if name != "files"}
        fields["member"] = [_member(folder / name) for name in network["files"]]
        filled.append(fields)
    table = {
        "schema": 1,
        **head,
        "card": "card.md",
        "label": [{"name": name, "code": code} for name, code in labels],
        "network": filled,
        "blending": dict(blending),
        "calibration": dict(calibration),
    }
    (folder / "card.md").write_text(card, encoding="utf-8", newline="\n")
    (folder / "model.toml").write_text(_toml(table), encoding="utf-8", newline="\n")


def _member(path: Path) -> dict[str, str]:
    """Return the fields of a member: its file, its hash, and that of its float16 form where one lies beside it."""
    half = path.with_name(f"{path.stem}.half{path.suffix}")
    member = {"file": path.name, "sha256": _digest(path)}
    return member | ({"half_sha256": _digest(half)} if half.exists() else {})


def _digest(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _toml(table: Mapping[str, Any], place: str = "") -> str:
    """Return a table as TOML: plain fields, then tables, then lists of tables. Texts and lists are written as in JSON."""
    lines, below = [], []
    for name, value in table.items():
        at = f"{place}.{name}" if place else name
        if isinstance(value, Mapping):
            below.append(f"\n[{at}]\n{_toml(value, at)}")
        elif isinstance(value, list) and value and isinstance(value[0], Mapping):
            below += [f"\n[[{at}]]\n{_toml(item, at)}" for item in value]
        else:
            lines.append(f"{name} = {json.dumps(value, ensure_ascii=False)}\n")
    return "".join(lines + below)
