"""What all retrieval networks here share: one backbone per view, and galleries in batches of a fixed size."""

from __future__ import annotations

from abc import abstractmethod
from typing import Literal

import torch
from torch import Tensor, nn

from hil.errors import ConfigError, ShapeError
from hil.models.backbones import build_backbone
from hil.models.recipe import Recipe
from hil.models.scheme import Plan

__all__ = ["GALLERIES", "BranchNetwork", "GalleryMode"]

GalleryMode = Literal["reconstructed", "raw"]
GALLERIES: tuple[GalleryMode, ...] = ("reconstructed", "raw")
GALLERY_BATCH = 128


class BranchNetwork(nn.Module):
    """A backbone per transmitter (branch) and the plan; `encode` and `decode` are the subclasses' own.

    Args:
        recipe: sizes and seed.
        plan: what the scheme needs of the channel; its transmitters are the branches.
        gallery: which features stand for a gallery image (papers/README.md, "Gallery").

    Attributes:
        name: the recipe's name.
        snr_train_db: the training SNR in words, e.g. ``"uniform -6…15 dB"``.
        training_seed: the recipe's seed.
    """

    name: str
    plan: Plan

    def __init__(self, recipe: Recipe, plan: Plan, *, gallery: GalleryMode = "reconstructed") -> None:
        super().__init__()
        if gallery not in GALLERIES:
            raise ConfigError(f"gallery must be one of {', '.join(GALLERIES)}, not '{gallery}'")
        self.recipe = recipe
        self.plan = plan
        self.gallery_mode: GalleryMode = gallery
        self.name = recipe.name or recipe.scheme
        self.training_seed = recipe.seed
        self.snr_train_db = str(recipe.snr_range)
        self.backbones = nn.ModuleList(build_backbone(recipe.backbone, recipe.features) for _ in range(plan.transmitters))

    def extract(self, views: Tensor) -> Tensor:
        """Features of the views, each by its branch's backbone.

        Args:
            views: float32 [task, tx, C, H, W] in 0…1.

        Returns:
            float32 [task, view, p].

        Raises:
            ShapeError: another number of views than transmitters, another image size, or not float.
        """
        wanted = (len(self.backbones), 3, *self.recipe.image_size)
        if views.ndim != 5 or tuple(views.shape[1:]) != wanted or not views.is_floating_point():
            raise ShapeError(
                f"{self.name}: views must be float [task, {', '.join(map(str, wanted))}] (tx, C, H, W), "
                f"not {views.dtype} {list(views.shape)}; load the data set with image_size={self.recipe.image_size}."
            )
        return torch.stack([backbone(views[:, index]) for index, backbone in enumerate(self.backbones)], dim=1)

    def gallery(self, images: Tensor) -> Tensor:
        """Gallery features: each image goes through every branch.

        Batches have a fixed size (the last is filled up), so an image's bits do not depend on how many follow it.

        Args:
            images: float32 [image, C, H, W] in 0…1.

        Returns:
            float32 [view, image, p].
        """
        parts = []
        for start in range(0, images.shape[0], GALLERY_BATCH):
            batch = images[start : start + GALLERY_BATCH]
            rows = batch.shape[0]
            if rows < GALLERY_BATCH:
                batch = torch.cat([batch, batch.new_zeros(GALLERY_BATCH - rows, *batch.shape[1:])])
            views = batch[:, None].expand(-1, len(self.backbones), *batch.shape[1:])
            parts.append(self.represent(self.extract(views))[:rows])
        if not parts:
            return images.new_zeros(len(self.backbones), 0, self.recipe.features)
        return torch.cat(parts).transpose(0, 1).contiguous()

    @abstractmethod
    def represent(self, features: Tensor) -> Tensor:
        """What stands for a gallery image, from its features [image, view, p], same shape."""
        raise NotImplementedError
