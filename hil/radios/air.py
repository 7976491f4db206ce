"""The simulated air: one medium that joins the simulated radios of a bench.

What a receiver hears is computed in fixed absolute blocks of its own samples, from transmissions, noise and oscillators that
are pure functions of (seed, name, sample index); received samples do not depend on how reads are chopped
(docs/decisions/0002). Amplitudes on the air are in √mW.

A transmission is rendered in segments of its own samples: oscillator, propagation and clock, carrier offset and fading; a
segment's samples are added to whichever blocks they fall into, and are exactly zero elsewhere.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from hil.channel.drift import DriftingFilter
from hil.channel.multipath import Path, frequency_response, rayleigh
from hil.channel.noise import BLOCK, Blocks, awgn
from hil.channel.oscillator import PhaseNoise, carrier
from hil.radios.airconfig import LinkConfig
from hil.units import db_to_amplitude, ppm

__all__ = ["GUARD", "Air", "Link", "Port", "Transmission", "link_paths"]

GUARD = 64
"""Air samples between what has been heard and the earliest new transmission: interpolation kernels reach 16 ahead."""
_SEGMENT = 16384
_DRIFT = 1e-3  # more than two clocks can differ


@dataclass(eq=False, kw_only=True)
class Port:
    """One channel of one radio, in one direction: name, oscillator and tuning.

    Attributes:
        name: of the channel.
        ppm: of the radio's oscillator, which carrier and sample clock follow.
        synthesiser: its phase noise.
        center_freq_hz: nominal carrier.
        phase: of the carrier since the last tune, rad.
        rate: nominal sample rate over the air's.
    """

    name: str
    ppm: float
    synthesiser: PhaseNoise
    center_freq_hz: float = 0.0
    phase: float = 0.0
    rate: float = 1.0

    @property
    def clock(self) -> float:
        """Its samples in the time of one of the air's."""
        return self.rate * (1 + ppm(self.ppm))


@dataclass(eq=False, kw_only=True)
class Transmission:
    """Samples sent, or being repeated, by one port.

    Attributes:
        port: the transmitter.
        start: first sample, on the transmitter's clock.
        samples: complex64 [n], √mW at the antenna, before the oscillator.
        end: first sample not sent; beyond start + n for a repeated buffer.
        center_freq_hz, phase, clock: of the port when it was sent.
    """

    port: Port
    start: int
    samples: Tensor
    end: int
    center_freq_hz: float
    phase: float
    clock: float
    rendered: dict[tuple[int, float, int, int], tuple[int, Tensor]] = field(default_factory=dict)

    def segment(self, begin: int, count: int) -> Tensor:
        """Samples [begin, begin + count) after the start, the buffer repeated as often as needed."""
        n = len(self.samples)
        if begin + count <= n:
            return self.samples[begin : begin + count]
        return self.samples[torch.arange(begin, begin + count) % n]


