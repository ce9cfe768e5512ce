"""Values to bytes and back, for the way to a worker process and to the disk: read-only arrays stay read-only.

Plain pickle gives back writeable arrays and knows no mapping proxies. Bytes are only ever taken from the program's own worker
or from the user's own cache folder, since reading a pickle runs what it says.
"""

from __future__ import annotations

import io
import pickle
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray


def _array_from(data: bytes, dtype: np.dtype[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    return np.frombuffer(data, dtype=dtype).reshape(shape)


def _proxy_of(content: dict[Any, Any]) -> MappingProxyType[Any, Any]:
    return MappingProxyType(content)


class _Packer(pickle.Pickler):
    def reducer_override(self, value: object) -> Any:
        if isinstance(value, np.ndarray) and not value.flags.writeable and not value.dtype.hasobject:
            # Bytes are immutable, so an array over them is read-only by nature, and reading them back copies nothing.
            array = np.ascontiguousarray(value)
            array.flags.writeable = False  # of the copy, if it is one
            return _array_from, (pickle.PickleBuffer(array.data), array.dtype, value.shape)
        if type(value) is MappingProxyType:
            return _proxy_of, (dict(value),)
        return NotImplemented


def pack(value: object) -> bytes:
    """Return the value as bytes; raises what pickle raises for values that cannot travel."""
    stream = io.BytesIO()
    _Packer(stream, protocol=5).dump(value)
    return stream.getvalue()


def unpack(data: bytes) -> Any:
    """Return the value of bytes made by :func:`pack` in this program (trusted bytes only)."""
    return pickle.loads(data)  # noqa: S301 - own worker or own cache folder only, see the module's text
