"""Training of the detector of images: scores that say how much a box will overlap its object, and boxes that overlap them.

Source: Li et al., Generalized Focal Loss, NeurIPS 2020 (quality focal loss, eq. 5); Rezatofighi et al., Generalized
Intersection over Union, CVPR 2019 (eq. 1); which cells answer for an object: Tian et al., FCOS, TPAMI 2022 (centre sampling).
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from hil.errors import ModelError
from hil.models.image.detector import ImageDetector, shared
from hil.models.recipe import Recipe
from hil.models.training.images import AllTogether
from hil.models.training.trainable import Batch

__all__ = ["DetectorTraining", "detection_loss"]

REACH = 1.0
"""Cells answer for an object whose middle is no more than so many cells from theirs, along either side."""


class DetectorTraining(AllTogether):
    """T1 of a detector.

    Args:
        network: what is trained.
        recipe: its stage.

    Raises:
        ModelError: the recipe asks for another stage or loss, or holds images out.
    """

    examples = "images"
    network: ImageDetector

    def __init__(self, network: ImageDetector, recipe: Recipe) -> None:
        super().__init__(network, recipe)
        if set(recipe.stages()) != {"t1"} or recipe.stages()["t1"].loss != "detection" or recipe.held_out:
            raise ModelError(
                f"recipe '{recipe.name}', scheme '{recipe.scheme}': detectors train in one step on all images, "
                'so give t1 alone with loss = "detection", and held_out = 0.'
            )

    def loss(self, stage: str, batch: Batch) -> Tensor:
        """See `detection_loss`.

        Raises:
            ModelError: the batch has no images or no boxes, or an object is of a class that the recipe does not have.
        """
        images = self.images(stage, batch)
        if batch.boxes is None:
            raise ModelError(f"stage {stage}: a batch needs boxes.")
        if bool((batch.boxes[..., 4] >= self.recipe.classes).any()):
            seen = int(batch.boxes[..., 4].max()) + 1
            raise ModelError(
                f"recipe '{self.recipe.name}': classes must be at least {seen}, as the boxes have, not {self.recipe.classes}; "
                "give --set classes=N"
            )
        logits, found = self.network.seen(images)
        return detection_loss(logits, found, batch.boxes, self.network.middles(images.device), self.network.cell)


def detection_loss(logits: Tensor, found: Tensor, objects: Tensor, middles: Tensor, cell: int) -> Tensor:
    """Quality focal loss of all scores and 1 − generalised overlap of the boxes that answer for objects; over their number.

    Args:
        logits: of scores, float32 [image, cell, class]; found: boxes, float32 [image, cell, 4].
        objects: float32 [image, n, 5], class −1 where there is no further one.
        middles: of the cells, float32 [cell, 2].
        cell: side of a cell; all in pixels.

    Returns:
        a scalar.
    """
    centres = (objects[..., :2] + objects[..., 2:4]) / 2
    apart = (middles[None, :, None] - centres[:, None]).abs().amax(3).masked_fill(objects[:, None, :, 4] < 0, torch.inf)
    filled = F.pad(apart, (0, 1), value=torch.inf)  # images without any object
    nearest, which = filled.min(2)
    answers = nearest <= REACH * cell
    own = F.pad(objects, (0, 0, 0, 1)).gather(1, which[..., None].expand(-1, -1, 5))[answers]
    common, union, hull = shared(found[answers], own[:, :4])
    overlap = common / union.clamp_min(1e-9)
    wanted = torch.zeros_like(logits)
    wanted[answers] = F.one_hot(own[:, 4].long(), logits.shape[2]) * overlap.detach()[:, None]
    missed = (wanted - torch.sigmoid(logits)).square()
    scores = (missed * F.binary_cross_entropy_with_logits(logits, wanted, reduction="none")).sum()
    places = (1 - overlap + (hull - union) / hull.clamp_min(1e-9)).sum()
    return (scores + places) / max(1, len(own))
