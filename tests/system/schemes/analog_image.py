"""A third party's image scheme in one file: pixels as amplitudes. ``path/analog_image.py:AnalogImage``.

Means of 2 × 2 pixels, less their mean, scaled to unit power, two a complex use; the decoder divides. Nothing is learned, so the
distortion has a closed form: of an image with mean squared error D₀ within its 2 × 2 blocks,

    MSE = D₀ + V σ²   (V: variance of the block means over the data set, σ²: noise variance of a use; where nothing is clamped)

as two block means share a use of power 1 and a noise of σ², σ²/2 each.
"""

import torch
import torch.nn.functional as F

from hil.models.contract import Card, Images, Plan, Received, Sent

SIZE = (16, 16)
MEAN, VARIANCE = 0.297, 0.0116
"""Of the block means of the data set `shapes`, over all images."""


class AnalogImage:
    """One transmitter, one image of 16 × 16 pixels a task in 96 uses."""

    def __init__(self, transmitters: int = 1) -> None:
        values = 3 * SIZE[0] * SIZE[1] // 4
        self.uses = values // 2
        occupied = torch.zeros(transmitters, transmitters * self.uses, dtype=torch.bool)
        for number in range(transmitters):
            occupied[number, number * self.uses : (number + 1) * self.uses] = True
        self.plan = Plan(occupied=occupied, normalisation="declared")
        self.card = Card(name="analog-image", paper="none", outputs="images", image_size=SIZE)

    def encode(self, views, csi=None, generator=None) -> Sent:
        """Views [task, tx, 3, 16, 16] to symbols [tx, task, use]."""
        means = F.avg_pool2d(views.flatten(0, 1), 2).flatten(1)
        pairs = (means - MEAN).div((2 * VARIANCE) ** 0.5).unflatten(1, (-1, 2))
        own = torch.view_as_complex(pairs.contiguous()).unflatten(0, views.shape[:2])
        symbols = torch.zeros(views.shape[1], len(views), self.plan.uses, dtype=torch.complex64)
        for number in range(views.shape[1]):
            symbols[number][:, self.plan.occupied[number]] = own[:, number]
        return Sent(symbols=symbols)

    def decode(self, received: dict[str, Received], blocks=("all",), side=None) -> Images:
        """Symbols [task, use] to images [task, view, 3, 16, 16]."""
        one = received["rx"]
        pairs = torch.view_as_real(one.symbols.to(torch.complex64)).unflatten(1, (self.plan.transmitters, self.uses))
        means = pairs.flatten(2).mul((2 * VARIANCE) ** 0.5).add(MEAN).unflatten(2, (3, SIZE[0] // 2, SIZE[1] // 2))
        images = means.repeat_interleave(2, 3).repeat_interleave(2, 4)
        return Images(images=images.clamp(0, 1), erased=~one.valid.any(1))


class AnalogPair(AnalogImage):
    """Two transmitters that take turns, an image each."""

    def __init__(self) -> None:
        super().__init__(2)
