"""What commands on cases share: open, new, save back atomically, and the rule for outputs that exist."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from surgiplan_desktop.app import documents, startup
from surgiplan_desktop.app.notices import Notice
from surgiplan_desktop.app.session import Session
from surgiplan_desktop.base.errors import SurgiPlanError, UsageError
from surgiplan_desktop.cli.console import Console

CASE_SUFFIX = ".surgiplan"


def add_case_argument(parser: argparse.ArgumentParser) -> None:
    """Add the positional ``CASE``."""
    parser.add_argument("case", metavar="CASE", type=Path, help=f"a case file ({CASE_SUFFIX})")


def add_force_argument(parser: argparse.ArgumentParser) -> None:
    """Add ``--force``."""
    parser.add_argument("--force", action="store_true", help="replace outputs that exist")


def check_output(path: Path, force: bool) -> Path:
    """Return the resolved path of an output file or folder to be made.

    Raises
    ------
    UsageError
        ``output_exists`` when it exists (a folder: when it has content) and ``force`` is not set; ``output_folder_missing``
        when the folder it shall lie in does not exist, ``output_not_writable`` when that folder refuses.
    """
    path = path.expanduser().resolve()
    occupied = any(path.iterdir()) if path.is_dir() else path.exists()
    if occupied and not force:
        raise UsageError("output_exists", file=path)
    if not path.parent.is_dir():
        raise UsageError("output_folder_missing", file=path.parent)
    try:
        # By trying: permissions, read-only mounts and network shares all answer differently to questions.
        with tempfile.NamedTemporaryFile(dir=path if path.is_dir() else path.parent, prefix=".surgiplan-"):
            pass
    except OSError as error:
        raise UsageError("output_not_writable", file=path, reason=error.strerror or "", detail=repr(error)) from error
    return path


def check_case_output(path: Path, force: bool) -> Path:
    """Like :func:`check_output` for a case file; the suffix is added when it lacks."""
    if path.suffix != CASE_SUFFIX:
        path = path.with_name(path.name + CASE_SUFFIX)
    return check_output_file(path, force)


def check_output_file(path: Path, force: bool, *, source: Path | None = None) -> Path:
    """Like :func:`check_output` for a file: a folder of that name, and the ``source`` it is made from, are never replaced.

    Raises
    ------
    UsageError
        Also ``output_is_folder`` and ``output_is_input``.
    """
    target = path.expanduser().resolve()
    if target.is_dir():
        raise UsageError("output_is_folder", file=target)
    if source is not None and target == source.expanduser().resolve():
        raise UsageError("output_is_input", file=target)
    return check_output(target, force)


@contextmanager
def open_for_command(console: Console, case_path: Path) -> Iterator[Session]:
    """Open a case for one command; when the block ends well and changed the case, it is saved back atomically.

    When the block raises, the case file stays as it was.
    """
    services = startup.start()
    try:
        _tell_notices(console, services)
        session = documents.open_session(services, case_path, owner="command", progress=console)
        try:
            yield session
            if session.modified:
                session.save(progress=console)
        finally:
            session.close(discard=True)
    finally:
        services.close()


@contextmanager
def new_for_command(console: Console, output: Path, force: bool) -> Iterator[Session]:
    """Start a new case for one command; when the block ends well it is written to ``output``, otherwise nothing is.

    The output is checked (:func:`check_case_output`) before the block runs.
    """
    target = check_case_output(output, force)
    services = startup.start()
    try:
        _tell_notices(console, services)
        session = documents.new_session(services, owner="command")
        try:
            yield session
            session.save(target, progress=console)
        finally:
            session.close(discard=True)
    finally:
        services.close()


def _tell_notices(console: Console, services: startup.Services) -> None:
    def tell(notice: Notice) -> None:
        content = notice.content
        text = console.texts.error(content)[0] if isinstance(content, SurgiPlanError) else console.texts.finding(content)
        console.say(f"{notice.severity}: {text}")

    for notice in services.notices.items:
        tell(notice)
    services.notices.added.connect(tell)
