"""Use case: the picture of where the deformity is, for window, report and file."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from surgiplan_desktop.app.describe_cora import cora_drawing
from surgiplan_desktop.app.describe_film_measures import deformity_pose, deformity_title
from surgiplan_desktop.app.describe_measures import value_words
from surgiplan_desktop.app.texts import Texts
from surgiplan_desktop.base.errors import InputDataError, UsageError
from surgiplan_desktop.files.mesh_files import write_atomic
from surgiplan_desktop.model.anatomy import Side
from surgiplan_desktop.planning.cora import LegCora
from surgiplan_desktop.planning.deformity import Deformity
from surgiplan_desktop.planning.limits import default_limits
from surgiplan_desktop.scene.deformity_drawing import DeformityBar, DeformityRow, DeformityWords, draw_deformity
from surgiplan_desktop.scene.flat_drawing import Drawing, drawing_picture, drawing_svg, stacked

_Pose = Literal["lying", "standing"]


def deformity_drawing(
    side: Side, items: tuple[Deformity, ...], texts: Texts, wide: float = 460.0, cora: tuple[LegCora, ...] = ()
) -> Drawing | None:
    """Draw how much lies in which part, and under it where the bones are bent; None where neither is known."""
    parts = (_shares(side, items, texts, wide), cora_drawing(cora, texts, wide))
    drawings = [part for part in parts if part is not None]
    return stacked(drawings) if drawings else None


def _shares(side: Side, items: tuple[Deformity, ...], texts: Texts, wide: float) -> Drawing | None:
    """Lying and standing together, or the newest film where there is no CT."""
    poses: list[tuple[_Pose, Deformity]] = [
        ("lying" if item.pose == "ct" else "standing", item) for item in items if item.pose != "film"
    ]
    if not poses:
        poses = [("standing", item) for item in items[-1:]]
    if not poses:
        return None
    least = default_limits()["osteotomy.deformity_share_deg"]

    def bars(values: list[tuple[_Pose, float]], *, total: bool = False) -> tuple[DeformityBar, ...]:
        kept = values[-1:] if len({round(value, 6) for _, value in values}) == 1 else values
        return tuple(
            DeformityBar(value, value_words("hka_deviation", value, "deg", texts), pose, total or abs(value) >= least)
            for pose, value in kept
        )

    def angle(measure: str, value: float) -> str:
        return f"{texts.text(f'label.short_{measure}')} {texts.text('label.degrees', value=value)}"

    last = poses[-1][1]
    joints = " / ".join(dict.fromkeys(_jlca_words(item.jlca_deg, texts) for _, item in poses))
    limits = default_limits()
    rows = (
        DeformityRow(texts.text("label.tibia"), angle("mpta", last.mpta_deg), bars([(p, item.tibia_deg) for p, item in poses])),
        DeformityRow(texts.text("label.femur"), angle("mldfa", last.mldfa_deg), bars([(p, item.femur_deg) for p, item in poses])),
        DeformityRow(
            texts.text("label.joint"),
            f"{texts.text('label.short_jlca')} {joints}",
            bars([(p, item.joint_deg) for p, item in poses]),
        ),
        DeformityRow(
            texts.text("label.leg_axis"),
            texts.text("label.leg_axis_is_sum"),
            bars([(p, item.deviation_deg) for p, item in poses], total=True),
            total=True,
        ),
    )
    words = DeformityWords(
        title=texts.text("label.deformity_heading", side=texts.text(f"label.leg_{side.value}")),
        sentence=deformity_title(last, texts),
        varus=texts.text("label.varus"),
        valgus=texts.text("label.valgus"),
        legend=tuple((pose, deformity_pose(item, texts)) for pose, item in poses),
        note=texts.text(
            "label.deformity_note",
            normal=limits["osteotomy.normal_mpta_deg"],
            least=least,
        ),
    )
    return draw_deformity(rows, words, least, wide)


def _jlca_words(jlca_deg: float, texts: Texts) -> str:
    number = texts.text("label.degrees", value=abs(jlca_deg))
    if number == texts.text("label.degrees", value=0.0):
        return number
    return f"{number} {texts.text('label.lateral_brief' if jlca_deg > 0 else 'label.medial_brief')}"


def deformity_picture(
    side: Side, items: tuple[Deformity, ...], texts: Texts, *, wide: float = 280.0, scale: float = 4.0
) -> NDArray[np.uint8] | None:
    """Return the drawing as a picture (height, width, 3) uint8 for paper; None where nothing is known."""
    drawing = deformity_drawing(side, items, texts, wide)
    return None if drawing is None else drawing_picture(drawing, scale)


def write_deformity_picture(
    path: Path, side: Side, items: tuple[Deformity, ...], texts: Texts, *, cora: tuple[LegCora, ...] = (), force: bool = False
) -> None:
    """Write the drawing as SVG or PNG by the ending of the path.

    Raises
    ------
    UsageError
        ``picture_format``, ``output_exists`` without ``force``, ``output_not_writable``.
    InputDataError
        ``deformity_not_measurable`` where neither CT nor film shows the whole leg.
    """
    ending = path.suffix.lower()
    if ending not in (".svg", ".png"):
        raise UsageError("picture_format", file=path)
    if path.exists() and not force:
        raise UsageError("output_exists", file=path)
    drawing = deformity_drawing(side, items, texts, cora=cora)
    if drawing is None:
        raise InputDataError("deformity_not_measurable", side=side.value)
    if ending == ".svg":
        write_atomic(path, drawing_svg(drawing).encode("utf-8"))
        return
    data = io.BytesIO()
    Image.fromarray(drawing_picture(drawing, 3.0)).save(data, "PNG")
    write_atomic(path, data.getvalue())
