"""Make a model pack of a trained nnU-Net v2: 2D, 3d_fullres, 3d_lowres, or a cascade.

    python training/export_nnunet.py MODEL PACK --name NAME --licence LICENCE --population TEXT --training-data TEXT --limits TEXT
        [--previous MODEL] [--folds 0 1 2 3 4] [--checkpoint checkpoint_final.pth] [--codes femur=1 ...] [--axes SPL]
        [--no-mirrors] [--halve] [--version 1.0.0] [--intended-use TEXT]

MODEL is the folder that holds plans.json, dataset.json and fold_*; a cascade's second stage also takes ``--previous``, the folder
of its first. Needs torch, nnunetv2, onnx and onnxscript. What an nnU-Net can do and the program cannot is refused by name:
several images at once, regions instead of labels, other resampling or normalisation than nnU-Net's own.

``--axes`` is how the training images lay: nnU-Net does not turn images, so it only knows the direction it was trained with. SPL
is what most converters make of axial CT read by SimpleITK: slices upwards, rows backwards, columns to the patient's left.
"""

from __future__ import annotations

import argparse
import itertools
from pathlib import Path
from typing import Any

import torch
from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor
from pack_writing import OWN, UNCALIBRATED, add_pack_options, card_of, head_of, new_pack, write_onnx, write_pack

#: Labels that are bones of the leg by the names that public models give them; a side in the name makes it a label of that side.
KNOWN = {
    "femur": 1, "tibia": 2, "patella": 3, "fibula": 4, "talus": 5, "hip": 6, "hip_bone": 6, "pelvis": 6, "sacrum": 7,
}  # fmt: skip
_SIDES = {"left": 100, "right": 0}
_RESAMPLING = "resample_data_or_seg_to_shape"


