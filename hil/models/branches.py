"""What all retrieval networks here share: one backbone per view, and galleries in batches of a fixed size."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn

from hil.errors import ConfigError, ModelError
from hil.foreign import is_foreign
from hil.models.backbones.foreign import check_features
from hil.models.backbones.small import build_backbone
from hil.models.contract import Plan
from hil.models.network import RecipeNetwork
from hil.models.recipe import GIVEN, Recipe

__all__ = ["GALLERIES", "BranchNetwork", "GalleryMode", "check_images"]

GalleryMode = Literal["reconstructed", "raw"]
GALLERIES: tuple[GalleryMode, ...] = ("reconstructed", "raw")
GALLERY_BATCH = 128
SMALL_PIXELS, LARGE_AT_ONCE = 64 * 64, 32
"""Of images with more pixels so many go through a backbone at once: 128 of 256×128 take 1 GB in a ResNet-50."""


def check_images(scheme: object, images: Any) -> None:
    """Refuse features where a recipe's network takes pictures, pictures where it takes features, and those of other channels.

    Args:
        scheme: any; of those that no recipe made only the channels are known, where their card says them.
        images: of a split: uint8 [image, C, H, W], or features float32 [image, view, 1, p].

    Raises:
        ModelError: saying which of the two it takes, or how many channels.
    """
    card = getattr(scheme, "card", None)
    channels = getattr(card, "channels", None)
    if channels is not None and images.dtype == torch.uint8 and images.shape[1] != channels:
        raise ModelError(
            f"scheme '{getattr(card, 'name', '')}' takes pictures of {channels} channels, and the data set's have "
            f"{images.shape[1]}; load it with load_dataset(…, channels={channels}), which grey ones can be"
        )
    if not isinstance(scheme, RecipeNetwork):
        return
    takes, given = scheme.recipe.backbone == GIVEN, images.dtype == torch.float32
    if takes and not given:
        raise ModelError(
            f"scheme '{scheme.card.name}' was made for features (backbone '{GIVEN}') and the data set has pictures; "
            "choose the data set features:PATH"
        )
    if given and not takes:
        raise ModelError(
            f"scheme '{scheme.card.name}' takes pictures and the data set has features; "
            "train it on them with: hil train RECIPE --features PATH --out DIR"
        )


class BranchNetwork(RecipeNetwork):
    """A backbone per transmitter (branch) and the plan; `encode` and `decode` are the subclasses' own.

    Args:
        recipe: sizes and seed.
        plan: what the scheme needs of the channel.
        branches: how many; 0: one for each transmitter of the plan.

    Raises:
        ConfigError: the recipe's images are too small for its backbone.
    """

    def __init__(self, recipe: Recipe, plan: Plan, *, branches: int = 0) -> None:
        super().__init__(recipe, plan)
        self.backbones = nn.ModuleList(
            build_backbone(recipe.backbone, recipe.features, branch) for branch in range(branches or plan.transmitters)
        )
        necks = len(self.backbones) if recipe.bnneck else 0
        self.necks = nn.ModuleList(nn.BatchNorm1d(recipe.features) for _ in range(necks))
        if is_foreign(recipe.backbone):
            check_features(recipe.backbone, self.backbones[0], recipe.image_size, recipe.features)
        needed = getattr(self.backbones[0], "smallest", (1, 1))
        if any(size < least for size, least in zip(recipe.image_size, needed, strict=True)):
            raise ConfigError(
                f"backbone '{recipe.backbone}' needs images of at least {' × '.join(map(str, needed))} pixels, height × width, "
                f"not {' × '.join(map(str, recipe.image_size))}; set image_size"
            )

    @property
    def decoded(self) -> int:
        """Length of the features that the decoder puts out for a view: its backbones', unless a scheme says otherwise."""
        return self.recipe.features * len(self.backbones) // self.plan.transmitters

    def extract(self, views: Tensor) -> Tensor:
        """Features of the views, each by its branch's backbone, and the neck behind it where there is one.

        Args:
            views: float32 [task, branch, C, H, W] in 0…1; features instead of pictures: [task, branch, view, 1, p], of one
                view, or at least as many as branches.

        Returns:
            float32 [task, branch, p].

        Raises:
            ShapeError: another number of views than transmitters, another image size, or not float.
        """
        self.check_views(views, len(self.backbones), channels=self._channels(views))
        # Where gradients or statistics are taken, the batch is one.
        whole = torch.is_grad_enabled() or self.backbones.training or math.prod(self.recipe.image_size) <= SMALL_PIXELS
        parts = [views] if whole else views.split(LARGE_AT_ONCE)
        return torch.cat([self.necked(self.pooled(part)) for part in parts])

    def _channels(self, views: Tensor) -> int:
        """How many `views` must have: 3 colours, or views of features, one for all branches or at least one for each."""
        if self.recipe.backbone != GIVEN:
            return 3
        given = views.shape[2] if views.ndim == 5 else 1
        return 1 if given == 1 else max(given, len(self.backbones))

    def necked(self, features: Tensor) -> Tensor:
        """What the necks make of the backbones' features, float32 [task, branch, p] both; the same where there are none."""
        if not self.necks:
            return features
        return torch.stack([neck(one) for neck, one in zip(self.necks, features.unbind(1), strict=True)], dim=1)

    def extractors(self) -> list[nn.Parameter]:
        """Parameters of backbones and necks, which make features; a neck has no shift (Luo et al., 2019)."""
        return [
            *self.backbones.parameters(),
            *(parameter for key, parameter in self.necks.named_parameters() if key.endswith(".weight")),
        ]

    def pooled(self, views: Tensor) -> Tensor:
        """The backbones' features before any neck, float32 [task, branch, p], of float32 [task, branch, C, H, W]."""
        return torch.stack([backbone(views[:, index]) for index, backbone in enumerate(self.backbones)], dim=1)

    def embed(self, images: Tensor, mode: str = "reconstructed") -> Tensor:
        """Gallery features: each image goes through every branch.

        Batches have a fixed size (the last is filled up), so an image's bits do not depend on how many follow it.

        Args:
            images: float32 [image, C, H, W] in 0…1.
            mode: of `GALLERIES` (papers/README.md, "Gallery").

        Returns:
            float32 [view, image, p].

        Raises:
            ConfigError: another mode.
        """
        if mode not in GALLERIES:
            raise ConfigError(f"gallery must be one of {', '.join(GALLERIES)}, not '{mode}'")
        return self._embedded(images, (mode,))

    def embed_each(self, images: Tensor) -> Tensor:
        """Gallery features of every mode of `GALLERIES`, from one pass of the backbones; float32 [mode × view, image, p]."""
        return self._embedded(images, GALLERIES)

    def _embedded(self, images: Tensor, modes: Sequence[GalleryMode]) -> Tensor:
        parts = []
        for start in range(0, images.shape[0], GALLERY_BATCH):
            batch = images[start : start + GALLERY_BATCH]
            rows = batch.shape[0]
            if rows < GALLERY_BATCH:
                batch = torch.cat([batch, batch.new_zeros(GALLERY_BATCH - rows, *batch.shape[1:])])
            features = self.extract(batch[:, None].expand(-1, len(self.backbones), *batch.shape[1:]))
            parts.append(torch.cat([self.represent(features, mode)[:rows] for mode in modes], dim=1))
        if not parts:
            return images.new_zeros(len(modes) * self.plan.transmitters, 0, self.decoded)
        return torch.cat(parts).transpose(0, 1).contiguous()

    @abstractmethod
    def represent(self, features: Tensor, mode: GalleryMode) -> Tensor:
        """What stands for a gallery image, float32 [image, view, decoded], from its features [image, branch, p]."""
        raise NotImplementedError
