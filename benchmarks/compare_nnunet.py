"""Compare packs made of nnU-Net v2 models with nnunetv2's own predictor: random weights, the same scan, every kind of model.

    python benchmarks/compare_nnunet.py [--kinds 2d fullres lowres cascade thick]

Needs an environment with torch, nnunetv2, onnx, onnxscript and this program. A model folder with random weights is written,
exported by training/export_nnunet.py and run by the program over a made scan; nnunetv2's predictor runs the same model over the
same voxels. Told are the largest difference of the logits in parts of their standard deviation, on the network's grid, and the
share of equal labels on the scan's; once against the predictor as it is (sums in half precision), once with float32 sums.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from nnunetv2.inference import predict_from_raw_data as theirs
from nnunetv2.inference.data_iterators import PreprocessAdapterFromNpy
from nnunetv2.utilities.get_network_from_plans import get_network_from_plans

from surgiplan_desktop.base.spaces import Affine
from surgiplan_desktop.model.images import Volume
from surgiplan_desktop.segmentation import nnunet_pass
from surgiplan_desktop.segmentation.inference.choose import open_network, settings_for
from surgiplan_desktop.segmentation.logits_back import classes_on_scan
from surgiplan_desktop.segmentation.pack_check import verify_pack
from surgiplan_desktop.segmentation.packs import read_pack

sys.path.append(str(Path(__file__).resolve().parents[1] / "training"))
import export_nnunet

_LABELS = {"background": 0, "femur": 1, "tibia": 2, "other": 3}
_TRANSPOSED = [2, 0, 1]
_RESAMPLING = "resample_data_or_seg_to_shape"


def _configuration(spacing: list[float], tile: list[int], **more: Any) -> dict[str, Any]:
    dims = len(tile)
    strides = [[1] * dims, [2] * dims, [2] * dims]
    return {
        "data_identifier": "made",
        "preprocessor_name": "DefaultPreprocessor",
        "batch_size": 2,
        "patch_size": tile,
        "median_image_size_in_voxels": tile,
        "spacing": spacing,
        "normalization_schemes": ["CTNormalization"],
        "use_mask_for_norm": [False],
        "resampling_fn_data": _RESAMPLING,
        "resampling_fn_seg": _RESAMPLING,
        "resampling_fn_probabilities": _RESAMPLING,
        "resampling_fn_data_kwargs": {"is_seg": False, "order": 3, "order_z": 0, "force_separate_z": None},
        "resampling_fn_seg_kwargs": {"is_seg": True, "order": 1, "order_z": 0, "force_separate_z": None},
        "resampling_fn_probabilities_kwargs": {"is_seg": False, "order": 1, "order_z": 0, "force_separate_z": None},
        "batch_dice": False,
        "architecture": {
            "network_class_name": "dynamic_network_architectures.architectures.unet.PlainConvUNet",
            "arch_kwargs": {
                "n_stages": 3,
                "features_per_stage": [8, 16, 24],
                "conv_op": f"torch.nn.modules.conv.Conv{dims}d",
                "kernel_sizes": [[3] * dims] * 3,
                "strides": strides,
                "n_conv_per_stage": [2, 2, 2],
                "n_conv_per_stage_decoder": [2, 2],
                "conv_bias": True,
                "norm_op": f"torch.nn.modules.instancenorm.InstanceNorm{dims}d",
                "norm_op_kwargs": {"eps": 1e-5, "affine": True},
                "dropout_op": None,
                "dropout_op_kwargs": None,
                "nonlin": "torch.nn.LeakyReLU",
                "nonlin_kwargs": {"inplace": True},
            },
            "_kw_requires_import": ["conv_op", "norm_op", "dropout_op", "nonlin"],
        },
        **more,
    }


#: Configurations and, for each kind of comparison, those that it takes and the voxel edges of its scan.
_CONFIGURATIONS = {
    "2d": _configuration([1.1, 0.9], [48, 40]),
    "3d_fullres": _configuration([1.2, 1.0, 1.1], [32, 40, 32]),
    "3d_lowres": _configuration([2.4, 2.1, 2.2], [24, 24, 24], next_stage="3d_cascade_fullres"),
    "3d_cascade_fullres": _configuration([1.2, 1.0, 1.1], [32, 40, 32], previous_stage="3d_lowres"),
    "3d_thick": _configuration([1.1, 4.2, 1.0], [40, 16, 40], normalization_schemes=["ZScoreNormalization"]),
}
_KINDS = {
    "2d": (["2d"], (2.0, 0.8, 0.8)),
    "fullres": (["3d_fullres"], (1.5, 0.8, 0.8)),
    "lowres": (["3d_lowres"], (1.5, 0.8, 0.8)),
    "cascade": (["3d_lowres", "3d_cascade_fullres"], (1.5, 0.8, 0.8)),
    "thick": (["3d_thick"], (5.0, 0.8, 0.8)),
}


def write_model(folder: Path, configuration: str, seed: int) -> Path:
    """Write a model folder of nnU-Net with random weights."""
    where = folder / configuration
    (where / "fold_0").mkdir(parents=True)
    dataset = {"channel_names": {"0": "CT"}, "labels": _LABELS, "numTraining": 1, "file_ending": ".nii.gz"}
    properties = {"mean": 310.0, "std": 280.0, "median": 300.0, "min": -200.0, "max": 2000.0, "percentile_00_5": -150.0,
                  "percentile_99_5": 1400.0}  # fmt: skip
    plans = {
        "dataset_name": "Dataset999_made",
        "plans_name": "nnUNetPlans",
        "original_median_spacing_after_transp": [1.0, 1.0, 1.0],
        "original_median_shape_after_transp": [64, 64, 64],
        "image_reader_writer": "SimpleITKIO",
        "transpose_forward": _TRANSPOSED,
        "transpose_backward": [_TRANSPOSED.index(axis) for axis in range(3)],
        "configurations": _CONFIGURATIONS,
        "experiment_planner_used": "ExperimentPlanner",
        "label_manager": "LabelManager",
        "foreground_intensity_properties_per_channel": {"0": properties},
    }
    (where / "plans.json").write_text(json.dumps(plans))
    (where / "dataset.json").write_text(json.dumps(dataset))
    guided = "previous_stage" in _CONFIGURATIONS[configuration]
    made = _CONFIGURATIONS[configuration]["architecture"]
    torch.manual_seed(seed)
    network = get_network_from_plans(
        made["network_class_name"], made["arch_kwargs"], made["_kw_requires_import"],
        1 + (len(_LABELS) - 1 if guided else 0), len(_LABELS), allow_init=True, deep_supervision=False,
    )  # fmt: skip
    with torch.no_grad():
        for value in network.parameters():
            value.normal_(0.0, 0.15)
    state = {
        "network_weights": network.state_dict(),
        "trainer_name": "nnUNetTrainer",
        "init_args": {"configuration": configuration},
        "inference_allowed_mirroring_axes": (0, 1) if len(_CONFIGURATIONS[configuration]["patch_size"]) == 2 else (0, 2),
    }
    torch.save(state, where / "fold_0" / "checkpoint_final.pth")
    return where


def made_scan(spacing: tuple[float, float, float]) -> Volume:
    """Make a scan of smooth hills with a rim of zeros and a soft slope, int16, axes S P L."""
    random = np.random.default_rng(5)
    shape = tuple(round(50.0 / step) for step in spacing)
    smooth = torch.from_numpy(random.standard_normal((1, 1, 9, 11, 10)).astype(np.float32))
    hills = torch.nn.functional.interpolate(smooth, size=shape, mode="trilinear")[0, 0].numpy()
    values = (350.0 * hills + 60.0 * random.standard_normal(shape) + 200.0).round().astype(np.int16)
    values[:, :3] = values[:, :, -2:] = 0
    values[:1] = 0
    return Volume(values, Affine.from_parts(np.diag(spacing)[::-1], np.zeros(3)))


@contextlib.contextmanager
def full_sums() -> Iterator[None]:
    """Let nnunetv2's predictor hold its sums in float32 instead of half precision."""
    half, gaussian = torch.half, theirs.compute_gaussian

    def full_gaussian(*args: Any, **named: Any) -> torch.Tensor:
        return gaussian(*args, **named, dtype=torch.float32)

    torch.half, theirs.compute_gaussian = torch.float32, full_gaussian
    try:
        yield
    finally:
        torch.half, theirs.compute_gaussian = half, gaussian


