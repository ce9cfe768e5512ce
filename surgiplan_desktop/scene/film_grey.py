"""A film at the resolution of the screen: halved copies once, then only what is seen, so that 50 million pixels scroll freely."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from surgiplan_desktop.base.arrays import AnyArray

#: Halving ends where the longer edge is this short (px).
_SHORTEST_PX: Final = 700
#: The window that a film opens with leaves out this share of its darkest and brightest pixels (per cent).
_SPREAD: Final = (0.5, 99.5)


@dataclass(frozen=True, slots=True, eq=False)
class FilmLevels:
    """A film and its halved copies; ``aspect`` is distance between rows / between columns."""

    levels: tuple[AnyArray, ...]
    aspect: float
    window: float
    level: float

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of the film."""
        rows, columns = self.levels[0].shape
        return int(rows), int(columns)


def film_levels(pixels: AnyArray, aspect: float = 1.0) -> FilmLevels:
    """Halve a picture (rows, columns) until it is small, by the mean of 2 x 2 pixels; choose the window it opens with."""
    levels = [pixels]
    while max(levels[-1].shape) > _SHORTEST_PX and min(levels[-1].shape) > 3:
        big = levels[-1]
        rows, columns = big.shape[0] // 2 * 2, big.shape[1] // 2 * 2
        corners = [big[j:rows:2, i:columns:2].astype(np.int32) for j in (0, 1) for i in (0, 1)]
        levels.append(np.asarray((sum(corners) + 2) // 4, dtype=pixels.dtype))
    low, high = (float(value) for value in np.percentile(levels[-1], _SPREAD))
    return FilmLevels(tuple(levels), aspect, max(high - low, 1.0), (high + low) / 2.0)


def film_grey(
    film: FilmLevels, left: float, top: float, px_per_screen: float, size: tuple[int, int], window: float, level: float
) -> NDArray[np.uint8]:
    """Return the grey values of a screen.

    Parameters
    ----------
    film
        The film.
    left, top
        Column and row at the middle of the first pixel of the screen, in film pixels.
    px_per_screen
        Columns of the film in one pixel of the screen; rows follow from the aspect.
    size
        Width and height of the screen in pixels.
    window, level
        In the film's own values.

    Returns
    -------
    array
        uint8 (height, width); 0 outside the film.
    """
    number = int(np.clip(np.floor(np.log2(max(px_per_screen, 1.0))), 0, len(film.levels) - 1))
    source, factor = film.levels[number], 2.0**number
    wide, high = size
    columns = np.floor((left + 0.5 + px_per_screen * np.arange(wide)) / factor).astype(np.int64)
    rows = np.floor((top + 0.5 + px_per_screen / film.aspect * np.arange(high)) / factor).astype(np.int64)
    inside_i, inside_j = (columns >= 0) & (columns < source.shape[1]), (rows >= 0) & (rows < source.shape[0])
    grey = np.zeros((high, wide), dtype=np.uint8)
    if not inside_i.any() or not inside_j.any():
        return grey
    values = source[np.ix_(rows[inside_j], columns[inside_i])].astype(np.float32)
    share = (values - (level - window / 2.0)) / max(window, 1e-6)
    grey[np.ix_(inside_j, inside_i)] = np.rint(255.0 * np.clip(share, 0.0, 1.0)).astype(np.uint8)
    return grey
