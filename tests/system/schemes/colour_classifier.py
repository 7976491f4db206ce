"""A third party's classifier scheme in one file. ``path/colour_classifier.py:ColourClassifier``.

The encoder measures the colour of what is bright (three numbers) and spreads it over 16 uses by a fixed random projection; the
decoder compares what it received with the projections of the four colours that there are. Logits are the log-likelihoods of an
AWGN channel, up to scale: 2 Re⟨y, xₖ⟩ − ‖xₖ‖².
"""

import torch

from hil.models.contract import Card, Logits, Plan, Received, Sent, normalize_power

USES = 16
COLOURS = torch.tensor([[200, 60, 60], [60, 200, 60], [60, 60, 200], [60, 200, 200]]) / 255.0
BRIGHT = 0.55


class ColourClassifier:
    """One transmitter, 16 uses a task."""

    def __init__(self) -> None:
        self.plan = Plan(occupied=torch.ones(1, USES, dtype=torch.bool))
        self.card = Card(name="colour-classifier", outputs="logits")
        self.projection = torch.randn(3, USES, dtype=torch.complex64, generator=torch.Generator().manual_seed(3))
        self.templates = self._spread(COLOURS)

    def _spread(self, colours):
        """Colours [n, 3] to symbols [n, use] of power 1."""
        spread = (colours - colours.mean(1, keepdim=True)).to(torch.complex64) @ self.projection
        return normalize_power(spread[None], self.plan.occupied)[0]

    def encode(self, views, csi=None, generator=None) -> Sent:
        """Views [task, 1, 3, H, W] to symbols [1, task, use]."""
        pixels = views[:, 0].flatten(2)
        bright = (pixels.amax(1) > BRIGHT).float()
        colours = (pixels * bright[:, None]).sum(2) / bright.sum(1).clamp_min(1)[:, None]
        return Sent(symbols=self._spread(colours)[None])

    def decode(self, received: dict[str, Received], blocks=("all",), side=None) -> Logits:
        """Symbols [task, use] to logits [task, class]."""
        one = received["rx"]
        alike = 2 * (one.symbols.to(torch.complex64) @ self.templates.conj().T).real
        return Logits(logits=alike - self.templates.abs().square().sum(1), erased=~one.valid.any(1))
