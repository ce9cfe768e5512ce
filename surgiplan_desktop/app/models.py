"""Model packs for window and command line: which are here, what each is and may be used for, what really runs it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from surgiplan_desktop.app.texts import Texts
from surgiplan_desktop.base.errors import InputDataError
from surgiplan_desktop.base.paths import catalogue_roots
from surgiplan_desktop.base.progress import SILENT, Progress
from surgiplan_desktop.segmentation.inference.choose import Wish, remembered, settings_for
from surgiplan_desktop.segmentation.pack_check import SAME_LABELS, NetworkTrial, file_problems, try_pack, verify_pack
from surgiplan_desktop.segmentation.packs import ModelPack, find_packs, pack_named, read_pack

_MIB: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class PackReport:
    """What a check of a folder found: the pack if its manifest can be read, all problems, and the trials if there were none."""

    pack: ModelPack | None
    problems: tuple[InputDataError, ...]
    trials: tuple[NetworkTrial, ...]

    @property
    def valid(self) -> bool:
        """Whether the pack can be used here, and labels alike on both engines."""
        alike = all(trial.agreement is None or trial.agreement >= SAME_LABELS for trial in self.trials)
        return self.pack is not None and not self.problems and alike


def list_models() -> tuple[tuple[ModelPack, ...], tuple[InputDataError, ...]]:
    """Return the packs in the program's folders, and why others there cannot be read."""
    return find_packs(catalogue_roots())


def model_info(name: str, *, wish: Wish = "auto", progress: Progress = SILENT) -> tuple[ModelPack, tuple[NetworkTrial, ...]]:
    """Verify a pack by name and run a tile of each network: UsageError or InputDataError where that cannot be."""
    pack = pack_named(catalogue_roots(), name)
    verify_pack(pack)
    return pack, try_pack(pack, wish=wish, progress=progress)


def check_model(folder: Path, *, wish: Wish = "auto", progress: Progress = SILENT) -> PackReport:
    """Check a folder as a model pack: everything that is wrong with it, and with its networks when they run."""
    try:
        pack = read_pack(folder)
    except InputDataError as error:
        return PackReport(None, (error,), ())
    problems = tuple(file_problems(pack))
    if problems:
        return PackReport(pack, problems, ())
    try:
        return PackReport(pack, (), try_pack(pack, wish=wish, compare=True, progress=progress))
    except InputDataError as error:
        return PackReport(pack, (error,), ())


def remembered_speeds(pack: ModelPack) -> tuple[str, ...]:
    """Tell for each network which engine was the fastest when it was measured here; nothing for one that never was."""
    settings = settings_for()
    told = []
    for network in pack.networks:
        path = pack.path(network.members[0])
        options = remembered(path, pack.tile_shape(network), settings) if path.is_file() else ()
        if options and options[0].seconds is not None:
            told.append(f"{pack.name}/{network.name}: {options[0].engine} ({options[0].device}) {options[0].seconds:.2f} s")
    return tuple(told)


def pack_data(pack: ModelPack) -> dict[str, object]:
    """Return a pack for JSON."""
    return {
        "name": pack.name,
        "version": pack.version,
        "licence": pack.licence,
        "hash": f"sha256:{pack.digest}",
        "intended_use": pack.intended_use,
        "population": pack.population,
        "training_data": pack.training_data,
        "limits": pack.limits,
        "modality": pack.modality,
        "sides": pack.sides,
        "labels": [asdict(label) for label in pack.labels],
        "networks": [
            {
                "name": network.name,
                "spacing_mm": list(network.spacing_mm),
                "tile": list(network.tile),
                "guide": network.guide or None,
                "members": [{"file": member.file, "sha256": member.sha256} for member in network.members],
            }
            for network in pack.networks
        ],
        "calibration": asdict(pack.calibration),
        "folder": str(pack.folder),
        "card": str(pack.folder / pack.card),
    }


def trial_data(trial: NetworkTrial, texts: Texts) -> dict[str, object]:
    """Return what a network did here for JSON: ``running`` is what its session said."""
    return {
        "network": trial.network,
        "file": trial.file,
        "running": asdict(trial.running),
        "measured": [asdict(option) for option in trial.options],
        "memory_mib": round(trial.memory_bytes / _MIB, 1),
        "agreement": trial.agreement,
        "findings": [{"code": item.code, "severity": item.severity, "text": texts.finding(item)} for item in trial.findings],
    }


def problem_data(error: InputDataError, texts: Texts) -> dict[str, object]:
    """Return a problem of a pack for JSON, in the form of the command line's errors."""
    text, hint = texts.error(error)
    return {"id": error.message_id, "text": text, "hint": hint, "file": error.file}


def pack_lines(pack: ModelPack, texts: Texts) -> tuple[str, ...]:
    """Return a pack in words."""
    labels = ", ".join(f"{label.name} ({label.code})" for label in pack.labels)
    rows = (
        ("licence", pack.licence),
        ("intended_use", pack.intended_use),
        ("population", pack.population),
        ("training_data", pack.training_data),
        ("limits", pack.limits),
        ("labels", labels),
        ("hash", f"sha256:{pack.digest}"),
        ("folder", str(pack.folder)),
    )
    width = max(len(texts.text(f"ui.model_{name}")) for name, _ in rows)
    lines = [f"  {texts.text(f'ui.model_{name}'):<{width}}  {value}" for name, value in rows]
    return (f"{pack.name} {pack.version}", *lines)


def trial_lines(trial: NetworkTrial, texts: Texts) -> tuple[str, ...]:
    """Return in words what ran a network, how fast, and what did not work."""
    running = trial.running
    seconds = next((o.seconds or 0.0 for o in trial.options if (o.engine, o.device) == (running.engine, running.device)), 0.0)
    lines = [
        texts.text(
            "ui.model_runs",
            network=trial.network,
            file=trial.file,
            engine=f"{running.engine} {running.version}",
            provider=running.provider,
            hardware=running.hardware,
            precision=running.precision,
            seconds=seconds,
            memory_mib=trial.memory_bytes / _MIB,
        )
    ]
    if trial.agreement is not None:
        lines.append(texts.text("ui.model_agreement", percent=100.0 * trial.agreement))
    return (*lines, *(f"  {texts.finding(item)}" for item in trial.findings))
