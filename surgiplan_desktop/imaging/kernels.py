"""What a reconstruction kernel's name says of its sharpness: soft for muscles, medium, sharp for the edges of bone.

Every maker names kernels in its own way: Siemens ``B60s``, ``Br59f``, ``H70h``; GE ``BONEPLUS``, ``STANDARD``; Philips ``YC``,
``B``; Canon ``FC30``. The classes follow the makers' own words (bone, standard, soft). Unknown names stay unknown.
"""

from __future__ import annotations

import re
from typing import Final, Literal

KernelClass = Literal["soft", "medium", "sharp", "unknown"]

_WORDS: Final[dict[str, KernelClass]] = {
    "SOFT": "soft", "SMOOTH": "soft", "STANDARD": "soft", "STND": "soft", "STD": "soft", "STD+": "soft", "CHEST": "soft",
    "BRAIN": "soft", "A": "soft", "B": "soft", "EA": "soft", "EB": "soft", "UA": "soft", "UB": "soft", "XCA": "soft",
    "XCB": "soft",
    "DETAIL": "medium", "C": "medium", "EC": "medium", "UC": "medium", "XCC": "medium", "YA": "medium", "YB": "medium",
    "BONE": "sharp", "BONEPLUS": "sharp", "BONE+": "sharp", "EDGE": "sharp", "EDGE+": "sharp", "ULTRA": "sharp", "LUNG": "sharp",
    "HD BONE": "sharp", "HD BONEPLUS": "sharp", "HD ULTRA": "sharp", "HD EDGE": "sharp", "D": "sharp", "E": "sharp", "L": "sharp",
    "YC": "sharp", "YD": "sharp", "YE": "sharp", "XCD": "sharp",
}  # fmt: skip
#: Canon (Toshiba): ranges of FC numbers. Head and body soft, then bone, then lung and other high resolution.
_CANON: Final[tuple[tuple[int, int, KernelClass], ...]] = (
    (0, 9, "soft"), (10, 19, "soft"), (20, 29, "soft"), (30, 39, "sharp"), (40, 49, "soft"), (50, 59, "sharp"), (80, 99, "sharp"),
)  # fmt: skip
#: Siemens: the number rises with sharpness; 10..44 soft tissue, up to 54 medium, above that bone and lung.
_SIEMENS_MEDIUM: Final = 45
_SIEMENS_SHARP: Final = 55


def kernel_class(kernel: str) -> KernelClass:
    """Return how sharp the kernel of this name is; of several values (``B60f/3``) the first counts."""
    name = re.split(r"[/\\]", kernel.strip().upper())[0].strip()
    if name in _WORDS:
        return _WORDS[name]
    canon = re.fullmatch(r"FC(\d\d).*", name)
    if canon:
        number = int(canon[1])
        return next((kind for low, high, kind in _CANON if low <= number <= high), "unknown")
    siemens = re.fullmatch(r"[A-Z]{1,2}(\d\d)[A-Z]{0,2}", name)
    if siemens:
        number = int(siemens[1])
        return "sharp" if number >= _SIEMENS_SHARP else "medium" if number >= _SIEMENS_MEDIUM else "soft"
    return "unknown"
