"""Sound one link: frames with a known payload from one transmitter, and what one receiver makes of each.

A frame is built as a run's are (preamble, sounding symbols, header, payload), for one transmitter alone and sized for the
lowest SNR that a link can be brought to. Its payload is known, so that errors are seen on every cell.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hil.calibration.levels import Level
from hil.errors import RadioTimeoutError
from hil.phy.frame import FrameConfig, FrameFormat
from hil.phy.mixer import Mixer
from hil.phy.receive import FrameReception, Receiver, ReceiverConfig
from hil.phy.transmit import FrameBuilder
from hil.radios.burst import BurstReception
from hil.radios.scaling import from_int16
from hil.radios.session import Bench
from hil.units import db_to_amplitude

__all__ = [
    "LEAD_SAMPLES", "LOWEST_DB", "PAYLOAD_TASKS", "PAYLOAD_USES", "RENEWED_AFTER", "Keep", "LinkSounder", "Look",
    "sounding_format",
]  # fmt: skip

LOWEST_DB = -10.0
"""Frames are made for this SNR."""
LEAD_SAMPLES, TAIL_SAMPLES = 1000, 64
"""A frame begins 500 … 1000 samples into its window: seven looks or more at the noise ahead of it."""
PAYLOAD_TASKS, PAYLOAD_USES = 24, 48
GAP_SAMPLES = 512
"""Silence between the frames of a burst."""
GROUP = 12
"""Frames in a burst, at most: a burst takes some tenths of a second on a radio however short it is."""
_NEAR = 0.25
"""Share of a carrier offset by which it may change while its link is measured."""
_RINGS = 96
"""Samples after a frame in which its echoes and filters ring."""
RENEWED_AFTER = 2
"""Bursts in a row that bring nothing, after which streams are tied anew."""

Keep = Callable[[BurstReception, Sequence[tuple[int, "FrameReception | None"]]], None]
"""Told of every burst: what was received, and of each of its frames the number and what the receiver made of it."""


def sounding_format(frame: FrameConfig) -> FrameFormat:
    """The format of sounding frames.

    Args:
        frame: sized for the lowest SNR (preamble, sounding, header); how many tasks it carries is set here.
    """
    config = frame.model_copy(update={"tasks_per_frame": PAYLOAD_TASKS})
    return FrameFormat(config, torch.ones((1, PAYLOAD_USES), dtype=torch.bool))


@dataclass(frozen=True, kw_only=True)
class Look:
    """One frame of a burst, as the receiver heard it.

    Attributes:
        number: of the frame.
        level: at which it was sent.
        samples: complex64 [n], full scale 1, of the whole burst.
        start: device sample of the first one.
        due: index in `samples` at which the frame would begin without delay (`Heard.due`).
        whole: no transmitter said that a part of it was late or missing.
        clipped: samples at the converter's rails; missing: whether the reception is shorter than asked, or has a hole.
        frame: what was received; None: lost.
        payload: complex64 [task, use], what was sent.
        silence: float32 [look, active carrier], power ahead of the frame; none where it was lost.
        at_s: on a clock that goes on between bursts.
    """

    number: int
    level: Level
    samples: Tensor
    start: int
    due: int | None
    whole: bool
    clipped: int
    missing: bool
    frame: FrameReception | None
    payload: Tensor
    silence: Tensor
    at_s: float

    @property
    def late(self) -> float | None:
        """Samples by which the frame came later than without delay; None: not known."""
        return None if self.frame is None or self.due is None else float(self.frame.start - self.due)


class LinkSounder:
    """One link of an open bench.

    Args:
        bench: open; its gains are set, its delays followed.
        tx: transmitter.
        receiver: name of the receiver.
        frame: sized for the lowest SNR.
        config: how that receiver receives.
        keep: told of every burst.
        first_frame: number of the first frame.
        group: frames of a burst, at most; fewer where the bench limits bursts.
        advance: told of every frame, for whoever shows progress.
    """

    def __init__(
        self,
        bench: Bench,
        tx: int,
        receiver: str,
        frame: FrameConfig,
        config: ReceiverConfig,
        keep: Keep,
        *,
        first_frame: int = 0,
        group: int = GROUP,
        advance: Callable[[], None] = lambda: None,
    ) -> None:
        self.bench, self.tx, self.receiver_name = bench, tx, receiver
        self.form = sounding_format(frame)
        self.config = config
        self._search_hz = config.max_cfo_hz
        self.number = first_frame
        self.renewed = 0
        self.looks: list[Look] = []
        self._builder = FrameBuilder(self.form)
        self._receiver = Receiver(self.form, config)
        self._keep, self._advance = keep, advance
        self._level: Level | None = None
        self._full_scale = bench.full_scales[receiver]
        self._spacing = self.form.samples + GAP_SAMPLES
        longest = bench.config.limits.max_burst_s
        fits = group if longest is None else int(longest * bench.sample_rate_hz / self._spacing)
        self._group = max(1, min(group, fits))

    @property
    def level(self) -> Level:
        """At which it sends now."""
        if self._level is None:
            raise RuntimeError("no level was set")
        return self._level

    def set_level(self, level: Level) -> Level:
        """Set the transmit gain, and the digital back-off of what is sent from now on; with the gain that was read back."""
        applied = self.bench.set_tx_gain(self.tx, level.gain_db)
        self._level = Level(gain_db=applied, back_off_db=level.back_off_db)
        return self._level

    def correct(self, mixer: Mixer) -> None:
        """Take the receiver's DC offset and image off from now on."""
        self.config = self.config.model_copy(update={"mixer": mixer})
        self._receiver = Receiver(self.form, self.config)

    def expect(self, cfos_hz: Sequence[float]) -> None:
        """Search no further than around carrier offsets (Hz) that were heard, which is most of a receiver's work; [] is all.

        Where all radios share a clock no offset is searched in any case.
        """
        widest = max((abs(value) for value in cfos_hz), default=math.inf)
        margin = _NEAR * widest + self.bench.sample_rate_hz / self.form.config.preamble_samples
        self.config = self.config.model_copy(update={"max_cfo_hz": min(self._search_hz, widest + margin)})
        self._receiver = Receiver(self.form, self.config)

    def quiet(self, n: int) -> NDArray[np.complex64]:
        """What the receiver hears while nobody sends, complex64 [n], full scale 1, not corrected."""
        return from_int16(self.bench.listen(n).heard[self.receiver_name].samples, self._full_scale)

    def sound(self, count: int = 1, *, search: bool = False) -> list[Look]:
        """Send frames one after another.

        Args:
            count: how many.
            search: look for them up to 20 ms late.
        """
        made: list[Look] = []
        empty = 0
        while len(made) < count:
            got = self._looks(min(self._group, count - len(made)), search=search)
            made += got
            self.looks += got
            empty = 0 if any(look.frame is not None for look in got) else empty + 1
            if empty == RENEWED_AFTER and len(made) < count:
                self.bench.renew_streams()
                self.renewed, empty = self.renewed + 1, 0
            for _ in got:
                self._advance()
        return made

    def raw(self, waveform: NDArray[np.complex64]) -> BurstReception:
        """Send any waveform from this transmitter, and receive with a search."""
        rows = np.zeros((self.bench.transmitters, len(waveform)), np.complex64)
        rows[self.tx] = waveform
        return self.bench.burst(rows, lead=LEAD_SAMPLES, tail=TAIL_SAMPLES, search=True)

    def _burst(self, rows: NDArray[np.complex64], *, search: bool) -> BurstReception:
        """Once more where an answer did not come in time."""
        try:
            return self.bench.burst(rows, lead=LEAD_SAMPLES, tail=TAIL_SAMPLES, search=search)
        except RadioTimeoutError:
            return self.bench.burst(rows, lead=LEAD_SAMPLES, tail=TAIL_SAMPLES, search=search)

    def _looks(self, count: int, *, search: bool) -> list[Look]:
        """Frames one after another in one burst."""
        numbers = range(self.number, self.number + count)
        self.number += count
        payloads = {number: _payload(number) for number in numbers}
        waves = self._builder.build(torch.stack([payloads[number][None] for number in numbers]), list(numbers))[:, 0].numpy()
        rows = np.zeros((self.bench.transmitters, count * self._spacing - GAP_SAMPLES), np.complex64)
        for index in range(count):
            first = index * self._spacing
            rows[self.tx, first : first + self.form.samples] = waves[index] * db_to_amplitude(-self.level.back_off_db)
        got = self._burst(rows, search=search)
        heard = got.heard[self.receiver_name]
        samples = torch.from_numpy(np.ascontiguousarray(from_int16(heard.samples, self._full_scale)))
        found = {frame.number: frame for frame in self._receiver.receive(samples)} if got.whole else {}
        frames = {number: found.get(number % 65536) for number in numbers}
        self._keep(got, list(frames.items()))
        rails = (heard.samples <= 1 - self._full_scale) | (heard.samples >= self._full_scale - 1)
        common: dict[str, Any] = {
            "level": self.level,
            "samples": samples,
            "start": heard.start,
            "whole": got.whole,
            "clipped": int(rails.any(axis=1).sum()) if rails.size else 0,
            "missing": any(event.kind in ("overflow", "gap") for event in got.events),
            "at_s": time.monotonic() if self.bench.paced else heard.start / self.bench.sample_rate_hz,
        }
        return [
            Look(
                number=number,
                due=None if heard.due is None else heard.due + index * self._spacing,
                frame=frame,
                payload=payloads[number],
                silence=self._silence(samples, frame, first=index == 0),
                **common | {"at_s": common["at_s"] + index * self._spacing / self.bench.sample_rate_hz},
            )
            for index, (number, frame) in enumerate(frames.items())
        ]

    def _silence(self, samples: Tensor, frame: FrameReception | None, *, first: bool) -> Tensor:
        """Power on the active carriers ahead of a frame, float32 [look, active carrier].

        From the window's begin, or since the frame before it rang out, up to the end of the silent symbol.
        """
        numerology = self.form.numerology
        size = numerology.fft_size
        if frame is None:
            return torch.zeros((0, numerology.active))
        end = frame.start + self.form.preamble_start - numerology.cyclic_prefix // 2  # less what rings ahead of the preamble
        begin = 0 if first else frame.start - GAP_SAMPLES + _RINGS
        part = samples[end - max(0, end - begin) // size * size : end]
        if (mixer := self.config.known_mixer) is not None:
            part = mixer.correct(part)
        turn = -2j * math.pi * float(frame.cfo_hz[0]) / self.bench.sample_rate_hz
        part = part * torch.exp(turn * torch.arange(len(part)))  # its leakage falls on the unused carrier
        spectra = torch.fft.fft(part.unflatten(0, (-1, size)), norm="ortho")
        power: Tensor = spectra[:, list(numerology.bins)].abs().square()
        return power


def _payload(number: int) -> Tensor:
    """QPSK of frame `number`, complex64 [task, use]."""
    draw = torch.Generator().manual_seed(0xCA11B + number)
    quarter = torch.randint(0, 4, (PAYLOAD_TASKS, PAYLOAD_USES), generator=draw)
    points = torch.tensor([1 + 1j, 1 - 1j, -1 + 1j, -1 - 1j], dtype=torch.complex64) / 2**0.5
    return points[quarter]
