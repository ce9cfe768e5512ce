"""Time and memory of a phantom: meshes and truth, the CT of the whole leg at 0.8 mm, a knee of 160 mm at 0.7 mm.

    python benchmarks/phantom_time.py

Prints seconds on the clock and of the processor, the largest resident size so far and the voxels. On a busy machine only
the seconds of the processor mean something, and those less than on a quiet one.
"""

from __future__ import annotations

import resource
import time
from collections.abc import Callable
from typing import TypeVar

from surgiplan_desktop.phantom.ct import CtScene, SimulatedCt, simulate
from surgiplan_desktop.phantom.limb import build_leg
from surgiplan_desktop.phantom.parameters import LegParameters

_T = TypeVar("_T")


def timed(name: str, work: Callable[[], _T]) -> _T:
    """Do the work and print what it took."""
    clock, processor = time.perf_counter(), time.process_time()
    result = work()
    spent, used = time.perf_counter() - clock, time.process_time() - processor
    voxels = f"{result.volumes[0].array.size / 1e6:.1f} M voxels" if isinstance(result, SimulatedCt) else ""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{name:<28}{spent:7.1f} s  {used:7.1f} s of processor  {peak:6.0f} MiB  {voxels}", flush=True)
    return result


def main() -> None:
    """Print a row for each."""
    leg = timed("meshes (0.5 mm) and truth", lambda: build_leg(LegParameters(), step_mm=0.5))
    timed("knee, 160 mm, 0.7 mm", lambda: simulate(leg, 0.7, scene=CtScene(region="knee", region_mm=160.0)))
    timed("whole leg, 1.0 mm", lambda: simulate(leg, 1.0))
    timed("whole leg, 0.8 mm", lambda: simulate(leg, 0.8))


if __name__ == "__main__":
    main()
