"""Compare the program's inference with MONAI's sliding_window_inference and PyTorch on the processor: same network, same input.

    python benchmarks/compare_monai.py SCAN PACK [--threads 2] [--only tiles|pipeline]

SCAN is a volume file (NIfTI, NRRD, MetaImage), PACK the folder of the pack leg-ct. Needs an environment with torch, monai, onnx
and this program's own parts for inference. The weights are read out of the pack's ONNX files, so both run the same network.

*tiles*: the fine network over the whole scan, every tile run, MONAI's tile positions and the program's weights in both; seconds
of OpenVINO and ONNX Runtime in parts of MONAI's, and the share of equal labels. *pipeline*: the program with coarse pass and
tiles skipped, resampling included, against MONAI with the fine network over the full volume (given the coarse names for free):
seconds, and Dice of each class against MONAI's labels, over the whole scan and near the legs, where the program looks at all.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import SimpleITK
import torch
from monai.data.utils import dense_patch_slices
from monai.inferers import sliding_window_inference
from onnx import numpy_helper

from surgiplan_desktop.base.spaces import Affine
from surgiplan_desktop.model.images import Volume
from surgiplan_desktop.segmentation import leg_networks
from surgiplan_desktop.segmentation.blending import Blending, label_volume
from surgiplan_desktop.segmentation.inference.choose import Runner, Settings, engine_named, engines, open_network, settings_for
from surgiplan_desktop.segmentation.inference.engine import EngineSession
from surgiplan_desktop.segmentation.leg_networks import Guide
from surgiplan_desktop.segmentation.network_grid import Float32Image, carried_over, network_grid, seen_by_network
from surgiplan_desktop.segmentation.network_input import normalised, tile_reader
from surgiplan_desktop.segmentation.packs import ModelPack, PackNetwork, read_pack
from surgiplan_desktop.segmentation.tile_grid import TileGrid, tile_weights
from surgiplan_desktop.segmentation.tiles import MemoryPlan, run_tiles

sys.path.append(str(Path(__file__).resolve().parents[1] / "training" / "leg_ct"))
from networks import DESIGNS, UNet


def read_scan(path: Path) -> Volume:
    """Read a volume file; SimpleITK's space is patient LPS already."""
    image = SimpleITK.ReadImage(str(path))
    steps = np.array(image.GetDirection()).reshape(3, 3) * np.array(image.GetSpacing())
    values = SimpleITK.GetArrayFromImage(image).astype(np.int16)
    return Volume(values, Affine.from_parts(steps[:, ::-1], np.array(image.GetOrigin())))


def torch_network(pack: ModelPack, network: PackNetwork) -> UNet:
    """Return the PyTorch network with the weights of the pack's file."""
    found = {}
    for item in onnx.load(pack.path(network.members[0])).graph.initializer:
        values = numpy_helper.to_array(item)
        if values.dtype in (np.float16, np.float32):
            found[item.name.removesuffix("_half")] = torch.from_numpy(values.astype(np.float32))
    result = UNet(DESIGNS[network.name])
    result.load_state_dict(found)
    return result.eval()


Networks = dict[str, list[Runner]]


def opened(pack: ModelPack, settings: Settings) -> Networks:
    """All networks of a pack, by name."""
    return {
        network.name: [open_network(pack.path(network.members[0]), pack.tile_shape(network), wish="cpu", settings=settings)]
        for network in pack.networks
    }


def fine_input(volume: Volume, pack: ModelPack, guide: Guide) -> tuple[Float32Image, np.ndarray]:
    """Image as the fine network sees it, and the coarse network's names on the same grid."""
    fine = pack.networks[-1]
    target = network_grid(volume, fine.axes, fine.spacing_mm)
    seen = normalised(seen_by_network(volume, target, outside=-1024.0), fine.normalisation)
    return seen, carried_over(guide.classes, guide.grid, target)


def by_monai(
    network: Callable[[torch.Tensor], torch.Tensor], fine: PackNetwork, image: Float32Image, names: np.ndarray, labels: int
) -> tuple[np.ndarray, float]:
    """What MONAI blends over all tiles, (classes, k, j, i), and seconds."""
    channels = [image, *((names == label).astype(np.float32) for label in range(1, labels + 1))]
    whole = torch.from_numpy(np.stack(channels)[None])
    weights = torch.from_numpy(tile_weights(fine.tile))
    start = time.perf_counter()
    with torch.inference_mode():
        logits = sliding_window_inference(whole, fine.tile, 1, network, overlap=fine.overlap, mode="gaussian",
                                          roi_weight_map=weights)  # fmt: skip
    return logits[0].numpy(), time.perf_counter() - start


