"""The ways to find bones that a user can choose from, and which model's licence and limits have been read."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from surgiplan_desktop.app.models import list_models
from surgiplan_desktop.app.settings import read_settings, write_settings
from surgiplan_desktop.base.errors import InputDataError
from surgiplan_desktop.model.case import SegmentationRun
from surgiplan_desktop.segmentation.packs import LEFT_CODES, RIGHT_CODES, ModelPack

_DIGITS = 12


@dataclass(frozen=True, slots=True)
class Ways:
    """Models that name bones of the leg, and why other packs cannot be read."""

    packs: tuple[ModelPack, ...]
    problems: tuple[InputDataError, ...]

    def pack(self, name: str) -> ModelPack | None:
        """Return the pack of that name, or None."""
        return next((pack for pack in self.packs if pack.name == name), None)


def offered_ways() -> Ways:
    """Read which models are installed that know bones of the leg; the way without AI is always there."""
    packs, problems = list_models()
    return Ways(tuple(pack for pack in packs if _knows_bones(pack)), problems)


def _knows_bones(pack: ModelPack) -> bool:
    return any(label.code in RIGHT_CODES or label.code in LEFT_CODES for label in pack.labels)


def licence_was_read(settings_folder: Path, pack: ModelPack) -> bool:
    """Tell whether the user confirmed to have read licence and limits of exactly this pack."""
    return _mark(pack) in read_settings(settings_folder)[0].accepted_models


def note_licence_read(settings_folder: Path, pack: ModelPack) -> None:
    """Remember that licence and limits of a pack were read; UsageError ``output_not_writable`` when the folder refuses."""
    settings, _ = read_settings(settings_folder)
    others = tuple(mark for mark in settings.accepted_models if mark != _mark(pack))
    write_settings(settings_folder, replace(settings, accepted_models=(*others, _mark(pack))))


def _mark(pack: ModelPack) -> str:
    """Another version or content is another pack, to be read again."""
    return f"{pack.name} {pack.version} {pack.digest[:_DIGITS]}"


def run_title(run: SegmentationRun, without_ai: str) -> str:
    """Return a result of the segmentation in words: the model with its version, or ``without_ai``, and its number."""
    number = run.id.rsplit("-", 1)[-1]
    return f"{number}: {run.model} {run.model_version}" if run.model else f"{number}: {without_ai}"
