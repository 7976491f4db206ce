"""A small classifier of images, trained by a recipe: a task network, and where semantic weights are taken from."""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hil.errors import ModelError
from hil.models.contract import Logits, Plan, Received, Sent
from hil.models.network import RecipeNetwork
from hil.models.recipe import Recipe

__all__ = ["WIDTHS", "ImageClassifier"]

WIDTHS = (24, 48, 64, 96)
"""Feature maps after each block; the sides are halved after all but the first."""


class ImageClassifier(RecipeNetwork):
    """Four convolutional blocks, the mean over places, one linear layer. As a scheme it sends nothing: a noiseless reference.

    Args:
        recipe: number of classes, and image size; images of another size are resized to it.
    """

    trained_at = "noiseless"

    def __init__(self, recipe: Recipe) -> None:
        super().__init__(recipe, Plan(occupied=torch.zeros(1, 0, dtype=torch.bool)))
        sizes = (3, *WIDTHS)
        self.blocks = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(sizes[i], sizes[i + 1], 3, stride=1 if i == 0 else 2, padding=1, bias=False),
                nn.BatchNorm2d(sizes[i + 1]),
                nn.ReLU(),
            )
            for i in range(len(WIDTHS))
        )
        self.head = nn.Linear(WIDTHS[-1], recipe.classes)

    def maps(self, images: Tensor, tap: int) -> Tensor:
        """Feature maps after block `tap` (1…4), float32 [image, WIDTHS[tap − 1], row, column], of images in 0…1."""
        if tuple(images.shape[2:]) != self.recipe.image_size:
            images = F.interpolate(images, self.recipe.image_size, mode="area")
        found = 2 * images - 1
        for block in self.blocks[:tap]:
            found = block(found)
        return found

    def judged(self, maps: Tensor, tap: int) -> Tensor:
        """Logits float32 [image, class] of the maps after block `tap`."""
        for block in self.blocks[tap:]:
            maps = block(maps)
        found: Tensor = self.head(maps.mean((2, 3)))
        return found

    def forward(self, images: Tensor) -> Tensor:
        """Images float32 [image, 3, H, W] in 0…1 to logits float32 [image, class]."""
        return self.judged(self.maps(images, len(WIDTHS)), len(WIDTHS))

    def encode(self, views: Tensor, csi: Tensor | None = None, generator: torch.Generator | None = None) -> Sent:
        """Views float32 [task, 1, 3, H, W] to no symbols (complex64 [1, task, 0]); the logits are the side information."""
        symbols = torch.zeros(1, len(views), 0, dtype=torch.complex64, device=views.device)
        return Sent(symbols=symbols, side={"logits": self(views[:, 0])})

    def decode(
        self, received: Mapping[str, Received], blocks: tuple[str, ...] = ("all",), side: Mapping[str, Tensor] | None = None
    ) -> Logits:
        """The logits given as `side`, float32 [task, class], unchanged.

        Raises:
            ModelError: no side information.
        """
        if side is None or "logits" not in side:
            raise ModelError(f"{self.card.name} is noiseless: decode needs encode's side information, the logits.")
        logits = side["logits"]
        return Logits(logits=logits, erased=torch.zeros(len(logits), dtype=torch.bool, device=logits.device))
