"""What many energies do to a slice: beam hardening and metal streaks, by projection and filtered back-projection.

The slice is taken as water, bone and metal. Parallel rays of a 120 kV spectrum through them are logged and corrected as for
water, as a scanner does; what is left beyond the projection at one energy is reconstructed and added to the slice. So streaks are
those of the object, while its own detail stays that of the slice. The matrix is reduced to about 1.25 mm.
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
from surgiplan_desktop.phantom.ct.scanner import detector_cells, ray_matrix

Values = NDArray[np.float32]

#: Mean energies (keV) of the spectrum of 120 kV behind filters, and the share of each in the signal.
ENERGIES_KEV: Final = (40.0, 50.0, 60.0, 70.0, 80.0, 90.0, 100.0, 110.0)
_SHARE: Final = np.array([0.06, 0.15, 0.20, 0.19, 0.15, 0.12, 0.08, 0.05])
#: Linear attenuation a mm: mass attenuation of NIST (cm2/g) times density / 10; 70, 90 and 110 keV by log-log interpolation.
_WATER: Final = np.array([0.2683, 0.2269, 0.2059, 0.1937, 0.1837, 0.1767, 0.1707, 0.1657]) * 0.1
_BONE: Final = np.array([0.6655, 0.4242, 0.3148, 0.2616, 0.2229, 0.2023, 0.1855, 0.1759]) * 0.192
_TITANIUM: Final = np.array([2.214, 1.213, 0.7661, 0.5445, 0.4052, 0.3284, 0.2721, 0.2419]) * 0.4506
_REFERENCE: Final = 3
#: Where bone begins, and pure cortical bone at the reference energy, HU.
_SOFT_HU: Final = 100.0
_BONE_HU: Final = float(1000.0 * (_BONE[_REFERENCE] / _WATER[_REFERENCE] - 1.0))
#: Scatter that reaches every detector cell, as a share of the open beam, and photons a cell: what limits rays through metal.
_SCATTER: Final = 4e-4
_PHOTONS: Final = 1.5e6
_PIXEL_MM: Final = 1.25
_ANGLES: Final = 300
#: Largest number of pixels the matrix of rays is made for.
_MOST_PIXELS: Final = 45_000


@dataclass(frozen=True, slots=True, eq=False)
class Projector:
    """Rays through slices of one shape, at a reduced matrix, and the way back."""

    rays: sparse.csr_array
    back: sparse.csr_array
    every: tuple[int, int]
    coarse: tuple[int, int]
    pixel_mm: tuple[float, float]
    shape: tuple[int, int]

    @staticmethod
    def of(shape: tuple[int, int], pixel_mm: tuple[float, float], angles: int = _ANGLES) -> Projector:
        """Prepare for slices of a shape."""
        room = np.sqrt(np.prod(shape) * np.prod(pixel_mm) / _MOST_PIXELS)
        aim = max(_PIXEL_MM, float(room))
        every = (max(1, int(np.ceil(aim / pixel_mm[0] - 0.35))), max(1, int(np.ceil(aim / pixel_mm[1] - 0.35))))
        coarse = (-(-shape[0] // every[0]), -(-shape[1] // every[1]))
        pixel = (every[0] * pixel_mm[0], every[1] * pixel_mm[1])
        rays = ray_matrix(coarse, pixel, angles)
        return Projector(rays, sparse.csr_array(rays.T), every, coarse, pixel, shape)

    @property
    def cells(self) -> int:
        """Detector cells of one angle."""
        return detector_cells(self.coarse, self.pixel_mm)

    def reduced(self, image: Values) -> Values:
        """Average an image over the pixels of the reduced matrix."""
        rows, columns = (-size % every for size, every in zip(image.shape, self.every, strict=True))
        padded = np.pad(image, ((0, rows), (0, columns)), mode="edge")
        blocks = padded.reshape(self.coarse[0], self.every[0], self.coarse[1], self.every[1])
        result: Values = blocks.mean(axis=(1, 3), dtype=np.float32)
        return result

    def project(self, image: Values) -> FloatArray:
        """Line integrals (value x mm) of a reduced image, shape (angles, cells)."""
        result: FloatArray = (self.rays @ image.ravel()).astype(np.float64).reshape(-1, self.cells)
        return result

    def reconstruct(self, lines: FloatArray) -> Values:
        """Filtered back-projection of line integrals (angles, cells) to a reduced image; keeps the mean of what is inside."""
        angles, cells = lines.shape
        cell = min(self.pixel_mm)
        size = scipy.fft.next_fast_len(2 * cells, real=True)
        # the ramp as its exact samples in space, so that the zero frequency is right; a soft roll-off spares ringing
        place = np.concatenate([np.arange(size - size // 2), np.arange(-(size // 2), 0)])
        ramp = np.zeros(size)
        odd = place % 2 == 1
        ramp[odd] = -1.0 / (np.pi * place[odd] * cell) ** 2
        ramp[0] = 0.25 / cell**2
        f = scipy.fft.rfftfreq(size)
        response = scipy.fft.rfft(ramp).real * (0.75 + 0.25 * np.cos(2.0 * np.pi * f))
        filtered = scipy.fft.irfft(scipy.fft.rfft(lines, size, axis=1) * response, size, axis=1)[:, :cells] * cell
        # the matrix of rays carries the pixel's area over the cell's width: take it out again
        weight = np.pi / angles * cell / float(np.prod(self.pixel_mm))
        image = (self.back @ filtered.astype(np.float32).ravel()) * np.float32(weight)
        result: Values = image.reshape(self.coarse)
        return result

    def enlarged(self, image: Values) -> Values:
        """Interpolate a reduced image at all pixels."""
        return refined(image, self.shape, self.every)


def hardening(projector: Projector, image: Values, metal: Values | None, random: np.random.Generator) -> Values:
    """Return what a polychromatic scan adds to a slice, HU.

    Parameters
    ----------
    image
        Hounsfield values without the metal.
    metal
        Amount of metal in each pixel, in parts of titanium, or None.
    """
    body = projector.reduced(image)
    bony = np.clip((body - _SOFT_HU) / (_BONE_HU - _SOFT_HU), 0.0, 1.3)
    wet = np.clip((np.minimum(body, _SOFT_HU) + 1000.0) / 1000.0, 0.0, None) * (1.0 - np.minimum(bony, 1.0))
    amounts: list[Values] = [wet.astype(np.float32), bony.astype(np.float32)]
    materials = [_WATER, _BONE]
    if metal is not None:
        amount = projector.reduced(metal)
        free = 1.0 - np.minimum(amount, 1.0)
        amounts = [*((part * free).astype(np.float32) for part in amounts), amount]
        materials.append(_TITANIUM)
    paths = [projector.project(part) for part in amounts]
    logged = _logged(paths, materials)
    lines = _as_water(logged) - sum(path * float(table[_REFERENCE]) for path, table in zip(paths, materials, strict=True))
    if metal is not None:
        # rays through metal count few photons: their noise, beyond that of the body alone
        bare = _logged(paths[:2], materials[:2])
        spread = np.sqrt(np.maximum(np.exp(logged) - np.exp(bare), 0.0) / _PHOTONS)
        lines = lines + spread * random.standard_normal(lines.shape)
    change = projector.reconstruct(lines) * np.float32(1000.0 / _WATER[_REFERENCE])
    return projector.enlarged(ndimage.gaussian_filter(change, 0.4))


def _logged(paths: list[FloatArray], materials: list[FloatArray]) -> FloatArray:
    """Logarithm of the signal of rays through paths (mm) of materials."""
    signal = np.zeros_like(paths[0])
    for number, share in enumerate(_SHARE):
        signal += share * np.exp(-sum(path * float(table[number]) for path, table in zip(paths, materials, strict=True)))
    result: FloatArray = -np.log(signal + _SCATTER)
    return result


def _as_water(logged: FloatArray) -> FloatArray:
    """Correct logged signals as if all were water: what a scanner is calibrated for."""
    water = np.linspace(0.0, 700.0, 1401)
    table = _logged([water], [_WATER])
    result: FloatArray = np.interp(logged, table, water * float(_WATER[_REFERENCE]))
    return result
