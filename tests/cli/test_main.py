"""The frame of the command line: overview, unknown and later commands, faults of the program itself."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from surgiplan_desktop.cli import main
from surgiplan_desktop.cli.command import Command


def test_the_overview_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["--help"]) == 0
    text = capsys.readouterr().out
    assert all(f"\n  {name} " in text for name in main.COMMANDS)


@pytest.mark.parametrize("name", list(main.COMMANDS))
def test_every_command_shows_an_example(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main.run([name, "--help"])
    assert left.value.code == 0
    assert f"surgiplan {name}" in capsys.readouterr().out.split("example:")[1]


@pytest.mark.parametrize(
    ("name", "message"), [("bake", "unknown_command"), *((name, "not_in_this_version") for name in main.NOT_YET)]
)
def test_unknown_and_later_commands_end_with_2(name: str, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run([name, "--json"]) == 2
    error = json.loads(capsys.readouterr().out)["error"]
    assert error["id"] == message
    assert name in error["text"]


def test_a_fault_of_the_program_is_told_and_logged(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], user_folder: Path
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("secret detail")

    command = Command("scan", "breaks", "surgiplan scan", lambda parser: None, broken)  # type: ignore[arg-type]
    monkeypatch.setattr(main, "command_named", lambda _: command)
    assert main.run(["scan", "--json"]) == 5
    answer = capsys.readouterr()
    assert json.loads(answer.out)["error"]["id"] == "unexpected_in_command"
    assert "Traceback" not in answer.err
    assert "secret detail" in (user_folder / "log" / "command.log").read_text()
