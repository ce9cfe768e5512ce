"""Whether a pack is what its manifest says: hashes, opset, signatures, memory; and whether it runs here, alike on each engine."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from surgiplan_desktop.base.errors import ComputationError, InputDataError
from surgiplan_desktop.base.progress import SILENT, PartOfProgress, Progress
from surgiplan_desktop.model.study import Finding
from surgiplan_desktop.segmentation.inference.choose import Option, Runner, Settings, Wish, open_network, settings_for
from surgiplan_desktop.segmentation.inference.engine import EngineFailure, Float32Array, Running, half_file
from surgiplan_desktop.segmentation.inference.footprint import run_bytes
from surgiplan_desktop.segmentation.onnx_file import FLOAT32, OnnxHead, Signature, read_head
from surgiplan_desktop.segmentation.packs import Member, ModelPack, PackNetwork
from surgiplan_desktop.segmentation.tiles import memory_limit

#: Opsets that both engines run.
OPSETS: Final = range(9, 24)
#: Share of voxels in which two engines must give the same label.
SAME_LABELS: Final = 0.999
_MIB: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class NetworkTrial:
    """What a network did here: what really ran it, what else was to be had with the seconds of a tile, memory, findings.

    ``agreement`` is the share of voxels with the same label in the two fastest engines; None where only one works.
    """

    network: str
    file: str
    running: Running
    options: tuple[Option, ...]
    memory_bytes: int
    agreement: float | None
    findings: tuple[Finding, ...]


def verify_pack(pack: ModelPack, *, limit_bytes: int | None = None) -> None:
    """Check all files of a pack, quickly and without running them; done each time that a pack is loaded.

    Raises
    ------
    InputDataError
        The first of :func:`file_problems`.
    """
    for problem in file_problems(pack, limit_bytes=limit_bytes):
        raise problem


def file_problems(pack: ModelPack, *, limit_bytes: int | None = None) -> Iterator[InputDataError]:
    """Give what is wrong with the files of a pack.

    ``pack_file_missing``, ``pack_hash``, ``pack_onnx_broken``, ``pack_onnx_opset``, ``pack_onnx_domain``, ``pack_onnx_external``,
    ``pack_onnx_signature``, ``pack_memory``: each names pack, file and reason. Memory is judged against ``limit_bytes``, by
    default a share of what is free.
    """
    card = pack.folder / pack.card
    if not card.is_file() or not card.read_text(encoding="utf-8", errors="replace").strip():
        yield InputDataError("pack_file_missing", file=card, pack=pack.name)
    limit = memory_limit() if limit_bytes is None else limit_bytes
    for network in pack.networks:
        for member in network.members:
            files = [(pack.path(member), member.sha256)]
            half = half_file(pack.path(member))
            if member.half_sha256 or half.exists():
                # a float16 form that the manifest does not name would be run unchecked
                files.append((half, member.half_sha256 or "-"))
            for path, digest in files:
                problem = _file_problem(pack, network, path, digest, limit)
                if problem is not None:
                    yield problem


def _file_problem(pack: ModelPack, network: PackNetwork, path: Path, digest: str, limit: int) -> InputDataError | None:
    if not path.is_file():
        return InputDataError("pack_file_missing", file=path, pack=pack.name)
    size = path.stat().st_size
    if size > limit:
        return InputDataError("pack_memory", file=path, pack=pack.name, need_mib=size // _MIB, limit_mib=limit // _MIB)
    with path.open("rb") as stream:
        found = hashlib.file_digest(stream, "sha256").hexdigest()
    if found != digest:
        return InputDataError("pack_hash", file=path, pack=pack.name, expected=digest[:12], found=found[:12])
    try:
        head = read_head(path)
    except ValueError as error:
        return InputDataError("pack_onnx_broken", file=path, pack=pack.name, problem=str(error))
    return _head_problem(pack, network, path, head) or _memory_problem(pack, network, path, limit)


def _head_problem(pack: ModelPack, network: PackNetwork, path: Path, head: OnnxHead) -> InputDataError | None:
    if head.opset not in OPSETS:
        known = f"{OPSETS.start}-{OPSETS.stop - 1}"
        return InputDataError("pack_onnx_opset", file=path, pack=pack.name, opset=head.opset, known=known)
    if head.domains:
        return InputDataError("pack_onnx_domain", file=path, pack=pack.name, domains=", ".join(head.domains))
    if head.external_data:
        return InputDataError("pack_onnx_external", file=path, pack=pack.name)
    expected_in = pack.tile_shape(network)
    expected_out = (1, pack.classes, *network.tile)
    for items, expected in ((head.inputs, expected_in), (head.outputs, expected_out)):
        if len(items) != 1 or items[0].element != FLOAT32 or not _fits(items[0], expected):
            found = "; ".join(_told(item) for item in items) or "-"
            return InputDataError("pack_onnx_signature", file=path, pack=pack.name, found=found, expected=_words(expected))
    return None


def _fits(signature: Signature, expected: tuple[int, ...]) -> bool:
    """Tell whether a shape can be the expected one; an output that says nothing of its shape is judged when it runs."""
    if not signature.shape:
        return True
    pairs = zip(signature.shape, expected, strict=False)
    return len(signature.shape) == len(expected) and all(size is None or size == wanted for size, wanted in pairs)


def _told(signature: Signature) -> str:
    kind = "float32" if signature.element == FLOAT32 else f"element type {signature.element}"
    return f"{signature.name}: {' x '.join('?' if size is None else str(size) for size in signature.shape)} of {kind}"


def _words(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))


def _memory_problem(pack: ModelPack, network: PackNetwork, path: Path, limit: int) -> InputDataError | None:
    try:
        need = network_bytes(pack, network, path)
    except EngineFailure as failure:
        return InputDataError("pack_onnx_broken", file=path, pack=pack.name, problem=failure.detail)
    if need > limit:
        return InputDataError("pack_memory", file=path, pack=pack.name, need_mib=need // _MIB, limit_mib=limit // _MIB)
    return None


def network_bytes(pack: ModelPack, network: PackNetwork, path: Path) -> int:
    """Bytes that a network takes for one tile, its input and output included; EngineFailure where it cannot take the tile."""
    voxels = math.prod(network.tile)
    return run_bytes(path, pack.tile_shape(network)) + 4 * voxels * (pack.channels(network) + 2 * pack.classes)


def try_pack(
    pack: ModelPack, *, wish: Wish = "auto", compare: bool = False, settings: Settings | None = None, progress: Progress = SILENT
) -> tuple[NetworkTrial, ...]:
    """Run one tile through every member of a verified pack.

    Parameters
    ----------
    wish
        Device asked for.
    compare
        Also run the second engine and compare the labels.

    Raises
    ------
    InputDataError
        ``pack_onnx_runs_wrong`` where the answer has another shape than promised, or no engine can run it.
    """
    chosen = settings or settings_for()
    members = [(network, member) for network in pack.networks for member in network.members]
    trials = []
    for number, (network, member) in enumerate(members):
        part = PartOfProgress(progress, number / len(members), (number + 1) / len(members))
        trials.append(_tried(pack, network, member, wish, compare, chosen, part))
    return tuple(trials)


def _tried(
    pack: ModelPack, network: PackNetwork, member: Member, wish: Wish, compare: bool, settings: Settings, progress: Progress
) -> NetworkTrial:
    path = pack.path(member)
    shape = pack.tile_shape(network)
    tile = np.random.default_rng(0).standard_normal(shape, dtype=np.float32)
    try:
        runner = open_network(path, shape, wish=wish, settings=settings, progress=progress)
        answer = runner.run(tile)
    except ComputationError as error:
        told = str(error.parameters.get("tried", ""))
        raise InputDataError("pack_onnx_runs_wrong", file=path, pack=pack.name, problem=told) from error
    expected = (1, pack.classes, *network.tile)
    if answer.shape != expected:
        told = f"{_words(answer.shape)} != {_words(expected)}"
        raise InputDataError("pack_onnx_runs_wrong", file=path, pack=pack.name, problem=told)
    agreement = _agreement(runner, answer, tile, settings) if compare else None
    memory = network_bytes(pack, network, path)
    return NetworkTrial(network.name, member.file, runner.running, runner.options, memory, agreement, tuple(runner.findings))


def _agreement(runner: Runner, answer: Float32Array, tile: Float32Array, settings: Settings) -> float | None:
    """Share of voxels that the next best engine labels alike; None where there is none."""
    others = [option for option in runner.options if option.engine != runner.running.engine]
    if not others:
        return None
    other = Runner(runner.path, runner.shape, others, settings).run(tile)
    return float(np.mean(answer.argmax(axis=1) == other.argmax(axis=1)))
