"""Write a procedural leg to a folder: DICOM, label map, meshes and the truth."""

from __future__ import annotations

import json
import shutil
import tempfile
from dataclasses import asdict, dataclass, field
from pathlib import Path

from surgiplan_desktop.base.errors import UsageError
from surgiplan_desktop.base.progress import SILENT, PartOfProgress, Progress
from surgiplan_desktop.files.mesh_files import write_stl
from surgiplan_desktop.imaging.dicom_defects import PlantedDefect, plant_defect
from surgiplan_desktop.imaging.dicom_write import derived_uid, write_ct_series
from surgiplan_desktop.imaging.reorient import reoriented, straightened
from surgiplan_desktop.imaging.volume_files import write_volume_file
from surgiplan_desktop.model.anatomy import Side
from surgiplan_desktop.phantom.ct import CtScene, SimulatedCt, checked_scan, simulate
from surgiplan_desktop.phantom.ct.scene import KERNELS
from surgiplan_desktop.phantom.limb import Leg, build_leg
from surgiplan_desktop.phantom.parameters import LegParameters

_BLOCK_NAMES = {1: ("leg",), 3: ("hip", "knee", "ankle")}


@dataclass(frozen=True, slots=True)
class ScanWish:
    """How a phantom is scanned and written.

    Attributes
    ----------
    tilt_deg
        Tilt of the gantry: the slices are really tilted, not only their tag.
    syntax
        A name of :data:`imaging.encoding.SYNTAXES`.
    orientation, patient_position
        Names of :data:`imaging.reorient.ORIENTATIONS` and :data:`imaging.reorient.PATIENT_POSITIONS`: planes, rows and columns of
        the images. The flesh lies on the table as it does when supine, whatever the position.
    defect
        Empty, or a name of :data:`imaging.dicom_defects.DEFECTS`: one fault, planted in the only or the middle block.
    scene
        What lies in the scan besides the leg, and how it is taken.
    """

    tilt_deg: float = 0.0
    syntax: str = "explicit_le"
    orientation: str = "axial"
    patient_position: str = "HFS"
    defect: str = ""
    scene: CtScene = field(default_factory=CtScene)


@dataclass(frozen=True, slots=True, eq=False)
class PhantomFiles:
    """What was written: the leg, every file (absolute), and what stands in truth.json."""

    leg: Leg
    files: tuple[Path, ...]
    truth: dict[str, object]


def write_phantom(
    parameters: LegParameters,
    folder: Path,
    *,
    spacing_mm: float | tuple[float, float, float] = 1.0,
    blocks: int = 1,
    wish: ScanWish | None = None,
    mesh_step_mm: float = 0.8,
    force: bool = False,
    progress: Progress = SILENT,
) -> PhantomFiles:
    """Write ``dicom/``, ``labels.nii.gz`` (one a block), ``meshes/<side>_<bone>.stl`` and ``truth.json`` into ``folder``.

    Everything is made beside the folder first and moved there at the end, so nothing is ever half written.

    Raises
    ------
    UsageError
        ``output_exists`` when the folder holds something and ``force`` is off; ``output_not_writable``; ``phantom_range``,
        ``phantom_blocks`` and ``phantom_tilted_planes`` before anything is computed.
    """
    wish = wish or ScanWish()
    checked_scan(spacing_mm, blocks, wish.tilt_deg, wish.scene.region)
    if wish.tilt_deg and wish.orientation != "axial":
        raise UsageError("phantom_tilted_planes", orientation=wish.orientation)
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
        scan = simulate(
            leg,
            spacing_mm,
            seed=parameters.seed,
            blocks=blocks,
            tilt_deg=wish.tilt_deg,
            scene=wish.scene,
            progress=PartOfProgress(progress, 0.35, 0.75),
        )
        planted = _write_scan(scan, parameters, wish, work, PartOfProgress(progress, 0.75, 0.95))
        truth = truth_of(leg) | {"scan": _scan_truth(wish, spacing_mm, scan), "defect": _defect_truth(planted, work)}
        if wish.scene.second_leg:
            truth["other_leg"] = _other_leg_truth(leg)
        for bone, mesh in leg.meshes.items():
            (work / "meshes").mkdir(exist_ok=True)
            write_stl(work / "meshes" / f"{bone}.stl", mesh, f"{bone} phantom LPS mm RESEARCH USE ONLY")
        (work / "truth.json").write_text(json.dumps(truth, indent=1) + "\n", encoding="utf-8")
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
    return PhantomFiles(leg, tuple(sorted(path for path in folder.rglob("*") if path.is_file())), truth)


