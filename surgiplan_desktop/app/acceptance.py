"""Site acceptance test: legs of known truth through the whole program on this machine, compared, with one verdict.

Each leg is written as DICOM, imported, segmented, measured, planned, given a guide, exported and read back, in a user folder of
its own: no result of an earlier run is taken, and nothing of the user's is touched.
"""

from __future__ import annotations

import importlib.metadata
import os
import platform
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from surgiplan_desktop import __version__
from surgiplan_desktop.app.acceptance_road import LegResult, drive_leg
from surgiplan_desktop.app.doctor import Trial, examine
from surgiplan_desktop.base.errors import UsageError
from surgiplan_desktop.base.progress import SILENT, PartOfProgress, Progress
from surgiplan_desktop.model.anatomy import Side
from surgiplan_desktop.phantom.draws import draw_leg
from surgiplan_desktop.phantom.parameters import LegParameters
from surgiplan_desktop.planning.limits import default_limits

#: More legs than this take more than half a day on a small machine: a slip of the keyboard, not a wish.
MOST_LEGS: Final = 500
#: What decides about numbers, beside the program itself.
_LIBRARIES: Final = ("numpy", "scipy", "SimpleITK", "vtk", "pydicom", "manifold3d", "reportlab", "PySide6-Essentials")
#: A varus leg to plan a medial opening wedge on: deviation and joint line of the legs that are drawn at random.
_DRAWN_MPTA_DEG: Final = (82.0, 86.0)


@dataclass(frozen=True, slots=True)
class AcceptanceLeg:
    """A leg of the test: its parameters and the number of blocks its CT comes in."""

    number: int
    parameters: LegParameters
    blocks: int


@dataclass(frozen=True, slots=True)
class Acceptance:
    """The test as it ran: legs with their comparisons, machine, versions, times, and what failed in words of ids."""

    legs: tuple[LegResult, ...]
    trials: tuple[Trial, ...]
    versions: tuple[tuple[str, str], ...]
    hardware: tuple[tuple[str, str], ...]
    started_utc: str
    seconds: float

    @property
    def failed(self) -> tuple[str, ...]:
        """``<leg>: <what>`` of each comparison that failed, in order."""
        return tuple(f"{leg.name}: {row.id}" for leg in self.legs for row in leg.rows if row.status == "fail")

    @property
    def passed(self) -> bool:
        """Whether every comparison of every leg held."""
        return not self.failed


def acceptance_legs(count: int) -> tuple[AcceptanceLeg, ...]:
    """Return the legs: a right one in one volume, a left one in three blocks, then drawn ones, right and left in turn.

    Raises
    ------
    UsageError
        ``acceptance_legs`` for a number below 1 or above :data:`MOST_LEGS`.
    """
    if not 1 <= count <= MOST_LEGS:
        raise UsageError("acceptance_legs", count=count, most=MOST_LEGS)
    first = LegParameters(side=Side.RIGHT, mldfa_deg=88.0, mpta_deg=83.0, jlca_deg=1.0, seed=11)
    second = LegParameters(
        side=Side.LEFT,
        mldfa_deg=89.0,
        mpta_deg=85.0,
        jlca_deg=0.5,
        slope_medial_deg=5.0,
        slope_lateral_deg=8.0,
        femoral_torsion_deg=20.0,
        tibial_torsion_deg=33.0,
        femur_length_mm=410.0,
        tibia_length_mm=345.0,
        knee_width_mm=72.0,
        head_radius_mm=22.0,
        seed=12,
    )
    legs = [AcceptanceLeg(1, first, 1), AcceptanceLeg(2, second, 3)][:count]
    low, high = _DRAWN_MPTA_DEG
    for number in range(3, count + 1):
        side = Side.RIGHT if number % 2 else Side.LEFT
        drawn = draw_leg(1000 + number, side=side)
        varus = replace(drawn, mpta_deg=low + (high - low) * ((number * 0.618) % 1.0), jlca_deg=1.0, mldfa_deg=88.0)
        legs.append(AcceptanceLeg(number, varus, 3 if number % 3 == 0 else 1))
    return tuple(legs)


def run_acceptance(
    legs: Sequence[AcceptanceLeg] | None = None, *, spacing_mm: float = 1.0, progress: Progress = SILENT
) -> Acceptance:
    """Run the test and return what came out; a stage that breaks is a failed row of its leg, never an end without a verdict.

    Parameters
    ----------
    legs
        None: the two of :func:`acceptance_legs`.
    spacing_mm
        Voxel edge of the simulated CT.

    Raises
    ------
    UsageError
        ``output_not_writable`` when there is no room for the work files.
    Cancelled
        The user stopped it; nothing is left behind.
    """
    chosen = acceptance_legs(2) if legs is None else tuple(legs)
    begun = time.perf_counter()
    started = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    trials = examine(progress=PartOfProgress(progress, 0.0, 0.02))
    results = []
    try:
        with tempfile.TemporaryDirectory(prefix="surgiplan-accept-", ignore_cleanup_errors=True) as name:
            for index, leg in enumerate(chosen):
                part = PartOfProgress(progress, 0.02 + 0.98 * index / len(chosen), 0.02 + 0.98 * (index + 1) / len(chosen))
                folder = Path(name) / f"leg{leg.number}"
                results.append(
                    drive_leg(leg.number, leg.parameters, folder, blocks=leg.blocks, spacing_mm=spacing_mm, progress=part)
                )
    except OSError as error:
        raise UsageError("output_not_writable", file=tempfile.gettempdir(), reason=error.strerror or str(error)) from error
    return Acceptance(tuple(results), trials, program_versions(), hardware(), started, round(time.perf_counter() - begun, 1))


def program_versions() -> tuple[tuple[str, str], ...]:
    """Return program, table of limits, Python and libraries with their versions."""
    own = (("SurgiPlan Desktop", __version__), ("limits", str(default_limits().version)), ("Python", platform.python_version()))
    return (*own, *((name, importlib.metadata.version(name)) for name in _LIBRARIES))


def hardware() -> tuple[tuple[str, str], ...]:
    """Return system, processor, cores and memory as this machine tells them; no name of the machine or of a person."""
    memory = "-"
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        memory = f"{os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE') / 2**30:.1f} GiB"
    return (
        ("system", f"{platform.system()} {platform.release()}"),
        ("processor", _processor()),
        ("cores", str(os.cpu_count() or 1)),
        ("memory", memory),
    )


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.machine()
