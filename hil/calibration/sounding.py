"""Sound one link: frames with a known payload from one transmitter, and what one receiver makes of each.

A frame is built as a run's are (preamble, sounding symbols, header, payload), for one transmitter alone and sized for the
lowest SNR that a link can be brought to. Its payload is known, so that errors are seen on every cell.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

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

__all__ = ["LEAD_SAMPLES", "PAYLOAD_TASKS", "PAYLOAD_USES", "Keep", "LinkSounder", "Look", "sounding_format"]

LEAD_SAMPLES, TAIL_SAMPLES = 1000, 64
"""A frame begins 500 … 1000 samples into its window: seven looks or more at the noise ahead of it."""
PAYLOAD_TASKS, PAYLOAD_USES = 24, 48
RENEWED_AFTER = 2
"""Bursts in a row that bring nothing, after which streams are tied anew."""

Keep = Callable[[BurstReception, int, "FrameReception | None"], None]
"""Told of every burst: what was received, the frame's number, and what the receiver made of it."""


def sounding_format(frame: FrameConfig) -> FrameFormat:
    """The format of sounding frames.

    Args:
        frame: sized for the lowest SNR (preamble, sounding, header); how many tasks it carries is set here.
    """
    config = frame.model_copy(update={"tasks_per_frame": PAYLOAD_TASKS})
    return FrameFormat(config, torch.ones((1, PAYLOAD_USES), dtype=torch.bool))


@dataclass(frozen=True, kw_only=True)
class Look:
    """One burst, as the receiver heard it.

    Attributes:
        number: of the frame.
        level: at which it was sent.
        samples: complex64 [n], full scale 1.
        start: device sample of the first one.
        due: index in `samples` at which the burst would begin without delay (`Heard.due`).
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
        advance: told of every burst, for whoever shows progress.
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
        advance: Callable[[], None] = lambda: None,
    ) -> None:
        self.bench, self.tx, self.receiver_name = bench, tx, receiver
        self.form = sounding_format(frame)
        self.config = config
        self.number = first_frame
        self.renewed = 0
        self.looks: list[Look] = []
        self._builder = FrameBuilder(self.form)
        self._receiver = Receiver(self.form, config)
        self._keep, self._advance = keep, advance
        self._level: Level | None = None
        self._full_scale = bench.full_scales[receiver]

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
        lost = 0
        for _ in range(count):
            made.append(self._look(search=search))
            self.looks.append(made[-1])
            lost = 0 if made[-1].frame is not None else lost + 1
            if lost == RENEWED_AFTER and count > RENEWED_AFTER:
                self.bench.renew_streams()
                self.renewed, lost = self.renewed + 1, 0
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

    def _look(self, *, search: bool) -> Look:
        number, self.number = self.number, self.number + 1
        payload = _payload(number)
        wave = self._builder.build(payload[None, None], [number])[0, 0].numpy() * db_to_amplitude(-self.level.back_off_db)
        rows = np.zeros((self.bench.transmitters, self.form.samples), np.complex64)
        rows[self.tx] = wave
        got = self._burst(rows, search=search)
        heard = got.heard[self.receiver_name]
        samples = torch.from_numpy(np.ascontiguousarray(from_int16(heard.samples, self._full_scale)))
        found = [one for one in self._receiver.receive(samples) if one.number == number % 65536] if got.whole else []
        frame = found[0] if found else None
        silence = torch.zeros((0, self.form.numerology.active))
        if frame is not None:
            silence = self._receiver.silence(samples, frame)
        self._keep(got, number, frame)
        rails = (heard.samples <= 1 - self._full_scale) | (heard.samples >= self._full_scale - 1)
        return Look(
            number=number,
            level=self.level,
            samples=samples,
            start=heard.start,
            due=heard.due,
            whole=got.whole,
            clipped=int(rails.any(axis=1).sum()) if rails.size else 0,
            missing=any(event.kind in ("overflow", "gap") for event in got.events),
            frame=frame,
            payload=payload,
            silence=silence,
            at_s=time.monotonic() if self.bench.paced else heard.start / self.bench.sample_rate_hz,
        )


def _payload(number: int) -> Tensor:
    """QPSK of frame `number`, complex64 [task, use]."""
    draw = torch.Generator().manual_seed(0xCA11B + number)
    quarter = torch.randint(0, 4, (PAYLOAD_TASKS, PAYLOAD_USES), generator=draw)
    points = torch.tensor([1 + 1j, 1 - 1j, -1 + 1j, -1 - 1j], dtype=torch.complex64) / 2**0.5
    return points[quarter]
