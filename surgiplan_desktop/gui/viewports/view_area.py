"""The four views side by side: the layout follows the step, double click shows one alone, splitters are remembered."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import QSettings, Qt
from PySide6.QtWidgets import QSplitter, QVBoxLayout, QWidget

from surgiplan_desktop.gui.viewports.slice_view import SliceView
from surgiplan_desktop.gui.viewports.stage import Stage
from surgiplan_desktop.gui.viewports.volume_view import VolumeView

#: Views of each layout, and the share of the left column in per cent.
LAYOUTS: Final = {
    "four": (("axial", "coronal", "sagittal", "3d"), 55),
    "frontal": (("coronal", "3d"), 45),
    "solid": (("axial", "3d"), 32),
}
LAYOUT_OF_STEP: Final = {
    "study": "four",
    "bones": "four",
    "review": "four",
    "measure": "frontal",
    "plan": "frontal",
    "guide": "solid",
    "approve": "solid",
}


class ViewArea(QWidget):
    """Axial above coronal and sagittal on the left, 3D on the right; views that a layout does not have are hidden."""

    def __init__(self, stage: Stage) -> None:
        super().__init__()
        self.setObjectName("viewArea")
        self.slices = {name: SliceView(stage, name) for name in ("axial", "coronal", "sagittal")}
        self.volume = VolumeView(stage)
        self._views: dict[str, QWidget] = {**self.slices, "3d": self.volume}
        self._lower = QSplitter(Qt.Orientation.Horizontal)
        self._left = QSplitter(Qt.Orientation.Vertical)
        self._outer = QSplitter(Qt.Orientation.Horizontal)
        self._lower.addWidget(self.slices["coronal"])
        self._lower.addWidget(self.slices["sagittal"])
        self._left.addWidget(self.slices["axial"])
        self._left.addWidget(self._lower)
        self._outer.addWidget(self._left)
        self._outer.addWidget(self.volume)
        for splitter in (self._lower, self._left, self._outer):
            splitter.setHandleWidth(4)
            splitter.setChildrenCollapsible(False)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._outer)
        for name, view in self._views.items():
            view.maximise.connect(lambda name=name: self.toggle_single(name))
        self._layout = ""
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
        kept = self._settings.value(f"splitters/{name}")
        sizes = [int(part) for part in str(kept).split(",")] if kept else []
        if len(sizes) == 6 and min(sizes) >= 0 and sum(sizes[:2]) > 0:
            for splitter, pair in ((self._outer, sizes[:2]), (self._left, sizes[2:4]), (self._lower, sizes[4:])):
                if sum(pair) > 0:
                    splitter.setSizes(pair)
        else:
            share = LAYOUTS[name][1]
            self._outer.setSizes([share * 10, (100 - share) * 10])
            self._left.setSizes([500, 500])
            self._lower.setSizes([500, 500])

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
            sizes = [*self._outer.sizes(), *self._left.sizes(), *self._lower.sizes()]
            self._settings.setValue(f"splitters/{self._layout}", ",".join(map(str, sizes)))

    def _show(self, names: tuple[str, ...]) -> None:
        for name, view in self._views.items():
            view.setVisible(name in names)
        self._lower.setVisible("coronal" in names or "sagittal" in names)
        self._left.setVisible(any(name in names for name in self.slices))
