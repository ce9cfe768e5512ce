"""The study browser off screen: what is found is shown, nothing is in the case before it is imported, cancel leaves it alone."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import SimpleITK
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot

from surgiplan_desktop.app import import_study
from surgiplan_desktop.base.progress import Progress
from surgiplan_desktop.base.spaces import Affine
from surgiplan_desktop.gui.bridge import Bridge
from surgiplan_desktop.gui.main_window import MainWindow
from surgiplan_desktop.gui.panels import study as study_panel
from surgiplan_desktop.imaging.dicom_write import write_ct_series
from surgiplan_desktop.model.anatomy import Side
from surgiplan_desktop.model.case import Intake
from surgiplan_desktop.model.edits import set_intake, set_notes
from surgiplan_desktop.model.images import Volume


def block(low: float, slices: int = 8, step: float = 2.0, tilt: float = 0.0) -> Volume:
    """A small block of air with a bright square, its slices ``tilt`` mm further to posterior each."""
    affine = np.eye(4)
    affine[:3, 3] = (-12.0, -12.0, low)
    affine[2, :3] = (step, 0.0, 0.0)
    affine[1, :3] = (tilt, 1.0, 0.0)
    affine[0, :3] = (0.0, 0.0, 1.0)
    array = np.full((slices, 24, 24), -1000, dtype=np.int16)
    array[:, 6:18, 6:18] = 900
    return Volume(array, Affine(affine))


@pytest.fixture
def three_blocks(tmp_path: Path) -> Path:
    """Hip, knee and ankle as three series of one study, a second patient's series, and a file that is no DICOM."""
    for number, low in enumerate((400.0, 200.0, 0.0), start=1):
        write_ct_series(block(low), tmp_path / "leg" / str(number), description=f"block {number}", series_number=number)
    (tmp_path / "leg" / "readme.txt").write_text("no image")
    return tmp_path / "leg"


def drop(target: QWidget, *paths: Path) -> None:
    """Drop files on a widget as Qt delivers it: to the nearest parent that takes drops."""
    while not target.acceptDrops():
        target = target.parentWidget()
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    action, button, none = Qt.DropAction.CopyAction, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # the only way to make a drag without dragging
        entering = QDragEnterEvent(QPoint(5, 5), action, mime, button, none)
    QApplication.sendEvent(target, entering)
    QApplication.sendEvent(target, QDropEvent(QPointF(5, 5), action, mime, button, none))


def ask(bridge: Bridge) -> None:
    bridge.session.apply("request", lambda case: set_intake(case, Intake(Side.RIGHT, "mowhto")))


def found(qtbot: QtBot, window: MainWindow) -> None:
    qtbot.waitUntil(lambda: window.pages.browser.page is not None and not window.panel.busy, timeout=10000)


def test_a_drop_anywhere_shows_what_is_in_it_and_one_click_imports_it(
    qtbot: QtBot, window: MainWindow, bridge: Bridge, three_blocks: Path
) -> None:
    ask(bridge)
    window.go("bones")
    before = bridge.case
    drop(window.panel.primary, three_blocks)
    found(qtbot, window)
    assert bridge.case is before
    assert bridge.session.view.step == "study"
    browser = window.pages.browser
    assert window.pages.currentWidget() is browser
    assert [card.row.title for card in browser.cards] == ["block 1", "block 2", "block 3"]
    assert all(card.ticked for card in browser.cards)
    bar = browser.findChild(object, "body_bar_0").text()
    assert bar.count("block from z") == 3
    assert bar.count("gap of 186 mm") == 2
    aside = browser.findChild(object, "aside_0")
    qtbot.mouseClick(aside, Qt.MouseButton.LeftButton)
    assert "readme.txt" in browser.findChild(object, "aside_0_list").toPlainText()
    qtbot.mouseClick(browser.findChild(object, "aside_0_copy"), Qt.MouseButton.LeftButton)
    assert QApplication.clipboard().text().endswith("readme.txt")
    qtbot.waitUntil(lambda: all(card.picture.text() == "RALP" for card in browser.cards), timeout=10000)
    qtbot.mouseClick(window.panel.primary, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: bridge.case.study is not None, timeout=10000)
    assert [entry.shape[0] for entry in bridge.case.study.blocks] == [8, 8, 8]
    assert browser.page is None
    assert window.pages.currentWidget() is window.views
    bridge.session.undo()
    assert bridge.case == before


