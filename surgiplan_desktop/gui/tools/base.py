"""What a tool is: handles that views draw and drag, and clicks that it takes. One tool is active at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from surgiplan_desktop.base.arrays import FloatArray
from surgiplan_desktop.model.anatomy import BoneId

#: A handle is grabbed within this distance of the pointer (px at 100 %): targets of 12 px and more.
GRAB_PX = 9.0


@dataclass(frozen=True, slots=True, eq=False)
class Handle:
    """Something to grab in the views.

    Attributes
    ----------
    id
        Its name for the tool.
    point_lps
        Where it is, mm.
    role
        Colour role.
    text
        Its name in words, shown on hover.
    value
        Live value with its word, shown beside the pointer while it is dragged.
    shape
        How it is drawn.
    everywhere
        Drawn on slices however far it is from them (else within 3 mm).
    on_bone
        Bone on whose surface it stays while it is dragged (Alt frees it); None: it goes where the pointer goes.
    """

    id: str
    point_lps: FloatArray
    role: str
    text: str
    value: str = ""
    shape: Literal["ball", "ring", "diamond"] = "ball"
    everywhere: bool = False
    on_bone: BoneId | None = None


class Tool:
    """The pointer: nothing to grab. Other tools override what they need."""

    #: Text id under ``[ui]`` that says what a click does now, or empty for the plain pointer.
    mode = ""

    def handles(self) -> tuple[Handle, ...]:
        """Return the handles as they stand."""
        return ()

    def press(self, handle: str) -> None:
        """Begin to drag a handle."""

    def drag(self, handle: str, point_lps: FloatArray) -> None:
        """Move the handle to a point, mm."""

    def release(self, handle: str) -> None:
        """End the drag: one step of the history."""

    @property
    def places_on(self) -> BoneId | None:
        """Bone on whose surface the next click places something, or None: where the click is."""
        return None

    def click(self, point_lps: FloatArray) -> bool:
        """Take a click on a view at a point, mm. Return True when the tool used it."""
        return False

    def cancel(self) -> None:
        """Leave every mode, back to the pointer."""
