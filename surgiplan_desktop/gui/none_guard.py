"""Keeps ``None`` alive under PySide6 6.12 on Python 3.11.

That PySide6 counts on the immortal None of Python 3.12: each call of a Qt method that returns nothing takes one reference away.
Python 3.11 counts them and ends the process with "deallocating None" after some ten thousand calls: a minute of scrolling.
"""

from __future__ import annotations

import ctypes
import sys
from typing import Final

#: More references than calls in years of use, far from the end of 64 bits.
_REFERENCES: Final = 1 << 48


def keep_none_alive() -> None:
    """Give ``None`` so many references that it never runs out; once, and only where Python counts them."""
    if sys.version_info >= (3, 12) or sys.getrefcount(None) >= _REFERENCES // 2:
        return
    ctypes.c_ssize_t.from_address(id(None)).value += _REFERENCES  # the count is the first field of every object
