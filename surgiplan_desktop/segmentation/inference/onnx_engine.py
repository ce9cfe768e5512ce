"""ONNX Runtime: processor, CUDA, TensorRT.

The list of *available* providers names what a package was built with, not what runs (microsoft/onnxruntime #23372): a session
falls back to the CPU without an error. So each session is asked what it really uses, and a fall-back is a failure here.
"""

from __future__ import annotations

import contextlib
import io
import threading
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnxruntime
from onnxruntime.capi import onnxruntime_pybind11_state

from surgiplan_desktop.base.progress import Cancelled
from surgiplan_desktop.segmentation.inference.engine import (
    Device,
    EngineFailure,
    Float32Array,
    Precision,
    Running,
    Shape,
    checked_output,
    failure_of,
    half_file,
)
from surgiplan_desktop.segmentation.inference.hardware import nvidia_cards, processor_name

PROVIDERS: Final[dict[str, str]] = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "tensorrt": "TensorrtExecutionProvider",
}
# The exceptions of the library stand beside each other without a common root.
ERRORS: Final[tuple[type[BaseException], ...]] = (
    RuntimeError,
    ValueError,
    MemoryError,
    *(item for item in vars(onnxruntime_pybind11_state).values() if isinstance(item, type) and issubclass(item, Exception)),
)


class OnnxEngine:
    """ONNX Runtime as an engine."""

    name = "onnxruntime"

    def version(self) -> str:
        """Version of the package."""
        return str(onnxruntime.__version__)

    def devices(self) -> tuple[Device, ...]:
        """CUDA where a card is, and the processor. TensorRT only by name: it takes minutes to build an engine."""
        return ("cuda", "cpu") if nvidia_cards() else ("cpu",)

    def load(self, path: Path, shape: Shape, device: Device, precision: Precision, threads: int) -> OnnxSession:
        """Load a network; EngineFailure where the session would use another device than the one asked for."""
        provider = PROVIDERS.get(device)
        if provider is None:
            raise EngineFailure("absent", f"ONNX Runtime has no device {device}")
        cards = () if device == "cpu" else nvidia_cards()
        if device != "cpu" and not cards:
            raise EngineFailure("absent", "no NVIDIA driver, or no card that it lists")
        half = half_file(path)
        halved = device == "cuda" and precision == "reduced" and half.is_file()
        opened = _opened(half if halved else path, shape, provider, precision, threads)
        return OnnxSession(opened, device, _computed(device, precision, halved=halved), threads)


def _computed(device: Device, precision: Precision, *, halved: bool) -> str:
    """Type that a session computes in."""
    if halved:
        return "float16"
    return {"cuda": "tf32", "tensorrt": "float16"}.get(device, "float32") if precision == "reduced" else "float32"


def _opened(path: Path, shape: Shape, provider: str, precision: Precision, threads: int) -> Any:
    """Open a session and see that it uses the provider."""
    # What cannot load is an answer here, not an event for the terminal.
    onnxruntime.set_default_logger_severity(4)
    if provider not in onnxruntime.get_available_providers():
        raise EngineFailure("libraries", f"{provider} is not in this build of ONNX Runtime {onnxruntime.__version__}")
    remark = "" if provider == PROVIDERS["cpu"] else _load_libraries()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # Threads that spin while they wait would take the core that a window needs.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # An arena keeps the largest run's memory for ever; tiles are equal, so the memory pattern alone is as fast.
    options.enable_cpu_mem_arena = False
    chosen = (provider, _provider_options(provider, precision))
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=[chosen])
    except ERRORS as error:
        raise failure_of(error) from error
    if session.get_providers()[0] != provider:
        used = session.get_providers()[0]
        raise EngineFailure("libraries", f"{provider} did not load, the session would use {used} {remark}".strip())
    expected = session.get_inputs()[0].shape
    if len(expected) != len(shape) or any(isinstance(a, int) and a != b for a, b in zip(expected, shape, strict=True)):
        raise EngineFailure("failed", f"the network takes {expected} and not {list(shape)}")
    return session


def _provider_options(provider: str, precision: Precision) -> dict[str, str]:
    if provider == PROVIDERS["cuda"]:
        return {"use_tf32": "1" if precision == "reduced" else "0"}
    if provider == PROVIDERS["tensorrt"]:
        return {"trt_fp16_enable": "True" if precision == "reduced" else "False"}
    return {}


@cache
def _load_libraries() -> str:
    """Load CUDA and cuDNN where they came as Python packages; what the loader had to say (it prints), in short."""
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        onnxruntime.preload_dlls()
    return " ".join(said.getvalue().split())[:200]


class OnnxSession:
    """A network in ONNX Runtime. A run is ended through its own run options."""

    def __init__(self, session: Any, device: Device, computed: str, threads: int) -> None:
        self._session = session
        self._input = session.get_inputs()[0].name
        self._output = session.get_outputs()[0].name
        self._lock = threading.Lock()
        self._options: Any = None
        self._on_card = device in ("cuda", "tensorrt")
        self._tile: Any = None
        hardware = processor_name() if device == "cpu" else nvidia_cards()[0].name
        self._running = Running(
            "onnxruntime", str(onnxruntime.__version__), session.get_providers()[0], device, hardware, computed, threads
        )

    @property
    def running(self) -> Running:
        """What runs the network, by the session's own answer."""
        return self._running

    def run(self, tile: Float32Array) -> Float32Array:
        """Run a tile (n, c, k, j, i)."""
        options = onnxruntime.RunOptions()
        options.log_severity_level = 4
        with self._lock:
            self._options = options
        try:
            if self._on_card:
                return self.run_bound(tile, options, "cuda")
            return checked_output(self._session.run([self._output], {self._input: tile}, options)[0])
        except ERRORS as error:
            if options.terminate:
                raise Cancelled from error
            raise failure_of(error) from error
        finally:
            with self._lock:
                self._options = None

    def run_bound(self, tile: Float32Array, options: Any, where: str) -> Float32Array:
        """Run a tile whose input and output lie on a device: one copy there into memory that is kept, one back.

        Without it ONNX Runtime makes and frees memory of the card for every tile.
        """
        if self._tile is None or tuple(self._tile.shape()) != tile.shape:
            self._tile = onnxruntime.OrtValue.ortvalue_from_numpy(tile, where, 0)
        else:
            self._tile.update_inplace(np.ascontiguousarray(tile))
        binding = self._session.io_binding()
        binding.bind_ortvalue_input(self._input, self._tile)
        binding.bind_output(self._output, where, 0)
        self._session.run_with_iobinding(binding, options)
        return checked_output(binding.get_outputs()[0].numpy())

    def cancel(self) -> None:
        """End the run in progress at the network's next operation."""
        with self._lock:
            if self._options is not None:
                self._options.terminate = True
