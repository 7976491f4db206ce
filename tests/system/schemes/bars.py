"""A third party's scheme in one file: brightness of eight columns, an amplitude each. ``path/bars.py:Bars``.

A bar is sent as one unit vector of eight orthogonal ones, so the column that is heard loudest is the maximum-likelihood choice.
"""

import torch

from hil.models.contract import Card, Features, Plan, Sent, normalize_power

COLUMNS = 8


class Bars:
    """One transmitter; the real axis of each use is a column."""

    card = Card(name="bars", paper="none", section="1", outputs="features")
    plan = Plan(occupied=torch.ones(1, COLUMNS, dtype=torch.bool))

    def encode(self, views, csi=None, generator=None):
        """Views [task, 1, 3, 4, 8] to symbols [1, task, 8]."""
        bright = views[:, 0].mean((1, 2))
        return Sent(symbols=normalize_power((bright > 0.4).to(torch.complex64)[None], self.plan.occupied))

    def decode(self, received, blocks=("all",), side=None):
        """Symbols [task, 8] to votes [task, 1, 8]."""
        one = received["rx"]
        return Features(features=one.symbols.real[:, None].contiguous(), erased=~one.valid.any(1))
