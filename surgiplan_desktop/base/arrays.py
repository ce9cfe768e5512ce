"""Array types, read-only views, content digests and the checks every public function shares."""

from __future__ import annotations

import hashlib
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int32]
BoolArray = NDArray[np.bool_]
AnyArray = NDArray[Any]
_A = TypeVar("_A", bound=NDArray[Any])


def read_only(array: _A) -> _A:
    """Return ``array`` as a C-contiguous array that cannot be written to (a copy only if it was writeable or strided)."""
    if array.flags.writeable or not array.flags.c_contiguous:
        array = array.copy()
        array.flags.writeable = False
    return array


def frozen(array: _A) -> _A:
    """Make a freshly made array read-only in place, without a copy. Only for arrays nobody else holds."""
    if not array.flags.c_contiguous:
        array = np.ascontiguousarray(array)  # type: ignore[assignment]
    array.flags.writeable = False
    return array


def content_digest(*arrays: AnyArray) -> str:
    """SHA-256 (hex) over dtype, shape and bytes of the arrays, in order."""
    digest = hashlib.sha256()
    for array in arrays:
        contiguous = np.ascontiguousarray(array)
        digest.update(f"{contiguous.dtype.str}{contiguous.shape}".encode())
        digest.update(contiguous.reshape(-1).view(np.uint8).data)
    return digest.hexdigest()


def vector3(value: object, name: str = "value") -> FloatArray:
    """Check and return a finite float64 vector of shape (3,)."""
    array = np.asarray(value, dtype=np.float64)
    if array.shape != (3,) or not np.isfinite(array).all():
        raise ValueError(f"{name} must be three finite numbers, got {value!r}")
    return array


def points3(value: object, name: str = "points") -> FloatArray:
    """Check and return finite float64 points of shape (n, 3)."""
    array = np.asarray(value, dtype=np.float64)
    if array.ndim != 2 or array.shape[1] != 3 or not np.isfinite(array).all():
        raise ValueError(f"{name} must be finite and of shape (n, 3), got shape {array.shape}")
    return array


def unit(value: object, name: str = "direction") -> FloatArray:
    """Return the vector scaled to length 1; a zero vector is refused."""
    array = vector3(value, name)
    length = float(np.linalg.norm(array))
    if length < 1e-12:
        raise ValueError(f"{name} has no direction: {value!r}")
    return array / length
