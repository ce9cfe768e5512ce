"""Keeps a renderer showing exactly the wanted items: adds, changes and removes actors, nothing else."""

from __future__ import annotations

from collections.abc import Mapping

from vtkmodules.vtkRenderingCore import vtkActor, vtkRenderer

from surgiplan_desktop.scene.items import Colours, Item, Surface, Tubes, dress_actor, make_actor


def _same_geometry(one: Item, other: Item) -> bool:
    if isinstance(one, Surface) and isinstance(other, Surface):
        return one.mesh is other.mesh and one.sharp == other.sharp
    if isinstance(one, Tubes) and isinstance(other, Tubes):
        return one.segments is other.segments and one.radius_mm == other.radius_mm
    return False


class SceneSync:
    """Shown items by key, and the actors that draw them.

    Parameters
    ----------
    renderer
        The renderer that gets the actors.
    colours
        Colour by role; :meth:`recolour` takes another one when the theme changes.
    """

    def __init__(self, renderer: vtkRenderer, colours: Colours) -> None:
        self._renderer = renderer
        self._colours = colours
        self._shown: dict[str, tuple[Item, vtkActor]] = {}

    @property
    def items(self) -> dict[str, Item]:
        """Items shown, by key."""
        return {key: item for key, (item, _) in self._shown.items()}

    def key_of(self, actor: vtkActor) -> str | None:
        """Return the key of the item that an actor draws."""
        return next((key for key, (_, shown) in self._shown.items() if shown is actor), None)

    def show(self, wanted: Mapping[str, Item]) -> bool:
        """Show these items and no others. Return whether anything changed, so that nothing is drawn for nothing."""
        changed = False
        for key in [key for key in self._shown if key not in wanted]:
            self._renderer.RemoveActor(self._shown.pop(key)[1])
            changed = True
        for key, item in wanted.items():
            shown = self._shown.get(key)
            if shown is not None and shown[0] is item:
                continue
            changed = True
            if shown is not None and _same_geometry(shown[0], item):
                dress_actor(shown[1], item, self._colours)
                self._shown[key] = (item, shown[1])
                continue
            if shown is not None:
                self._renderer.RemoveActor(shown[1])
            actor = make_actor(item, self._colours)
            self._renderer.AddActor(actor)
            self._shown[key] = (item, actor)
        return changed

    def recolour(self, colours: Colours) -> None:
        """Draw the same items in other colours."""
        self._colours = colours
        for item, actor in self._shown.values():
            dress_actor(actor, item, colours)
