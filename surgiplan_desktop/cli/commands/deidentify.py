"""``surgiplan deidentify PATH -o DIR``: a copy of a study without the person (DICOM PS3.15, basic profile)."""

from __future__ import annotations

import argparse
from pathlib import Path

from surgiplan_desktop.app.deidentify_copy import deidentify_copy
from surgiplan_desktop.cli.command import Command, Outcome
from surgiplan_desktop.cli.console import Console


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("path", metavar="PATH", type=Path, help="a folder, zip or DICOM file")
    parser.add_argument("-o", "--output", metavar="DIR", type=Path, required=True, help="the folder to be made")
    parser.add_argument(
        "--case-code", metavar="CODE", default="", help="what stands for the patient (default: made from a secret)"
    )
    parser.add_argument(
        "--key",
        metavar="FILE",
        type=Path,
        help="secret that makes copies fit together (made when absent; keep it with the original)",
    )


def _run(arguments: argparse.Namespace, console: Console) -> Outcome:
    done = deidentify_copy(arguments.path, arguments.output, code=arguments.case_code, key_file=arguments.key, progress=console)
    texts, copy = console.texts, done.copy
    left_out = [{"file": item.name, "reason": item.reason, "text": texts.text(f"reason.{item.reason}")} for item in copy.left_out]
    data: dict[str, object] = {
        "folder": str(done.folder),
        "codes": list(copy.codes),
        "left_out": left_out,
        "pixels_unchecked": copy.unchecked_pixels,
        "files": [str(done.folder / name) for name in copy.files],
    }
    lines = [texts.text("ui.deidentify_done", count=len(copy.files), folder=str(done.folder), codes=", ".join(copy.codes))]
    lines += [texts.text("ui.deidentify_left_out", file=str(item["file"]), reason=str(item["text"])) for item in left_out]
    if copy.unchecked_pixels:
        lines.append(texts.text("ui.deidentify_unchecked", count=copy.unchecked_pixels))
    return Outcome(data, tuple(lines))


COMMAND = Command(
    name="deidentify",
    summary="A copy of a study without the person: DICOM PS3.15 basic profile, UIDs and dates changed, private tags removed.",
    example="surgiplan deidentify /media/cdrom -o study-without-name --case-code K7QX2M",
    add_arguments=_add_arguments,
    run=_run,
)
