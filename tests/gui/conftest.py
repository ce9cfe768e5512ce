"""Widgets are tested off screen; only the tests marked ``window`` use an X server."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from pytestqt.qtbot import QtBot

from surgiplan_desktop.app.startup import start
from surgiplan_desktop.gui.bridge import Bridge, Dispatcher
from surgiplan_desktop.gui.main_window import MainWindow, dress
from surgiplan_desktop.gui.theme import theme_named


@pytest.fixture
def bridge(qapp: object, user_folder: Path) -> Iterator[Bridge]:
    """Give a bridge over an empty session with a user folder of its own."""
    dispatcher = Dispatcher()
    services = start(post=dispatcher.post)
    made = Bridge(services)
    made.dispatcher = dispatcher  # type: ignore[attr-defined] # lives as long as the bridge
    yield made
    made.close(discard=True)
    services.close()


@pytest.fixture
def window(qtbot: QtBot, bridge: Bridge) -> Iterator[MainWindow]:
    """Give the whole window over an empty session, off screen."""
    theme = theme_named("dark")
    dress(theme)
    made = MainWindow(bridge, theme)
    made.resize(1280, 800)
    made.show()
    qtbot.waitExposed(made)
    yield made
    made.views.volume.release()
    made.deleteLater()
