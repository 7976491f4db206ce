"""Retrieval features by bits that really go through the air: message, CRC-16, LDPC code of 802.11n, QPSK or 16-QAM.

Each task's message has a codeword of its own, of as many coded bits as its uses take, so that tasks fail one by one: the
standard's shortest codes, shortened to a few dozen bits and punctured (`hil.models.separate.matched`). A message ends to the
bit and what follows it does not matter, so no length is sent. How long one may be is known to both sides: the mean under the
learned density and three standard deviations. A longer one is not sent; its packet says so.

Source: Jankowski et al., Sec. 2.2, and Lo et al., Sec. IV-A, whose digital schemes stop at capacity.
"""

from __future__ import annotations

import binascii
import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hil.errors import ConfigError
from hil.models.contract import Features, Plan, Received, Sent
from hil.models.digital.schemes import CRC_BITS, DigitalNetwork
from hil.models.digital.tables import PRECISION
from hil.models.jscc.schemes import own_uses
from hil.models.recipe import Recipe
from hil.models.separate.matched import MatchedCode, matched_code
from hil.models.separate.packet import scrambler
from hil.models.separate.qam import check_modem, llrs, modulate

__all__ = ["FATES", "CodedDigital", "PairCoded", "SingleCoded"]

CONSTELLATIONS = {2: "QPSK", 4: "16-QAM"}
"""Bits a use: the one whose code needs least matching is taken."""
DEVIATIONS = 3.0
TERMINATION_BITS = 2
"""What the coder adds to a message at most."""
NO_MESSAGE = 0xFFFF
"""Added to the CRC where there is none."""
LARGEST_LLR = 1e4
SMALLEST_GAIN = 1e-6

FATES = {
    "received": "the message came through",
    "not_received": "a frame of it was lost",
    "codeword_errors": "the LDPC decoder did not settle",
    "wrong_crc": "all checks hold, and the CRC is wrong",
    "too_long": "the sender's message has more bits than a packet takes",
}
"""What may become of a message."""


@dataclass(frozen=True, kw_only=True)
class _Form:
    """How a message is sent: bits that it may have, coded bits a use, and the code."""

    room: int
    bits: int
    code: MatchedCode


