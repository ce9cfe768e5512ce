"""The views side by side: the layout follows the step, double click shows one alone, splitters are remembered."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import QSettings, Qt
from PySide6.QtWidgets import QSplitter, QVBoxLayout, QWidget

from surgiplan_desktop.gui.viewports.frontal_view import FrontalView
from surgiplan_desktop.gui.viewports.slice_view import SliceView
from surgiplan_desktop.gui.viewports.stage import Stage
from surgiplan_desktop.gui.viewports.volume_view import VolumeView

#: Views of each layout, and the share of the left column in per cent.
LAYOUTS: Final = {
    "four": (("axial", "coronal", "sagittal", "3d"), 55),
    "frontal": (("coronal", "3d"), 45),
    "film": (("film", "3d"), 45),
    "check": (("axial", "coronal", "sagittal", "3d"), 55),
    "solid": (("axial", "3d"), 32),
}
#: Share of the films when there are two of them, per cent.
_COMPARED_SHARE: Final = 60
LAYOUT_OF_STEP: Final = {
    "study": "four",
    "bones": "four",
    "review": "four",
    "measure": "film",
    "plan": "frontal",
    "guide": "solid",
    "approve": "solid",
}


class ViewArea(QWidget):
    """Axial above coronal and sagittal on the left, 3D on the right; views that a layout does not have are hidden.

    In the place of the slices a layout may show the film-like view, with what it is compared with beside it: the right leg on the
    left, as on a film.
    """

    def __init__(self, stage: Stage) -> None:
        super().__init__()
        self.setObjectName("viewArea")
        self.slices = {name: SliceView(stage, name) for name in ("axial", "coronal", "sagittal")}
        self.volume = VolumeView(stage)
        self.film = FrontalView(stage, "now")
        self.compared = FrontalView(stage, "compared")
        self._stage = stage
        stage.grab = self.grab
        self._views: dict[str, QWidget] = {**self.slices, "film": self.film, "compared": self.compared, "3d": self.volume}
        self._lower = QSplitter(Qt.Orientation.Horizontal)
        self._left = QSplitter(Qt.Orientation.Vertical)
        self._outer = QSplitter(Qt.Orientation.Horizontal)
        self._lower.addWidget(self.slices["coronal"])
        self._lower.addWidget(self.slices["sagittal"])
        self._left.addWidget(self.slices["axial"])
        self._left.addWidget(self._lower)
        self._films = QSplitter(Qt.Orientation.Horizontal)
        self._films.addWidget(self.film)
        self._films.addWidget(self.compared)
        self._outer.addWidget(self._films)
        self._outer.addWidget(self._left)
        self._outer.addWidget(self.volume)
        for splitter in (self._lower, self._left, self._films, self._outer):
            splitter.setHandleWidth(4)
            splitter.setChildrenCollapsible(False)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._outer)
        for name, view in self._views.items():
            view.maximise.connect(lambda name=name: self.toggle_single(name))
        self._layout = ""
        self._compared_shown = False
        stage.looking_changed.connect(self._on_looking)
        self._single: str | None = None
        self._settings = QSettings(str(stage.bridge.services.settings_folder / "window.ini"), QSettings.Format.IniFormat)
        self.use_layout("four")

    @property
    def layout_name(self) -> str:
        """The layout in use."""
        return self._layout

    def use_layout(self, name: str) -> None:
        """Show the views of a layout."""
        if name == self._layout and self._single is None:
            return
        self._remember()
        self._layout = name
        self._single = None
        self._show(LAYOUTS[name][0])
        self._set_sizes()

    def _set_sizes(self) -> None:
        """Give the views the room that they had in this layout, or that it gives them."""
        kept = self._settings.value(f"splitters/{self._kept_as()}")
        sizes = [int(part) for part in str(kept).split(",")] if kept else []
        if len(sizes) == 9 and min(sizes) >= 0 and sum(sizes[:3]) > 0:
            parts = (sizes[:3], sizes[3:5], sizes[5:7], sizes[7:])
        else:
            share = LAYOUTS[self._layout][1]
            films = "film" in LAYOUTS[self._layout][0]
            share = _COMPARED_SHARE if films and self._stage.looking.compare else share
            left = [share * 10, 0] if films else [0, share * 10]
            parts = ([*left, (100 - share) * 10], [500, 500], [500, 500], [500, 500])
        for splitter, part in zip((self._outer, self._films, self._left, self._lower), parts, strict=True):
            if sum(part) > 0:
                splitter.setSizes(part)

    def _kept_as(self) -> str:
        return f"{self._layout}-compared" if self._compared_shown else self._layout

    def toggle_single(self, name: str) -> None:
        """Show one view alone, or all of the layout again."""
        if self._single == name:
            self._single = None
            self._show(LAYOUTS[self._layout][0])
        else:
            self._single = name
            self._show((name,))

    def fit(self) -> None:
        """Fit all views."""
        for view in self._views.values():
            view.fit()

    def save_state(self) -> None:
        """Remember the splitters for the next run."""
        self._remember()
        self._settings.sync()

    def _remember(self) -> None:
        if self._layout and self._single is None and self.isVisible():
            sizes = [size for splitter in (self._outer, self._films, self._left, self._lower) for size in splitter.sizes()]
            self._settings.setValue(f"splitters/{self._kept_as()}", ",".join(map(str, sizes)))

    def _on_looking(self) -> None:
        """Measure looks at one point in all slices, or at the whole leg with what it is compared with."""
        if self._layout not in ("film", "check"):
            return
        wanted = "check" if self._stage.looking.landmark else "film"
        if wanted != self._layout:
            self.use_layout(wanted)
            if wanted == "film":  # back to the whole leg in 3D too
                self.volume.stand("A")
                self.volume.fit()
        elif self._compared_shown != bool(self._stage.looking.compare) and wanted == "film":
            self._remember()
            self._single = None
            self._show(LAYOUTS[wanted][0])
            self._set_sizes()

    def _show(self, names: tuple[str, ...]) -> None:
        compare, side = self._stage.looking.compare, self._stage.bridge.side
        if "film" in names and compare and self._single is None:
            names = (*names, "compared")
            other_first = compare == "other" and side is not None and side.sign < 0
            self._films.insertWidget(0, self.compared if other_first else self.film)
        self._compared_shown = "compared" in names
        for name, view in self._views.items():
            view.setVisible(name in names)
        self._films.setVisible("film" in names or "compared" in names)
        self._lower.setVisible("coronal" in names or "sagittal" in names)
        self._left.setVisible(any(name in names for name in self.slices))
