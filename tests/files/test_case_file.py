"""The case file: save, open, recover; whatever is wrong with it is said, and nothing the user made is lost."""

from __future__ import annotations

import json
import os
import shutil
import sys
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from surgiplan_desktop.app import documents, startup
from surgiplan_desktop.app.session import Session
from surgiplan_desktop.base.errors import SurgiPlanError, UsageError
from surgiplan_desktop.files import case_archive, case_file, work_folders
from surgiplan_desktop.files.case_json import dumps
from surgiplan_desktop.model import edits
from surgiplan_desktop.model.anatomy import Side
from surgiplan_desktop.model.case import Case
from surgiplan_desktop.model.steps import OsteotomyStep, Target
from tests.app.core_graph import DOUBLE, LENGTH, small_graph
from tests.files.case_examples import full_case


@pytest.fixture
def services(tmp_path: Path) -> Iterator[startup.Services]:
    services = startup.start(user_folder=tmp_path / "user", catalogues={})
    yield services
    services.close()


def notes(text: str) -> Callable[[Case], Case]:
    return lambda case: edits.set_notes(case, text)


def new(services: startup.Services) -> Session:
    return documents.new_session(services, graph=small_graph)


def opened(services: startup.Services, path: Path, **options: Any) -> Session:
    return documents.open_session(services, path, graph=small_graph, **options)


def codes(services: startup.Services) -> list[str]:
    return [getattr(notice.content, "code", "") for notice in services.notices.items]


@pytest.fixture
def saved(services: startup.Services, tmp_path: Path) -> Path:
    """A saved case with voxels, labels and three edits."""
    session = new(services)
    voxels = session.store.put(np.arange(600_000, dtype=np.int16).reshape(60, 100, 100))
    labels = session.store.put(np.zeros((60, 100, 100), np.uint16))
    session.apply("Fill", lambda case: full_case(voxels, labels))
    session.apply("Write", notes("abc"))
    session.apply("Plan", lambda case: edits.put_step(case, OsteotomyStep("mowhto-2", Side.RIGHT, Target("wbl", 55))))
    session.undo()
    session.set_view(step="plan")
    path = session.save(tmp_path / "a.surgiplan")
    session.close()
    return path


@pytest.mark.parametrize("owner", ["window", "command"])
def test_a_case_comes_back_whole(services: startup.Services, saved: Path, owner: Any) -> None:
    session = opened(services, saved, owner=owner)
    voxels = session.case.study.blocks[0].voxels  # type: ignore[union-attr]
    assert session.case == replace(full_case(voxels, session.case.segmentations[0].labels[0]), notes="abc")
    assert session.store.load(voxels)[0, 1, 5] == 105
    assert session.view.step == "plan"
    assert (session.undo_label, session.redo_label, session.modified, session.path) == ("Write", "Plan", False, saved)
    session.redo()
    assert session.case.steps[-1].id == "mowhto-2"
    session.undo()
    session.undo()
    session.undo()
    assert session.case == Case()
    assert not codes(services)
    session.close(discard=True)


def test_reopening_gives_the_same_fingerprints(services: startup.Services, tmp_path: Path) -> None:
    session = new(services)
    session.apply("Plan", lambda case: edits.put_step(case, OsteotomyStep("mowhto-1", Side.LEFT, Target("wbl", 55))))
    session.apply("Write", notes("abc"))
    prints = {key: session.fingerprint(key) for key in session.keys}
    session.save(tmp_path / "a.surgiplan")
    session.close()
    session = opened(services, tmp_path / "a.surgiplan")
    assert {key: session.fingerprint(key) for key in session.keys} == prints
    session.close()


def test_reopening_gives_the_same_fingerprints_of_the_plan(services: startup.Services, tmp_path: Path) -> None:
    session = documents.new_session(services)
    voxels = session.store.put(np.zeros((2, 3, 4), np.int16))
    labels = session.store.put(np.zeros((2, 3, 4), np.uint16))
    whole = full_case(voxels, labels)
    session.apply("Fill", lambda _: replace(whole, steps=tuple(step for step in whole.steps if step.id != "plate-1")))
    prints = {key: session.fingerprint(key) for key in session.keys}
    assert {key[0] for key in prints} >= {"volume", "labels", "bone", "landmarks", "osteotomy", "pieces", "guide"}
    session.save(tmp_path / "a.surgiplan")
    session.close()
    session = documents.open_session(services, tmp_path / "a.surgiplan")
    assert {key: session.fingerprint(key) for key in session.keys} == prints
    session.close()


