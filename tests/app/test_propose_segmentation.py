"""The way of finding bones that is proposed: by slice thickness, and sooner where several joints are in view; with its reason."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from surgiplan_desktop.app import documents, startup
from surgiplan_desktop.app.propose_segmentation import proposed_way
from surgiplan_desktop.model.edits import set_study
from surgiplan_desktop.model.study import SeriesOrigin, Study, VolumeBlock
from surgiplan_desktop.planning.limits import default_limits
from tests.helpers.painted_pack import write_painted_pack


@pytest.mark.parametrize(
    ("blocks", "length_mm", "over_limit", "model", "reason"),
    [
        (1, 150.0, 0.9, "", "ui.propose_thin_slices"),
        (1, 150.0, 1.1, "painted", "ui.propose_model"),
        (1, 400.0, 0.9, "", "ui.propose_thin_slices"),
        (1, 400.0, 1.1, "painted", "ui.propose_model_several"),
        (3, 150.0, 0.9, "", "ui.propose_thin_slices"),
        (3, 150.0, 1.1, "painted", "ui.propose_model_several"),
    ],
)
def test_the_limit_is_that_of_one_joint_or_of_several(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, blocks: int, length_mm: float, over_limit: float, model: str, reason: str
) -> None:
    write_painted_pack(tmp_path / "models" / "painted")
    for place in ("models", "propose_segmentation"):
        monkeypatch.setattr(f"surgiplan_desktop.app.{place}.catalogue_roots", lambda: (tmp_path,))
    name = "segmentation.model_from_slice_mm" + ("" if blocks == 1 and length_mm < 300.0 else "_several")
    slice_mm = over_limit * default_limits()[name]
    services = startup.start()
    session = documents.new_session(services)
    some = []
    for number in range(blocks):
        rows = ((0.0, 0.0, 1.0, 0.0), (0.0, 1.0, 0.0, 0.0), (slice_mm, 0.0, 0.0, 300.0 * number), (0.0, 0.0, 0.0, 1.0))
        shape = (round(length_mm / slice_mm), 30, 30)
        some.append(VolumeBlock(session.store.put(np.zeros(shape, dtype=np.int16)), rows, shape, SeriesOrigin("nifti")))
    session.apply("Import", lambda case: set_study(case, Study(tuple(some)), "TESTLEG"))
    found = proposed_way(session)
    assert (found.model, found.reason) == (model, reason)
    told = services.texts.text(found.reason, **dict(found.parameters))
    assert f"{slice_mm:.2f} mm" in told
    session.close()
    services.close()


def test_scans_of_several_joints_are_given_to_the_model_sooner() -> None:
    limits = default_limits()
    assert limits["segmentation.model_from_slice_mm_several"] < limits["segmentation.model_from_slice_mm"]
