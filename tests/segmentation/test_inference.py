"""Engines: both give the same labels, say what really runs, stop inside a run; the faster is measured once; failures are told."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from surgiplan_desktop.app.texts import load_texts
from surgiplan_desktop.base.errors import ComputationError
from surgiplan_desktop.base.progress import Cancelled
from surgiplan_desktop.segmentation.inference.choose import Settings, engines, open_network, settings_for
from surgiplan_desktop.segmentation.inference.engine import EngineFailure, Running, failure_of, thread_count, usable_cores
from surgiplan_desktop.segmentation.inference.footprint import run_bytes
from surgiplan_desktop.segmentation.inference.hardware import nvidia_cards
from surgiplan_desktop.segmentation.inference.trials import try_providers
from tests.helpers import tiny_onnx

SHAPE = (1, 2, 16, 16, 16)
NAMES = ("openvino", "onnxruntime")


@pytest.fixture
def network(tmp_path: Path) -> Path:
    weights = np.random.default_rng(0).normal(size=(6, 2, 3, 3, 3)).astype(np.float32)
    return tiny_onnx.classifier(tmp_path / "net.onnx", weights)


def tile(shape: tuple[int, ...] = SHAPE) -> np.ndarray:
    return np.random.default_rng(1).normal(size=shape).astype(np.float32)


def engine(name: str):
    return next(item for item in engines() if item.name == name)


def test_both_engines_give_the_same_labels(network: Path) -> None:
    answers = {name: engine(name).load(network, SHAPE, "cpu", "full", 1).run(tile()) for name in NAMES}
    assert np.abs(answers["openvino"] - answers["onnxruntime"]).max() < 1e-4
    assert (answers["openvino"].argmax(axis=1) == answers["onnxruntime"].argmax(axis=1)).mean() >= 0.999
    assert answers["openvino"].dtype == np.float32


@pytest.mark.parametrize("name", NAMES)
def test_a_session_says_what_runs_and_repeats_itself(name: str, network: Path) -> None:
    session = engine(name).load(network, SHAPE, "cpu", "full", 1)
    running = session.running
    assert (running.engine, running.device, running.precision, running.threads) == (name, "cpu", "float32", 1)
    assert running.provider in ("CPU", "CPUExecutionProvider")
    assert running.version == engine(name).version()
    assert running.hardware
    first = session.run(tile())
    kept = first.copy()
    session.run(tile() * 2.0)
    assert np.array_equal(first, kept)
    assert np.array_equal(session.run(tile()), kept)


@pytest.mark.parametrize("name", NAMES)
def test_a_run_is_ended_from_another_thread(name: str, tmp_path: Path) -> None:
    session = engine(name).load(tiny_onnx.slow(tmp_path / "slow.onnx"), (1, 1, 32, 32, 32), "cpu", "full", 1)
    session.cancel()
    started = threading.Event()
    caught: list[BaseException] = []

    def work() -> None:
        started.set()
        try:
            session.run(tile((1, 1, 32, 32, 32)))
        except Cancelled as stop:
            caught.append(stop)

    thread = threading.Thread(target=work)
    thread.start()
    started.wait(5.0)
    time.sleep(0.05)
    start = time.perf_counter()
    while thread.is_alive() and time.perf_counter() - start < 20.0:
        session.cancel()
        thread.join(0.02)
    assert len(caught) == 1
    assert time.perf_counter() - start < 2.0


def test_the_faster_engine_is_measured_once_and_remembered(network: Path, tmp_path: Path) -> None:
    settings = replace(settings_for(leave_one_core=True), memory=tmp_path / "cache" / "speeds.json")
    first = open_network(network, SHAPE, wish="cpu", settings=settings)
    assert {option.engine for option in first.options} == set(NAMES)
    seconds = [option.seconds for option in first.options]
    assert seconds == sorted(seconds)
    assert first.running.engine == first.options[0].engine
    assert first.findings == []
    text = settings.memory.read_text()
    slowest = first.options[1].engine
    # what is written there is believed: the slower one made faster is taken, and nothing is measured again
    lines = [line for line in text.splitlines() if f" {slowest} " in line]
    assert len(lines) == 1
    settings.memory.write_text(text.replace(lines[0], lines[0].split(":")[0] + ": 1e-06" + ("," if "," in lines[0] else "")))
    second = open_network(network, SHAPE, wish="cpu", settings=settings)
    assert second.options[0].engine == second.running.engine == slowest
    settings.memory.write_text("{broken")
    assert {option.engine for option in open_network(network, SHAPE, wish="cpu", settings=settings).options} == set(NAMES)


class Stand:
    """An engine that stands in for one with a card: it fails with an error when loaded or at its n-th run."""

    name = "onnxruntime"

    def __init__(self, failure: EngineFailure | None, at_run: int = 0) -> None:
        self.failure, self.at_run, self.runs = failure, at_run, 0
        self.real = engine("onnxruntime")

    def version(self) -> str:
        return "0"

    def devices(self):
        return ("cuda", "cpu")

    def load(self, path, shape, device, precision, threads):
        session = self.real.load(path, shape, "cpu", precision, threads)
        if device == "cpu":
            return session
        if self.failure is not None and self.at_run == 0:
            raise self.failure
        return StandSession(self, session)


class StandSession:
    def __init__(self, owner: Stand, session) -> None:
        self.owner, self.session = owner, session
        self.running = replace(session.running, device="cuda", provider="CUDAExecutionProvider")

    def run(self, values: np.ndarray) -> np.ndarray:
        self.owner.runs += 1
        if self.owner.runs >= self.owner.at_run and self.owner.failure is not None:
            raise self.owner.failure
        return self.session.run(values)

    def cancel(self) -> None:
        self.session.cancel()


@pytest.mark.parametrize("wish", ["auto", "cuda"])
@pytest.mark.parametrize("reason", ["libraries", "too_old", "out_of_memory", "failed", "absent"])
def test_a_card_that_does_not_work_is_told_and_the_processor_takes_over(reason: str, wish: str, network: Path) -> None:
    settings = Settings((Stand(EngineFailure(reason, "because")),), "full", 1, None)
    runner = open_network(network, SHAPE, wish=wish, settings=settings)
    assert runner.running.device == "cpu"
    assert [finding.code for finding in runner.findings] == [f"device_{reason}"]
    words = load_texts("en", strict=True).finding(runner.findings[0])
    assert "onnxruntime (cpu)" in words
    assert "because" in words
    assert runner.findings[0].severity == "warn"


def test_a_card_that_fails_in_the_middle_of_the_work_is_told(network: Path) -> None:
    # three runs measure, one works, the next one fails
    stand = Stand(EngineFailure("out_of_memory", "CUDA failure 2"), at_run=5)
    runner = open_network(network, SHAPE, wish="cuda", settings=Settings((stand,), "full", 1, None))
    assert runner.running.device == "cuda"
    before = runner.run(tile())
    assert runner.findings == []
    after = runner.run(tile())
    assert np.array_equal(before, after)
    assert runner.running.device == "cpu"
    assert [finding.code for finding in runner.findings] == ["device_out_of_memory"]


def test_a_card_asked_for_here_is_used_or_its_absence_told(network: Path) -> None:
    runner = open_network(network, SHAPE, wish="cuda")
    codes = {finding.code for finding in runner.findings}
    assert runner.running.device == ("cpu" if codes else "cuda")
    if not nvidia_cards():
        assert codes == {"device_absent"}


def test_without_openvino_the_other_engine_works_and_it_is_said(network: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    missing = EngineFailure("missing", "No module named 'openvino'")

    class Gone:
        name = "openvino"

        def version(self) -> str:
            raise missing

        def devices(self):
            return ("cpu",)

        def load(self, *_: object):
            raise missing

    runner = open_network(network, SHAPE, settings=Settings((Gone(), engine("onnxruntime")), "full", 1, None), wish="cpu")
    assert runner.running.engine == "onnxruntime"
    assert [(finding.code, finding.severity) for finding in runner.findings] == [("device_missing", "note")]
    monkeypatch.setattr("surgiplan_desktop.segmentation.inference.footprint.core", Gone().version)
    assert run_bytes(network, SHAPE) > 0


def test_a_file_that_is_no_network_is_refused_with_what_each_engine_said(network: Path) -> None:
    network.write_bytes(network.read_bytes()[:-40])
    with pytest.raises(ComputationError) as caught:
        open_network(network, SHAPE, wish="cpu")
    assert caught.value.message_id == "inference_failed"
    assert caught.value.file == str(network)


def test_reasons_are_read_from_the_words_of_the_libraries() -> None:
    assert (
        failure_of(RuntimeError("BFCArena: Failed to allocate memory for requested buffer of size 9")).reason == "out_of_memory"
    )
    assert failure_of(RuntimeError("CUDA failure 209: no kernel image is available for execution")).reason == "too_old"
    assert failure_of(MemoryError()).reason == "out_of_memory"
    assert failure_of(ValueError("")).detail == "ValueError"


def test_memory_is_estimated_from_the_graph(tmp_path: Path, network: Path) -> None:
    voxels = 16**3
    assert run_bytes(network, SHAPE) > 4 * voxels * (2 + 6)
    wide = tiny_onnx.huge(tmp_path / "huge.onnx", channels=100_000)
    assert run_bytes(wide, (1, 1, 64, 64, 64)) > 100 << 30
    with pytest.raises(EngineFailure):
        run_bytes(network, (1, 3, 16, 16, 16))


def test_the_window_leaves_a_core_free() -> None:
    assert thread_count(leave_one=False) == usable_cores()
    assert thread_count(leave_one=True) == max(1, usable_cores() - 1)


def test_reduced_precision_is_only_taken_when_asked_for(network: Path) -> None:
    running: Running = engine("openvino").load(network, SHAPE, "cpu", "reduced", 1).running
    assert running.precision in ("bfloat16", "float32")
    assert settings_for().precision == "full"


def test_input_and_output_that_lie_on_a_device_give_the_same_answer(network: Path) -> None:
    session = engine("onnxruntime").load(network, SHAPE, "cpu", "full", 1)
    for values in (tile(), tile() * 2.0, tile((1, 2, 8, 8, 8))):
        bound = session.run_bound(values, onnxruntime.RunOptions(), "cpu")
        assert np.array_equal(bound, session.run(values))


def test_trials_say_what_ran() -> None:
    trials = {(trial.engine, trial.device): trial for trial in try_providers()}
    assert trials["onnxruntime", "cpu"].provider == "CPUExecutionProvider"
    assert trials["openvino", "cpu"].works
    assert trials["onnxruntime", "cuda"].works or trials["onnxruntime", "cuda"].detail


def test_libraries_are_not_imported_before_they_are_used_and_telemetry_never() -> None:
    program = (
        "import sys; import surgiplan_desktop.segmentation.tiles, surgiplan_desktop.segmentation.inference.choose as c;"
        "early = {'onnxruntime', 'openvino'} & set(sys.modules);"
        "c.engines()[0].devices();"
        "late = [name for name in sys.modules if name.startswith('openvino_telemetry')];"
        "print(sorted(early), late, 'openvino' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.split() == ["[]", "[]", "True"]