class CodedDigital(DigitalNetwork):
    """The networks of `DigitalNetwork`, each transmitter with codewords of its own on uses of its own.

    Args:
        recipe: as for `DigitalNetwork`.
        occupied: bool [tx, use]; no use is shared.

    Raises:
        ConfigError: transmitters have different numbers of uses.
    """

    def __init__(self, recipe: Recipe, *, occupied: Tensor) -> None:
        super().__init__(recipe, occupied=occupied)
        self.plan = Plan(occupied=occupied, rx_csi="channel", normalisation="declared")

    def fit(self, shape: tuple[int, int, int], mean: Tensor) -> Self:
        """This scheme: what it needs beside its weights is looked for before anything is sent.

        Raises:
            DriverMissingError: commpy is missing.
        """
        check_modem()
        return self

    def form(self) -> _Form:
        """The packet that the tables ask for, the same for all transmitters.

        Raises:
            ConfigError: the uses of a task have no room for a message.
        """
        uses = int(self.plan.occupied[0].sum())
        wanted = _usual_bits(self.get_buffer("tables").cpu().numpy())
        found = []
        for bits in CONSTELLATIONS:
            try:
                found.append(_Form(room=wanted, bits=bits, code=matched_code(wanted + CRC_BITS, uses * bits)))
            except ConfigError:
                continue
        if not found:
            raise ConfigError(
                f"scheme '{self.card.name}': a message of {wanted} bits and CRC-16 must fit into {uses} uses of 16-QAM with an "
                "LDPC code; give the recipe more uses, or train digital-single or digital-pair with a larger rate_weight"
            )
        return min(found, key=lambda one: one.code.effort)

    def encode(self, views: Tensor, csi: Tensor | None = None, generator: torch.Generator | None = None) -> Sent:
        """Views float32 [task, tx, C, H, W] in 0…1 to QAM symbols complex64 [tx, task, use]; no CSI, nothing random.

        `side` has `bits` int64 [task, view] of each message, sent or too long.

        Raises:
            DriverMissingError: commpy is not installed.
            ConfigError: as `form` says.
        """
        form, side = self.form(), self.messages(views)
        symbols = np.zeros((self.plan.transmitters, len(views), self.plan.uses), np.complex64)
        for index, own in enumerate(self.plan.occupied.cpu().numpy()):
            packets = [_packed(*one, form.room) for one in zip(side["message"][:, index], side["bits"][:, index], strict=True)]
            information = np.stack(packets) ^ scrambler(form.code.information)
            symbols[index][:, own] = modulate(form.code.encode(information), form.bits)
        return Sent(symbols=torch.from_numpy(symbols).to(views.device), side={"bits": torch.from_numpy(side["bits"])})

    def decode(
        self, received: Mapping[str, Received], blocks: tuple[str, ...] = ("all",), side: Mapping[str, Tensor] | None = None
    ) -> Features:
        """Quantised latents float32 [task, view, element]; the density's mean, and erased, where a message was lost.

        As all transmitters of a task send at one rate, a message that one of them loses is a miss of the task.

        Raises:
            DriverMissingError: commpy is not installed.
        """
        messages, fates = self._opened(received)
        came = torch.from_numpy(fates == "received")
        latents, some = self._mean().repeat(len(messages), 1, 1), came.any(1)
        latents[some] = torch.where(came[some][..., None], self.latents(messages[some.numpy()]).cpu(), latents[some])
        return Features(features=latents.to(received["rx"].symbols.device), erased=~came.all(1).to(received["rx"].valid.device))

    def explain(self, sent: Sent, received: Mapping[str, Received]) -> dict[str, Any]:
        """What was sent and what became of the messages, for a row: see `hil.models.contract.Explains`."""
        form, bits = self.form(), (sent.side or {})["bits"].double()
        code = form.code
        fates = Counter(self._opened(received)[1].ravel().tolist())
        return {
            "codec": "learned latent",
            "choice": "fixed",
            "packets": [
                {
                    "name": f"{CONSTELLATIONS[form.bits]}, {code.information}/{code.sent}",
                    "code": [code.code.n, code.code.k],
                    "codewords": code.codewords,
                    "shortened_bits": code.shortened,
                    "punctured_bits": code.punctured,
                    "repeated_bits": code.repeated,
                    "uses": code.sent // form.bits,
                    "room_bits": form.room,
                    "crc_bits": CRC_BITS,
                }
            ],
            "message_bits": round(float(bits.mean()), 2),
            "fates": {fate: fates[fate] for fate in FATES},
        }

    def _mean(self) -> Tensor:
        """Mean of each latent under the tables, float32 [view, element]: what is known where nothing was received."""
        widths = self.get_buffer("tables").cpu().double().diff() / (1 << PRECISION)
        places = torch.arange(widths.shape[-1], dtype=torch.float64)
        return ((widths * places).sum(-1) + self.get_buffer("firsts").cpu()).float()

    def _opened(self, received: Mapping[str, Received]) -> tuple[NDArray[np.uint8], NDArray[np.str_]]:
        """Messages uint8 [task, view, byte], 0 where none came through; and what became of each, [task, view].

        Nothing is taken from a task that was not received whole.
        """
        one, form = self.got(received), self.form()
        tasks, views = len(one.symbols), self.plan.transmitters
        messages = np.zeros((tasks, views, -(-form.room // 8)), np.uint8)
        fates = np.full((tasks, views), "not_received", f"<U{max(map(len, FATES))}")
        rows = np.flatnonzero(one.valid.all(1).cpu().numpy())
        for view in range(views if len(rows) else 0):
            information, failed = form.code.decode(self._ratios(one, view, form.bits)[rows])
            opened = [_unpacked(bits, form.room) for bits in information ^ scrambler(form.code.information)]
            for row, (message, fate), errors in zip(rows, opened, failed, strict=True):
                messages[row, view] = message
                fates[row, view] = "codeword_errors" if fate == "wrong_crc" and errors else fate
        return messages, fates

    def _ratios(self, one: Received, view: int, bits: int) -> NDArray[np.float32]:
        """Log-likelihood ratios of a transmitter's uses, float32 [task, coded bit]."""
        own = self.plan.occupied[view].to(one.symbols.device)
        gain = torch.ones_like(one.symbols) if one.channel is None else one.channel[view]
        power = gain.abs().square().clamp_min(SMALLEST_GAIN)
        noise_var = torch.ones_like(power) if one.noise_var is None else one.noise_var
        symbols = (one.symbols * gain.conj() / power)[:, own].cpu().numpy()
        noise = (noise_var / power)[:, own].float().cpu().numpy()
        return llrs(symbols, noise, bits).clip(-LARGEST_LLR, LARGEST_LLR)


def _usual_bits(tables: NDArray[np.int32]) -> int:
    """Bits that few messages exceed: mean and `DEVIATIONS` standard deviations by tables [view, element, size + 1]."""
    share = np.diff(tables.astype(np.float64)) / (1 << PRECISION)
    own = -np.log2(share, out=np.zeros_like(share), where=share > 0)
    mean = (share * own).sum(-1)
    variance = (share * own**2).sum(-1) - mean**2
    most = float((mean.sum(-1) + DEVIATIONS * np.sqrt(variance.sum(-1))).max())
    return math.ceil(most) + TERMINATION_BITS


def _crc(bits: NDArray[np.uint8]) -> int:
    return binascii.crc_hqx(np.packbits(bits).tobytes(), 0xFFFF)


def _packed(message: NDArray[np.uint8], count: int, room: int) -> NDArray[np.uint8]:
    """A message's first bits, zeros behind them, and the CRC, uint8 [room + CRC_BITS]; zeros and the wrong CRC if too long."""
    body = np.zeros(room, np.uint8)
    if count <= room:
        body[:count] = np.unpackbits(message)[:count]
    crc = _crc(body) ^ (0 if count <= room else NO_MESSAGE)
    return np.concatenate([body, np.unpackbits(np.frombuffer(crc.to_bytes(CRC_BITS // 8, "big"), np.uint8))])


def _unpacked(bits: NDArray[np.uint8], room: int) -> tuple[NDArray[np.uint8], str]:
    """A packet's message, uint8 [byte], 0 if there is none; and its fate."""
    body, stated = bits[:room], int.from_bytes(np.packbits(bits[room:]).tobytes(), "big")
    message = np.packbits(body)
    if stated == _crc(body):
        return message, "received"
    none = not body.any() and stated == _crc(body) ^ NO_MESSAGE
    return np.zeros_like(message), "too_long" if none else "wrong_crc"


class SingleCoded(CodedDigital):
    """Transmitter 0 alone on all q uses."""

    def __init__(self, recipe: Recipe) -> None:
        super().__init__(recipe, occupied=torch.ones(1, recipe.uses, dtype=torch.bool))


class PairCoded(CodedDigital):
    """Two transmitters, or as many as the recipe has, taking turns: each on its own share of the q uses."""

    def __init__(self, recipe: Recipe) -> None:
        super().__init__(recipe, occupied=own_uses(recipe, recipe.transmitters))
