"""One step of dragging a landmark: edit, journal, fingerprints, every measure and its words; no picture, no Monte Carlo.

    python benchmarks/bench_drag.py [--steps 300] [--seed 5001]

The leg is a phantom whose bones are in the case as meshes. An osteotomy waits for the release of the drag, since its site
is found on the bone. Prints median and 95 % of the wall time and of the processor time of a step, in ms, and where it goes.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections import defaultdict
from pathlib import Path

import numpy as np

from surgiplan_desktop.app.case_code import case_code
from surgiplan_desktop.app.describe_measures import spread_words
from surgiplan_desktop.app.documents import new_session
from surgiplan_desktop.app.session import Session
from surgiplan_desktop.app.startup import start
from surgiplan_desktop.derive.node import Ready
from surgiplan_desktop.model.anatomy import BoneName
from surgiplan_desktop.model.case import ImportedBone
from surgiplan_desktop.model.edits import place_landmark, set_imported_bones
from surgiplan_desktop.phantom.draws import draw_leg
from surgiplan_desktop.phantom.limb import Leg, build_leg
from surgiplan_desktop.planning.graph import frames_key, landmarks_key, measures_key
from surgiplan_desktop.planning.records import Landmarks, Measures

#: The five points that are checked first, and two of the joint line.
DRAGGED = (
    "hip_centre", "femoral_knee_centre", "tibial_knee_centre", "ankle_centre", "medial_distal_condyle",
    "lateral_plateau_centre", "medial_plateau_edge",
)  # fmt: skip


def with_bones(session: Session, leg: Leg) -> None:
    """Put the phantom's bones into the case as meshes."""
    wanted = (BoneName.FEMUR, BoneName.TIBIA, BoneName.FIBULA, BoneName.PATELLA)
    bones = tuple(
        ImportedBone(
            bone=bone,
            vertices=session.store.put(np.array(mesh.vertices)),
            faces=session.store.put(np.array(mesh.faces)),
            file_name=f"{bone}.stl",
            unit="mm",
            space="lps",
            chosen_by="user",
            findings=(),
        )
        for bone, mesh in leg.meshes.items()
        if bone.bone in wanted
    )
    session.apply("Bones", lambda case: set_imported_bones(case, bones, case_code("drag")))


def drag(session: Session, leg: Leg, steps: int) -> tuple[list[float], list[float], dict[str, float]]:
    """Drag landmarks; wall and processor time of each step (ms), and the mean of its parts (ms)."""
    side = leg.side
    keys = [landmarks_key(side), frames_key(side), measures_key(side)]
    session.require(*keys)
    session.want(keys, "benchmark")
    random = np.random.default_rng(0)
    wall, processor, parts = [], [], defaultdict(float)
    for name in DRAGGED:
        (found,) = session.require(landmarks_key(side))
        point = np.array(found.point(name))
        with session.interaction("Drag") as held:
            for _ in range(steps // len(DRAGGED)):
                point = point + random.normal(0.0, 0.1, 3)
                began, used = time.perf_counter(), time.process_time()
                place = (float(point[0]), float(point[1]), float(point[2]))
                held.apply(lambda case, name=name, place=place: place_landmark(case, side, name, place))
                edited = time.perf_counter()
                words = _words(session, keys)
                ended = time.perf_counter()
                wall.append(1e3 * (ended - began))
                processor.append(1e3 * (time.process_time() - used))
                parts["edit, journal, fingerprints, landmarks, frames, measures"] += 1e3 * (edited - began)
                parts["words of the panel"] += 1e3 * (ended - edited)
                if not words:
                    raise RuntimeError("the measures did not follow the drag")
    return wall, processor, {name: value / len(wall) for name, value in parts.items()}


def _words(session: Session, keys: list[tuple[str, ...]]) -> list[str]:
    """What the panel shows: every measure with its word, name and definition, every landmark with its status."""
    words: list[str] = []
    for key in keys:
        state = session.state(key)
        if not isinstance(state, Ready):
            raise RuntimeError(f"{key} did not follow the drag: {type(state).__name__}")
        if isinstance(state.value, Measures):
            for item in state.value.items.values():
                words.append(spread_words(item, None, session.services.texts))
                words.extend(session.services.texts.measure(item.id))
            words.extend(session.services.texts.finding(finding) for finding in state.value.findings)
        elif isinstance(state.value, Landmarks):
            words.extend(f"{name} {item.status}" for name, item in state.value.items.items())
    return words


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--seed", type=int, default=5001)
    options = parser.parse_args()
    leg = build_leg(draw_leg(options.seed), step_mm=1.5)
    with tempfile.TemporaryDirectory() as name:
        services = start(user_folder=Path(name))
        session = new_session(services)
        try:
            with_bones(session, leg)
            wall, processor, parts = drag(session, leg, options.steps)
        finally:
            session.close(discard=True)
            services.close()
    for title, times in (("wall", wall), ("processor", processor)):
        print(f"{title:<10} median {np.median(times):6.2f} ms   95 % {np.quantile(times, 0.95):6.2f} ms   n {len(times)}")
    for part, value in parts.items():
        print(f"  {part}: {value:.2f} ms")


if __name__ == "__main__":
    main()
