"""Where is the deformity: the bars of practice.md 3 and the centres of rotation of angulation, in a panel."""

from __future__ import annotations

from surgiplan_desktop.app.draw_deformity import deformity_drawing
from surgiplan_desktop.gui.viewports.stage import Stage
from surgiplan_desktop.gui.widgets.drawing import DrawingView
from surgiplan_desktop.model.anatomy import Side
from surgiplan_desktop.planning.film_graph import deformity_key
from surgiplan_desktop.planning.graph import cora_key


class DeformityBar(DrawingView):
    """Hidden where nothing is known of the leg; ``bent`` shows where the bones of the CT are bent as well."""

    def __init__(self, stage: Stage, name: str = "deformity_bar", *, bent: bool = True) -> None:
        super().__init__(stage, name)
        self._bent = bent
        self._shown: object = None

    def refresh(self, side: Side | None = None) -> None:
        """Show a leg as the results have it now; the side worked on where none is named."""
        bridge = self._stage.bridge
        side = side or bridge.side
        found = () if side is None else bridge.value(deformity_key(side)) or ()
        cora = (bridge.value(cora_key(side)) or ()) if side is not None and self._bent else ()
        if (side, found, cora) == self._shown:
            return
        self._shown = (side, found, cora)
        if side is None:
            self.show_drawing(lambda _wide: None)
        else:
            self.show_drawing(lambda wide: deformity_drawing(side, found, bridge.texts, wide, cora))