def truth_of(leg: Leg) -> dict[str, object]:
    """Return the content of truth.json (shape of the command line's contract, limb-plane values beside)."""
    return {
        "side": str(leg.side),
        "parameters": leg.parameters.as_dict(),
        "landmarks": {name: [round(float(x), 4) for x in point] for name, point in sorted(leg.truth_landmarks.items())},
        "measures": dict(sorted(leg.truth_measures.items())),
        "measures_limb_plane": dict(sorted(leg.truth_limb_plane.items())),
    }


def _scan_truth(wish: ScanWish, spacing_mm: float | tuple[float, float, float], scan: SimulatedCt) -> dict[str, object]:
    """Return how the leg was scanned. ``moves``: the map (LPS, 4 x 4) by which it had moved before each block was taken."""
    return {
        "spacing_mm": spacing_mm,
        "blocks": len(scan.volumes),
        "tilt_deg": wish.tilt_deg,
        "syntax": wish.syntax,
        "orientation": wish.orientation,
        "patient_position": wish.patient_position,
        "scene": asdict(wish.scene),
        "moves": [[[round(float(x), 9) for x in row] for row in move.matrix] for move in scan.moves],
    }


def _other_leg_truth(leg: Leg) -> dict[str, object]:
    """Return side and landmarks of the mirror image; its measures are those of the leg."""
    landmarks = {
        name: [round(float(x), 4) for x in point * (-1.0, 1.0, 1.0)] for name, point in sorted(leg.truth_landmarks.items())
    }
    return {"side": str(leg.side.other), "landmarks": landmarks}


def _defect_truth(planted: PlantedDefect | None, work: Path) -> dict[str, object] | None:
    """Return what a right scan says of the faulty series: its verdict, its findings, the files concerned (in the folder)."""
    if planted is None:
        return None
    return {
        "name": planted.name,
        "verdict": planted.verdict,
        "findings": list(planted.findings),
        "files": [path.relative_to(work).as_posix() for path in planted.files],
        "note": planted.note,
    }


def _write_scan(
    scan: SimulatedCt, parameters: LegParameters, wish: ScanWish, work: Path, progress: Progress
) -> PlantedDefect | None:
    """Write the blocks and their label maps; plant the fault in the only or the middle block."""
    names = _BLOCK_NAMES[len(scan.volumes)]
    study = derived_uid("phantom", *sorted(map(str, parameters.as_dict().items())))
    planted = None
    for number, (name, volume, labels) in enumerate(zip(names, scan.volumes, scan.labels, strict=True)):
        share = PartOfProgress(progress, number / len(names), (number + 1) / len(names))
        paths = write_ct_series(
            reoriented(volume, wish.orientation, wish.patient_position),
            work / "dicom" / name if len(names) > 1 else work / "dicom",
            description=f"simulated {name}",
            study_uid=study,
            frame_of_reference_uid=derived_uid("phantom frame", study),
            series_number=number + 1,
            laterality="" if wish.scene.second_leg else "R" if parameters.side is Side.RIGHT else "L",
            patient_position=wish.patient_position,
            gantry_tilt_deg=wish.tilt_deg or None,
            transfer_syntax=wish.syntax,
            slice_thickness_mm=wish.scene.thickness_mm,
            kernel=KERNELS[wish.scene.kernel].tag,
            seed=parameters.seed,
            progress=share,
        )
        if wish.defect and number == len(names) // 2:
            planted = plant_defect(paths, wish.defect)
        suffix = "" if len(names) == 1 else f"_{name}"
        straight = straightened(labels)
        write_volume_file(
            work / f"labels{suffix}.nii.gz",
            straight if straight is not labels else reoriented(labels, wish.orientation, wish.patient_position),
        )
    return planted


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
