"""Noiseless reference networks: features straight to retrieval, no channel (T1 of the papers).

Source: Jankowski et al., Sec. 2.1 (re-ID baseline); Lo et al., App. B (T1).
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from hil.errors import ModelError
from hil.models.branches import BranchNetwork, GalleryMode
from hil.models.contract import Features, Plan, Received, Sent
from hil.models.recipe import Recipe

__all__ = ["PairBaseline", "SingleBaseline"]


class _Baseline(BranchNetwork):
    trained_at = "noiseless"

    def __init__(self, recipe: Recipe, *, views: int) -> None:
        super().__init__(recipe, Plan(occupied=torch.zeros(views, 0, dtype=torch.bool)))

    def encode(self, views: Tensor, csi: Tensor | None = None, generator: torch.Generator | None = None) -> Sent:
        """Views float32 [task, tx, C, H, W] to no symbols (complex64 [tx, task, 0]); the features are the side information."""
        features = self.extract(views)
        return Sent(
            symbols=features.new_zeros(views.shape[1], views.shape[0], 0, dtype=torch.complex64), side={"features": features}
        )

    def decode(
        self, received: Mapping[str, Received], blocks: tuple[str, ...] = ("all",), side: Mapping[str, Tensor] | None = None
    ) -> Features:
        """The features given as `side`, float32 [task, view, p], unchanged.

        Raises:
            ModelError: no side information.
        """
        if side is None or "features" not in side:
            raise ModelError(f"{self.card.name} is noiseless: decode needs encode's side information, the features.")
        features = side["features"]
        return Features(features=features, erased=torch.zeros(features.shape[0], dtype=torch.bool, device=features.device))

    def represent(self, features: Tensor, mode: GalleryMode) -> Tensor:
        """The features themselves, whatever the gallery."""
        return features


class SingleBaseline(_Baseline):
    """One view, one network, no channel."""

    def __init__(self, recipe: Recipe) -> None:
        super().__init__(recipe, views=1)


class PairBaseline(_Baseline):
    """Two views of one identity (or as many as the recipe has transmitters), a network each, no channel."""

    def __init__(self, recipe: Recipe) -> None:
        super().__init__(recipe, views=recipe.transmitters)
