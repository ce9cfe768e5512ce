"""Put headers together to series, take apart what cannot be one volume, and say what is wrong with each."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

from surgiplan_desktop.base.progress import SILENT, Progress
from surgiplan_desktop.imaging.dicom_header import SliceHeader
from surgiplan_desktop.imaging.dicom_write import derived_uid
from surgiplan_desktop.imaging.repair_plan import RepairLimits, plan_repairs
from surgiplan_desktop.imaging.series import Series, file_names
from surgiplan_desktop.imaging.slice_stack import Stack, StackFinding, stack_slices
from surgiplan_desktop.imaging.splitting import has_directions, is_scout, kernel_key, split_acquisitions, split_stacks
from surgiplan_desktop.model.study import Finding

_FILM_MODALITIES: Final = frozenset({"CR", "DX", "RF", "XA", "RG", "MG", "PX", "IO"})
_SECONDARY_CAPTURE: Final = "1.2.840.10008.5.1.4.1.1.7"
#: Values of ImageType by which scanners mark pictures of pictures, dose sheets and renderings inside a CT series.
_NO_SLICES: Final = frozenset({
    "SCREEN SAVE", "SCREENSAVE", "DOSE", "DOSE_INFO", "PROT", "CT_SOM5 PROT", "CT_SOM7 PROT", "PROJECTION IMAGE", "MIP", "MINIP",
    "VRT", "MAX_IP", "MIN_IP", "VOLUME_RENDER",
})  # fmt: skip
_HOUNSFIELD: Final = frozenset({"", "HU", "HU_MOD"})


@dataclass(frozen=True, slots=True, eq=False)
class Rules:
    """What grouping is given: how far repairs may go, and whether two images have the same pixels (read only for doubles)."""

    limits: RepairLimits
    same_pixels: Callable[[SliceHeader, SliceHeader], bool]


def group_headers(headers: Iterable[SliceHeader], rules: Rules, *, progress: Progress = SILENT) -> tuple[Series, ...]:
    """Group by patient and series, split what cannot be one volume, and link what shares a frame of reference."""
    by_series: dict[tuple[str, str, str], list[SliceHeader]] = defaultdict(list)
    for header in headers:
        by_series[header.patient, header.study_uid, header.series_uid].append(header)
    patients_of: dict[str, set[str]] = defaultdict(set)
    for patient, study, uid in by_series:
        for shared in (study, uid):
            if shared:
                patients_of[shared].add(patient)
    found: list[Series] = []
    for number, ((_, study, uid), members) in enumerate(by_series.items()):
        progress.step(number, len(by_series), "grouping")
        torn = max(len(patients_of[study]), len(patients_of[uid])) > 1
        found.extend(_series_of(uid, members, torn, rules))
    found.sort(key=lambda series: (series.first.patient, series.first.study_uid, series.first.series_number, series.uid))
    return _linked(found)


def _linked(found: Sequence[Series]) -> tuple[Series, ...]:
    """Name to each series the other usable ones of its patient, study and frame of reference."""
    together: dict[tuple[object, str], list[str]] = defaultdict(list)
    for series in found:
        if series.blocks and series.verdict != "refused":
            together[series.identity, series.frame].append(series.uid)

    def others(series: Series) -> tuple[str, ...]:
        if not series.blocks or not series.first.frame_uid:
            return ()
        return tuple(uid for uid in together[series.identity, series.frame] if uid != series.uid)

    return tuple(replace(series, linked=others(series)) for series in found)


def _series_of(uid: str, members: list[SliceHeader], torn: bool, rules: Rules) -> list[Series]:
    name = uid or derived_uid("series without uid", *sorted(header.name for header in members))
    parts = [part for group in split_stacks(members) for part in split_acquisitions(group)]
    parts.sort(key=lambda part: (-len(part), part[0].name, part[0].frame_index))
    shared = _mixed([part for part in parts if not is_scout(part[0])])
    if torn:
        shared.append(_finding("identity_conflict", "critical"))
    names = [name, *(f"{name}#{number}" for number in range(2, len(parts) + 1))]
    return [_one_series(part_name, part, shared, rules) for part_name, part in zip(names, parts, strict=True)]


def _one_series(uid: str, members: list[SliceHeader], shared: Sequence[Finding], rules: Rules) -> Series:
    whole = [header for header in members if not header.truncated]
    cut = file_names([header for header in members if header.truncated])
    findings = list(shared)
    if cut:
        findings.append(Finding("truncated", "fail", (("files", len(cut)),), cut))
    findings += _image_findings(members)
    if not whole or not _is_placed(whole, findings):
        return Series(uid, tuple(members), (), tuple(findings))
    stack = _compared(stack_slices(whole), rules)
    findings += [Finding(item.code, _severity(item), item.parameters, item.files) for item in stack.findings]
    alone = file_names([block[0] for block in stack.blocks if len(block) < 2])
    if alone:
        findings.append(Finding("bad_spacing", "fail", (("reason", "single_slice"),), alone))
    repairs = plan_repairs(stack.findings, cut, rules.limits)
    series = Series(uid, tuple(members), stack.blocks, tuple(findings), repairs)
    return series if series.verdict == "repairable" else replace(series, repairs=())


def _severity(item: StackFinding) -> Literal["note", "fail"]:
    return "note" if item.code == "gap" else "fail"


def _is_placed(members: Sequence[SliceHeader], findings: Sequence[Finding]) -> bool:
    told = all(header.frames == 1 and header.position and header.orientation and header.pixel_spacing for header in members)
    return told and not any(finding.code in ("no_position", "bad_spacing", "localizer") for finding in findings)


def _compared(stack: Stack, rules: Rules) -> Stack:
    """Look whether images of one place are the same image, and say how many are not, naming those."""
    unlike = [place for place in stack.doubles if not all(rules.same_pixels(place[0], header) for header in place[1:])]
    different = [header for place in unlike for header in place]
    findings = tuple(
        replace(item, parameters=(*item.parameters, ("different", len(different))), files=file_names(different) or item.files)
        if item.code in ("duplicate_position", "duplicate_uid")
        else item
        for item in stack.findings
    )
    return replace(stack, findings=findings)


def _mixed(parts: list[list[SliceHeader]]) -> list[Finding]:
    """Say why one series became several."""
    kernels = len({kernel_key(part[0]) for part in parts})
    findings = [_finding("mixed_kernel", "note", kernels=kernels)] if kernels > 1 else []
    if len(parts) > max(kernels, 1):
        findings.append(_finding("mixed_orientation", "note", parts=len(parts)))
    return findings


def _image_findings(members: list[SliceHeader]) -> list[Finding]:
    """Say what kind of image it is, as far as that decides about its use."""
    first = members[0]
    findings: list[Finding] = []
    if first.modality in _FILM_MODALITIES:
        findings.append(_finding("film", "fail", modality=first.modality))
    elif first.modality != "CT" or first.rescale_type not in _HOUNSFIELD:
        findings.append(_finding("not_ct", "fail", modality=_what_it_is(first)))
    if first.sop_class.startswith(_SECONDARY_CAPTURE) or _NO_SLICES & set(first.image_type[1:]):
        findings.append(_finding("secondary_capture", "fail"))
    if is_scout(first):
        findings.append(_finding("localizer", "note"))
    if first.samples != 1 or not first.photometric.startswith("MONOCHROME"):
        findings.append(_finding("colour", "fail", photometric=first.photometric or "-"))
    if first.file_frames > 1:
        apart = all(header.frames == 1 for header in members)
        frames = sum(header.frames for header in members)
        findings.append(_finding("multiframe", "note" if apart else "fail", frames=frames))
    if first.modality == "CT" and first.file_frames == 1 and len({header.rescaled for header in members}) > 1:
        silent = file_names([header for header in members if not header.rescaled])
        findings.append(Finding("mixed_rescale", "fail", (("files", len(silent)),), silent))
    findings += _rescale_findings(members)
    findings += _placing_findings(members)
    if any(header.lossy for header in members):
        findings.append(_finding("lossy", "warn"))
    if any(header.padded for header in members):
        findings.append(_finding("padded", "note"))
    sides = {header.laterality for header in members} & {"L", "R"}
    if len(sides) > 1:
        findings.append(_finding("side_conflict", "critical"))
    return findings


def _rescale_findings(members: list[SliceHeader]) -> list[Finding]:
    """Name the files of a CT that turn stored values into Hounsfield units otherwise than most: allowed, and yet often damage."""
    ways = Counter((header.slope, header.intercept) for header in members)
    if members[0].modality != "CT" or len(ways) < 2:
        return []
    usual = ways.most_common(1)[0][0]
    odd = file_names([header for header in members if (header.slope, header.intercept) != usual])
    return [Finding("varying_rescale", "warn", (("files", len(odd)),), odd)]


def _what_it_is(header: SliceHeader) -> str:
    return f"CT, RescaleType {header.rescale_type}" if header.modality == "CT" else header.modality or "-"


def _placing_findings(members: list[SliceHeader]) -> list[Finding]:
    findings = []
    homeless = file_names([header for header in members if header.position is None or not has_directions(header)])
    if homeless:
        findings.append(Finding("no_position", "fail", (("files", len(homeless)),), homeless))
    spaceless = file_names([header for header in members if header.pixel_spacing is None or min(header.pixel_spacing) <= 0])
    if spaceless:
        findings.append(Finding("bad_spacing", "fail", (("reason", "pixel_spacing"),), spaceless))
    return findings


def _finding(code: str, severity: Literal["note", "warn", "fail", "critical"], **parameters: str | float | bool) -> Finding:
    return Finding(code, severity, tuple(parameters.items()))
