"""JSCC-AE for one transmitter, two orthogonal ones (OMA) and two superposed ones (NOMA).

Decoder k reads the uses that transmitter k occupies: its own in OMA, all of them in NOMA, where both decoders are fed the
same sum y = x₁ + x₂ + z.

Source: Jankowski et al., Sec. 2.3; Lo et al., Secs. III and IV-B.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from hil.errors import ConfigError, ShapeError
from hil.models.branches import BranchNetwork, GalleryMode
from hil.models.contract import Features, Plan, Received, Sent, normalize_power
from hil.models.jscc.autoencoder import JsccDecoder, JsccEncoder
from hil.models.recipe import Recipe

__all__ = ["JsccNetwork", "NomaJscc", "OmaJscc", "SingleJscc"]


class JsccNetwork(BranchNetwork):
    """Backbones, encoders and decoders for any map of occupied uses."""

    def __init__(self, recipe: Recipe, *, occupied: Tensor) -> None:
        super().__init__(recipe, Plan(occupied=occupied))
        self.register_buffer("occupied", occupied, persistent=False)
        uses = [int(count) for count in occupied.sum(1)]
        self.encoders = nn.ModuleList(JsccEncoder(features=recipe.features, uses=count) for count in uses)
        self.decoders = nn.ModuleList(JsccDecoder(features=recipe.features, uses=count) for count in uses)

    def modulate(self, features: Tensor) -> Tensor:
        """Features float32 [task, view, p] to symbols complex64 [tx, task, use] of mean power 1 on occupied uses."""
        occupied = self.get_buffer("occupied")
        tasks = features.shape[0]
        sent = torch.zeros(*occupied.shape[:1], tasks, occupied.shape[1], dtype=torch.complex64, device=features.device)
        rows = []
        for index, encoder in enumerate(self.encoders):
            rows.append(sent[index].masked_scatter(occupied[index].expand(tasks, -1), encoder(features[:, index])))
        return normalize_power(torch.stack(rows), occupied)

    def demodulate(self, symbols: Tensor) -> Tensor:
        """Received symbols complex64 [task, use] to features float32 [task, view, p]."""
        occupied = self.get_buffer("occupied")
        return torch.stack([decoder(symbols[:, occupied[index]]) for index, decoder in enumerate(self.decoders)], dim=1)

    def encode(self, views: Tensor, csi: Tensor | None = None, generator: torch.Generator | None = None) -> Sent:
        """Views float32 [task, tx, C, H, W] in 0…1 to symbols complex64 [tx, task, use]; no CSI, nothing random."""
        return Sent(symbols=self.modulate(self.extract(views)))

    def decode(
        self, received: Mapping[str, Received], blocks: tuple[str, ...] = ("all",), side: Mapping[str, Tensor] | None = None
    ) -> Features:
        """Received symbols to features [task, view, p]; a task with no valid use is marked erased.

        Raises:
            ShapeError: no receiver ``"rx"``, or another number of uses than the plan's.
        """
        if "rx" not in received:
            raise ShapeError(f"{self.card.name}: received must have the receiver 'rx', not {sorted(received)}.")
        one = received["rx"]
        if one.symbols.ndim != 2 or one.symbols.shape[1] != self.plan.uses:
            raise ShapeError(f"{self.card.name}: symbols must be [task, {self.plan.uses}], not {list(one.symbols.shape)}.")
        return Features(features=self.demodulate(one.symbols.to(torch.complex64)), erased=~one.valid.any(1))

    def represent(self, features: Tensor, mode: GalleryMode) -> Tensor:
        """Gallery features [image, view, p]: raw, or through the autoencoder with h = 1 and no noise.

        The image is in all branches, so NOMA superposes its two codewords (papers/README.md, "Gallery").
        """
        return features if mode == "raw" else self.demodulate(self.modulate(features).sum(0))


def _uses(recipe: Recipe, multiple: int) -> int:
    if recipe.uses < multiple or recipe.uses % multiple:
        raise ConfigError(f"recipe '{recipe.name}': uses must be a positive multiple of {multiple}, not {recipe.uses}")
    return recipe.uses


class SingleJscc(JsccNetwork):
    """Transmitter 0 alone on all q uses."""

    def __init__(self, recipe: Recipe) -> None:
        occupied = torch.ones(1, _uses(recipe, 1), dtype=torch.bool)
        super().__init__(recipe, occupied=occupied)


class OmaJscc(JsccNetwork):
    """Transmitter 0 on the first q/2 uses, transmitter 1 on the last q/2."""

    def __init__(self, recipe: Recipe) -> None:
        occupied = torch.zeros(2, _uses(recipe, 2), dtype=torch.bool)
        occupied[0, : recipe.uses // 2] = True
        occupied[1, recipe.uses // 2 :] = True
        super().__init__(recipe, occupied=occupied)


class NomaJscc(JsccNetwork):
    """Both transmitters on all q uses, superposed."""

    def __init__(self, recipe: Recipe) -> None:
        occupied = torch.ones(2, _uses(recipe, 1), dtype=torch.bool)
        super().__init__(recipe, occupied=occupied)
