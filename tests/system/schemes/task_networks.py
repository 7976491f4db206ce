"""A third party's task networks in one file: by which images are judged. ``path/task_networks.py:Classifier``, …

No weights: colours and edges of what is bright, as a trained network would find them.
"""

import torch
from torch import nn

from hil.models.contract import Boxes

COLOURS = torch.tensor([[200, 60, 60], [60, 200, 60], [60, 60, 200], [60, 200, 200]]) / 255.0
BRIGHT = 0.5


def brightness(images):
    """Bright pixels of [n, 3, H, W], bool [n, H, W]."""
    return images.amax(1) > BRIGHT


class Classifier(nn.Module):
    """Images to logits [n, 4]: minus the squared distance of what is bright to each colour."""

    def __init__(self) -> None:
        super().__init__()
        self.colours = nn.Parameter(COLOURS.clone())

    def forward(self, images):
        bright = brightness(images)[:, None]
        mean = (images * bright).sum((2, 3)) / bright.sum((2, 3)).clamp_min(1)
        return -torch.cdist(mean, self.colours).square()


class Detector(nn.Module):
    """Images to one box each, around what is bright; the score is how much of it the box holds."""

    def __init__(self) -> None:
        super().__init__()
        self.classifier = Classifier()

    def forward(self, images):
        bright = brightness(images)
        boxes = torch.zeros(len(images), 1, 4)
        for place, axis in ((0, 1), (1, 2)):
            line = bright.any(axis).float()
            boxes[:, 0, place] = line.argmax(1).float()
            boxes[:, 0, place + 2] = line.shape[1] - line.flip(1).argmax(1).float()
        area = ((boxes[..., 2] - boxes[..., 0]) * (boxes[..., 3] - boxes[..., 1])).clamp_min(1)
        scores = (bright.sum((1, 2))[:, None] / area).clamp(0, 1)
        none = torch.zeros(len(images), dtype=torch.bool)
        return Boxes(boxes=boxes, scores=scores, labels=self.classifier(images).argmax(1)[:, None], erased=none)


class Extractor(nn.Module):
    """Images to features [n, 48]: means over a grid of 4 × 4."""

    def forward(self, images):
        return nn.functional.adaptive_avg_pool2d(images, 4).flatten(1)
