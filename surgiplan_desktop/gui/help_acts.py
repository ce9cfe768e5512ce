"""What stands under Help: mouse and keys, the scan protocol as a page, the site acceptance test, versions."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from PySide6.QtWidgets import QFileDialog, QMenu

from surgiplan_desktop.app.scan_protocol import write_scan_protocol
from surgiplan_desktop.app.texts import Texts
from surgiplan_desktop.base.progress import Progress

if TYPE_CHECKING:
    from surgiplan_desktop.gui.main_window import MainWindow

#: Acts of the Help menu in their order; empty is a line.
HELP_ACTS: Final = ("help", "", "protocol_en", "protocol_de", "protocol_tr", "", "acceptance", "", "about")
_ACCEPTANCE_LEGS: Final = 2


def fill_help(menu: QMenu, window: MainWindow) -> None:
    """Put the acts of Help in a menu."""
    for name in HELP_ACTS:
        if name:
            menu.addAction(window.actions_by_id[name])
        else:
            menu.addSeparator()


def save_protocol(window: MainWindow, language: str) -> None:
    """Ask where, and write the scan protocol for the radiology department."""
    path = _ask_file(window, "protocol_title", f"scan-protocol-{language}.pdf")
    if path is None:
        return

    def done(written: Path) -> None:
        window.bridge.tell("file_written", file=str(written))

    window.bridge.run_job("writing_protocol", _protocol, path, language, on_value=done)


def run_site_acceptance(window: MainWindow) -> None:
    """Ask where, and run the site acceptance test beside the window's work; its page is written with either verdict."""
    path = _ask_file(window, "acceptance_title", "surgiplan-acceptance.pdf")
    if path is None:
        return

    def done(passed: bool) -> None:
        window.bridge.tell("acceptance_passed" if passed else "acceptance_failed", file=str(path))

    window.bridge.tell("acceptance_begun")
    window.bridge.run_job("acceptance", _acceptance, path, window.bridge.texts, on_value=done)


def show_about(window: MainWindow) -> None:
    """Show versions."""
    from surgiplan_desktop.gui.dialogs.about import About  # for the same reason as the acceptance test

    About(window.bridge, window).exec()


def _ask_file(window: MainWindow, title: str, name: str) -> Path | None:
    word = window.bridge.word
    chosen, _ = QFileDialog.getSaveFileName(window, word(title), str(Path.home() / name), "PDF (*.pdf)")
    return Path(chosen).with_suffix(".pdf") if chosen else None


def _protocol(path: Path, language: str, *, progress: Progress) -> Path:
    progress.step(0, 1, "writing_protocol")
    return write_scan_protocol(path, language)


def _acceptance(path: Path, texts: Texts, *, progress: Progress) -> bool:
    # Imported here: it pulls the whole simulator, which the window does without.
    from surgiplan_desktop.app.acceptance import acceptance_legs, run_acceptance
    from surgiplan_desktop.app.describe_acceptance import acceptance_sheet
    from surgiplan_desktop.files.acceptance_sheet import write_acceptance_pdf

    result = run_acceptance(acceptance_legs(_ACCEPTANCE_LEGS), progress=progress)
    write_acceptance_pdf(path, acceptance_sheet(result, texts))
    return result.passed
