"""Layers of convolutional image codecs: generalised divisive normalisation, and attention to the SNR by channel."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hil.models.jscc.attention import AttentionFeature

__all__ = ["Activation", "ChannelAttention", "Gdn", "activation"]

Activation = Literal["prelu", "gdn"]
FLOOR = 1e-6


class Gdn(nn.Module):
    """y_i = x_i/√(β_i + Σ_j γ_ij x_j²) at every place; the inverse multiplies.

    Args:
        channels: of the features.
        inverse: multiply, as decoders do.

    Shapes:
        float32 [image, channel, row, column] -> the same.
    Source: Ballé et al., Density Modeling of Images using a Generalized Normalization Transformation, ICLR 2016.
    """

    def __init__(self, channels: int, *, inverse: bool = False) -> None:
        super().__init__()
        self.inverse = inverse
        self.beta = nn.Parameter(torch.ones(channels))
        self.gamma = nn.Parameter(0.1 * torch.eye(channels))

    def forward(self, features: Tensor) -> Tensor:
        """See the class."""
        weights = self.gamma.abs()[..., None, None]  # both stay positive whatever a step does
        power = F.conv2d(features.square(), weights, self.beta.abs() + FLOOR)
        return features * (power.sqrt() if self.inverse else power.rsqrt())


class ChannelAttention(nn.Module):
    """Each channel of features is scaled by a number in 0…1 that is predicted from the channels' means and the SNR.

    Args:
        channels: of the features.

    Shapes:
        float32 [image, channel, row, column] and float32 [image, 1] -> as the first.
    Source: Xu et al., Wireless Image Transmission Using Deep Source Channel Coding With Attention Modules, IEEE TCSVT 32(4),
    2022.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.module = AttentionFeature(width=channels, csi=1)

    def forward(self, features: Tensor, told: Tensor) -> Tensor:
        """See the class; `told` is the scaled SNR."""
        return features * self.module.mask(features.mean((2, 3)), told)[..., None, None]


def activation(kind: Activation, channels: int, *, inverse: bool = False) -> nn.Module:
    """The non-linearity after a convolution."""
    return Gdn(channels, inverse=inverse) if kind == "gdn" else nn.PReLU(channels)