def their_answer(folder: Path, volume: Volume, before: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """Logits (classes, k, j, i) on the network's grid and labels on the scan's, by nnunetv2's predictor."""
    predictor = theirs.nnUNetPredictor(device=torch.device("cpu"), allow_tqdm=False)
    predictor.initialize_from_trained_model_folder(str(folder), ("0",), "checkpoint_final.pth")
    image = volume.array[None].astype(np.float32)
    properties = {"spacing": [float(step) for step in volume.spacing_kji_mm]}
    earlier = None if before is None else before[None].astype(np.int16)
    prepared = PreprocessAdapterFromNpy(
        [image], [earlier], [properties], [None], predictor.plans_manager, predictor.dataset_json,
        predictor.configuration_manager, num_threads_in_multithreaded=1,
    )  # fmt: skip
    item = next(prepared)
    logits = predictor.predict_logits_from_preprocessed_data(item["data"])
    labels = theirs.convert_predicted_logits_to_segmentation_with_correct_shape(
        logits, predictor.plans_manager, predictor.configuration_manager, predictor.label_manager, item["data_properties"]
    )
    return logits.float().numpy(), np.asarray(labels)


def our_answer(pack_folder: Path, volume: Volume) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Logits of each network on its own grid, and its labels on the scan's, by the program."""
    pack = read_pack(pack_folder)
    verify_pack(pack)
    settings = settings_for()
    runners: Mapping[str, Any] = {
        network.name: [
            open_network(pack.path(member), pack.tile_shape(network), wish="cpu", settings=settings) for member in network.members
        ]
        for network in pack.networks
    }
    kept: list[np.ndarray] = []

    def watched(blocks: Any, source: tuple[int, int, int], target: Any, orders: Any) -> np.ndarray:
        logits = np.zeros((pack.classes, *source), dtype=np.float32)

        def passing() -> Iterator[Any]:
            for block in blocks:
                _, depth, height, _ = block.mean.shape
                logits[:, block.k : block.k + depth, block.j : block.j + height] = block.mean
                yield block

        labels = classes_on_scan(passing(), source, target, orders)
        kept.append(logits)
        return labels

    nnunet_pass.classes_on_scan = watched
    try:
        labels = []
        for number in range(len(pack.networks)):
            kept.clear()
            part = replace(pack, networks=pack.networks[: number + 1])
            labels.append(nnunet_pass.classes_of_scan(volume, part, runners))
    finally:
        nnunet_pass.classes_on_scan = classes_on_scan
    return kept, labels


def compare(kind: str, folder: Path) -> None:
    """Run one kind both ways and print its figures."""
    names, spacing = _KINDS[kind]
    models = [write_model(folder, name, seed) for seed, name in enumerate(names)]
    pack = folder / "pack"
    words = [
        "--name",
        kind,
        "--licence",
        "none",
        "--population",
        "none",
        "--training-data",
        "random weights",
        "--limits",
        "a test",
    ]
    export_nnunet.main([str(models[-1]), str(pack), *words, *(["--previous", str(models[0])] if len(models) == 2 else [])])
    volume = made_scan(spacing)
    ours, our_labels = our_answer(pack, volume)
    for words, sums in (("as it is", contextlib.nullcontext()), ("float32 sums", full_sums())):
        with sums:
            for number, model in enumerate(models):
                # both second stages get the same labels, else one voxel of the first would be a difference of the second
                logits, labels = their_answer(model, volume, our_labels[number - 1] if number else None)
                difference = np.abs(ours[number] - logits).max() / logits.std()
                print(f"{kind:8} {names[number]:18} {words:13} difference {difference:.2e} of the standard deviation, ", end="")
                same = 100.0 * np.mean(ours[number].argmax(axis=0) == logits.argmax(axis=0))
                told = 100.0 * np.mean(our_labels[number] == labels)
                print(f"same class {same:.4f} % of {logits[0].size}, same label {told:.4f} % of {labels.size}", flush=True)


def main() -> None:
    """Compare the kinds that were asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kinds", nargs="+", choices=tuple(_KINDS), default=list(_KINDS))
    for kind in parser.parse_args().kinds:
        with tempfile.TemporaryDirectory() as folder:
            compare(kind, Path(folder))


if __name__ == "__main__":
    main()
