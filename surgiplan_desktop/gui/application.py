"""Starts the window: application, look, services, session; the last net for what nobody caught."""

from __future__ import annotations

import faulthandler
import logging
import os
import sys
from pathlib import Path
from types import TracebackType

from PySide6.QtCore import QTimer
from PySide6.QtGui import QFontDatabase, QGuiApplication
from PySide6.QtWidgets import QApplication

from surgiplan_desktop.app.startup import start
from surgiplan_desktop.base.paths import resource_folder, user_log_folder
from surgiplan_desktop.gui.bridge import Bridge, Dispatcher
from surgiplan_desktop.gui.main_window import MainWindow, dress
from surgiplan_desktop.gui.theme import font, theme_named
from surgiplan_desktop.gui.window_map import WindowMap

_LOG = logging.getLogger(__name__)
#: Modules that the first solid job needs; the worker imports them while the user reads.
_WARM = ("surgiplan_desktop.planning.pieces", "surgiplan_desktop.planning.guides", "surgiplan_desktop.planning.implants")


def run(case: Path | None = None) -> int:
    """Show the window until it is closed; return the exit code.

    ``SURGIPLAN_WINDOW_MAP=<file>`` makes it tell where its parts are (see :mod:`surgiplan_desktop.gui.window_map`).
    """
    _log_to_file()
    # The native dialogs of desktops differ; the program's own can be driven and tested everywhere.
    application = QApplication.instance() or QApplication([sys.argv[0]])
    application.setApplicationName("SurgiPlan Desktop")
    application.setStyle("Fusion")
    for path in sorted((resource_folder() / "fonts").glob("*.ttf")):
        QFontDatabase.addApplicationFont(str(path))
    application.setFont(font())
    theme = theme_named("dark")
    dress(theme)
    dispatcher = Dispatcher()
    services = start(post=dispatcher.post)
    bridge = Bridge(services)
    sys.excepthook = lambda kind, error, trace: _uncaught(bridge, kind, error, trace)
    window = MainWindow(bridge, theme)
    place = os.environ.get("SURGIPLAN_WINDOW_MAP")
    if place:
        WindowMap(window, Path(place))
    screen = QGuiApplication.primaryScreen().availableGeometry()
    if screen.width() <= 1400 or screen.height() <= 900:
        window.showMaximized()
    else:
        window.resize(min(1600, screen.width()), min(1000, screen.height()))
        window.show()
    window.documents.tell_left_work()
    if case is not None:
        QTimer.singleShot(0, lambda: window.documents.open(case))
    QTimer.singleShot(300, lambda: services.jobs.warm(*_WARM))
    code = application.exec()
    services.close()
    sys.excepthook = sys.__excepthook__
    return int(code)


def _log_to_file() -> None:
    folder = user_log_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handler = logging.FileHandler(folder / "window.log", encoding="utf-8")
    except OSError:
        return  # a full or read-only disk must not keep the window from opening
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    logging.getLogger().addHandler(handler)
    faulthandler.enable(handler.stream)


def _uncaught(bridge: Bridge, kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Tell, log, go on: every edit is in the journal already, so nothing is lost."""
    if issubclass(kind, KeyboardInterrupt):
        QApplication.quit()
        return
    _LOG.critical("uncaught", exc_info=(kind, error, trace))
    if isinstance(error, Exception):
        bridge.services.notices.error(error)
