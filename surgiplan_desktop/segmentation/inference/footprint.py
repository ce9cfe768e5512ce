"""What a network takes in memory for one tile, before it runs: tensors that live at the same time, from its graph.

The graph is read and shaped by OpenVINO, not run. Kernels add scratch memory of their own, so the sum is taken with a measured
factor; without OpenVINO a coarser rule from the network's size has to do.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from surgiplan_desktop.segmentation.inference.engine import EngineFailure, failure_of
from surgiplan_desktop.segmentation.inference.openvino_engine import core

#: Measured peak over the sum of tensors alive at once: 0.8-1.6 in ONNX Runtime, 1.6 in OpenVINO, on U-Nets of 8 and 117 classes.
_SCRATCH: Final = 1.7
#: What a library takes of its own once it has compiled a network.
_LIBRARY: Final = 64 << 20
#: Weights are held as read and once more in the layout of the processor.
_WEIGHTS: Final = 2.5
#: Without a graph: feature maps of full size that a U-Net holds at once.
_MAPS_AT_ONCE: Final = 96


def run_bytes(path: Path, shape: Sequence[int]) -> int:
    """Bytes that a loaded network takes at most while it runs a tile (n, c, k, j, i).

    Raises
    ------
    EngineFailure
        ``failed`` where the network cannot take a tile of this shape.
    """
    weights = int(_WEIGHTS * path.stat().st_size)
    try:
        library = core()
    except EngineFailure:
        return _LIBRARY + weights + 4 * math.prod(shape[2:]) * _MAPS_AT_ONCE
    try:
        model = library.read_model(str(path))
        model.reshape([int(size) for size in shape])
        return _LIBRARY + weights + int(_SCRATCH * _alive_at_once(model.get_ordered_ops()))
    except (RuntimeError, ValueError) as error:
        raise failure_of(error) from error


def _alive_at_once(operations: Sequence[Any]) -> int:
    """Largest sum of bytes of tensors that are made and still needed, going through the operations in order."""
    last_use: dict[tuple[str, int], int] = {}
    for step, operation in enumerate(operations):
        for value in operation.inputs():
            source = value.get_source_output()
            last_use[source.get_node().get_name(), source.get_index()] = step
    alive: dict[tuple[str, int], int] = {}
    peak = 0
    for step, operation in enumerate(operations):
        if operation.get_type_name() == "Constant":
            continue
        for output in operation.outputs():
            alive[operation.get_name(), output.get_index()] = _bytes_of(output)
        peak = max(peak, sum(alive.values()))
        for key in [key for key in alive if last_use.get(key, step) <= step]:
            del alive[key]
    return peak


def _bytes_of(output: Any) -> int:
    shape = output.get_partial_shape()
    if shape.is_dynamic:
        return 0
    return int(math.prod(int(size) for size in shape.to_shape())) * 4
