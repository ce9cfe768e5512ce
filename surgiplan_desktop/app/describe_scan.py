"""What a scan found, as plain data for ``scan --json`` and as lines for a person. Names no patient."""

from __future__ import annotations

from pathlib import Path

from surgiplan_desktop.app.import_study import choose
from surgiplan_desktop.app.texts import Texts
from surgiplan_desktop.base.errors import SurgiPlanError
from surgiplan_desktop.imaging.dicom_scan import ScanResult, Series
from surgiplan_desktop.imaging.repair_plan import RepairPlan
from surgiplan_desktop.imaging.sources import Sources
from surgiplan_desktop.imaging.volume_files import volume_info
from surgiplan_desktop.model.case import Case
from surgiplan_desktop.model.study import Repair


def scan_data(result: ScanResult, texts: Texts) -> dict[str, object]:
    """Return the object of ``scan --json`` (docs/cli.md): series and rejected files, absolute file names."""
    with Sources(result.path) as sources:
        return {
            "series": [_series_data(series, sources, texts) for series in result.series],
            "rejected": [
                {"file": sources.full_name(item.name), "reason": texts.text(f"reason.{item.reason}")} for item in result.rejected
            ],
        }


def volume_file_data(path: Path, texts: Texts) -> dict[str, object]:
    """Return the same object for a NIfTI, NRRD or MetaImage file; raises InputDataError where it is none."""
    info = volume_info(path)
    series = {
        "uid": "",
        "description": path.name,
        "modality": "CT",
        "slices": info.size[2],
        "size": list(info.size),
        "spacing_mm": list(info.spacing_mm),
        "transfer_syntax": info.kind,
        "verdict": info.verdict,
        "findings": [{"code": item.code, "text": texts.finding(item), "files": [str(path.absolute())]} for item in info.findings],
        "blocks": [],
        "linked": [],
    }
    return {"series": [series], "rejected": []}


def volume_file_lines(path: Path, texts: Texts) -> tuple[str, ...]:
    """Return the same for a person."""
    info = volume_info(path)
    size, spacing = " x ".join(map(str, info.size)), " x ".join(f"{value:.4g}" for value in info.spacing_mm)
    title = texts.text("ui.volume_file", name=path.name, size=size, spacing=spacing)
    return (f"{info.verdict.upper():<11}{title}", *(f"{'':<11}{item.code}: {texts.finding(item)}" for item in info.findings))


def scan_lines(result: ScanResult, texts: Texts) -> tuple[str, ...]:
    """Return the lines for a person: each series with verdict, size and findings, then the files left aside by reason."""
    lines: list[str] = []
    for series in result.series:
        title = series.description or texts.text("ui.scan_no_description")
        lines.append(f"{series.verdict.upper():<11}{series.first.modality or '-'}  {title}  [{series.uid}]")
        lines += [f"{'':<11}{line}" for line in _details(series, texts)]
        if series.verdict == "refused":
            lines.append(f"{'':<11}{texts.text('ui.scan_ask', what=what_to_ask(result, series, texts))}")
    for reason in dict.fromkeys(item.reason for item in result.rejected):
        names = [item.name for item in result.rejected if item.reason == reason]
        shown = ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
        told = texts.text(f"reason.{reason}")
        lines.append(texts.text("ui.scan_left_aside", count=len(names), reason=told, names=shown))
    return tuple(lines)


def repair_words(plan: RepairPlan, texts: Texts) -> str:
    """Say in a sentence what would be done to the series."""
    return texts.text(f"ui.repair_{plan.kind}", **dict(plan.parameters))


def repaired_words(repair: Repair, texts: Texts) -> str:
    """Say in a sentence what was done to a block, and the error that it left."""
    return texts.text(f"ui.repaired_{repair.kind}", **dict(repair.parameters))


def case_repairs(case: Case, texts: Texts) -> tuple[str, ...]:
    """Say in a sentence each what was repaired when the blocks of a case were imported, and the error that it left."""
    blocks = case.study.blocks if case.study else ()
    return tuple(
        texts.text("ui.import_repaired", number=number, repair=repaired_words(repair, texts))
        for number, block in enumerate(blocks, start=1)
        for repair in block.origin.repairs
    )


def proposal_words(series: Series, texts: Texts) -> str:
    """Say why a series is proposed; empty where it is not."""
    return _reasons(series, texts) if series.proposed else ""


def what_to_ask(result: ScanResult, series: Series, texts: Texts) -> str:
    """Return what to ask for, by the error that taking the series as it is would raise."""
    try:
        choose(result, [series.uid])
    except SurgiPlanError as error:
        code = error.message_id.removeprefix("refused_")
        return texts.text(f"ui.ask_{code}") if texts.has(f"ui.ask_{code}") else texts.error(error)[1]
    return ""


def _reasons(series: Series, texts: Texts) -> str:
    return ", ".join(texts.text(f"label.series_{reason}") for reason in series.reason)


def _details(series: Series, texts: Texts) -> list[str]:
    spacing = " x ".join("?" if value is None else f"{value:.4g}" for value in series.spacing_mm)
    size = f"{series.first.columns} x {series.first.rows}"
    lines = [texts.text("ui.scan_size", slices=series.slices, size=size, spacing=spacing, encoding=series.encoding)]
    lines += [f"{finding.code}: {texts.finding(finding)}" for finding in series.findings]
    if len(series.blocks) > 1:
        lines += [texts.text("ui.scan_block", low=low, high=high) for low, high in reversed(series.heights_mm)]
    lines += [texts.text("ui.scan_repair", repair=repair_words(repair, texts)) for repair in series.repairs]
    if series.reason:
        told = "ui.scan_proposed" if series.proposed else "ui.scan_not_proposed"
        lines.append(texts.text(told, reasons=_reasons(series, texts)))
    if series.linked:
        lines.append(texts.text("ui.scan_linked", uids=", ".join(series.linked)))
    return lines


def _series_data(series: Series, sources: Sources, texts: Texts) -> dict[str, object]:
    return {
        "uid": series.uid,
        "description": series.description,
        "modality": series.first.modality,
        "slices": series.slices,
        "size": [series.first.columns, series.first.rows, series.slices],
        "spacing_mm": list(series.spacing_mm),
        "transfer_syntax": series.first.transfer_syntax,
        "verdict": series.verdict,
        "findings": [
            {"code": item.code, "text": texts.finding(item), "files": [sources.full_name(name) for name in item.files]}
            for item in series.findings
        ],
        "blocks": [
            {"slices": len(block), "z_mm": [low, high]}
            for block, (low, high) in zip(series.blocks, series.heights_mm, strict=True)
        ],
        "linked": list(series.linked),
        "proposed": series.proposed,
        "reason": list(series.reason),
        "repairs": [
            {"kind": item.kind, "text": repair_words(item, texts), "files": [sources.full_name(name) for name in item.files]}
            for item in series.repairs
        ],
    }
