"""Decode frames in a process of their own: broken data may crash or hang a codec written in C, never this program.

A few processes stay warm between frames, since starting one costs as much as decoding ten slices. They are started by the name of
their function and not as a copy of this program, so that scripts without a guarded main module may import compressed series too.
"""

from __future__ import annotations

import atexit
import io
import os
import queue
import signal
import struct
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO, Final

import numpy as np

import surgiplan_desktop
from surgiplan_desktop.base.arrays import AnyArray
from surgiplan_desktop.derive.packing import pack, unpack
from surgiplan_desktop.imaging.decoding import DecodeError, Frame, check, decode

#: How long a process may take to start, and a frame to be decoded: a second for each megapixel beyond (s).
_START_S: Final = 60.0
_FRAME_S: Final = 5.0
_FRAME_S_PER_MEGAPIXEL: Final = 1.0
#: Processes kept warm for the next frame.
_KEPT: Final = 2
_PROGRAM: Final = (
    "import sys; sys.path.insert(0, sys.argv[1])\nfrom surgiplan_desktop.imaging.decoder_process import serve\nserve()"
)
#: How an answer in words begins; an array begins as NumPy's own files do.
_WORDS: Final = b"words:"
_LENGTH: Final = struct.Struct("<Q")


class DecoderCrash(DecodeError):  # noqa: N818 - what happened, as DecodeError names it
    """The process ended while it decoded."""


class _Decoder:
    """One process that decodes frame after frame."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", _PROGRAM, str(Path(surgiplan_desktop.__file__).parent.parent)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
        self._ask(None, _START_S)

    def decode(self, frame: Frame) -> AnyArray | str:
        """Return the decoded frame or why it cannot be; DecodeError where the process does not answer in time or dies."""
        answer: AnyArray | str = self._ask(frame, _FRAME_S + _FRAME_S_PER_MEGAPIXEL * frame.rows * frame.columns / 1e6)
        return answer

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                with suppress(OSError):
                    stream.close()

    def _ask(self, question: Frame | None, limit_s: float) -> Any:
        late = threading.Event()

        def end() -> None:
            late.set()
            self._process.kill()

        watch = threading.Timer(limit_s, end)
        watch.start()
        try:
            _send(self._process.stdin, pack(question))
            return _answer_of(_received(self._process.stdout))
        except (EOFError, OSError) as error:
            if late.is_set():
                raise DecodeError("the decoder did not answer in time") from error
            raise DecoderCrash("the decoder crashed") from error
        finally:
            watch.cancel()


_idle: queue.LifoQueue[_Decoder] = queue.LifoQueue()


def decode_apart(frame: Frame) -> AnyArray:
    """Decode a frame in a process of its own; may be called from several threads.

    Raises
    ------
    DecodeError
        The frame is broken, or its decoder crashed or hung.
    """
    check(frame)
    try:
        return _ask_one(frame, fresh=False)
    except DecoderCrash:
        # What an earlier broken frame has left behind must not count against this one.
        return _ask_one(frame, fresh=True)


def _ask_one(frame: Frame, *, fresh: bool) -> AnyArray:
    try:
        if fresh:
            raise queue.Empty
        decoder = _idle.get_nowait()
    except queue.Empty:
        decoder = _Decoder()
    answer = None
    try:
        answer = decoder.decode(frame)
    finally:
        if answer is not None and _idle.qsize() < _KEPT:
            _idle.put(decoder)
        else:
            decoder.close()
    if isinstance(answer, str):
        raise DecodeError(answer)
    return answer


@atexit.register
def close_decoders() -> None:
    """End the processes that are kept warm."""
    with suppress(queue.Empty):
        while True:
            _idle.get_nowait().close()


def serve() -> None:
    """Decode what comes through standard input until it closes: the main function of the process."""
    # Ctrl-C on the terminal goes to the whole group; the owner decides what becomes of this process.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Codecs may print; only answers go through the pipe.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    with suppress(EOFError, OSError):
        while True:
            frame = unpack(_received(sys.stdin.buffer))
            try:
                _send(answers, b"" if frame is None else _bytes_of(decode(frame)))
            except (DecodeError, MemoryError) as error:
                _send(answers, _WORDS + (str(error) or "out of memory").encode())


def _bytes_of(values: AnyArray) -> bytes:
    stream = io.BytesIO()
    np.save(stream, values, allow_pickle=False)
    return stream.getvalue()


def _answer_of(data: bytes) -> Any:
    """Return the array or the words of an answer; it comes from where foreign data was decoded, so nothing of it is run."""
    if not data:
        return None
    if data.startswith(_WORDS):
        return data[len(_WORDS) :].decode(errors="replace")
    try:
        return np.load(io.BytesIO(data), allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise OSError("no answer of a decoder") from error


def _send(stream: Any, data: bytes) -> None:
    stream.write(_LENGTH.pack(len(data)) + data)
    stream.flush()


def _received(stream: BinaryIO | Any) -> bytes:
    head = stream.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        raise EOFError
    (length,) = _LENGTH.unpack(head)
    data: bytes = stream.read(length)
    if len(data) < length:
        raise EOFError
    return data
