"""One series as a card: picture, verdict, size, findings in words, files concerned, and the consent to a repair."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import QPoint, QRectF, Qt, Signal
from PySide6.QtGui import QImage, QPainter, QPaintEvent
from PySide6.QtWidgets import QCheckBox, QFrame, QHBoxLayout, QLabel, QSizePolicy, QVBoxLayout, QWidget

from surgiplan_desktop.app.study_page import SeriesRow
from surgiplan_desktop.gui.study_pages.file_names import FileNames
from surgiplan_desktop.gui.study_pages.verdict_light import VerdictLight
from surgiplan_desktop.gui.theme import SMALL, font
from surgiplan_desktop.gui.viewports.stage import Stage
from surgiplan_desktop.gui.widgets.layout import button, label, set_role
from surgiplan_desktop.imaging.thumbnail import Thumbnail

_PICTURE_PX: Final = 104
_TONES: Final = {"note": "secondary", "warn": "warn", "fail": "fail", "critical": "fail"}
_GLYPHS: Final = {"note": "·", "warn": "!", "fail": "✕", "critical": "✕"}


class SeriesCard(QFrame):
    """A series that can be ticked where it is usable, or repairable and the repair was agreed to."""

    #: Ticked, unticked, or a repair agreed to or refused.
    changed = Signal()
    #: A radiograph shall be looked at as a film (Path).
    film_wanted = Signal(object)

    def __init__(self, stage: Stage, row: SeriesRow, number: int) -> None:
        super().__init__()
        self.row = row
        self._stage = stage
        self._name = f"series_{number}"
        self.setObjectName(f"{self._name}_card")
        self.setProperty("role", "card")
        outer = QHBoxLayout(self)
        outer.setContentsMargins(10, 10, 10, 10)
        outer.setSpacing(12)
        self.picture = Picture(stage, f"{self._name}_picture")
        outer.addWidget(self.picture, 0, Qt.AlignmentFlag.AlignTop)
        self._words = QVBoxLayout()
        self._words.setSpacing(4)
        outer.addLayout(self._words, 1)
        self._consent: TickBox | None = None
        self._add_head()
        self._add_findings()
        self._add_repair()
        if row.film is not None:
            word = stage.bridge.word
            look = button(
                word("look_at_film"), f"{self._name}_film", lambda: self.film_wanted.emit(row.film), tip=word("film_tip")
            )
            self._words.addWidget(look, 0, Qt.AlignmentFlag.AlignLeft)
        self._words.addStretch(1)

    @property
    def ticked(self) -> bool:
        """Whether the series is to be imported."""
        return self.box.isChecked()

    @property
    def agreed(self) -> bool:
        """Whether the user agreed to the repair that the series needs."""
        return self._consent is not None and self._consent.isChecked()

    def _add_head(self) -> None:
        row, word = self.row, self._stage.bridge.word
        head = QHBoxLayout()
        head.setSpacing(10)
        self.box = TickBox(row.title.replace("&", "&&"))
        self.box.setObjectName(self._name)
        self.box.setFont(font(bold=True))
        self.box.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)  # a long name never widens the page
        self.box.setToolTip(f"{row.title}\n{row.uid}")
        self.box.setChecked(row.proposed and row.verdict == "ok")
        self.box.setEnabled(row.verdict == "ok")
        self.box.toggled.connect(lambda _on: self.changed.emit())
        head.addWidget(self.box, 1)
        light = VerdictLight(self._stage, row.verdict, word(f"verdict_{row.verdict}"), f"{self._name}_verdict")
        head.addWidget(light, 0, Qt.AlignmentFlag.AlignRight)
        self._words.addLayout(head)
        self._words.addWidget(label(row.facts, "small", f"{self._name}_facts"))
        if row.reason:
            tone = "ok" if row.series.proposed else "small"
            self._words.addWidget(label(row.reason, tone, f"{self._name}_reason"))

    def _add_findings(self) -> None:
        word = self._stage.bridge.word
        for number, finding in enumerate(self.row.findings):
            severity = "warn" if finding.severity == "fail" and self.row.verdict != "refused" else finding.severity
            words = f"{_GLYPHS[severity]}  {_sentence(finding.words)}"
            self._words.addWidget(label(words, _TONES[severity], f"{self._name}_finding_{number}"))
            if finding.files:
                heading = word("files_concerned", count=len(finding.files))
                names = FileNames(self._stage.bridge, heading, finding.files, f"{self._name}_files_{number}")
                self._words.addWidget(names)

    def _add_repair(self) -> None:
        row, word = self.row, self._stage.bridge.word
        for number, repair in enumerate(row.repairs):
            self._words.addWidget(label(word("repair_does", what=_sentence(repair.words)), "", f"{self._name}_repair_{number}"))
        if row.repairs:
            self._consent = TickBox(word("repair_consent"))
            self._consent.setObjectName(f"{self._name}_consent")
            self._consent.setToolTip(word("repair_consent_tip"))
            self._consent.toggled.connect(self._agree)
            self._words.addWidget(self._consent)
        if row.ask:
            name = "repair_or" if row.repairs else "ask_scanner"
            self._words.addWidget(label(word(name, what=row.ask), "small" if row.repairs else "", f"{self._name}_ask"))

    def _agree(self, agreed: bool) -> None:
        self.box.setEnabled(agreed)
        self.box.setChecked(agreed)
        self.changed.emit()


class TickBox(QCheckBox):
    """A box that is ticked by a click anywhere on its row."""

    def hitButton(self, at: QPoint) -> bool:
        return self.rect().contains(at)


class Picture(QWidget):
    """The small picture with the letters of its sides; a sentence while there is none."""

    def __init__(self, stage: Stage, name: str) -> None:
        super().__init__()
        self.setObjectName(name)
        self.setFixedSize(_PICTURE_PX, _PICTURE_PX)
        self._stage = stage
        self._image: QImage | None = None
        self._letters = ("", "", "", "")
        self._words = QLabel(self)
        self._words.setWordWrap(True)
        self._words.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._words.setGeometry(4, 4, _PICTURE_PX - 8, _PICTURE_PX - 8)
        set_role(self._words, "small")

    def show_picture(self, thumbnail: Thumbnail) -> None:
        """Show a picture."""
        high, wide = thumbnail.pixels.shape
        self._image = QImage(thumbnail.pixels.tobytes(), wide, high, wide, QImage.Format.Format_Grayscale8).copy()
        self._letters = thumbnail.letters
        self._words.hide()
        self.update()

    def say(self, words: str) -> None:
        """Say why there is no picture."""
        self._words.setText(words)

    def text(self) -> str:
        """Return the letters left, top, right, bottom, for tools that look from outside."""
        return "".join(self._letters) if self._image is not None else self._words.text()

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        theme = self._stage.theme
        if self._image is None:
            painter.fillRect(self.rect(), theme.colour("surface/1"))
            painter.end()
            return
        painter.fillRect(self.rect(), Qt.GlobalColor.black)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        scale = _PICTURE_PX / max(self._image.width(), self._image.height())
        wide, high = self._image.width() * scale, self._image.height() * scale
        box = QRectF((_PICTURE_PX - wide) / 2, (_PICTURE_PX - high) / 2, wide, high)
        painter.drawImage(box, self._image)
        painter.setFont(font(SMALL, bold=True))
        flags = Qt.AlignmentFlag
        edges = (
            flags.AlignLeft | flags.AlignVCenter, flags.AlignHCenter | flags.AlignTop,
            flags.AlignRight | flags.AlignVCenter, flags.AlignHCenter | flags.AlignBottom,
        )  # fmt: skip
        for letter, edge in zip(self._letters, edges, strict=True):
            for shift, colour in ((1, theme.on_image("view/halo")), (0, theme.on_image("text/primary"))):
                painter.setPen(colour)
                painter.drawText(self.rect().adjusted(3 + shift, 1 + shift, -3 + shift, -1 + shift), edge, letter)
        painter.end()


def _sentence(words: str) -> str:
    return words[:1].upper() + words[1:] + ("" if words.endswith(".") else ".")
