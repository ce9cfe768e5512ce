"""New, open and recover: from a case file or a work folder to a session."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from surgiplan_desktop.app.history import History
from surgiplan_desktop.app.session import Graph, Session
from surgiplan_desktop.app.startup import Services
from surgiplan_desktop.base.progress import SILENT, Progress
from surgiplan_desktop.files.case_file import CaseFolder, Restored, create, open_case_file, recover
from surgiplan_desktop.files.work_folders import Owner, Recoverable
from surgiplan_desktop.files.work_folders import recoverable as recoverable_folders
from surgiplan_desktop.model.case import Case
from surgiplan_desktop.model.view import View


def new_session(services: Services, *, owner: Owner = "window", graph: Graph | None = None) -> Session:
    """Start an empty case in a work folder of its own."""
    folder = create(services.work_folder, Case(), owner=owner)
    return _session(folder, lambda: Session(services, folder, History(Case()), View(), graph or _plan_graph()))


def open_session(
    services: Services,
    path: Path,
    *,
    owner: Owner = "window",
    graph: Graph | None = None,
    progress: Progress = SILENT,
) -> Session:
    """Open a case file.

    Unsaved work on the same file, left by a program that ended suddenly, is never thrown away: it is set aside, told as a
    notice, and listed by :func:`recoverable`.

    Raises
    ------
    InputDataError
        ``case_not_found``, ``case_not_a_file``, ``case_damaged``, ``case_too_new``.
    UsageError
        ``case_already_open``.
    """
    return session_of(services, unpack(services, path, owner=owner, progress=progress), graph=graph)


def unpack(services: Services, path: Path, *, owner: Owner = "window", progress: Progress = SILENT) -> Restored:
    """Read a case file into a work folder: the long half of :func:`open_session`, which any thread may do."""
    return open_case_file(Path(path), services.work_folder, owner=owner, progress=progress)


def recoverable(services: Services) -> tuple[Recoverable, ...]:
    """List work folders with unsaved work that no program has open, newest first."""
    return recoverable_folders(services.work_folder)


def recover_session(services: Services, item: Recoverable, *, graph: Graph | None = None) -> Session:
    """Open the unsaved work of a work folder; undo reaches back as before."""
    return session_of(services, recover(item), graph=graph)


def session_of(services: Services, restored: Restored, *, graph: Graph | None = None) -> Session:
    """Make the session of what was read; it belongs to the thread that calls."""
    history = History.replayed(restored.first, restored.events)
    if restored.saved is None:
        history.mark_saved(None)
    elif restored.saved == history.case:
        history.mark_saved(history.case)
    else:
        history.mark_saved(restored.saved)
    for finding in restored.findings:
        services.notices.finding(finding)
    return _session(restored.folder, lambda: Session(services, restored.folder, history, restored.view, graph or _plan_graph()))


def _session(folder: CaseFolder, make: Callable[[], Session]) -> Session:
    try:
        return make()
    except BaseException:
        # The work folder must not stay locked by a session that never came to be.
        folder.close(keep=True)
        raise


def _plan_graph() -> Graph:
    # Imported here: it pulls mesh and image libraries, which lists and scans do without.
    from surgiplan_desktop.planning.graph import plan_graph

    return plan_graph
