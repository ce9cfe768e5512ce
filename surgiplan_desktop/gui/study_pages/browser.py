"""The study browser: every series that a scan found, grouped by what belongs together, and every file that was left aside."""

from __future__ import annotations

from collections import deque
from typing import Final

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from surgiplan_desktop.app.study_page import SeriesRow, StudyPage
from surgiplan_desktop.gui.study_pages.body_bar import BodyBar
from surgiplan_desktop.gui.study_pages.file_names import FileNames
from surgiplan_desktop.gui.study_pages.picture_loader import PictureLoader
from surgiplan_desktop.gui.study_pages.series_card import SeriesCard
from surgiplan_desktop.gui.viewports.stage import Stage
from surgiplan_desktop.gui.widgets.findings import card
from surgiplan_desktop.gui.widgets.layout import button, clear, label, scroller
from surgiplan_desktop.imaging.thumbnail import Thumbnail

#: Cards made at once; the others follow while the window answers.
_CARDS_AT_ONCE: Final = 6


class StudyBrowser(QWidget):
    """A page of the view area. ``page`` is what it shows, None when it is empty."""

    #: What is ticked or agreed to changed.
    changed = Signal()
    #: The user is done with it.
    closed = Signal()
    #: A radiograph shall be looked at (Path).
    film_wanted = Signal(object)

    def __init__(self, stage: Stage) -> None:
        super().__init__()
        self.setObjectName("study_browser")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._stage = stage
        self._bridge = stage.bridge
        self.page: StudyPage | None = None
        self.cards: list[SeriesCard] = []
        self._bars: list[BodyBar] = []
        self._waiting: deque[tuple[SeriesRow, ...]] = deque()  # groups, the first of them perhaps begun
        self._column: QVBoxLayout | None = None
        self._pictures: dict[str, Thumbnail | None] = {}
        self._loader = PictureLoader(self._bridge)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.setSpacing(0)
        head = QHBoxLayout()
        head.setContentsMargins(16, 12, 12, 8)
        words = QVBoxLayout()
        self._title = label("", "title", "browser_title")
        self._counts = label("", "small", "browser_counts")
        words.addWidget(self._title)
        words.addWidget(self._counts)
        head.addLayout(words, 1)
        word = self._bridge.word
        close = button(word("browser_close"), "browser_close", self.closed.emit, tip=word("browser_close_tip"))
        head.addWidget(close, 0, Qt.AlignmentFlag.AlignTop)
        outer.addLayout(head)
        inside = QWidget()
        body = QVBoxLayout(inside)
        body.setContentsMargins(16, 4, 14, 16)
        self._content = QVBoxLayout()
        self._content.setSpacing(10)
        body.addLayout(self._content)
        body.addStretch(1)
        outer.addWidget(scroller(inside), 1)
        self._more = QTimer(self)
        self._more.setSingleShot(True)
        self._more.setInterval(0)
        self._more.timeout.connect(self._add_cards)

    @property
    def ticked(self) -> tuple[SeriesRow, ...]:
        """Series to be imported."""
        return tuple(made.row for made in self.cards if made.ticked)

    @property
    def agreed(self) -> bool:
        """Whether every series to be imported that needs a repair was agreed to."""
        return any(made.ticked and made.agreed for made in self.cards)

    def show_page(self, page: StudyPage) -> None:
        """Show the result of a scan."""
        self.forget()
        self.page = page
        word, rows = self._bridge.word, page.rows
        self._title.setText(word("browser_title", name=page.result.path.name or str(page.result.path)))
        self._title.setToolTip(str(page.result.path))
        usable = sum(row.verdict == "ok" for row in rows)
        self._counts.setText(word("browser_counts", files=page.result.files, series=len(rows), usable=usable))
        if page.trouble:
            self._content.addWidget(card(page.trouble, "warn", word("nothing_proposed")))
        self._waiting = deque(page.groups)
        self._column = None
        self._add_cards()

    def forget(self) -> None:
        """Show nothing, and drop the pictures under way."""
        self.page = None
        self._more.stop()
        self._waiting.clear()
        self._loader.stop()
        self._pictures = {}
        self.cards, self._bars = [], []
        clear(self._content)

    def load_pictures(self) -> None:
        """Fetch the small pictures, once the side was said (practice.md 13: the request comes before any image)."""
        if self.page is None or self._waiting:
            return
        wanted = self._bridge.case.intake.side is not None
        missing = [made.row.series for made in self.cards if made.row.uid not in self._pictures]
        for made in self.cards:
            if made.row.uid not in self._pictures:
                made.picture.say(self._bridge.word("picture_comes" if wanted else "picture_later"))
        if wanted and missing and not self._loader.busy:
            self._loader.load(self.page.result, missing, self._put_picture)

    def _put_picture(self, uid: str, thumbnail: Thumbnail | None) -> None:
        self._pictures[uid] = thumbnail
        for made in self.cards:
            if made.row.uid == uid:
                if thumbnail is None:
                    made.picture.say(self._bridge.word("picture_none"))
                else:
                    made.picture.show_picture(thumbnail)

    def _add_cards(self) -> None:
        room = _CARDS_AT_ONCE
        while self._waiting and room:
            rows = self._waiting.popleft()
            if self._column is None:
                self._column = self._add_group(rows)
            for row in rows[:room]:
                self._add_card(row, self._column)
            left, room = rows[room:], max(room - len(rows), 0)
            if left:
                self._waiting.appendleft(left)
            else:
                self._column = None
        if self._waiting:
            self._more.start()
        else:
            self._add_left_aside()
            self.load_pictures()
        self._show_ticked()
        self.changed.emit()

    def _add_card(self, row: SeriesRow, column: QVBoxLayout) -> None:
        made = SeriesCard(self._stage, row, len(self.cards))
        made.changed.connect(lambda: self._on_card(made))
        made.film_wanted.connect(self.film_wanted)
        self.cards.append(made)
        column.addWidget(made)

    def _add_group(self, rows: tuple[SeriesRow, ...]) -> QVBoxLayout:
        """Add the heading and the bar of a group; return the column for its cards."""
        word = self._bridge.word
        usable = [row for row in rows if row.spans_mm and row.verdict != "refused"]
        heading = word("group_single" if any(row.spans_mm for row in rows) else "group_unplaced")
        if len(rows) > 1:
            heading = word("group_linked", count=len(rows), usable=len(usable))
        patients = () if self.page is None else self.page.patients
        if len(patients) > 1:
            heading = word("group_patient", number=patients.index(rows[0].series.first.patient) + 1) + " · " + heading
        self._content.addWidget(label(heading, "group"))
        line = QHBoxLayout()
        line.setSpacing(8)
        if usable:
            bar = BodyBar(self._stage, usable, f"body_bar_{len(self._bars)}")
            self._bars.append(bar)
            line.addWidget(bar)
        column = QVBoxLayout()
        column.setSpacing(8)
        column.setAlignment(Qt.AlignmentFlag.AlignTop)
        line.addLayout(column, 1)
        self._content.addLayout(line)
        return column

    def _add_left_aside(self) -> None:
        if self.page is None or not self.page.left_aside:
            return
        word = self._bridge.word
        self._content.addWidget(label(word("aside_title").upper(), "group"))
        for number, (reason, names) in enumerate(self.page.left_aside):
            heading = word("aside_reason", count=len(names), reason=reason)
            self._content.addWidget(FileNames(self._bridge, heading, names, f"aside_{number}"))

    def _on_card(self, changed: SeriesCard) -> None:
        """Series of another patient, study or frame of reference are never ticked together."""
        if changed.ticked:
            first = changed.row.series
            for other in self.cards:
                theirs = other.row.series
                apart = (theirs.identity, theirs.frame) != (first.identity, first.frame)
                if other is not changed and other.ticked and apart:
                    other.box.setChecked(False)
        self._show_ticked()
        self.changed.emit()

    def _show_ticked(self) -> None:
        ticked = frozenset(row.uid for row in self.ticked)
        for bar in self._bars:
            bar.set_ticked(ticked)
