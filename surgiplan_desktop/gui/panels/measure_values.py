"""The measures in the panel: values with word and uncertainty, comparison, the definition of the chosen one, copies."""

from __future__ import annotations

from typing import Final

from PySide6.QtWidgets import QHBoxLayout, QPushButton, QTableWidgetItem, QVBoxLayout, QWidget

from surgiplan_desktop.app.compare_legs import MeasuredLeg, comparison_keys, measured_leg, possible_comparisons
from surgiplan_desktop.app.session import Session
from surgiplan_desktop.derive.node import Key
from surgiplan_desktop.gui.bridge import Bridge
from surgiplan_desktop.gui.panels.measure_copy import CopyRow
from surgiplan_desktop.gui.panels.measure_rows import measure_row, measures_of, spread_lines
from surgiplan_desktop.gui.viewports.stage import Stage
from surgiplan_desktop.gui.widgets.findings import card
from surgiplan_desktop.gui.widgets.layout import Table, button, clear, label
from surgiplan_desktop.gui.words import measure_tip, missing_reasons
from surgiplan_desktop.planning.graph import measure_spread_key, measures_key
from surgiplan_desktop.planning.records import Measure, Measures, MeasureSpread, MeasureSpreads

#: Shown first, in this order: what the correction is decided by.
FIRST: Final = ("hka_deviation", "mldfa", "mpta", "jlca", "mad", "wbl", "slope_medial", "slope_lateral")
COMPARISONS: Final = ("other", "after", "auto")
#: Widths of value and mark, and of two values side by side (px).
_ALONE, _BESIDE = (136, 42), (98, 98)


class MeasureValues(QWidget):
    """Reads the stage's choice of measure and comparison, and changes it by clicks."""

    def __init__(self, bridge: Bridge, stage: Stage) -> None:
        super().__init__()
        self._bridge = bridge
        self._stage = stage
        self._names: dict[Table, list[str]] = {}
        self._card: tuple[str, ...] = ()
        self._measures: Measures | None = None
        self._wanted: tuple[Session, Key] | None = None
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(6)
        row = QHBoxLayout()
        row.setSpacing(4)
        self._compare: dict[str, QPushButton] = {}
        for kind in COMPARISONS:
            words, tip = bridge.word(f"compare_{kind}"), bridge.word(f"compare_{kind}_tip")
            made = button(words, f"compare_{kind}", lambda kind=kind: self._compare_with(kind), tip=tip, checkable=True)
            self._compare[kind] = made
            row.addWidget(made, 1)
        layout.addLayout(row)
        self._heads = label("", "small", "measures_heads")
        layout.addWidget(self._heads)
        self._table = Table("measures", ("", "", ""), (0, *_ALONE), selectable=True)
        self._others = Table("other_measures", ("", "", ""), (0, *_ALONE), selectable=True)
        for table in (self._table, self._others):
            table.itemClicked.connect(lambda item, table=table: self._choose(table, item))
        layout.addWidget(self._table)
        self._definition = QVBoxLayout()
        layout.addLayout(self._definition)
        self._missing = label("", "small", "measures_missing")
        layout.addWidget(self._missing)
        self._more = button(bridge.word("more_measures"), "more_measures", lambda: None, checkable=True)
        self._others.hide()
        self._more.toggled.connect(self._show_more)
        layout.addWidget(self._more)
        layout.addWidget(self._others)
        layout.addWidget(CopyRow(bridge, stage, self.spreads))

    def spreads(self) -> dict[str, MeasureSpread]:
        """Return how sure each measure is, none while a point is being dragged or the draws are under way."""
        key = measure_spread_key(self._bridge.side) if self._bridge.side is not None else None
        value = self._bridge.value(key) if key is not None and self._bridge.ready(key) else None
        return dict(value.items) if isinstance(value, MeasureSpreads) else {}

    def show_measures(self, measures: Measures | None) -> None:
        """Show these measures, with what they are compared with beside them."""
        self._measures = measures
        if measures is None:
            for table in (self._table, self._others):
                table.fill([])
            return
        if self._bridge.ready(measures_key(measures.side)):  # how sure they are comes after them: it takes longer
            self._want_spread(measure_spread_key(measures.side))
        possible = possible_comparisons(self._bridge.session, measures.side)
        kind = self._stage.looking.compare
        for name, made in self._compare.items():
            made.setEnabled(name in possible or name == kind)
            made.setChecked(name == kind)
        compared = measured_leg(self._bridge.session, measures.side, kind) if kind else None  # type: ignore[arg-type]
        self._heads.setVisible(bool(kind))
        if kind:
            self._heads.setText(self._bridge.word("computing" if compared is None else f"compare_{kind}_heads"))
        spreads = self.spreads()
        self._fill(self._table, measures_of(measures, FIRST), spreads, compared)
        if self._more.isChecked():
            others = [item for item in measures.items.values() if item.id not in FIRST]
            self._fill(self._others, others, spreads, compared)
        self._show_definition(measures, spreads)
        reasons = missing_reasons(self._bridge, measures, FIRST)
        self._missing.setText(self._bridge.word("not_measurable_because", reasons=" ".join(reasons)) if reasons else "")
        self._missing.setVisible(bool(reasons))

    def _want_spread(self, key: Key) -> None:
        wanted = (self._bridge.session, key)
        if self._wanted != wanted:
            self._wanted = wanted
            self._bridge.session.want({key} & self._bridge.session.keys, "spread")

    def _fill(self, table: Table, items: list[Measure], spreads: dict[str, MeasureSpread], compared: MeasuredLeg | None) -> None:
        for column, wide in zip((1, 2), _BESIDE if compared else _ALONE, strict=True):
            table.setColumnWidth(column, wide)
        theme = self._stage.theme
        names = self._names[table] = [item.id for item in items]
        rows = [measure_row(self._bridge, theme, item, spreads.get(item.id), compared) for item in items]
        table.fill(rows, right=(1, 2) if compared else (1,))
        chosen = self._stage.looking.measure
        table.blockSignals(True)
        if chosen in names:
            table.selectRow(names.index(chosen))
        else:
            table.clearSelection()
        table.blockSignals(False)

    def _show_more(self, shown: bool) -> None:
        self._others.setVisible(shown)
        self.show_measures(self._measures)

    def _show_definition(self, measures: Measures, spreads: dict[str, MeasureSpread]) -> None:
        """Show the card of the chosen measure: definition, plane, usual range, source, version, uncertainty."""
        chosen = self._stage.looking.measure
        item = measures.items.get(chosen)
        words: tuple[str, ...] = ()
        if item is not None:
            version = self._bridge.word("definition_version", version=item.version)
            words = (
                *measure_tip(self._bridge, item).split("\n"),
                version,
                *spread_lines(self._bridge, item, spreads.get(chosen)),
            )
        if words != self._card:
            self._card = words
            clear(self._definition)
            if words:
                self._definition.addWidget(card("\n".join(words[1:]), "", words[0]))

    def _compare_with(self, kind: str) -> None:
        wanted = "" if self._stage.looking.compare == kind else kind
        side, session = self._bridge.side, self._bridge.session
        session.want(comparison_keys(session, side, wanted) if side is not None else set(), "compare")
        self._stage.look_for(compare=wanted)

    def _choose(self, table: Table, item: QTableWidgetItem) -> None:
        name = self._names.get(table, [])[item.row()]
        self._stage.look_for(measure="" if self._stage.looking.measure == name else name)
