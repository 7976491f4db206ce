"""Separate source and channel coding of images, in the air: codec, CRC, LDPC code of 802.11n, interleaving, QAM.

What sender and receiver know beforehand is the images' size and the training images' mean, which stands in for an image that
did not come through. Such a task is given up all the same: an error wherever something is recognised in it.

Source: Sun et al., Deep JSCC with Semantic Importance, Sec. V (JPEG, WebP or BPG, LDPC (1944, 1458), 16-QAM).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hil.config import validate
from hil.errors import ConfigError, ModelError
from hil.models.card import Card
from hil.models.contract import Images, Plan, Received, Sent
from hil.models.separate.codecs import CODECS, budgeted, decoded
from hil.models.separate.ideal import IdealPacket, ideal_for_bytes, ideal_for_uses
from hil.models.separate.mcs import Mcs, best_mcs
from hil.models.separate.options import DEFAULT_USES, DigitalOptions
from hil.models.separate.packet import Packet, packet_for_bytes, packet_for_uses
from hil.models.separate.qam import check_modem, llrs, modulate

__all__ = ["FATES", "DigitalAvif", "DigitalBpg", "DigitalHeif", "DigitalImages", "DigitalJpeg", "DigitalWebp"]

INDEX_USES = 16
"""Ahead of an adapted packet: its index, as a word of a Hadamard code."""
LARGEST_LLR = 1e4
SMALLEST_GAIN = 1e-6

FATES = {
    "received": "the image came through",
    "not_received": "a frame of it was lost",
    "wrong_index": "no packet of the index that was read",
    "below_threshold": "the SNR is below the one that an ideal code needs",
    "codeword_errors": "the LDPC decoder did not settle",
    "wrong_crc": "all checks hold, and the CRC is wrong",
    "too_complex": "the sender's codec found no quality that fits",
    "damaged_stream": "the codec cannot read the stream",
}
"""What may become of a task."""


@dataclass(frozen=True, kw_only=True)
class _Task:
    """What a receiver made of a task: its fate, and its pixels uint8 [H, W, 3] if it came through."""

    fate: str
    pixels: NDArray[np.uint8] | None = None


class DigitalImages:
    """One transmitter; a source codec at the byte budget that the channel code, or an ideal one, leaves.

    Args:
        codec: name in `hil.models.separate.codecs.CODECS`.
        name: of the scheme.
        options: `DigitalOptions`, as words.

    Raises:
        ConfigError: an option is unknown, or none of its values; or a packet has no room.
    """

    codec: str = ""

    def __init__(self, options: Mapping[str, str] | None = None) -> None:
        self.options = validate(DigitalOptions, dict(options or {}), f"options of digital-{self.codec}")
        self.card = Card(
            name=f"digital-{self.codec}",
            paper=PAPER,
            section="V",
            outputs="images",
            conceals=True,
            kind="bound" if self._ideal else "measured",
        )
        shape = (3, *self._usual_size)
        self._bind(shape, torch.tensor(0.5).expand(shape))

    def _bind(self, shape: tuple[int, int, int], mean: Tensor) -> None:
        self._shape, self._mean = shape, mean
        self._packets = self._formed()
        uses = max(packet.uses for packet in self._packets.values()) + self._ahead
        self.plan = Plan(
            occupied=torch.ones(1, uses, dtype=torch.bool),
            tx_csi="snr" if self.options.adapted else "none",
            rx_csi="channel",
            normalisation="declared",
        )

    def fit(self, shape: tuple[int, int, int], mean: Tensor) -> DigitalImages:
        """The same scheme for images of a size: see `hil.models.contract.Fits`.

        Raises:
            DriverMissingError: its codec, or commpy, is missing.
        """
        CODECS[self.codec].check()
        check_modem()
        made = type(self)(self.options.model_dump(exclude_none=True))
        made._bind(shape, mean)
        return made

    @property
    def _usual_size(self) -> tuple[int, int]:
        """Of images that it was not fitted to yet: 32×32, or larger ones where `bpp` leaves no byte of these."""
        bpp = self.options.bpp
        side = 32 if bpp is None or bpp * 32**2 >= 8 else math.ceil(math.sqrt(8 / bpp)) + 1
        return side, side

    @property
    def _ahead(self) -> int:
        return INDEX_USES if self.options.adapted else 0

    @property
    def _ideal(self) -> bool:
        return self.options.code == "ideal"

    def _formed(self) -> dict[int, Packet | IdealPacket]:
        """The packet of each index that may be sent; of several, those that have room, all filling the uses."""
        found: dict[int, Packet | IdealPacket] = {}
        for index, one in self.options.choices.items():
            try:
                found[index] = self._packet(one)
            except ConfigError as err:
                if self.options.adapted is None or (index == max(self.options.choices) and not found):
                    raise ConfigError(f"{self.card.name}: {self._asked}: {err}") from err
        return found

    @property
    def _asked(self) -> str:
        """The option that says how large a packet is, and the way out where it leaves none."""
        if self.options.bpp is not None:
            height, width = self._shape[1:]
            least = math.ceil(8e4 / (height * width)) / 1e4
            return f"bpp = {self.options.bpp:g} leaves no byte of {height}×{width}, give {least:g} or more"
        ahead = f", {self._ahead} of them for the index," if self._ahead else ""
        return f"uses = {self.options.uses or DEFAULT_USES}{ahead} are too few, give more"

    def _packet(self, mcs: Mcs) -> Packet | IdealPacket:
        own = self.options
        if own.bpp is not None:
            room = int(own.bpp * self._shape[1] * self._shape[2] / 8)
            return ideal_for_bytes(mcs, room) if self._ideal else packet_for_bytes(mcs, room, interleaved=own.interleave)
        uses = (own.uses or DEFAULT_USES) - self._ahead
        if self._ideal:
            return ideal_for_uses(mcs, uses)
        made = packet_for_uses(mcs, uses, interleaved=own.interleave)
        return replace(made, uses=uses) if own.adapted else made

    def encode(self, views: Tensor, csi: Tensor | None = None, generator: torch.Generator | None = None) -> Sent:
        """Images float32 [task, 1, C, H, W] in 0…1 to symbols complex64 [1, task, use]; `csi` float32 [task, 1] if adapted.

        `side` has what was sent of each task, int64 [task]: `stream_bytes` (0: too complex for the budget), and `mcs`; of an
        ideal code also `stream`, uint8 [task, byte].

        Raises:
            DriverMissingError: the codec, or commpy, is not installed.
            ConfigError: images of another size than the scheme was fitted to.
        """
        if tuple(views.shape[2:]) != self._shape and self.options.bpp is not None:
            raise ConfigError(f"bpp was fitted to images {list(self._shape)}, not {list(views.shape[2:])}")
        pixels = (views[:, 0].clamp(0, 1) * 255).round().to(torch.uint8).expand(-1, 3, -1, -1).permute(0, 2, 3, 1).cpu().numpy()
        index = self._indices(len(views), csi)
        symbols = np.zeros((1, len(views), self.plan.uses), np.complex64)
        lengths = np.zeros(len(views), np.int64)
        kept = np.zeros((len(views), max(packet.room for packet in self._packets.values()) if self._ideal else 0), np.uint8)
        for own, packet in self._packets.items():
            rows = np.flatnonzero(index == own)
            if not len(rows):
                continue
            streams = [budgeted(self.codec, pixels[row], packet.room, headers=self._whole) for row in rows]
            lengths[rows] = [len(stream) for stream in streams]
            for row, stream in zip(rows if self._ideal else (), streams, strict=False):
                kept[row, : len(stream)] = np.frombuffer(stream, np.uint8)
            symbols[0, rows, self._ahead :] = modulate(packet.coded(streams), packet.mcs.bits)
            if self._ahead:
                symbols[0, rows, : self._ahead] = _WORDS[own]
        side = {"stream_bytes": torch.from_numpy(lengths), "mcs": torch.from_numpy(index)}
        side |= {"stream": torch.from_numpy(kept)} if self._ideal else {}
        return Sent(symbols=torch.from_numpy(symbols), side=side)

    @property
    def _whole(self) -> bool:
        return self.options.headers == "sent"

    def _indices(self, tasks: int, csi: Tensor | None) -> NDArray[np.int64]:
        if self.options.adapted is None:
            return np.full(tasks, self.options.index)
        if csi is None:
            raise ConfigError(f"{self.card.name} with mcs = {self.options.mcs} must be told the SNR: encode(views, csi)")
        thresholds_db = {index: packet.threshold_db for index, packet in self._packets.items()}
        return np.array([best_mcs(float(value), thresholds_db) for value in csi[:, 0]], np.int64)

    def decode(
        self, received: Mapping[str, Received], blocks: tuple[str, ...] = ("all",), side: Mapping[str, Tensor] | None = None
    ) -> Images:
        """Images float32 [task, 1, C, H, W]; the mean image, and erased, where none came through.

        Raises:
            DriverMissingError: the codec, or commpy, is not installed.
            ModelError: an ideal code needs encode's side information.
        """
        tasks = self._opened(received, side)
        images = self._mean.float().clamp(0, 1).repeat(len(tasks), 1, 1, 1, 1)
        for row, task in enumerate(tasks):
            if task.pixels is not None:
                image = torch.from_numpy(np.array(task.pixels)).permute(2, 0, 1).float() / 255
                images[row, 0] = image if self._shape[0] == 3 else image.mean(0, keepdim=True)
        return Images(images=images, erased=torch.tensor([task.pixels is None for task in tasks]))

    def explain(self, sent: Sent, received: Mapping[str, Received]) -> dict[str, Any]:
        """What was sent and what became of it, for a row of the results: see `hil.models.contract.Explains`."""
        side = sent.side or {}
        index, lengths = side["mcs"].numpy(), side["stream_bytes"].numpy()
        packets = {int(own): self._packets[int(own)] for own in np.unique(index)}
        room = np.array([packets[int(own)].room for own in index])
        fates = Counter(task.fate for task in self._opened(received, side))
        pixels = self._shape[1] * self._shape[2]
        return {
            "codec": self.codec,
            "choice": {"adapt": "adapted", "hybrid": "hybrid", None: "fixed"}[self.options.adapted],
            "table": self.options.table,
            "code": self.options.code,
            "headers": self.options.headers,
            "interleaved": self.options.interleave,
            "packets": [_described(own, packet) for own, packet in packets.items()],
            "stream_bytes": round(float(lengths.mean()), 2),
            "padding_bytes": round(float((room - lengths).mean()), 2),
            "bits_per_pixel": round(float(8 * lengths.mean() / pixels), 4),
            "fates": {fate: fates[fate] for fate in FATES},
        }

    def _opened(self, received: Mapping[str, Received], side: Mapping[str, Tensor] | None) -> list[_Task]:
        """What became of each task; nothing is taken from a task that was not received whole."""
        one = received[self.plan.receivers[0]]
        gain = torch.ones_like(one.symbols) if one.channel is None else one.channel[0]
        power = gain.abs().square().clamp_min(SMALLEST_GAIN)
        noise_var = torch.ones(1) if one.noise_var is None else one.noise_var
        symbols = (one.symbols * gain.conj() / power).cpu().numpy()
        noise = (noise_var / power).expand(symbols.shape).float().cpu().numpy()
        told = side["mcs"].cpu().numpy() if self._ideal and side is not None else self._read(symbols, noise)
        index = np.where(one.valid.all(1).cpu().numpy(), told, -1)
        tasks = [_Task(fate="not_received" if place < 0 else "wrong_index") for place in index]
        for own, packet in self._packets.items():
            rows = np.flatnonzero(index == own)
            if isinstance(packet, IdealPacket):
                for row, carried in zip(rows, packet.carried(noise[rows, self._ahead :]), strict=True):
                    tasks[row] = self._ideal_task(row, carried, side)
            elif len(rows):
                ratios = llrs(symbols[rows, self._ahead :], noise[rows, self._ahead :], packet.mcs.bits)
                streams, failed = packet.streams(ratios.clip(-LARGEST_LLR, LARGEST_LLR))
                for row, stream, errors in zip(rows, streams, failed, strict=True):
                    tasks[row] = self._task(stream, int(errors))
        return tasks

    def _read(self, symbols: NDArray[np.complex64], noise: NDArray[np.float32]) -> NDArray[np.int64]:
        """Index of the packet of each task: the word that the first uses are most like."""
        if not self._ahead:
            return np.full(len(symbols), next(iter(self._packets)))
        ahead = symbols[:, : self._ahead].real / np.maximum(noise[:, : self._ahead], 1e-9)
        return np.asarray(np.argmax(ahead @ _WORDS.T, axis=1))

    def _ideal_task(self, row: int, carried: bool, side: Mapping[str, Tensor] | None) -> _Task:
        if side is None or "stream" not in side:
            raise ModelError(f"{self.card.name} with code = ideal is a bound: decode needs encode's side information")
        stream = side["stream"][row, : int(side["stream_bytes"][row])].cpu().numpy().tobytes()
        return self._task(stream, 0) if carried else _Task(fate="below_threshold")

    def _task(self, stream: bytes | None, errors: int) -> _Task:
        if stream is None:
            return _Task(fate="codeword_errors" if errors else "wrong_crc")
        if not stream:
            return _Task(fate="too_complex")
        pixels = decoded(self.codec, stream, *self._shape[1:], self._whole)
        return _Task(fate="damaged_stream") if pixels is None else _Task(fate="received", pixels=pixels)


def _described(index: int, packet: Packet | IdealPacket) -> dict[str, Any]:
    known: dict[str, Any] = {"mcs": index, "name": packet.mcs.name, "uses": packet.uses, "room_bytes": packet.room}
    known["threshold_db"] = round(packet.threshold_db, 2)
    if isinstance(packet, IdealPacket):
        return known
    code, matched = packet.code, packet.matched
    return known | {
        "code": [code.n, code.k],
        "codewords": matched.codewords,
        "shortened_bits": matched.shortened,
        "punctured_bits": matched.punctured,
        "repeated_bits": matched.repeated,
    }


def _hadamard(order: int) -> NDArray[np.float32]:
    place = np.arange(order)
    ones: Sequence[Any] = [[bin(int(row) & int(column)).count("1") % 2 for column in place] for row in place]
    return (1 - 2 * np.array(ones)).astype(np.float32)


_WORDS = _hadamard(INDEX_USES)

PAPER = "Sun et al., Deep Joint Source-Channel Coding with Semantic Importance"


class DigitalJpeg(DigitalImages):
    """JPEG."""

    codec = "jpeg"


class DigitalWebp(DigitalImages):
    """WebP."""

    codec = "webp"


class DigitalHeif(DigitalImages):
    """HEIF: HEVC intra pictures, BPG's stand-in."""

    codec = "heif"


class DigitalAvif(DigitalImages):
    """AVIF."""

    codec = "avif"


class DigitalBpg(DigitalImages):
    """BPG, by a user's own programs."""

    codec = "bpg"
