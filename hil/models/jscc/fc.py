"""JSCC-FC: one fully connected layer makes the symbols, and what is received is the feature itself.

Source: Jankowski et al., Sec. 2.3 (feature encoder replaced by a single FC layer, decoder by the identity).
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from hil.errors import ConfigError
from hil.models.branches import BranchNetwork, GalleryMode
from hil.models.contract import Features, Plan, Received, Sent, normalize_power
from hil.models.recipe import Recipe

__all__ = ["FcJscc"]


class FcJscc(BranchNetwork):
    """Transmitter 0 alone on all q uses; features are 2q real values, in-phase ones first.

    Raises:
        ConfigError: the recipe has no uses.
    """

    def __init__(self, recipe: Recipe) -> None:
        if recipe.uses < 1:
            raise ConfigError(f"recipe '{recipe.name}': uses must be at least 1, not {recipe.uses}")
        super().__init__(recipe, Plan(occupied=torch.ones(1, recipe.uses, dtype=torch.bool)))
        self.register_buffer("occupied", self.plan.occupied, persistent=False)
        self.encoders = nn.ModuleList([nn.Linear(recipe.features, self.decoded)])

    @property
    def decoded(self) -> int:
        """Two real values a use."""
        return 2 * self.recipe.uses

    def modulate(self, features: Tensor) -> Tensor:
        """Features float32 [task, view, p] to symbols complex64 [tx, task, use] of mean power 1."""
        in_phase, quadrature = self.encoders[0](features[:, 0]).chunk(2, dim=-1)
        return normalize_power(torch.complex(in_phase, quadrature)[None], self.get_buffer("occupied"))

    def demodulate(self, symbols: Tensor) -> Tensor:
        """Received symbols complex64 [task, use] as features float32 [task, view, 2·use]."""
        return torch.cat([symbols.real, symbols.imag], dim=-1)[:, None]

    def encode(self, views: Tensor, csi: Tensor | None = None, generator: torch.Generator | None = None) -> Sent:
        """Views float32 [task, tx, C, H, W] in 0…1 to symbols complex64 [tx, task, use]; no CSI, nothing random."""
        return Sent(symbols=self.modulate(self.extract(views)))

    def decode(
        self, received: Mapping[str, Received], blocks: tuple[str, ...] = ("all",), side: Mapping[str, Tensor] | None = None
    ) -> Features:
        """Received symbols as features; a task with no valid use is marked erased.

        Raises:
            ShapeError: no receiver ``"rx"``, or another number of uses than the plan's.
        """
        one = self.got(received)
        return Features(features=self.demodulate(one.symbols.to(torch.complex64)), erased=~one.valid.any(1))

    def represent(self, features: Tensor, mode: GalleryMode) -> Tensor:
        """The normalised symbols without noise, whatever the gallery: the raw feature has another length."""
        return self.demodulate(self.modulate(features).sum(0))
