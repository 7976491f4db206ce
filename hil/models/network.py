"""What recipes build: a network with a plan and a card that says what the recipe does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import cast

from torch import Tensor, nn

from hil.errors import ShapeError
from hil.models.card import Card, SchemeEntry
from hil.models.contract import Plan, Received
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
            channels=recipe.channels,
            snr_train_db=self.trained_at or ("captured" if recipe.channel.captures else str(recipe.snr_range)),
            training_seed=recipe.seed,
        )

    def check_views(self, views: Tensor, count: int, *, channels: int = 3) -> None:
        """Whether views are float [task, count, channel, H, W] of the recipe's image size.

        Raises:
            ShapeError: they are not.
        """
        wanted = (count, channels, *self.recipe.image_size)
        if views.ndim == 5 and views.shape[2] != channels:
            raise ShapeError(
                f"{self.card.name}: views must have {channels} channels (task, tx, C, H, W), not {views.shape[2]}; "
                f"load the data set with channels={channels}."
            )
        if views.ndim != 5 or tuple(views.shape[1:]) != wanted or not views.is_floating_point():
            raise ShapeError(
                f"{self.card.name}: views must be float [task, {', '.join(map(str, wanted))}] (tx, C, H, W), "
                f"not {views.dtype} {list(views.shape)}; load the data set with image_size={self.recipe.image_size}."
            )

    def got(self, received: Mapping[str, Received], name: str = "rx") -> Received:
        """What a receiver got, ``rx`` where there is one alone.

        Raises:
            ShapeError: no such receiver, or another number of uses than the plan's.
        """
        if name not in received:
            raise ShapeError(f"{self.card.name}: received must have the receiver '{name}', not {sorted(received)}.")
        one = received[name]
        if one.symbols.ndim != 2 or one.symbols.shape[1] != self.plan.uses:
            raise ShapeError(f"{self.card.name}: symbols must be [task, {self.plan.uses}], not {list(one.symbols.shape)}.")
        return one

    def settle(self) -> None:
        """Called once when training is over: a scheme computes here what follows from its parameters. Most have nothing."""
