"""Approve & export: what stands in the way, where the files go, what was written."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QUrl
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QCheckBox, QFileDialog, QHBoxLayout, QLineEdit, QVBoxLayout

from surgiplan_desktop.app.export_plan import export, is_mesh_only
from surgiplan_desktop.app.make_report import write_report
from surgiplan_desktop.app.session import Session
from surgiplan_desktop.base.errors import UsageError
from surgiplan_desktop.base.progress import SILENT, PartOfProgress, Progress
from surgiplan_desktop.gui.dialogs.ask import AskReplace
from surgiplan_desktop.gui.panels.base import Panel
from surgiplan_desktop.gui.steps import guide_of, osteotomy_of
from surgiplan_desktop.gui.widgets.findings import card
from surgiplan_desktop.gui.widgets.layout import button, clear, group, label
from surgiplan_desktop.planning.graph import guide_key
from surgiplan_desktop.planning.records import Guide


def export_all(
    session: Session,
    folder: Path,
    everything: bool,
    report: bool,
    force: bool,
    mesh_only_acknowledged: bool,
    *,
    progress: Progress = SILENT,
) -> list[Path]:
    """Write the guide (or all parts) as STL with sidecars, and the report, into a folder; return the files.

    Raises
    ------
    UsageError
        ``output_not_writable``, and those of :func:`export` and :func:`write_report`.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError("output_not_writable", file=folder, reason=error.strerror or str(error)) from error
    share = 0.6 if report else 1.0
    what = "all" if everything else "guide"
    part = PartOfProgress(progress, 0.0, share)
    files = list(export(session, what, "stl", folder, force=force, mesh_only_acknowledged=mesh_only_acknowledged, progress=part))
    if report:
        path = folder / "report.pdf"
        write_report(session, path, force=force, progress=PartOfProgress(progress, share, 1.0))
        files.append(path)
    return files


def _holds_export(folder: Path) -> bool:
    """Tell whether files of an export would be replaced; a folder that cannot be looked into is refused by the export itself."""
    try:
        return (folder.is_dir() and any(folder.glob("*.stl"))) or (folder / "report.pdf").exists()
    except OSError:
        return False


class ApprovePanel(Panel):
    """See the module's text."""

    step = "approve"

    def build(self) -> None:
        self._written: list[Path] = []
        self._folder_for = ""
        state = group(self.content, self.word("group_state"))
        state.addWidget(card(self.word("draft_words"), "warn", self.word("draft")))
        self._checks = QVBoxLayout()
        state.addLayout(self._checks)
        what = group(self.content, self.word("group_files"))
        self._all = QCheckBox(self.word("export_all"))
        self._all.setObjectName("export_all")
        self._all.setToolTip(self.word("export_all_tip"))
        self._report = QCheckBox(self.word("export_report"))
        self._report.setObjectName("export_report")
        self._report.setChecked(True)
        guide = QCheckBox(self.word("export_guide"))
        guide.setObjectName("export_guide")
        guide.setChecked(True)
        guide.setEnabled(False)
        self._mesh_only = QCheckBox(self.word("mesh_only_seen"))
        self._mesh_only.setObjectName("mesh_only_seen")
        self._mesh_only.setToolTip(self.word("mesh_only_tip"))
        for box in (guide, self._all, self._report, self._mesh_only):
            what.addWidget(box)
        what.addWidget(label(self.word("to_folder"), "secondary"))
        row = QHBoxLayout()
        self._folder = QLineEdit()
        self._folder.setObjectName("export_folder")
        self._folder.setAccessibleName(self.word("to_folder"))
        row.addWidget(self._folder, 1)
        row.addWidget(button("…", "choose_folder", self._choose, tip=self.word("choose_folder")))
        what.addLayout(row)
        self._files = QVBoxLayout()
        self.content.addLayout(self._files)
        later = group(self.content, self.word("group_later"))
        later.addWidget(label(self.word("approve_later"), "small"))

    def act(self) -> None:
        folder = Path(self._folder.text()).expanduser()
        force = False
        if _holds_export(folder):
            question = AskReplace(self.bridge, self.word("replace_text", folder=str(folder)), self.window())
            if not question.exec():
                return
            force = True
        self.work(
            "exporting",
            export_all,
            self.bridge.session,
            folder,
            self._all.isChecked(),
            self._report.isChecked(),
            force,
            self._mesh_only.isChecked(),
            on_value=self._done,
        )

    def _done(self, files: list[Path]) -> None:
        self._written = files
        self.bridge.tell("exported", count=len(files), folder=self._folder.text())
        self.refresh()

    def _choose(self) -> None:
        chosen = QFileDialog.getExistingDirectory(self.window(), self.word("choose_folder"), self._folder.text())
        if chosen:
            self._folder.setText(chosen)

    def refresh(self) -> None:
        case = self.bridge.case
        if case.code and self._folder_for != case.code:
            self._folder_for = case.code
            self._folder.setText(f"~/SurgiPlan/{case.code}")
        step = guide_of(self.bridge)
        guide = None if step is None else self.bridge.value(guide_key(step.id))
        ready = step is not None and self.bridge.ready(guide_key(step.id))
        self._mesh_only.setVisible(is_mesh_only(case))
        self._show_checks(guide if isinstance(guide, Guide) and ready else None)
        self._show_files()
        reason = ""
        if osteotomy_of(self.bridge) is None:
            reason = self.word("needs_plan")
        elif not ready:
            reason = self.word("needs_guide")
        self.say_next(self.word("working" if self.busy else "export_now"), enabled=not reason and not self.busy, reason=reason)

    def _show_checks(self, guide: Guide | None) -> None:
        clear(self._checks)
        if guide is None:
            return
        failed = [check for check in guide.checks if check.status == "fail"]
        warned = [check for check in guide.checks if check.status == "warn"]
        passed = len(guide.checks) - len(failed) - len(warned)
        tone = "fail" if failed else "warn" if warned else "ok"
        words = self.word("checks_sum", passed=passed, warned=len(warned), failed=len(failed))
        self._checks.addWidget(card(words, tone, self.word("group_checks")))

    def _show_files(self) -> None:
        clear(self._files)
        if not self._written:
            return
        inner = group(self._files, self.word("group_written"))
        for path in self._written:
            name = label(path.name.replace("_", "_\u200b"), "small")
            name.setToolTip(str(path))
            inner.addWidget(name)
        folder = self._written[0].parent
        show = button(self.word("show_folder"), "show_folder", lambda: QDesktopServices.openUrl(QUrl.fromLocalFile(str(folder))))
        inner.addWidget(show)

    def renew(self) -> None:
        self._written = []
        self._folder_for = ""
        self._mesh_only.setChecked(False)
        super().renew()
