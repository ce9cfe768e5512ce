"""The user's settings: one frozen record, a TOML file with a schema number in the user's folder."""

from __future__ import annotations

import tomllib
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Final

from surgiplan_desktop.base.errors import UsageError
from surgiplan_desktop.model.study import Finding

SETTINGS_SCHEMA: Final = 1
_NAME: Final = "settings.toml"


@dataclass(frozen=True, slots=True)
class Settings:
    """What the user may set.

    Attributes
    ----------
    language
        Language of the texts.
    cache_limit_mb, memory_limit_mb
        Size of the results kept on disk and in memory, MB.
    threads
        Workers of the thread lane; 0 = chosen by the machine.
    recent
        Case files opened last, newest first.
    accepted_models
        Model packs whose licence and limits the user has confirmed to have read: name, version, first 12 digits of the hash.
    """

    schema: int = SETTINGS_SCHEMA
    language: str = "en"
    cache_limit_mb: int = 2000
    memory_limit_mb: int = 1500
    threads: int = 0
    recent: tuple[str, ...] = ()
    accepted_models: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.cache_limit_mb < 0 or self.memory_limit_mb < 0 or self.threads < 0:
            raise ValueError("a limit cannot be negative")


def read_settings(folder: Path) -> tuple[Settings, Finding | None]:
    """Read the settings of the folder; a file that cannot be used is set aside, said, and the defaults are taken."""
    path = folder / _NAME
    try:
        content = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return Settings(), None
    except (OSError, UnicodeDecodeError):
        return Settings(), _set_aside(path)
    try:
        return _settings_from(tomllib.loads(content)), None
    except (tomllib.TOMLDecodeError, TypeError, ValueError):
        return Settings(), _set_aside(path)


def write_settings(folder: Path, settings: Settings) -> None:
    """Write the settings (through a temporary file); UsageError ``output_not_writable`` when the folder refuses."""
    path = folder / _NAME
    lines = [f"{name} = {_toml(value)}" for name, value in asdict(settings).items()]
    temporary = path.with_suffix(".part")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        temporary.write_text("\n".join(lines) + "\n", encoding="utf-8")
        temporary.replace(path)
    except OSError as error:
        raise UsageError("output_not_writable", file=path, reason=error.strerror or "", detail=repr(error)) from error


def _settings_from(table: dict[str, Any]) -> Settings:
    if table.get("schema") != SETTINGS_SCHEMA:
        raise ValueError(f"settings of schema {table.get('schema')}")
    defaults = Settings()
    values: dict[str, Any] = {}
    for field in fields(Settings):
        if field.name in table:
            value = table[field.name]
            kind = type(getattr(defaults, field.name))
            values[field.name] = tuple(map(str, value)) if kind is tuple else value
            if not isinstance(values[field.name], kind) or isinstance(value, bool):
                raise TypeError(f"setting {field.name} must be of type {kind.__name__}")
    return Settings(**values)


def _toml(value: object) -> str:
    if isinstance(value, tuple):
        return "[" + ", ".join(map(_toml, value)) + "]"
    if isinstance(value, str):
        # Basic strings of TOML and JSON agree for what is escaped here.
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        return '"' + "".join(char if char.isprintable() else f"\\u{ord(char):04X}" for char in escaped) + '"'
    return str(value)


def _set_aside(path: Path) -> Finding:
    kept = path.with_suffix(".unreadable.toml")
    try:
        path.replace(kept)
    except OSError:
        kept = path
    return Finding("settings_unreadable", "warn", (("file", str(kept)),))
