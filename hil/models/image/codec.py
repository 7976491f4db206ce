"""The convolutional codec of deep JSCC: pixels to latent maps at a quarter of the sides, and back.

Fully convolutional: the same weights serve pictures of any size whose sides are multiples of four.

Source: Bourtsoulatze et al., Deep Joint Source-Channel Coding for Wireless Image Transmission, IEEE TCCN 5(3), 2019, Fig. 2.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from hil.models.image.layers import Activation, ChannelAttention, activation

__all__ = ["STRIDE", "WIDTHS", "Decoder", "Encoder"]

WIDTHS = (16, 32, 32, 32)
"""Channels after each layer of the encoder but the last; the decoder mirrors them."""
STRIDE = 4
"""Pixels that a place of the latent stands for, along a side."""
KERNEL = 5


class _Stack(nn.Module):
    """Layers with a non-linearity after each but the last and, where the SNR is told, attention after those."""

    def __init__(self, layers: Sequence[nn.Module], between: Sequence[nn.Module], attention: Sequence[nn.Module]) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)
        self.between = nn.ModuleList(between)
        self.attention = nn.ModuleList(attention)

    def forward(self, maps: Tensor, told: Tensor | None) -> Tensor:
        """Maps float32 [image, channel, row, column], and the scaled SNR float32 [image, 1] where it is told."""
        for index, layer in enumerate(self.layers):
            maps = layer(maps)
            if index < len(self.between):
                maps = self.between[index](maps)
                if told is not None:
                    maps = self.attention[index](maps, told)
        return maps


class Encoder(nn.Module):
    """Images to latent maps.

    Args:
        latent: channels of the latent.
        kind: of non-linearity.
        told: whether it is told the SNR.
    """

    def __init__(self, latent: int, *, kind: Activation, told: bool) -> None:
        super().__init__()
        sizes, strides = (3, *WIDTHS, latent), (2, 2, 1, 1, 1)
        self.stack = _Stack(
            [nn.Conv2d(sizes[i], sizes[i + 1], KERNEL, stride, KERNEL // 2) for i, stride in enumerate(strides)],
            [activation(kind, width) for width in WIDTHS],
            [ChannelAttention(width) for width in WIDTHS] if told else [],
        )

    def forward(self, images: Tensor, told: Tensor | None = None) -> Tensor:
        """Images float32 [image, 3, H, W] in 0…1 to float32 [image, latent, H/4, W/4]."""
        found: Tensor = self.stack(2 * images - 1, told)
        return found


class Decoder(nn.Module):
    """Latent maps to images.

    Args:
        latent: channels of the latent.
        kind: of non-linearity.
        told: whether it is told the SNR.
    """

    def __init__(self, latent: int, *, kind: Activation, told: bool) -> None:
        super().__init__()
        widths = WIDTHS[::-1]
        sizes, strides = (latent, *widths, 3), (1, 1, 1, 2, 2)
        self.stack = _Stack(
            [
                nn.ConvTranspose2d(sizes[i], sizes[i + 1], KERNEL, stride, KERNEL // 2, output_padding=stride - 1)
                for i, stride in enumerate(strides)
            ],
            [activation(kind, width, inverse=True) for width in widths],
            [ChannelAttention(width) for width in widths] if told else [],
        )

    def forward(self, maps: Tensor, told: Tensor | None = None) -> Tensor:
        """Float32 [image, latent, h, w] to images float32 [image, 3, 4 h, 4 w] in 0…1."""
        return torch.sigmoid(self.stack(maps, told))
