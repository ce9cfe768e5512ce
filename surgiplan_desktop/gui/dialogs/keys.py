"""The help overlay: what mouse and keys do, from the one table."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QDialog, QGridLayout, QLabel, QScrollArea, QVBoxLayout, QWidget

from surgiplan_desktop.gui.bridge import Bridge
from surgiplan_desktop.gui.widgets.layout import button, label

#: What the views do with mouse and keys: text id of the act, text id of the mouse, keys.
VIEW_KEYS = (
    ("key_scroll", "mouse_wheel", "Up Down PgUp PgDn Home End"),
    ("key_window", "mouse_right", "1 2 3 0"),
    ("key_pan", "mouse_middle", "Shift + arrows"),
    ("key_zoom", "mouse_ctrl_wheel", "+ -   F"),
    ("key_crosshair", "mouse_left", "X"),
    ("key_turn", "mouse_left_3d", "A P L R S I"),
    ("key_handle", "mouse_left_handle", ""),
    ("key_maximise", "mouse_double", ""),
)


class KeysHelp(QDialog):
    """Two tables: the views, and the actions with their shortcuts."""

    def __init__(self, bridge: Bridge, actions: list[QAction], parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("keys_help")
        self.setWindowTitle(bridge.word("help"))
        self.resize(800, 640)
        outer = QVBoxLayout(self)
        outer.addWidget(label(bridge.word("help"), "headline"))
        outer.addWidget(label(bridge.word("help_convention"), "secondary"))
        area = QScrollArea()
        area.setObjectName("panelScroll")
        area.setWidgetResizable(True)
        inside = QWidget()
        inside.setObjectName("panelBody")
        grid = QGridLayout(inside)
        grid.setHorizontalSpacing(24)
        grid.setColumnStretch(0, 1)
        rows = [(bridge.word(act), bridge.word(mouse), keys) for act, mouse, keys in VIEW_KEYS]
        for action in actions:
            keys = action.shortcut().toString(QKeySequence.SequenceFormat.NativeText)
            if keys:
                rows.append((action.text(), "", keys))
        heads = (bridge.word("help_act"), bridge.word("help_mouse"), bridge.word("help_key"))
        for column, head in enumerate(heads):
            grid.addWidget(label(head, "group"), 0, column)
        for row, cells in enumerate(rows, start=1):
            for column, text in enumerate(cells):
                cell = QLabel(text)
                cell.setTextInteractionFlags(Qt.TextInteractionFlag.NoTextInteraction)
                grid.addWidget(cell, row, column)
        area.setWidget(inside)
        outer.addWidget(area, 1)
        outer.addWidget(button(bridge.word("close"), "keys_close", self.accept), 0, Qt.AlignmentFlag.AlignRight)
