"""Beside a film: its eight points, film beside CT, the leg standing as typed, and where the deformity is."""

from __future__ import annotations

from typing import Final

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QButtonGroup, QCheckBox, QHBoxLayout, QVBoxLayout, QWidget

from surgiplan_desktop.app.describe_film_measures import difference_words, turned_words
from surgiplan_desktop.gui.study_pages.film_points import FilmPoints
from surgiplan_desktop.gui.viewports.stage import Stage
from surgiplan_desktop.gui.widgets.deformity_bar import DeformityBar
from surgiplan_desktop.gui.widgets.findings import FindingList
from surgiplan_desktop.gui.widgets.layout import Table, button, group, label
from surgiplan_desktop.gui.widgets.standing_fields import StandingFields
from surgiplan_desktop.gui.words import short_words, value_words
from surgiplan_desktop.model.anatomy import Side
from surgiplan_desktop.model.edits import mirror_film
from surgiplan_desktop.model.study import FILM_POINTS
from surgiplan_desktop.planning.film_comparison import BONE_MEASURES, FilmRow
from surgiplan_desktop.planning.limits import default_limits

#: Rows of the table and their names, which leave room for three columns of values.
_ROWS: Final = (
    ("hka_deviation", "HKA"), ("mldfa", "mLDFA"), ("mpta", "MPTA"), ("jlca", "JLCA"), ("wbl", "WBL"), ("mad", "MAD"),
    ("tibia_length", ""), ("leg_length", ""),
)  # fmt: skip


