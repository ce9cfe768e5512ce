"""From files to the blocks of a case: what is taken together, what is refused, what the case keeps."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import numpy as np
import pydicom
import pytest

from surgiplan_desktop.app import documents, startup
from surgiplan_desktop.app.case_code import ALPHABET, case_code
from surgiplan_desktop.app.describe_scan import case_repairs
from surgiplan_desktop.app.import_meshes import import_meshes
from surgiplan_desktop.app.import_study import choose, import_study, scan
from surgiplan_desktop.app.session import Session
from surgiplan_desktop.app.texts import load_texts
from surgiplan_desktop.base.errors import InputDataError, UsageError
from surgiplan_desktop.base.spaces import Affine
from surgiplan_desktop.files.mesh_files import write_stl
from surgiplan_desktop.geometry.solid import cylinder
from surgiplan_desktop.imaging.dicom_header import RejectReason
from surgiplan_desktop.imaging.dicom_scan import REFUSING, REPAIRABLE
from surgiplan_desktop.imaging.dicom_write import derived_uid, write_ct_series
from surgiplan_desktop.imaging.volume_files import write_volume_file
from surgiplan_desktop.model.anatomy import BoneId, BoneName, Side
from surgiplan_desktop.model.case import Intake
from surgiplan_desktop.model.images import Volume


def test_every_finding_has_words_and_a_remedy() -> None:
    texts = load_texts("en", strict=True)
    for code in REFUSING | REPAIRABLE:
        assert texts.has(f"finding.{code}"), code
        assert texts.text(f"error.refused_{code}", "hint")
    for reason in get_args(RejectReason):
        assert texts.has(f"reason.{reason}")
        assert texts.text(f"error.file_{reason}", "hint")


@pytest.fixture
def session(user_folder: Path) -> Iterator[Session]:
    services = startup.start(user_folder=user_folder, catalogues={})
    session = documents.new_session(services, graph=lambda *_: {})
    yield session
    session.close(discard=True)
    services.close()


def slab(low: float, slices: int = 6, step: float = 1.0, seed: int = 0) -> Volume:
    values = np.random.default_rng(seed).integers(-1000, 1500, (slices, 5, 6)).astype(np.int16)
    return Volume(values, Affine.from_parts(np.column_stack([[0, 0, step], [0, 0.7, 0], [0.7, 0, 0]]), np.array([1.0, 2.0, low])))


def test_three_slabs_become_three_blocks_proximal_first(session: Session, tmp_path: Path) -> None:
    for number, low in enumerate((0.0, 350.0, 700.0)):
        write_ct_series(slab(low, seed=number), tmp_path / str(number), description=f"slab {number}", series_number=number + 1)
    loaded = import_study(session, tmp_path, intake=Intake(side=Side.LEFT, procedure="mowhto"))
    study = session.case.study
    assert study is not None
    assert [block.affine[2][3] for block in study.blocks] == [700.0, 350.0, 0.0]
    assert study.blocks == loaded.blocks
    assert session.case.code == loaded.code
    assert session.case.intake.side is Side.LEFT
    for block, seed in zip(study.blocks, (2, 1, 0), strict=True):
        np.testing.assert_array_equal(session.store.load(block.voxels), slab(0.0, seed=seed).array)


def test_the_code_comes_from_the_content_not_from_the_place(session: Session, tmp_path: Path) -> None:
    codes = set()
    for folder in ("a", "b"):
        write_ct_series(slab(0.0), tmp_path / folder)
        codes.add(import_study(session, tmp_path / folder).code)
    write_ct_series(slab(0.0, seed=9), tmp_path / "c")
    other = import_study(session, tmp_path / "c").code
    assert len(codes) == 1
    assert other not in codes
    assert all(len(code) == 6 and set(code) <= set(ALPHABET) for code in (*codes, other))


def test_the_alphabet_of_codes_cannot_be_misread() -> None:
    assert len(set(ALPHABET)) == 32
    assert not set(ALPHABET) & set("01IO")
    assert case_code("x") == case_code("x") != case_code("y")


def test_a_second_picture_of_the_region_is_left_out(session: Session, tmp_path: Path) -> None:
    write_ct_series(slab(0.0, 20, 1.0), tmp_path / "thin", description="thin")
    write_ct_series(slab(0.0, 4, 5.0), tmp_path / "thick", description="thick")
    loaded = import_study(session, tmp_path)
    assert [block.origin.description for block in loaded.blocks] == ["thin"]
    assert len(loaded.left_out) == 1


def test_two_patients_are_a_question(tmp_path: Path) -> None:
    write_ct_series(slab(0.0), tmp_path / "a", patient_id="one", patient_name="SECRET^NAME")
    write_ct_series(slab(0.0), tmp_path / "b", patient_id="two", patient_name="OTHER^NAME")
    result = scan(tmp_path)
    with pytest.raises(UsageError, match="several_studies") as caught:
        choose(result)
    listing = str(caught.value.parameters["listing"])
    assert all(series.uid in listing for series in result.series)
    assert "SECRET" not in str(caught.value)
    (taken,) = choose(result, [result.series[0].uid])
    assert taken is result.series[0]
    with pytest.raises(UsageError, match="series_not_together"):
        choose(result, [series.uid for series in result.series])
    with pytest.raises(UsageError, match="unknown_series"):
        choose(result, ["1.2.3"])


def test_two_frames_of_reference_are_a_question(tmp_path: Path) -> None:
    for name in "ab":
        write_ct_series(slab(0.0), tmp_path / name, description=name, frame_of_reference_uid=derived_uid(name))
    with pytest.raises(UsageError, match="several_frames"):
        choose(scan(tmp_path))


def test_a_repair_needs_consent_and_stays_with_the_case(session: Session, tmp_path: Path) -> None:
    paths = write_ct_series(slab(0.0, 12), tmp_path)
    paths[5].unlink()
    with pytest.raises(InputDataError, match="refused_missing_slices") as caught:
        choose(scan(tmp_path))
    assert caught.value.file == str(paths[4])
    before = session.case
    with pytest.raises(InputDataError, match="refused_missing_slices"):
        import_study(session, tmp_path)
    assert session.case is before
    (block,) = import_study(session, tmp_path, accept_repair=True).blocks
    (repair,) = block.origin.repairs
    assert (repair.kind, repair.stretches) == ("missing_slices", ((5, 5),))
    assert [(item.code, item.severity) for item in block.origin.findings] == [("missing_slices", "warn")]
    expected = slab(0.0, 12).array.astype(float)
    expected[5] = np.rint((expected[4] + expected[6]) / 2)
    np.testing.assert_array_equal(session.store.load(block.voxels), expected)


def test_a_repair_is_told_with_its_error_in_words(session: Session, tmp_path: Path) -> None:
    write_ct_series(slab(0.0, 12), tmp_path)[5].unlink()
    import_study(session, tmp_path, accept_repair=True)
    (words,) = case_repairs(session.case, load_texts("en", strict=True))
    assert "11 slices became 12" in words
    assert re.search(r"off by \d+\.\d HU", words)


def test_with_consent_a_series_to_be_repaired_fills_what_no_sound_one_shows(session: Session, tmp_path: Path) -> None:
    write_ct_series(slab(0.0, 12), tmp_path / "a", description="sound", series_number=1)
    write_ct_series(slab(400.0, 12, seed=1), tmp_path / "b", description="holed", series_number=2)[5].unlink()
    write_ct_series(slab(0.0, 12, seed=2), tmp_path / "c", description="holed too", series_number=3)[5].unlink()
    assert [item.description for item in choose(scan(tmp_path))] == ["sound"]
    assert [item.description for item in choose(scan(tmp_path), accept_repair=True)] == ["sound", "holed"]
    loaded = import_study(session, tmp_path, accept_repair=True)
    assert [len(block.origin.repairs) for block in loaded.blocks] == [1, 0]


def test_series_that_name_no_frame_of_reference_are_a_question(tmp_path: Path) -> None:
    for number in range(2):
        for path in write_ct_series(slab(400.0 * number, seed=number), tmp_path / str(number), series_number=number + 1):
            dataset = pydicom.dcmread(path)
            del dataset.FrameOfReferenceUID
            dataset.save_as(path)
    result = scan(tmp_path)
    with pytest.raises(UsageError, match="several_frames"):
        choose(result)
    with pytest.raises(UsageError, match="series_not_together"):
        choose(result, [series.uid for series in result.series])


def test_the_scout_is_kept_with_its_place(session: Session, tmp_path: Path) -> None:
    write_ct_series(slab(0.0), tmp_path / "ct")
    axes = np.column_stack([[0, -1.0, 0], [0, 0, -2.0], [1.0, 0, 0]])
    picture = Volume(np.arange(30, dtype=np.int16).reshape(1, 5, 6), Affine.from_parts(axes, np.array([-9.0, 3.0, 70.0])))
    for folder, frame in (("scout", ""), ("foreign scout", derived_uid("another frame"))):
        (path,) = write_ct_series(
            picture, tmp_path / folder, description="Topogram", frame_of_reference_uid=frame, series_number=2
        )
        dataset = pydicom.dcmread(path)
        dataset.ImageType = ["ORIGINAL", "PRIMARY", "LOCALIZER"]
        dataset.save_as(path)
    import_study(session, tmp_path)
    assert session.case.study is not None
    (scout,) = session.case.study.scouts
    np.testing.assert_array_equal(session.store.load(scout.pixels), picture.array[0])
    np.testing.assert_allclose(Affine(np.array(scout.affine))(np.array([0.0, 4.0, 5.0])), picture.affine(np.array([0.0, 4, 5])))
    assert (scout.shape, scout.description) == ((5, 6), "Topogram")


def test_the_tag_of_the_side_is_a_witness(session: Session, tmp_path: Path) -> None:
    write_ct_series(slab(0.0), tmp_path, laterality="L")
    loaded = import_study(session, tmp_path, intake=Intake(side=Side.RIGHT))
    assert [(item.code, item.severity) for item in loaded.findings] == [("side_conflict", "critical")]
    assert session.case.study is not None
    assert session.case.study.blocks[0].origin.laterality == "L"
    assert import_study(session, tmp_path, intake=Intake(side=Side.LEFT)).findings == ()


def test_a_case_keeps_no_name_of_patient_or_file(session: Session, tmp_path: Path) -> None:
    for path in write_ct_series(slab(0.0, 30), tmp_path, patient_name="SECRET^NAME", patient_id="SECRET-7", file_prefix="SECRET"):
        dataset = pydicom.dcmread(path)
        dataset.add_new("PixelPaddingValue", "SS", -2000)
        dataset.save_as(path)
        if 10 <= dataset.InstanceNumber < 25:
            path.unlink()
    import_study(session, tmp_path)
    assert {finding.code for block in session.case.study.blocks for finding in block.origin.findings} == {"gap", "padded"}
    assert "SECRET" not in repr(session.case)


def test_a_nifti_file_becomes_one_block(session: Session, tmp_path: Path) -> None:
    write_volume_file(tmp_path / "ct.nii.gz", slab(30.0))
    (block,) = import_study(session, tmp_path / "ct.nii.gz").blocks
    assert block.origin.kind == "nifti"
    np.testing.assert_allclose(np.array(block.affine), slab(30.0).affine.matrix, atol=1e-5)


def test_nothing_changes_when_a_file_cannot_be_read(session: Session, tmp_path: Path) -> None:
    before = session.case
    (tmp_path / "ct.nii.gz").write_text("no volume")
    with pytest.raises(InputDataError):
        import_study(session, tmp_path / "ct.nii.gz")
    assert session.case is before


def leg(folder: Path, turn: float = 1.0) -> dict[BoneName, Path]:
    """A tibia and a fibula of a right leg in LPS: the fibula to the right and behind. ``turn`` -1 mirrors."""
    shafts = {
        BoneName.TIBIA: cylinder(np.array([0.0, 0, -350]), np.array([0.0, 0, 0]), 18.0),
        BoneName.FIBULA: cylinder(np.array([-30.0 * turn, 20, -340]), np.array([-30.0 * turn, 20, -10]), 8.0),
    }
    for bone, mesh in shafts.items():
        write_stl(folder / f"{bone}.stl", mesh, "test")
    return {bone: folder / f"{bone}.stl" for bone in shafts}


def test_meshes_become_a_case(session: Session, tmp_path: Path) -> None:
    done = import_meshes(session, Side.RIGHT, leg(tmp_path))
    assert session.case.bones == (BoneId(Side.RIGHT, BoneName.TIBIA), BoneId(Side.RIGHT, BoneName.FIBULA))
    assert session.case.intake.side is Side.RIGHT
    tibia = session.store.load(done.bones[0].vertices)
    np.testing.assert_allclose(np.ptp(tibia, axis=0), [36.0, 36.0, 350.0], atol=0.1)


def test_ras_meshes_land_in_lps(session: Session, tmp_path: Path) -> None:
    done = import_meshes(session, Side.LEFT, {BoneName.FIBULA: leg(tmp_path)[BoneName.FIBULA]}, space="ras")
    centre = session.store.load(done.bones[0].vertices).mean(axis=0)
    np.testing.assert_allclose(centre, [30.0, -20.0, -175.0], atol=0.1)


def test_metres_are_taken_only_when_told(session: Session, tmp_path: Path) -> None:
    small = cylinder(np.array([0.0, 0, -350]), np.array([0.0, 0, 0]), 18.0)
    text = "\n".join(f"v {x / 1000:.7f} {y / 1000:.7f} {z / 1000:.7f}" for x, y, z in small.vertices)
    text += "\n" + "\n".join(f"f {a} {b} {c}" for a, b, c in small.faces + 1)
    (tmp_path / "tibia.obj").write_text(text)
    files = {BoneName.TIBIA: tmp_path / "tibia.obj"}
    with pytest.raises(InputDataError, match="mesh_size") as caught:
        import_meshes(session, Side.RIGHT, files)
    assert caught.value.parameters["likely"] == "m"
    done = import_meshes(session, Side.RIGHT, files, unit="m")
    np.testing.assert_allclose(np.ptp(session.store.load(done.bones[0].vertices), axis=0)[2], 350.0, atol=0.01)


@pytest.mark.parametrize(
    ("side", "turn", "space", "likely"),
    [
        (Side.LEFT, 1.0, "lps", "--side right"),
        (Side.RIGHT, -1.0, "lps", "--side left"),
        (Side.RIGHT, 1.0, "ras", "--space ras"),
    ],
)
def test_the_fibula_is_a_witness_of_the_side(
    session: Session, tmp_path: Path, side: Side, turn: float, space: str, likely: str
) -> None:
    with pytest.raises(InputDataError, match="mesh_side") as caught:
        import_meshes(session, side, leg(tmp_path, turn), space="ras" if space == "ras" else "lps")
    assert caught.value.file == str(tmp_path / "fibula.stl")
    if space == "lps":
        assert caught.value.parameters["likely"] == likely
