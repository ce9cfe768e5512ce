"""Processor and NVIDIA cards by their driver: asked before a library is, since libraries do not say why they fail."""

from __future__ import annotations

import ctypes
import platform
import sys
from dataclasses import dataclass
from functools import cache
from typing import Final

_MAJOR: Final = 75  # CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR of cuda.h
_MINOR: Final = 76


@dataclass(frozen=True, slots=True)
class GraphicsCard:
    """Name, compute capability (such as 9.0) and memory in bytes."""

    name: str
    capability: tuple[int, int]
    memory_bytes: int


@cache
def nvidia_cards() -> tuple[GraphicsCard, ...]:
    """Cards that the driver lists; none where no driver is installed."""
    try:
        driver = ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    except OSError:
        return ()
    number = ctypes.c_int(0)
    if driver.cuInit(0) or driver.cuDeviceGetCount(ctypes.byref(number)):
        return ()
    return tuple(_card(driver, index) for index in range(number.value))


def _card(driver: ctypes.CDLL, index: int) -> GraphicsCard:
    device, major, minor, memory = ctypes.c_int(), ctypes.c_int(), ctypes.c_int(), ctypes.c_size_t()
    name = ctypes.create_string_buffer(128)
    driver.cuDeviceGet(ctypes.byref(device), index)
    driver.cuDeviceGetName(name, len(name), device)
    driver.cuDeviceGetAttribute(ctypes.byref(major), _MAJOR, device)
    driver.cuDeviceGetAttribute(ctypes.byref(minor), _MINOR, device)
    driver.cuDeviceTotalMem_v2(ctypes.byref(memory), device)
    return GraphicsCard(name.value.decode(errors="replace"), (major.value, minor.value), memory.value)


@cache
def processor_name() -> str:
    """Name of the processor where the system tells it, else what kind of machine it is."""
    if sys.platform.startswith("linux"):
        try:
            with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as stream:
                for line in stream:
                    if line.startswith("model name"):
                        return line.partition(":")[2].strip()
        except OSError:
            return platform.machine()
    return platform.processor() or platform.machine()
