"""Seeded variation of shape: each named part gets its own number, whatever the order in which parts are built."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class Variation:
    """Draws that depend on the seed and the name alone. ``amount`` 0 gives the mean shape."""

    seed: int
    amount: float

    def _draw(self, name: str) -> float:
        digest = hashlib.sha256(f"{self.seed}/{name}".encode()).digest()
        return float(np.clip(np.random.default_rng(int.from_bytes(digest[:8], "little")).normal(), -2.0, 2.0))

    def factor(self, name: str, strength: float = 1.0) -> float:
        """Factor around 1 (standard deviation 3 % times ``strength`` at full amount, cut at two)."""
        return 1.0 + 0.03 * strength * self.amount * self._draw(name)

    def shift(self, name: str, deviation_mm: float) -> float:
        """Shift around 0 with this standard deviation at full amount, mm, cut at two."""
        return deviation_mm * self.amount * self._draw(name)
