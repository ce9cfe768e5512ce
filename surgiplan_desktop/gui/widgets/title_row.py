"""The row at the top: case, side, procedure and state never leave it; undo, redo, palette, look, help, menu."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QHBoxLayout, QLabel, QMenu, QPushButton, QSizePolicy, QToolButton, QWidget

from surgiplan_desktop.gui.bridge import Bridge
from surgiplan_desktop.gui.icons import icon
from surgiplan_desktop.gui.theme import Theme
from surgiplan_desktop.gui.widgets.layout import set_role


class TitleRow(QWidget):
    """See the module's text. ``actions`` are the window's actions by id; the menus are given by the window."""

    def __init__(self, bridge: Bridge, theme: Theme, actions: dict[str, QAction], menu: QMenu, help_menu: QMenu) -> None:
        super().__init__()
        self.setObjectName("titleRow")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setFixedHeight(42)
        self._bridge = bridge
        layout = QHBoxLayout(self)
        layout.setContentsMargins(10, 4, 8, 4)
        layout.setSpacing(8)
        self._logo = QLabel()
        self._logo.setPixmap(icon("app", theme, "accent").pixmap(QSize(22, 22)))
        layout.addWidget(self._logo)
        layout.addWidget(_plain(bridge.word("program"), "title", "program_name"))
        self._code = _plain("", "secondary", "case_code")
        self._side = _plain("", "side-none", "case_side")
        self._procedure = _plain("", "", "case_procedure")
        self._state = _plain("", "tag", "case_state")
        self._file = _plain("", "small", "case_file")
        for widget in (self._code, self._side, self._procedure, self._state, self._file):
            layout.addWidget(widget)
        layout.addStretch(1)
        self._icon_buttons: list[tuple[QToolButton, str]] = []
        for name in ("undo", "redo"):
            layout.addWidget(self._tool(actions[name], name, theme))
        self._palette = QPushButton(bridge.word("find_anything"))
        self._palette.setObjectName("palette_button")
        self._palette.setMinimumWidth(190)
        self._palette.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._palette.clicked.connect(actions["palette"].trigger)
        layout.addWidget(self._palette)
        layout.addWidget(self._tool(actions["look"], "light", theme))
        layout.addWidget(self._opener(help_menu, "help", "help_menu"))
        layout.addWidget(self._opener(menu, "menu", "menu"))
        self.set_theme(theme)
        self.refresh()

    def _tool(self, action: QAction, name: str, theme: Theme) -> QToolButton:
        made = QToolButton()
        made.setDefaultAction(action)
        made.setObjectName(f"{action.objectName()}_button")
        made.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        made.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonIconOnly)
        self._icon_buttons.append((made, name))
        return made

    def _opener(self, menu: QMenu, name: str, words: str) -> QToolButton:
        made = QToolButton()
        made.setObjectName(f"{name}_button")
        made.setAccessibleName(self._bridge.word(words))
        made.setToolTip(self._bridge.word(words))
        made.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        made.setMenu(menu)
        made.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        made.setStyleSheet("QToolButton::menu-indicator { image: none; }")
        self._icon_buttons.append((made, name))
        return made

    def set_theme(self, theme: Theme) -> None:
        """Use other colours."""
        for made, name in self._icon_buttons:
            made.setIconSize(QSize(18, 18))
            action = made.defaultAction()
            (action or made).setIcon(icon(name, theme))
        self._logo.setPixmap(icon("app", theme, "accent").pixmap(QSize(22, 22)))

    def refresh(self) -> None:
        """Show case, side, procedure, state and file."""
        case, word = self._bridge.case, self._bridge.word
        intake = case.intake
        self._code.setText(case.code or word("no_case"))
        if intake.side is None:
            self._side.setText(word("side_not_asked"))
            set_role(self._side, "side-none")
        else:
            self._side.setText(word(f"side_{intake.side}").upper())
            set_role(self._side, f"side-{intake.side}")
        self._procedure.setText(word(f"procedure_short_{intake.procedure}") if intake.procedure else "")
        self._state.setText(word("draft"))
        path = self._bridge.session.path
        name = word("not_saved") if path is None else path.name
        self._file.setText(name + (" *" if self._bridge.session.modified and path is not None else ""))
        self._file.setToolTip(str(path or word("not_saved")))


def _plain(text: str, role: str, name: str) -> QLabel:
    made = QLabel(text)
    made.setObjectName(name)
    made.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
    if role:
        made.setProperty("role", role)
    return made
