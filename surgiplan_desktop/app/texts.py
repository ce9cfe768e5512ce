"""Ids and parameters to words in the user's language, for window, command line and report.

The words stand in ``resources/messages/<language>/*.toml`` as tables of kinds: ``[error.<id>] text, hint``,
``[finding.<code>] text``, ``[check.<id>] text``, ``[progress.<id>] text``, ``[measure.<id>] name, definition``,
``[reason.<id>] text``, ``[ui.<id>] text``, ``[label.<id>] text``. Templates are plain ``str.format`` fields.
"""

from __future__ import annotations

import logging
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from surgiplan_desktop.base.errors import Parameter, SurgiPlanError
from surgiplan_desktop.base.paths import resource_folder
from surgiplan_desktop.model.study import Finding

if TYPE_CHECKING:
    from surgiplan_desktop.planning.records import Check

_LOG = logging.getLogger(__name__)

#: Kinds of text and the fields each entry must have (``hint`` of an error may be empty, but it must be there).
KINDS: Final[dict[str, tuple[str, ...]]] = {
    "error": ("text", "hint"),
    "finding": ("text",),
    "check": ("text",),
    "progress": ("text",),
    "measure": ("name", "definition"),
    "reason": ("text",),
    "ui": ("text",),
    "label": ("text",),
}


class TextError(Exception):
    """A text is missing, double or cannot be filled: a mistake of the program, raised only where ``strict`` is set."""


class Texts:
    """All texts of one language.

    Parameters
    ----------
    language
        Its code, such as ``"en"``.
    entries
        Fields by full id, e.g. ``{"error.mesh_open": {"text": ..., "hint": ...}}``.
    strict
        Raise :class:`TextError` instead of giving a safe answer; set in tests.
    """

    def __init__(self, language: str, entries: Mapping[str, Mapping[str, str]], *, strict: bool = False) -> None:
        self.language = language
        self._entries = dict(entries)
        self._strict = strict

    @property
    def ids(self) -> frozenset[str]:
        """Full ids of all entries."""
        return frozenset(self._entries)

    def has(self, text_id: str) -> bool:
        """Tell whether there is an entry of this full id."""
        return text_id in self._entries

    def text(self, text_id: str, field: str = "text", /, **parameters: Parameter) -> str:
        """Return the filled field of an entry, e.g. ``text("progress.reading")``.

        A missing entry gives its id with the parameters, an unfillable one its raw template: never an exception at the
        moment when an error is told (unless ``strict``).
        """
        entry = self._entries.get(text_id)
        if entry is None or field not in entry:
            if self._strict:
                raise TextError(f"no text for {text_id}.{field}")
            _LOG.warning("no text for %s.%s", text_id, field)
            values = ", ".join(f"{name}={value}" for name, value in parameters.items())
            return f"{text_id} ({values})" if values else text_id
        template = entry[field]
        try:
            return template.format(**parameters)
        except (KeyError, IndexError, ValueError, TypeError, AttributeError) as error:
            if self._strict:
                raise TextError(f"{text_id}.{field} cannot be filled with {parameters}: {error!r}") from error
            _LOG.warning("text %s.%s cannot be filled with %s: %r", text_id, field, parameters, error)
            return template

    def error(self, error: SurgiPlanError) -> tuple[str, str]:
        """Return what happened and what to do."""
        parameters = {**({"file": error.file} if error.file else {}), **error.parameters}
        return (
            self.text(f"error.{error.message_id}", **parameters),
            self.text(f"error.{error.message_id}", "hint", **parameters),
        )

    def finding(self, finding: Finding) -> str:
        """Return the words of a finding, or of a reason why something cannot be had."""
        kind = "reason" if not self.has(f"finding.{finding.code}") and self.has(f"reason.{finding.code}") else "finding"
        return self.text(f"{kind}.{finding.code}", **dict(finding.parameters))

    def check(self, check: Check) -> str:
        """Return the words of a check; ``value`` and ``limit`` may be used in its template."""
        parameters: dict[str, Parameter] = dict(check.parameters)
        for name, value in (("value", check.value), ("limit", check.limit)):
            parameters.setdefault(name, "-" if value is None else value)
        return self.text(f"check.{check.id}", **parameters)

    def measure(self, measure: str) -> tuple[str, str]:
        """Return name and definition of a measure."""
        return self.text(f"measure.{measure}", "name"), self.text(f"measure.{measure}", "definition")


def read_messages(folder: Path) -> tuple[dict[str, dict[str, str]], tuple[str, ...]]:
    """Read all message files of a folder: the usable entries, and what is wrong (double ids, unknown kinds, missing fields)."""
    entries: dict[str, dict[str, str]] = {}
    problems: list[str] = []
    for path in sorted(folder.glob("*.toml")):
        try:
            kinds = tomllib.loads(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            problems.append(f"{path.name}: {error}")
            continue
        for kind, items in kinds.items():
            if kind not in KINDS or not isinstance(items, dict):
                problems.append(f"{path.name}: unknown kind of text {kind!r}")
                continue
            for name, fields in items.items():
                text_id = f"{kind}.{name}"
                missing = [
                    field for field in KINDS[kind] if not isinstance(fields, dict) or not isinstance(fields.get(field), str)
                ]
                if text_id in entries:
                    problems.append(f"{path.name}: {text_id} is already defined in another file")
                elif missing:
                    problems.append(f"{path.name}: {text_id} lacks {', '.join(missing)}")
                else:
                    entries[text_id] = {field: str(value) for field, value in fields.items()}
    return entries, tuple(problems)


def load_texts(language: str = "en", *, strict: bool = False) -> Texts:
    """Load the texts of a language from the program's resources; texts that it lacks are taken from English.

    Mistakes in the files are logged, since a program that cannot speak is worse than one that speaks badly; with ``strict``
    they raise :class:`TextError`.
    """
    root = resource_folder() / "messages"
    entries, problems = read_messages(root / "en")
    if language != "en" and (root / language).is_dir():
        translated, more = read_messages(root / language)
        entries.update(translated)
        problems += more
    for problem in problems:
        if strict:
            raise TextError(problem)
        _LOG.warning("%s", problem)
    return Texts(language, entries, strict=strict)
