"""The two networks: a coarse one that names bones from wide context, a fine one that draws them, guided by the coarse names."""

from __future__ import annotations

from itertools import pairwise
from typing import Final, NamedTuple

import torch
from torch import nn

CLASSES: Final = 8


class Design(NamedTuple):
    """Voxel edge, tile and channels of a network; ``guided`` ones take the coarse names as further input channels."""

    step_mm: float
    tile: tuple[int, int, int]
    channels: tuple[int, ...]
    guided: bool


DESIGNS: Final = {
    "coarse": Design(5.0, (80, 56, 56), (12, 24, 48, 96), guided=False),
    "fine": Design(1.5, (64, 64, 64), (16, 32, 64, 96), guided=True),
}


class _Block(nn.Module):
    def __init__(self, before: int, after: int, stride: int = 1) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv3d(before, after, 3, stride=stride, padding=1, bias=False),
            nn.InstanceNorm3d(after, affine=True),
            nn.LeakyReLU(0.01),
            nn.Conv3d(after, after, 3, padding=1, bias=False),
            nn.InstanceNorm3d(after, affine=True),
            nn.LeakyReLU(0.01),
        )

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Two convolutions."""
        result: torch.Tensor = self.layers(values)
        return result


class UNet(nn.Module):
    """Plain 3D U-Net (Cicek 2016) with instance norm: input (n, c, k, j, i), output logits (n, CLASSES, k, j, i)."""

    def __init__(self, design: Design) -> None:
        super().__init__()
        widths = design.channels
        first = 1 + (CLASSES - 1 if design.guided else 0)
        self.down = nn.ModuleList([_Block(first, widths[0])])
        self.down.extend(_Block(before, after, stride=2) for before, after in pairwise(widths))
        pairs = list(pairwise(widths))[::-1]
        self.up = nn.ModuleList([nn.ConvTranspose3d(after, before, 2, stride=2) for before, after in pairs])
        self.merge = nn.ModuleList([_Block(2 * before, before) for before, _ in pairs])
        self.head = nn.Conv3d(widths[0], CLASSES, 1)

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Logits by class."""
        kept = []
        for block in self.down:
            values = block(values)
            kept.append(values)
        kept.pop()
        for up, merge in zip(self.up, self.merge, strict=True):
            values = merge(torch.cat([up(values), kept.pop()], dim=1))
        result: torch.Tensor = self.head(values)
        return result
