"""Noiseless reference networks: features straight to retrieval, no channel (T1 of the papers).

Source: Jankowski et al., Sec. 2.1 (re-ID baseline); Lo et al., App. B (T1).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from hil.errors import ModelError
from hil.models.branches import BranchNetwork, GalleryMode
from hil.models.recipe import Recipe
from hil.models.scheme import Access, Output, Plan, Received, Sent

__all__ = ["PairBaseline", "SingleBaseline"]


class _Baseline(BranchNetwork):
    def __init__(self, recipe: Recipe, *, views: int, access: Access, gallery: GalleryMode) -> None:
        plan = Plan(occupied=torch.zeros(views, 0, dtype=torch.bool), access=access, kind="bound")
        super().__init__(recipe, plan, gallery=gallery)
        self.snr_train_db = "noiseless"

    def encode(self, views: Tensor, csi: Tensor | None = None, generator: torch.Generator | None = None) -> Sent:
        """Views float32 [task, tx, C, H, W] to no symbols (complex64 [tx, task, 0]); the features are the side information."""
        features = self.extract(views)
        return Sent(symbols=features.new_zeros(views.shape[1], views.shape[0], 0, dtype=torch.complex64), side=features)

    def decode(self, received: dict[str, Received], blocks: tuple[str, ...] = ("all",), side: Any = None) -> Output:
        """The features given as `side`, float32 [task, view, p], unchanged.

        Raises:
            ModelError: no side information.
        """
        if not isinstance(side, Tensor):
            raise ModelError(f"{self.name} is noiseless: decode needs side = the features of encode's Sent, not {type(side)}.")
        return Output(features=side, erased=torch.zeros(side.shape[0], dtype=torch.bool, device=side.device))

    def represent(self, features: Tensor) -> Tensor:
        """The features themselves, whatever the gallery."""
        return features


class SingleBaseline(_Baseline):
    """One view, one network, no channel."""

    def __init__(self, recipe: Recipe, *, gallery: GalleryMode = "reconstructed") -> None:
        super().__init__(recipe, views=1, access="single", gallery=gallery)


class PairBaseline(_Baseline):
    """Two views of one identity, a network each, no channel."""

    def __init__(self, recipe: Recipe, *, gallery: GalleryMode = "reconstructed") -> None:
        super().__init__(recipe, views=2, access="oma", gallery=gallery)
