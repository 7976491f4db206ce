"""What recipes build: a network with a plan and a card that says what the recipe does."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

from torch import nn

from hil.models.card import Card, SchemeEntry
from hil.models.contract import Plan
from hil.models.recipe import Recipe
from hil.registry import SCHEMES

__all__ = ["RecipeNetwork"]


class RecipeNetwork(nn.Module):
    """A scheme that a recipe can train; `encode` and `decode` are the subclasses' own.

    Args:
        recipe: sizes and seed.
        plan: what the scheme needs of the channel.

    Attributes:
        card: the registry's, with what the recipe says of size, training SNR and seed.
    """

    plan: Plan
    trained_at: str | None = None
    """What a card says of the training SNR where that is not the recipe's."""

    def __init__(self, recipe: Recipe, plan: Plan) -> None:
        super().__init__()
        self.recipe = recipe
        self.plan = plan
        self.card: Card = replace(
            cast(SchemeEntry, SCHEMES.entry(recipe.scheme)).card,
            name=recipe.name or recipe.scheme,
            image_size=recipe.image_size,
            snr_train_db=self.trained_at or ("captured" if recipe.channel.captures else str(recipe.snr_range)),
            training_seed=recipe.seed,
        )

    def settle(self) -> None:
        """Called once when training is over: a scheme computes here what follows from its parameters. Most have nothing."""
