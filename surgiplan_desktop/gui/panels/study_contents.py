"""What the case holds of images: blocks of the scan with the light of their quality, bones from meshes, films and scouts."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QVBoxLayout, QWidget

from surgiplan_desktop.app.describe_quality import quality_reasons, quality_title
from surgiplan_desktop.gui.steps import scan_quality
from surgiplan_desktop.gui.study_pages.verdict_light import VerdictLight
from surgiplan_desktop.gui.viewports.stage import Stage
from surgiplan_desktop.gui.widgets.findings import FindingList, card
from surgiplan_desktop.gui.widgets.layout import button, clear, group, label
from surgiplan_desktop.model.case import Case
from surgiplan_desktop.model.study import VolumeBlock


class StudyContents(QWidget):
    """Hidden while the case holds nothing."""

    #: A film (its id) or scout (its number) shall be looked at.
    film_wanted = Signal(object)

    def __init__(self, stage: Stage) -> None:
        super().__init__()
        self._stage = stage
        self._bridge = stage.bridge
        self._shown: tuple[object, ...] = ()
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.setSpacing(6)
        self._films = QVBoxLayout()
        self._films.setSpacing(6)
        outer.addLayout(self._films)
        self._quality = QVBoxLayout()
        self._quality.setSpacing(6)
        self._told: object = None
        outer.addLayout(self._quality)
        self._held = QVBoxLayout()
        self._held.setSpacing(6)
        outer.addLayout(self._held)
        self._findings = FindingList(self._bridge, "study_findings")
        outer.addWidget(self._findings)

    def show_case(self, case: Case) -> None:
        """Show what is in the case now."""
        self._show_quality()
        # the side against the request stands in the card above, as it is now and not as it was at the import
        blocks = () if case.study is None else case.study.blocks
        self._findings.show_findings([f for block in blocks for f in block.origin.findings if f.code != "side_conflict"])
        shown = (case.study, case.imported_bones, case.films)
        if shown == self._shown:
            return
        self._shown = shown
        clear(self._held)
        self._show_films(case)
        if case.study is None and not case.imported_bones:
            return
        word = self._bridge.word
        inner = group(self._held, word("group_study"))
        if case.imported_bones:
            rows = [f"{word(item.bone.bone)}: {item.file_name}" for item in case.imported_bones]
            inner.addWidget(card("\n".join(rows), "ok", word("imported_meshes")))
        for block in blocks:
            inner.addWidget(card(self._block_words(block), "ok", word("imported_study")))
        for number, scout in enumerate(() if case.study is None else case.study.scouts):
            words = scout.description or word("film_scout")
            inner.addWidget(button(words, f"show_scout_{number}", lambda key=number: self.film_wanted.emit(key)))

    def _show_films(self, case: Case) -> None:
        """Films stand first: what the scan's light says may be long."""
        clear(self._films)
        if not case.films:
            return
        word = self._bridge.word
        inner = group(self._films, word("group_films"))
        for film in case.films:
            side = word("side_not_asked") if film.side is None else word(f"side_{film.side}")
            words = word("film_name", side=side, taken=film.taken or word("film_no_date"))
            inner.addWidget(button(words, f"show_{film.id}", lambda key=film.id: self.film_wanted.emit(key)))

    def _show_quality(self) -> None:
        """Show the light of the scan with its reasons, worst first."""
        quality = scan_quality(self._bridge)
        if quality == self._told:
            return
        self._told = quality
        clear(self._quality)
        if quality is None:
            return
        texts = self._bridge.texts
        inner = group(self._quality, self._bridge.word("group_quality"))
        inner.addWidget(VerdictLight(self._stage, quality.light, quality_title(quality, texts), "scan_quality"))
        for number, (status, words) in enumerate(quality_reasons(quality, texts)):
            inner.addWidget(label(words[:1].upper() + words[1:], status, f"quality_reason_{number}"))
        if quality.reasons:
            inner.addWidget(label(self._bridge.word("quality_protocol"), "small"))

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
