"""Colours by role, type sizes and the style sheet, for the dark (reading room) and the light look."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from PySide6.QtGui import QColor, QFont, QPalette

Look = Literal["dark", "light"]

#: Type sizes in px at 100 %.
SMALL, NORMAL, LARGE, HUGE = 12, 13, 15, 20
FAMILIES: Final = ["Inter", "Segoe UI", "Noto Sans", "Liberation Sans", "DejaVu Sans"]

# Okabe-Ito hues, softened to tints of bone: told apart by the colour-blind, the same in slices, 3D and tables.
_BONES: Final = {
    "bone/femur": "#e8bd6a",
    "bone/tibia": "#7cc3ea",
    "bone/patella": "#d39ac0",
    "bone/fibula": "#6fcfab",
    "bone/talus": "#ec946f",
    "bone/hip": "#e6e08c",
    "bone/sacrum": "#b9a6e8",
    "implant": "#b6c0cb",
    "guide": "#35b9ad",
    "cut": "#f25f8a",
    "piece/moved": "#b9e0f5",
    "danger": "#ff5d52",
    "pin": "#d9dee5",
    "fit": "#ff7ae0",
}
_DARK: Final = {
    "surface/0": "#12151a",
    "surface/1": "#191d24",
    "surface/2": "#232933",
    "surface/3": "#343c49",
    "text/primary": "#e9edf2",
    "text/secondary": "#aab4c2",
    "text/disabled": "#6f7a8a",
    "text/on-accent": "#08121c",
    "accent": "#62b0f0",
    "ok": "#53c793",
    "warn": "#f2b83b",
    "fail": "#ff7d73",
    "side/right": "#c3a6ff",
    "side/left": "#4fd3c6",
    "plane/axial": "#f2766e",
    "plane/coronal": "#84d16f",
    "plane/sagittal": "#f0d25c",
    "view/low": "#1b2027",
    "view/high": "#3a424e",
    "view/text": "#e9edf2",
    "view/halo": "#000000",
}
#: Roles that are painted on images in the colours of the dark look whatever the look is.
_ON_IMAGE: Final = {
    role: _DARK[role] for role in ("text/primary", "text/secondary", "accent", "ok", "warn", "fail", "side/right", "side/left")
}
_LIGHT: Final = {
    "surface/0": "#e9ecf0",
    "surface/1": "#f7f8fa",
    "surface/2": "#ffffff",
    "surface/3": "#c6cdd7",
    "text/primary": "#161b22",
    "text/secondary": "#4a5563",
    "text/disabled": "#8791a0",
    "text/on-accent": "#ffffff",
    "accent": "#1766ad",
    "ok": "#14764a",
    "warn": "#8a5a00",
    "fail": "#b3261e",
    "side/right": "#6b3fc0",
    "side/left": "#0b7268",
    "plane/axial": "#f2766e",
    "plane/coronal": "#84d16f",
    "plane/sagittal": "#f0d25c",
    "view/low": "#59626f",
    "view/high": "#9aa4b1",
    "view/text": "#ffffff",
    "view/halo": "#000000",
}


@dataclass(frozen=True, slots=True)
class Theme:
    """Colours by role; the only place with hex codes."""

    look: Look
    roles: dict[str, str]

    def colour(self, role: str, alpha: float = 1.0) -> QColor:
        """Return the colour of a role; KeyError for a role that does not exist."""
        colour = QColor(self.roles[role])
        colour.setAlphaF(alpha)
        return colour

    def on_image(self, role: str, alpha: float = 1.0) -> QColor:
        """Return the colour of a role for what is painted on grey values and in 3D: those are dark in both looks."""
        colour = QColor({**self.roles, **_ON_IMAGE}.get(role))
        colour.setAlphaF(alpha)
        return colour

    def tint(self, role: str) -> tuple[float, float, float]:
        """Return the colour of a role for solid bodies in 3D: bones are tints of ivory, everything else as it is."""
        red, green, blue = self.rgb(role)
        if not role.startswith(("bone/", "piece/")):
            return red, green, blue
        share = 0.45
        return (
            share * red + (1 - share) * 0.93,
            share * green + (1 - share) * 0.89,
            share * blue + (1 - share) * 0.80,
        )

    def rgb(self, role: str) -> tuple[float, float, float]:
        """Return the colour of a role as red, green, blue in 0..1, as VTK wants it."""
        colour = self.colour(role)
        return colour.redF(), colour.greenF(), colour.blueF()


def theme_named(look: Look) -> Theme:
    """Return the dark or the light theme."""
    return Theme(look, {**_BONES, **(_DARK if look == "dark" else _LIGHT)})


def font(size: int = NORMAL, *, bold: bool = False) -> QFont:
    """Return the program's font with figures of equal width."""
    made = QFont()
    made.setFamilies(FAMILIES)
    made.setPixelSize(size)
    made.setBold(bold)
    made.setFeature(QFont.Tag("tnum"), 1)
    return made


