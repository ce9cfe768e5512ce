"""What is scanned besides the leg, and how: the wishes that a simulated scan takes, checked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

from surgiplan_desktop.base.errors import UsageError


class Kernel(NamedTuple):
    """How a reconstruction kernel draws: width of the point spread, enhancement of edges, and its noise.

    Attributes
    ----------
    blur_mm
        Standard deviation of the Gaussian point spread in the slice. A Gaussian passes half at 0.187 / blur cycles a mm.
    edge
        Share of the difference to a twice as wide blur that is added: the overshoot of edges that sharp kernels make.
    noise_hu
        Standard deviation in 1 mm slices at the middle of 140 mm of water.
    tag
        What the header calls it.
    """

    blur_mm: float
    edge: float
    noise_hu: float
    tag: str


#: Half passed at 3.5, 4.3, 5.9 and 7.2 cycles a cm without the edge enhancement; typical of body to bone kernels.
KERNELS: Final[dict[str, Kernel]] = {
    "soft": Kernel(0.54, 0.0, 8.0, "B30"),
    "medium": Kernel(0.44, 0.0, 14.0, "B45"),
    "sharp": Kernel(0.32, 0.35, 30.0, "B60"),
    "bone": Kernel(0.26, 0.6, 50.0, "B70"),
}
METAL: Final = ("screw", "plate", "hip_stem", "other_hip_stem")
REGIONS: Final[dict[str, str]] = {"hip": "hip_centre", "knee": "tibial_knee_centre", "ankle": "ankle_centre"}
ORIENTATION_NAMES: Final = ("axial", "coronal", "sagittal")

#: Lowest and highest value and unit of the numbers of a scene.
RANGES: Final[dict[str, tuple[float, float, str]]] = {
    "spacing": (0.3, 5.0, "mm"),
    "tilt": (-30.0, 30.0, "deg"),
    "thickness": (0.3, 10.0, "mm"),
    "noise": (0.0, 200.0, "HU"),
    "motion": (0.0, 10.0, "mm"),
    "block_shift": (0.0, 20.0, "mm"),
    "block_turn": (0.0, 10.0, "deg"),
    "region_length": (40.0, 400.0, "mm"),
}


@dataclass(frozen=True, slots=True)
class CtScene:
    """A scan: what lies in it and how it is taken. The defaults are a quiet scan of one leg on the table.

    Attributes
    ----------
    table
        The couch, curved, below the leg.
    second_leg
        The same leg mirrored in the patient's midplane. Its bones are labelled with the codes of the other side: their truth
        is that of the leg, mirrored. About twice the voxels.
    kernel
        Name in ``KERNELS``.
    thickness_mm
        Full width at half maximum of the slice profile; None = the spacing of the slices. May exceed it.
    noise_hu
        Standard deviation of the noise at the middle of 140 mm of water as scanned; None = what kernel and thickness give.
    metal
        Names in ``METAL``; each with its streaks, in the slices that hold it.
    beam_hardening
        Dark bands between dense bone in every slice (costs a projection of each).
    motion_mm
        Largest drift of the leg in the plane of the slices while it is scanned; labels move with it.
    block_shift_mm, block_turn_deg
        How far the leg moves between the blocks of a scan of several (each block in a random direction; the first stays).
    region, region_mm
        "" = the whole leg, else a name in ``REGIONS`` and the length of the scan around it.
    orientation
        Name of the orientation of the slices.
    """

    table: bool = True
    second_leg: bool = False
    kernel: str = "medium"
    thickness_mm: float | None = None
    noise_hu: float | None = None
    metal: tuple[str, ...] = ()
    beam_hardening: bool = False
    motion_mm: float = 0.0
    block_shift_mm: float = 0.0
    block_turn_deg: float = 0.0
    region: str = ""
    region_mm: float = 160.0
    orientation: str = "axial"

    def __post_init__(self) -> None:
        check_choice("kernel", self.kernel, tuple(KERNELS))
        check_choice("region", self.region, ("", *REGIONS))
        check_choice("orientation", self.orientation, ORIENTATION_NAMES)
        for name in self.metal:
            check_choice("metal", name, METAL)
        if "other_hip_stem" in self.metal and not self.second_leg:
            raise UsageError("phantom_other_leg_needed", metal="other_hip_stem")
        check_range("motion", self.motion_mm)
        check_range("block_shift", self.block_shift_mm)
        check_range("block_turn", self.block_turn_deg)
        check_range("region_length", self.region_mm)
        if self.thickness_mm is not None:
            check_range("thickness", self.thickness_mm)
        if self.noise_hu is not None:
            check_range("noise", self.noise_hu)


def check_range(name: str, value: float) -> None:
    """Raise UsageError ``phantom_range`` for a value outside its range (not a number included)."""
    lowest, highest, unit = RANGES[name]
    if not lowest <= value <= highest:
        raise UsageError("phantom_range", parameter=name, value=float(value), lowest=lowest, highest=highest, unit=unit)


def check_choice(name: str, value: str, choices: tuple[str, ...]) -> None:
    """Raise UsageError ``phantom_choice`` for a name that is not among the choices."""
    if value not in choices:
        raise UsageError("phantom_choice", parameter=name, value=value, choices=", ".join(item for item in choices if item))


def checked_scan(
    spacing_mm: float | tuple[float, float, float], blocks: int, tilt_deg: float = 0.0, region: str = ""
) -> tuple[float, float, float]:
    """Return the spacing along (k, j, i).

    Raises
    ------
    UsageError
        ``phantom_range`` for a spacing or tilt, ``phantom_blocks`` for a number of blocks that cannot be simulated,
        ``phantom_region_blocks`` for blocks of a region.
    """
    step = (spacing_mm, spacing_mm, spacing_mm) if isinstance(spacing_mm, int | float) else spacing_mm
    for value in step:
        check_range("spacing", value)
    check_range("tilt", tilt_deg)
    if blocks not in (1, 3):
        raise UsageError("phantom_blocks", blocks=blocks)
    if region and blocks != 1:
        raise UsageError("phantom_region_blocks", region=region)
    return float(step[0]), float(step[1]), float(step[2])
