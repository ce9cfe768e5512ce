"""Makes the grey pictures of the film-like view beside the window's work, and keeps the last of each leg."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

import numpy as np

from surgiplan_desktop.app.compare_legs import LEG_BONES, MeasuredLeg
from surgiplan_desktop.app.jobs import Job
from surgiplan_desktop.base.progress import SILENT, Progress
from surgiplan_desktop.base.spaces import Frame
from surgiplan_desktop.gui.viewports.stage import Stage
from surgiplan_desktop.model.anatomy import BoneId, BoneName
from surgiplan_desktop.model.images import Volume
from surgiplan_desktop.model.mesh import Bone, Mesh
from surgiplan_desktop.planning.graph import bone_key, pieces_key
from surgiplan_desktop.planning.records import OsteotomyPlan, Pieces
from surgiplan_desktop.scene.frontal import FrontalPicture, FrontalPlane, frontal_plane, project_leg

#: A picture is made anew when its plane has turned by more than this (deg); until then lines are drawn on the old one.
_TURNED_DEG: Final = 0.3
#: Below the cut these bones go with the distal piece.
_CARRIED: Final = (BoneName.TALUS, BoneName.FIBULA)


@dataclass(frozen=True, slots=True, eq=False)
class _Made:
    meshes: tuple[Mesh, ...]
    volumes: tuple[Volume, ...]
    picture: FrontalPicture


class FrontalPictures:
    """One picture at a time for one view; a newer wish replaces an older one."""

    def __init__(self, stage: Stage, name: str, changed: Callable[[], object]) -> None:
        self._stage = stage
        self._name = name
        self._changed = changed
        self._made: _Made | None = None
        self._job: tuple[tuple[Mesh, ...], tuple[Volume, ...], Job] | None = None
        self._moved: dict[int, tuple[Mesh, OsteotomyPlan, Mesh]] = {}

    def of(self, leg: MeasuredLeg) -> FrontalPicture | None:
        """Return the picture of a leg as far as it is at hand, and begin to make it anew where it is not the right one."""
        meshes = self._meshes(leg)
        volumes = () if leg.kind == "after" else self._stage.volumes
        if not meshes:
            return None
        plane = frontal_plane(leg.frames, meshes[0].vertices.mean(axis=0))
        made = self._made
        same = made is not None and _same(made.meshes, meshes) and _same(made.volumes, volumes)
        held = self._stage.bridge.session.interacting
        if made is None or not same or (not held and _turned(made.picture.plane.frame, plane.frame) > _TURNED_DEG):
            self._make(plane, meshes, volumes)
        return made.picture if made is not None and same else None

    def _make(self, plane: FrontalPlane, meshes: tuple[Mesh, ...], volumes: tuple[Volume, ...]) -> None:
        job = self._job
        if job is not None and job[2].state in ("queued", "running") and _same(job[0], meshes) and _same(job[1], volumes):
            return
        work = partial(_project, plane, meshes, volumes)

        def ended(job: Job) -> None:
            if self._job is None or job is not self._job[2]:
                return
            self._job = None
            if job.state == "done":
                self._made = _Made(meshes, volumes, job.value)
                self._changed()

        jobs = self._stage.bridge.services.jobs
        if not jobs.closed:
            self._job = (meshes, volumes, jobs.submit("film_view", work, on_done=ended, newest=f"film_view/{self._name}"))

    def _meshes(self, leg: MeasuredLeg) -> tuple[Mesh, ...]:
        """Return the bones of a leg; after the plan with everything below the cut where it comes to lie."""
        bridge = self._stage.bridge
        found: list[Mesh] = []
        for name in LEG_BONES:
            value = bridge.value(bone_key(BoneId(leg.side, name)))
            parts = [part.mesh for part in value.parts] if isinstance(value, Bone) else []
            if leg.plan is not None and name is BoneName.TIBIA:
                pieces = bridge.value(pieces_key(leg.plan.step))
                parts = [pieces.proximal, pieces.distal_moved] if isinstance(pieces, Pieces) else []
            elif leg.plan is not None and name in _CARRIED:
                parts = [self._carried(mesh, leg) for mesh in parts]
            found += parts
        return tuple(found)

    def _carried(self, mesh: Mesh, leg: MeasuredLeg) -> Mesh:
        """Return a bone where the correction carries it; the same object as long as bone and plan are the same."""
        plan = leg.plan
        if plan is None:
            return mesh
        kept = self._moved.get(id(mesh))
        if kept is None or kept[0] is not mesh or kept[1] is not plan:
            kept = (mesh, plan, mesh.moved(plan.correction))
            self._moved[id(mesh)] = kept
        return kept[2]


def _project(
    plane: FrontalPlane, meshes: tuple[Mesh, ...], volumes: tuple[Volume, ...], *, progress: Progress = SILENT
) -> FrontalPicture:
    return project_leg(plane, meshes, volumes, progress=progress)


def _same(one: tuple[object, ...], other: tuple[object, ...]) -> bool:
    return len(one) == len(other) and all(a is b for a, b in zip(one, other, strict=True))


def _turned(one: Frame, other: Frame) -> float:
    """Return by how much one frame is turned against another, deg."""
    cosine = (float(np.trace(one.axes.T @ other.axes)) - 1.0) / 2.0
    return float(np.degrees(np.arccos(np.clip(cosine, -1.0, 1.0))))
