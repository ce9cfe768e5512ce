"""Where everything is on the screen, for test and accessibility tools that work from outside.

Started with ``SURGIPLAN_WINDOW_MAP=<file>``, the window writes this JSON (through a temporary file) whenever it changed:
``{"widgets": {object name: {"rect": [x, y, width, height], "enabled": bool, "text": str}},
"handles": {"<view>/<handle>": [x, y]},
"step": id, "busy": number of jobs}``. All positions are pixels of the screen.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import QObject, QPoint, QTimer
from PySide6.QtWidgets import QApplication, QTableWidget, QWidget

if TYPE_CHECKING:
    from surgiplan_desktop.gui.main_window import MainWindow


class WindowMap(QObject):
    """Writes the map four times a second at most."""

    def __init__(self, window: MainWindow, path: Path) -> None:
        super().__init__(window)
        self._window = window
        self._path = path
        self._last = ""
        self._timer = QTimer(self)
        self._timer.setInterval(250)
        self._timer.timeout.connect(self._write)
        self._timer.start()

    def _write(self) -> None:
        widgets = {}
        for top in QApplication.topLevelWidgets():
            if top.isVisible():
                for widget in (top, *top.findChildren(QWidget)):
                    if widget.isVisible() and widget.objectName() and not widget.objectName().startswith("qt_"):
                        widgets[widget.objectName()] = self._entry(widget)
        content = {
            "widgets": widgets,
            "handles": self._handles(),
            "step": self._window.bridge.session.view.step,
            "busy": len(self._window.bridge.services.jobs.active),
        }
        text = json.dumps(content, indent=0)
        if text != self._last:
            self._last = text
            temporary = self._path.with_suffix(".part")
            temporary.write_text(text, encoding="utf-8")
            temporary.replace(self._path)

    @staticmethod
    def _entry(widget: QWidget) -> dict[str, object]:
        ratio = widget.devicePixelRatioF()
        corner = widget.mapToGlobal(QPoint(0, 0))
        rect = [round(value * ratio) for value in (corner.x(), corner.y(), widget.width(), widget.height())]
        text = widget.text() if hasattr(widget, "text") and callable(widget.text) else ""
        if isinstance(widget, QTableWidget):
            cells = [[widget.item(r, c) for c in range(widget.columnCount())] for r in range(widget.rowCount())]
            text = "\n".join("\t".join(item.text() if item else "" for item in row) for row in cells)
        return {"rect": rect, "enabled": widget.isEnabled(), "text": str(text)}

    def _handles(self) -> dict[str, list[int]]:
        views = self._window.views
        found: dict[str, list[int]] = {}
        for name, view in (*views.slices.items(), ("film", views.film), ("3d", views.volume)):
            handles = view.handles_shown()
            if not view.isVisible() or not handles:
                continue
            screen = view.to_screen(np.array([handle.point_lps for handle in handles]))
            for handle, (x, y) in zip(handles, screen, strict=True):
                at = view.mapToGlobal(QPoint(round(x), round(y)))
                ratio = view.devicePixelRatioF()
                found[f"{name}/{handle.id}"] = [round(at.x() * ratio), round(at.y() * ratio)]
        return found