def by_program(
    session: EngineSession, pack: ModelPack, fine: PackNetwork, image: Float32Image, names: np.ndarray
) -> tuple[np.ndarray, float, int]:
    """Labels, seconds and number of tiles of the program over MONAI's tiles."""
    interval = [int(edge * (1.0 - fine.overlap)) for edge in fine.tile]
    parts = dense_patch_slices(image.shape, fine.tile, interval)
    grid = TileGrid(image.shape, fine.tile, tuple(tuple(int(axis.start) for axis in part) for part in parts))
    start = time.perf_counter()
    read = tile_reader(image, grid, fine.normalisation.outside, guide=names, labels=len(pack.labels))
    plan = MemoryPlan(grid.shape[1], len(grid.starts), 0)
    blocks = run_tiles([session], read, grid, pack.classes, plan, Blending())
    found = label_volume(blocks, grid, pack.classes, Blending()).classes
    return found, time.perf_counter() - start, len(grid.starts)


def compare_tiles(volume: Volume, pack: ModelPack, networks: Networks, threads: int) -> None:
    """Every tile run."""
    fine = pack.networks[-1]
    image, names = fine_input(volume, pack, leg_networks.coarse_names(volume, pack, networks))
    logits, seconds = by_monai(torch_network(pack, fine), fine, image, names, len(pack.labels))
    truth = logits.argmax(axis=0)
    print(f"{'x'.join(map(str, image.shape))} voxels; MONAI with PyTorch {torch.__version__}: {seconds:.2f} s", flush=True)
    for name in ("openvino", "onnxruntime"):
        path, shape = pack.path(fine.members[0]), pack.tile_shape(fine)
        session = engine_named(name, engines()).load(path, shape, "cpu", "full", threads)
        found, own, tiles = by_program(session, pack, fine, image, names)
        same = 100.0 * np.mean(found == truth)
        print(f"{name}: {own:.2f} s for {tiles} tiles, {own / seconds:.2f} of MONAI's, same label {same:.4f} %", flush=True)


def compare_pipeline(volume: Volume, pack: ModelPack, networks: Networks) -> None:
    """Coarse pass and tiles skipped against the full volume."""
    start = time.perf_counter()
    guide = leg_networks.coarse_names(volume, pack, networks)
    found = leg_networks.fine_answer(volume, pack, networks, guide, uncertainty=False)
    own = time.perf_counter() - start
    ours = np.where(found.answer.chance >= 128, found.answer.best, 0)
    image, names = fine_input(volume, pack, guide)
    near = leg_networks.near_legs(names, found.grid, leg_networks.pack_bones(pack))
    network = torch_network(pack, pack.networks[-1])

    def softened(values: torch.Tensor) -> torch.Tensor:
        return (network(values) / pack.blending.temperature).softmax(dim=1)

    shares, seconds = by_monai(softened, pack.networks[-1], image, names, len(pack.labels))
    # read as the program reads them: bone where all bones together are likelier than not, by the likeliest of them
    truth = np.where(shares[1:].sum(axis=0) >= 0.5, shares[1:].argmax(axis=0) + 1, 0)
    print(f"{'x'.join(map(str, image.shape))} voxels; MONAI {seconds:.1f} s, the program {own:.1f} s: {own / seconds:.3f}")
    print(f"bone against the rest: Dice {dice(ours > 0, truth > 0):.5f}, near the legs {dice(ours > 0, (truth > 0) & near):.5f}")
    for number, label in enumerate(pack.labels, start=1):
        other = truth == number
        if other.any():
            whole, part = dice(ours == number, other), dice(ours == number, other & near)
            print(f"  {label.name:12} Dice {whole:.5f} ({other.sum()} voxels), near the legs {part:.5f} ({(other & near).sum()})")


def dice(one: np.ndarray, other: np.ndarray) -> float:
    """Dice of two masks."""
    return float(2.0 * np.sum(one & other) / max(1, one.sum() + other.sum()))


def main() -> None:
    """Compare one scan."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scan", type=Path)
    parser.add_argument("pack", type=Path)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--only", choices=("tiles", "pipeline"))
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    volume, pack = read_scan(options.scan), read_pack(options.pack)
    networks = opened(pack, settings_for())
    if options.only != "pipeline":
        compare_tiles(volume, pack, networks, options.threads)
    if options.only != "tiles":
        compare_pipeline(volume, pack, networks)


if __name__ == "__main__":
    main()
