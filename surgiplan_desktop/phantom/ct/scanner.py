"""What a scanner makes of the body: point spread, slice profile, and quantum noise that depends on kernel and object.

The body comes as ideal Hounsfield values, averaged over each voxel, in slices that may lie closer than those of the scan.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import scipy.fft
from numpy.typing import NDArray
from scipy import ndimage, sparse

from surgiplan_desktop.base.arrays import FloatArray
from surgiplan_desktop.phantom.ct.coarse import refined
from surgiplan_desktop.phantom.ct.scene import Kernel

Values = NDArray[np.float32]

#: Water attenuates this much a mm at the mean energy of 120 kV behind a body.
WATER_PER_MM: Final = 0.0193
#: The noise of a kernel is given at the middle of this much water, mm.
REFERENCE_MM: Final = 140.0
#: Automatic tube current takes this share out of the growth of noise with the body's thickness (in powers of the attenuation).
_TUBE_CURRENT: Final = 0.5
_NOISE_ANGLES: Final = 18
_NOISE_PIXEL_MM: Final = 7.0
#: The slope of a slice profile's flanks as a share of its width.
_FLANK: Final = 0.15


def slice_profile(thickness_mm: float, step_mm: float) -> FloatArray:
    """Weights of slices ``step_mm`` apart around the middle of a slice: a plateau with smooth flanks, of sum 1.

    Its full width at half maximum is ``thickness_mm``.
    """
    reach = int(np.ceil(0.5 * thickness_mm * (1.0 + 2.0 * _FLANK) / step_mm))
    # each of the fine slices is itself an average over its step: integrate the profile over it
    fine = np.linspace(-0.5, 0.5, 33)
    place = np.abs((np.arange(-reach, reach + 1)[:, None] + fine) * step_mm)
    flank = _FLANK * thickness_mm
    weights: FloatArray = np.clip((0.5 * thickness_mm - place) / (2.0 * flank) + 0.5, 0.0, 1.0).mean(axis=1)
    weights /= weights.sum()
    return weights


def blurred(image: Values, kernel: Kernel, pixel_mm: tuple[float, float]) -> Values:
    """Draw a slice through the kernel's point spread.

    The values are already averages over the pixel; only what is left of the kernel's width is added. Where the pixel is wider
    than the kernel nothing is.
    """
    narrow = _smoothed(image, kernel.blur_mm, pixel_mm)
    if kernel.edge == 0.0:
        return narrow
    return narrow + np.float32(kernel.edge) * (narrow - _smoothed(image, 2.0 * kernel.blur_mm, pixel_mm))


def _smoothed(image: Values, blur_mm: float, pixel_mm: tuple[float, float]) -> Values:
    result = image
    for axis, pixel in enumerate(pixel_mm):
        left = np.sqrt(max(blur_mm**2 - pixel**2 / 12.0, 0.0)) / pixel
        if left > 0.1:
            result = ndimage.gaussian_filter1d(result, left, axis=axis, mode="nearest", truncate=3.5)
    return result


@dataclass(frozen=True, slots=True, eq=False)
class NoiseMaker:
    """Noise of one scan: its spectrum in the slice, how slices share it, its deviation, and what the body does to it."""

    spectrum: Values
    shape: tuple[int, int]
    sharing: FloatArray
    deviation_hu: float
    seed: int

    @staticmethod
    def of(
        kernel: Kernel, shape: tuple[int, int], pixel_mm: tuple[float, float], profile: FloatArray, deviation_hu: float, seed: int
    ) -> NoiseMaker:
        """Prepare the noise.

        Parameters
        ----------
        profile
            The slice profile sampled at the spacing of the slices: neighbours that overlap share noise.
        deviation_hu
            At the middle of 140 mm of water.
        """
        padded = (scipy.fft.next_fast_len(shape[0], real=True), scipy.fft.next_fast_len(shape[1], real=True))
        along, across = (np.fft.fftfreq(padded[0], pixel_mm[0])[:, None], np.fft.rfftfreq(padded[1], pixel_mm[1])[None, :])
        f = np.hypot(along, across)
        passed = np.exp(-2.0 * (np.pi * kernel.blur_mm * f) ** 2)
        passed = passed + kernel.edge * (passed - passed**4)
        # back-projection leaves the ramp in the noise: its power goes with the frequency (and is not quite zero at zero)
        spectrum = np.sqrt(f + 0.02) * passed
        power = np.sqrt((np.fft.irfft2(spectrum, padded) ** 2).sum())
        return NoiseMaker((spectrum / power).astype(np.float32), shape, profile / np.linalg.norm(profile), deviation_hu, seed)

    def __call__(self, k: int, whites: dict[int, Values]) -> Values:
        """Noise of slice ``k`` of unit body: deviation ``deviation_hu`` everywhere. ``whites`` keeps what neighbours share."""
        reach = len(self.sharing) // 2
        padded = self._padded()
        mixed = np.zeros(padded, dtype=np.float32)
        for offset, weight in zip(range(-reach, reach + 1), self.sharing, strict=True):
            if k + offset not in whites:
                random = np.random.default_rng([self.seed, 31, k + offset + 100_000])
                whites[k + offset] = random.standard_normal(padded, dtype=np.float32)
            mixed += np.float32(weight) * whites[k + offset]
        for old in [name for name in whites if name < k - reach]:
            del whites[old]
        noise = scipy.fft.irfft2(scipy.fft.rfft2(mixed) * self.spectrum, padded)
        result: Values = noise[: self.shape[0], : self.shape[1]] * np.float32(self.deviation_hu)
        return result

    def _padded(self) -> tuple[int, int]:
        return scipy.fft.next_fast_len(self.shape[0], real=True), scipy.fft.next_fast_len(self.shape[1], real=True)


@dataclass(frozen=True, slots=True, eq=False)
class BodyNoise:
    """How much more noise than 140 mm of water a body makes at each pixel: rays through more of it count fewer photons.

    The variance at a pixel of a filtered back-projection is the mean over the angles of the variance of its rays.
    """

    along: sparse.csr_array
    back: sparse.csr_array
    every: tuple[int, int]
    coarse: tuple[int, int]

    @staticmethod
    def of(shape: tuple[int, int], pixel_mm: tuple[float, float]) -> BodyNoise:
        """Prepare for slices of a shape."""
        every = (max(1, round(_NOISE_PIXEL_MM / pixel_mm[0])), max(1, round(_NOISE_PIXEL_MM / pixel_mm[1])))
        coarse = (-(-shape[0] // every[0]), -(-shape[1] // every[1]))
        along = ray_matrix(coarse, (every[0] * pixel_mm[0], every[1] * pixel_mm[1]), _NOISE_ANGLES)
        return BodyNoise(along, sparse.csr_array(along.T), every, coarse)

    def factor(self, ideal: Values) -> Values:
        """Factor on the deviation at each pixel of an ideal slice."""
        attenuation = np.clip(ideal[:: self.every[0], :: self.every[1]] * 1e-3 + 1.0, 0.0, 3.0) * WATER_PER_MM
        paths = self.along @ attenuation.ravel().astype(np.float64)
        # every pixel's share in a ray is its footprint: normalise, so that equal rays give their own value
        variance = (self.back @ np.exp(paths)) / (self.back @ np.ones_like(paths))
        grown = (variance / np.exp(WATER_PER_MM * REFERENCE_MM)) ** (0.5 * (1.0 - _TUBE_CURRENT))
        smooth = ndimage.gaussian_filter(grown.reshape(self.coarse).astype(np.float32), 0.7)
        return refined(smooth, (ideal.shape[0], ideal.shape[1]), self.every)


def ray_matrix(shape: tuple[int, int], pixel_mm: tuple[float, float], angles: int) -> sparse.csr_array:
    """Matrix that gives line integrals (value x mm) of parallel rays through an image, rows = angle x detector cell.

    Each pixel is shared linearly by the two nearest cells; cells are as wide as the smaller side of a pixel and cover the
    diagonal, with the middle of the image on the middle of the detector.
    """
    cell = min(pixel_mm)
    y, x = ((np.arange(size) - 0.5 * (size - 1)) * pixel for size, pixel in zip(shape, pixel_mm, strict=True))
    x, y = (part.ravel() for part in np.meshgrid(x, y))
    cells = detector_cells(shape, pixel_mm)
    area = pixel_mm[0] * pixel_mm[1] / cell
    columns = np.arange(len(x), dtype=np.int32)
    blocks = []
    for number in range(angles):
        # never along a diagonal of the pixels, where all of them would fall between the same cells
        angle = np.pi * (number + 0.5) / angles
        place = (x * np.cos(angle) + y * np.sin(angle)) / cell + 0.5 * (cells - 1)
        low = np.floor(place).astype(np.int32)
        part = place - low
        weights = np.concatenate([1.0 - part, part]) * area
        rows = np.concatenate([low, low + 1])
        entries = (weights.astype(np.float32), (rows, np.concatenate([columns, columns])))
        blocks.append(sparse.csr_array(entries, shape=(cells, len(x))))
    return sparse.csr_array(sparse.vstack(blocks, format="csr"))


def detector_cells(shape: tuple[int, int], pixel_mm: tuple[float, float]) -> int:
    """Number of detector cells that :func:`ray_matrix` uses for one angle."""
    diagonal = float(np.hypot(shape[0] * pixel_mm[0], shape[1] * pixel_mm[1]))
    return int(np.ceil(diagonal / min(pixel_mm))) + 4
