"""``surgiplan import PATH -o CASE``: a scan into a new case."""

from __future__ import annotations

import argparse
from datetime import date
from itertools import product
from pathlib import Path

import numpy as np

from surgiplan_desktop.app.describe_quality import quality_data, quality_lines
from surgiplan_desktop.app.describe_scan import repaired_words
from surgiplan_desktop.app.import_study import LoadedStudy, import_study
from surgiplan_desktop.app.texts import Texts
from surgiplan_desktop.base.spaces import Affine
from surgiplan_desktop.cli.command import Command, Outcome
from surgiplan_desktop.cli.console import Console
from surgiplan_desktop.cli.films import add_film_arguments, refuse_film_options, run_film
from surgiplan_desktop.cli.session import add_force_argument, check_case_output, new_for_command
from surgiplan_desktop.imaging.films import film_at
from surgiplan_desktop.model.anatomy import Side
from surgiplan_desktop.model.case import Intake
from surgiplan_desktop.model.study import VolumeBlock
from surgiplan_desktop.planning.graph import scan_quality_key


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("path", metavar="PATH", type=Path, help="folder, zip, DICOMDIR, or a DICOM, NIfTI, NRRD or MHA file")
    parser.add_argument("-o", "--output", metavar="CASE", type=Path, required=True, help="the case file to be made")
    parser.add_argument(
        "--series",
        metavar="UID",
        action="append",
        nargs="+",
        default=[],
        help="take these series (default: all that belong together)",
    )
    parser.add_argument("--accept-repair", action="store_true", help="consent to the repairs that scan proposes")
    parser.add_argument("--side", choices=[side.value for side in Side], help="the side to be operated, from the request")
    parser.add_argument("--procedure", metavar="NAME", help="the operation, from the request")
    parser.add_argument(
        "--operation-date", metavar="YYYY-MM-DD", type=_day, help="from the request; the scan must not be too old on that day"
    )
    parser.add_argument(
        "--keep-identifiers", action="store_true", help="keep name, ID and date of birth in the case (default: a code alone)"
    )
    add_film_arguments(parser)
    add_force_argument(parser)


def _run(arguments: argparse.Namespace, console: Console) -> Outcome:
    film = film_at(arguments.path)
    if film is not None:
        return run_film(film, arguments, console)
    refuse_film_options(arguments)
    side = Side(arguments.side) if arguments.side else None
    uids = [uid for group in arguments.series for uid in group]
    output = check_case_output(arguments.output, arguments.force)
    with new_for_command(console, arguments.output, arguments.force) as session:
        loaded = import_study(
            session,
            arguments.path,
            series=uids,
            accept_repair=arguments.accept_repair,
            intake=Intake(side=side, procedure=arguments.procedure, operation_date=arguments.operation_date),
            keep_identifiers=arguments.keep_identifiers,
            progress=console,
        )
        quality = session.require(scan_quality_key())[0]
    data = {**_data(loaded, output, side, console.texts), "scan_quality": quality_data(quality, console.texts)}
    return Outcome(data, (*_lines(loaded, console.texts), *quality_lines(quality, console.texts)))


def _day(text: str) -> str:
    """An ISO day as typed; argparse tells what is none."""
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no day such as 2026-03-31") from error


def _data(loaded: LoadedStudy, output: Path, side: Side | None, texts: Texts) -> dict[str, object]:
    return {
        "case": str(output),
        "code": loaded.code,
        "side": side,
        "series": list(loaded.series),
        "left_out": list(loaded.left_out),
        "blocks": [
            {
                "slices": block.shape[0],
                "size": [block.shape[2], block.shape[1], block.shape[0]],
                "spacing_mm": [float(value) for value in Affine(np.array(block.affine)).spacing[::-1]],
                "z_mm": list(_z_range(block)),
                "series": list(block.origin.series_uids),
                "repairs": [
                    {
                        "kind": item.kind,
                        "text": repaired_words(item, texts),
                        "stretches": [list(run) for run in item.stretches],
                    }
                    for item in block.origin.repairs
                ],
            }
            for block in loaded.blocks
        ],
        "scouts": len(loaded.scouts),
        "findings": [{"code": item.code, "severity": item.severity, "text": texts.finding(item)} for item in loaded.findings],
        "files": [str(output)],
    }


def _lines(loaded: LoadedStudy, texts: Texts) -> tuple[str, ...]:
    lines = [texts.text("ui.import_case", code=loaded.code, count=len(loaded.blocks), series=max(len(loaded.series), 1))]
    for number, block in enumerate(loaded.blocks, start=1):
        size = " x ".join(str(count) for count in reversed(block.shape))
        spacing = " x ".join(f"{value:.4g}" for value in Affine(np.array(block.affine)).spacing[::-1])
        low, high = _z_range(block)
        lines.append(texts.text("ui.import_block", number=number, size=size, spacing=spacing, low=low, high=high))
    lines += [
        texts.text("ui.import_repaired", number=number, repair=repaired_words(repair, texts))
        for number, block in enumerate(loaded.blocks, start=1)
        for repair in block.origin.repairs
    ]
    if loaded.scouts:
        lines.append(texts.text("ui.import_scouts", count=len(loaded.scouts)))
    lines += [texts.text("ui.import_taken", uid=uid) for uid in loaded.series]
    lines += [texts.text("ui.import_left_out", uid=uid) for uid in loaded.left_out]
    lines += [f"{item.code}: {texts.finding(item)}" for item in loaded.findings]
    return tuple(lines)


def _z_range(block: VolumeBlock) -> tuple[float, float]:
    corners = np.array(list(product(*((0.0, count - 1.0) for count in block.shape))))
    heights = Affine(np.array(block.affine))(corners)[:, 2]
    return float(heights.min()), float(heights.max())


COMMAND = Command(
    name="import",
    summary="A scan (DICOM, NIfTI, NRRD, MHA) into a new case; or a standing film into a new case or beside what a case holds.",
    example="surgiplan import /media/cdrom --side right --procedure 'opening wedge HTO' -o case.surgiplan",
    add_arguments=_add_arguments,
    run=_run,
)