def palette(theme: Theme) -> QPalette:
    """Return the Qt palette, for what the style sheet does not reach."""
    made = QPalette()
    for role, name in (
        (QPalette.ColorRole.Window, "surface/1"),
        (QPalette.ColorRole.Base, "surface/2"),
        (QPalette.ColorRole.AlternateBase, "surface/1"),
        (QPalette.ColorRole.Button, "surface/2"),
        (QPalette.ColorRole.Text, "text/primary"),
        (QPalette.ColorRole.WindowText, "text/primary"),
        (QPalette.ColorRole.ButtonText, "text/primary"),
        (QPalette.ColorRole.ToolTipBase, "surface/3"),
        (QPalette.ColorRole.ToolTipText, "text/primary"),
        (QPalette.ColorRole.PlaceholderText, "text/secondary"),
        (QPalette.ColorRole.Highlight, "accent"),
        (QPalette.ColorRole.HighlightedText, "text/on-accent"),
    ):
        made.setColor(role, theme.colour(name))
    for role in (QPalette.ColorRole.Text, QPalette.ColorRole.WindowText, QPalette.ColorRole.ButtonText):
        made.setColor(QPalette.ColorGroup.Disabled, role, theme.colour("text/disabled"))
    return made


_SHEET: Final = """
* { color: @text/primary; font-size: 13px; }
QMainWindow, QDialog, QWidget#central { background: @surface/0; }
QToolTip { background: @surface/3; color: @text/primary; border: 1px solid @text/disabled; padding: 4px 6px; }
QWidget#titleRow { background: @surface/1; border-bottom: 1px solid @surface/3; }
QWidget#statusBar { background: @surface/1; border-top: 1px solid @surface/3; }
QWidget#statusBar QLabel { font-size: 12px; }
QWidget#stepRail { background: @surface/1; border-right: 1px solid @surface/3; }
QWidget#panelFrame, QWidget#panelBody, QScrollArea#panelScroll, QWidget#study_browser, QWidget#film_page,
QWidget#mesh_page { background: @surface/1; border: none; }
QWidget#panelFrame { border-left: 1px solid @surface/3; }
QLabel[role="title"] { font-size: 15px; font-weight: 600; }
QLabel[role="headline"] { font-size: 20px; font-weight: 600; }
QLabel[role="group"] { color: @text/secondary; font-size: 12px; font-weight: 600; }
QLabel[role="secondary"] { color: @text/secondary; }
QLabel[role="small"] { color: @text/secondary; font-size: 12px; }
QLabel[role="ok"] { color: @ok; }
QLabel[role="warn"] { color: @warn; }
QLabel[role="fail"] { color: @fail; }
QLabel[role="side-right"], QLabel[role="side-left"] { color: @text/on-accent; border-radius: 4px; padding: 2px 8px;
    font-weight: 700; }
QLabel[role="side-right"] { background: @side/right; }
QLabel[role="side-left"] { background: @side/left; }
QLabel[role="side-none"] { background: @surface/3; color: @text/secondary; border-radius: 4px; padding: 2px 8px; }
QLabel[role="tag"] { background: @surface/3; border-radius: 4px; padding: 2px 6px; font-size: 12px; }
QFrame[role="line"] { background: @surface/3; max-height: 1px; min-height: 1px; border: none; }
QFrame[role="card"] { background: @surface/2; border: 1px solid @surface/3; border-radius: 6px; }
QFrame[role="card"][tone="warn"] { border-left: 3px solid @warn; }
QFrame[role="card"][tone="fail"] { border-left: 3px solid @fail; }
QFrame[role="card"][tone="ok"] { border-left: 3px solid @ok; }
QPushButton { background: @surface/2; border: 1px solid @surface/3; border-radius: 5px; padding: 5px 10px; min-height: 18px; }
QPushButton:hover { border-color: @accent; }
QPushButton:pressed { background: @surface/3; }
QPushButton:checked { background: @surface/3; border-color: @accent; }
QPushButton:focus { border-color: @accent; }
QPushButton:disabled { color: @text/disabled; border-color: @surface/2; }
QPushButton[role="link"] { background: transparent; border: none; color: @accent; padding: 2px 0; font-size: 12px;
    text-align: left; }
QPushButton[role="link"]:hover { text-decoration: underline; }
QPushButton[role="link"]:focus { text-decoration: underline; }
QPushButton[role="primary"] { background: @accent; color: @text/on-accent; border: none; font-weight: 700; min-height: 28px; }
QPushButton[role="primary"]:hover { background: @accent-hover; }
QPushButton[role="primary"]:disabled { background: @surface/3; color: @text/disabled; }
QToolButton { background: transparent; border: 1px solid transparent; border-radius: 4px; padding: 3px; }
QToolButton:hover { background: @surface/3; }
QToolButton:checked { background: @surface/3; border-color: @accent; }
QToolButton:disabled { color: @text/disabled; }
QToolButton[role="step"] { text-align: left; padding: 6px 6px; border-radius: 6px; border-left: 3px solid transparent; }
QToolButton[role="step"]:checked { background: @surface/2; border: 1px solid @surface/3;
    border-left: 3px solid @accent; font-weight: 600; }
QLineEdit, QSpinBox, QDoubleSpinBox, QComboBox, QPlainTextEdit {
    background: @surface/2; border: 1px solid @surface/3; border-radius: 4px; padding: 3px 6px; min-height: 18px;
    selection-background-color: @accent; selection-color: @text/on-accent; }
QLineEdit:focus, QSpinBox:focus, QDoubleSpinBox:focus, QComboBox:focus { border-color: @accent; }
QLineEdit:disabled, QDoubleSpinBox:disabled, QComboBox:disabled { color: @text/disabled; }
QDoubleSpinBox[changed="true"] { border-color: @accent; }
QDoubleSpinBox::up-button, QDoubleSpinBox::down-button { background: @surface/2; border: none; width: 16px; }
QDoubleSpinBox::up-button:hover, QDoubleSpinBox::down-button:hover { background: @surface/3; }
QDoubleSpinBox::up-arrow { image: url(@icons/chevron-up.svg); width: 10px; height: 10px; }
QDoubleSpinBox::down-arrow { image: url(@icons/chevron-down.svg); width: 10px; height: 10px; }
QComboBox::drop-down { border: none; width: 18px; }
QComboBox::down-arrow { image: url(@icons/chevron-down.svg); width: 12px; height: 12px; }
QComboBox QAbstractItemView { background: @surface/2; border: 1px solid @surface/3; outline: none; }
QComboBox QAbstractItemView::item { min-height: 26px; padding: 2px 6px; }
QComboBox QAbstractItemView::item:selected { background: @accent; color: @text/on-accent; }
QTableWidget, QListWidget, QTreeWidget { background: @surface/1; border: none; gridline-color: @surface/3; outline: none; }
QTableWidget { font-size: 12px; }
QTableWidget::item, QListWidget::item { padding: 2px 2px; border-bottom: 1px solid @surface/2; }
QTableWidget::item:selected, QListWidget::item:selected { background: @surface/3; color: @text/primary; }
QHeaderView { background: @surface/1; }
QHeaderView::section { background: @surface/1; color: @text/secondary; border: none; border-bottom: 1px solid @surface/3;
    padding: 3px 4px; font-size: 12px; }
QTableCornerButton::section { background: @surface/1; border: none; }
QScrollBar:vertical { background: transparent; width: 10px; margin: 0; }
QScrollBar::handle:vertical { background: @surface/3; border-radius: 4px; min-height: 24px; margin: 1px; }
QScrollBar:horizontal { background: transparent; height: 10px; margin: 0; }
QScrollBar::handle:horizontal { background: @surface/3; border-radius: 4px; min-width: 24px; margin: 1px; }
QScrollBar::add-line, QScrollBar::sub-line { width: 0; height: 0; }
QScrollBar::add-page, QScrollBar::sub-page { background: transparent; }
QSplitter::handle { background: @surface/0; }
QProgressBar { background: @surface/3; border: none; border-radius: 3px; max-height: 6px; min-height: 6px; }
QProgressBar::chunk { background: @accent; border-radius: 3px; }
QMenu { background: @surface/2; border: 1px solid @surface/3; padding: 4px; }
QMenu::item { padding: 5px 24px 5px 12px; border-radius: 4px; }
QMenu::item:selected { background: @accent; color: @text/on-accent; }
QMenu::item:disabled { color: @text/disabled; }
QMenu::separator { height: 1px; background: @surface/3; margin: 4px 6px; }
QCheckBox, QRadioButton { spacing: 8px; min-height: 22px; }
QCheckBox::indicator, QRadioButton::indicator { width: 14px; height: 14px; border: 1px solid @text/secondary;
    background: @surface/2; }
QRadioButton::indicator { border-radius: 8px; }
QCheckBox::indicator { border-radius: 3px; }
QCheckBox::indicator:checked, QRadioButton::indicator:checked { background: @accent; border-color: @accent; }
QCheckBox::indicator:checked { image: url(@icons/check-@look.svg); }
QCheckBox::indicator:disabled, QRadioButton::indicator:disabled { border-color: @surface/3; }
"""


def style_sheet(theme: Theme, icon_folder: str) -> str:
    """Return the style sheet with every ``@role`` replaced by its colour."""
    sheet = _SHEET.replace("@icons", icon_folder).replace("@look", theme.look)
    sheet = sheet.replace("@accent-hover", theme.colour("accent").lighter(112).name())
    for role in sorted(theme.roles, key=len, reverse=True):
        sheet = sheet.replace(f"@{role}", theme.roles[role])
    return sheet
