"""Bones that others segmented: which file is which bone, in which unit and space, shown before anything is taken."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from surgiplan_desktop.app.import_meshes import named_bone, put_in_case, scan_volumes
from surgiplan_desktop.app.jobs import Job
from surgiplan_desktop.app.mesh_page import MeshPage, MeshWish, mesh_page
from surgiplan_desktop.base.errors import SurgiPlanError
from surgiplan_desktop.gui.study_pages.series_card import TickBox
from surgiplan_desktop.gui.viewports.stage import Stage
from surgiplan_desktop.gui.widgets.fields import ChoiceField
from surgiplan_desktop.gui.widgets.findings import card
from surgiplan_desktop.gui.widgets.layout import button, clear, group, label, scroller
from surgiplan_desktop.model.anatomy import BoneName

_UNITS: Final = ("mm", "cm", "m", "inch")
_SPACES: Final = ("lps", "ras", "y-up")
#: Findings that say unit and axes once more for each bone.
_TOLD_ABOVE: Final = ("mesh_taken_", "mesh_space_")
_TONES: Final = {"note": "secondary", "warn": "warn", "fail": "fail", "critical": "fail"}


class MeshImport(QWidget):
    """A page of the view area."""

    #: The user is done with it.
    closed = Signal()
    #: What can be taken changed.
    changed = Signal()

    def __init__(self, stage: Stage) -> None:
        super().__init__()
        self.setObjectName("mesh_page")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._stage = stage
        self._bridge = stage.bridge
        self.paths: tuple[Path, ...] = ()
        self._page: MeshPage | None = None
        self._job: Job | None = None
        self._bones: dict[Path, ChoiceField] = {}
        self._asked: object = None
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        head = QHBoxLayout()
        head.setContentsMargins(16, 12, 12, 4)
        word = self._bridge.word
        head.addWidget(label(word("mesh_title"), "title"), 1)
        head.addWidget(button(word("browser_close"), "mesh_close", self.close_page, tip=word("browser_close_tip")))
        outer.addLayout(head)
        inside = QWidget()
        body = QVBoxLayout(inside)
        body.setContentsMargins(16, 4, 14, 16)
        body.setSpacing(8)
        self._files = QVBoxLayout()
        self._told = QVBoxLayout()
        self._told.setSpacing(8)
        self._say = QVBoxLayout()
        for part in (self._files, self._say, self._told):
            body.addLayout(part)
        body.addStretch(1)
        outer.addWidget(scroller(inside), 1)
        self._bridge.case_changed.connect(lambda *_: self._look())
        self._bridge.session_replaced.connect(self.close_page)

    @property
    def open(self) -> bool:
        """Whether it shows files."""
        return bool(self.paths)

    @property
    def missing(self) -> str:
        """Text id of what keeps the bones from being taken; empty when they can be."""
        if self._job is not None or (self._page is None and not self._chosen()):
            return "mesh_choose" if self._job is None else "working"
        if self._page is None:
            return "mesh_trouble"
        return "mesh_consent_first" if self._page.preview.needs_consent and not self._consent.isChecked() else ""

    @property
    def beside_scan(self) -> bool:
        """Whether the scan of the case is kept and the bones are laid on it."""
        return self._bridge.case.study is not None and self._beside.isChecked()

    @property
    def count(self) -> int:
        """Number of bones that would be taken."""
        return 0 if self._page is None else len(self._page.preview.bones)

    def open_files(self, paths: Sequence[Path]) -> None:
        """Look at mesh files."""
        self.close_page()
        self.paths = tuple(paths)
        word = self._bridge.word
        choices = [(word("mesh_leave_out"), None)] + [(word(bone), bone) for bone in BoneName]
        inner = group(self._files, word("mesh_files"))
        for number, path in enumerate(self.paths):
            bone, side = named_bone(path)
            field = ChoiceField(f"mesh_bone_{number}", path.name, choices, str(path))
            field.caption.setFixedWidth(330)
            field.show_choice(bone)
            field.chosen.connect(lambda _bone: self._look())
            inner.addWidget(field)
            self._bones[path] = field
            if side is not None and side is not self._bridge.case.intake.side:
                inner.addWidget(label(word("mesh_other_side", side=word(f"side_{side}")), "warn"))
        said = group(self._say, word("mesh_said"))
        units = [(word("mesh_by_itself"), None)] + [(word(f"mesh_unit_{unit}"), unit) for unit in _UNITS]
        spaces = [(word("mesh_by_itself"), None)]
        spaces += [(word(f"mesh_space_{space.replace('-', '_')}"), space) for space in _SPACES]
        self._unit = ChoiceField("mesh_unit", word("mesh_unit"), units)
        self._space = ChoiceField("mesh_space", word("mesh_space"), spaces)
        for field in (self._unit, self._space):
            field.chosen.connect(lambda _value: self._look())
            said.addWidget(field)
        self._beside = TickBox(word("mesh_beside"))
        self._beside.setObjectName("mesh_beside")
        self._beside.setVisible(self._bridge.case.study is not None)
        self._beside.toggled.connect(lambda _on: self._look())
        said.addWidget(self._beside)
        self._look()

    def close_page(self) -> None:
        """Forget the files; the case stays as it is."""
        was_open = self.open
        if self._job is not None:
            self._job.cancel()
        self.paths, self._page, self._job, self._asked = (), None, None, None
        self._bones = {}
        for part in (self._files, self._say, self._told):
            clear(part)
        if was_open:
            self.closed.emit()

    def take(self) -> bool:
        """Put the bones in the case as they are shown. Return False when that was refused."""
        page = self._page
        if page is None or self.missing:
            return False
        beside, session = self.beside_scan, self._bridge.session
        if not self._bridge.attempt(lambda: put_in_case(session, page.preview, beside_scan=beside)):
            return False
        self._bridge.tell("mesh_taken", count=len(page.preview.bones))
        self.close_page()
        return True

    def _chosen(self) -> tuple[tuple[BoneName, Path], ...]:
        chosen = [(field.box.currentData(), path) for path, field in self._bones.items()]
        # Qt hands the name back as a plain string, which is equal to a BoneName and yet none
        return tuple((BoneName(bone), path) for bone, path in chosen if bone is not None)

    def _look(self) -> None:
        """Read the files as the user says they are; the newest wish counts."""
        if not self.open:
            return
        side, chosen = self._bridge.case.intake.side, self._chosen()
        wish = None if side is None else MeshWish(side, chosen, self._unit.box.currentData(), self._space.box.currentData())
        asked = wish, self.beside_scan
        if asked == self._asked:
            return
        self._asked = asked
        self._page = None
        if self._job is not None:
            self._job.cancel()
            self._job = None
        clear(self._told)
        word = self._bridge.word
        twice = [bone for bone, _ in chosen if sum(other is bone for other, _ in chosen) > 1]
        if wish is None or not chosen or twice:
            name = "say_side_first" if wish is None else "mesh_choose" if not chosen else "mesh_twice"
            self._told.addWidget(label(word(name), "warn"))
        else:
            self._told.addWidget(label(word("working"), "secondary"))
            volumes = scan_volumes(self._bridge.session) if self.beside_scan else ()
            self._job = self._bridge.services.jobs.submit("reading_meshes", mesh_page, wish, volumes, on_done=self._ended)
        self.changed.emit()

    def _ended(self, job: Job) -> None:
        if job is not self._job:
            return
        self._job = None
        clear(self._told)
        if job.state == "done":
            self._page = job.value
            self._show(job.value)
        elif isinstance(job.error, SurgiPlanError):
            self._told.addWidget(card(self._trouble(job.error), "fail", Path(str(job.error.file or "")).name))
        elif job.error is not None:
            self._bridge.tell_error(job.error)
        self.changed.emit()

    def _trouble(self, error: SurgiPlanError) -> str:
        """Say why files are refused; where the text names options of the command line, in the window's own words."""
        if error.message_id != "mesh_side":
            return "\n".join(self._bridge.texts.error(error))
        word, side = self._bridge.word, str(error.parameters["side"])
        fits = word("mesh_fits_ras" if "ras" in str(error.parameters["likely"]) else "mesh_fits_other_side")
        return word("mesh_fibula_place", side=word(f"side_word_{side}"), fits=fits)

    def _show(self, page: MeshPage) -> None:
        word, texts, guess = self._bridge.word, self._bridge.texts, page.preview.guess
        inner = group(self._told, word("mesh_would_be"))
        space = word(f"mesh_space_{guess.space.replace('-', '_')}")
        told = word("mesh_unit_space", unit=word(f"mesh_unit_{guess.unit}"), space=space)
        tone = "warn" if page.preview.needs_consent or guess.against else "ok"
        inner.addWidget(card(told, tone, word("mesh_is_guess" if page.preview.needs_consent else "mesh_is_told")))
        for item in page.preview.bones:
            length = word(
                "mesh_bone", bone=word(item.bone.bone), mm=f"{page.lengths_mm[item.bone.bone]:.0f}", file=item.file_name
            )
            inner.addWidget(label(length, "", f"mesh_told_{item.bone.bone}"))
            for finding in item.findings:
                if finding.code.startswith(_TOLD_ABOVE):
                    continue
                words = texts.finding(finding)
                inner.addWidget(label(f"·  {words[:1].upper()}{words[1:]}", _TONES[finding.severity]))
        self._consent = TickBox(word("mesh_consent"))
        self._consent.setObjectName("mesh_consent")
        self._consent.setVisible(page.preview.needs_consent)
        self._consent.toggled.connect(lambda _on: self.changed.emit())
        inner.addWidget(self._consent)
