"""A case file with two drawn legs as meshes: the right one in varus, opened at Measure."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from surgiplan_desktop.app.documents import new_session
from surgiplan_desktop.app.startup import start
from surgiplan_desktop.model.anatomy import Side
from surgiplan_desktop.model.case import ImportedBone, Intake
from surgiplan_desktop.model.edits import set_imported_bones, set_intake
from surgiplan_desktop.phantom.limb import build_leg
from surgiplan_desktop.phantom.parameters import LegParameters

#: MPTA and mLDFA of each leg, and where its middle lies (mm LPS x).
LEGS = ((Side.RIGHT, 83.5, 87.5, -95.0), (Side.LEFT, 86.5, 87.0, 95.0))


def write_two_legs(path: Path, user_folder: Path, *, step_mm: float = 2.0) -> None:
    """Draw both legs and save them as a case."""
    services = start(user_folder=user_folder)
    session = new_session(services)
    bones = []
    for side, mpta, mldfa, middle in LEGS:
        leg = build_leg(LegParameters(side=side, mpta_deg=mpta, mldfa_deg=mldfa, seed=4), step_mm=step_mm)
        across = np.concatenate([mesh.vertices[:, 0] for mesh in leg.meshes.values()])
        shift = np.array([middle - across.mean(), 0.0, 0.0])
        for bone, mesh in leg.meshes.items():
            vertices, faces = session.store.put(mesh.vertices + shift), session.store.put(mesh.faces)
            bones.append(ImportedBone(bone, vertices, faces, f"{bone}.stl", "mm", "lps"))
    session.apply("bones", lambda case: set_imported_bones(case, tuple(bones), "TWQLEG"))
    session.apply("request", lambda case: set_intake(case, Intake(side=Side.RIGHT, procedure="mowhto")))
    session.set_view(step="measure")
    session.save(path)
    session.close(discard=True)
    services.close()
