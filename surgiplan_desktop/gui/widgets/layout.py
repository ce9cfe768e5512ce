"""Small builders for panels: labels, groups, lines, buttons, tables that need no scroll bar of their own."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtCore import Qt
from PySide6.QtGui import QColor
from PySide6.QtWidgets import (
    QAbstractItemView,
    QFrame,
    QHeaderView,
    QLabel,
    QLayout,
    QPushButton,
    QScrollArea,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

ROW_PX = 25


def label(text: str, role: str = "", name: str = "") -> QLabel:
    """Return a label that wraps."""
    made = QLabel(text)
    made.setWordWrap(True)
    made.setObjectName(name)
    if role:
        made.setProperty("role", role)
    return made


def set_role(widget: QLabel, role: str) -> None:
    """Give a label another role of the style sheet."""
    if widget.property("role") != role:
        widget.setProperty("role", role)
        widget.style().unpolish(widget)
        widget.style().polish(widget)


def line() -> QFrame:
    """Return a thin line."""
    made = QFrame()
    made.setProperty("role", "line")
    return made


def group(into: QVBoxLayout, title: str) -> QVBoxLayout:
    """Add a titled group and return the layout of its content."""
    heading = label(title, "group")
    into.addSpacing(4)
    into.addWidget(heading)
    inner = QVBoxLayout()
    inner.setSpacing(6)
    into.addLayout(inner)
    return inner


def button(text: str, name: str, run: Callable[[], object], *, tip: str = "", checkable: bool = False) -> QPushButton:
    """Return a button."""
    made = QPushButton(text)
    made.setObjectName(name)
    made.setAccessibleName(text)
    made.setToolTip(tip)
    made.setCheckable(checkable)
    made.setCursor(Qt.CursorShape.PointingHandCursor)
    made.clicked.connect(lambda _checked: run())
    return made


def scroller(inside: QWidget) -> QScrollArea:
    """Return an area that scrolls a column of widgets up and down, never sideways."""
    made = QScrollArea()
    made.setObjectName("panelScroll")
    made.setWidgetResizable(True)
    made.setFrameShape(QFrame.Shape.NoFrame)
    made.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    inside.setObjectName("panelBody")
    made.setWidget(inside)
    return made


def clear(layout: QLayout) -> None:
    """Remove everything from a layout."""
    while layout.count():
        item = layout.takeAt(0)
        if item.widget() is not None:
            item.widget().hide()
            item.widget().deleteLater()
        elif item.layout() is not None:
            clear(item.layout())


class Table(QTableWidget):
    """A table as high as its rows; cells are (words, colour or None, tip)."""

    def __init__(self, name: str, heads: Sequence[str], widths: Sequence[int], *, selectable: bool = False) -> None:
        super().__init__(0, len(heads))
        self.setObjectName(name)
        self.setHorizontalHeaderLabels(list(heads))
        self.verticalHeader().hide()
        self.verticalHeader().setDefaultSectionSize(ROW_PX)
        self.verticalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        self.setShowGrid(False)
        self.setWordWrap(False)
        self.setTextElideMode(Qt.TextElideMode.ElideRight)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        single, none = QAbstractItemView.SelectionMode.SingleSelection, QAbstractItemView.SelectionMode.NoSelection
        self.setSelectionMode(single if selectable else none)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus if selectable else Qt.FocusPolicy.NoFocus)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        header = self.horizontalHeader()
        header.setHighlightSections(False)
        header.setMinimumSectionSize(20)
        header.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        for column, width in enumerate(widths):
            if width:
                header.setSectionResizeMode(column, QHeaderView.ResizeMode.Fixed)
                self.setColumnWidth(column, width)
            else:
                header.setSectionResizeMode(column, QHeaderView.ResizeMode.Stretch)
        header.setVisible(any(heads))
        self._fit()

    def fill(self, rows: Sequence[Sequence[tuple[str, QColor | None, str]]], right: Sequence[int] = ()) -> None:
        """Show these rows; columns in ``right`` are right-aligned (numbers)."""
        self.blockSignals(True)
        self.setRowCount(len(rows))
        for row, cells in enumerate(rows):
            for column, (text, colour, tip) in enumerate(cells):
                item = self.item(row, column)
                if item is None:
                    item = QTableWidgetItem()
                    self.setItem(row, column, item)
                item.setText(text)
                item.setToolTip(tip or text)
                item.setData(Qt.ItemDataRole.ForegroundRole, colour)
                side = Qt.AlignmentFlag.AlignRight if column in right else Qt.AlignmentFlag.AlignLeft
                item.setTextAlignment(side | Qt.AlignmentFlag.AlignVCenter)
        self.blockSignals(False)
        self._fit()

    def _fit(self) -> None:
        header = self.horizontalHeader().sizeHint().height() if self.horizontalHeader().isVisibleTo(self) else 0
        self.setFixedHeight(header + ROW_PX * self.rowCount() + 2)

    def wheelEvent(self, event: object) -> None:
        event.ignore()  # the panel scrolls, not the table
