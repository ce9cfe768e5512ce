"""The head of an ONNX file, read without running anything: opset, operators' domains, external data, inputs and outputs.

Only the few fields that a pack is judged by are read, by their numbers in onnx.proto; weights are stepped over.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

#: TensorProto.DataType of float32.
FLOAT32 = 1
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Signature:
    """Name, element type (TensorProto.DataType) and shape of an input or output; None is an axis of any size."""

    name: str
    element: int
    shape: tuple[int | None, ...]


@dataclass(frozen=True, slots=True)
class OnnxHead:
    """What the file says of itself. ``opset`` is that of the standard operators; ``domains`` are all others that it imports."""

    opset: int
    domains: tuple[str, ...]
    external_data: bool
    inputs: tuple[Signature, ...]
    outputs: tuple[Signature, ...]


def read_head(path: Path) -> OnnxHead:
    """Read the head of an ONNX file.

    Raises
    ------
    ValueError
        The file is empty, truncated or no ONNX model.
    """
    with path.open("rb") as stream:
        if path.stat().st_size == 0:
            raise ValueError("the file is empty")
        with mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return _head(data)


def _head(data: mmap.mmap) -> OnnxHead:
    whole = (0, len(data))
    opsets = {_text(data, span, 1): _number(data, span, 2) for span in _spans(data, whole, 8)}
    graphs = list(_spans(data, whole, 7))
    if len(graphs) != 1:
        raise ValueError("there is no graph in it")
    graph = graphs[0]
    weights = list(_spans(data, graph, 5))
    constants = [
        value for node in _spans(data, graph, 1) for attribute in _spans(data, node, 5) for value in _spans(data, attribute, 5)
    ]
    names = {_text(data, span, 8) for span in weights}
    inputs = tuple(item for item in (_signature(data, span) for span in _spans(data, graph, 11)) if item.name not in names)
    outputs = tuple(_signature(data, span) for span in _spans(data, graph, 12))
    standard = max((version for name, version in opsets.items() if name in ("", "ai.onnx")), default=0)
    others = tuple(sorted(name for name in opsets if name not in ("", "ai.onnx")))
    external = any(_number(data, span, 14) == 1 for span in (*weights, *constants))
    return OnnxHead(standard, others, external, inputs, outputs)


def _signature(data: mmap.mmap, span: _Span) -> Signature:
    shape: list[int | None] = []
    element = 0
    for kind in _spans(data, span, 2):
        for tensor in _spans(data, kind, 1):
            element = _number(data, tensor, 1)
            for dims in _spans(data, tensor, 2):
                # an axis with a name instead of a size has no field 1
                shape += [_number(data, axis, 1) or None for axis in _spans(data, dims, 1)]
    return Signature(_text(data, span, 1), element, tuple(shape))


def _fields(data: mmap.mmap, span: _Span) -> Iterator[tuple[int, int | _Span]]:
    """Give number and value of each field: a whole number, or the span of a length-delimited one."""
    at, end = span
    while at < end:
        tag, at = _varint(data, at, end)
        number, kind = tag >> 3, tag & 7
        if kind == _VARINT:
            value, at = _varint(data, at, end)
            yield number, value
        elif kind == _BYTES:
            length, at = _varint(data, at, end)
            if at + length > end:
                raise ValueError(f"the file ends {at + length - end} bytes too early")
            yield number, (at, at + length)
            at += length
        elif kind in (_FIXED64, _FIXED32):
            at += 8 if kind == _FIXED64 else 4
        else:
            raise ValueError(f"no ONNX file: unknown field at byte {at}")
    if at != end:
        raise ValueError("the file ends within a value")


def _varint(data: mmap.mmap, at: int, end: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if at >= end:
            raise ValueError("the file ends within a number")
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
    raise ValueError(f"no ONNX file: endless number at byte {at}")


def _spans(data: mmap.mmap, span: _Span, number: int) -> Iterator[_Span]:
    for found, value in _fields(data, span):
        if found == number and isinstance(value, tuple):
            yield value


def _number(data: mmap.mmap, span: _Span, number: int) -> int:
    """Return the last value of a numeric field, 0 if absent (protobuf's rule)."""
    return next((value for found, value in reversed(list(_fields(data, span))) if found == number and isinstance(value, int)), 0)


def _text(data: mmap.mmap, span: _Span, number: int) -> str:
    first, last = next(_spans(data, span, number), (0, 0))
    return data[first:last].decode("utf-8", errors="replace")
