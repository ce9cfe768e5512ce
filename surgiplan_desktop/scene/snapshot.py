"""Off-screen pictures for the report. They are taken in a process of their own, so that a broken graphics driver costs a picture
and not the program.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeout
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from surgiplan_desktop.base.arrays import FloatArray
from surgiplan_desktop.scene.items import Item, Rgb, Tubes, make_actor

Pixels = NDArray[np.uint8]
#: How long all pictures of a report may take, s: software rendering of a leg takes some seconds.
_PATIENCE_S: Final = 120.0
#: Render windows that need no screen, in the order in which they are tried on Linux.
_WINDOWS: Final = ("vtkEGLRenderWindow", "vtkOSOpenGLRenderWindow")
#: Colours on white paper by role (Okabe and Ito's set where the hue tells things apart).
PRINT_COLOURS: Final[dict[str, Rgb]] = {
    "bone/femur": (0.91, 0.82, 0.66),
    "bone/tibia": (0.88, 0.84, 0.74),
    "bone/fibula": (0.80, 0.80, 0.74),
    "bone/patella": (0.86, 0.78, 0.74),
    "moved": (0.66, 0.78, 0.88),
    "guide": (0.10, 0.58, 0.60),
    "implant": (0.62, 0.65, 0.70),
    "pin": (0.84, 0.37, 0.00),
    "axis": (0.80, 0.10, 0.30),
    "hinge": (0.00, 0.45, 0.70),
    "insertion": (0.20, 0.20, 0.20),
}


@dataclass(frozen=True, slots=True, eq=False)
class Camera:
    """A parallel projection: what is in the middle, from where it is seen, which way is up, and the height it shows (mm)."""

    middle_lps: FloatArray
    from_direction: FloatArray
    up: FloatArray
    height_mm: float


@dataclass(frozen=True, slots=True, eq=False)
class Shot:
    """A picture to be taken: items, camera, width and height in pixels."""

    items: tuple[Item, ...]
    camera: Camera
    width: int
    height: int


@dataclass(frozen=True, slots=True, eq=False)
class Pictures:
    """Pictures (height, width, 3) in the order asked for, or none and the reason."""

    shots: tuple[Pixels, ...]
    reason: str = ""


def take_pictures(shots: Sequence[Shot]) -> Pictures:
    """Take all pictures in one process of their own; without off-screen graphics there are none, and the reason is told."""
    reason = ""
    for window in _windows():
        answer = _in_own_process(_render_all, tuple(shots), window)
        if not isinstance(answer, str):
            return Pictures(tuple(answer))
        reason = reason or answer
    return Pictures((), reason)


def probe_pictures() -> str:
    """Try to take a small picture; return an empty text when it works, the reason otherwise."""
    line = Tubes(np.array([[[-5.0, 0.0, 0.0], [5.0, 0.0, 0.0]]]), 2.0, "axis")
    camera = Camera(np.zeros(3), np.array([0.0, -1.0, 0.0]), np.array([0.0, 0.0, 1.0]), 20.0)
    return take_pictures([Shot((line,), camera, 64, 64)]).reason


def _windows() -> tuple[str, ...]:
    if not sys.platform.startswith("linux"):
        return ("",)
    chosen = os.environ.get("VTK_DEFAULT_OPENGL_WINDOW")
    return (chosen,) if chosen else _WINDOWS


def _in_own_process(function: Callable[..., list[Pixels]], *arguments: object) -> list[Pixels] | str:
    """Run a function in a fresh process; return its answer, or in words why there is none."""
    pool = ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn"))
    try:
        return pool.submit(function, *arguments).result(timeout=_PATIENCE_S)
    except BrokenProcessPool:
        return "the graphics driver ended the process that draws"
    except FutureTimeout:
        for process in multiprocessing.active_children():
            if process.name.startswith("SpawnProcess") and process.pid in getattr(pool, "_processes", {}):
                process.kill()
        return f"drawing took longer than {_PATIENCE_S:.0f} s"
    except (RuntimeError, OSError, ImportError) as error:
        return str(error)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _render_all(shots: tuple[Shot, ...], window: str) -> list[Pixels]:
    """Take the pictures; runs in the process that draws. RuntimeError says why off-screen graphics do not work."""
    if window:
        os.environ["VTK_DEFAULT_OPENGL_WINDOW"] = window
    from vtkmodules import vtkRenderingOpenGL2  # noqa: F401 - registers the render window
    from vtkmodules.vtkCommonCore import vtkLogger, vtkObject

    vtkLogger.SetStderrVerbosity(vtkLogger.VERBOSITY_OFF)
    vtkObject.GlobalWarningDisplayOff()
    return [_render(shot) for shot in shots]


def _render(shot: Shot) -> Pixels:
    from vtkmodules.util.numpy_support import vtk_to_numpy
    from vtkmodules.vtkRenderingCore import vtkLightKit, vtkRenderer, vtkRenderWindow, vtkWindowToImageFilter

    renderer = vtkRenderer()
    renderer.SetBackground(1.0, 1.0, 1.0)
    for item in shot.items:
        renderer.AddActor(make_actor(item, lambda role: PRINT_COLOURS[role]))
    kit = vtkLightKit()
    kit.SetKeyLightIntensity(0.85)
    kit.AddLightsToRenderer(renderer)
    window = vtkRenderWindow()
    window.SetOffScreenRendering(1)
    window.SetMultiSamples(8)
    window.SetSize(shot.width, shot.height)
    window.AddRenderer(renderer)
    if not window.SupportsOpenGL():
        raise RuntimeError(f"{window.GetClassName()} has no OpenGL 3.2 ({window.GetOpenGLSupportMessage() or 'no message'})")
    view = shot.camera
    camera = renderer.GetActiveCamera()
    camera.ParallelProjectionOn()
    camera.SetFocalPoint(*view.middle_lps)
    camera.SetPosition(*(view.middle_lps + 600.0 * np.asarray(view.from_direction) / np.linalg.norm(view.from_direction)))
    camera.SetViewUp(*view.up)
    camera.SetParallelScale(view.height_mm / 2.0)
    renderer.ResetCameraClippingRange()
    window.Render()
    grab = vtkWindowToImageFilter()
    grab.SetInput(window)
    grab.SetInputBufferTypeToRGB()
    grab.ReadFrontBufferOff()
    grab.Update()
    image = grab.GetOutput()
    width, height, _ = image.GetDimensions()
    pixels: Pixels = vtk_to_numpy(image.GetPointData().GetScalars()).reshape(height, width, 3)[::-1].copy()
    if int(pixels.min()) == 255:
        raise RuntimeError("the picture came out empty")
    return pixels
