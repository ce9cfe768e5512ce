"""``surgiplan segment CASE``: find the bones."""

from __future__ import annotations

import argparse

from surgiplan_desktop.app.describe_quality import quality_data, quality_lines
from surgiplan_desktop.app.propose_segmentation import proposed_way, stated
from surgiplan_desktop.app.run_segmentation import WITHOUT_AI, segment
from surgiplan_desktop.app.texts import Texts
from surgiplan_desktop.base.errors import UsageError
from surgiplan_desktop.cli.command import Command, Outcome
from surgiplan_desktop.cli.console import Console
from surgiplan_desktop.cli.session import add_case_argument, open_for_command
from surgiplan_desktop.model.case import SegmentationRun
from surgiplan_desktop.model.study import Finding
from surgiplan_desktop.planning.graph import scan_quality_key
from surgiplan_desktop.segmentation.bones import BoneLabelling
from surgiplan_desktop.segmentation.leg_model import ModelLabelling


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    add_case_argument(parser)
    parser.add_argument(
        "--model", metavar="NAME", help="a model pack; without it the proposed way, which is said with its reason"
    )
    parser.add_argument("--no-ai", action="store_true", help="find the bones by threshold and anatomy, without a model")
    parser.add_argument(
        "--device",
        choices=("auto", "cpu", "cuda", "tensorrt", "gpu"),
        default="auto",
        help="where a model runs; without one always cpu",
    )


def _run(arguments: argparse.Namespace, console: Console) -> Outcome:
    if arguments.no_ai and arguments.model is not None:
        raise UsageError("model_and_no_ai", model=arguments.model)
    if arguments.no_ai and arguments.device not in ("auto", "cpu"):
        raise UsageError("device_without_model", device=arguments.device)
    texts = console.texts
    with open_for_command(console, arguments.case) as session:
        proposal = proposed_way(session)
        model = WITHOUT_AI if arguments.no_ai else arguments.model or proposal.model
        reason = texts.text(proposal.reason, **dict(proposal.parameters))
        if not arguments.no_ai and arguments.model is None:
            console.say(reason)
        if model != WITHOUT_AI:
            console.say(stated(session, model, texts))
        found = segment(session, model=model, device=arguments.device, progress=console)
        run = session.case.segmentation
        if run is None:
            raise AssertionError("a segmentation was just applied")
        quality = session.require(scan_quality_key())[0]
    data: dict[str, object] = {
        "bones": _bones(found, texts),
        "model": run.model or None,
        "model_version": run.model_version or None,
        "licence": run.licence or None,
        "method": run.method,
        "provider": run.provider,
        "seconds": run.seconds,
        "memory_mib": run.peak_mib or None,
        "likeness": run.likeness,
        "proposed": {"model": proposal.model or None, "reason": reason},
        "findings": [_finding(item, texts) for item in _general(run, found)],
        "scan_quality": quality_data(quality, texts),
        "files": [str(arguments.case.resolve())],
    }
    return Outcome(data, (*_lines(found, run, texts), *quality_lines(quality, texts)))


def _bones(found: BoneLabelling | ModelLabelling, texts: Texts) -> list[dict[str, object]]:
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


def _general(run: SegmentationRun, found: BoneLabelling | ModelLabelling) -> list[Finding]:
    of_bones = {item for bone in found.bones for item in bone.findings}
    return [item for item in run.findings if item not in of_bones]


def _finding(finding: Finding, texts: Texts) -> dict[str, object]:
    return {"code": finding.code, "severity": finding.severity, "text": texts.finding(finding)}


def _lines(found: BoneLabelling | ModelLabelling, run: SegmentationRun, texts: Texts) -> tuple[str, ...]:
    lines = [
        texts.text("ui.bone_line", bone=f"{str(bone.id).replace('_', ' '):<16}", label=bone.label, ml=bone.volume_mm3 / 1000.0)
        for bone in found.bones
    ]
    if run.model:
        told = texts.text(
            "ui.segmented_by", model=run.model, version=run.model_version, provider=run.provider, seconds=run.seconds
        )
        lines.append(told)
    return (*lines, *(f"  {item.severity}: {texts.finding(item)}" for item in run.findings))


COMMAND = Command(
    name="segment",
    summary="Finds and names the bones of the scan in a case.",
    example="surgiplan segment case.surgiplan --model leg-ct",
    add_arguments=_add_arguments,
    run=_run,
)
