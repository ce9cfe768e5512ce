"""Drives the real window from outside: its own X server and window manager, events through XTEST, pictures of the root window."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest
from PIL import ImageGrab

NEEDED = ("Xvfb", "openbox", "xdotool")


def missing_programs() -> list[str]:
    """Return the programs that this machine lacks."""
    return [name for name in NEEDED if shutil.which(name) is None]


def require_programs() -> None:
    """Skip a test that needs the real window where programs are missing; fail there on a machine that must have them."""
    missing = missing_programs()
    if missing:
        message = f"needs {', '.join(missing)}"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)


class Screen:
    """A virtual X server with a window manager."""

    def __init__(self, size: str = "1280x800") -> None:
        read, write = os.pipe()
        self._server = subprocess.Popen(
            ["Xvfb", "-displayfd", str(write), "-screen", "0", f"{size}x24", "+extension", "GLX", "-nolisten", "tcp"],
            pass_fds=(write,),
            stderr=subprocess.DEVNULL,
        )
        os.close(write)
        with os.fdopen(read) as answer:
            self.display = f":{answer.readline().strip()}"
        self.environment = {**os.environ, "DISPLAY": self.display, "LIBGL_ALWAYS_SOFTWARE": "1"}
        self.environment.pop("QT_QPA_PLATFORM", None)
        self._manager = subprocess.Popen(["openbox"], env=self.environment, stderr=subprocess.DEVNULL)
        time.sleep(1.0)

    def picture(self, path: Path) -> None:
        """Write a picture of the root window."""
        path.parent.mkdir(parents=True, exist_ok=True)
        ImageGrab.grab(xdisplay=self.display).save(path)

    def tool(self, *arguments: object) -> None:
        """Send events with xdotool."""
        subprocess.run(["xdotool", *map(str, arguments)], env=self.environment, check=True)

    def close(self) -> None:
        """End manager and server."""
        for process in (self._manager, self._server):
            process.terminate()
            process.wait(10)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


class RealWindow:
    """The program in a process of its own; everything it is told goes through the X server."""

    def __init__(
        self, screen: Screen, folder: Path, *arguments: str, scale: float = 1.0, command: list[str] | None = None
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.screen = screen
        self.home = folder / "home"
        self.home.mkdir(exist_ok=True)
        self._map = folder / "map.json"
        self._log = (folder / "window.txt").open("w")
        environment = {
            **screen.environment,
            "SURGIPLAN_WINDOW_MAP": str(self._map),
            "SURGIPLAN_USER_FOLDER": str(folder / "user"),
            "HOME": str(self.home),
            "QT_SCALE_FACTOR": str(scale),
        }
        start = command or [sys.executable, "-m", "surgiplan_desktop", "gui", *arguments]
        self.clicks = self.keys = 0  # of the user: presses of a button, a drag being one; keys
        self.process = subprocess.Popen(start, env=environment, stdout=self._log, stderr=self._log)
        self.log_path = folder / "window.txt"
        self.wait(lambda state: "window" in state["widgets"], 60, "the window")
        time.sleep(0.5)

    # Reading ---------------------------------------------------------------------------------------------------------------

    def state(self) -> dict[str, Any]:
        """Return the newest map of the window."""
        try:
            state: dict[str, Any] = json.loads(self._map.read_text(encoding="utf-8"))
        except (FileNotFoundError, json.JSONDecodeError):
            return {"widgets": {}, "handles": {}, "step": "", "busy": 0}
        return state

    def text(self, name: str) -> str:
        """Return the words of a widget, empty when it is not shown."""
        return str(self.state()["widgets"].get(name, {}).get("text", ""))

    def wait(self, condition: Callable[[dict[str, Any]], object], seconds: float, what: str) -> None:
        """Wait for a condition; a time-out says what the window told last."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self.process.poll() is not None:
                raise AssertionError(f"the window ended while waiting for {what}:\n{self.log_path.read_text()[-2000:]}")
            if condition(self.state()):
                return
            time.sleep(0.2)
        state = self.state()
        notice = state["widgets"].get("notice", {}).get("text")
        raise AssertionError(f"no {what} within {seconds} s; step {state['step']}, busy {state['busy']}, notice: {notice}")

    def wait_enabled(self, name: str, seconds: float = 60.0, text: str = "") -> None:
        """Wait until a button can be pressed (and reads as given)."""

        def ready(state: dict[str, Any]) -> bool:
            widget = state["widgets"].get(name)
            return bool(widget and widget["enabled"] and text.lower() in widget["text"].lower())

        self.wait(ready, seconds, f"{name} {text}")

    def wait_idle(self, seconds: float = 120.0) -> None:
        """Wait until no job is under way."""
        time.sleep(0.5)
        self.wait(lambda state: state["busy"] == 0, seconds, "end of the jobs")
        time.sleep(0.5)

    # Acting ----------------------------------------------------------------------------------------------------------------

    def click(self, name: str, *, at: tuple[float, float] = (0.5, 0.5), button: int = 1, seconds: float = 20.0) -> None:
        """Click on a widget, at a share of its width and height."""
        self.wait_enabled(name, seconds)
        x, y, width, height = self.state()["widgets"][name]["rect"]
        self.screen.tool("mousemove", round(x + at[0] * width), round(y + at[1] * height))
        time.sleep(0.1)
        self.clicks += 1
        self.screen.tool("click", button)
        time.sleep(0.5)

    def drag(self, handle: str, right: int, down: int) -> None:
        """Drag a handle by px."""
        self.wait(lambda state: handle in state["handles"], 20, f"handle {handle}")
        x, y = self.state()["handles"][handle]
        self.screen.tool("mousemove", x, y)
        time.sleep(0.3)
        self.clicks += 1
        self.screen.tool("mousedown", 1)
        for part in range(1, 9):
            self.screen.tool("mousemove", x + right * part // 8, y + down * part // 8)
            time.sleep(0.06)
        self.screen.tool("mouseup", 1)
        time.sleep(0.5)

    def drop(self, *paths: Path, onto: str = "window", over: Callable[[], object] = lambda: None) -> str:
        """Drag files from another program and drop them on a widget; return the action that the source was told.

        ``over()`` is called while they hover.
        """
        x, y, width, height = self.state()["widgets"][onto]["rect"]
        command = [sys.executable, "-m", "tests.gui.drag_source", *map(str, paths)]
        with subprocess.Popen(command, env=self.screen.environment, stdout=subprocess.PIPE, text=True) as source:
            try:
                time.sleep(2.0)
                self.screen.tool("mousemove", 30, 14)
                self.screen.tool("mousedown", 1)
                for part in range(1, 11):
                    self.screen.tool(
                        "mousemove", 30 + (x + width // 2 - 30) * part // 10, 14 + (y + height // 2 - 14) * part // 10
                    )
                    time.sleep(0.06)
                time.sleep(0.4)
                over()
                self.screen.tool("mouseup", 1)
                answer, _ = source.communicate(timeout=20)
            finally:
                source.kill()
        return answer.strip()

    def key(self, keys: str) -> None:
        """Press keys, such as ``ctrl+z``."""
        self.keys += 1
        self.screen.tool("key", keys)
        time.sleep(0.5)

    def picture(self, path: Path) -> None:
        """Take a picture of the whole screen."""
        time.sleep(0.4)
        self.screen.picture(path)

    def close(self) -> None:
        """End the program."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(15)
        self._log.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


def check_points(window: RealWindow, seen: Callable[[str], object] = lambda _name: None) -> None:
    """Look at the five stages of the check and confirm each, by mouse alone."""
    window.click("measure_primary")
    for number, stage in enumerate(("head", "notch", "condyles", "plateau", "ankle"), start=1):
        title = f"{number} of 5"
        window.wait(lambda state, title=title: title in state["widgets"].get("check_title", {}).get("text", ""), 30, title)
        window.wait_idle(60)
        seen(f"06-check-{number}-{stage}")
        window.click("measure_primary")
    window.wait_enabled("measure_primary", 30, "plan")


def find_bones(window: RealWindow, seconds: float = 600.0) -> None:
    """Press the one button of Bones, after confirming licence and limits where a model is used for the first time."""

    def can_go_on(state: dict[str, Any]) -> bool:
        return "licence_read" in state["widgets"] or bool(state["widgets"].get("bones_primary", {}).get("enabled"))

    window.wait(can_go_on, 60, "the proposed way")
    if "licence_read" in window.state()["widgets"]:
        window.click("licence_read", at=(0.05, 0.5))
    window.click("bones_primary")
    window.wait_enabled("bones_primary", seconds, "review")


def walk_the_road(window: RealWindow, side: str = "right", seen: Callable[[str], object] = lambda _name: None) -> list[Path]:
    """From nothing to the exported guide of the demo leg, by mouse alone. ``seen(name)`` is called on each screen."""
    seen("01-study-empty")
    window.click(f"side_{side}")
    window.click("procedure_mowhto")
    window.click("open_demo")
    window.wait_enabled("study_primary", 240, "import")
    seen("02-study-series")
    window.click("study_primary")
    window.wait_enabled("study_primary", 90, "find the bones")
    seen("03-study-imported")
    window.click("study_primary")
    find_bones(window)
    window.wait_idle(180)
    seen("04-bones")
    window.click("bones_primary")
    window.click("look_right_tibia" if side == "right" else "look_left_tibia")
    seen("05-review")
    window.click("review_primary")
    window.wait(lambda state: "varus" in state["widgets"].get("measures", {}).get("text", ""), 180, "measures")
    seen("06-measure")
    check_points(window, seen)
    window.click("measure_primary")
    window.click("plan_primary", seconds=60)
    window.wait_enabled("plan_primary", 120, "guide")
    window.wait_idle(180)
    seen("07-plan")
    window.click("plan_primary")
    window.click("guide_primary")
    window.wait_enabled("guide_primary", 180, "approve")
    window.wait_idle(60)
    seen("08-guide")
    window.click("guide_primary")
    window.click("approve_primary")
    window.wait(lambda state: "files are in" in state["widgets"].get("notice", {}).get("text", ""), 180, "the files")
    seen("09-export")
    return sorted((window.home / "SurgiPlan").rglob("*_guide_guide-*.stl"))
