"""Simulated CT of a procedural leg."""

from surgiplan_desktop.phantom.ct.scene import CtScene, checked_scan
from surgiplan_desktop.phantom.ct.simulate import SimulatedCt, simulate

__all__ = ["CtScene", "SimulatedCt", "checked_scan", "simulate"]
