"""Tiny ONNX networks, written byte by byte by the field numbers of onnx.proto: no library that makes models is needed."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path

import numpy as np


def field(number: int, payload: bytes | str | int) -> bytes:
    """One protobuf field: a varint, or a length-delimited value."""
    if isinstance(payload, int):
        return varint(number << 3) + varint(payload)
    data = payload.encode() if isinstance(payload, str) else payload
    return varint(number << 3 | 2) + varint(len(data)) + data


def varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


def tensor(name: str, values: np.ndarray) -> bytes:
    """TensorProto of float32 or int64."""
    kind = {np.dtype(np.float32): 1, np.dtype(np.int64): 7}[values.dtype]
    dims = b"".join(field(1, int(size)) for size in values.shape)
    return dims + field(2, kind) + field(8, name) + field(9, values.tobytes())


def node(kind: str, inputs: Sequence[str], output: str, **attributes: list[int] | float) -> bytes:
    """NodeProto with attributes of integers and floats."""
    body = b"".join(field(1, name) for name in inputs) + field(2, output) + field(4, kind)
    for name, value in attributes.items():
        if isinstance(value, list):
            body += field(5, field(1, name) + b"".join(field(8, item) for item in value) + field(20, 7))
        elif isinstance(value, int):
            body += field(5, field(1, name) + field(3, value) + field(20, 2))
        else:
            body += field(5, field(1, name) + varint(2 << 3 | 5) + struct.pack("<f", value) + field(20, 1))
    return body


def value(name: str, shape: Sequence[int | str], kind: int = 1) -> bytes:
    """ValueInfoProto of a tensor; a text is an axis of any size."""
    dims = b"".join(field(1, field(1, size) if isinstance(size, int) else field(2, size)) for size in shape)
    return field(1, name) + field(2, field(1, field(1, kind) + field(2, dims)))


def model(
    nodes: Sequence[bytes],
    tensors: Sequence[bytes],
    source: Sequence[int | str],
    target: Sequence[int | str],
    *,
    opset: int = 17,
    domain: str = "",
    kind: int = 1,
) -> bytes:
    """ModelProto with the input ``image`` and the output ``logits``."""
    graph = b"".join(field(1, item) for item in nodes) + field(2, "tiny") + b"".join(field(5, item) for item in tensors)
    graph += field(11, value("image", source, kind)) + field(12, value("logits", target))
    return field(1, 8) + field(7, graph) + field(8, field(1, domain) + field(2, opset))


AXES = ("k", "j", "i")


def classifier(
    path: Path, weights: np.ndarray, *, tile: Sequence[int | str] = AXES, bias: np.ndarray | None = None, **more
) -> Path:
    """Convolution (classes, channels, a, a, a), a odd, padded: logits by class."""
    weights = np.asarray(weights, dtype=np.float32)
    classes, channels, edge = weights.shape[:3]
    bias = np.zeros(classes, dtype=np.float32) if bias is None else np.asarray(bias, dtype=np.float32)
    conv = node("Conv", ["image", "w", "b"], "logits", kernel_shape=[edge] * 3, pads=[edge // 2] * 6)
    tensors = [tensor("w", weights), tensor("b", bias)]
    path.write_bytes(model([conv], tensors, [1, channels, *tile], [1, classes, *tile], **more))
    return path


def slow(path: Path, layers: int = 300, channels: int = 16) -> Path:
    """One channel in, two classes out, through many convolutions that share their weights: long to run, small on disk."""
    random = np.random.default_rng(0)
    tensors = [
        tensor("first", random.normal(size=(channels, 1, 1, 1, 1)).astype(np.float32)),
        tensor("mid", (random.normal(size=(channels, channels, 3, 3, 3)) / (27 * channels) ** 0.5).astype(np.float32)),
        tensor("last", random.normal(size=(2, channels, 1, 1, 1)).astype(np.float32)),
    ]
    nodes = [node("Conv", ["image", "first"], "x0", kernel_shape=[1] * 3)]
    nodes += [node("Conv", [f"x{n}", "mid"], f"x{n + 1}", kernel_shape=[3] * 3, pads=[1] * 6) for n in range(layers)]
    nodes.append(node("Conv", [f"x{layers}", "last"], "logits", kernel_shape=[1] * 3))
    path.write_bytes(model(nodes, tensors, [1, 1, *AXES], [1, 2, *AXES]))
    return path


def huge(path: Path, channels: int) -> Path:
    """Small on disk; blows the image up to ``channels`` channels and sums them: memory beyond any machine."""
    tensors = [
        tensor("many", np.array([1, channels, 1, 1, 1], dtype=np.int64)),
        tensor("w", np.ones((2, 1, 1, 1, 1), np.float32)),
    ]
    nodes = [
        node("Expand", ["image", "many"], "wide"),
        node("ReduceMean", ["wide"], "one", axes=[1], keepdims=1),
        node("Conv", ["one", "w"], "logits", kernel_shape=[1] * 3),
    ]
    path.write_bytes(model(nodes, tensors, [1, 1, *AXES], [1, 2, *AXES]))
    return path
