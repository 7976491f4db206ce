"""The digital schemes: feature -> latent -> integers -> bits, and a code that carries as many bits as capacity allows.

Kind ``bound``: no code of 64 uses reaches capacity. What is sent is a codeword of a Gaussian random codebook, drawn by the
message, so that power and spectrum are a code's; the receiver finds the SNR of every use, and the message comes beside the
air (`Sent.side`). A task whose message has more bits than its uses carried is an outage, and given up. At the fixed rate of
one network that is the cliff; the papers' curves are the envelope over many networks.

Source: Jankowski et al., Sec. 2.2; Lo et al., Secs. IV-A and V-A, App. C.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from hil.errors import ConfigError, ModelError
from hil.models.branches import BranchNetwork, GalleryMode
from hil.models.contract import Features, Plan, Received, Sent, normalize_power
from hil.models.digital.capacity import alone_bits, equal_rate_bits, minimum_snr_db
from hil.models.digital.coder import decode_messages, encode_message, longest_message
from hil.models.digital.density import SIZE, FactorizedDensity
from hil.models.digital.tables import table_bits
from hil.models.jscc.schemes import own_uses
from hil.models.recipe import Recipe

__all__ = ["CRC_BITS", "DigitalNetwork", "EitherPair", "EitherTurns", "PairDigital", "SingleDigital", "TurnsDigital"]

CRC_BITS = 16
"""What a packet adds to a message."""


class DigitalNetwork(BranchNetwork):
    """Backbones, one fully connected layer and one density a transmitter, for any map of occupied uses."""

    trained_at = "noiseless"

    def __init__(self, recipe: Recipe, *, occupied: Tensor) -> None:
        if not bool(occupied.any(1).all()):
            raise ConfigError(f"recipe '{recipe.name}': uses must be at least 1 a transmitter, not {recipe.uses} in all")
        super().__init__(recipe, Plan(occupied=occupied, rx_csi="channel"))
        self.register_buffer("occupied", occupied, persistent=False)
        views = len(occupied)
        self.encoders = nn.ModuleList(nn.Linear(recipe.features, self.decoded) for _ in range(views))
        self.densities = nn.ModuleList(FactorizedDensity(self.decoded) for _ in range(views))
        self.register_buffer("tables", torch.zeros(views, self.decoded, SIZE + 1, dtype=torch.int32))
        self.register_buffer("firsts", torch.zeros(views, self.decoded, dtype=torch.int32))
        self.settle()

    @property
    def decoded(self) -> int:
        """Elements of the latent vector."""
        return self.recipe.latent or self.recipe.features

    def settle(self) -> None:
        """Make the integer tables from the densities: from here on they are what encoder and decoder share."""
        for index, density in enumerate(self.densities):
            assert isinstance(density, FactorizedDensity)
            tables, first = density.tables()
            self.get_buffer("tables")[index] = torch.from_numpy(tables).to(self.get_buffer("tables"))
            self.get_buffer("firsts")[index] = torch.from_numpy(first).to(self.get_buffer("firsts"))

    def compress(self, features: Tensor) -> Tensor:
        """Features float32 [task, view, p] to latents float32 [task, view, element], not yet quantised."""
        return torch.stack([encoder(features[:, index]) for index, encoder in enumerate(self.encoders)], dim=1)

    def places(self, latents: Tensor) -> Tensor:
        """Latents to the nearest integers that their tables have, as places in them, int64 [task, view, element]."""
        present = self.get_buffer("tables").diff() > 0
        lowest = present.int().argmax(-1)
        highest = SIZE - 1 - present.flip(-1).int().argmax(-1)
        return (latents.round() - self.get_buffer("firsts")).clamp(lowest, highest).long()

    def integers(self, places: Tensor) -> Tensor:
        """Places in the tables to quantised latents, float32 [task, view, element]."""
        return (places + self.get_buffer("firsts")).float()

    def encode(self, views: Tensor, csi: Tensor | None = None, generator: torch.Generator | None = None) -> Sent:
        """Views float32 [task, tx, C, H, W] in 0…1 to codewords complex64 [tx, task, use]; no CSI, nothing random.

        `side` has `message` uint8 [task, view, byte], most significant bit first; `bits` int64 [task, view], how many of
        them count; and `entropy` float32 [task, view], what the tables say that it should be.
        """
        side = self.messages(views)
        symbols = torch.zeros(self.plan.transmitters, len(views), self.plan.uses, dtype=torch.complex64)
        for task, view in np.ndindex(*side["bits"].shape):
            data = side["message"][task, view, : (side["bits"][task, view] + 7) // 8]
            symbols[view, task] = _codeword(data.tobytes(), view, self.plan.uses)
        return Sent(
            symbols=normalize_power(symbols, self.plan.occupied.cpu()).to(views.device),
            side={name: torch.from_numpy(value).to(views.device) for name, value in side.items()},
        )

    def messages(self, views: Tensor) -> dict[str, NDArray[Any]]:
        """What is to be sent of views: `message`, `bits` and `entropy` as `encode` has them."""
        places = self.places(self.compress(self.extract(views))).cpu().numpy()
        tables = self.get_buffer("tables").cpu().numpy().astype(np.int64)
        tasks, transmitters = places.shape[:2]
        message = np.zeros((tasks, transmitters, longest_message(self.decoded)), np.uint8)
        bits, entropy = np.zeros((tasks, transmitters), np.int64), np.zeros((tasks, transmitters), np.float32)
        elements = np.arange(self.decoded)
        for index, own in enumerate(tables):
            entropy[:, index] = table_bits(own, places[:, index]).sum(-1)
            for task, place in enumerate(places[:, index]):
                starts = own[elements, place]
                data, count = encode_message(starts.tolist(), (own[elements, place + 1] - starts).tolist())
                message[task, index, : len(data)] = np.frombuffer(data, np.uint8)
                bits[task, index] = count
        return {"message": message, "bits": bits, "entropy": entropy}

    def latents(self, messages: NDArray[np.uint8]) -> Tensor:
        """Messages uint8 [task, view, byte] to quantised latents, float32 [task, view, element]."""
        tables = self.get_buffer("tables").cpu().numpy()
        places = [decode_messages(messages[:, index], own) for index, own in enumerate(tables)]
        return self.integers(torch.from_numpy(np.stack(places, axis=1)).to(self.get_buffer("firsts").device))

    def decode(
        self, received: Mapping[str, Received], blocks: tuple[str, ...] = ("all",), side: Mapping[str, Tensor] | None = None
    ) -> Features:
        """The quantised latents of the messages in `side`, float32 [task, view, element]; 0 of an outage, which is erased.

        NaN of a view that is given up alone (`decodable`).

        All transmitters send at one rate, so a message too long for it is an outage for all of them.

        Raises:
            ModelError: no side information, or no channel.
        """
        one = received.get("rx")
        if side is None or one is None or one.noise_var is None or one.channel is None:
            raise ModelError(f"{self.card.name} is a bound: decode needs encode's side information and the receiver 'rx'.")
        snr = one.channel.abs().square() / one.noise_var.clamp_min(1e-12) * one.valid
        given = self.decodable(snr.double(), side["bits"]) & one.valid.any(1)[:, None]
        outage = ~given.any(1)
        latents = self.latents(side["message"].cpu().numpy()).to(outage.device).masked_fill(~given[..., None], math.nan)
        return Features(features=latents.masked_fill(outage[:, None, None], 0.0), erased=outage)

    def decodable(self, snr: Tensor, bits: Tensor) -> Tensor:
        """Whose messages get through, bool [task, tx]: all of a task's, or none.

        Args:
            snr: float64 [tx, task, use], of each link, 0 of what was not received.
            bits: int64 [task, tx], of the messages.
        """
        return (bits.amax(1) <= equal_rate_bits(snr))[:, None].expand(-1, len(snr))

    def represent(self, features: Tensor, mode: GalleryMode) -> Tensor:
        """The quantised latents, whatever the gallery: the raw feature has another length."""
        return self.integers(self.places(self.compress(features)))

    def counted(self, side: Mapping[str, Tensor]) -> dict[str, float]:
        """Mean bits of a transmitter's message, counted three ways, and the least SNR that carries so many.

        Args:
            side: as `encode` gives it.
        """
        coded = float(side["bits"].double().mean())
        superposed = self.plan.transmitters if self.plan.superposed else 1
        uses = int(self.plan.occupied[0].sum())
        least = minimum_snr_db(coded, uses=uses, transmitters=superposed)
        return {
            "entropy": round(float(side["entropy"].double().mean()), 2),
            "coded": round(coded, 2),
            "with CRC-16": round(coded + CRC_BITS, 2),
            "minimum SNR, dB": round(least, 2) if math.isfinite(least) else least,
        }


def _codeword(message: bytes, transmitter: int, uses: int) -> Tensor:
    """A message's word in a transmitter's random codebook, complex64 [use], CN(0, 1)."""
    digest = hashlib.sha256(f"{transmitter}/".encode() + message).digest()
    generator = torch.Generator().manual_seed(int.from_bytes(digest[:7], "big"))
    return torch.randn(uses, dtype=torch.complex64, generator=generator)


class SingleDigital(DigitalNetwork):
    """Transmitter 0 alone on all q uses."""

    def __init__(self, recipe: Recipe) -> None:
        super().__init__(recipe, occupied=torch.ones(1, recipe.uses, dtype=torch.bool))


class PairDigital(DigitalNetwork):
    """Two transmitters, or as many as the recipe has, on all q uses, superposed, at equal rates."""

    def __init__(self, recipe: Recipe) -> None:
        super().__init__(recipe, occupied=torch.ones(recipe.transmitters, recipe.uses, dtype=torch.bool))


class TurnsDigital(DigitalNetwork):
    """The same transmitters, taking turns: each on its own share of the q uses, at equal rates."""

    def __init__(self, recipe: Recipe) -> None:
        super().__init__(recipe, occupied=own_uses(recipe, recipe.transmitters))


class EitherPair(PairDigital):
    """As `PairDigital`; of a pair in outage, a view whose message decodes with the others as noise still answers."""

    gives_up_views = True

    def decodable(self, snr: Tensor, bits: Tensor) -> Tensor:
        """All of a task's; else those that get the task's rate, the longest message's, through alone."""
        return super().decodable(snr, bits) | (bits.amax(1)[:, None] <= alone_bits(snr))


class EitherTurns(TurnsDigital):
    """As `TurnsDigital`; of a pair in outage, a view whose own uses carried its message still answers."""

    gives_up_views = True

    def decodable(self, snr: Tensor, bits: Tensor) -> Tensor:
        """As `EitherPair`: in turns there are no others."""
        return super().decodable(snr, bits) | (bits.amax(1)[:, None] <= alone_bits(snr))
