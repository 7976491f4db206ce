"""A third party's detector scheme in one file: the parameters of one box as phases. ``path/blob_detector.py:BlobDetector``.

The encoder finds what is bright. Left, top, right and bottom, as shares of the image's sides, become phases from −90° to 90°,
the colour's number one of four phases; each is sent `REPEATED` times. The envelope is constant, so power is 1 by construction.
The score is the length of the mean vector: near 1 where the repetitions agree.
"""

import math

import torch

from hil.models.contract import Boxes, Card, Plan, Received, Sent

PARAMETERS, REPEATED = 5, 4
SIZE = (16, 16)
COLOURS = torch.tensor([[200, 60, 60], [60, 200, 60], [60, 60, 200], [60, 200, 200]]) / 255.0
BRIGHT = 0.55


def bounds(images):
    """Shares of the sides, left, top, right, bottom [n, 4], and the nearest colour [n], of what is bright in [n, 3, H, W]."""
    bright = images.amax(1) > BRIGHT
    edges = []
    for axis in (1, 2):  # over rows: columns that are bright; over columns: rows
        line = bright.any(axis).float()
        first = line.argmax(1)
        last = line.shape[1] - line.flip(1).argmax(1)
        edges.append((first / line.shape[1], last / line.shape[1]))
    colours = (images * bright[:, None]).sum((2, 3)) / bright.sum((1, 2)).clamp_min(1)[:, None]
    nearest = torch.cdist(colours, COLOURS).argmin(1)
    (left, right), (top, bottom) = edges
    return torch.stack([left, top, right, bottom], 1), nearest


class BlobDetector:
    """One transmitter, 20 uses a task."""

    def __init__(self) -> None:
        self.plan = Plan(occupied=torch.ones(1, PARAMETERS * REPEATED, dtype=torch.bool))
        self.card = Card(name="blob-detector", outputs="boxes", image_size=SIZE)

    def encode(self, views, csi=None, generator=None) -> Sent:
        """Views [task, 1, 3, 16, 16] to symbols [1, task, use]."""
        shares, colour = bounds(views[:, 0])
        phases = torch.cat([(shares - 0.5) * math.pi, colour[:, None] * (math.pi / 2)], 1)
        return Sent(symbols=torch.polar(torch.ones_like(phases), phases).repeat(1, REPEATED)[None])

    def decode(self, received: dict[str, Received], blocks=("all",), side=None) -> Boxes:
        """Symbols [task, use] to one box a task, none where all is silent."""
        one = received["rx"]
        means = one.symbols.to(torch.complex64).unflatten(1, (REPEATED, PARAMETERS)).mean(1)
        shares = (means[:, :4].angle() / math.pi + 0.5).clamp(0, 1)
        colour = (means[:, 4].angle() / (math.pi / 2)).round().long() % len(COLOURS)
        sides = torch.tensor([SIZE[1], SIZE[0], SIZE[1], SIZE[0]])
        boxes = (shares * sides)[:, None]
        scores = means.abs().mean(1).clamp(0, 1)[:, None]
        return Boxes(boxes=boxes, scores=scores, labels=colour[:, None], erased=~one.valid.any(1))
