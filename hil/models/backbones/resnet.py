"""ResNet-50 with torchvision's state-dict keys, so that its weights files load strictly without torchvision.

Source: He et al., Deep Residual Learning for Image Recognition (2016), Table 1, with the stride on the 3×3 convolution
(as torchvision has it); the re-ID baseline of Jankowski et al., Sec. 2.1, and Lo et al., Sec. IV-A.
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor, nn

from hil.errors import ModelError
from hil.models.state_dicts import read_state_dict

__all__ = ["Bottleneck", "ResNet50", "load_torchvision_weights"]


class Bottleneck(nn.Module):
    """1×1, 3×3, 1×1 convolutions with a shortcut; the output has 4·planes channels."""

    def __init__(self, inplanes: int, planes: int, stride: int) -> None:
        super().__init__()
        outplanes = 4 * planes
        self.conv1 = nn.Conv2d(inplanes, planes, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(planes)
        self.conv2 = nn.Conv2d(planes, planes, 3, stride=stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(planes)
        self.conv3 = nn.Conv2d(planes, outplanes, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(outplanes)
        self.relu = nn.ReLU(inplace=True)
        self.downsample: nn.Module | None = None
        if stride != 1 or inplanes != outplanes:
            self.downsample = nn.Sequential(
                nn.Conv2d(inplanes, outplanes, 1, stride=stride, bias=False), nn.BatchNorm2d(outplanes)
            )

    def forward(self, maps: Tensor) -> Tensor:
        """Maps float32 [image, inplanes, H, W] to [image, 4·planes, H/stride, W/stride]."""
        shortcut = maps if self.downsample is None else self.downsample(maps)
        out = self.relu(self.bn1(self.conv1(maps)))
        out = self.relu(self.bn2(self.conv2(out)))
        out = self.bn3(self.conv3(out)) + shortcut
        return torch.relu(out)


class ResNet50(nn.Module):
    """Feature extractor: 2048 features after global average pooling.

    Args:
        classes: outputs of the layer `fc`, which only strict loading and `logits` need; None leaves it out.
        last_stride: stride of `layer4`; 1 keeps twice the resolution, usual in re-identification, with the same keys.
    Shapes:
        float32 [image, 3, H, W] in 0…1 (ImageNet's mean and deviation are taken off inside) -> float32 [image, 2048].
    """

    FEATURES: ClassVar[int] = 2048

    def __init__(self, *, classes: int | None = 1000, last_stride: int = 2) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        self.layer1 = _layer(64, 64, blocks=3, stride=1)
        self.layer2 = _layer(256, 128, blocks=4, stride=2)
        self.layer3 = _layer(512, 256, blocks=6, stride=2)
        self.layer4 = _layer(1024, 512, blocks=3, stride=last_stride)
        self.fc: nn.Linear | None = None if classes is None else nn.Linear(self.FEATURES, classes)
        self.register_buffer("mean", torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1), persistent=False)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, images: Tensor) -> Tensor:
        """Images float32 [image, 3, H, W] in 0…1 to features float32 [image, 2048]."""
        maps: Tensor = (images - self.get_buffer("mean")) / self.get_buffer("std")
        maps = self.maxpool(self.relu(self.bn1(self.conv1(maps))))
        maps = self.layer4(self.layer3(self.layer2(self.layer1(maps))))
        return maps.mean((2, 3))

    def logits(self, images: Tensor) -> Tensor:
        """Class scores, float32 [image, classes].

        Raises:
            ModelError: the network was built without `fc`.
        """
        if self.fc is None:
            raise ModelError("ResNet50 was built with classes=None and has no class scores; give classes, e.g. 1000.")
        out: Tensor = self.fc(self(images))
        return out


def _layer(inplanes: int, planes: int, *, blocks: int, stride: int) -> nn.Sequential:
    rest = [Bottleneck(4 * planes, planes, 1) for _ in range(blocks - 1)]
    return nn.Sequential(Bottleneck(inplanes, planes, stride), *rest)


def load_torchvision_weights(model: ResNet50, path: Path) -> None:
    """Put a torchvision ResNet-50 weights file (.pth) into `model`, strictly.

    A model without `fc` ignores the file's `fc.*`, and one whose `fc` has another number of classes keeps its own.

    Raises:
        ModelError: see `hil.models.state_dicts.read_state_dict`; or its keys or shapes differ from ResNet-50's.
    """
    state = read_state_dict(path)
    if model.fc is None:
        state = {key: value for key, value in state.items() if not key.startswith("fc.")}
    elif "fc.weight" in state and state["fc.weight"].shape != model.fc.weight.shape:
        own = {f"fc.{key}": value for key, value in model.fc.state_dict().items()}
        state = {**state, **own}
    try:
        model.load_state_dict(state, strict=True)
    except RuntimeError as err:
        first = next((key for key in state if key.endswith(".conv1.weight") and not key.startswith("layer")), None)
        hint = (
            "" if first is None else f"its keys begin with '{first.removesuffix('conv1.weight')}', which torchvision's do not; "
        )
        raise ModelError(f"{path} does not hold torchvision's ResNet-50: {hint}{' '.join(str(err).split())[:300]}") from err
