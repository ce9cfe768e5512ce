"""Which engine runs a network here: measured once per machine and network, remembered, told; and who takes over when one fails.

Speeds differ by processor and network far more than any rule could say, so each engine runs a few tiles
once. The file in the user's cache folder holds seconds, nothing else; without it they are measured
again. A device that fails is never remembered: it is tried and told each time.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import numpy as np

from surgiplan_desktop.base.errors import ComputationError
from surgiplan_desktop.base.paths import user_cache_folder
from surgiplan_desktop.base.progress import SILENT, Progress
from surgiplan_desktop.model.study import Finding
from surgiplan_desktop.segmentation.inference.engine import (
    Device,
    Engine,
    EngineFailure,
    EngineSession,
    Float32Array,
    Precision,
    Running,
    thread_count,
)
from surgiplan_desktop.segmentation.inference.hardware import processor_name

#: What a user may ask for: ``auto`` is the fastest that works.
Wish = Literal["auto", "cpu", "cuda", "tensorrt", "gpu"]

_TIMED_RUNS: Final = 2
_FILE: Final = "engine_speeds.json"


@dataclass(frozen=True, slots=True)
class Option:
    """One engine on one device, with the seconds of a tile as measured; None where it was not."""

    engine: str
    device: Device
    seconds: float | None


class Runner:
    """A network that runs: the best engine first, and when it fails on the way the next one, with a finding.

    ``findings`` tell what did not work and what took over; read them after the work, not before.
    """

    def __init__(self, path: Path, shape: Sequence[int], options: Sequence[Option], settings: Settings) -> None:
        self.path = path
        self.shape = tuple(shape)
        self._settings = settings
        self._left = list(options)
        self.findings: list[Finding] = []
        self._options = tuple(options)
        self._session = self._next()

    @property
    def running(self) -> Running:
        """What runs the network now, as the session says."""
        return self._session.running

    @property
    def options(self) -> tuple[Option, ...]:
        """What was to be had, fastest first."""
        return self._options

    def run(self, tile: Float32Array) -> Float32Array:
        """Give the logits of a tile (n, c, k, j, i); ComputationError ``inference_failed`` when no engine is left."""
        while True:
            try:
                return self._session.run(tile)
            except EngineFailure as failure:
                running = self._session.running
                self._session = self._next((running.engine, running.device, failure))

    def cancel(self) -> None:
        """End the run in progress, from another thread."""
        self._session.cancel()

    def _next(self, failed: tuple[str, Device, EngineFailure] | None = None) -> EngineSession:
        """Load the next engine that loads, and say of each that failed before it."""
        failures = [] if failed is None else [failed]
        while self._left:
            option = self._left.pop(0)
            settings = self._settings
            try:
                engine = engine_named(option.engine, settings.engines)
                session = engine.load(self.path, self.shape, option.device, settings.precision, settings.threads)
            except EngineFailure as failure:
                failures.append((option.engine, option.device, failure))
                continue
            taken = f"{session.running.engine} ({session.running.device})"
            self.findings += [failure_finding(engine, device, failure, taken) for engine, device, failure in failures]
            return session
        tried = "; ".join(f"{engine} ({device}): {failure.detail or failure.reason}" for engine, device, failure in failures)
        raise ComputationError("inference_failed", file=self.path, tried=tried or "-")


@dataclass(frozen=True, slots=True)
class Settings:
    """How networks are run: engines to choose from, precision, threads, and where speeds are remembered (None: nowhere)."""

    engines: tuple[Engine, ...]
    precision: Precision
    threads: int
    memory: Path | None


def settings_for(*, precision: Precision = "full", leave_one_core: bool = False) -> Settings:
    """Return the settings of this machine; the window leaves a core free."""
    return Settings(engines(), precision, thread_count(leave_one=leave_one_core), user_cache_folder() / _FILE)


def engines() -> tuple[Engine, ...]:
    """Both engines; the libraries are imported here and not before."""
    from surgiplan_desktop.segmentation.inference.onnx_engine import OnnxEngine
    from surgiplan_desktop.segmentation.inference.openvino_engine import OpenvinoEngine

    return (OpenvinoEngine(), OnnxEngine())


def engine_named(name: str, among: Sequence[Engine]) -> Engine:
    """Return an engine by its name."""
    return next(engine for engine in among if engine.name == name)


def open_network(
    path: Path, shape: Sequence[int], *, wish: Wish = "auto", settings: Settings | None = None, progress: Progress = SILENT
) -> Runner:
    """Open a network on the engine that is fastest here.

    Parameters
    ----------
    path
        ONNX file, float32 in and out.
    shape
        Shape (n, c, k, j, i) of the tiles that it will get: speeds are measured with it.
    wish
        Device asked for. One that does not work is told in the runner's findings, and the processor takes over.

    Raises
    ------
    ComputationError
        ``inference_failed`` when no engine can run the network; the text says what each one answered.
    """
    chosen = settings or settings_for()
    options, findings = rank(path, shape, wish=wish, settings=chosen, progress=progress)
    if not options:
        tried = "; ".join(str(dict(finding.parameters)["detail"]) for finding in findings)
        raise ComputationError("inference_failed", file=path, tried=tried or "-")
    runner = Runner(path, shape, options, chosen)
    taken = f"{runner.running.engine} ({runner.running.device})"
    told = [Finding(item.code, item.severity, (*item.parameters[:-1], ("taken", taken))) for item in findings]
    runner.findings[:0] = told
    return runner


def rank(
    path: Path, shape: Sequence[int], *, wish: Wish, settings: Settings, progress: Progress = SILENT
) -> tuple[tuple[Option, ...], list[Finding]]:
    """Return what can run the network, fastest first with the seconds of one tile, and findings of what cannot.

    A device asked for by name comes first when it works, the processor after it.
    """
    known = _read(settings.memory)
    digest = _digest(path)
    options: list[Option] = []
    findings: list[Finding] = []
    candidates = _candidates(wish, settings.engines)
    for number, (engine, device) in enumerate(candidates):
        progress.step(number, len(candidates), "measuring_engines")
        try:
            key = _key(digest, shape, engine, device, settings)
            seconds = known.get(key)
            if seconds is None:
                seconds = _measured(path, shape, engine, device, settings)
                known[key] = seconds
                _remember(settings.memory, key, seconds)
        except EngineFailure as failure:
            findings.append(failure_finding(engine.name, device, failure, "-"))
            continue
        options.append(Option(engine.name, device, seconds))
    progress.step(len(candidates), len(candidates), "measuring_engines")
    options.sort(key=lambda option: (wish != "auto" and option.device != wish, option.seconds or 0.0, option.engine))
    return tuple(options), findings


def remembered(path: Path, shape: Sequence[int], settings: Settings) -> tuple[Option, ...]:
    """Return the speeds that were measured for a network on this machine, fastest first, without measuring any."""
    known = _read(settings.memory)
    digest = _digest(path)
    options = []
    for engine, device in _candidates("auto", settings.engines):
        try:
            seconds = known.get(_key(digest, shape, engine, device, settings))
        except EngineFailure:
            continue
        if seconds is not None:
            options.append(Option(engine.name, device, seconds))
    return tuple(sorted(options, key=lambda option: option.seconds or 0.0))


def failure_finding(engine: str, device: str, failure: EngineFailure, taken: str) -> Finding:
    """Return what to tell of an engine or device that does not work; ``taken`` is what took over."""
    severity: Literal["note", "warn"] = "note" if failure.reason == "missing" else "warn"
    parameters = (("engine", engine), ("device", device), ("detail", failure.detail or failure.reason), ("taken", taken))
    return Finding(f"device_{failure.reason}", severity, parameters)


def _candidates(wish: Wish, available: Sequence[Engine]) -> list[tuple[Engine, Device]]:
    """Engines and devices to measure: those that a machine offers, or the one asked for; the processor is always among them."""
    found: list[tuple[Engine, Device]] = []
    for engine in available:
        offered = engine.devices() if wish == "auto" else ("cpu",)
        found += [(engine, device) for device in offered]
    if wish != "auto" and wish != "cpu":
        named = "openvino" if wish == "gpu" else "onnxruntime"
        device: Device = wish
        found[:0] = [(engine, device) for engine in available if engine.name == named]
    return found


def _measured(path: Path, shape: Sequence[int], engine: Engine, device: Device, settings: Settings) -> float:
    """Seconds of one tile: the best of a few after one to warm up, with seeded noise as input."""
    session = engine.load(path, tuple(shape), device, settings.precision, settings.threads)
    tile = np.random.default_rng(0).standard_normal(tuple(shape), dtype=np.float32)
    session.run(tile)
    best = float("inf")
    for _ in range(_TIMED_RUNS):
        start = time.perf_counter()
        session.run(tile)
        best = min(best, time.perf_counter() - start)
    return best


def _digest(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _key(digest: str, shape: Sequence[int], engine: Engine, device: Device, settings: Settings) -> str:
    size = "x".join(map(str, shape))
    where = f"{engine.name} {engine.version()} {device} {settings.precision} {settings.threads} threads {processor_name()}"
    return f"{digest[:16]} {size} {where}"


def _read(path: Path | None) -> dict[str, float]:
    """Speeds remembered; a missing or damaged file is none."""
    if path is None:
        return {}
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    values = table.items() if isinstance(table, dict) else ()
    return {str(key): float(value) for key, value in values if isinstance(value, int | float) and 0.0 < value < 1e6}


def _remember(path: Path | None, key: str, seconds: float) -> None:
    """Write a speed beside the others, as a whole file; a disk that refuses costs the next start a measurement, no more."""
    if path is None:
        return
    table = _read(path) | {key: round(seconds, 6)}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=_FILE)
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            json.dump(table, stream, indent=0, sort_keys=True)
        Path(temporary).replace(path)
    except OSError:
        return
