"""A scheme of your own: what encodes, what decodes, and a plan of the channel uses.

Measure it with

    hil run --schemes examples/own_scheme.py:Colours --snr 0:20:10 --tasks 84

or from Python, as below. Nothing else has to know of it.
"""

import sys

import torch
from torch.nn import functional as F

import hil
from hil.models.contract import Card, Features, Plan, Sent, normalize_power


def colours(images):
    """Images float32 [n, 3, H, W] to the colours of eight stripes down the middle, float32 [n, 24], of unit norm."""
    middle = images[..., images.shape[3] // 4 : 3 * images.shape[3] // 4]
    middle = middle / middle.std((2, 3), keepdim=True).clamp_min(1e-6)
    stripes = F.adaptive_avg_pool2d(middle, (8, 1)).flatten(1)
    stripes = stripes - stripes.mean(1, keepdim=True)
    return stripes / stripes.norm(dim=1, keepdim=True).clamp_min(1e-6)


class Colours:
    """The colours themselves are the symbols: 24 numbers, two in a complex channel use."""

    card = Card(name="colours", outputs="features")

    def __init__(self):
        self.plan = Plan(occupied=torch.ones(1, 12, dtype=torch.bool))  # one transmitter on 12 uses

    def encode(self, views, csi=None, generator=None):
        """Views [task, tx, C, H, W] to symbols [tx, task, use] of mean power 1."""
        features = colours(views[:, 0])
        symbols = torch.complex(features[:, :12], features[:, 12:])
        return Sent(symbols=normalize_power(symbols[None], self.plan.occupied))

    def decode(self, received, blocks=("all",), side=None):
        """What a receiver got, by name, to features [task, view, p]."""
        one = received["rx"]
        features = torch.cat([one.symbols.real, one.symbols.imag], dim=1)
        features = features / features.norm(dim=1, keepdim=True).clamp_min(1e-6)
        return Features(features=features[:, None], erased=~one.valid.any(1))

    def embed(self, images, mode="reconstructed"):
        """The gallery's features, [view, image, p], which the goal retrieval asks for."""
        return colours(images)[None]


if __name__ == "__main__":
    out = sys.argv[1] if len(sys.argv) > 1 else "runs"
    results = hil.run(schemes=[Colours()], snr_db=[0.0, 10.0, 20.0], tasks=84, draws=4, out=out)
    for row in results.points:
        name, metric = row.headline
        print(f"{row.source:<10} {row.snr_db_target} dB: {name} {100 * metric.value:.1f} %")
