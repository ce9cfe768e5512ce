"""What works on this machine, tried and measured: processor, memory, disk, graphics, inference, worker process."""

from __future__ import annotations

import os
import platform
import sys
import tempfile
import time
from dataclasses import dataclass
from typing import Final, Literal

from surgiplan_desktop.app.jobs import Inbox, JobRunner
from surgiplan_desktop.app.models import list_models, remembered_speeds
from surgiplan_desktop.base.paths import user_work_folder
from surgiplan_desktop.base.progress import SILENT, Progress
from surgiplan_desktop.scene.snapshot import probe_pictures
from surgiplan_desktop.segmentation.inference.trials import try_providers

_DISK_TRIAL_MIB: Final = 64


@dataclass(frozen=True, slots=True)
class Trial:
    """One thing tried: id of its words (``ui.doctor_<id>``), whether it works, the measured value with its unit, a remark."""

    id: str
    status: Literal["ok", "warn", "fail"]
    value: float | str
    unit: str
    detail: str = ""


def examine(*, progress: Progress = SILENT) -> tuple[Trial, ...]:
    """Try everything and return what was found, in a fixed order."""
    parts = (_system, _disk, _pictures, _screen, _inference, _models, _worker)
    trials: list[Trial] = []
    for number, part in enumerate(parts):
        progress.step(number, len(parts), "doctor")
        trials.extend(part())
    return tuple(trials)


def _system() -> list[Trial]:
    return [
        Trial("system", "ok", f"{platform.system()} {platform.release()}, Python {platform.python_version()}", ""),
        Trial("cores", "ok" if (os.cpu_count() or 1) >= 2 else "warn", float(os.cpu_count() or 1), ""),
    ]


def _disk() -> list[Trial]:
    folder = user_work_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        start = time.perf_counter()
        with tempfile.NamedTemporaryFile(dir=folder) as stream:
            stream.write(os.urandom(1 << 20) * _DISK_TRIAL_MIB)
            stream.flush()
            os.fsync(stream.fileno())
        return [Trial("disk", "ok", round(_DISK_TRIAL_MIB / (time.perf_counter() - start), 1), "MiB/s", str(folder))]
    except OSError as error:
        return [Trial("disk", "fail", 0.0, "MiB/s", f"{folder}: {error.strerror}")]


def _pictures() -> list[Trial]:
    start = time.perf_counter()
    reason = probe_pictures()
    if reason:
        return [Trial("pictures", "warn", 0.0, "s", reason)]
    return [Trial("pictures", "ok", round(time.perf_counter() - start, 2), "s")]


def _screen() -> list[Trial]:
    if sys.platform.startswith("linux") and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        return [Trial("screen", "warn", "none", "", "DISPLAY and WAYLAND_DISPLAY are not set: the window cannot open here")]
    return [Trial("screen", "ok", os.environ.get("DISPLAY", "native"), "")]


def _inference() -> list[Trial]:
    trials = []
    for trial in try_providers():
        name = "cuda" if trial.device == "cuda" else ("cpu_inference" if trial.engine == "onnxruntime" else "openvino")
        # the processor must work by ONNX Runtime; a card and the second engine make it faster
        status: Literal["ok", "warn", "fail"] = "ok" if trial.works else ("fail" if name == "cpu_inference" else "warn")
        trials.append(Trial(name, status, round(trial.seconds * 1000.0, 1), "ms", trial.detail or trial.provider))
    return trials


def _models() -> list[Trial]:
    packs, problems = list_models()
    if not packs and not problems:
        return [Trial("models", "warn", 0.0, "", "no model pack is installed")]
    told = [*(speed for pack in packs for speed in remembered_speeds(pack)), *(f"broken: {problem.file}" for problem in problems)]
    return [Trial("models", "warn" if problems else "ok", float(len(packs)), "", "; ".join(told))]


def _worker() -> list[Trial]:
    start = time.perf_counter()
    jobs = JobRunner(Inbox().post)
    try:
        job = jobs.submit("doctor", _echo, "ready", lane="process")
        works = job.wait(60.0) and job.value == "ready"
        detail = "" if job.error is None else str(job.error)
    finally:
        jobs.close()
    return [Trial("worker", "ok" if works else "fail", round(time.perf_counter() - start, 2), "s", detail)]


def _echo(value: str, *, progress: Progress = SILENT) -> str:
    progress.step(1, 1, "doctor")
    return value