class FilmResults(QWidget):
    """Follows the points of a :class:`FilmPoints`."""

    #: Another leg of the film shall be worked on (Side).
    side_wanted = Signal(object)

    def __init__(self, stage: Stage, points: FilmPoints) -> None:
        super().__init__()
        self._stage, self._bridge, self._points = stage, stage.bridge, points
        word = self._bridge.word
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.setSpacing(8)
        self._build_sides(outer)
        placed = group(outer, word("film_points"))
        self._say = label("", "", "film_next_point")
        placed.addWidget(self._say)
        row = QHBoxLayout()
        self._place = button(word("film_place"), "film_place", self._toggle, checkable=True, tip=word("film_place_tip"))
        self._remove = button(word("film_remove_point"), "film_remove_point", points.remove, tip=word("film_remove_point_tip"))
        row.addWidget(self._place)
        row.addWidget(self._remove)
        placed.addLayout(row)
        self._list = Table("film_points", ("", ""), (0, 92), selectable=True)
        self._list.itemSelectionChanged.connect(self._choose)
        placed.addWidget(self._list)
        beside = group(outer, word("film_beside_ct"))
        heads = ("", word("film_column"), word("ct_column"), word("difference_column"))
        self._table = Table("film_measures", heads, (54, 98, 98, 0))
        beside.addWidget(self._table)
        self._turned = label("", "small", "film_turned")
        beside.addWidget(self._turned)
        self._findings = FindingList(self._bridge, "film_comparison_findings")
        beside.addWidget(self._findings)
        standing = group(outer, word("film_standing"))
        self._standing = StandingFields(stage, "film_")
        standing.addWidget(self._standing)
        self._deformity = DeformityBar(stage, "film_deformity", bent=False)
        outer.addWidget(self._deformity)
        points.changed.connect(self.refresh)
        stage.theme_changed.connect(self.refresh)  # the cells of the tables bear colours of their own

    def _build_sides(self, outer: QVBoxLayout) -> None:
        row, legs = QHBoxLayout(), QButtonGroup(self)
        self._sides = {}
        for side in Side:
            made = button(
                self._bridge.word(f"film_leg_{side}"),
                f"film_leg_{side}",
                lambda side=side: self.side_wanted.emit(side),
                checkable=True,
            )
            legs.addButton(made)
            row.addWidget(made)
            self._sides[side] = made
        outer.addLayout(row)
        self._mirrored = QCheckBox(self._bridge.word("film_mirrored"))
        self._mirrored.setObjectName("film_mirrored")
        self._mirrored.setToolTip(self._bridge.word("film_mirrored_tip"))
        self._mirrored.toggled.connect(self._mirror)
        outer.addWidget(self._mirrored)

    # Acts ------------------------------------------------------------------------------------------------------------------

    def _toggle(self) -> None:
        if self._points.placing is None:
            self._points.start()
        else:
            self._points.stop()

    def _mirror(self, mirrored: bool) -> None:
        film = self._points.film
        if film is not None and film.mirrored != mirrored:
            self._bridge.apply("edit_mirror_film", lambda case: mirror_film(case, film.id, mirrored=mirrored))

    def _choose(self) -> None:
        row, leg = self._list.currentRow(), self._points.leg
        if leg is None or not 0 <= row < len(FILM_POINTS):
            return
        name = FILM_POINTS[row]
        if leg.point(name) is None:
            self._points.start(name)
        elif self._points.chosen != name:
            self._points.chosen = name
            self._points.changed.emit()

    # Showing ---------------------------------------------------------------------------------------------------------------

    def refresh(self) -> None:
        """Show points and measures as they are now."""
        film, leg = self._points.film, self._points.leg
        if film is None or leg is None:
            return
        word, theme = self._bridge.word, self._stage.theme
        for side, made in self._sides.items():
            made.setChecked(side == leg.side)
        self._mirrored.blockSignals(True)
        self._mirrored.setChecked(film.mirrored)
        self._mirrored.blockSignals(False)
        placing, missing = self._points.placing, self._points.next_missing()
        self._place.setChecked(placing is not None)
        self._place.setEnabled(placing is not None or missing is not None)
        self._remove.setEnabled(bool(self._points.chosen))
        named = placing or missing
        if named is None:
            self._say.setText(word("film_all_placed"))
        else:
            key = "film_now" if placing else "film_next"
            self._say.setText(word(key, point=word(f"film_point_{named}"), where=word(f"film_define_{named}")))
        rows = []
        for name in FILM_POINTS:
            there = leg.point(name) is not None
            state = word("film_point_placed" if there else "film_point_now" if name == placing else "film_point_open")
            colour = theme.colour("ok" if there else "accent" if name == placing else "text/secondary")
            tip = word(f"film_define_{name}")
            rows.append(((word(f"film_point_{name}"), None, tip), (state, colour, tip)))
        self._list.fill(rows)
        self._list.setVisible(named is not None)
        self._show_measures()
        self._standing.show_intake(self._bridge.case.intake)
        self._deformity.refresh(leg.side)

    def _show_measures(self) -> None:
        comparison = self._points.comparison()
        rows = {} if comparison is None else {row.id: row for row in comparison.rows}
        self._table.fill([self._row(rows[name], short) for name, short in _ROWS if name in rows], right=(1, 2, 3))
        self._table.setVisible(bool(rows))
        turned = None if comparison is None else comparison.turned_deg
        words = "" if turned is None else turned_words(turned, self._bridge.texts)
        self._turned.setText(words[:1].upper() + words[1:] if comparison is not None else self._bridge.word("film_no_points"))
        self._turned.setVisible(bool(self._turned.text()))
        self._findings.show_findings([] if comparison is None else list(comparison.findings))

    def _row(self, row: FilmRow, short: str) -> tuple[tuple[str, object, str], ...]:
        bridge, theme = self._bridge, self._stage.theme
        title, definition = bridge.texts.measure(row.id)
        limit = default_limits()["film.bone_mismatch_deg"]
        wrong = row.id in BONE_MEASURES and row.difference is not None and abs(row.difference) > limit
        why = "" if row.reason is None else bridge.texts.finding(row.reason)
        film, ct = (value_words(bridge, row.id, value, row.unit) for value in (row.film, row.ct))
        sd = "" if row.film_sd is None else bridge.word("film_reading_sd", sd=f"{row.film_sd:.1f} {row.unit}")
        difference = difference_words(row, bridge.texts)
        return (
            (short or bridge.word(f"film_row_{row.id}"), theme.colour("text/secondary"), f"{title}\n{definition}"),
            (short_words(bridge, film), None, "\n".join(part for part in (film, sd, why) if part)),
            (short_words(bridge, ct), None, ct),
            (_brief(difference), theme.colour("fail" if wrong else "text/primary"), difference),
        )


def _brief(words: str) -> str:
    """Return the same in the room of a column: ``0.1° var``, ``+1.2 mm``; the whole stands in the tip."""
    for long, sign in ((" more open lat.", "+"), (" less open lat.", "-"), (" more", "+"), (" less", "-")):
        if words.endswith(long):
            return sign + words.removesuffix(long)
    return words.replace(" more valgus", " val").replace(" more varus", " var")
