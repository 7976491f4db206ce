"""Small analogue schemes of a third party: colours down a person straight to symbols. One for each way that a plan can ask.

Nothing is trained, so every accuracy follows from the channel alone.
"""

from __future__ import annotations

import torch
from torch.nn import functional as F

from hil.models.contract import Card, Features, Plan, Sent, normalize_power

STRIPES = 8
FEATURES = 3 * STRIPES
USES = FEATURES // 2


def pixels(images):
    """Colours of horizontal stripes through the middle, mean removed, unit norm: float32 [n, FEATURES]."""
    width = images.shape[3]
    middle = images[:, :, :, width // 4 : 3 * width // 4]
    middle = middle / middle.std((2, 3), keepdim=True).clamp_min(1e-6)
    colours = F.adaptive_avg_pool2d(middle, (STRIPES, 1)).flatten(1)
    colours = colours - colours.mean(1, keepdim=True)
    return colours / colours.norm(dim=1, keepdim=True).clamp_min(1e-6)


def to_symbols(features):
    return torch.complex(features[:, :USES], features[:, USES:])


def to_features(symbols):
    features = torch.cat([symbols.real, symbols.imag], dim=-1)
    return features / features.norm(dim=-1, keepdim=True).clamp_min(1e-6)


class Single:
    """One transmitter; told nothing."""

    transmitters = 1
    card = Card(name="analog-single", outputs="features")

    def __init__(self):
        self.plan = Plan(occupied=torch.ones(1, USES, dtype=torch.bool))

    def encode(self, views, csi=None, generator=None):
        sent = torch.zeros(self.plan.transmitters, len(views), self.plan.uses, dtype=torch.complex64)
        for tx, row in enumerate(self.plan.occupied):
            sent[tx, :, row] = to_symbols(pixels(views[:, tx]))
        return Sent(symbols=normalize_power(sent, self.plan.occupied))

    def equalised(self, received, tx):
        return received.symbols[:, self.plan.occupied[tx]]

    def decode(self, received, blocks=("all",), side=None):
        one = next(iter(received.values()))
        features = [to_features(self.equalised(one, tx)) for tx in range(self.plan.transmitters)]
        return Features(features=torch.stack(features, dim=1), erased=~one.valid.any(1))

    def embed(self, images, mode="reconstructed"):
        return pixels(images)[None].expand(self.plan.transmitters, -1, -1).contiguous()


class Csir(Single):
    """One transmitter; the receiver knows the channel and undoes it."""

    card = Card(name="analog-csir", outputs="features")

    def __init__(self):
        self.plan = Plan(occupied=torch.ones(1, USES, dtype=torch.bool), rx_csi="channel")

    def equalised(self, received, tx):
        gain = received.channel[tx][:, self.plan.occupied[tx]]
        return received.symbols[:, self.plan.occupied[tx]] * gain.conj()


class Three(Single):
    """Three transmitters that take turns."""

    card = Card(name="analog-three", outputs="features")

    def __init__(self):
        occupied = torch.zeros(3, 3 * USES, dtype=torch.bool)
        for tx in range(3):
            occupied[tx, tx * USES : (tx + 1) * USES] = True
        self.plan = Plan(occupied=occupied)


class SnrAware(Single):
    """Sends each symbol once above 6 dB, else half of them twice: told each link's SNR; the receiver is told the noise."""

    card = Card(name="analog-snr-aware", outputs="features")

    def __init__(self):
        self.plan = Plan(occupied=torch.ones(1, USES, dtype=torch.bool), tx_csi="snr", rx_csi="snr")
        self.told = []

    def encode(self, views, csi=None, generator=None):
        self.told.append(csi[0].tolist())
        symbols = to_symbols(pixels(views[:, 0]))
        twice = csi[:, :1] < 6.0
        halved = torch.cat([symbols[:, : USES // 2]] * 2, dim=1)
        return Sent(symbols=normalize_power(torch.where(twice, halved, symbols)[None], self.plan.occupied))

    def equalised(self, received, tx):
        low = 1 / received.noise_var.mean(1, keepdim=True) < 10**0.6
        first, second = received.symbols.chunk(2, dim=1)
        mean = (first + second) / 2
        return torch.where(low, torch.cat([mean, torch.zeros_like(mean)], dim=1), received.symbols)


class TwoReceivers(Single):
    """One transmitter, two receivers that each make an output of their own."""

    card = Card(name="analog-two-receivers", outputs="features")

    def __init__(self):
        self.plan = Plan(occupied=torch.ones(1, USES, dtype=torch.bool), receivers=("one", "other"))

    def decode(self, received, blocks=("all",), side=None):
        return {name: super(TwoReceivers, self).decode({name: part}) for name, part in received.items()}


class Long(Single):
    """Tasks of more uses than the frames of the test hold: the symbols over and over again."""

    card = Card(name="analog-long", outputs="features")
    copies = 5

    def __init__(self):
        self.plan = Plan(occupied=torch.ones(1, self.copies * USES, dtype=torch.bool))

    def encode(self, views, csi=None, generator=None):
        symbols = to_symbols(pixels(views[:, 0])).repeat(1, self.copies)
        return Sent(symbols=normalize_power(symbols[None], self.plan.occupied))

    def equalised(self, received, tx):
        return received.symbols.unflatten(1, (self.copies, USES)).mean(1)


class Varying(Single):
    """Codewords of varying length: tasks with a bright first pixel send only half of their symbols."""

    card = Card(name="analog-varying", outputs="features")

    def encode(self, views, csi=None, generator=None):
        features = pixels(views[:, 0])
        length = torch.where(features[:, 0] > 0, USES // 2, USES)
        kept = torch.arange(USES) < length[:, None]
        symbols = to_symbols(features) * kept
        power = symbols.abs().square().sum(1, keepdim=True).clamp_min(1e-12)
        return Sent(symbols=(symbols / power.sqrt() * length[:, None].sqrt())[None], length=length[None])


class Bound(Single):
    """An upper bound that reads its features back beside the air where the channel is good enough."""

    card = Card(name="analog-bound", outputs="features", kind="bound")

    def encode(self, views, csi=None, generator=None):
        return Sent(symbols=super().encode(views).symbols, side={"features": pixels(views[:, 0])[:, None]})

    def decode(self, received, blocks=("all",), side=None):
        lost = ~next(iter(received.values())).valid.any(1)
        return Features(features=side["features"], erased=lost)
