"""What an inference engine is: it loads a network and gives a session that says what really runs it.

An engine that cannot do what was asked raises :class:`EngineFailure` with a reason; it never takes another device instead.
Who takes over, and what the user is told, is decided in :mod:`surgiplan_desktop.segmentation.inference.choose`.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

Float32Array = NDArray[np.float32]
#: ``cuda`` and ``tensorrt`` are NVIDIA cards, ``gpu`` an integrated or Intel card by OpenVINO.
Device = Literal["cpu", "cuda", "tensorrt", "gpu"]
#: ``full`` is float32; ``reduced`` lets the device compute in bfloat16, float16 or TF32, which moves logits by some 0.03.
Precision = Literal["full", "reduced"]
#: Shape (n, c, k, j, i) of the tiles that a session will get.
Shape = tuple[int, ...]
#: Why an engine could not do its work: each has its words ``finding.device_<reason>``.
Reason = Literal["missing", "absent", "libraries", "out_of_memory", "too_old", "failed"]

_OUT_OF_MEMORY: Final = re.compile(
    r"out of memory|failed to allocate|bad.alloc|CUDA failure 2\b|OUT_OF_RESOURCES|not enough memory", re.IGNORECASE
)
_TOO_OLD: Final = re.compile(r"no kernel image|unsupported gpu|compute capability|CUDA failure 209\b", re.IGNORECASE)


def half_file(path: Path) -> Path:
    """Return where the float16 form of a network lies, for cards that are asked for reduced precision; it may not exist."""
    return path.with_name(f"{path.stem}.half{path.suffix}")


class EngineFailure(Exception):  # noqa: N818 - its name says what happened
    """An engine could not load or run a network on a device: the reason as an id, the technical detail in English."""

    def __init__(self, reason: Reason, detail: str = "") -> None:
        self.reason: Reason = reason
        self.detail = detail
        super().__init__(reason, detail)


@dataclass(frozen=True, slots=True)
class Running:
    """What really runs a network, as read from the session and not as asked for.

    ``provider`` is the engine's own name of it (``CUDAExecutionProvider``, ``CPU``), ``hardware`` the name of the processor or
    card, ``precision`` the type that it computes in.
    """

    engine: str
    version: str
    provider: str
    device: Device
    hardware: str
    precision: str
    threads: int


class EngineSession(Protocol):
    """A loaded network."""

    @property
    def running(self) -> Running:
        """What runs it."""

    def run(self, tile: Float32Array) -> Float32Array:
        """Give logits (n, classes, k, j, i) for an input (n, c, k, j, i); Cancelled after :meth:`cancel`, else EngineFailure."""

    def cancel(self) -> None:
        """End the run in progress, from another thread; without one nothing happens.

        A run that is only just being started may miss it: call again until the run has returned.
        """


class Engine(Protocol):
    """A library that runs networks."""

    @property
    def name(self) -> str:
        """Its name, such as ``onnxruntime``."""

    def version(self) -> str:
        """Its version; EngineFailure ``missing`` where it is not installed."""

    def devices(self) -> tuple[Device, ...]:
        """Devices worth trying here, best first; those that are named by hand alone (TensorRT) are not among them."""

    def load(self, path: Path, shape: Shape, device: Device, precision: Precision, threads: int) -> EngineSession:
        """Load an ONNX file onto a device for tiles of a shape (n, c, k, j, i); EngineFailure says why it cannot."""


def usable_cores() -> int:
    """Processor cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return max(1, len(os.sched_getaffinity(0)))
    return max(1, os.cpu_count() or 1)


def thread_count(*, leave_one: bool) -> int:
    """Threads of inference: all cores, or one less where a window must stay alive."""
    return max(1, usable_cores() - (1 if leave_one else 0))


def failure_of(error: BaseException) -> EngineFailure:
    """Return why a library gave up, from its own words."""
    words = " ".join(str(error).split())
    if _OUT_OF_MEMORY.search(words) or isinstance(error, MemoryError):
        return EngineFailure("out_of_memory", words[:300])
    if _TOO_OLD.search(words):
        return EngineFailure("too_old", words[:300])
    return EngineFailure("failed", words[:300] or type(error).__name__)


def checked_output(value: Any) -> Float32Array:
    """Return an output of a library as float32 (n, classes, k, j, i); EngineFailure where it is not of five dimensions."""
    array: Float32Array = np.asarray(value, dtype=np.float32)
    if array.ndim != 5:
        raise EngineFailure("failed", f"the network gave an output of {array.ndim} dimensions instead of 5")
    return array
