"""Which engines and devices really work on this machine: each is tried on a one-node network and asked what it used."""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from surgiplan_desktop.segmentation.inference.choose import engine_named, engines
from surgiplan_desktop.segmentation.inference.engine import Device, EngineFailure, thread_count

_TRIED: Final[tuple[tuple[str, Device], ...]] = (("onnxruntime", "cuda"), ("onnxruntime", "cpu"), ("openvino", "cpu"))


@dataclass(frozen=True, slots=True)
class ProviderTrial:
    """What happened when a device of an engine was asked to run a network; ``seconds`` is load and one run.

    ``provider`` is what the session said that it used, empty where it did not work; ``detail`` is then the reason.
    """

    engine: str
    device: Device
    provider: str
    works: bool
    seconds: float
    detail: str


def _field(number: int, payload: bytes | str | int) -> bytes:
    """Encode one protobuf field: a varint below 128, or a length-delimited value below 128 bytes."""
    if isinstance(payload, int):
        return bytes([number << 3, payload])
    data = payload.encode() if isinstance(payload, str) else payload
    return bytes([number << 3 | 2, len(data)]) + data


def _identity_model() -> bytes:
    """Return an ONNX model y = x for one float32 of five axes (ONNX IR 8, opset 13; field numbers of onnx.proto)."""
    shape = _field(2, _field(1, _field(1, 1)) * 5)
    tensor = _field(2, _field(1, _field(1, 1) + shape))
    node = _field(1, "x") + _field(2, "y") + _field(4, "Identity")
    graph = _field(1, node) + _field(2, "probe") + _field(11, _field(1, "x") + tensor) + _field(12, _field(1, "y") + tensor)
    return _field(1, 8) + _field(7, graph) + _field(8, _field(2, 13))


def try_providers() -> tuple[ProviderTrial, ...]:
    """Run a one-node network on every device of every engine that this program has an answer for."""
    with tempfile.TemporaryDirectory(prefix="surgiplan-") as folder:
        path = Path(folder) / "probe.onnx"
        path.write_bytes(_identity_model())
        return tuple(_tried(name, device, path) for name, device in _TRIED)


def _tried(name: str, device: Device, path: Path) -> ProviderTrial:
    start = time.perf_counter()
    value = np.ones((1, 1, 1, 1, 1), dtype=np.float32)
    try:
        session = engine_named(name, engines()).load(path, value.shape, device, "full", thread_count(leave_one=False))
        works = bool(session.run(value)[0, 0, 0, 0, 0] == 1.0)
        provider, detail = session.running.provider, "" if works else "the answer was wrong"
    except EngineFailure as failure:
        works, provider, detail = False, "", f"{failure.reason}: {failure.detail}"
    return ProviderTrial(name, device, provider, works, time.perf_counter() - start, detail)
