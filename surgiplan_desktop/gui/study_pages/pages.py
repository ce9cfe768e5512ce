"""What stands in the place of the views: the views themselves, or a page of the study."""

from __future__ import annotations

from typing import Literal

from PySide6.QtWidgets import QStackedWidget, QWidget

from surgiplan_desktop.gui.study_pages.browser import StudyBrowser
from surgiplan_desktop.gui.study_pages.film_page import FilmPage
from surgiplan_desktop.gui.study_pages.mesh_page import MeshImport
from surgiplan_desktop.gui.viewports.stage import Stage

PageName = Literal["views", "browser", "film", "meshes"]


class StudyPages(QStackedWidget):
    """One of them at a time; only Study shows another than the views."""

    def __init__(self, stage: Stage, views: QWidget) -> None:
        super().__init__()
        self.setObjectName("study_pages")
        self.browser = StudyBrowser(stage)
        self.film = FilmPage(stage)
        self.meshes = MeshImport(stage)
        self._pages: dict[PageName, QWidget] = {
            "views": views, "browser": self.browser, "film": self.film, "meshes": self.meshes,
        }  # fmt: skip
        self._wanted: PageName = "views"
        self._in_study = True
        for page in self._pages.values():
            self.addWidget(page)

    def want(self, name: PageName) -> None:
        """Show a page while the step is Study."""
        self._wanted = name
        self._show()

    def set_step(self, step: str) -> None:
        """Follow the step."""
        self._in_study = step == "study"
        self._show()

    def _show(self) -> None:
        self.setCurrentWidget(self._pages[self._wanted if self._in_study else "views"])
