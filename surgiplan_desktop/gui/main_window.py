"""The window: frame, steps, panels and views put together. What they do is elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QTimer
from PySide6.QtGui import QCloseEvent, QDragEnterEvent, QDragLeaveEvent, QDropEvent
from PySide6.QtWidgets import QApplication, QHBoxLayout, QMainWindow, QMenu, QStackedWidget, QVBoxLayout, QWidget

from surgiplan_desktop.app.study_page import StudyPage, VolumeCard
from surgiplan_desktop.base.paths import resource_folder
from surgiplan_desktop.gui.actions import ACTS, make_actions, refresh_actions
from surgiplan_desktop.gui.bridge import Bridge
from surgiplan_desktop.gui.dialogs.keys import KeysHelp
from surgiplan_desktop.gui.dialogs.palette import Palette
from surgiplan_desktop.gui.documents import Documents
from surgiplan_desktop.gui.drops import DropVeil, dropped_files, kind_of, let_drops_through
from surgiplan_desktop.gui.help_acts import fill_help
from surgiplan_desktop.gui.panels.approve import ApprovePanel
from surgiplan_desktop.gui.panels.base import Panel
from surgiplan_desktop.gui.panels.bones import BonesPanel
from surgiplan_desktop.gui.panels.guide import GuidePanel
from surgiplan_desktop.gui.panels.measure import MeasurePanel
from surgiplan_desktop.gui.panels.plan import PlanPanel
from surgiplan_desktop.gui.panels.review import ReviewPanel
from surgiplan_desktop.gui.panels.study import StudyPanel
from surgiplan_desktop.gui.steps import STEPS, wanted_keys
from surgiplan_desktop.gui.study_pages.pages import StudyPages
from surgiplan_desktop.gui.theme import Theme, palette, style_sheet, theme_named
from surgiplan_desktop.gui.viewports.stage import Stage
from surgiplan_desktop.gui.viewports.view_area import LAYOUT_OF_STEP, ViewArea
from surgiplan_desktop.gui.widgets.status import StatusBar
from surgiplan_desktop.gui.widgets.step_rail import StepRail
from surgiplan_desktop.gui.widgets.title_row import TitleRow

_PANELS = (BonesPanel, ReviewPanel, MeasurePanel, PlanPanel, GuidePanel, ApprovePanel)


class MainWindow(QMainWindow):
    """One case at a time."""

    def __init__(self, bridge: Bridge, theme: Theme) -> None:
        super().__init__()
        self.bridge = bridge
        self.theme = theme
        self.setObjectName("window")
        self.setWindowTitle(bridge.word("program_title"))
        self.setMinimumSize(1100, 680)
        self.resize(1280, 800)
        self.setAcceptDrops(True)
        self.documents = Documents(self)
        self.stage = Stage(bridge, theme)
        self.actions_by_id = make_actions(self)
        self.views = ViewArea(self.stage)
        self.pages = StudyPages(self.stage, self.views)
        self.rail = StepRail(bridge, theme)
        self.status = StatusBar(bridge, theme)
        self._menu = self._make_menu()
        self.title = TitleRow(bridge, theme, self.actions_by_id, self._menu, self._make_help())
        self._stack = QStackedWidget()
        self._panels: dict[str, Panel] = {}
        self._study = StudyPanel(bridge, self.stage, self.pages)
        self._study.recover_wanted.connect(self.documents.recover)
        self._study.new_case_wanted.connect(self._start_new_with)
        for made in (self._study, *(kind(bridge, self.stage) for kind in _PANELS)):
            made.go.connect(self.go)
            made.refresh()
            self._panels[made.step] = made
            self._stack.addWidget(made)
        self._stack.setFixedWidth(self._study.width())
        self._put_together()
        self._veil = DropVeil(self.stage, self)
        let_drops_through(self)
        self.rail.go.connect(self.go)
        bridge.session_replaced.connect(self._renew)
        bridge.case_changed.connect(self._on_case)
        self._frame_late = QTimer(self)  # case and results change together: one refresh for both
        self._frame_late.setSingleShot(True)
        self._frame_late.setInterval(0)
        self._frame_late.timeout.connect(self.refresh_frame)
        bridge.results_changed.connect(self._frame_late.start)
        bridge.view_changed.connect(self._on_view)
        self.stage.looking_changed.connect(self.refresh_frame)
        self._renew()

    @property
    def panel(self) -> Panel:
        """The panel of the step at hand."""
        return self._panels[self.bridge.session.view.step]

    def go(self, step: str) -> None:
        """Go to a step."""
        self.bridge.session.set_view(step=step)

    def refresh_frame(self) -> None:
        """Show case, steps and what is possible."""
        self.title.refresh()
        self.rail.refresh()
        refresh_actions(self, self.actions_by_id)

    def take(self, paths: Sequence[Path]) -> None:
        """Take files or folders that were dropped: a case is opened, everything else is looked at in Study."""
        kind = kind_of(paths)
        if kind == "case":
            self.documents.open(paths[0])
            return
        self.go("study")
        if kind == "film":
            self._study.look_at_film(paths[0])
            return
        if kind == "meshes":
            self._study.look_at_meshes(paths)
            return
        if len(paths) > 1:
            self.bridge.tell("dropped_together")
        self._study.scan(paths[0] if len(paths) == 1 else paths[0].parent)

    def _start_new_with(self, found: StudyPage | VolumeCard | tuple[Path, ...]) -> None:
        """Begin an empty case and go on showing what was found."""
        before = self.bridge.session
        self.documents.start_new()
        if self.bridge.session is not before:
            self._study.show_found(found)

    # Acts of the table -----------------------------------------------------------------------------------------------------

    def undo(self) -> None:
        """Take back the last edit and say which."""
        label = self.bridge.session.undo_label
        if label and self.bridge.attempt(self.bridge.session.undo):
            self.bridge.tell("undone", label=label)

    def redo(self) -> None:
        """Bring back the edit taken back last and say which."""
        label = self.bridge.session.redo_label
        if label and self.bridge.attempt(self.bridge.session.redo):
            self.bridge.tell("redone", label=label)

    def cancel(self) -> None:
        """Leave the tool's mode; when there is none, stop the jobs at work."""
        if self.stage.tool.mode:
            self.stage.tool.cancel()
            self.stage.handles_changed.emit()
        elif self.stage.looking.landmark:
            self.stage.look_for(landmark="", fit="")
        else:
            self.status.cancel_jobs()

    def isolate_bone(self) -> None:
        """Show only the bone at the crosshair, or all again."""
        session = self.bridge.session
        bone = self.stage.bone_at(self.stage.crosshair)
        if bone is None or any(value == 0.0 for value in session.view.opacity.values()):
            session.set_view(opacity={})
        else:
            session.set_view(opacity={str(other): 0.0 for other in self.bridge.case.bones if other != bone})

    def open_palette(self) -> None:
        """Open the command palette."""
        acts = [self.actions_by_id[act.id] for act in ACTS if act.id != "palette"]
        Palette(self.bridge, acts, self).show()

    def open_help(self) -> None:
        """Show what mouse and keys do."""
        KeysHelp(self.bridge, list(self.actions_by_id.values()), self).exec()

    def switch_look(self) -> None:
        """Change between the dark and the light look."""
        self.theme = theme_named("light" if self.theme.look == "dark" else "dark")
        dress(self.theme)
        self.stage.set_theme(self.theme)
        for part in (self.title, self.rail, self.status):
            part.set_theme(self.theme)
        self.refresh_frame()
        self.panel.refresh()

    # Frame -----------------------------------------------------------------------------------------------------------------

    def _put_together(self) -> None:
        central = QWidget()
        central.setObjectName("central")
        outer = QVBoxLayout(central)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.setSpacing(0)
        middle = QHBoxLayout()
        middle.setSpacing(0)
        middle.addWidget(self.rail)
        middle.addWidget(self.pages, 1)
        middle.addWidget(self._stack)
        outer.addWidget(self.title)
        outer.addLayout(middle, 1)
        outer.addWidget(self.status)
        self.setCentralWidget(central)

    def _make_menu(self) -> QMenu:
        menu = QMenu(self)
        menu.setObjectName("menu")
        for act in ACTS:
            if act.menu and act.id != "quit":
                menu.addAction(self.actions_by_id[act.id])
        recent = menu.addMenu(self.bridge.word("recent"))
        recent.setToolTipsVisible(True)
        recent.aboutToShow.connect(lambda: self.documents.fill_recent(recent))
        menu.addSeparator()
        for name in ("four_views", "fit", "crosshair", "contours", "heat", "look"):
            menu.addAction(self.actions_by_id[name])
        fill_help(menu.addMenu(self.bridge.word("help_menu")), self)
        menu.addAction(self.actions_by_id["quit"])
        return menu

    def _make_help(self) -> QMenu:
        menu = QMenu(self)
        menu.setObjectName("help_menu")
        fill_help(menu, self)
        return menu

    # Following the session -------------------------------------------------------------------------------------------------

    def _renew(self) -> None:
        if self.bridge.session.view.step not in STEPS:
            self.go("study")
        self.stage.refresh()
        self._on_case()
        self._show_step()

    def _on_case(self) -> None:
        self.bridge.session.want(wanted_keys(self.bridge), "window")
        self._frame_late.start()

    def _on_view(self, names: frozenset[str]) -> None:
        if "step" in names:
            self._show_step()

    def _show_step(self) -> None:
        step = self.bridge.session.view.step
        self._stack.setCurrentWidget(self._panels[step])
        self.pages.set_step(step)
        self.views.use_layout(LAYOUT_OF_STEP[step])
        if step in ("study", "bones", "review", "measure"):
            self.views.volume.fit()
        self.refresh_frame()

    # Qt --------------------------------------------------------------------------------------------------------------------

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if dropped_files(event.mimeData()):
            event.acceptProposedAction()
            self._veil.cover(self.bridge.word("drop_here"))

    def dragLeaveEvent(self, event: QDragLeaveEvent) -> None:
        self._veil.hide()
        super().dragLeaveEvent(event)

    def dropEvent(self, event: QDropEvent) -> None:
        self._veil.hide()
        paths = dropped_files(event.mimeData())
        event.acceptProposedAction()
        if paths:
            QTimer.singleShot(0, lambda: self.take(paths))  # the program that they come from waits until this has returned

    def closeEvent(self, event: QCloseEvent) -> None:
        if not self.documents.may_leave():
            event.ignore()
            return
        self.views.save_state()
        self.status.cancel_jobs()
        self.bridge.close(discard=True)
        self.views.volume.release()
        event.accept()


def dress(theme: Theme) -> None:
    """Give the application a theme."""
    application = QApplication.instance()
    application.setPalette(palette(theme))
    application.setStyleSheet(style_sheet(theme, (resource_folder() / "icons").as_posix()))
