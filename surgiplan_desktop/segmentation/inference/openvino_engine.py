"""OpenVINO: Intel and AMD processors, integrated graphics. Imported at first use; its absence is an answer, not a crash."""

from __future__ import annotations

import sys
import threading
from functools import cache
from pathlib import Path
from typing import Any, Final

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
)

_DEVICES: Final[dict[str, str]] = {"cpu": "CPU", "gpu": "GPU"}
_TYPES: Final[dict[str, str]] = {"f32": "float32", "bf16": "bfloat16", "f16": "float16"}
_TELEMETRY: Final = "openvino_telemetry"


@cache
def openvino_module() -> Any:
    """Import the library without its telemetry; EngineFailure ``missing`` where it is not installed.

    The program opens no connection. The library sends its telemetry from its converter alone, which is not used here; that the
    package is not even loaded makes it certain (the library has a stand-in for machines without it).
    """
    before = sys.modules.get(_TELEMETRY)
    sys.modules[_TELEMETRY] = None  # type: ignore[assignment]
    try:
        import openvino
    except ImportError as error:
        raise EngineFailure("missing", str(error)) from error
    finally:
        if before is None:
            del sys.modules[_TELEMETRY]
        else:
            sys.modules[_TELEMETRY] = before
    return openvino


@cache
def core() -> Any:
    """Return the library's one core object."""
    return openvino_module().Core()


class OpenvinoEngine:
    """OpenVINO as an engine."""

    name = "openvino"

    def version(self) -> str:
        """Version of the package, short."""
        return str(openvino_module().__version__).split("-", maxsplit=1)[0]

    def devices(self) -> tuple[Device, ...]:
        """Integrated graphics where the library sees them, and the processor."""
        try:
            listed = core().available_devices
        except EngineFailure:
            return ("cpu",)
        return ("gpu", "cpu") if any(name.startswith("GPU") for name in listed) else ("cpu",)

    def load(self, path: Path, shape: Shape, device: Device, precision: Precision, threads: int) -> OpenvinoSession:
        """Compile a network for a device."""
        wanted = _DEVICES.get(device)
        if wanted is None:
            raise EngineFailure("absent", f"OpenVINO has no device {device}")
        library = core()
        if not any(name.startswith(wanted) for name in library.available_devices):
            raise EngineFailure("absent", f"OpenVINO sees {', '.join(library.available_devices)}")
        settings: dict[str, object] = {"PERFORMANCE_HINT": "LATENCY", "NUM_STREAMS": 1}
        if precision == "full":
            settings["INFERENCE_PRECISION_HINT"] = "f32"
        elif device == "cpu":
            able = "BF16" in library.get_property(wanted, "OPTIMIZATION_CAPABILITIES")
            settings["INFERENCE_PRECISION_HINT"] = "bf16" if able else "f32"
        if device == "cpu":
            settings |= {"INFERENCE_NUM_THREADS": threads, "ENABLE_CPU_PINNING": False}
        try:
            # a fixed shape: with open axes a run in progress could not be cancelled
            network = library.read_model(str(path))
            network.reshape(list(shape))
            compiled = library.compile_model(network, wanted, settings)
        except (RuntimeError, ValueError, MemoryError) as error:
            raise failure_of(error) from error
        return OpenvinoSession(compiled, device, threads, str(library.get_property(wanted, "FULL_DEVICE_NAME")).strip())


class OpenvinoSession:
    """A compiled network with one request."""

    def __init__(self, compiled: Any, device: Device, threads: int, hardware: str) -> None:
        self._request = compiled.create_infer_request()
        self._output = compiled.output(0)
        self._lock = threading.Lock()
        self._busy = False
        self._cancelled = False
        used = ", ".join(compiled.get_property("EXECUTION_DEVICES"))
        type_name = str(compiled.get_property("INFERENCE_PRECISION_HINT").to_string())
        self._running = Running(
            "openvino", OpenvinoEngine().version(), used, device, hardware, _TYPES.get(type_name, type_name), threads
        )

    @property
    def running(self) -> Running:
        """What runs the network, by the compiled network's own answer."""
        return self._running

    def run(self, tile: Float32Array) -> Float32Array:
        """Run a tile (n, c, k, j, i)."""
        with self._lock:
            self._busy, self._cancelled = True, False
        try:
            # the waiting form: the library does not end a plain infer() before its last operation
            self._request.start_async({0: tile}, share_inputs=True)
            self._request.wait()
            # a copy: the request writes its next answer into the same memory
            return checked_output(self._request.get_tensor(self._output).data).copy()
        except (RuntimeError, ValueError, MemoryError) as error:
            if self._cancelled:
                raise Cancelled from error
            raise failure_of(error) from error
        finally:
            with self._lock:
                self._busy = False

    def cancel(self) -> None:
        """End the run in progress."""
        with self._lock:
            if self._busy:
                self._cancelled = True
                self._request.cancel()
