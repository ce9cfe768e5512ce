"""Write a procedural leg to a folder: DICOM, label map, meshes and the truth."""

from __future__ import annotations

import json
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from surgiplan_desktop.base.errors import UsageError
from surgiplan_desktop.base.progress import SILENT, PartOfProgress, Progress
from surgiplan_desktop.files.mesh_files import write_stl
from surgiplan_desktop.imaging.dicom_write import derived_uid, write_ct_series
from surgiplan_desktop.imaging.volume_files import write_volume_file
from surgiplan_desktop.model.anatomy import Side
from surgiplan_desktop.phantom.ct import SimulatedCt, checked_scan, simulate
from surgiplan_desktop.phantom.limb import Leg, build_leg
from surgiplan_desktop.phantom.parameters import LegParameters

_BLOCK_NAMES = {1: ("leg",), 3: ("hip", "knee", "ankle")}


@dataclass(frozen=True, slots=True, eq=False)
class PhantomFiles:
    """What was written: the leg and every file, absolute."""

    leg: Leg
    files: tuple[Path, ...]


def write_phantom(
    parameters: LegParameters,
    folder: Path,
    *,
    spacing_mm: float | tuple[float, float, float] = 1.0,
    blocks: int = 1,
    mesh_step_mm: float = 0.8,
    force: bool = False,
    progress: Progress = SILENT,
) -> PhantomFiles:
    """Write ``dicom/``, ``labels.nii.gz`` (one a block), ``meshes/<side>_<bone>.stl`` and ``truth.json`` into ``folder``.

    Everything is made beside the folder first and moved there at the end, so nothing is ever half written.

    Raises
    ------
    UsageError
        ``output_exists`` when the folder holds something and ``force`` is off; ``output_not_writable``; ``phantom_range`` and
        ``phantom_blocks`` before anything is computed.
    """
    checked_scan(spacing_mm, blocks)
    folder = Path(folder).resolve()
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())) and not force:
        raise UsageError("output_exists", file=folder)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    except OSError as error:
        raise UsageError("output_not_writable", file=folder, reason=str(error.strerror or error)) from error
    try:
        leg = build_leg(parameters, step_mm=mesh_step_mm, progress=PartOfProgress(progress, 0.0, 0.35))
        scan = simulate(leg, spacing_mm, seed=parameters.seed, blocks=blocks, progress=PartOfProgress(progress, 0.35, 0.75))
        _write_scan(scan, parameters, work, PartOfProgress(progress, 0.75, 0.95))
        for bone, mesh in leg.meshes.items():
            (work / "meshes").mkdir(exist_ok=True)
            write_stl(work / "meshes" / f"{bone}.stl", mesh, f"{bone} phantom LPS mm RESEARCH USE ONLY")
        (work / "truth.json").write_text(json.dumps(truth_of(leg), indent=1) + "\n", encoding="utf-8")
        progress.step(1, 1, "phantom_files")
        _put_in_place(work, folder)
    except UsageError as error:
        # a file that the disk refused in the hidden folder is told by the place that the user named
        if error.file is not None and Path(error.file).is_relative_to(work):
            error.file = str(folder)
        raise
    except OSError as error:
        raise UsageError("output_not_writable", file=folder, reason=str(error.strerror or error)) from error
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return PhantomFiles(leg, tuple(sorted(path for path in folder.rglob("*") if path.is_file())))


def truth_of(leg: Leg) -> dict[str, object]:
    """Return the content of truth.json (shape of the command line's contract, limb-plane values beside)."""
    return {
        "side": str(leg.side),
        "parameters": leg.parameters.as_dict(),
        "landmarks": {name: [round(float(x), 4) for x in point] for name, point in sorted(leg.truth_landmarks.items())},
        "measures": dict(sorted(leg.truth_measures.items())),
        "measures_limb_plane": dict(sorted(leg.truth_limb_plane.items())),
    }


def _write_scan(scan: SimulatedCt, parameters: LegParameters, work: Path, progress: Progress) -> None:
    names = _BLOCK_NAMES[len(scan.volumes)]
    study = derived_uid("phantom", *sorted(map(str, parameters.as_dict().items())))
    for number, (name, volume, labels) in enumerate(zip(names, scan.volumes, scan.labels, strict=True)):
        share = PartOfProgress(progress, number / len(names), (number + 1) / len(names))
        write_ct_series(
            volume,
            work / "dicom" / name if len(names) > 1 else work / "dicom",
            description=f"phantom {name}",
            study_uid=study,
            frame_of_reference_uid=derived_uid("phantom frame", study),
            series_number=number + 1,
            laterality="R" if parameters.side is Side.RIGHT else "L",
            seed=parameters.seed,
            progress=share,
        )
        suffix = "" if len(names) == 1 else f"_{name}"
        write_volume_file(work / f"labels{suffix}.nii.gz", labels)


def _put_in_place(work: Path, folder: Path) -> None:
    """Move the finished content into the folder; with force the old content of the same names goes."""
    folder.mkdir(exist_ok=True)
    for item in sorted(work.iterdir()):
        target = folder / item.name
        if target.is_dir():
            shutil.rmtree(target)
        elif target.exists():
            target.unlink()
        item.replace(target)
