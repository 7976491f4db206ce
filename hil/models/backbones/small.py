"""Image -> feature vector: the small CNN for two cores, and the choice among backbones."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from hil.errors import ConfigError
from hil.foreign import is_foreign
from hil.models.backbones.foreign import foreign_backbone
from hil.models.backbones.given import GivenFeatures
from hil.models.backbones.resnet import ResNet50
from hil.models.recipe import BACKBONES, GIVEN

__all__ = ["SmallCnn", "build_backbone"]


class SmallCnn(nn.Module):
    """Four convolutions, pooling over horizontal stripes, one linear layer.

    About 0.35 M parameters and 8 MMAC an image at 64×32. People are upright, so the head, trunk and legs are pooled
    apart: a cheap stand-in for the part models of re-identification.

    Args:
        features: feature length p.
        width: channels of the first block; the others have 2, 4 and 6 times as many.
        in_channels: image channels.
        stripes: horizontal stripes pooled apart.
    Shapes:
        float32 [image, in_channels, H, W] in 0…1 -> float32 [image, features]; meant for H ≥ 8·stripes, W ≥ 8.

    Attributes:
        smallest: height and width of images of which each stripe still has a pixel, after three halvings.
    """

    def __init__(self, *, features: int = 128, width: int = 24, in_channels: int = 3, stripes: int = 4) -> None:
        super().__init__()
        channels = [width, 2 * width, 4 * width, 6 * width]
        layers: list[nn.Module] = []
        last = in_channels
        for index, now in enumerate(channels):
            stride = 1 if index == len(channels) - 1 else 2
            layers += [
                nn.Conv2d(last, now, 3, stride=stride, padding=1, bias=False),
                nn.BatchNorm2d(now),
                nn.ReLU(inplace=True),
            ]
            last = now
        self.stripes = stripes
        self.smallest = (8 * (stripes - 1) + 1, 1)
        self.trunk = nn.Sequential(*layers)
        self.head = nn.Sequential(nn.Linear(last * stripes, features, bias=False), nn.BatchNorm1d(features))

    def forward(self, images: Tensor) -> Tensor:
        """Images to features, see the class."""
        maps: Tensor = self.trunk(images - 0.5)
        pooled = torch.cat([stripe.mean((2, 3)) for stripe in maps.tensor_split(self.stripes, dim=2)], dim=1)
        out: Tensor = self.head(pooled)
        return out


def build_backbone(name: str, features: int, branch: int = 0) -> nn.Module:
    """The backbone called `name` with feature length `features`, for the transmitter `branch`.

    Raises:
        ConfigError: unknown name, or a feature length the backbone does not have.
    """
    if name == "small-cnn":
        return SmallCnn(features=features)
    if name == "resnet50":
        if features != ResNet50.FEATURES:
            raise ConfigError(f"backbone 'resnet50' has features = {ResNet50.FEATURES}, not {features}; set it in the recipe")
        return ResNet50(classes=None, last_stride=1)
    if name == GIVEN:
        return GivenFeatures(branch)
    if is_foreign(name):
        return foreign_backbone(name)
    raise ConfigError(f"unknown backbone '{name}'; known: {', '.join(BACKBONES)}")
