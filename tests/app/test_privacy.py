"""A patient's name, numbers and dates, planted in every slice, are found in nothing that the program writes or says."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pydicom
import pytest

from surgiplan_desktop.app import make_report
from surgiplan_desktop.app.export_plan import export
from surgiplan_desktop.app.make_report import write_report
from surgiplan_desktop.cli.main import run
from surgiplan_desktop.imaging.dicom_scan import scan_folder
from surgiplan_desktop.imaging.dicom_write import write_ct_series
from surgiplan_desktop.imaging.identity import folded, patient_digest, read_patient, without_person
from surgiplan_desktop.model.anatomy import Side
from surgiplan_desktop.model.case import Patient
from surgiplan_desktop.model.edits import set_patient
from surgiplan_desktop.scene.snapshot import Pictures
from tests.helpers.guide_session import guide_session
from tests.segmentation.toy_leg import toy_leg

NAME, NUMBER, BIRTH = "Quixanoğlu^Zéphyrine", "TC77665544332", "19380417"
PLANTED = ("quixano", "phyrine", "77665544332", BIRTH, "vorsky", "acc4711")


def tokens_in(data: bytes) -> set[str]:
    texts = [data.decode(encoding, errors="replace").casefold() for encoding in ("utf-8", "latin-1", "utf-16-le")]
    return {token for token in PLANTED if any(token in text for text in texts)}


def everything_below(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Yield names and bytes of all files, archives and compressed streams opened."""
    for path in sorted(folder.rglob("*")):
        yield f"{path}: its name", path.name.encode()
        if not path.is_file():
            continue
        data = path.read_bytes()
        yield str(path), data
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                for member in archive.namelist():
                    yield f"{path}/{member}", member.encode() + archive.read(member)
        if path.suffix == ".pdf":
            for stream in re.findall(rb"stream\r?\n(.*?)endstream", data, re.DOTALL):
                try:
                    yield f"{path}: a stream", zlib.decompress(stream)
                except zlib.error:
                    continue


def found_below(folder: Path) -> dict[str, set[str]]:
    return {place: tokens_in(data) for place, data in everything_below(folder) if tokens_in(data)}


@pytest.fixture
def named_scan(tmp_path: Path) -> Path:
    """A scan whose every slice names patient, physician and order, also in the description of the series."""
    folder = tmp_path / "in"
    volume = toy_leg(Side.RIGHT).volume
    for path in write_ct_series(volume, folder, description="KNEE Quixanoglu", patient_name=NAME, patient_id=NUMBER):
        dataset = pydicom.dcmread(path)
        dataset.PatientBirthDate, dataset.ReferringPhysicianName, dataset.AccessionNumber = BIRTH, "Vorsky^Ivan", "ACC4711"
        dataset.add_new((0x0029, 0x0010), "LO", f"{NAME} {NUMBER}")
        dataset.save_as(path)
    return folder


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str]]:
    """Run a command and give exit code and all that it said."""

    def answer(*arguments: object) -> tuple[int, str]:
        code = run([str(item) for item in arguments])
        told = capsys.readouterr()
        return code, told.out + told.err

    return answer