def test_saving_again_and_elsewhere(services: startup.Services, saved: Path, tmp_path: Path) -> None:
    session = opened(services, saved, owner="command")
    session.apply("Write", notes("again"))
    session.save()
    assert not session.modified
    other = session.save(tmp_path / "other.surgiplan")
    assert session.path == other
    session.close(discard=True)
    for path in (saved, other):
        session = opened(services, path)
        assert session.case.notes == "again"
        assert session.store.load(session.case.segmentations[0].labels[0]).shape == (60, 100, 100)
        session.close()
    assert documents.recoverable(services) == ()
    assert [path.name for path in services.work_folder.iterdir()] == ["locks"]


def test_equal_cases_make_equal_parts(saved: Path) -> None:
    with zipfile.ZipFile(saved) as archive:
        assert json.loads(archive.read("manifest.json"))["format"] == "surgiplan-case"
        names = archive.namelist()
        labels = [info for info in archive.infolist() if info.compress_type == zipfile.ZIP_DEFLATED and info.file_size > 10**6]
    assert names[:5] == ["manifest.json", "case.json", "view.json", "journal.jsonl", "audit.jsonl"]
    assert len(names) == 7
    assert labels[0].compress_size < 20_000


def rewritten(path: Path, change: Callable[[dict[str, bytes]], object]) -> Path:
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    change(parts)
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return path


def asset_name(parts: dict[str, bytes]) -> str:
    return next(name for name in parts if name.startswith("assets/"))


def set_schema(parts: dict[str, bytes], schema: int) -> None:
    for name in ("manifest.json", "case.json"):
        parts[name] = dumps({**json.loads(parts[name]), "schema": schema}).encode()


def truncate(path: Path, share: float) -> None:
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])


