"""Image -> feature vector: the small CNN for two cores, and ResNet-50."""

from __future__ import annotations

import torch
from torch import Tensor, nn

__all__ = ["SmallCnn"]


class SmallCnn(nn.Module):
    """Four strided convolution blocks, global average pooling, one linear layer. About 0.25 M parameters.

    Args:
        features: feature length p.
        width: channels of the first block; the others have 2, 3 and 4 times as many.
        in_channels: image channels.
    Shapes:
        float32 [image, in_channels, H, W] in 0…1 -> float32 [image, features].
    """

    def __init__(self, *, features: int = 128, width: int = 24, in_channels: int = 3) -> None:
        super().__init__()
        channels = [width, 2 * width, 4 * width, 6 * width]
        layers: list[nn.Module] = []
        last = in_channels
        for index, now in enumerate(channels):
            stride = 1 if index == 3 else 2
            layers += [nn.Conv2d(last, now, 3, stride=stride, padding=1, bias=False), nn.BatchNorm2d(now), nn.ReLU(inplace=True)]
            last = now
        self.trunk = nn.Sequential(*layers)
        self.head = nn.Linear(last * 2, features)

    def forward(self, images: Tensor) -> Tensor:
        maps = self.trunk(images - 0.5)
        top, bottom = maps.chunk(2, dim=2)
        pooled = torch.cat([top.mean((2, 3)), bottom.mean((2, 3))], dim=1)
        return self.head(pooled)