def test_nothing_names_the_patient(
    named_scan: Path, tmp_path: Path, user_folder: Path, say: Callable[..., tuple[int, str]]
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    case = out / "case.surgiplan"
    damaged = tmp_path / "damaged"
    shutil.copytree(named_scan, damaged)
    files = sorted(damaged.iterdir())
    files[5].write_bytes(files[5].read_bytes()[:-100])
    other = pydicom.dcmread(files[9])
    other.PatientID = NUMBER + "1"
    other.save_as(files[9])
    said = [
        (0, say("scan", named_scan, "--json")),
        (0, say("scan", damaged)),
        (2, say("import", damaged, "-o", out / "no.surgiplan")),
        (0, say("import", named_scan, "-o", case, "--side", "right")),
        (2, say("import", named_scan, "-o", out / "two.surgiplan", "--series", "1.2.3")),
        (0, say("segment", case, "--no-ai", "--json")),
        (0, say("measure", case)),
        (0, say("side", case)),
        (0, say("export", case, "bones", "-f", "stl", "-o", out / "stl")),
        (0, say("export", case, "labels", "-f", "nifti", "-o", out / "labels")),
        (0, say("deidentify", named_scan, "-o", out / "copy")),
        (2, say("report", case, "-o", out / "plan.pdf")),
    ]
    for number, (wanted, (code, words)) in enumerate(said):
        assert code == wanted, (number, words)
        assert tokens_in(words.encode()) == set(), words
    assert found_below(out) == {}
    assert found_below(user_folder) == {}
    with zipfile.ZipFile(case) as archive:
        assert json.loads(archive.read("case.json"))["patient"] is None


def test_identifiers_are_kept_on_request_and_only_in_the_case(
    named_scan: Path, tmp_path: Path, user_folder: Path, say: Callable[..., tuple[int, str]]
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    case = out / "case.surgiplan"
    code, words = say("import", named_scan, "-o", case, "--keep-identifiers")
    assert code == 0
    assert tokens_in(words.encode()) == set()
    with zipfile.ZipFile(case) as archive:
        kept = json.loads(archive.read("case.json"))["patient"]
    assert kept == {"birth_date": BIRTH, "name": "Quixanoğlu Zéphyrine", "patient_id": NUMBER}
    assert found_below(user_folder) == {}


def test_a_kept_patient_is_on_the_report_and_in_no_other_export(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(make_report, "take_pictures", lambda _shots: Pictures((), "no EGL here"))
    out = tmp_path / "out"
    known = Patient("Quixanoğlu Zéphyrine", NUMBER, BIRTH)
    with guide_session(tmp_path / "user") as session:
        session.apply("Keep patient", lambda case: set_patient(case, known))
        export(session, "all", "stl", out, mesh_only_acknowledged=True)
        paper = write_report(session, tmp_path / "plan.pdf")
        session.apply("Forget patient", lambda case: set_patient(case, None))
        without = write_report(session, tmp_path / "none.pdf")
    assert found_below(out) == {}
    if shutil.which("pdftotext") is not None:
        words = [subprocess.run(["pdftotext", path, "-"], capture_output=True, check=True).stdout for path in (paper, without)]
        assert NUMBER.encode() in words[0]
        assert "Quixanoğlu".encode() in words[0]
        assert tokens_in(words[1]) == set()


# ---- who is who


@pytest.mark.parametrize(
    "other",
    [
        "QUIXANOGLU^ZEPHYRINE", "Quixanoğlu Zéphyrine", "quixanoğlu^zéphyrine^^", " Quixanoğlu^Zéphyrine ",
        "QUİXANOĞLU^ZÉPHYRINE",
    ],
)  # fmt: skip
def test_one_person_written_in_other_ways_is_one_person(other: str) -> None:
    assert patient_digest("tc1 ", other, "") == patient_digest("TC1", NAME, "")


def test_what_is_another_person() -> None:
    me = patient_digest(NUMBER, NAME, BIRTH)
    assert folded("Müller") == folded("MUELLER") == folded("Muller")
    for other in ((NUMBER, "Somebody^Else", BIRTH), (NUMBER, NAME, "19380418"), (NUMBER + "0", NAME, BIRTH), ("", NAME, BIRTH)):
        assert patient_digest(*other) != me


def series_with(tmp_path: Path, change: Callable[[pydicom.Dataset], None]) -> dict:
    """Scan ten slices of one patient of which three were changed."""
    volume = toy_leg(Side.RIGHT).volume
    short = replace(volume, array=volume.array[:10])
    paths = write_ct_series(short, tmp_path / "ct", patient_name="Yılmaz^Ayşe", patient_id="4711")
    for path in paths[:3]:
        dataset = pydicom.dcmread(path)
        change(dataset)
        dataset.save_as(path)
    found = scan_folder(tmp_path / "ct").series
    return {"parts": len(found), "codes": {item.code for series in found for item in series.findings}}


def in_latin_5(dataset: pydicom.Dataset) -> None:
    dataset.SpecificCharacterSet = "ISO_IR 148"
    dataset.PatientName = "YILMAZ^AYŞE"


@pytest.mark.parametrize("change", [in_latin_5, lambda dataset: setattr(dataset, "PatientName", "yilmaz ayse")])
def test_other_letters_do_not_tear_a_series(tmp_path: Path, change: Callable[[pydicom.Dataset], None]) -> None:
    assert series_with(tmp_path, change) == {"parts": 1, "codes": set()}


@pytest.mark.parametrize(
    ("keyword", "value"),
    [("PatientName", "Somebody^Else"), ("PatientBirthDate", "19620101"), ("PatientID", "4712"), ("PatientID", "")],
)
def test_another_patient_in_a_series_is_refused(tmp_path: Path, keyword: str, value: str) -> None:
    told = series_with(tmp_path, lambda dataset: setattr(dataset, keyword, value))
    assert "identity_conflict" in told["codes"]


def test_patients_without_any_identifier_are_one(tmp_path: Path) -> None:
    volume = replace(toy_leg(Side.RIGHT).volume, array=toy_leg(Side.RIGHT).volume.array[:10])
    (first, *_) = write_ct_series(volume, tmp_path / "ct", patient_name="", patient_id="")
    (found,) = scan_folder(tmp_path / "ct").series
    assert found.verdict == "ok"
    with first.open("rb") as stream:
        assert read_patient(stream) == Patient("", "", "")


def test_a_description_that_names_the_patient_is_dropped() -> None:
    assert without_person("KNEE 1.0 B60", "Yılmaz^Ayşe", "4711") == "KNEE 1.0 B60"
    assert without_person("knee YILMAZ", "Yılmaz^Ayşe", "4711") == ""
    assert without_person("knee 4711/2", "", "4711") == ""
    assert without_person("Li left", "Li^Wei", "1") == "Li left"
