"""Widgets are tested off screen; only the tests marked ``window`` use an X server."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from surgiplan_desktop.app.startup import start
from surgiplan_desktop.gui.bridge import Bridge, Dispatcher


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
