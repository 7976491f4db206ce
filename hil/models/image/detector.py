"""A small single-shot detector of objects, trained by a recipe: a task network that judges images by what is where in them.

Without anchors, as FCOS and CenterNet: every cell of one grid says how well it sees the middle of an object of each class,
where that middle is and how large the object is.

Source: Tian et al., FCOS, ICCV 2019; Zhou et al., Objects as Points, 2019; the score is the overlap expected, Li et al.,
Generalized Focal Loss, NeurIPS 2020.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hil.errors import ConfigError, ModelError
from hil.models.contract import Boxes, Plan, Received, Sent
from hil.models.network import RecipeNetwork
from hil.models.recipe import Recipe

__all__ = ["ImageDetector", "halvings", "shared"]

WIDTHS = (24, 48, 64, 96)
"""Feature maps of the first two blocks, of the grid's, and of those that see around it."""
CELLS = 10
"""The grid has about so many cells along the shorter side of an image."""
FIRST_SCORE = 0.03
"""Of an untrained network, so that the many cells without objects do not swamp the first steps (Lin et al., 2017)."""
LARGEST = 4.0
"""Of the logarithm of half an object's side over a cell's."""
MOST_CANDIDATES, MOST_BOXES = 60, 20
LEAST_SCORE = 0.02
OVERLAPPING = 0.5
"""Of two boxes of one class that share so much, intersection over union, the better scored one is kept."""


def halvings(image_size: tuple[int, int]) -> int:
    """How often the sides of an image are halved to get the grid."""
    return max(2, round(math.log2(min(image_size) / CELLS)))


