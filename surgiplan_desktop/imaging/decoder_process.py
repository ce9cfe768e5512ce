"""Decode frames in a process of their own: broken data may crash or hang a codec written in C, never this program.

A few processes stay warm between frames, since starting one costs as much as decoding ten slices.
"""

from __future__ import annotations

import multiprocessing
import os
import queue
import signal
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import Final

from surgiplan_desktop.base.arrays import AnyArray
from surgiplan_desktop.imaging.decoding import DecodeError, Frame, check, decode

#: How long a process may take to start, and a frame to be decoded: a second for each megapixel beyond (s).
_START_S: Final = 60.0
_FRAME_S: Final = 10.0
_FRAME_S_PER_MEGAPIXEL: Final = 1.0
#: Processes kept warm for the next frame.
_KEPT: Final = 2


class _Decoder:
    """One process that decodes frame after frame."""

    def __init__(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, there = context.Pipe()
        self._process = context.Process(target=serve, args=(there,), name="surgiplan-decoder", daemon=True)
        self._process.start()
        there.close()
        if not self._pipe.poll(_START_S):
            self.close()
            raise DecodeError("the decoder did not start")
        self._pipe.recv()

    def decode(self, frame: Frame) -> AnyArray:
        """Return the decoded frame; DecodeError where the process cannot, dies or does not answer in time."""
        try:
            self._pipe.send(frame)
            if not self._pipe.poll(_FRAME_S + _FRAME_S_PER_MEGAPIXEL * frame.rows * frame.columns / 1e6):
                raise DecodeError("the decoder did not answer in time")
            answer = self._pipe.recv()
        except (EOFError, OSError) as error:
            raise DecodeError("the decoder crashed on this image") from error
        if isinstance(answer, str):
            raise DecodeError(answer)
        values: AnyArray = answer
        return values

    def close(self) -> None:
        """End the process."""
        self._pipe.close()
        self._process.kill()
        self._process.join()
        self._process.close()


_idle: queue.LifoQueue[_Decoder] = queue.LifoQueue()


def decode_apart(frame: Frame) -> AnyArray:
    """Decode a frame, in a process of its own where the codec is written in C; may be called from several threads.

    Raises
    ------
    DecodeError
        The frame is broken, or its decoder crashed or hung.
    """
    if not frame.needs_native_codec:
        return decode(frame)
    check(frame)
    try:
        decoder = _idle.get_nowait()
    except queue.Empty:
        decoder = _Decoder()
    answered = False
    try:
        values = decoder.decode(frame)
        answered = True
    finally:
        # After a failure the process is not trusted with the next frame.
        if answered and _idle.qsize() < _KEPT:
            _idle.put(decoder)
        else:
            decoder.close()
    return values


def serve(pipe: Connection) -> None:
    """Decode what comes through the pipe until it closes: the main function of the process."""
    # Ctrl-C on the terminal goes to the whole group; the owner decides what becomes of this process.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # The codecs write what they think of broken data straight to the terminal; what matters comes back through the pipe.
    with open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    with suppress(EOFError, OSError):
        pipe.send("ready")
        while True:
            frame: Frame = pipe.recv()
            try:
                pipe.send(decode(frame))
            except (DecodeError, MemoryError) as error:
                pipe.send(str(error) or "out of memory")
