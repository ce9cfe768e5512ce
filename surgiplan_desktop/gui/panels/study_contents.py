"""What the case holds of images: blocks of the scan with the light of their quality, bones from meshes, films and scouts."""

from __future__ import annotations

from PySide6.QtWidgets import QVBoxLayout, QWidget

from surgiplan_desktop.gui.bridge import Bridge
from surgiplan_desktop.gui.widgets.findings import FindingList, card
from surgiplan_desktop.gui.widgets.layout import clear, group
from surgiplan_desktop.model.case import Case
from surgiplan_desktop.model.study import VolumeBlock


class StudyContents(QWidget):
    """Hidden while the case holds nothing."""

    def __init__(self, bridge: Bridge) -> None:
        super().__init__()
        self._bridge = bridge
        self._shown: tuple[object, ...] = ()
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.setSpacing(6)
        self._held = QVBoxLayout()
        self._held.setSpacing(6)
        outer.addLayout(self._held)
        self._findings = FindingList(bridge, "study_findings")
        outer.addWidget(self._findings)

    def show_case(self, case: Case) -> None:
        """Show what is in the case now."""
        # the side against the request stands in the card above, as it is now and not as it was at the import
        blocks = () if case.study is None else case.study.blocks
        self._findings.show_findings([f for block in blocks for f in block.origin.findings if f.code != "side_conflict"])
        shown = (case.study, case.imported_bones)
        if shown == self._shown:
            return
        self._shown = shown
        clear(self._held)
        if case.study is None and not case.imported_bones:
            return
        word = self._bridge.word
        inner = group(self._held, word("group_study"))
        if case.imported_bones:
            rows = [f"{word(item.bone.bone)}: {item.file_name}" for item in case.imported_bones]
            inner.addWidget(card("\n".join(rows), "ok", word("imported_meshes")))
        for block in blocks:
            inner.addWidget(card(self._block_words(block), "ok", word("imported_study")))

    def _block_words(self, block: VolumeBlock) -> str:
        spacing = [sum(row[column] ** 2 for row in block.affine[:3]) ** 0.5 for column in range(3)]
        return self._bridge.word(
            "block_line",
            name=block.origin.description or self._bridge.word("no_description"),
            slices=block.shape[0],
            columns=block.shape[2],
            rows=block.shape[1],
            spacing=" x ".join(f"{value:.2g}" for value in reversed(spacing)),
        )
