"""Study: the request first (side, procedure), then a scan; what was found and why it can or cannot be taken."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QButtonGroup, QCheckBox, QFileDialog, QHBoxLayout, QSizePolicy, QVBoxLayout, QWidget

from surgiplan_desktop.app.demo_leg import write_demo_leg
from surgiplan_desktop.app.documents import recoverable
from surgiplan_desktop.app.import_study import LoadedStudy, choose, load, load_volume_file, nothing_found, put_in_case, scan
from surgiplan_desktop.base.errors import SurgiPlanError
from surgiplan_desktop.gui.panels.base import Panel
from surgiplan_desktop.gui.widgets.fields import ChoiceField, NumberField
from surgiplan_desktop.gui.widgets.findings import FindingList, card
from surgiplan_desktop.gui.widgets.layout import button, clear, group, label
from surgiplan_desktop.gui.words import local_time
from surgiplan_desktop.imaging.dicom_scan import ScanResult, Series
from surgiplan_desktop.imaging.volume_files import volume_kind
from surgiplan_desktop.model.anatomy import Side
from surgiplan_desktop.model.case import Intake
from surgiplan_desktop.model.edits import set_intake

PROCEDURES = ("mowhto",)
LEANS = ("unknown", "varus", "valgus")
_LEFT_SHOWN = 3


class StudyPanel(Panel):
    """See the module's text."""

    step = "study"
    #: Unsaved work of an earlier run (Recoverable) shall be gone on with.
    recover_wanted = Signal(object)

    def build(self) -> None:
        self._result: ScanResult | None = None
        self._boxes: list[tuple[QCheckBox, Series]] = []
        self._temporary: TemporaryDirectory[str] | None = None
        self._left = QVBoxLayout()
        self._left.setSpacing(6)
        self.content.addLayout(self._left)
        self._offer_left_work()
        self._build_request()
        self._build_source()
        self._found = QVBoxLayout()
        self._found.setSpacing(6)
        self.content.addLayout(self._found)
        self._findings = FindingList(self.bridge, "study_findings")
        self.content.addWidget(self._findings)

    def _build_request(self) -> None:
        asked = group(self.content, self.word("group_request"))
        row = QHBoxLayout()
        sides = QButtonGroup(self)
        self._sides = {}
        for side in Side:
            made = button(self.word(f"side_{side}"), f"side_{side}", lambda side=side: self._set(side=side), checkable=True)
            made.setToolTip(self.word("side_tip"))
            sides.addButton(made)
            row.addWidget(made)
            self._sides[side] = made
        asked.addWidget(label(self.word("which_side"), "secondary"))
        asked.addLayout(row)
        choices = [(self.word("procedure_none"), None)] + [(self.word(f"procedure_{name}"), name) for name in PROCEDURES]
        self._procedure = ChoiceField("procedure", self.word("procedure"), choices)
        self._procedure.chosen.connect(lambda name: self._set(procedure=name))
        asked.addWidget(self._procedure)
        self._more = QWidget()
        inner = QVBoxLayout(self._more)
        inner.setContentsMargins(0, 0, 0, 0)
        leans = [(self.word(f"lean_{lean}"), lean) for lean in LEANS]
        self._lean = ChoiceField("standing_lean", self.word("standing_lean"), leans, self.word("standing_tip"))
        theme = self.stage.theme
        self._hka = NumberField(
            "standing_hka", self.word("standing_hka"), "°", 0.0, 30.0, 0.5, 1, theme, self.word("standing_tip")
        )
        self._jlca = NumberField("standing_jlca", self.word("standing_jlca"), "°", -5.0, 15.0, 0.5, 1, theme)
        self._lean.chosen.connect(lambda _lean: self._set_standing())
        self._hka.committed.connect(lambda _value: self._set_standing())
        self._jlca.committed.connect(lambda _value: self._set_standing())
        for field in (self._lean, self._hka, self._jlca):
            inner.addWidget(field)
        self._more.hide()
        toggle = button(self.word("more_standing"), "more_standing", lambda: None, checkable=True)
        toggle.toggled.connect(self._more.setVisible)
        asked.addWidget(toggle)
        asked.addWidget(self._more)

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
        """Look what is in a folder or file."""
        kind = volume_kind(path) if path.is_file() else None
        if kind is not None:
            self._forget()
            self._read(load_volume_file, path, kind, self.bridge.session.store)
            return
        self._result = None
        self.work("scanning", scan, path, on_value=self._scanned)

    def act(self) -> None:
        if self._result is not None:
            self._import()
        elif self.bridge.case.study is not None or self.bridge.case.imported_bones:
            self.go.emit("bones")
        else:
            self.choose_folder()

    def _import(self) -> None:
        result = self._result
        if result is None:
            return
        try:
            chosen = choose(result, [series.uid for box, series in self._boxes if box.isChecked()])
        except SurgiPlanError as error:
            self.bridge.tell_error(error)
            return
        self._read(load, result, chosen, self.bridge.session.store)

    def _read(self, function: object, *args: object) -> None:
        session = self.bridge.session

        def put(loaded: LoadedStudy) -> None:
            if self.bridge.session is session:
                put_in_case(session, loaded, session.case.intake)
                self.bridge.tell("imported", slices=sum(block.shape[0] for block in loaded.blocks))
                self._forget()

        self.work("reading", function, *args, on_value=put)

    def _scanned(self, result: ScanResult) -> None:
        nothing = nothing_found(result)
        if nothing is not None:
            self.bridge.tell_error(nothing)
            self.refresh()
            return
        self._result = result
        try:
            proposed = {series.uid for series in choose(result)}
        except SurgiPlanError as error:
            self.bridge.tell_error(error)
            proposed = set()
        self._show_series(result, proposed)
        self.refresh()

    def _set(self, **changes: object) -> None:
        intake = replace(self.bridge.case.intake, **changes)
        self.bridge.apply("edit_intake", lambda case: set_intake(case, intake))
        self.refresh()

    def _set_standing(self) -> None:
        lean = self._lean.box.currentData()
        if lean == "unknown":
            self._set(standing_hka_deg=None, standing_jlca_deg=None)
            return
        sign = -1.0 if lean == "varus" else 1.0
        self._set(standing_hka_deg=180.0 + sign * self._hka.value, standing_jlca_deg=self._jlca.value)

    # What is shown ---------------------------------------------------------------------------------------------------------

    def refresh(self) -> None:
        case = self.bridge.case
        self._show_request(case.intake)
        busy, asked = self.busy, case.intake.side is not None and case.intake.procedure is not None
        for made in (self._open, self._demo, self._file):
            made.setEnabled(asked and not busy)
        # the side against the request stands in the card above, as it is now and not as it was at the import
        blocks = () if case.study is None else case.study.blocks
        findings = tuple(f for block in blocks for f in block.origin.findings if f.code != "side_conflict")
        self._findings.show_findings(findings if self._result is None else ())
        if busy:
            self.say_next(self.word("working"), enabled=False)
        elif not asked:
            missing = "say_side_first" if case.intake.side is None else "say_procedure_first"
            self.say_next(self.word("open_folder"), enabled=False, reason=self.word(missing))
        elif self._result is not None:
            count = sum(box.isChecked() for box, _ in self._boxes)
            reason = "" if count else self.word("choose_series")
            self.say_next(self.word("import_series", count=count), enabled=count > 0, reason=reason)
        elif case.study is not None or case.imported_bones:
            self._show_study()
            self.say_next(self.word("next_bones_there" if case.bones else "next_bones"))
        else:
            self.say_next(self.word("open_folder"))

    def renew(self) -> None:
        self._forget()
        self._offer_left_work()
        super().renew()

    def _show_request(self, intake: Intake) -> None:
        for side, made in self._sides.items():
            group_of = made.group()
            group_of.setExclusive(False)
            made.setChecked(intake.side is side)
            group_of.setExclusive(True)
        self._procedure.show_choice(intake.procedure)
        hka = intake.standing_hka_deg
        known = hka is not None
        for field in (self._hka, self._jlca):
            field.setEnabled(self._lean.box.currentData() != "unknown")
        if known:
            self._lean.show_choice("varus" if hka < 180.0 else "valgus")
            self._hka.show_value(abs(hka - 180.0))
            self._jlca.show_value(intake.standing_jlca_deg or 0.0)

    def _show_series(self, result: ScanResult, proposed: set[str]) -> None:
        clear(self._found)
        self._boxes = []
        inner = group(self._found, self.word("group_series"))
        for number, series in enumerate(result.series):
            name = series.description or self.word("no_description")
            spacing = " x ".join("?" if value is None else f"{value:.2g}" for value in series.spacing_mm)
            box = QCheckBox(name)
            box.setObjectName(f"series_{number}")
            box.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)  # a long name never widens the panel
            box.setToolTip(f"{name}\n{series.uid}\n{series.first.columns} x {series.first.rows}, {spacing} mm")
            box.setChecked(series.uid in proposed)
            box.setEnabled(series.verdict == "ok")
            box.toggled.connect(lambda _on: self.refresh())
            inner.addWidget(box)
            verdict = self.word(f"verdict_{series.verdict}")
            inner.addWidget(label(self.word("series_line", slices=series.slices, verdict=verdict, spacing=spacing), "small"))
            for finding in series.findings:
                tone = "warn" if series.verdict == "ok" else "fail"
                inner.addWidget(card(self.bridge.texts.finding(finding), tone))
            self._boxes.append((box, series))
        if result.rejected:
            inner.addWidget(label(self.word("left_aside", count=len(result.rejected)), "small"))

    def _show_study(self) -> None:
        case = self.bridge.case
        if self._found.count():
            return
        inner = group(self._found, self.word("group_study"))
        if case.imported_bones:
            rows = [f"{self.word(item.bone.bone)}: {item.file_name}" for item in case.imported_bones]
            inner.addWidget(card("\n".join(rows), "ok", self.word("imported_meshes")))
        for block in () if case.study is None else case.study.blocks:
            spacing = [sum(row[column] ** 2 for row in block.affine[:3]) ** 0.5 for column in range(3)]
            words = self.word(
                "block_line",
                name=block.origin.description or self.word("no_description"),
                slices=block.shape[0],
                columns=block.shape[2],
                rows=block.shape[1],
                spacing=" x ".join(f"{value:.2g}" for value in reversed(spacing)),
            )
            inner.addWidget(card(words, "ok", self.word("imported_study")))

    def _forget(self) -> None:
        self._result = None
        self._boxes = []
        clear(self._found)
        if self._temporary is not None:
            self._temporary.cleanup()
            self._temporary = None
        self._late.start()
