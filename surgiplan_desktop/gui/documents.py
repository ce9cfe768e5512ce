"""New, open, save, recent and recovered cases, with the question before work would be lost."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from PySide6.QtWidgets import QFileDialog, QMenu

from surgiplan_desktop.app.documents import recoverable
from surgiplan_desktop.app.settings import read_settings, write_settings
from surgiplan_desktop.files.work_folders import Recoverable
from surgiplan_desktop.gui.dialogs.ask import AskUnsaved

if TYPE_CHECKING:
    from surgiplan_desktop.gui.main_window import MainWindow

_RECENT_KEPT: Final = 8
SUFFIX: Final = ".surgiplan"


class Documents:
    """The window's case files."""

    def __init__(self, window: MainWindow) -> None:
        self._window = window
        self._bridge = window.bridge

    def start_new(self) -> None:
        """Begin an empty case."""
        if self.may_leave():
            self._bridge.attempt(self._bridge.start_new)

    def open_asking(self) -> None:
        """Ask for a case file and open it."""
        if not self.may_leave():
            return
        word = self._bridge.word
        chosen, _ = QFileDialog.getOpenFileName(self._window, word("action_open"), "", f"{word('case_files')} (*{SUFFIX})")
        if chosen:
            self._open(Path(chosen))

    def open(self, path: Path) -> None:
        """Open a case file, asking first when work would be lost."""
        if self.may_leave():
            self._open(path)

    def save(self, *, wait: bool = False) -> bool:
        """Save to the case's file, or ask where; ``wait`` until it is written. Return False when nothing was saved."""
        path = self._bridge.session.path
        return self._save(path, wait=wait) if path is not None else self.save_as(wait=wait)

    def save_as(self, *, wait: bool = False) -> bool:
        """Ask where and save; ``wait`` until it is written. Return False when nothing was saved."""
        word = self._bridge.word
        start = str(self._bridge.session.path or Path.home() / f"{self._bridge.case.code or 'case'}{SUFFIX}")
        chosen, _ = QFileDialog.getSaveFileName(self._window, word("action_save_as"), start, f"{word('case_files')} (*{SUFFIX})")
        if not chosen:
            return False
        path = Path(chosen)
        return self._save(path if path.suffix == SUFFIX else path.with_name(path.name + SUFFIX), wait=wait)

    def may_leave(self) -> bool:
        """Ask before unsaved work would be lost. Return True when the case may be closed."""
        session = self._bridge.session
        if not session.modified or not session.case.code:
            return True
        question = AskUnsaved(self._bridge, self._window)
        question.exec()
        return question.answer == "discard" or (question.answer == "save" and self.save(wait=True))

    def fill_recent(self, menu: QMenu) -> None:
        """List the files opened last, and unsaved work of earlier runs."""
        menu.clear()
        word = self._bridge.word
        settings, _ = read_settings(self._bridge.services.settings_folder)
        files = [Path(name) for name in settings.recent if Path(name).is_file()]
        for path in files:
            menu.addAction(path.name, lambda path=path: self.open(path)).setToolTip(str(path))
        left = recoverable(self._bridge.services)
        if left:
            menu.addSeparator()
            for item in left:
                text = word("recover_work", code=item.code or word("no_case"))
                menu.addAction(text, lambda item=item: self.recover(item))
        if menu.isEmpty():
            menu.addAction(word("no_recent")).setEnabled(False)

    def tell_left_work(self) -> None:
        """Say that an earlier run left unsaved work behind, when it did."""
        if recoverable(self._bridge.services):
            self._bridge.tell("left_work_found", self._bridge.word("left_work_hint"))

    def recover(self, item: Recoverable) -> None:
        """Go on with unsaved work of an earlier run."""
        if self.may_leave() and self._bridge.attempt(lambda: self._bridge.recover(item)):
            self._bridge.tell("recovered")

    def _open(self, path: Path) -> None:
        session = self._bridge.session
        if session.path is not None and path.resolve() == session.path:
            self._bridge.tell("already_here", file=path.name)
            return

        def opened() -> None:
            self._note(path)
            self._bridge.tell("opened", file=path.name)

        self._bridge.open(path, may_replace=self.may_leave, opened=opened)

    def _save(self, path: Path, *, wait: bool) -> bool:
        session = self._bridge.session
        if wait:
            saved = self._bridge.attempt(lambda: session.save(path))
            if saved:
                self._saved(path)
            return saved
        self._bridge.run_job("saving", session.save, path, on_value=self._saved)
        return True

    def _saved(self, path: Path) -> None:
        self._note(path)
        self._bridge.tell("saved", file=str(path))
        self._window.refresh_frame()

    def _note(self, path: Path) -> None:
        folder = self._bridge.services.settings_folder
        settings, _ = read_settings(folder)
        others = tuple(name for name in settings.recent if name != str(path))
        kept = (str(path), *others)[:_RECENT_KEPT]
        self._bridge.attempt(lambda: write_settings(folder, replace(settings, recent=kept)))