class SliceNetwork(torch.nn.Module):
    """A 2D network that takes tiles of one slice, (1, c, 1, j, i)."""

    def __init__(self, network: torch.nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Logits (1, classes, 1, j, i)."""
        result: torch.Tensor = self.network(values.squeeze(2)).unsqueeze(2)
        return result


def main(arguments: list[str] | None = None) -> None:
    """Write the pack."""
    options = _options(arguments)
    with new_pack(options.pack) as partial:
        _write(options, partial)


def _write(options: argparse.Namespace, partial: Path) -> None:
    stages = [stage for stage in (options.previous, options.model) if stage is not None]
    networks: list[dict[str, Any]] = []
    labels: list[str] = []
    mirrors: list[list[int]] = [[]]
    for number, folder in enumerate(stages):
        predictor = nnUNetPredictor(device=torch.device("cpu"), allow_tqdm=False)
        predictor.initialize_from_trained_model_folder(str(folder), _folds(folder, options.folds), options.checkpoint)
        found = checked_labels(predictor)
        if labels and found != labels:
            raise SystemExit("the two stages of the cascade have other labels")
        labels = found
        guided = predictor.configuration_manager.previous_stage_name is not None
        if guided != (number == 1):
            raise SystemExit(f"{folder}: a cascade needs both stages: --previous the first, MODEL the second")
        stage_mirrors = mirror_lists(predictor, mirrored=not options.no_mirrors)
        if number and stage_mirrors != mirrors:
            raise SystemExit("the two stages were trained with other mirrors: use --no-mirrors")
        mirrors = stage_mirrors
        name = ["lowres", "fullres"][number] if len(stages) == 2 else "network"
        networks.append(exported(predictor, partial, name, options, "lowres" if guided else ""))
    codes = label_codes(labels, dict(item.split("=") for item in options.codes))
    head = head_of(options, codes)
    blending = {"what": "logits", "mirrors": mirrors}
    write_pack(
        partial, head, list(zip(labels, codes, strict=True)), networks, blending, UNCALIBRATED, card_of(head, "An nnU-Net v2")
    )


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("pack", type=Path)
    parser.add_argument("--previous", type=Path)
    parser.add_argument("--folds", nargs="*", default=[])
    parser.add_argument("--checkpoint", default="checkpoint_final.pth")
    parser.add_argument("--codes", nargs="*", default=[], metavar="LABEL=CODE")
    parser.add_argument("--no-mirrors", action="store_true", help="one pass a tile instead of all mirrored ones")
    add_pack_options(parser)
    return parser.parse_args(arguments)


def _folds(folder: Path, wanted: list[str]) -> tuple[str, ...]:
    """Folds as nnU-Net wants them; by default all that were trained."""
    found = wanted or sorted(path.name.removeprefix("fold_") for path in folder.glob("fold_*"))
    return tuple(fold for fold in found if wanted or fold != "all") or tuple(found)


def checked_labels(predictor: nnUNetPredictor) -> list[str]:
    """Return the labels in the order of the channels; refuse what the program cannot run."""
    manager = predictor.label_manager
    if manager.has_regions:
        raise SystemExit("this nnU-Net predicts regions that may overlap (sigmoid); a pack has labels that exclude each other")
    if len(predictor.dataset_json.get("channel_names", predictor.dataset_json.get("modality", {}))) != 1:
        raise SystemExit("this nnU-Net wants several images at once; the program has one scan")
    by_value = {int(value): name for name, value in predictor.dataset_json["labels"].items() if not isinstance(value, list)}
    return [by_value[int(value)] for value in manager.foreground_labels]


def mirror_lists(predictor: nnUNetPredictor, *, mirrored: bool) -> list[list[int]]:
    """Return the axes of each pass in the order of nnU-Net's own loop; a slice's axes lie behind that of the slices."""
    axes = [int(axis) for axis in predictor.allowed_mirroring_axes or ()] if mirrored else []
    shift = 3 - len(predictor.configuration_manager.patch_size)
    return [[], *([axis + shift for axis in item] for n in range(len(axes)) for item in itertools.combinations(axes, n + 1))]


def label_codes(labels: list[str], chosen: dict[str, str]) -> list[int]:
    """Return a code for each label: the one chosen, that of a bone of the leg, else one of the pack's own."""
    unknown = set(chosen) - set(labels)
    if unknown:
        raise SystemExit(f"--codes names no label of the model: {', '.join(sorted(unknown))}; it has {', '.join(labels)}")
    codes = []
    own = itertools.count(OWN)
    for label in labels:
        words = label.lower().replace("-", "_").split("_")
        side = next((word for word in words if word in _SIDES), None)
        bone = KNOWN.get("_".join(word for word in words if word not in _SIDES))
        if label in chosen:
            codes.append(int(chosen[label]))
        elif bone is not None and (side is None or bone < 7):
            codes.append(bone + (_SIDES[side] if side else 0))
        else:
            codes.append(next(own))
    return codes


def exported(predictor: nnUNetPredictor, folder: Path, name: str, options: argparse.Namespace, guide: str) -> dict[str, Any]:
    """Write the members of one stage and return its fields of model.toml."""
    plans, configuration = predictor.plans_manager, predictor.configuration_manager
    flat = len(configuration.patch_size) == 2
    tile = [1, *configuration.patch_size] if flat else list(configuration.patch_size)
    channels = 1 + (len(predictor.label_manager.foreground_labels) if guide else 0)
    files = []
    for number, weights in enumerate(predictor.list_of_parameters):
        predictor.network.load_state_dict(weights)
        network = predictor.network.eval()
        files.append(f"{name}_{number}.onnx")
        wrapped = SliceNetwork(network) if flat else network
        write_onnx(wrapped, folder / files[-1], channels, tile, halve=options.halve)
    spacing = [float(value) for value in configuration.spacing]
    return {
        "name": name,
        # a 2D network takes the slices as they are
        "spacing_mm": [0.0, *spacing] if flat else spacing,
        "axes": "".join(options.axes[axis] for axis in plans.transpose_forward),
        "tile": tile,
        "overlap": options.overlap,
        **({"guide": guide} if guide else {}),
        "files": files,
        "normalisation": normalisation(configuration, plans.foreground_intensity_properties_per_channel),
        "resampling": resampling(configuration),
    }


def normalisation(configuration: Any, properties: dict[str, dict[str, float]]) -> dict[str, Any]:
    """Return how values are normalised; the rim outside the image is 0 in every way of nnU-Net's."""
    scheme, masked = configuration.normalization_schemes[0], bool(configuration.use_mask_for_norm[0])
    if scheme == "CTNormalization":
        found = properties["0"]
        return {
            "kind": "fixed",
            "clip": [float(found["percentile_00_5"]), float(found["percentile_99_5"])],
            "subtract": float(found["mean"]),
            "divide": max(float(found["std"]), 1e-8),
            "outside": 0.0,
        }
    if scheme == "NoNormalization":
        return {"kind": "fixed", "subtract": 0.0, "divide": 1.0, "outside": 0.0}
    kinds = {"ZScoreNormalization": "nonzero" if masked else "image", "RescaleTo01Normalization": "range"}
    if scheme not in kinds:
        raise SystemExit(f"the program has no {scheme}")
    return {"kind": kinds[scheme], "outside": 0.0}


def resampling(configuration: Any) -> dict[str, Any]:
    """Return how image and logits are resampled; refuse other ways than nnU-Net's default functions."""
    fields = configuration.configuration
    image, logits = fields["resampling_fn_data_kwargs"], fields["resampling_fn_probabilities_kwargs"]
    names = {fields["resampling_fn_data"], fields["resampling_fn_probabilities"], fields["resampling_fn_seg"]}
    if names != {_RESAMPLING}:
        raise SystemExit(f"the program resamples as {_RESAMPLING} does, this nnU-Net by {', '.join(sorted(names))}")
    if fields["resampling_fn_seg_kwargs"].get("order", 1) != 1:
        raise SystemExit("labels of the first stage are resampled linearly (order 1) alone")
    forced = image.get("force_separate_z")
    if forced != logits.get("force_separate_z"):
        raise SystemExit("image and logits take thick slices apart in different ways")
    return {
        "kind": "nnunet",
        "image": int(image.get("order", 3)),
        "image_across": int(image.get("order_z", 0)),
        "logits": int(logits.get("order", 1)),
        "logits_across": int(logits.get("order_z", 0)),
        "separate": "auto" if forced is None else "always" if forced else "never",
        "ratio": float(image.get("separate_z_anisotropy_threshold", 3)),
    }


if __name__ == "__main__":
    main()
