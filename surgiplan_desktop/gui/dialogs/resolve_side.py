"""Which side holds, said by a named person with a reason: the one identity question that stops everything else."""

from __future__ import annotations

from PySide6.QtCore import Qt, QTimer
from PySide6.QtWidgets import QButtonGroup, QDialog, QHBoxLayout, QLineEdit, QPlainTextEdit, QVBoxLayout, QWidget

from surgiplan_desktop.app.describe_side import hearing_rows
from surgiplan_desktop.app.resolve_side import LEAST_REASON, resolve_side
from surgiplan_desktop.gui.bridge import Bridge
from surgiplan_desktop.gui.steps import hear_witnesses
from surgiplan_desktop.gui.widgets.findings import card
from surgiplan_desktop.gui.widgets.layout import Table, button, clear, label
from surgiplan_desktop.model.anatomy import Side
from surgiplan_desktop.planning.graph import landmarks_key

_REASON_PX = 64


class ResolveSide(QDialog):
    """All witnesses for the side chosen, person and reason, and a signature that is kept in the case and in the report."""

    def __init__(self, bridge: Bridge, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("resolve_side")
        self._bridge = bridge
        word = bridge.word
        self.setWindowTitle(word("resolve_title"))
        self.setFixedWidth(620)
        self._side: Side | None = None
        layout = QVBoxLayout(self)
        layout.setContentsMargins(20, 16, 20, 16)
        layout.setSpacing(10)
        layout.addWidget(label(word("resolve_title"), "title"))
        layout.addWidget(label(word("resolve_text"), "secondary"))
        row = QHBoxLayout()
        sides = QButtonGroup(self)
        for side in Side:
            made = button(word(f"side_{side}"), f"resolve_{side}", lambda side=side: self._choose(side), checkable=True)
            sides.addButton(made)
            row.addWidget(made)
        layout.addLayout(row)
        heads = [word("resolve_witness"), word("resolve_says"), word("resolve_state")]
        self._table = Table("resolve_witnesses", heads, (190, 0, 150))
        layout.addWidget(self._table)
        self._told = QVBoxLayout()
        layout.addLayout(self._told)
        self._person = QLineEdit()
        self._person.setObjectName("resolve_person")
        self._person.setPlaceholderText(word("resolve_person"))
        self._person.setAccessibleName(word("resolve_person"))
        self._reason = QPlainTextEdit()
        self._reason.setObjectName("resolve_reason")
        self._reason.setPlaceholderText(word("resolve_reason", least=LEAST_REASON))
        self._reason.setAccessibleName(word("resolve_reason", least=LEAST_REASON))
        self._reason.setFixedHeight(_REASON_PX)
        self._reason.setTabChangesFocus(True)
        layout.addWidget(self._person)
        layout.addWidget(self._reason)
        foot = QHBoxLayout()
        foot.addStretch(1)
        foot.addWidget(button(word("stay"), "resolve_cancel", self.reject))
        self._sign = button(word("resolve_sign"), "resolve_sign", self._on_sign)
        self._sign.setProperty("role", "primary")
        foot.addWidget(self._sign)
        layout.addLayout(foot)
        self._person.textChanged.connect(lambda _text: self._refresh())
        self._reason.textChanged.connect(self._refresh)
        bridge.results_changed.connect(lambda _keys: self._refresh())
        wanted = {landmarks_key(side) for side in bridge.case.sides} & bridge.session.keys
        bridge.session.want(wanted, "resolve_side")
        self.finished.connect(lambda _result: bridge.session.want(set(), "resolve_side"))
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setFocus()  # else the frame of the focus makes one side look chosen
        self._refresh()

    def _choose(self, side: Side) -> None:
        self._side = side
        self._refresh()

    def _refresh(self) -> None:
        """Show what speaks for and against the side chosen; nothing can be signed while it is not known or no word helps."""
        clear(self._told)
        side, word = self._side, self._bridge.word
        self._table.setVisible(side is not None)
        if side is None:
            self._sign.setEnabled(False)
            return
        heard = hear_witnesses(self._bridge, side)
        self._table.fill([[(text, None, text) for text in cells] for cells in hearing_rows(heard, self._bridge.texts)])
        known = side not in self._bridge.case.sides or self._bridge.ready(landmarks_key(side))
        told = self._bridge.texts.text(f"ui.side_diagnosis_{heard.diagnosis}")
        if not known:
            told = word("resolve_waits")
        elif heard.needs_other_data:
            told = f"{told}\n{word('side_needs_data')}"
        elif not heard.open:
            told = f"{told}\n{word('resolve_nothing')}"
        self._told.addWidget(card(told, "fail" if heard.open else "ok"))
        signed = len(self._person.text().split()) > 0 and len(" ".join(self._reason.toPlainText().split())) >= LEAST_REASON
        self._sign.setEnabled(known and bool(heard.open) and not heard.needs_other_data and signed)
        QTimer.singleShot(0, self.adjustSize)  # the table has rows now

    def _on_sign(self) -> None:
        side = self._side
        if side is None:
            return
        person, reason = self._person.text(), self._reason.toPlainText()
        if self._bridge.attempt(lambda: resolve_side(self._bridge.session, side, person, reason)):
            self._bridge.tell("resolved", side=self._bridge.word(f"side_{side}"), person=" ".join(person.split()))
            self.accept()
