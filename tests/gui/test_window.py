"""The real window, driven by mouse from another process, does the whole road and ends in the command line's guide."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.gui.driver import RealWindow, Screen, require_programs, walk_the_road

pytestmark = [pytest.mark.window, pytest.mark.timeout(1500)]


@pytest.fixture(scope="module")
def screen() -> Iterator[Screen]:
    require_programs()
    with Screen() as made:
        yield made


def test_by_mouse_alone_from_nothing_to_the_guide_of_the_command_line(screen: Screen, tmp_path: Path) -> None:
    with RealWindow(screen, tmp_path / "window") as window:
        guides = walk_the_road(window)
        assert "Error" not in window.text("notice")
        assert [path.name.startswith("TEST_") for path in guides] == [True]
        assert guides[0].with_name(guides[0].name + ".json").is_file()
        assert list(window.home.rglob("report.pdf"))
        _handles_move_the_plan(window)
    log = tmp_path / "window" / "user" / "log" / "window.log"
    assert "Traceback" not in (log.read_text(encoding="utf-8") if log.exists() else "")

    out = tmp_path / "demo"
    environment = {**os.environ, "SURGIPLAN_USER_FOLDER": str(tmp_path / "command_line")}
    subprocess.run(
        [sys.executable, "-m", "surgiplan_desktop", "demo", "-o", str(out), "--quiet"], env=environment, check=True, timeout=900
    )
    others = sorted(out.rglob("*_guide_guide-*.stl"))
    assert [path.name for path in others] == [path.name for path in guides]
    assert guides[0].read_bytes() == others[0].read_bytes()


def _handles_move_the_plan(window: RealWindow) -> None:
    """Drag the angle in 3D and the hinge in the coronal view; undo brings both back."""

    def shown() -> list[str]:
        return [window.text(name) for name in ("opening_angle", "before_after", "gaps")]

    window.click("step_plan")
    window.wait_idle(60)
    before = shown()
    for handle, right, down in (("3d/angle", 0, 25), ("coronal/hinge", 20, 0)):
        window.drag(handle, right, down)
        window.wait_idle(180)
        assert shown() != before, handle
        window.click("undo_button")
        window.wait_idle(180)
        assert shown() == before, handle
