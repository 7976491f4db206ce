"""The JSCC network on retrieval features, for any number of transmitters and any map of occupied uses.

Decoder k reads the uses that branch k fills: its own in OMA, all of them in NOMA, where every decoder is fed the same sum
y = Σ h_k x_k + z.

Source: Jankowski et al., Sec. 2.3; Lo et al., Secs. III and IV-B, App. D.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import torch
from torch import Tensor, nn

from hil.models.branches import BranchNetwork, GalleryMode
from hil.models.contract import Features, Plan, Received, Sent, normalize_power
from hil.models.jscc.autoencoder import JsccDecoder, JsccEncoder
from hil.models.jscc.csi import Knowledge, link_gains, scaled_snr, state_length, state_of
from hil.models.recipe import Recipe

__all__ = ["JsccNetwork"]

FLOOR = 1e-12


class JsccNetwork(BranchNetwork):
    """Backbones, encoders and decoders.

    Args:
        recipe: sizes, seed and training SNR.
        filled: bool [branch, use], the uses that each branch's encoder fills and its decoder reads.
        together: all branches belong to one transmitter; else each to its own.
        knowledge: what the coders are told of the channel.
        derotate: the phase of the link's gain is taken out first, y·h*/|h|; for branches that share no use.
    """

    def __init__(
        self,
        recipe: Recipe,
        *,
        filled: Tensor,
        together: bool = False,
        knowledge: Knowledge = "none",
        derotate: bool = False,
    ) -> None:
        tx_csi: Literal["none", "snr"] = "snr" if knowledge == "snr" else "none"
        occupied = filled.any(0, keepdim=True) if together else filled
        super().__init__(recipe, Plan(occupied=occupied, tx_csi=tx_csi, rx_csi=knowledge), branches=len(filled))
        self.knowledge, self.derotate = knowledge, derotate
        self.register_buffer("filled", filled, persistent=False)
        heard = [[0] if together else [tx for tx in range(len(filled)) if bool((filled[tx] & own).any())] for own in filled]
        self.heard = heard
        uses = [int(count) for count in filled.sum(1)]
        told = 1 if knowledge == "snr" else 0
        self.encoders = nn.ModuleList(JsccEncoder(features=recipe.features, uses=count, csi=told) for count in uses)
        self.decoders = nn.ModuleList(
            JsccDecoder(features=recipe.features, uses=count, csi=state_length(knowledge, len(links)))
            for count, links in zip(uses, heard, strict=True)
        )

    def modulate(self, features: Tensor, snr_db: Tensor | None = None) -> Tensor:
        """Features float32 [task, branch, p] to symbols complex64 [tx, task, use] of mean power 1 on occupied uses.

        Args:
            features: of the branches.
            snr_db: of each link, float32 [task, tx], dB; None: as good as any that the network was trained for.
        """
        filled, tasks = self.get_buffer("filled"), features.shape[0]
        occupied = self.plan.occupied.to(features.device)
        if snr_db is None:
            snr_db = features.new_full((tasks, len(occupied)), self.recipe.snr_range.high)
        rows = []
        for index, encoder in enumerate(self.encoders):
            told = None
            if self.knowledge == "snr":
                told = scaled_snr(snr_db[:, min(index, len(occupied) - 1), None], self.recipe.snr_range)
            coded = encoder(features[:, index], told)
            rows.append(coded.new_zeros(tasks, filled.shape[1]).masked_scatter(filled[index].expand(tasks, -1), coded))
        sent = torch.stack(rows)
        return normalize_power(sent if len(sent) == len(occupied) else sent.sum(0, keepdim=True), occupied)

    def demodulate(self, received: Received) -> Tensor:
        """What a receiver got of tasks to features float32 [task, branch, p]."""
        filled, symbols = self.get_buffer("filled"), received.symbols
        decoded = []
        for index, decoder in enumerate(self.decoders):
            uses, links = filled[index], self.heard[index]
            own = symbols[:, uses]
            if self.derotate:
                gain = link_gains(received, links[0], uses)
                own = own * (gain.conj() / gain.abs().clamp_min(FLOOR))[:, None]
            told = state_of(received, self.knowledge, uses=uses, links=links, trained=self.recipe.snr_range)
            decoded.append(decoder(own, told))
        return torch.stack(decoded, dim=1)

    def encode(self, views: Tensor, csi: Tensor | None = None, generator: torch.Generator | None = None) -> Sent:
        """Views float32 [task, tx, C, H, W] in 0…1 to symbols complex64 [tx, task, use]; nothing random.

        Args:
            views: of the tasks.
            csi: SNR of each link, float32 [task, tx], dB, if the plan asks.
            generator: not used.
        """
        return Sent(symbols=self.modulate(self.extract(views), csi))

    def decode(
        self, received: Mapping[str, Received], blocks: tuple[str, ...] = ("all",), side: Mapping[str, Tensor] | None = None
    ) -> Features:
        """Received symbols to features [task, view, p]; a task with no valid use is marked erased.

        Raises:
            ShapeError: no receiver ``"rx"``, or another number of uses than the plan's.
        """
        one = self.got(received)
        return Features(features=self.by_view(self.demodulate(one)), erased=~one.valid.any(1))

    def represent(self, features: Tensor, mode: GalleryMode) -> Tensor:
        """Gallery features [image, view, p]: raw, or through the autoencoder with h = 1 and no noise.

        The image is in all branches, so NOMA superposes its codewords (papers/README.md, "Gallery").
        """
        if mode == "raw":
            return self.by_view(features)
        symbols = self.modulate(features).sum(0)
        clean = Received.for_plan(self.plan, symbols=symbols, noise_var=symbols.real.new_zeros(1, 1))
        return self.by_view(self.demodulate(clean))

    def by_view(self, features: Tensor) -> Tensor:
        """Features [task, branch, p] as [task, view, …]: those of branches that see one view, one after the other."""
        return features.reshape(len(features), self.plan.transmitters, -1)
