"""The one table of what the window can do: id, keys, icon, when it is possible, what it does. Menu, palette, help read it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from PySide6.QtGui import QAction, QKeySequence

from surgiplan_desktop.app.scan_protocol import LANGUAGES
from surgiplan_desktop.gui.help_acts import run_site_acceptance, save_protocol, show_about
from surgiplan_desktop.gui.steps import STEPS
from surgiplan_desktop.gui.viewports.stage import PRESETS

if TYPE_CHECKING:
    from surgiplan_desktop.gui.main_window import MainWindow


def _always(_window: MainWindow) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Act:
    """One row of the table. Its words are ``[ui.action_<id>]``."""

    id: str
    keys: tuple[str, ...]
    run: Callable[[MainWindow], object]
    possible: Callable[[MainWindow], bool] = _always
    menu: bool = False


def _preset(name: str) -> Callable[[MainWindow], object]:
    return lambda window: window.stage.set_window_level(*PRESETS[name])


def _step(name: str) -> Callable[[MainWindow], object]:
    return lambda window: window.go(name)


def _protocol(language: str) -> Callable[[MainWindow], object]:
    return lambda window: save_protocol(window, language)


ACTS: tuple[Act, ...] = (
    Act("new", ("Ctrl+N",), lambda w: w.documents.start_new(), menu=True),
    Act("open", ("Ctrl+O",), lambda w: w.documents.open_asking(), menu=True),
    Act("save", ("Ctrl+S",), lambda w: w.documents.save(), lambda w: bool(w.bridge.case.code), menu=True),
    Act("save_as", ("Ctrl+Shift+S",), lambda w: w.documents.save_as(), lambda w: bool(w.bridge.case.code), menu=True),
    Act("undo", ("Ctrl+Z",), lambda w: w.undo(), lambda w: w.bridge.session.can_undo),
    Act("redo", ("Ctrl+Shift+Z", "Ctrl+Y"), lambda w: w.redo(), lambda w: w.bridge.session.can_redo),
    Act("palette", ("Ctrl+K",), lambda w: w.open_palette()),
    Act("help", ("F1", "?"), lambda w: w.open_help()),
    Act("look", ("Ctrl+L",), lambda w: w.switch_look()),
    Act("next", ("Ctrl+Return",), lambda w: w.panel.primary.click(), lambda w: w.panel.primary.isEnabled()),
    Act("accept", ("Return", "Enter"), lambda w: w.panel.accept(), lambda w: w.panel.may_accept),
    Act("cancel", ("Esc",), lambda w: w.cancel()),
    Act("window_bone", ("1",), _preset("bone")),
    Act("window_soft", ("2",), _preset("soft")),
    Act("window_metal", ("3",), _preset("metal")),
    Act("window_full", ("0",), _preset("full")),
    Act("crosshair", ("X",), lambda w: w.stage.toggle_crosshair()),
    Act("contours", ("C",), lambda w: w.stage.toggle_contours()),
    Act("heat", ("H",), lambda w: w.stage.toggle_heat(), lambda w: bool(w.bridge.case.bones)),
    Act("isolate", ("Ctrl+I",), lambda w: w.isolate_bone(), lambda w: bool(w.bridge.case.bones)),
    Act("four_views", ("Ctrl+4",), lambda w: w.views.use_layout("four")),
    Act("fit", ("Ctrl+F",), lambda w: w.views.fit()),
    *(Act(f"step_{step}", (f"Alt+{number}",), _step(step)) for number, step in enumerate(STEPS, start=1)),
    *(Act(f"protocol_{name}", (), _protocol(name)) for name in LANGUAGES),
    Act("acceptance", (), run_site_acceptance),
    Act("about", (), show_about),
    Act("quit", ("Ctrl+Q",), lambda w: w.close(), menu=True),
)


def make_actions(window: MainWindow) -> dict[str, QAction]:
    """Return the actions by id, added to the window."""
    made: dict[str, QAction] = {}
    for act in ACTS:
        text = window.bridge.word(f"action_{act.id}")
        action = QAction(text, window)
        action.setObjectName(act.id)
        action.setShortcuts([QKeySequence(keys) for keys in act.keys])
        keys = action.shortcut().toString(QKeySequence.SequenceFormat.NativeText)
        action.setToolTip(f"{text}  ({keys})" if keys else text)
        action.triggered.connect(lambda _checked, act=act: act.run(window))
        window.addAction(action)
        made[act.id] = action
    return made


def refresh_actions(window: MainWindow, actions: dict[str, QAction]) -> None:
    """Enable what is possible now; undo and redo say what they take back."""
    for act in ACTS:
        actions[act.id].setEnabled(act.possible(window))
    session, word = window.bridge.session, window.bridge.word
    for name, label in (("undo", session.undo_label), ("redo", session.redo_label)):
        keys = actions[name].shortcut().toString(QKeySequence.SequenceFormat.NativeText)
        text = word(f"{name}_named", label=label) if label else word(f"action_{name}")
        actions[name].setToolTip(f"{text}  ({keys})")
