"""The only user of ONNX Runtime: which execution providers really work on this machine.

The list of *available* providers names what a package was built with, not what runs (microsoft/onnxruntime #23372): a session
falls back to the CPU without an error. So each provider is tried on a one-node model and asked what it really used.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
import onnxruntime

_WANTED = ("CUDAExecutionProvider", "CPUExecutionProvider")


@dataclass(frozen=True, slots=True)
class ProviderTrial:
    """What happened when a provider was asked to run a model; ``seconds`` is load and one run."""

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
    """Return an ONNX model y = x for one float32 (ONNX IR 8, opset 13; field numbers of onnx.proto)."""
    shape = _field(2, _field(1, _field(1, 1)))
    tensor = _field(2, _field(1, _field(1, 1) + shape))
    node = _field(1, "x") + _field(2, "y") + _field(4, "Identity")
    graph = _field(1, node) + _field(2, "probe") + _field(11, _field(1, "x") + tensor) + _field(12, _field(1, "y") + tensor)
    return _field(1, 8) + _field(7, graph) + _field(8, _field(2, 13))


def try_providers() -> tuple[ProviderTrial, ...]:
    """Run a one-node model on CUDA and on the CPU; a provider works only if the session says that it used it."""
    trials = []
    value = np.ones(1, dtype=np.float32)
    options = onnxruntime.SessionOptions()
    # A provider that cannot load is an answer here, not an event for the terminal.
    onnxruntime.set_default_logger_severity(4)
    for provider in _WANTED:
        start = time.perf_counter()
        detail = ""
        works = False
        if provider not in onnxruntime.get_available_providers():
            detail = "not in this build of ONNX Runtime"
        else:
            try:
                session = onnxruntime.InferenceSession(_identity_model(), options, providers=[provider])
                works = session.get_providers()[0] == provider and bool(session.run(None, {"x": value})[0][0] == 1.0)
                detail = "" if works else f"the session used {session.get_providers()[0]} instead"
            except (RuntimeError, ValueError) as error:
                detail = str(error).splitlines()[0]
        trials.append(ProviderTrial(provider, works, time.perf_counter() - start, detail))
    return tuple(trials)