WRONG: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing": (lambda path: path.unlink(), "case_not_found"),
    "a folder": (lambda path: (path.unlink(), path.mkdir()), "case_not_a_file"),
    "text": (lambda path: path.write_text("hello"), "case_not_a_file"),
    "empty": (lambda path: path.write_bytes(b""), "case_not_a_file"),
    "half": (lambda path: truncate(path, 0.5), "case_damaged"),
    "nearly all": (lambda path: truncate(path, 0.999), "case_damaged"),
    "another zip": (lambda path: rewritten(path, lambda parts: parts.pop("manifest.json")), "case_not_a_file"),
    "no case": (lambda path: rewritten(path, lambda parts: parts.pop("case.json")), "case_damaged"),
    "broken case": (lambda path: rewritten(path, lambda parts: parts.update({"case.json": b"{"})), "case_damaged"),
    "no asset": (lambda path: rewritten(path, lambda parts: parts.pop(asset_name(parts))), "case_damaged"),
    "another asset": (
        lambda path: rewritten(path, lambda parts: parts.update({asset_name(parts): parts[asset_name(parts)][:-2] + b"xx"})),
        "case_damaged",
    ),
    "newer": (lambda path: rewritten(path, lambda parts: set_schema(parts, 99)), "case_too_new"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_file_is_refused_with_words_and_left_alone(services: startup.Services, saved: Path, name: str) -> None:
    change, message = WRONG[name]
    change(saved)
    before = saved.read_bytes() if saved.is_file() else b""
    with pytest.raises(SurgiPlanError) as caught:
        opened(services, saved)
    assert caught.value.message_id == message
    assert caught.value.file == str(saved)
    text, hint = services.texts.error(caught.value)
    assert str(saved) in text
    assert hint
    assert (saved.read_bytes() if saved.is_file() else b"") == before
    assert not [path for path in services.work_folder.iterdir() if path.name != "locks"]


def test_a_flipped_bit_in_the_voxels_is_found(services: startup.Services, saved: Path) -> None:
    data = bytearray(saved.read_bytes())
    data[data.index(b"NUMPY") + 5000] ^= 1
    saved.write_bytes(bytes(data))
    with pytest.raises(SurgiPlanError) as caught:
        opened(services, saved)
    assert caught.value.message_id == "case_damaged"


def test_a_tampered_history_is_said_and_the_case_opens(services: startup.Services, saved: Path, tmp_path: Path) -> None:
    rewritten(saved, lambda parts: parts.update({"journal.jsonl": parts["journal.jsonl"].replace(b"Write", b"Wrote")}))
    session = opened(services, saved)
    assert session.case.notes == "abc"
    assert not session.can_undo
    assert codes(services) == ["history_damaged"]
    session.apply("Write", notes("new"))
    session.save(tmp_path / "b.surgiplan")
    session.close()
    with zipfile.ZipFile(tmp_path / "b.surgiplan") as archive:
        assert b"Wrote" in archive.read("journal.damaged-1.jsonl")
    session = opened(services, tmp_path / "b.surgiplan")
    assert session.undo_label == "Write"
    session.close()


def test_an_older_schema_is_migrated_and_the_original_kept(
    services: startup.Services, saved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = saved.read_bytes()

    def step(data: dict[str, Any]) -> dict[str, Any]:
        return {**data, "notes": data["notes"] + "!"}

    real = case_file.migrated
    monkeypatch.setattr(case_file, "migrated", lambda data, file: (step(real(data, file=file)[0]), 0))
    session = opened(services, saved)
    assert session.case.notes == "abc!"
    assert codes(services) == ["case_migrated"]
    session.save()
    session.close()
    assert saved.with_name("a.schema0.surgiplan").read_bytes() == original


def test_one_program_at_a_time(services: startup.Services, saved: Path, tmp_path: Path) -> None:
    session = opened(services, saved)
    with pytest.raises(UsageError) as caught:
        opened(services, saved)
    assert caught.value.message_id == "case_already_open"
    other = new(services)
    with pytest.raises(UsageError) as caught:
        other.save(saved)
    assert caught.value.message_id == "case_already_open"
    session.close()
    other.save(saved)
    with pytest.raises(UsageError):
        opened(services, saved)
    other.close()
    opened(services, saved).close()


def test_a_file_changed_by_somebody_else_is_not_overwritten(services: startup.Services, saved: Path, tmp_path: Path) -> None:
    session = opened(services, saved)
    session.apply("Write", notes("mine"))
    saved.write_bytes(b"theirs")
    with pytest.raises(UsageError) as caught:
        session.save()
    assert caught.value.message_id == "case_changed_elsewhere"
    assert saved.read_bytes() == b"theirs"
    session.save(tmp_path / "mine.surgiplan")
    session.close()


def refuse(*_: object, **__: object) -> None:
    raise OSError(28, "No space left on device")


def test_a_full_disk_while_saving_loses_nothing(
    services: startup.Services, saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = saved.read_bytes()
    session = opened(services, saved)
    session.apply("Write", notes("precious"))
    for place in ("_add_asset", "_sync_folder"):
        with monkeypatch.context() as patch:
            patch.setattr(case_archive, "_add_asset", refuse) if place == "_add_asset" else patch.setattr(os, "fsync", refuse)
            with pytest.raises(SurgiPlanError) as caught:
                session.save()
        assert caught.value.message_id == "case_not_written"
        assert saved.read_bytes() == before
        assert sorted(path.name for path in tmp_path.iterdir()) == ["a.surgiplan", "user"]
    assert session.modified
    session.close()
    [item] = documents.recoverable(services)
    session = documents.recover_session(services, item, graph=small_graph)
    assert (session.case.notes, session.modified, session.path) == ("precious", True, saved)
    session.save()
    session.close()
    assert documents.recoverable(services) == ()


@pytest.mark.skipif(sys.platform != "linux", reason="needs a folder that refuses even root")
def test_a_folder_without_permission_is_said(services: startup.Services) -> None:
    session = new(services)
    with pytest.raises(SurgiPlanError) as caught:
        session.save(Path("/proc/self/a.surgiplan"))
    assert caught.value.message_id == "case_not_written"
    session.close(discard=True)


def test_a_folder_that_does_not_exist_is_said(services: startup.Services, tmp_path: Path) -> None:
    session = new(services)
    with pytest.raises(UsageError) as caught:
        session.save(tmp_path / "none" / "a.surgiplan")
    assert caught.value.message_id == "output_folder_missing"
    session.close(discard=True)


def test_a_work_folder_that_cannot_be_made_is_said(services: startup.Services, saved: Path) -> None:
    shutil.rmtree(services.work_folder)
    services.work_folder.write_text("in the way")
    for start in (lambda: new(services), lambda: opened(services, saved)):
        with pytest.raises(SurgiPlanError) as caught:
            start()
        assert caught.value.message_id == "work_not_written"


def test_edits_that_come_while_saving_are_not_taken_for_saved(services: startup.Services, saved: Path) -> None:
    class Busy:
        def step(self, done: float, total: float, text_id: str) -> None:
            if session.case.notes == "before":
                session.apply("Write", notes("meanwhile"))

    session = opened(services, saved)
    session.apply("Write", notes("before"))
    session.save(progress=Busy())
    assert session.modified
    session.close()
    [item] = documents.recoverable(services)
    assert (item.edits, item.code) == (1, "ABC234")
    session = opened(services, saved)
    assert (session.case.notes, session.undo_label) == ("before", "Write")
    session.close()
    session = documents.recover_session(services, item, graph=small_graph)
    assert (session.case.notes, session.modified) == ("meanwhile", True)
    session.undo()
    assert not session.modified
    session.close()


def test_unsaved_work_is_offered_and_never_thrown_away(services: startup.Services, saved: Path) -> None:
    session = opened(services, saved)
    session.apply("Write", notes("unsaved"))
    session.close()
    again = opened(services, saved)
    assert again.case.notes == "abc"
    assert codes(services) == ["unsaved_kept"]
    [item] = documents.recoverable(services)
    assert (item.path, item.last_label, item.edits) == (saved, "Write", 1)
    with pytest.raises(UsageError):
        documents.recover_session(services, item, graph=small_graph)
    again.close()
    session = documents.recover_session(services, item, graph=small_graph)
    assert session.case.notes == "unsaved"
    session.undo()
    assert session.case.notes == "abc"
    assert not session.modified
    session.close()
    assert documents.recoverable(services) == ()


def test_a_torn_line_is_dropped_and_said_on_recovery(services: startup.Services) -> None:
    session = new(services)
    session.apply("One", notes("1"))
    session.apply("Two", notes("2"))
    session.close()
    [item] = documents.recoverable(services)
    journal = item.folder / "journal.jsonl"
    journal.write_bytes(journal.read_bytes()[:-7])
    [item] = documents.recoverable(services)
    session = documents.recover_session(services, item, graph=small_graph)
    assert (session.case.notes, session.undo_label) == ("1", "One")
    assert codes(services) == ["journal_torn"]
    session.apply("Three", notes("3"))
    assert session.require(LENGTH, DOUBLE) == [1, 2]
    session.close(discard=True)


def test_a_tampered_line_is_said_on_recovery_and_the_rest_kept(services: startup.Services) -> None:
    session = new(services)
    for number in range(5):
        session.apply(f"Edit {number}", notes(str(number)))
    session.close()
    [item] = documents.recoverable(services)
    journal = item.folder / "journal.jsonl"
    journal.write_bytes(journal.read_bytes().replace(b"Edit 2", b"Edit 9"))
    [item] = documents.recoverable(services)
    session = documents.recover_session(services, item, graph=small_graph)
    assert session.case.notes == "1"
    assert codes(services) == ["journal_damaged"]
    assert b"Edit 4" in (item.folder / "journal.damaged-1.jsonl").read_bytes()
    session.close(discard=True)


def test_what_a_command_left_is_cleaned_up(services: startup.Services, saved: Path) -> None:
    session = opened(services, saved, owner="command")
    session.apply("Write", notes("x"))
    session.close()
    assert documents.recoverable(services) == ()
    assert not [path for path in services.work_folder.iterdir() if path.name != "locks"]


def test_long_histories_keep_their_end(services: startup.Services, tmp_path: Path) -> None:
    session = new(services)
    for number in range(420):
        session.apply(str(number), notes(f"n{number}"))
    for _ in range(3):
        session.undo()
    session.save(tmp_path / "a.surgiplan")
    session.close()
    session = opened(services, tmp_path / "a.surgiplan")
    assert (session.case.notes, session.redo_label) == ("n416", "417")
    for _ in range(250):
        session.undo()
    assert session.case.notes == "n166"
    session.close(discard=True)


def test_work_folders_are_private(services: startup.Services) -> None:
    session = new(services)
    if os.name == "posix":
        assert not services.work_folder.stat().st_mode & 0o077
    session.close(discard=True)
    assert work_folders.recoverable(services.work_folder) == ()