@pytest.mark.parametrize("name", ["view_axial", "view_3d", "stepRail", "titleRow", "statusBar", "standing_hka"])
def test_no_part_of_the_window_keeps_a_dropped_file_to_itself(window: MainWindow, bridge: Bridge, name: str) -> None:
    taken: list[list[Path]] = []
    window.take = taken.append  # type: ignore[method-assign]
    drop(window.findChild(QWidget, name), Path("/somewhere/scan.zip"))
    QApplication.processEvents()
    assert taken == [[Path("/somewhere/scan.zip")]]


def test_before_the_request_nothing_is_imported_and_no_picture_is_shown(
    qtbot: QtBot, window: MainWindow, bridge: Bridge, three_blocks: Path
) -> None:
    drop(window.views, three_blocks)
    found(qtbot, window)
    assert not window.panel.primary.isEnabled()
    assert window.panel.findChild(object, "study_reason").text() == bridge.word("say_side_first")
    assert window.pages.browser.cards[0].picture.text() == bridge.word("picture_later")
    qtbot.mouseClick(window.panel.findChild(object, "side_right"), Qt.MouseButton.LeftButton)
    qtbot.mouseClick(window.panel.findChild(object, "procedure_mowhto"), Qt.MouseButton.LeftButton)
    qtbot.waitUntil(window.panel.primary.isEnabled)
    qtbot.waitUntil(lambda: window.pages.browser.cards[0].picture.text() == "RALP", timeout=10000)


def test_a_repair_is_stated_and_only_done_with_consent(qtbot: QtBot, window: MainWindow, bridge: Bridge, tmp_path: Path) -> None:
    write_ct_series(block(0.0, slices=12, tilt=0.3), tmp_path / "tilted")
    ask(bridge)
    window.take([tmp_path / "tilted"])
    found(qtbot, window)
    card = window.pages.browser.cards[0]
    assert card.row.verdict == "repairable"
    assert not card.ticked
    assert not card.box.isEnabled()
    assert not window.panel.primary.isEnabled()
    assert "8.5" in window.findChild(object, "series_0_repair_0").text()
    consent = window.findChild(object, "series_0_consent")
    consent.click()
    assert window.panel.primary.isEnabled()
    consent.click()
    assert not window.panel.primary.isEnabled()
    consent.click()
    qtbot.mouseClick(window.panel.primary, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: bridge.case.study is not None, timeout=10000)
    assert [repair.kind for repair in bridge.case.study.blocks[0].origin.repairs] == ["tilt"]


def test_series_of_another_patient_are_never_ticked_together(
    qtbot: QtBot, window: MainWindow, bridge: Bridge, three_blocks: Path
) -> None:
    write_ct_series(block(0.0), three_blocks / "other", description="other", patient_id="SOMEBODY ELSE", seed=3)
    ask(bridge)
    window.take([three_blocks])
    found(qtbot, window)
    browser = window.pages.browser
    assert browser.ticked == ()
    assert browser.page.trouble == bridge.word("choose_several_studies")
    assert "SOMEBODY" not in " ".join(card.findChild(object, card._name).text() for card in browser.cards)
    mine = [card for card in browser.cards if card.row.title != "other"]
    other = next(card for card in browser.cards if card.row.title == "other")
    mine[0].box.click()
    mine[1].box.click()
    assert len(browser.ticked) == 2
    other.box.click()
    assert browser.ticked == (other.row,)


def _held_up(entered: threading.Event) -> Callable[..., object]:
    """Work that has begun and goes on until it is cancelled."""

    def work(*_args: object, progress: Progress) -> object:
        entered.set()
        for part in range(400):
            progress.step(part, 400, "reading")
            threading.Event().wait(0.02)
        raise AssertionError("it was not cancelled")

    return work


