"""Displacement between neighbouring slices, by correlation: where the patient moved, or a slice lies where it does not belong.

The body changes smoothly from slice to slice, so its displacement has a smooth trend; a jump stands out of the trend and of the
scatter of the method itself. Nothing is assumed about where or how far. A displacement that the next slice takes back is a slice
out of place; one that stays is motion of the patient (or of the table). Slow motion looks like anatomy and is not seen.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage

from surgiplan_desktop.base.arrays import FloatArray

#: Hounsfield range in which slices are compared: flesh against air and bone against flesh, metal no more than bone.
_RANGE_HU: Final = (-300.0, 1000.0)
#: The trend is the median over this many neighbouring pairs.
_TREND: Final = 11
#: Blocks of no more slices have too few pairs for a trend.
LEAST_SLICES: Final = 2 * _TREND
#: A jump is this many times the robust scatter of the whole block, and at least this share of a coarse pixel.
_FACTOR: Final = 8.0
_LEAST_PIXELS: Final = 0.5
#: Opposite jumps of two neighbouring pairs cancel when what is left is below this share of the larger.
_CANCELS: Final = 0.5
#: Pairs of slices that are less alike than this say nothing of a displacement (no body, or another body).
_LEAST_LIKENESS: Final = 0.2
#: A displacement must explain this share of the unlikeness that the pair has without it: toes come and go, they do not move.
_EXPLAINS: Final = 0.3

Image = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Shifts:
    """Jumps found: (slice, mm) of slices displaced alone, and of the first slice after a displacement that lasts."""

    single: tuple[tuple[int, float], ...]
    lasting: tuple[tuple[int, float], ...]
    noise_mm: float


class SliceMotion:
    """Takes the slices of a block one by one and measures the displacement of each against the one before.

    Parameters
    ----------
    pixel_mm
        Size of a pixel of the images given, along rows and columns (2,).
    """

    def __init__(self, pixel_mm: FloatArray) -> None:
        self._pixel = np.asarray(pixel_mm, dtype=np.float64)
        self._halves: list[slice] = []
        self._before: list[NDArray[np.complex64]] = []
        self._energy: list[float] = []
        self._shape: tuple[int, int] = (0, 0)
        self._window: list[Image] = []
        self._moves: list[list[tuple[float, float, float, float]]] = []

    def add(self, image: Image) -> None:
        """Add the next slice, HU."""
        if not self._halves:
            self._prepare(image.shape)
        pairs = []
        for number, half in enumerate(self._halves):
            last = self._moves[-1][number][:2] if self._moves else (0.0, 0.0)
            part = np.clip(image[:, half], *_RANGE_HU)
            part = ndimage.gaussian_gradient_magnitude(part, 1.0) * self._window[number]
            part -= part.mean()
            spectrum = fft.rfft2(part, s=self._shape)
            energy = float((part * part).sum())
            if len(self._before) > number:
                pairs.append(self._move(self._before[number], spectrum, self._energy[number] * energy, last))
                self._before[number], self._energy[number] = spectrum, energy
            else:
                self._before.append(spectrum)
                self._energy.append(energy)
        if pairs:
            self._moves.append(pairs)

    def _prepare(self, shape: tuple[int, ...]) -> None:
        """Look at the two halves of a wide field apart: there one leg may move without the other."""
        rows, columns = shape
        wide = columns * self._pixel[1] > 260.0
        middle = columns // 2
        self._halves = [slice(0, middle), slice(middle, columns)] if wide else [slice(0, columns)]
        width = max(half.stop - half.start for half in self._halves)
        self._shape = (fft.next_fast_len(rows, real=True), fft.next_fast_len(width, real=True))
        self._window = [
            np.outer(np.hanning(rows + 2)[1:-1], np.hanning(half.stop - half.start + 2)[1:-1]).astype(np.float32) ** 0.5
            for half in self._halves
        ]

    def _move(
        self, before: NDArray[np.complex64], after: NDArray[np.complex64], energy: float, last: tuple[float, float]
    ) -> tuple[float, float, float, float]:
        """Displacement (rows, columns) in pixels from one spectrum to the next, how alike the two are with it (0..1), and how
        alike they are when they move as the pair before did.
        """
        if energy <= 0.0:
            return 0.0, 0.0, 0.0, 0.0
        surface = fft.irfft2(after * np.conj(before), s=self._shape) / np.sqrt(energy)
        peak = np.unravel_index(int(surface.argmax()), surface.shape)
        move = []
        for axis, (at, size) in enumerate(zip(peak, self._shape, strict=True)):
            line = surface[:, peak[1]] if axis == 0 else surface[peak[0]]
            low, here, high = float(line[at - 1]), float(line[at]), float(line[(at + 1) % size])
            curve = low - 2.0 * here + high
            fine = float(at) + (0.5 * (low - high) / curve if curve < 0 else 0.0)
            move.append(fine - size if fine > size / 2 else fine)
        unmoved = float(surface[round(last[0]) % self._shape[0], round(last[1]) % self._shape[1]])
        return move[0], move[1], float(surface[peak]), unmoved

    def shifts(self) -> Shifts:
        """Return the jumps among all slices added so far."""
        single: dict[int, float] = {}
        lasting: dict[int, float] = {}
        noise = 0.0
        for number in range(len(self._halves)):
            moves = np.array([pairs[number] for pairs in self._moves]).reshape(-1, 4)
            if len(moves) < LEAST_SLICES:
                continue
            jumps, scatter = self._jumps(moves)
            noise = max(noise, scatter)
            for k, size, stays in jumps:
                found = lasting if stays else single
                found[k] = max(found.get(k, 0.0), size)
        ordered = [tuple((k, round(size, 2)) for k, size in sorted(found.items())) for found in (single, lasting)]
        return Shifts(ordered[0], ordered[1], noise)

    def _jumps(self, moves: FloatArray) -> tuple[list[tuple[int, float, bool]], float]:
        """Jumps (slice, mm, stays) that stand out of trend and scatter, and the scatter in mm."""
        likeness, unmoved = np.clip(moves[:, 2], 0.0, 1.0), np.clip(moves[:, 3], 0.0, 1.0)
        sure = likeness >= _LEAST_LIKENESS
        steps = np.where(sure[:, None], moves[:, :2], 0.0) * self._pixel
        off = steps - np.column_stack([ndimage.median_filter(steps[:, axis], _TREND, mode="nearest") for axis in range(2)])
        size = np.linalg.norm(off, axis=1)
        if not sure.any():
            return [], 0.0
        scatter = 1.4826 * float(np.median(size[sure]))
        # where slices are less alike than usual, the place of the best likeness is less certain
        doubt = np.sqrt((1.0 - likeness) / max(1.0 - float(np.median(likeness[sure])), 1e-3))
        limit = np.maximum(_FACTOR * scatter * np.maximum(doubt, 1.0), _LEAST_PIXELS * float(self._pixel.max()))
        jumps = sure & (size > limit) & (1.0 - likeness < (1.0 - _EXPLAINS) * (1.0 - unmoved))
        found: list[tuple[int, float, bool]] = []
        pair = 0
        while pair < len(off):
            if not jumps[pair]:
                pair += 1
                continue
            largest = float(size[pair])
            if pair + 1 < len(off) and np.linalg.norm(off[pair] + off[pair + 1]) < _CANCELS * max(largest, float(size[pair + 1])):
                found.append((pair + 1, max(largest, float(size[pair + 1])), False))
                pair += 2
                continue
            found.append((pair + 1, largest, True))
            pair += 1
        return found, scatter
