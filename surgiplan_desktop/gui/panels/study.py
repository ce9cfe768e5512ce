"""Study: the request first (side, procedure), then a scan, a film or meshes; what was found is looked at beside the panel."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QFileDialog, QHBoxLayout, QVBoxLayout

from surgiplan_desktop.app.demo_leg import write_demo_leg
from surgiplan_desktop.app.documents import recoverable
from surgiplan_desktop.app.import_study import LoadedStudy, choose, load, load_volume_file, patient_of, put_in_case
from surgiplan_desktop.app.study_page import StudyPage, VolumeCard, scan_page, volume_card
from surgiplan_desktop.base.errors import SurgiPlanError
from surgiplan_desktop.gui.bridge import Bridge
from surgiplan_desktop.gui.dialogs.ask import AskOtherScan
from surgiplan_desktop.gui.panels.base import Panel
from surgiplan_desktop.gui.panels.request_form import RequestForm
from surgiplan_desktop.gui.panels.study_contents import StudyContents
from surgiplan_desktop.gui.study_pages.pages import StudyPages
from surgiplan_desktop.gui.study_pages.series_card import TickBox
from surgiplan_desktop.gui.study_pages.volume_found import VolumeFound
from surgiplan_desktop.gui.viewports.stage import Stage
from surgiplan_desktop.gui.widgets.findings import card
from surgiplan_desktop.gui.widgets.layout import button, clear, group, label
from surgiplan_desktop.gui.words import local_time
from surgiplan_desktop.imaging.volume_files import volume_kind
from surgiplan_desktop.model.case import Patient

_LEFT_SHOWN = 3


class StudyPanel(Panel):
    """See the module's text."""

    step = "study"
    #: Unsaved work of an earlier run (Recoverable) shall be gone on with.
    recover_wanted = Signal(object)
    #: What was found (StudyPage, VolumeCard, paths of meshes) shall become a case of its own.
    new_case_wanted = Signal(object)

    def __init__(self, bridge: Bridge, stage: Stage, pages: StudyPages) -> None:
        self._pages = pages
        self._browser = pages.browser
        self._film = pages.film
        self._meshes = pages.meshes
        self._volume: VolumeCard | None = None
        self._temporary: TemporaryDirectory[str] | None = None
        super().__init__(bridge, stage)

    def build(self) -> None:
        self._left = QVBoxLayout()
        self._left.setSpacing(6)
        self.content.addLayout(self._left)
        self._offer_left_work()
        self._request = RequestForm(self.bridge, self.stage)
        self.content.addWidget(self._request)
        self._build_source()
        self._found = QVBoxLayout()
        self._found.setSpacing(6)
        self.content.addLayout(self._found)
        self._keep = TickBox(self.word("keep_identifiers"))
        self._keep.setObjectName("keep_identifiers")
        self._keep.setToolTip(self.word("keep_identifiers_tip"))
        self.content.addWidget(self._keep)
        self._contents = StudyContents(self.stage)
        self._contents.film_wanted.connect(self.show_film)
        self.content.addWidget(self._contents)
        self._browser.changed.connect(self.refresh)
        self._browser.closed.connect(self._forget)
        self._browser.film_wanted.connect(self.look_at_film)
        self._film.closed.connect(self._leave_page)
        self._meshes.closed.connect(self._leave_page)
        self._meshes.changed.connect(self.refresh)
        self._film.changed.connect(self.refresh)

    def _offer_left_work(self) -> None:
        """Offer what an earlier run that ended suddenly did not save; undo reaches back in it as before."""
        clear(self._left)
        left = recoverable(self.bridge.services)
        if not left:
            return
        inner = group(self._left, self.word("group_left_work"))
        for number, item in enumerate(left[:_LEFT_SHOWN]):
            words = self.word(
                "left_work",
                code=item.code or self.word("no_case"),
                edits=item.edits,
                last=item.last_label,
                time=local_time(item.last_time),
            )
            inner.addWidget(
                card(words if item.path is None else f"{words}\n{item.path.name}", "warn", self.word("left_work_head"))
            )
            inner.addWidget(
                button(
                    self.word("recover_button"),
                    f"recover_{number}",
                    lambda item=item: self.recover_wanted.emit(item),
                    tip=self.word("recover_tip"),
                )
            )

    def _build_source(self) -> None:
        source = group(self.content, self.word("group_scan"))
        row = QHBoxLayout()
        self._open = button(self.word("open_folder"), "open_folder", self.choose_folder, tip=self.word("open_folder_tip"))
        self._demo = button(self.word("open_demo"), "open_demo", self.open_demo, tip=self.word("open_demo_tip"))
        row.addWidget(self._open)
        row.addWidget(self._demo)
        source.addLayout(row)
        self._file = button(self.word("open_file"), "open_file", self.choose_file, tip=self.word("open_file_tip"))
        source.addWidget(self._file)
        source.addWidget(label(self.word("drop_hint"), "small"))

    # What the user does ----------------------------------------------------------------------------------------------------

    def choose_folder(self) -> None:
        """Ask for a folder with DICOM files and scan it."""
        chosen = QFileDialog.getExistingDirectory(self.window(), self.word("open_folder"))
        if chosen:
            self.scan(Path(chosen))

    def choose_file(self) -> None:
        """Ask for a zip, DICOM, NIfTI or NRRD file and scan it."""
        chosen, _ = QFileDialog.getOpenFileName(self.window(), self.word("open_file"))
        if chosen:
            self.scan(Path(chosen))

    def open_demo(self) -> None:
        """Make the demo leg of the side asked for and scan it like any folder."""
        side = self.bridge.case.intake.side
        if side is None or self.busy:
            return
        self._forget()
        self._temporary = TemporaryDirectory(prefix="surgiplan-demo-", ignore_cleanup_errors=True)
        self.work("making_demo", write_demo_leg, side, Path(self._temporary.name) / "leg", on_value=self.scan, lane="process")

    def scan(self, path: Path) -> None:
        """Look what is in a folder or file; nothing comes into the case yet."""
        if self.busy:
            self.bridge.tell("busy_now")
            return
        demo = self._temporary is not None and path.is_relative_to(self._temporary.name)
        self._forget(keep_files=demo)
        kind = volume_kind(path) if path.is_file() else None
        if kind is not None:
            self.work("scanning", volume_card, path, kind, self.bridge.texts, on_value=self.show_found)
        else:
            self.work("scanning", scan_page, path, self.bridge.texts, on_value=self.show_found)

    def look_at_film(self, path: Path) -> None:
        """Look at a film in a file; it comes into the case when side and date are said."""
        self._film.open_file(path)
        self._pages.want("film")
        self.refresh()

    def show_film(self, key: str | int) -> None:
        """Look at a film or scout of the case."""
        self._film.open_item(key)
        self._pages.want("film")
        self.refresh()

    def look_at_meshes(self, paths: Sequence[Path]) -> None:
        """Look at mesh files; the bones come into the case when unit and space are told or confirmed."""
        self._forget()
        self._meshes.open_files(paths)
        self._pages.want("meshes")
        self.refresh()

    def _leave_page(self) -> None:
        self._pages.want("views" if self._browser.page is None else "browser")
        self.refresh()

    def show_found(self, found: StudyPage | VolumeCard | tuple[Path, ...]) -> None:
        """Show what a scan found, or meshes."""
        if isinstance(found, tuple):
            self.look_at_meshes(found)
        elif isinstance(found, StudyPage):
            self._browser.show_page(found)
            self._pages.want("browser")
        else:
            self._volume = found
            clear(self._found)
            self._volume_card = VolumeFound(self.stage, found)
            self._volume_card.changed.connect(self.refresh)
            group(self._found, self.word("group_volume")).addWidget(self._volume_card)
        self.refresh()

    def act(self) -> None:
        if self._meshes.open:
            self._take_meshes()
        elif self._browser.page is not None or self._volume is not None:
            self._import()
        elif self._holds_images:
            self.go.emit("bones")
        else:
            self.choose_folder()

    @property
    def _holds_images(self) -> bool:
        return self.bridge.case.study is not None or bool(self.bridge.case.imported_bones)

    def _import(self) -> None:
        """Take what is ticked; a case that holds a scan or bones already is never overwritten without a word."""
        found = self._volume or self._browser.page
        if not self._may_replace(found):
            return
        store = self.bridge.session.store
        if isinstance(found, VolumeCard):
            self._read(load_volume_file, found.path, found.kind, store, accept_repair=self._volume_card.agreed)
        elif found is not None:
            try:
                uids = [row.uid for row in self._browser.ticked]
                chosen = choose(found.result, uids, accept_repair=self._browser.agreed)
                patient = patient_of(found.result, chosen) if self._keep.isChecked() else None
            except SurgiPlanError as error:
                self.bridge.tell_error(error)
                return
            self._read(load, found.result, chosen, store, patient=patient)

    def _take_meshes(self) -> None:
        if self._meshes.beside_scan or self._may_replace(self._meshes.paths):
            self._meshes.take()

    def _may_replace(self, found: object) -> bool:
        """Ask where the case holds images or bones already; a case of its own is begun where that is the answer."""
        if not self._holds_images:
            return True
        question = AskOtherScan(self.bridge, self.window())
        question.exec()
        if question.answer == "new":
            self.new_case_wanted.emit(found)
        return question.answer == "replace"

    def _read(self, function: object, *args: object, patient: Patient | None = None, **kwargs: object) -> None:
        session = self.bridge.session

        def put(loaded: LoadedStudy) -> None:
            if self.bridge.session is session:
                put_in_case(session, loaded, session.case.intake, patient)
                self.bridge.tell("imported", slices=sum(block.shape[0] for block in loaded.blocks))
                self._forget()

        self.work("reading", function, *args, on_value=put, **kwargs)

    # What is shown ---------------------------------------------------------------------------------------------------------

    def refresh(self) -> None:
        case = self.bridge.case
        self._request.show_intake(case.intake)
        busy, asked = self.busy, case.intake.side is not None and case.intake.procedure is not None
        for made in (self._open, self._demo, self._file):
            made.setEnabled(asked and not busy)
        page = self._browser.page
        found = page is not None or self._volume is not None
        self._contents.setVisible(not found)
        self._keep.setVisible(page is not None)
        self._contents.show_case(case)
        self._browser.load_pictures()
        if busy:
            self.say_next(self.word("working"), enabled=False)
        elif not asked:
            missing = "say_side_first" if case.intake.side is None else "say_procedure_first"
            self.say_next(self.word("import_found" if found else "open_folder"), enabled=False, reason=self.word(missing))
        elif self._meshes.open:
            missing = self._meshes.missing
            reason = self.word(missing) if missing else ""
            self.say_next(self.word("mesh_take", count=self._meshes.count), enabled=not missing, reason=reason)
        elif page is not None:
            count = len(self._browser.ticked)
            reason = "" if count else self.word("choose_series")
            self.say_next(self.word("import_series", count=count), enabled=count > 0, reason=reason)
        elif self._volume is not None:
            usable = self._volume_card.can_be_taken
            self.say_next(self.word("import_found"), enabled=usable, reason="" if usable else self.word("only_with_consent"))
        elif self._holds_images:
            self.say_next(self.word("next_bones_there" if case.bones else "next_bones"))
        else:
            self.say_next(self.word("open_folder"))

    def renew(self) -> None:
        self._forget()
        self._offer_left_work()
        super().renew()

    def _forget(self, *, keep_files: bool = False) -> None:
        """Forget what was found; the case stays as it is."""
        self._volume = None
        self._keep.setChecked(False)
        self._meshes.close_page()
        self._browser.forget()
        self._pages.want("views")
        clear(self._found)
        if self._temporary is not None and not keep_files:
            self._temporary.cleanup()
            self._temporary = None
        self._late.start()
