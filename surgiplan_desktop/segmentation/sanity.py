"""Whether bones that were found can be bones of a person: their size, what lacks beside them, what is in two parts.

The ranges are wide on purpose: they catch a merged joint, half a bone or a wrong voxel size in the header, not a small adult.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from scipy import ndimage

from surgiplan_desktop.model.anatomy import BoneId, BoneName, label_code
from surgiplan_desktop.model.images import LabelMap
from surgiplan_desktop.model.study import Finding
from surgiplan_desktop.segmentation.naming import NamedLeg
from surgiplan_desktop.segmentation.pieces import Chain

#: Height (mm) and volume with marrow (ml) of a whole bone, from a child of ten years to a very tall adult [P].
WHOLE: Final[Mapping[BoneName, tuple[tuple[float, float], tuple[float, float]]]] = {
    BoneName.FEMUR: ((280.0, 580.0), (150.0, 1100.0)),
    BoneName.TIBIA: ((220.0, 490.0), (100.0, 750.0)),
    BoneName.FIBULA: ((210.0, 480.0), (15.0, 160.0)),
    BoneName.PATELLA: ((22.0, 70.0), (4.0, 45.0)),
    BoneName.TALUS: ((18.0, 95.0), (12.0, 90.0)),
    BoneName.HIP: ((140.0, 290.0), (100.0, 800.0)),
}
#: Of a second piece of a bone less than this is a speck, mm3.
_SECOND_PIECE_MM3: Final = 1000.0
#: A patella is looked for where femur and tibia are seen this far from the joint both ways, mm.
_KNEE_SEEN_MM: Final = 60.0


def size_findings(bone: BoneId, chain: Chain) -> list[Finding]:
    """Tell a height or volume that no person's bone has; of a bone that is cut only what is too much."""
    (low_mm, high_mm), (low_ml, high_ml) = WHOLE.get(bone.bone, ((0.0, 1e9), (0.0, 1e9)))
    volume_ml = chain.volume_mm3 / 1000.0
    too_much = chain.length > high_mm or volume_ml > high_ml
    too_little = not chain.cut and (chain.length < low_mm or volume_ml < low_ml)
    if not too_much and not too_little:
        return []
    told = (("bone", f"{bone.side} {bone.bone}"), ("height_mm", round(chain.length)), ("ml", round(volume_ml, 1)))
    return [Finding("bone_size_implausible", "warn", told)]


def missing_findings(side: str, leg: NamedLeg) -> list[Finding]:
    """Tell which bone lacks where its neighbours are seen so far that it should be there."""
    tibia, femur = leg.bones.get(BoneName.TIBIA), leg.bones.get(BoneName.FEMUR)
    lacking = []
    if tibia is not None and BoneName.FIBULA not in leg.bones and BoneName.FIBULA not in leg.too_short and tibia.length > 80.0:
        lacking.append(BoneName.FIBULA)
    if tibia is not None and femur is not None and not (tibia.high_cut or femur.low_cut):
        seen = min(tibia.length, femur.length) > _KNEE_SEEN_MM
        lacking += [BoneName.PATELLA] if seen and BoneName.PATELLA not in leg.bones else []
    if BoneName.FIBULA in leg.bones and tibia is None and BoneName.TIBIA not in leg.too_short:
        lacking.append(BoneName.TIBIA)
    return [Finding("bone_not_found", "warn", (("bone", f"{side} {name}"),)) for name in lacking]


def piece_findings(bone: BoneId, maps: Sequence[LabelMap], boxes: Sequence[Sequence[tuple[slice, ...] | None]]) -> list[Finding]:
    """Tell a bone whose labels are in several pieces within a block, or have hollows.

    ``boxes`` are those of each code in each label map (``scipy.ndimage.find_objects``).
    """
    code = label_code(bone)
    pieces, hollow = 0, 0.0
    for labels, found in zip(maps, boxes, strict=True):
        box = found[code - 1] if code <= len(found) else None
        if box is None:
            continue
        own = labels.array[box] == code
        voxel = float(np.prod(labels.affine.spacing))
        marks, count = ndimage.label(own, structure=np.ones((3, 3, 3)))
        sizes = np.bincount(marks.ravel(), minlength=count + 1)[1:] * voxel
        pieces = max(pieces, int((sizes >= _SECOND_PIECE_MM3).sum()))
        hollow += float(np.count_nonzero(ndimage.binary_fill_holes(own) & ~own)) * voxel
    notes = []
    if pieces > 1:
        notes.append(Finding("bone_in_pieces", "warn", (("bone", f"{bone.side} {bone.bone}"), ("pieces", pieces))))
    if hollow > _SECOND_PIECE_MM3:
        notes.append(Finding("bone_hollow", "warn", (("bone", f"{bone.side} {bone.bone}"), ("ml", round(hollow / 1000.0, 1)))))
    return notes
