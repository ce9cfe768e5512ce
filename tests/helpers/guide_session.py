"""A session whose results are given instead of computed: fast ground for export and report."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from surgiplan_desktop.app import documents, startup
from surgiplan_desktop.app.session import Session
from surgiplan_desktop.base.spaces import Frame
from surgiplan_desktop.derive.node import Key, Node
from surgiplan_desktop.geometry.solid import box, split
from surgiplan_desktop.model.anatomy import BoneId, BoneName, Side
from surgiplan_desktop.model.case import Case, ImportedBone
from surgiplan_desktop.model.edits import put_step, set_imported_bones
from surgiplan_desktop.model.study import Finding
from surgiplan_desktop.planning import graph
from surgiplan_desktop.planning.records import Check, FreePlay, Guide, Pieces, Sleeve
from tests.helpers.guide_leg import GuideLeg, guide_leg


def plain_guide(leg: GuideLeg, status: str = "pass") -> Guide:
    """Return a guide that is a box beside the bone, with a few checks, one of them of the given status."""
    frame = leg.plan.frame
    medial = -leg.side.sign * frame.z
    mesh = box(Frame(leg.plan.start_lps + 8.0 * medial, frame.axes), (20.0, 30.0, 6.0))
    sleeve = Sleeve("proximal", leg.plan.start_lps + 15.0 * medial + 10.0 * frame.y, -medial, 2.7, "proximal", 60.0)
    checks = (
        Check("guide_closed", "pass", "closed", "closed"),
        Check("seat_unstable", status, "9.00 mm, 4.00 deg", "5.0 mm, 8.0 deg", (("mm", 9.0), ("deg", 4.0))),  # type: ignore[arg-type]
    )
    label = ("R", "TIBIA R01", "K7QX2M RUO", "A3F9 PROX>", "TEST", "NOT FOR THEATRE")
    sleeves = (sleeve, replace(sleeve, name="distal", fragment="distal"))
    play = FreePlay(1.0, 2.0, (0.0, 0.0, 1.0))
    return Guide("guide-1", leg.side, mesh, label, "A3F9", -medial, 480.0, play, sleeves, 1.3, 15.2, 3600.0, checks)


def _given(value: Any, _name: str) -> Any:
    return value


def given_graph(leg: GuideLeg, guide: Guide, pieces: Pieces) -> dict[Key, Node]:
    """Return a graph of results that are there already."""
    values: dict[Key, Any] = {
        graph.bone_key(BoneId(leg.side, BoneName.TIBIA)): leg.tibia,
        graph.landmarks_key(leg.side): leg.landmarks,
        graph.frames_key(leg.side): leg.frames,
        graph.osteotomy_key("mowhto-1"): leg.plan,
        graph.wedge_key("mowhto-1"): leg.wedge,
        graph.pieces_key("mowhto-1"): pieces,
        graph.guide_key("guide-1"): guide,
    }
    return {key: Node("given", 1, _given, ("/".join(key),), context=(value,)) for key, value in values.items()}


@contextmanager
def guide_session(folder: Path, side: Side = Side.RIGHT, status: str = "pass") -> Iterator[Session]:
    """Give a session of a planned leg with guide whose second check has the given status."""
    leg = guide_leg(side)
    leg = replace(leg, plan=replace(leg.plan, findings=(Finding("standing_unknown", "critical"),)))
    above, below = split(leg.tibia.parts[0].mesh, leg.plan.plane)
    pieces = Pieces(above, below, below.moved(leg.plan.correction), 0.0)
    nodes = given_graph(leg, plain_guide(leg, status), pieces)

    def given(_case: Case, _load: object, _catalogues: Mapping[str, Any]) -> Mapping[Key, Node]:
        return nodes

    services = startup.start(user_folder=folder, catalogues={})
    session = documents.new_session(services, owner="command", graph=given)
    try:
        mesh = leg.tibia.parts[0].mesh
        store = session.store
        bone = ImportedBone(
            BoneId(side, BoneName.TIBIA),
            store.put(np.array(mesh.vertices)),
            store.put(np.array(mesh.faces)),
            "t.stl",
            "mm",
            "lps",
        )
        session.apply("Import", lambda case: set_imported_bones(case, (bone,), "K7QX2M"))
        session.apply("Plan", lambda case: put_step(case, leg.osteotomy))
        session.apply("Guide", lambda case: put_step(case, leg.step))
        yield session
    finally:
        session.close(discard=True)
        services.close()
