"""The program on subjects and scans of another make than those it was built beside, driven as window and command line drive it.

    python benchmarks/accuracy_other_simulator.py [--data FOLDER] [--seeds 1 3 5] [--ways model threshold] [--keep FOLDER]
        [--results FILE.jsonl]

Scan ``seed`` is of kind ``seed // 2`` (from 20 on anew): statistical knees, or drawn legs of seeds that nothing else uses,
scaled and bent anew, in scans by ``other_simulator.py``. Even seeds are to look at and to choose rules on, odd ones to report.
Each is written as DICOM, imported, and its bones are found with the model and without; which of the two the program proposes by
itself is noted. A row holds Dice by bone, the share under another bone's name and of the other side, what was labelled far from
any bone (ml), ASSD and HD95 of the final surfaces (mm; scans of one block), what is odd, and the findings. Rows that are there
already are not run again.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from accuracy_surface import inside_of
from other_scans import KINDS, Scan, scan_of
from other_simulator import Codes
from scipy import ndimage

from surgiplan_desktop.app import documents, startup
from surgiplan_desktop.app.import_study import import_study
from surgiplan_desktop.app.propose_segmentation import case_volumes, proposed_way
from surgiplan_desktop.app.run_segmentation import WITHOUT_AI, segment
from surgiplan_desktop.app.session import Session
from surgiplan_desktop.base.errors import SurgiPlanError
from surgiplan_desktop.base.spaces import Affine
from surgiplan_desktop.imaging.dicom_write import write_ct_series
from surgiplan_desktop.model.anatomy import bone_of_label
from surgiplan_desktop.model.images import Volume
from surgiplan_desktop.planning.graph import bone_key, labels_key
from surgiplan_desktop.validation.surface_distance import bone_distance

NO_NAME = 200
LONG, SMALL = ("femur", "tibia"), ("patella", "fibula")


def run(scan: Scan, ways: list[str], keep: Path | None, seed: int) -> list[dict[str, Any]]:
    """Import, find bones each way and judge."""
    rows = []
    with tempfile.TemporaryDirectory() as name:
        for number, (image, affine) in enumerate(zip(scan.images, scan.affines, strict=True), start=1):
            volume = Volume(image, Affine(affine))
            position = "FFS" if affine[2, 0] < 0 else "HFS"
            write_ct_series(
                volume, Path(name) / "dicom" / str(number), series_number=number, seed=seed, patient_position=position
            )
        services = startup.start(user_folder=Path(name) / "user")
        session = documents.new_session(services, owner="command")
        try:
            loaded = import_study(session, Path(name) / "dicom")
            proposed = proposed_way(session)
            for way in ways:
                row = {
                    "seed": seed,
                    "kind": KINDS[seed // 2 % len(KINDS)].name,
                    "way": way,
                    "proposed": (way == "model") == bool(proposed.model),
                }
                rows.append(row | judged(session, scan, way, keep) | {"import": [item.code for item in loaded.findings]})
        finally:
            session.close(discard=True)
            services.close()
    return rows


def judged(session: Session, scan: Scan, way: str, keep: Path | None) -> dict[str, Any]:
    """Find the bones one way and compare."""
    try:
        segment(session, model="leg-ct" if way == "model" else WITHOUT_AI)
    except SurgiPlanError as error:
        return {"error": error.message_id, "findings": []}
    blocks = case_volumes(session)
    found = [session.require(labels_key(number))[0] for number in range(len(blocks))]
    truth = [true_labels(scan, volume) for volume in blocks]
    mine, own = (np.concatenate([part.ravel() for part in parts]) for parts in ([item.array for item in found], truth))
    result: dict[str, Any] = {"dice": {}, "surface": {}}
    for code in sorted({int(code) for code in np.unique(own)} - {0}):
        bone = bone_of_label(code)
        here, there = own == code, mine == code
        if bone is None or here.sum() < 300:
            continue
        result["dice"][str(bone)] = round(2.0 * float((here & there).sum()) / int(here.sum() + there.sum()), 4)
        if len(blocks) == 1 and there.any():
            try:
                surface = session.require(bone_key(bone))[0]
                distance = bone_distance(surface, scan.meshes[code], **inside_of(blocks[0]))
                result["surface"][str(bone)] = [round(distance.assd_mm, 3), round(distance.hd95_mm, 3)]
            except (SurgiPlanError, ValueError) as error:
                result["surface"][str(bone)] = str(error)
    true = (own > 0) & (own < NO_NAME)
    both = true & (mine > 0)
    result["wrong_name_percent"] = round(100.0 * float((mine % 100 != own % 100)[both].sum()) / max(int(true.sum()), 1), 2)
    result["wrong_side_percent"] = round(100.0 * float((mine // 100 != own // 100)[both].sum()) / max(int(both.sum()), 1), 2)
    far = 0.0
    for item, right in zip(found, truth, strict=True):
        near = ndimage.distance_transform_edt((right == 0) | (right >= NO_NAME), sampling=item.affine.spacing) < 4.0
        far += float(np.count_nonzero((item.array > 0) & ~near)) * abs(float(np.linalg.det(item.affine.linear)))
    result["far_ml"] = round(far / 1000.0, 2)
    segmentation = session.case.segmentation
    assert segmentation is not None
    result["findings"] = sorted({f"{item.severity}:{item.code}" for item in segmentation.findings})
    result["odd"] = {item.code: dict(item.parameters).get("value") for item in segmentation.findings if "unlike" in item.code}
    result["likeness"], result["seconds"] = segmentation.likeness, segmentation.seconds
    if keep is not None:
        keep.parent.mkdir(parents=True, exist_ok=True)
        arrays = {"hu": [item.array for item in blocks], "found": [item.array for item in found], "true": truth}
        arrays["affine"] = [item.affine.matrix for item in blocks]
        named = {f"{name}{number}": item for name, items in arrays.items() for number, item in enumerate(items)}
        np.savez_compressed(keep.with_name(f"{keep.name}_{way}.npz"), **named)
    return result


def true_labels(scan: Scan, volume: Volume) -> Codes:
    """The true labels of the block of a scan that became this volume, with its axes as the import turned them."""
    for labels, affine in zip(scan.labels, scan.affines, strict=True):
        there = np.linalg.inv(affine) @ volume.affine.matrix
        order = np.abs(there[:3, :3]).argmax(axis=0)
        corner = there[:3, 3] + there[:3, :3] @ (np.array(volume.shape) - 1.0) / 2.0
        if np.allclose(corner, (np.array(labels.shape) - 1.0) / 2.0, atol=0.01):
            turned_labels = labels.transpose(order)
            flipped = [axis for axis in range(3) if there[order[axis], axis] < 0]
            return np.flip(turned_labels, flipped)
    raise ValueError("the import made another grid")


def main() -> None:
    """Compute what is missing and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--seeds", type=int, nargs="+", default=list(range(1, 2 * len(KINDS), 2)))
    parser.add_argument("--ways", nargs="+", choices=("model", "threshold"), default=["model", "threshold"])
    parser.add_argument("--results", type=Path, default=Path("accuracy_other_simulator.jsonl"))
    parser.add_argument("--keep", type=Path, help="keep images and labels here, to look at them")
    options = parser.parse_args()
    rows = [json.loads(line) for line in options.results.read_text().splitlines()] if options.results.exists() else []
    done = {(row["seed"], row["way"]) for row in rows}
    for seed in options.seeds:
        ways = [way for way in options.ways if (seed, way) not in done]
        if not ways:
            continue
        scan = scan_of(seed, options.data)
        keep = options.keep / str(seed) if options.keep else None
        for row in run(scan, ways, keep, seed):
            rows.append(row)
            with options.results.open("a", encoding="utf-8") as stream:
                stream.write(json.dumps(row) + "\n")
            print(row, flush=True)
    print("| scan | way | least Dice femur, tibia | least Dice patella, fibula | wrong name | largest ASSD | told |")
    print("|---|---|---|---|---|---|---|")
    for row in sorted(rows, key=lambda item: (item["seed"], item["way"])):
        if row["seed"] in options.seeds:
            print(line(row))


def line(row: dict[str, Any]) -> str:
    """A line of the table; the proposed way is marked."""
    way = row["way"] + (" *" if row["proposed"] else "")
    if "error" in row:
        return f"| {row['kind']} ({row['seed']}) | {way} | refused: {row['error']} | | | | |"
    dice = row["dice"]
    least = [min((dice[bone] for bone in dice if bone.endswith(names)), default=None) for names in (LONG, SMALL)]
    assd = [value[0] for value in row["surface"].values() if not isinstance(value, str)]
    told = ", ".join(item.split(":")[1] for item in row["findings"] if not item.startswith("note"))
    cells = [row["kind"] + f" ({row['seed']})", way, *least, f"{row['wrong_name_percent']} %", max(assd, default=""), told]
    return f"| {' | '.join(map(str, cells))} |"


if __name__ == "__main__":
    main()
