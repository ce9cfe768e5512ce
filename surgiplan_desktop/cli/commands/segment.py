"""``surgiplan segment CASE``: find the bones."""

from __future__ import annotations

import argparse

from surgiplan_desktop.app.describe_quality import quality_data, quality_lines
from surgiplan_desktop.app.run_segmentation import segment
from surgiplan_desktop.app.texts import Texts
from surgiplan_desktop.base.errors import UsageError
from surgiplan_desktop.cli.command import Command, Outcome
from surgiplan_desktop.cli.console import Console
from surgiplan_desktop.cli.session import add_case_argument, open_for_command
from surgiplan_desktop.model.case import SegmentationRun
from surgiplan_desktop.model.study import Finding
from surgiplan_desktop.planning.graph import scan_quality_key
from surgiplan_desktop.segmentation.bones import BoneLabelling


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    add_case_argument(parser)
    parser.add_argument("--model", metavar="NAME", help="a model pack (none is in this version)")
    parser.add_argument("--no-ai", action="store_true", help="find the bones by threshold and anatomy, without a model")
    parser.add_argument(
        "--device", choices=("auto", "cpu", "cuda"), default="auto", help="where a model runs; without one always cpu"
    )


def _run(arguments: argparse.Namespace, console: Console) -> Outcome:
    if arguments.model is not None:
        raise UsageError("not_in_this_version", command="segment --model")
    if not arguments.no_ai:
        raise UsageError("no_model_installed")
    if arguments.device == "cuda":
        raise UsageError("device_without_model", device=arguments.device)
    with open_for_command(console, arguments.case) as session:
        found = segment(session, progress=console)
        run = session.case.segmentation
        if run is None:
            raise AssertionError("a segmentation was just applied")
        quality = session.require(scan_quality_key())[0]
    data: dict[str, object] = {
        "bones": _bones(found, console.texts),
        "model": None,
        "method": run.method,
        "provider": run.provider,
        "seconds": run.seconds,
        "findings": [_finding(item, console.texts) for item in _general(run, found)],
        "scan_quality": quality_data(quality, console.texts),
        "files": [str(arguments.case.resolve())],
    }
    return Outcome(data, (*_lines(found, run, console.texts), *quality_lines(quality, console.texts)))


def _bones(found: BoneLabelling, texts: Texts) -> list[dict[str, object]]:
    return [
        {
            "id": str(bone.id),
            "label": bone.label,
            "side": str(bone.id.side),
            "volume_mm3": bone.volume_mm3,
            "touches_edge": bone.touches_edge,
            "findings": [_finding(item, texts) for item in bone.findings],
        }
        for bone in found.bones
    ]


def _general(run: SegmentationRun, found: BoneLabelling) -> list[Finding]:
    of_bones = {item for bone in found.bones for item in bone.findings}
    return [item for item in run.findings if item not in of_bones]


def _finding(finding: Finding, texts: Texts) -> dict[str, object]:
    return {"code": finding.code, "severity": finding.severity, "text": texts.finding(finding)}


def _lines(found: BoneLabelling, run: SegmentationRun, texts: Texts) -> tuple[str, ...]:
    lines = [
        texts.text("ui.bone_line", bone=f"{str(bone.id).replace('_', ' '):<16}", label=bone.label, ml=bone.volume_mm3 / 1000.0)
        for bone in found.bones
    ]
    return (*lines, *(f"  {item.severity}: {texts.finding(item)}" for item in run.findings))


COMMAND = Command(
    name="segment",
    summary="Finds and names the bones of the scan in a case.",
    example="surgiplan segment case.surgiplan --no-ai",
    add_arguments=_add_arguments,
    run=_run,
)
