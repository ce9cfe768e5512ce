"""Fields bound to one value each: unit behind it, range on hover, reset to the proposal. They never echo what they are shown."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QComboBox, QDoubleSpinBox, QHBoxLayout, QLabel, QToolButton, QWidget

from surgiplan_desktop.gui.icons import icon
from surgiplan_desktop.gui.theme import Theme

LABEL_PX = 116


class _Row(QWidget):
    """A name on the left, the field on the right."""

    def __init__(self, name: str, text: str, tip: str) -> None:
        super().__init__()
        self._layout = QHBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.setSpacing(6)
        self.caption = QLabel(text)
        self.caption.setFixedWidth(LABEL_PX)
        self.caption.setWordWrap(True)
        self.caption.setToolTip(tip)
        self._layout.addWidget(self.caption)
        self.setObjectName(f"{name}_row")


class NumberField(_Row):
    """A number with its unit. ``committed`` comes once for each entry: Enter, leaving the field, or a step.

    Parameters
    ----------
    name
        Object name.
    text, unit, tip
        Words.
    low, high, step, decimals
        Range and fineness.
    theme
        For the reset arrow.
    """

    committed = Signal(float)
    reset = Signal()

    def __init__(
        self, name: str, text: str, unit: str, low: float, high: float, step: float, decimals: int, theme: Theme, tip: str = ""
    ) -> None:
        super().__init__(name, text, tip)
        self.box = _Spin()
        self.box.setObjectName(name)
        self.box.setAccessibleName(f"{text} {unit}")
        self.box.setRange(low, high)
        self.box.setDecimals(decimals)
        self.box.setSingleStep(step)
        self.box.setSuffix(f" {unit}" if unit else "")
        self.box.setKeyboardTracking(False)
        self.box.setToolTip(f"{tip}\n{low:g} ... {high:g} {unit}".strip())
        self.box.setAlignment(Qt.AlignmentFlag.AlignRight)
        self.box.valueChanged.connect(self.committed)
        self._reset = QToolButton()
        self._reset.setObjectName(f"{name}_reset")
        self._reset.setIcon(icon("reset", theme))
        self._reset.setAccessibleName(text)
        self._reset.setFixedSize(24, 24)
        self._reset.clicked.connect(self.reset)
        self._layout.addWidget(self.box, 1)
        self._layout.addWidget(self._reset)
        self._keep_place()

    def _keep_place(self) -> None:
        policy = self._reset.sizePolicy()
        policy.setRetainSizeWhenHidden(True)
        self._reset.setSizePolicy(policy)
        self._reset.hide()

    @property
    def value(self) -> float:
        """The value shown."""
        return self.box.value()

    def show_value(self, value: float, proposal: float | None = None, reset_tip: str = "") -> None:
        """Show a value without echo; the reset arrow appears where it differs from the proposal."""
        if not (self.box.hasFocus() and self.box.lineEdit().isModified()):
            self.box.blockSignals(True)
            self.box.setValue(value)
            self.box.blockSignals(False)
        changed = proposal is not None and bool(abs(value - proposal) >= 0.5 * 10.0 ** -self.box.decimals())
        self._reset.setVisible(changed)
        self._reset.setToolTip(reset_tip)
        if self.box.property("changed") != changed:
            self.box.setProperty("changed", changed)
            self.box.style().unpolish(self.box)
            self.box.style().polish(self.box)


class ChoiceField(_Row):
    """A choice from a list; ``chosen`` gives the data of the entry that the user picked."""

    chosen = Signal(object)

    def __init__(self, name: str, text: str, choices: Sequence[tuple[str, object]] = (), tip: str = "") -> None:
        super().__init__(name, text, tip)
        self.box = _Combo()
        self.box.setObjectName(name)
        self.box.setAccessibleName(text)
        self.box.setToolTip(tip)
        self.box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.box.setMinimumContentsLength(8)
        self.box.view().setObjectName(f"{name}_list")
        self.set_choices(choices)
        self.box.activated.connect(lambda index: self.chosen.emit(self.box.itemData(index)))
        self._layout.addWidget(self.box, 1)

    def set_choices(self, choices: Sequence[tuple[str, object]]) -> None:
        """Offer these (words, data)."""
        now = [(self.box.itemText(row), self.box.itemData(row)) for row in range(self.box.count())]
        if now == list(choices):
            return
        self.box.blockSignals(True)
        self.box.clear()
        for text, data in choices:
            self.box.addItem(text, data)
        self.box.blockSignals(False)

    def show_choice(self, data: object) -> None:
        """Show the entry of this data without echo."""
        for row in range(self.box.count()):
            if self.box.itemData(row) == data:
                self.box.blockSignals(True)
                self.box.setCurrentIndex(row)
                self.box.blockSignals(False)
                return


class _Spin(QDoubleSpinBox):
    def wheelEvent(self, event: object) -> None:
        # A wheel over a panel scrolls it; it never changes a plan by accident.
        event.ignore()


class _Combo(QComboBox):
    def wheelEvent(self, event: object) -> None:
        event.ignore()
