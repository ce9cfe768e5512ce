"""Films, meshes and contradictions of side off screen: looked at first, taken by an explicit act, undone like any edit."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PySide6.QtCore import QPointF, Qt
from pytestqt.qtbot import QtBot

from surgiplan_desktop.app import import_study
from surgiplan_desktop.gui.bridge import Bridge
from surgiplan_desktop.gui.dialogs.about import About
from surgiplan_desktop.gui.dialogs.resolve_side import ResolveSide
from surgiplan_desktop.gui.help_acts import HELP_ACTS
from surgiplan_desktop.gui.main_window import MainWindow
from surgiplan_desktop.gui.steps import side_conflict
from surgiplan_desktop.imaging.dicom_write import write_ct_series
from surgiplan_desktop.model.anatomy import BoneName, Side
from surgiplan_desktop.model.case import Intake
from surgiplan_desktop.model.edits import set_intake
from surgiplan_desktop.scene.film_grey import film_grey, film_levels
from tests.gui.test_study_browser import block


def ask(bridge: Bridge, side: Side = Side.RIGHT) -> None:
    bridge.session.apply("request", lambda case: set_intake(case, Intake(side, "mowhto")))


@pytest.fixture
def film(tmp_path: Path) -> Path:
    """A picture of a film, 300 x 900, with a ball of 50 pixels."""
    y, x = np.mgrid[0:900, 0:300]
    picture = 40.0 + 60.0 * np.exp(-(((x - 150) / 40.0) ** 2)) + 120.0 * ((x - 220) ** 2 + (y - 400) ** 2 < 25**2)
    path = tmp_path / "standing.png"
    Image.fromarray(picture.astype(np.uint8)).save(path)
    return path


def test_a_film_is_attached_by_hand_and_its_lengths_are_locked_until_it_is_calibrated(
    qtbot: QtBot, window: MainWindow, bridge: Bridge, film: Path
) -> None:
    window.take([film])
    page = window.pages.film
    assert window.pages.currentWidget() is page
    assert page.view._film is None  # the request comes before any image
    ask(bridge)
    qtbot.waitUntil(lambda: page.view._film is not None, timeout=10000)
    assert bridge.case.films == ()
    attach = page.findChild(object, "film_attach")
    assert not attach.isEnabled()  # the side is never guessed
    qtbot.mouseClick(page.findChild(object, "film_side_right"), Qt.MouseButton.LeftButton)
    page.findChild(object, "film_date").setText("2024-05-06")
    qtbot.mouseClick(attach, Qt.MouseButton.LeftButton)
    (attached,) = bridge.case.films
    assert (attached.side, attached.taken, attached.calibration.spacing_mm) == (Side.RIGHT, "2024-05-06", None)
    qtbot.waitUntil(lambda: page.findChild(object, "film_mark_ball") is not None, timeout=10000)
    assert (bridge.word("film_lengths_locked"), "warn") in page.view._corners[2]
    qtbot.mouseClick(page.findChild(object, "film_mark_ball"), Qt.MouseButton.LeftButton)
    ends = [page.view.to_screen(QPointF(220 + offset, 400)).toPoint() for offset in (-25, 25)]
    qtbot.mousePress(page.view, Qt.MouseButton.LeftButton, pos=ends[0])
    qtbot.mouseMove(page.view, ends[1])
    qtbot.mouseRelease(page.view, Qt.MouseButton.LeftButton, pos=ends[1])
    qtbot.mouseClick(page.findChild(object, "film_use_marks"), Qt.MouseButton.LeftButton)
    spacing = bridge.case.films[0].calibration.spacing_mm
    assert spacing is not None
    assert spacing[1] == pytest.approx(25.0 / 50.0, rel=0.06)
    assert not any(finding.code == "film_no_spacing" for finding in bridge.case.films[0].findings)
    bridge.session.undo()
    assert bridge.case.films[0].calibration.spacing_mm is None
    bridge.session.undo()
    qtbot.waitUntil(lambda: window.pages.currentWidget() is window.views)  # the film is gone


def test_a_film_is_zoomed_at_the_pointer_and_shown_at_the_resolution_of_the_screen(
    qtbot: QtBot, window: MainWindow, bridge: Bridge, film: Path
) -> None:
    ask(bridge)
    window.take([film])
    view = window.pages.film.view
    qtbot.waitUntil(lambda: view._film is not None, timeout=10000)
    at = QPointF(view.width() / 3.0, view.height() / 4.0)
    before = view.to_film(at)
    view.zoom(3.0, at)
    assert (view.to_film(at) - before).manhattanLength() < 1e-6
    assert (view.to_screen(before) - at).manhattanLength() < 1e-6


@pytest.mark.parametrize("step", [0.25, 1.0, 2.0, 8.0])
def test_grey_values_of_a_film_are_those_under_the_screen(step: float) -> None:
    ramp = np.add.outer(np.arange(2000), np.zeros(1600, dtype=int)).astype(np.uint16)
    levels = film_levels(ramp, aspect=2.0)
    assert len(levels.levels) > 1
    shown = film_grey(levels, 100.0, 200.0, step, (40, 60), 2000.0, 1000.0)
    rows = 200.0 + 0.5 * step * np.arange(60)  # rows lie twice as far apart as columns
    expected = np.clip(np.floor(rows + 0.5), 0, 1999) / 2000.0 * 255.0
    assert np.abs(shown[:, 0] - expected).max() <= 255.0 / 2000.0 * step + 1.0
    assert (film_grey(levels, -100.0, 0.0, 1.0, (40, 10), 2000.0, 0.0)[:, :] == 0).all()


def write_bone(path: Path, low: tuple[float, float, float], high: tuple[float, float, float], scale: float) -> None:
    """A box as an ASCII PLY, a vertex a corner."""
    corners = np.array([[x, y, z] for x in (low[0], high[0]) for y in (low[1], high[1]) for z in (low[2], high[2])]) * scale
    faces = [(0, 1, 3), (0, 3, 2), (4, 6, 7), (4, 7, 5), (0, 4, 5), (0, 5, 1), (2, 3, 7), (2, 7, 6), (0, 2, 6), (0, 6, 4)]
    faces += [(1, 5, 7), (1, 7, 3)]
    head = f"ply\nformat ascii 1.0\nelement vertex {len(corners)}\nproperty float x\nproperty float y\nproperty float z\n"
    head += f"element face {len(faces)}\nproperty list uchar int vertex_indices\nend_header\n"
    body = "".join(f"{x:g} {y:g} {z:g}\n" for x, y, z in corners) + "".join(f"3 {a} {b} {c}\n" for a, b, c in faces)
    path.write_text(head + body)


def test_meshes_are_shown_with_their_guess_and_taken_only_when_it_is_confirmed(
    qtbot: QtBot, window: MainWindow, bridge: Bridge, tmp_path: Path
) -> None:
    write_bone(tmp_path / "right_tibia.ply", (-40.0, -25.0, 0.0), (40.0, 25.0, 370.0), 0.001)  # in metres
    write_bone(tmp_path / "b.ply", (-200.0, -20.0, 380.0), (-160.0, 20.0, 420.0), 0.001)
    ask(bridge)
    window.take([tmp_path / "right_tibia.ply", tmp_path / "b.ply"])
    page = window.pages.meshes
    assert window.pages.currentWidget() is page
    assert [field.box.currentData() for field in page._bones.values()] == ["tibia", None]  # an unnamed file is never guessed
    qtbot.waitUntil(lambda: page.findChild(object, "mesh_consent") is not None, timeout=10000)
    assert "370 mm" in page.findChild(object, "mesh_told_tibia").text()
    assert page.missing == "mesh_consent_first"
    assert not window.panel.primary.isEnabled()
    page.findChild(object, "mesh_consent").click()
    qtbot.mouseClick(window.panel.primary, Qt.MouseButton.LeftButton)
    (bone,) = bridge.case.imported_bones
    assert (bone.unit, bone.chosen_by) == ("m", "confirmed_guess")
    assert isinstance(bone.bone.bone, BoneName)  # a plain string is equal to it, and yet the shin bone is then no shin bone
    assert not page.open
    bridge.session.undo()
    assert bridge.case.imported_bones == ()


def test_a_contradicted_side_is_resolved_by_name_and_reason(
    qtbot: QtBot, window: MainWindow, bridge: Bridge, tmp_path: Path
) -> None:
    write_ct_series(block(0.0), tmp_path, laterality="L")
    ask(bridge, Side.RIGHT)
    import_study.import_study(bridge.session, tmp_path)
    assert side_conflict(bridge) is not None
    qtbot.waitUntil(lambda: window.panel.findChild(object, "resolve_sides") is not None, timeout=5000)
    words = " ".join(
        item.text() for item in window.panel.findChild(object, "study_side_card").findChildren(type(window.title._code))
    )
    assert "tags of the scan: left (CONTRADICTS)" in words
    dialog = ResolveSide(bridge, window)
    qtbot.addWidget(dialog)
    sign = dialog.findChild(object, "resolve_sign")
    dialog.findChild(object, "resolve_right").click()
    assert not sign.isEnabled()
    dialog.findChild(object, "resolve_person").setText("Dr. A. Example")
    dialog.findChild(object, "resolve_reason").setPlainText("short")
    assert not sign.isEnabled()
    dialog.findChild(object, "resolve_reason").setPlainText("the tag was typed wrongly, see the request")
    sign.click()
    (signed,) = bridge.case.side_resolutions
    assert (signed.side, signed.person) == (Side.RIGHT, "Dr. A. Example")
    assert side_conflict(bridge) is None
    bridge.session.undo()
    assert side_conflict(bridge) is not None


def test_the_light_of_the_scan_and_its_reasons_stand_in_study(
    qtbot: QtBot, window: MainWindow, bridge: Bridge, tmp_path: Path
) -> None:
    write_ct_series(block(0.0, step=4.0), tmp_path)
    ask(bridge)
    import_study.import_study(bridge.session, tmp_path)
    qtbot.waitUntil(lambda: window.panel.findChild(object, "scan_quality") is not None, timeout=10000)
    assert window.panel.findChild(object, "scan_quality").text() == bridge.word("quality_red")
    assert "4 mm" in window.panel.findChild(object, "quality_reason_0").text()
    bridge.session.apply("request", lambda case: replace(case, study=None))
    qtbot.waitUntil(lambda: window.panel.findChild(object, "scan_quality") is None, timeout=10000)


def test_the_versions_lie_above_the_buttons(qtbot: QtBot, bridge: Bridge, window: MainWindow) -> None:
    about = About(bridge, window)
    qtbot.addWidget(about)
    about.show()
    table, copy = about.findChild(object, "about_versions"), about.findChild(object, "about_copy")
    assert table.geometry().bottom() < copy.geometry().top()


def test_help_is_complete_and_the_protocol_is_written_where_asked(
    qtbot: QtBot, window: MainWindow, bridge: Bridge, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = [action.objectName() for action in window.title.findChild(object, "help_button").menu().actions()]
    assert [name for name in shown if name] == [name for name in HELP_ACTS if name]
    target = tmp_path / "protocol"
    monkeypatch.setattr(
        "surgiplan_desktop.gui.help_acts.QFileDialog.getSaveFileName", lambda *_args: (str(target), "PDF (*.pdf)")
    )
    window.actions_by_id["protocol_de"].trigger()
    written = tmp_path / "protocol.pdf"
    qtbot.waitUntil(lambda: bool(window.status.said) and str(written) in window.status.said[-1].text, timeout=20000)
    assert written.read_bytes().startswith(b"%PDF")