@dataclass(frozen=True, kw_only=True)
class Link:
    """Propagation from one transmit port to one receive port, as the air uses it."""

    name: str
    paths: tuple[Path, ...]
    fading_block: int
    sample_rate_hz: float
    filters: dict[tuple[float, float], DriftingFilter] = field(default_factory=dict, repr=False, compare=False)

    def between(self, tx_clock: float, rx_clock: float) -> DriftingFilter:
        """The link as it is for these two sample clocks (`Port.clock`)."""
        known = self.filters.get((tx_clock, rx_clock))
        if known is None:
            delays = np.array([path.delay_s for path in self.paths]) * self.sample_rate_hz * tx_clock
            gains = np.array([path.gain for path in self.paths], dtype=np.complex128)
            known = self.filters[tx_clock, rx_clock] = DriftingFilter(delays, gains, tx_clock / rx_clock)
        return known

    def power_gain(self, freqs_hz: Tensor | np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> float:
        """Mean |H|² over baseband frequencies (fading excluded: its mean is 1)."""
        return float(np.mean(np.abs(frequency_response(self.paths, np.asarray(freqs_hz, dtype=np.float64))) ** 2))


def link_paths(config: LinkConfig) -> tuple[Path, ...]:
    """The direct path and the further taps of a link, as absolute delays and amplitudes."""
    direct = db_to_amplitude(-config.path_loss_db)
    taps = tuple(
        Path(
            delay_s=config.delay_s + tap.delay_s,
            gain=direct * db_to_amplitude(tap.gain_db) * complex(*_unit(math.radians(tap.phase_deg))),
        )
        for tap in config.taps
    )
    return (Path(delay_s=config.delay_s, gain=complex(direct)), *taps)


def _unit(angle: float) -> tuple[float, float]:
    return math.cos(angle), math.sin(angle)


class Air:
    """The medium and its time.

    Args:
        sample_rate_hz: nominal, of all radios.
        seed: of everything random.
        history_s: how long after the fact a receiver may still read.
    """

    def __init__(self, *, sample_rate_hz: float, seed: int, history_s: float = 1.0) -> None:
        self.sample_rate_hz = sample_rate_hz
        self.seed = seed
        self.history = int(history_s * sample_rate_hz)
        self.heard = 0.0
        self.links: dict[tuple[Port, Port], Link] = {}
        self._sent: list[Transmission] = []
        self._version = 0
        self._noise: dict[Port, Blocks] = {}

    def connect(self, tx: Port, rx: Port, config: LinkConfig) -> None:
        """Lay a link from a transmit port to a receive port."""
        block = round(config.fading_block_s * self.sample_rate_hz) if config.fading == "rayleigh" else 0
        link = Link(
            name=f"{tx.name}>{rx.name}", paths=link_paths(config), fading_block=block, sample_rate_hz=self.sample_rate_hz
        )
        link.between(tx.clock, rx.clock)  # what is slow is done now
        self.links[tx, rx] = link

    def device_time(self, port_ppm: float, margin: int = 0) -> int:
        """First sample of a radio's clock that nobody has heard yet, `margin` air samples on."""
        return math.ceil((self.heard + margin) * (1 + ppm(port_ppm)) - 1e-6)

    def advance(self, port_ppm: float, position: int) -> None:
        """Note that everything before `position` of a radio's clock has been heard; forget what nobody can hear again."""
        self.heard = max(self.heard, position / (1 + ppm(port_ppm)))
        oldest = self.heard - self.history - 2 * BLOCK
        if self._sent and any(sent.end / sent.clock < oldest for sent in self._sent):
            self._sent = [sent for sent in self._sent if sent.end / sent.clock >= oldest]

    def send(self, transmission: Transmission) -> None:
        """Put a transmission on the air; it must not start before `device_time(ppm, GUARD)`."""
        self._sent.append(transmission)
        self._sent.sort(key=lambda sent: (sent.start, sent.port.name))
        self._version += 1

    def silence(self, port: Port) -> None:
        """End what a port is sending, and drop what it was to send."""
        now = self._now(port)
        for sent in self._sent:
            if sent.port is port and sent.end > now:
                sent.end = max(now, sent.start)
                self._version += 1
        self._sent = [sent for sent in self._sent if sent.end > sent.start]

    def _now(self, port: Port) -> int:
        """First sample of a port's clock that can still be taken back."""
        return math.ceil((self.heard + GUARD) * port.clock - 1e-6)

    def sending(self, port: Port) -> bool:
        """Whether a port has anything on the air after what can no longer be stopped."""
        now = self._now(port)
        return any(sent.port is port and sent.end > now for sent in self._sent)

    @property
    def version(self) -> int:
        """Changes whenever what is on the air changes."""
        return self._version

    def block(self, rx: Port, index: int, noise_power: float) -> Tensor:
        """What a receive port's antenna hears over block `index` of its clock, after its mixer: complex64 [BLOCK], √mW."""
        noise = self._noise.get(rx)
        if noise is None:
            noise = Blocks(lambda block: awgn(self.seed, f"{rx.name}/noise", block, noise_power), keep=2)
            self._noise[rx] = noise
        total = noise.block(index).clone()
        begin = index * BLOCK
        for sent in self._sent:
            link = self.links.get((sent.port, rx))
            if link is None or abs(sent.center_freq_hz - rx.center_freq_hz) >= self.sample_rate_hz:
                continue
            reach = link.between(sent.clock, rx.clock)
            first, last = sent.start + reach.first, sent.end + reach.last
            if last >= begin * (1 - _DRIFT) and first <= (begin + BLOCK) * (
                1 + _DRIFT
            ):  # else far away whatever the clocks are
                self._add(total, begin, sent, link, rx)
        phasor = rx.synthesiser.phasor(begin, BLOCK)
        return total if phasor is None else total * phasor.conj()

    def _add(self, total: Tensor, begin: int, sent: Transmission, link: Link, rx: Port) -> None:
        ratio, reach = sent.clock / rx.clock, link.between(sent.clock, rx.clock)
        size = _SEGMENT
        low = math.floor(begin * ratio) - reach.last - 2 - sent.start
        high = math.ceil((begin + BLOCK) * ratio) - reach.first + 2 - sent.start
        length = sent.end - sent.start
        for number in range(max(low // size, 0), min(high, length - 1) // size + 1):
            count = min(size, length - number * size)
            key = (id(rx), rx.clock, number, count)
            if key not in sent.rendered:
                for old in [old for old in sent.rendered if old[0] == id(rx) and old[2] < number - 4]:
                    del sent.rendered[old]
                sent.rendered[key] = self._render(sent, number * size, count, link, rx, ratio)
            start, samples = sent.rendered[key]
            inside = max(start, begin), min(start + len(samples), begin + BLOCK)
            if inside[0] < inside[1]:
                total[inside[0] - begin : inside[1] - begin] += samples[inside[0] - start : inside[1] - start]

    def _render(self, sent: Transmission, offset: int, count: int, link: Link, rx: Port, ratio: float) -> tuple[int, Tensor]:
        """One segment as the receiver's clock sees it: its first sample there, and complex64 [n]."""
        begin = sent.start + offset
        samples = sent.segment(offset, count)
        phasor = sent.port.synthesiser.phasor(begin, count)
        samples = samples.clone() if phasor is None else samples * phasor  # a fresh, aligned buffer: same bits every time
        propagation = link.between(sent.clock, rx.clock)
        start = math.ceil((begin + propagation.first) / ratio)
        n = math.floor((begin + count - 1 + propagation.last) / ratio) - start + 1
        out = propagation.apply(samples, n, start * ratio - begin)
        rate = self.sample_rate_hz * rx.clock
        offset_hz = sent.center_freq_hz * (1 + ppm(sent.port.ppm)) - rx.center_freq_hz * (1 + ppm(rx.ppm))
        phase = sent.phase - rx.phase
        if offset_hz:
            out = out * carrier(offset_hz, rate, start, len(out), phase)
        elif phase:
            out = out * complex(*_unit(phase))
        if link.fading_block:
            out = out * rayleigh(self.seed, link.name, start, len(out), link.fading_block)
        return start, out
