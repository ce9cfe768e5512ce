"""Model packs: read strictly, checked by hash and signature, and every refusal names pack, file and reason."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

from surgiplan_desktop.app.texts import load_texts
from surgiplan_desktop.base.errors import InputDataError, UsageError
from surgiplan_desktop.segmentation.inference.choose import settings_for
from surgiplan_desktop.segmentation.onnx_file import read_head
from surgiplan_desktop.segmentation.pack_check import file_problems, try_pack, verify_pack
from surgiplan_desktop.segmentation.packs import find_packs, pack_named, read_pack
from tests.helpers import tiny_onnx
from tests.helpers.tiny_pack import write_manifest, write_pack


def refusal(folder: Path, limit: int | None = None) -> InputDataError:
    """The error that a folder is refused with, its words filled with nothing missing, naming pack and file."""
    with pytest.raises(InputDataError) as caught:
        verify_pack(read_pack(folder), limit_bytes=limit)
    text, hint = load_texts("en", strict=True).error(caught.value)
    assert f"'{caught.value.parameters['pack']}'" in text
    assert str(caught.value.file) in text
    assert hint
    return caught.value


def test_a_pack_is_read_and_verified(tmp_path: Path) -> None:
    pack = read_pack(write_pack(tmp_path / "tiny"))
    verify_pack(pack)
    coarse, fine = pack.networks
    assert (pack.name, pack.licence, pack.classes) == ("tiny", "Apache-2.0", 3)
    assert (pack.tile_shape(coarse), pack.tile_shape(fine)) == ((1, 1, 8, 8, 8), (1, 3, 8, 12, 8))
    assert (coarse.normalisation.clip, fine.normalisation.kind, fine.guide) == ((-400.0, 1600.0), "image", "coarse")
    assert (pack.blending.what, pack.blending.temperature, pack.blending.mirrors) == ("probabilities", 1.5, ((), (2,)))
    assert [label.code for label in pack.labels] == [1, 2]
    assert len(pack.digest) == 64


def test_it_runs_and_says_by_what(tmp_path: Path) -> None:
    pack = read_pack(write_pack(tmp_path / "tiny"))
    trials = try_pack(pack, wish="cpu", compare=True, settings=settings_for())
    assert [(trial.network, trial.running.device) for trial in trials] == [("coarse", "cpu"), ("fine", "cpu")]
    assert all(trial.agreement is not None and trial.agreement >= 0.999 for trial in trials)
    assert all(trial.memory_bytes > 0 and len(trial.options) == 2 for trial in trials)


@pytest.mark.parametrize(
    ("change", "error", "field"),
    [
        ('licence = "Apache-2.0" => ', "pack_field_missing", "licence"),
        ('licence = "Apache-2.0" => licence = " "', "pack_field_missing", "licence"),
        ('intended_use = "tests of this program" => ', "pack_field_missing", "intended_use"),
        ("overlap = 0.25 => overlap = 0.25\nspeed = 1", "pack_field_unknown", "network[1].speed"),
        ("tile = [8, 12, 8] => tile = [8, 12]", "pack_field_wrong", "network[1].tile"),
        ("tile = [8, 12, 8] => tile = [8, 12, 100000]", "pack_field_wrong", "network[1].tile"),
        ("spacing_mm = [1.5, 1.5, 1.5] => spacing_mm = [1.5, nan, 1.5]", "pack_field_wrong", "network[1].spacing_mm"),
        ('guide = "coarse" => guide = "finest"', "pack_field_wrong", "network[1].guide"),
        ('axes = "SPL" => axes = "SIL"', "pack_field_wrong", "network[0].axes"),
        ('file = "fine.onnx" => file = "../fine.onnx"', "pack_field_wrong", "network[1].member[0].file"),
        ('file = "fine.onnx" => file = "/etc/passwd"', "pack_field_wrong", "network[1].member[0].file"),
        ("clip = [-400.0, 1600.0] => clip = [1600.0, -400.0]", "pack_field_wrong", "network[0].normalisation.clip"),
        ("mirrors = [[], [2]] => mirrors = [[3]]", "pack_field_wrong", "blending.mirrors"),
        ("temperature = 1.5 => temperature = 0", "pack_field_wrong", "calibration.temperature"),
        ("code = 2 => code = 1", "pack_field_wrong", "label.code"),
        ("code = 2 => code = true", "pack_field_wrong", "label[1].code"),
    ],
)
def test_a_wrong_manifest_is_refused_by_its_field(tmp_path: Path, change: str, error: str, field: str) -> None:
    refused = refusal(write_pack(tmp_path / "tiny", one=change))
    assert (refused.message_id, refused.parameters["field"]) == (error, field)


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ("schema = 1 => schema = 2", "pack_schema"),
        ("code = 2 => code = 102", "pack_code"),
        ("[[label]] => [[label", "pack_unreadable"),
    ],
)
def test_other_manifests_are_refused(tmp_path: Path, change: str, error: str) -> None:
    assert refusal(write_pack(tmp_path / "tiny", one=change)).message_id == error
    assert (
        read_pack(write_pack(tmp_path / "l", a='sides = "geometry" => sides = "labels"', b="code = 2 => code = 102")).classes == 3
    )


def test_a_changed_or_missing_file_is_refused(tmp_path: Path) -> None:
    folder = write_pack(tmp_path / "tiny")
    path = folder / "fine.onnx"
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + b"\x00")
    assert refusal(folder).message_id == "pack_hash"
    path.unlink()
    assert refusal(folder).message_id == "pack_file_missing"
    path.write_bytes(whole)
    (folder / "card.md").unlink()
    assert refusal(folder).message_id == "pack_file_missing"


def test_the_form_for_cards_is_checked_like_the_file_itself(tmp_path: Path) -> None:
    folder = write_pack(tmp_path / "tiny")
    (folder / "fine.half.onnx").write_bytes((folder / "fine.onnx").read_bytes())
    # one that the manifest does not name is not trusted
    assert refusal(folder).message_id == "pack_hash"
    digest = hashlib.sha256((folder / "fine.onnx").read_bytes()).hexdigest()
    write_manifest(folder, half=f'sha256 = "{digest}" => sha256 = "{digest}"\nhalf_sha256 = "{digest}"')
    verify_pack(read_pack(folder))
    (folder / "fine.half.onnx").unlink()
    assert refusal(folder).message_id == "pack_file_missing"


def test_every_truncation_of_a_network_is_refused(tmp_path: Path) -> None:
    folder = write_pack(tmp_path / "tiny")
    path = folder / "fine.onnx"
    whole = path.read_bytes()
    for length in range(0, len(whole) - 8, 23):
        path.write_bytes(whole[:length])
        with pytest.raises(ValueError, match=r"."):
            read_head(path)
    write_manifest(folder)
    assert refusal(folder).message_id == "pack_onnx_broken"
    random = np.random.default_rng(0)
    for _ in range(100):
        harmed = bytearray(whole)
        harmed[random.integers(len(whole))] = random.integers(256)
        path.write_bytes(harmed)
        try:
            read_head(path)
        except ValueError:
            continue


@pytest.mark.parametrize(
    ("weights", "more", "error"),
    [
        ((4, 3, 1, 1, 1), {"tile": (8, 12, 8)}, "pack_onnx_signature"),
        ((3, 2, 1, 1, 1), {}, "pack_onnx_signature"),
        ((3, 3, 1, 1, 1), {"tile": (8, 8, 8)}, "pack_onnx_signature"),
        ((3, 3, 1, 1, 1), {"kind": 10}, "pack_onnx_signature"),
        ((3, 3, 1, 1, 1), {"opset": 99}, "pack_onnx_opset"),
        ((3, 3, 1, 1, 1), {"domain": "com.maker"}, "pack_onnx_opset"),
    ],
)
def test_another_signature_is_refused(tmp_path: Path, weights: tuple[int, ...], more: dict[str, object], error: str) -> None:
    folder = write_pack(tmp_path / "tiny")
    tiny_onnx.classifier(folder / "fine.onnx", np.ones(weights), **more)
    write_manifest(folder)
    refused = refusal(folder)
    assert (refused.message_id, Path(str(refused.file)).name) == (error, "fine.onnx")


def test_external_weights_and_foreign_operators_are_refused(tmp_path: Path) -> None:
    folder = write_pack(tmp_path / "tiny")
    path = folder / "fine.onnx"
    conv = tiny_onnx.node("Conv", ["image", "w"], "logits", kernel_shape=[1] * 3)
    outside = tiny_onnx.tensor("w", np.ones((3, 3, 1, 1, 1), np.float32)) + tiny_onnx.field(14, 1)
    axes = (1, 3, *tiny_onnx.AXES)
    path.write_bytes(tiny_onnx.model([conv], [outside], axes, axes))
    write_manifest(folder)
    assert refusal(folder).message_id == "pack_onnx_external"
    foreign = tiny_onnx.field(8, tiny_onnx.field(1, "com.maker") + tiny_onnx.field(2, 1))
    path.write_bytes(tiny_onnx.model([conv], [tiny_onnx.tensor("w", np.ones((3, 3, 1, 1, 1), np.float32))], axes, axes) + foreign)
    write_manifest(folder)
    assert refusal(folder).message_id == "pack_onnx_domain"


def test_a_model_that_asks_for_a_hundred_gigabytes_is_refused_before_it_runs(tmp_path: Path) -> None:
    folder = write_pack(tmp_path / "tiny", out="tile = [8, 8, 8] => tile = [64, 64, 64]", two='name = "tibia" => name = "x"')
    tiny_onnx.huge(folder / "coarse.onnx", channels=100_000)
    one = '[[label]]\nname = "x"\ncode = 2\n => '
    changes = {"a": "tile = [8, 8, 8] => tile = [64, 64, 64]", "b": 'name = "tibia" => name = "x"', "c": one}
    tiny_onnx.classifier(folder / "fine.onnx", np.ones((2, 2, 1, 1, 1)))
    write_manifest(folder, **changes)
    refused = refusal(folder, limit=8 << 30)
    assert refused.message_id == "pack_memory"
    assert refused.parameters["need_mib"] > 100 * 1024


def test_a_network_whose_answer_is_not_what_it_says_is_refused(tmp_path: Path) -> None:
    folder = write_pack(tmp_path / "tiny")
    # its head leaves the sizes open, so only a run shows that it gives four classes
    weights = [tiny_onnx.tensor("w", np.ones((4, 3, 1, 1, 1), np.float32))]
    conv = tiny_onnx.node("Conv", ["image", "w"], "logits", kernel_shape=[1] * 3)
    path = folder / "fine.onnx"
    path.write_bytes(tiny_onnx.model([conv], weights, [1, 3, *tiny_onnx.AXES], [1, "classes", *tiny_onnx.AXES]))
    write_manifest(folder)
    pack = read_pack(folder)
    assert list(file_problems(pack)) == []
    with pytest.raises(InputDataError) as caught:
        try_pack(pack, wish="cpu")
    assert caught.value.message_id == "pack_onnx_runs_wrong"
    assert "1 x 4 x" in str(caught.value.parameters["problem"])


def test_packs_are_found_and_a_broken_one_is_told(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    write_pack(one / "models" / "tiny", version='version = "1.0.0" => version = "2.0.0"')
    write_pack(two / "models" / "tiny")
    write_pack(two / "models" / "odd", one="schema = 1 => schema = 0")
    packs, problems = find_packs((one, two))
    assert [(pack.name, pack.version) for pack in packs] == [("tiny", "2.0.0")]
    assert [(error.message_id, error.parameters["pack"]) for error in problems] == [("pack_schema", "odd")]
    with pytest.raises(UsageError):
        pack_named((one,), "leg")
    with pytest.raises(InputDataError):
        pack_named((one, two), "odd")
