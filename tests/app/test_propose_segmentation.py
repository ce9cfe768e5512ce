"""The way of finding bones that is proposed: by slice thickness, and sooner where the scan is in blocks; with its reason."""

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
    ("blocks", "over_limit", "model", "reason"),
    [
        (1, 0.9, "", "ui.propose_thin_slices"),
        (1, 1.1, "painted", "ui.propose_model"),
        (3, 0.9, "", "ui.propose_thin_slices"),
        (3, 1.1, "painted", "ui.propose_model_blocks"),
    ],
)
def test_the_limit_is_that_of_scans_in_one_piece_or_in_blocks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, blocks: int, over_limit: float, model: str, reason: str
) -> None:
    write_painted_pack(tmp_path / "models" / "painted")
    for place in ("models", "propose_segmentation"):
        monkeypatch.setattr(f"surgiplan_desktop.app.{place}.catalogue_roots", lambda: (tmp_path,))
    name = "segmentation.model_from_slice_mm" if blocks == 1 else "segmentation.model_from_block_slice_mm"
    slice_mm = over_limit * default_limits()[name]
    services = startup.start()
    session = documents.new_session(services)
    some = []
    for number in range(blocks):
        rows = ((0.0, 0.0, 1.0, 0.0), (0.0, 1.0, 0.0, 0.0), (slice_mm, 0.0, 0.0, 300.0 * number), (0.0, 0.0, 0.0, 1.0))
        voxels = session.store.put(np.zeros((20, 30, 30), dtype=np.int16))
        some.append(VolumeBlock(voxels, rows, (20, 30, 30), SeriesOrigin("nifti")))
    session.apply("Import", lambda case: set_study(case, Study(tuple(some)), "TESTLEG"))
    found = proposed_way(session)
    assert (found.model, found.reason) == (model, reason)
    told = services.texts.text(found.reason, **dict(found.parameters))
    assert f"{slice_mm:.2f} mm" in told
    session.close()
    services.close()


def test_blocks_are_given_to_the_model_before_scans_in_one_piece() -> None:
    limits = default_limits()
    assert limits["segmentation.model_from_block_slice_mm"] < limits["segmentation.model_from_slice_mm"]
