"""The leg as the formulas of the measures read it: one leg, or many draws of it at once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from surgiplan_desktop.base.arrays import FloatArray
from surgiplan_desktop.base.spaces import Frame
from surgiplan_desktop.geometry.angles import frontal_angle_deg
from surgiplan_desktop.planning.axes import LegTriads, Triad, axial_triad, isb_triads
from surgiplan_desktop.planning.records import Landmarks, LegFrames

Axes = Frame | Triad


@dataclass(frozen=True, eq=False)
class Leg:
    """Landmarks and frames of one leg. Callers make sure that what a formula needs is there.

    Points and axes have shape (3,), or (3, n) for n draws; numbers are then of shape (n,). No slots: axes that several measures
    share are kept once made.
    """

    landmarks: Landmarks
    frames: LegFrames | LegTriads

    def __getitem__(self, landmark: str) -> FloatArray:
        point = self.landmarks.point(landmark)
        if point is None:
            raise KeyError(landmark)
        return point

    @property
    def sign(self) -> int:
        """+1 right, -1 left."""
        return self.landmarks.side.sign

    @property
    def femur(self) -> Axes:
        """Frame of the femur."""
        return _there(self.frames.femur, "femur")

    @property
    def tibia(self) -> Axes:
        """Frame of the tibia."""
        return _there(self.frames.tibia, "tibia")

    @property
    def limb(self) -> Axes:
        """Frame of the limb."""
        return _there(self.frames.limb, "limb")

    @cached_property
    def isb(self) -> LegTriads:
        """Frames after ISB, whatever variant ``frames`` are."""
        return isb_triads(self.landmarks.point, self.landmarks.side)

    @cached_property
    def tibial_shaft(self) -> Axes:
        """Axes of the tibia with Y along its proximal shaft (the proximal anatomic axis) and the posterior plateau line."""
        up = self.line("tibial_proximal_shaft_low", "tibial_proximal_shaft_high")
        across = self.line("medial_posterior_plateau", "lateral_posterior_plateau")
        return _there(axial_triad(self["tibial_proximal_shaft_low"], up, across, self.sign), "tibial_shaft")

    @cached_property
    def femoral_shaft(self) -> Axes:
        """Axes of the femur with Y along its distal shaft and the posterior condylar line."""
        up = self.line("femoral_distal_shaft_low", "femoral_distal_shaft_high")
        across = self.line("medial_posterior_condyle", "lateral_posterior_condyle")
        return _there(axial_triad(self["femoral_distal_shaft_low"], up, across, self.sign), "femoral_shaft")

    def line(self, start: str, end: str) -> FloatArray:
        """Vector from one landmark to another."""
        return self[end] - self[start]

    def theta(self, frame: Axes, vector: FloatArray) -> FloatArray:
        """Angle th(v) in the frontal plane of ``frame``, degrees."""
        return frontal_angle_deg(vector, self.sign * frame.z, frame.y)


def _there(frame: Axes | None, name: str) -> Axes:
    if frame is None:
        raise KeyError(name)
    return frame
