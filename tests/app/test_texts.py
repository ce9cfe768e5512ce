"""Texts: filled, safe when something is missing, and complete: every id in the code has words, all words are used."""

from __future__ import annotations

import ast
import re
import string
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import surgiplan_desktop
from surgiplan_desktop.app.texts import KINDS, TextError, Texts, load_texts, read_messages
from surgiplan_desktop.base.errors import InputDataError, UsageError
from surgiplan_desktop.base.paths import resource_folder
from surgiplan_desktop.model.study import Finding

PACKAGE = Path(surgiplan_desktop.__file__).parent
MESSAGES = resource_folder() / "messages"
#: The place of the id in calls that give one, and the kind of text it names.
ID_ARGUMENT = {
    "SurgiPlanError": "error",
    "UsageError": "error",
    "InputDataError": "error",
    "PlanCheckError": "error",
    "ComputationError": "error",
    "Finding": "finding",
    "Check": "check",
}


def texts(**entries: dict[str, str]) -> Texts:
    return Texts("en", {name.replace("__", "."): fields for name, fields in entries.items()})


def test_words_are_filled() -> None:
    some = texts(
        error__thin={"text": "{file}: wall {mm:.1f} mm", "hint": "at least {limit}"},
        finding__gap={"text": "gap of {mm} mm"},
        reason__cut={"text": "{bone} is cut"},
    )
    assert some.error(InputDataError("thin", file="a.stl", mm=1.25, limit=2)) == ("a.stl: wall 1.2 mm", "at least 2")
    assert some.finding(Finding("gap", "warn", (("mm", 3),))) == "gap of 3 mm"
    assert some.finding(Finding("cut", "warn", (("bone", "femur"),))) == "femur is cut"


def test_a_mistake_in_words_never_hides_the_error_and_fails_in_tests() -> None:
    entries = {"error.thin": {"text": "{missing} {0}", "hint": ""}}
    for text_id in ("error.thin", "error.none"):
        assert Texts("en", entries).text(text_id, mm=1)
        with pytest.raises(TextError):
            Texts("en", entries, strict=True).text(text_id, mm=1)
    assert Texts("en", entries).error(UsageError("none", mm=1))[0] == "error.none (mm=1)"


def test_problems_of_files_are_found(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text('[error.x]\ntext="t"\nhint=""\n[odd.y]\ntext="t"\n')
    (tmp_path / "b.toml").write_text('[error.x]\ntext="t"\nhint=""\n[error.z]\ntext="t"\n')
    (tmp_path / "c.toml").write_text("[")
    entries, problems = read_messages(tmp_path)
    assert set(entries) == {"error.x"}
    assert len(problems) == 4


def languages() -> list[str]:
    return sorted(path.name for path in MESSAGES.iterdir() if path.is_dir())


@pytest.mark.parametrize("language", languages())
def test_the_files_have_no_mistakes(language: str) -> None:
    entries, problems = read_messages(MESSAGES / language)
    assert problems == ()
    for text_id, fields in entries.items():
        for field in KINDS[text_id.split(".")[0]]:
            for _, name, _, _ in string.Formatter().parse(fields[field]):
                assert name is None or re.fullmatch(r"[a-z][a-z0-9_]*", name), f"{text_id}.{field} has the odd field {name!r}"


@pytest.mark.parametrize("language", languages())
def test_languages_have_the_same_ids_and_parameters(language: str) -> None:
    english, _ = read_messages(MESSAGES / "en")
    other, _ = read_messages(MESSAGES / language)
    assert set(other) == set(english)
    for text_id, fields in english.items():
        for field, template in fields.items():
            assert fields_of(other[text_id][field]) == fields_of(template), f"{text_id}.{field}"


def fields_of(template: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(template) if name is not None}


@cache
def modules() -> tuple[tuple[Path, ast.Module], ...]:
    return tuple((path, ast.parse(path.read_text(encoding="utf-8"))) for path in sorted(PACKAGE.rglob("*.py")))


def named_ids() -> Iterator[tuple[str, str, ast.Call]]:
    """Full text id, place and call of every error, finding and check that the code makes with a literal id."""
    for path, tree in modules():
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call) or not node.args:
                continue
            name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
            first = node.args[0]
            literal = first.value if isinstance(first, ast.Constant) and isinstance(first.value, str) else None
            place = f"{path.relative_to(PACKAGE)}:{node.lineno}"
            if name in ID_ARGUMENT and literal is not None:
                yield f"{ID_ARGUMENT[name]}.{literal}", place, node
            elif name == "step" and len(node.args) == 3 and isinstance(node.args[2], ast.Constant):
                yield f"progress.{node.args[2].value}", place, node
            elif name == "text" and literal is not None and literal.split(".")[0] in KINDS:
                yield literal, place, node


def test_every_id_in_the_code_has_words() -> None:
    known = load_texts("en", strict=True).ids
    missing = {
        f"{text_id} ({place})"
        for text_id, place, _ in named_ids()
        if text_id not in known and not (text_id.startswith("finding.") and text_id.replace("finding", "reason", 1) in known)
    }
    assert not missing


def test_errors_give_the_parameters_their_words_need() -> None:
    entries, _ = read_messages(MESSAGES / "en")
    wrong = []
    for text_id, place, call in named_ids():
        if not text_id.startswith("error.") or text_id not in entries or any(word.arg is None for word in call.keywords):
            continue
        given = {word.arg for word in call.keywords}
        needed = set().union(*(fields_of(entries[text_id][field]) for field in ("text", "hint")))
        if needed - given:
            wrong.append(f"{text_id} at {place} lacks {sorted(needed - given)}")
    assert not wrong


def ids_in_code() -> tuple[set[str], list[re.Pattern[str]]]:
    """All literal texts of the code, and patterns of its composed ones (``f"view_{name}"``), if enough of them is fixed."""
    literals: set[str] = set()
    patterns: list[re.Pattern[str]] = []
    for _, tree in modules():
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                literals.add(node.value)
            elif isinstance(node, ast.JoinedStr):
                parts = [str(part.value) if isinstance(part, ast.Constant) else None for part in node.values]
                fixed = re.sub(rf"^({'|'.join(KINDS)})\.", "", "".join(part or "" for part in parts))
                if re.fullmatch(r"[a-z_]{4,}", fixed):
                    patterns.append(re.compile("".join(".+" if part is None else re.escape(part) for part in parts)))
    return literals, patterns


def test_all_words_are_used() -> None:
    """Each id stands in the code, as it is or composed; measures and labels are vocabularies of their own."""
    literals, patterns = ids_in_code()
    unused = set()
    for text_id in load_texts("en").ids:
        kind, name = text_id.split(".", 1)
        used = {text_id, name} & literals or any(pattern.fullmatch(text_id) or pattern.fullmatch(name) for pattern in patterns)
        if kind not in ("measure", "label") and not used:
            unused.add(text_id)
    assert not unused
