"""How much memory this machine can still give: asked before heavy work starts, so that it is refused in words and not killed."""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path
from typing import Final

_MEMINFO: Final = Path("/proc/meminfo")
_GROUP: Final = Path("/sys/fs/cgroup")


def available_bytes() -> int | None:
    """Bytes that new work may take without swapping, within the limit of a container; None where the system does not tell."""
    if sys.platform == "win32":
        return _windows()
    system = _linux(_MEMINFO)
    if system is None:
        return _free_pages()
    group = _left_in_group(_GROUP)
    return system if group is None else min(system, group)


def _linux(path: Path) -> int | None:
    try:
        lines = path.read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    values = {name: rest.split()[0] for name, _, rest in (line.partition(":") for line in lines) if rest}
    return int(values["MemAvailable"]) * 1024 if "MemAvailable" in values else None


def _left_in_group(folder: Path) -> int | None:
    """Bytes left in the control group of this process (version 2, as containers set it); None where there is no limit."""
    try:
        limit, used = (folder.joinpath(name).read_text(encoding="ascii").strip() for name in ("memory.max", "memory.current"))
    except OSError:
        return None
    return None if limit == "max" else max(0, int(limit) - int(used))


def _free_pages() -> int | None:
    names = os.sysconf_names
    page, free = (name for name in ("SC_PAGE_SIZE", "SC_AVPHYS_PAGES"))
    return os.sysconf(page) * os.sysconf(free) if page in names and free in names else None


class _MemoryStatus(ctypes.Structure):
    """MEMORYSTATUSEX of the Windows API."""

    _fields_ = (
        ("length", ctypes.c_ulong),
        ("load", ctypes.c_ulong),
        *((name, ctypes.c_ulonglong) for name in ("total", "free", "page_total", "page_free", "virtual", "v_free", "extended")),
    )


def _windows() -> int | None:
    status = _MemoryStatus()
    status.length = ctypes.sizeof(status)
    kernel = getattr(ctypes, "windll").kernel32  # noqa: B009 - the attribute exists on Windows alone
    return int(status.free) if kernel.GlobalMemoryStatusEx(ctypes.byref(status)) else None
