"""Numbers of the command line: finite ones, and negative ones in every way of writing that a program may print."""

from __future__ import annotations

import math
import re
from typing import Final

#: What is a negative number and no option: -83.2, -83., -.5, -3e-05.
NEGATIVE: Final = re.compile(r"^-(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$")


def number(text: str) -> float:
    """Return a finite number; ValueError otherwise (argparse says "invalid number value"), so that NaN reaches no plan."""
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(text)
    return value