@pytest.mark.parametrize("when", ["scan", "read"])
def test_cancel_leaves_an_open_case_with_edits_as_it_is(
    qtbot: QtBot, window: MainWindow, bridge: Bridge, three_blocks: Path, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    ask(bridge)
    bridge.session.apply("notes", lambda case: set_notes(case, "edited"))
    before, undo = bridge.case, bridge.session.undo_label
    entered = threading.Event()
    if when == "scan":
        monkeypatch.setattr(study_panel, "scan_page", _held_up(entered))
    else:
        monkeypatch.setattr(study_panel, "load", _held_up(entered))
    window.take([three_blocks])
    if when == "read":
        found(qtbot, window)
        qtbot.mouseClick(window.panel.primary, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(entered.is_set, timeout=10000)
    assert window.panel.busy
    window.actions_by_id["cancel"].trigger()
    qtbot.waitUntil(lambda: not window.panel.busy, timeout=3000)
    qtbot.waitUntil(lambda: [said.text for said in window.status.said][-1:] == [bridge.word("cancelled")])
    assert bridge.case is before
    assert bridge.session.undo_label == undo
    assert (window.pages.browser.page is not None) is (when == "read")  # what was found is still there to be imported again


def test_another_scan_is_never_put_over_a_case_without_a_word(
    qtbot: QtBot, window: MainWindow, bridge: Bridge, three_blocks: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask(bridge)
    import_study.import_study(bridge.session, three_blocks / "1")
    before = bridge.case
    answers = iter(["stay", "new"])

    class Answering:
        def __init__(self, *_args: object) -> None:
            self.answer = next(answers)

        def exec(self) -> None:
            """Answer without a window."""

    monkeypatch.setattr(study_panel, "AskOtherScan", Answering)
    window.take([three_blocks / "2"])
    found(qtbot, window)
    qtbot.mouseClick(window.panel.primary, Qt.MouseButton.LeftButton)
    assert bridge.case is before
    monkeypatch.setattr(window.documents, "may_leave", lambda: True)
    qtbot.mouseClick(window.panel.primary, Qt.MouseButton.LeftButton)
    assert bridge.case.study is None  # a case of its own, whose request is asked anew
    assert bridge.case.intake == Intake()
    assert window.pages.browser.page is not None


def test_a_volume_file_is_looked_at_before_it_is_taken(qtbot: QtBot, window: MainWindow, bridge: Bridge, tmp_path: Path) -> None:
    volume = block(0.0, slices=12)
    image = SimpleITK.GetImageFromArray(volume.array)
    image.SetSpacing((1.0, 1.0, 2.0))
    path = tmp_path / "leg.nrrd"
    SimpleITK.WriteImage(image, str(path))
    ask(bridge)
    window.take([path])
    qtbot.waitUntil(lambda: window.panel.findChild(object, "volume_verdict") is not None, timeout=10000)
    assert "24 x 24 x 12" in window.panel.findChild(object, "volume_title").text()
    assert bridge.case.study is None
    qtbot.waitUntil(window.panel.primary.isEnabled)
    qtbot.mouseClick(window.panel.primary, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: bridge.case.study is not None, timeout=10000)
    assert bridge.case.study.blocks[0].shape == (12, 24, 24)


@pytest.mark.parametrize("kept", [False, True])
def test_the_patients_name_is_kept_only_where_it_is_asked_for(
    qtbot: QtBot, window: MainWindow, bridge: Bridge, tmp_path: Path, kept: bool
) -> None:
    write_ct_series(block(0.0), tmp_path, patient_name="DOE^JANE", patient_id="4711")
    ask(bridge)
    window.take([tmp_path])
    found(qtbot, window)
    box = window.panel.findChild(object, "keep_identifiers")
    assert not box.isChecked()
    if kept:
        box.click()
    qtbot.mouseClick(window.panel.primary, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: bridge.case.study is not None, timeout=10000)
    assert (bridge.case.patient is not None) is kept
    assert not box.isChecked()  # asked anew for every scan