def shared(one: Tensor, other: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Intersection, union and smallest common box's area of boxes [..., 4] (left, top, right, bottom); any shapes that fit."""
    inner = torch.minimum(one[..., 2:], other[..., 2:]) - torch.maximum(one[..., :2], other[..., :2])
    outer = torch.maximum(one[..., 2:], other[..., 2:]) - torch.minimum(one[..., :2], other[..., :2])
    areas = [(box[..., 2:] - box[..., :2]).prod(-1) for box in (one, other)]
    common = inner.clamp_min(0).prod(-1)
    return common, areas[0] + areas[1] - common, outer.prod(-1)


class ImageDetector(RecipeNetwork):
    """Convolutions down to one grid, a look at twice its scale, one layer. As a scheme it sends nothing: a noiseless reference.

    Args:
        recipe: number of classes, and image size; images of another size are resized to it.

    Raises:
        ConfigError: sides that do not divide into cells.
    """

    trained_at = "noiseless"

    def __init__(self, recipe: Recipe) -> None:
        super().__init__(recipe, Plan(occupied=torch.zeros(1, 0, dtype=torch.bool)))
        times = halvings(recipe.image_size)
        self.cell = 2**times
        if any(side % self.cell for side in recipe.image_size):
            height, width = recipe.image_size
            raise ConfigError(
                f"recipe '{recipe.name}': image_size must be multiples of {self.cell} for a detector of this size, "
                f"not {height} × {width}"
            )
        strides = [*[1] * (3 - times), *[2] * times]
        widths = [3, *WIDTHS[:3], *[WIDTHS[2]] * (len(strides) - 2)]
        grid, around = WIDTHS[2], WIDTHS[3]
        self.down = nn.Sequential(*(_block(widths[i], widths[i + 1], stride) for i, stride in enumerate([*strides, 1])))
        self.around = nn.Sequential(_block(grid, around, 2), _block(around, around, 1), nn.Conv2d(around, grid, 1))
        self.mix = _block(grid, grid, 1)
        self.head = nn.Conv2d(grid, recipe.classes + 4, 1)
        first = torch.zeros(recipe.classes + 4)
        first[: recipe.classes] = math.log(FIRST_SCORE / (1 - FIRST_SCORE))
        self.head.bias = nn.Parameter(first)

    def seen(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """What every cell says of images of the recipe's size, float32 [image, 3, H, W] in 0…1.

        Returns:
            logits of the scores, float32 [image, cell, class]; boxes, float32 [image, cell, 4] in pixels.
        """
        maps = self.down(2 * images - 1)
        maps = maps + F.interpolate(self.around(maps), maps.shape[2:])
        found = self.head(self.mix(maps)).flatten(2).transpose(1, 2)
        logits, places = found[..., : self.recipe.classes], found[..., self.recipe.classes :]
        middles = self.middles(images.device) + self.cell * places[..., :2]
        halves = self.cell * places[..., 2:].clamp(-LARGEST, LARGEST).exp()
        return logits, torch.cat([middles - halves, middles + halves], dim=2)

    def middles(self, device: torch.device | None = None) -> Tensor:
        """The middle of every cell, x and y in pixels, float32 [cell, 2]."""
        down, across = (self.cell * (torch.arange(side // self.cell, device=device) + 0.5) for side in self.recipe.image_size)
        return torch.stack([across.repeat(len(down)), down.repeat_interleave(len(across))], dim=1)

    def forward(self, images: Tensor) -> Boxes:
        """Objects in images float32 [image, C, H, W] in 0…1 of any size, in their own pixels."""
        height, width = images.shape[2:]
        own = images.expand(-1, 3, -1, -1)
        if (height, width) != self.recipe.image_size:
            own = F.interpolate(own, self.recipe.image_size, mode="area")
        logits, boxes = self.seen(own)
        scores, labels = torch.sigmoid(logits).max(2)
        scores, order = scores.topk(min(MOST_CANDIDATES, scores.shape[1]), dim=1)
        labels, boxes = labels.gather(1, order), boxes.gather(1, order[..., None].expand(-1, -1, 4))
        scores = scores * (scores >= LEAST_SCORE) * _best_of_their_place(boxes, labels)
        scores, order = scores.topk(min(MOST_BOXES, scores.shape[1]), dim=1)
        labels, boxes = labels.gather(1, order), boxes.gather(1, order[..., None].expand(-1, -1, 4))
        scale = boxes.new_tensor([width, height]) / boxes.new_tensor(self.recipe.image_size[::-1])
        ends = boxes.new_tensor([width, height, width, height])
        placed = torch.minimum((boxes * scale.repeat(2)).clamp_min(0), ends)
        return Boxes(boxes=placed, scores=scores, labels=labels, erased=torch.zeros_like(scores[:, 0], dtype=torch.bool))

    def encode(self, views: Tensor, csi: Tensor | None = None, generator: torch.Generator | None = None) -> Sent:
        """Views float32 [task, 1, 3, H, W] to no symbols (complex64 [1, task, 0]); the boxes are the side information."""
        found = self(views[:, 0])
        symbols = torch.zeros(1, len(views), 0, dtype=torch.complex64, device=views.device)
        return Sent(symbols=symbols, side={"boxes": found.boxes, "scores": found.scores, "labels": found.labels})

    def decode(
        self, received: Mapping[str, Received], blocks: tuple[str, ...] = ("all",), side: Mapping[str, Tensor] | None = None
    ) -> Boxes:
        """The boxes, scores and labels given as `side`, unchanged.

        Raises:
            ModelError: no side information.
        """
        if side is None or not {"boxes", "scores", "labels"} <= set(side):
            raise ModelError(f"{self.card.name} is noiseless: decode needs encode's side information, the boxes.")
        scores = side["scores"]
        erased = torch.zeros(len(scores), dtype=torch.bool, device=scores.device)
        return Boxes(boxes=side["boxes"], scores=scores, labels=side["labels"], erased=erased)


def _block(before: int, after: int, stride: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(before, after, 3, stride, 1, bias=False), nn.BatchNorm2d(after), nn.ReLU())


def _best_of_their_place(boxes: Tensor, labels: Tensor) -> Tensor:
    """Non-maximum suppression: those that overlap no better scored one of their class that is kept itself.

    Args:
        boxes: float32 [image, n, 4], in order of falling score.
        labels: int64 [image, n].

    Returns:
        bool [image, n].
    """
    common, union, _ = shared(boxes[:, :, None], boxes[:, None])
    rivals = (common >= OVERLAPPING * union) & (labels[:, :, None] == labels[:, None])
    kept = torch.ones_like(labels, dtype=torch.bool)
    for place in range(1, labels.shape[1]):
        kept[:, place] = ~(rivals[:, place, :place] & kept[:, :place]).any(1)
    return kept
