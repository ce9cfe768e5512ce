"""Shows a VTK render window inside Qt. The widget holds it and paints its picture; nothing here inherits from a plotter.

The window renders off screen and its picture is painted by Qt. So handles, letters and numbers on top are drawn by Qt, sharp at
every scaling, without a new 3D frame for a hover; it needs no OpenGL context of Qt, so it also works where Qt has none (remote
desktops, virtual machines, tests off screen). The price is reading back the picture: about 1 ms for 600 x 600 pixels.
"""

from __future__ import annotations

import vtkmodules.vtkRenderingOpenGL2  # noqa: F401 - registers the OpenGL classes
from PySide6.QtCore import QPointF, QTimer, Signal
from PySide6.QtGui import QImage, QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QWidget
from vtkmodules.util.numpy_support import vtk_to_numpy
from vtkmodules.vtkCommonCore import vtkUnsignedCharArray
from vtkmodules.vtkRenderingCore import vtkLight, vtkRenderer, vtkRenderWindow

from surgiplan_desktop.gui.theme import Theme


class VtkWidget(QWidget):
    """A picture of one renderer, drawn anew only after :meth:`request_render`."""

    rendered = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.window3d = vtkRenderWindow()
        self.window3d.SetOffScreenRendering(1)
        self.window3d.SetMultiSamples(0)
        self.renderer = vtkRenderer()
        self.renderer.SetUseFXAA(True)
        self.renderer.GradientBackgroundOn()
        self.renderer.SetAutomaticLightCreation(False)
        for x, y, z, intensity in ((-0.6, 0.7, 1.0, 0.78), (0.9, 0.1, 0.6, 0.34), (0.0, 0.6, -1.0, 0.3)):
            light = vtkLight()  # key, fill and back light travel with the camera
            light.SetLightTypeToCameraLight()
            light.SetPosition(x, y, z)
            light.SetIntensity(intensity)
            self.renderer.AddLight(light)
        self.window3d.AddRenderer(self.renderer)
        self._image = QImage()
        self._pixels: object = None  # the memory that the image shows
        self._pending = QTimer(self)
        self._pending.setSingleShot(True)
        self._pending.setInterval(0)
        self._pending.timeout.connect(self._render)
        self._hardware: bool | None = None

    def apply_theme(self, theme: Theme) -> None:
        """Take the background from the theme."""
        self.renderer.SetBackground(*theme.rgb("view/low"))
        self.renderer.SetBackground2(*theme.rgb("view/high"))
        self.request_render()

    def request_render(self) -> None:
        """Draw a new frame once control is back in the event loop; many requests make one frame."""
        if not self._pending.isActive():
            self._pending.start()

    def _render(self) -> None:
        if not self.isVisible() or self.width() < 2 or self.height() < 2:
            return
        ratio = self.devicePixelRatioF()
        width, height = round(self.width() * ratio), round(self.height() * ratio)
        if tuple(self.window3d.GetSize()) != (width, height):
            self.window3d.SetSize(width, height)
        self.window3d.Render()
        if self._hardware is None:
            self._hardware = self._choose_quality()
        pixels = vtkUnsignedCharArray()
        self.window3d.GetRGBACharPixelData(0, 0, width - 1, height - 1, 1, pixels)
        array = vtk_to_numpy(pixels).reshape(height, width, 4)[::-1].copy()
        self._pixels = array
        self._image = QImage(array.data, width, height, 4 * width, QImage.Format.Format_RGBX8888)
        self._image.setDevicePixelRatio(ratio)
        self.rendered.emit()
        self.update()

    def _choose_quality(self) -> bool:
        """Use multisampling and ambient occlusion only where a graphics card does the work. Return whether one does."""
        report = self.window3d.ReportCapabilities().lower()
        hardware = not any(name in report for name in ("llvmpipe", "softpipe", "swrast", "swiftshader", "software rasterizer"))
        if hardware:
            self.window3d.SetMultiSamples(4)
            self.renderer.SetUseSSAO(True)
            self.renderer.SetSSAORadius(12.0)
            self.renderer.SetSSAOBias(0.5)
            self.renderer.SetSSAOBlur(True)
        return hardware

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        if self._image.isNull():
            painter.fillRect(self.rect(), self.palette().window())
        else:
            painter.drawImage(QPointF(0.0, 0.0), self._image)
        self.paint_over(painter)
        painter.end()

    def paint_over(self, painter: QPainter) -> None:
        """Draw on top of the picture; for the views that hold this widget's scene."""

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.request_render()

    def showEvent(self, event: object) -> None:
        super().showEvent(event)
        self.request_render()

    def release(self) -> None:
        """Give the graphics resources back; call once before the widget goes."""
        self._pending.stop()
        self.window3d.Finalize()
