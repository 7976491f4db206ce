"""The networks of SMRC: a trunk that all heads share, a head and a decoder for each layer.

All but the first convolution compute at a quarter of the sides or less: 40 uses say no more of a picture than that.

Source: Mortaheb et al., Semantic Multi-Resolution Communications, Sec. III, Fig. 3; the layers of their Figs. 5 and 6 are ours.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

__all__ = ["STRIDE", "Decoder", "Head", "Trunk"]

STRIDE = 4
"""Pixels that a place of the maps stands for, along a side."""
WIDTHS = (32, 64)
NARROW, READ = 8, 16
"""Maps that a head's linear layer sees, and that a decoder's puts out."""


def _convolution(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, stride, 1), nn.PReLU(outputs))


class Trunk(nn.Sequential):
    """Images float32 [image, 3, H, W] to maps float32 [image, 64, H/4, W/4]."""

    def __init__(self) -> None:
        first, last = WIDTHS
        super().__init__(_convolution(3, first, 2), _convolution(first, last, 2), _convolution(last, last))


class Head(nn.Module):
    """Maps of the trunk to what one sub-block is made of.

    Args:
        grid: rows and columns of the maps.
        uses: of the sub-block.
    """

    def __init__(self, grid: tuple[int, int], uses: int) -> None:
        super().__init__()
        self.narrow = _convolution(WIDTHS[-1], NARROW)
        self.linear = nn.Linear(NARROW * math.prod(grid), 2 * uses)

    def forward(self, maps: Tensor) -> Tensor:
        """Maps float32 [image, 64, h, w] to float32 [image, 2·use]."""
        found: Tensor = self.linear(self.narrow(maps).flatten(1))
        return found


class Decoder(nn.Module):
    """What was received of sub-blocks 1…l to images.

    Args:
        grid: rows and columns of the maps.
        uses: of these sub-blocks together.
    """

    def __init__(self, grid: tuple[int, int], uses: int) -> None:
        super().__init__()
        self.grid = grid
        self.linear = nn.Sequential(nn.Linear(2 * uses, READ * math.prod(grid)), nn.PReLU())
        self.maps = nn.Sequential(_convolution(READ, WIDTHS[-1]), _convolution(WIDTHS[-1], WIDTHS[-1]))
        self.pixels = nn.Sequential(nn.Conv2d(WIDTHS[-1], 3 * STRIDE**2, 3, 1, 1), nn.PixelShuffle(STRIDE))

    def forward(self, values: Tensor) -> Tensor:
        """Real and imaginary parts float32 [image, 2·use] to images float32 [image, 3, 4 h, 4 w] in 0…1."""
        maps = self.linear(values).unflatten(1, (READ, *self.grid))
        return torch.sigmoid(self.pixels(self.maps(maps)))
