"""How the bones are to be found: with which model or without one, why this is proposed, its licence and limits, the device."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtWidgets import QCheckBox, QVBoxLayout, QWidget

from surgiplan_desktop.app.jobs import Job
from surgiplan_desktop.app.propose_segmentation import Proposal, proposed_way
from surgiplan_desktop.app.run_segmentation import WITHOUT_AI
from surgiplan_desktop.app.segmentation_ways import Ways, licence_was_read, note_licence_read, offered_ways
from surgiplan_desktop.app.session import Session
from surgiplan_desktop.base.progress import SILENT, Progress
from surgiplan_desktop.gui.bridge import Bridge
from surgiplan_desktop.gui.widgets.fields import ChoiceField
from surgiplan_desktop.gui.widgets.findings import card
from surgiplan_desktop.gui.widgets.layout import button, clear, label
from surgiplan_desktop.segmentation.packs import ModelPack

#: Where a model may run, as the command line names it.
DEVICES = ("auto", "cpu", "cuda")
#: What the user is told of a pack before its first use, and what more on demand; fields of ModelPack.
_FIRST = ("licence", "limits")
_MORE = ("intended_use", "population", "training_data")


class WayChoice(QWidget):
    """See the module's text. ``changed()`` is called when another way, device or consent makes another act possible."""

    def __init__(self, bridge: Bridge, changed: Callable[[], object]) -> None:
        super().__init__()
        self._bridge = bridge
        self._changed = changed
        self._ways: Ways | None = None
        self._chosen: str | None = None  # None: as proposed
        self._proposal: Proposal | None = None
        self._job: Job | None = None
        self._asked_for: object = None
        self._shown: object = None
        word = bridge.word
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(6)
        self._way = ChoiceField("bones_way", word("way"), tip=word("way_tip"))
        self._way.chosen.connect(self._choose)
        self._reason = label("", "small", "way_reason")
        self._about = QVBoxLayout()
        self._about.setSpacing(4)
        self._read = QCheckBox(word("licence_read"))
        self._read.setObjectName("licence_read")
        self._read.toggled.connect(self._note_read)
        self._more = button(word("more_about_model"), "more_about_model", self._unfold, checkable=True)
        self._device = ChoiceField("bones_device", word("device"), tip=word("device_tip"))
        self._device.set_choices([(word(f"device_{name}"), name) for name in DEVICES])
        self._device.chosen.connect(lambda _name: self._changed())
        for widget in (self._way, self._reason):
            layout.addWidget(widget)
        layout.addLayout(self._about)
        for widget in (self._read, self._more, self._device):
            layout.addWidget(widget)

    @property
    def model(self) -> str | None:
        """The model chosen, ``WITHOUT_AI`` for none; None while the program still looks what to propose."""
        if self._chosen is not None or self._proposal is None:
            return self._chosen
        return self._proposal.model

    @property
    def device(self) -> str:
        """Where a model shall run."""
        return str(self._device.box.currentData())

    @property
    def pack(self) -> ModelPack | None:
        """The pack chosen, or None."""
        model = self.model
        return None if self._ways is None or model is None else self._ways.pack(model)

    @property
    def must_read(self) -> bool:
        """Whether licence and limits of the model chosen must be read first."""
        pack = self.pack
        return pack is not None and not licence_was_read(self._bridge.services.settings_folder, pack)

    def forget(self) -> None:
        """Another case is open: choose as proposed."""
        self._chosen = self._proposal = self._asked_for = None

    def refresh(self) -> None:
        """Show what can be chosen and what is proposed."""
        if self._ways is None:
            self._ways = offered_ways()
        self._ask()
        word = self._bridge.word
        proposed = None if self._proposal is None else self._proposal.model
        offered = [(pack.name, f"{pack.name} {pack.version}") for pack in self._ways.packs] + [(WITHOUT_AI, word("without_ai"))]
        self._way.set_choices([(title, name) for name, title in offered])
        model = self.model
        self._way.setVisible(model is not None)
        self._way.show_choice(model)
        why = word("way_asked")
        if self._proposal is not None:
            why = self._bridge.texts.text(self._proposal.reason, **dict(self._proposal.parameters))
        self._reason.setText(why if model == proposed else word("bones_method") if model == WITHOUT_AI else "")
        self._reason.setVisible(bool(self._reason.text()))
        self._show_pack()

    def _ask(self) -> None:
        """Ask which way the program proposes for this scan: once a scan, beside the window's work (packs are verified for it)."""
        study = self._bridge.case.study
        under_way = self._job is not None and self._job.state in ("queued", "running")
        if study is None or under_way or (self._asked_for is study and self._proposal is not None):
            return
        self._proposal, self._asked_for = None, study
        self._job = self._bridge.run_job("proposing_way", _propose, self._bridge.session, on_value=self._take)

    def _take(self, proposal: Proposal) -> None:
        self._proposal = proposal
        self._changed()

    def _show_pack(self) -> None:
        pack, must, unfolded = self.pack, self.must_read, self._more.isChecked()
        self._read.setVisible(must)
        self._more.setVisible(pack is not None)
        self._device.setVisible(pack is not None and unfolded)
        problems = () if self._ways is None else self._ways.problems
        key = (pack, must, unfolded)
        if key == self._shown:
            return
        self._shown = key
        clear(self._about)
        if pack is not None:
            names = (*(_FIRST if must or unfolded else _FIRST[:1]), *(_MORE if unfolded else ()))
            lines = "\n".join(f"{self._bridge.word(f'model_{name}')}: {getattr(pack, name)}" for name in names)
            about = card(lines, "warn" if must else "", self._bridge.word("licence_first") if must else "")
            about.setObjectName("about_model")
            self._about.addWidget(about)
        for problem in problems if unfolded or pack is None else ():
            self._about.addWidget(label(self._bridge.texts.error(problem)[0], "small"))

    def _choose(self, model: object) -> None:
        self._chosen = str(model)
        self._changed()

    def _unfold(self) -> None:
        self._changed()

    def _note_read(self, ticked: bool) -> None:
        pack = self.pack
        if ticked and pack is not None:
            self._bridge.attempt(lambda: note_licence_read(self._bridge.services.settings_folder, pack))
            self._read.blockSignals(True)
            self._read.setChecked(False)
            self._read.blockSignals(False)
            self._changed()


def _propose(session: Session, *, progress: Progress = SILENT) -> Proposal:
    progress.step(0.0, 1.0, "proposing_way")
    return proposed_way(session)
