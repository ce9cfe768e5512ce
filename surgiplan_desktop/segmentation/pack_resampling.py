"""How a pack wants a scan brought to a network's grid and its answer back, where that is nnU-Net's way and not the program's own.

nnU-Net normalises the scan as it is stored, then interpolates with splines; along an axis with far thicker voxels than the others
it takes the nearest slice instead. Logits come back linearly (Isensee 2021, doi 10.1038/s41592-020-01008-z; its plans.json).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from surgiplan_desktop.segmentation.pack_table import Table

#: Orders of interpolation along an axis: nearest, linear, cubic spline.
ORDERS: Final = (0, 1, 3)


@dataclass(frozen=True, slots=True)
class Resampling:
    """Interpolation of nnU-Net.

    Parameters
    ----------
    image, logits
        Order of the spline: 0, 1 or 3.
    image_across, logits_across
        The order along the one axis with thick voxels, 0 or 1, where it is taken apart from the others.
    separate
        Whether that axis is taken apart: ``auto`` where its voxels are more than ``ratio`` times as long as the shortest edge.
    """

    image: int
    image_across: int
    logits: int
    logits_across: int
    separate: Literal["auto", "always", "never"]
    ratio: float


def read_resampling(network: Table) -> Resampling | None:
    """Read the table ``resampling`` of a network; None where there is none."""
    if not network.has("resampling"):
        return None
    table = network.table("resampling")
    table.choice("kind", ("nnunet",))
    orders = {}
    for name, allowed in (("image", ORDERS), ("image_across", (0,)), ("logits", (0, 1)), ("logits_across", (0,))):
        value = table.whole(name, 0, 3)
        if value not in allowed:
            raise table.wrong(name, value, " / ".join(map(str, allowed)))
        orders[name] = value
    word = table.choice("separate", ("auto", "always", "never"))
    separate: Literal["auto", "always", "never"] = "auto" if word == "auto" else "always" if word == "always" else "never"
    ratio = table.number("ratio", 1.0, 100.0)
    table.finish()
    return Resampling(orders["image"], orders["image_across"], orders["logits"], orders["logits_across"], separate, ratio)
