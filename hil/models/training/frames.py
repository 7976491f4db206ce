"""A link that gradients pass through: tasks' symbols to frames, through a channel, and back to what a decoder gets.

Three channels, from the most detailed to the cheapest; each takes symbols [tx, task, use] and gives a `LinkOutput`:
`FrameLink` builds whole frames and sends their samples through `hil.channel.simulator`; `CarrierLink` multiplies the
frame's carriers by a response taken from a capture; `drawn_from_capture` applies the gains and noise that a capture's tasks
had. Detection, timing and the carrier's frequency are taken as known; everything else, the channel estimate included, is
computed from samples, inside the graph.
"""

from __future__ import annotations

import math
from copy import copy
from dataclasses import dataclass

import torch
from torch import Tensor

from hil.channel.awgn import complex_normal, superpose
from hil.channel.gaussian import complex_gaussian
from hil.channel.simulator import ChannelConfig, Simulator
from hil.errors import ShapeError
from hil.phy.estimate import delay_projection, smooth_phasor
from hil.phy.frame import FrameFormat, Segment
from hil.phy.ofdm import demodulate
from hil.phy.reception import FrameReception
from hil.phy.transmit import build_frame

__all__ = ["CarrierLink", "FrameLink", "LinkOutput", "drawn_from_capture"]


@dataclass(frozen=True, kw_only=True)
class LinkOutput:
    """What came out, in the units of `hil.phy.receive.FrameReception`.

    Attributes:
        symbols: complex64 [task, use], y/Ḡ.
        channel: complex64 [tx, task, use], G_k/Ḡ, zero where not sent.
        noise_var: float32 [task, use], noise power/|Ḡ|².
    """

    symbols: Tensor
    channel: Tensor
    noise_var: Tensor


def _check(symbols: Tensor, form: FrameFormat) -> None:
    expected = (form.transmitters, form.occupied.shape[1])
    if symbols.ndim != 3 or (symbols.shape[0], symbols.shape[2]) != expected or symbols.dtype != torch.complex64:
        raise ShapeError(
            f"Argument 'symbols' must be complex64 [tx = {expected[0]}, task, use = {expected[1]}], "
            f"not {symbols.dtype} {list(symbols.shape)}."
        )


def _equalise(grid: Tensor, own: Tensor, noise: float | Tensor, aligned: bool) -> tuple[Tensor, Tensor, Tensor]:
    """Cells by Ḡ: the owner's response, the mean of aligned ones, or for unaligned ones a scalar.

    Args:
        grid: complex64 [symbol, carrier].
        own: responses of those who send, complex64 [tx, symbol, carrier].
        noise: power a carrier.
        aligned: superposed transmitters share one response.

    Returns:
        y/Ḡ [symbol, carrier], G/Ḡ [tx, symbol, carrier], noise/|Ḡ|² [symbol, carrier].
    """
    shared = len(own) == 1 or aligned
    mean = own.mean(0) if shared else own.abs().square().mean().sqrt().to(own.dtype).expand_as(own[0])
    weight = mean.abs().square().clamp_min(1e-30)
    return grid * mean.conj() / weight, own * mean.conj() / weight, noise / weight


class _Gather:
    """Segments' cells back to tasks and uses."""

    def __init__(self, form: FrameFormat) -> None:
        self._form = form
        self._data = list(form.numerology.data_positions)
        tasks, (transmitters, uses) = form.tasks, form.occupied.shape
        self._symbols: list[tuple[Segment, Tensor, Tensor, Tensor]] = []
        self._shape = (transmitters, tasks, uses)

    def add(self, segment: Segment, cells: Tensor, gains: Tensor, noise: Tensor) -> None:
        """One segment's payload carriers, [symbol, active] and gains [tx of the segment, symbol, active]."""
        picked = [part[..., self._data].flatten(-2)[..., segment.cells] for part in (cells, gains, noise)]
        self._symbols.append((segment, picked[0], picked[1], picked[2]))

    def finish(self) -> LinkOutput:
        """All segments together."""
        transmitters, tasks, uses = self._shape
        symbols = torch.zeros((tasks, uses), dtype=torch.complex64)
        channel = torch.zeros((transmitters, tasks, uses), dtype=torch.complex64)
        noise_var = torch.zeros((tasks, uses))
        for segment, cells, gains, noise in self._symbols:
            columns = segment.uses
            symbols = symbols.index_copy(1, columns, cells.unflatten(0, (tasks, -1)))
            noise_var = noise_var.index_copy(1, columns, noise.unflatten(0, (tasks, -1)))
            for tx, gain in zip(segment.transmitters, gains, strict=True):
                row = channel[tx].index_copy(1, columns, gain.unflatten(0, (tasks, -1)))
                channel = channel.index_copy(0, torch.tensor([tx]), row[None])
        return LinkOutput(symbols=symbols, channel=channel, noise_var=noise_var)


def _frames(symbols: Tensor, tasks: int) -> list[Tensor]:
    """Tasks by frames, the last one padded with zeros."""
    short = -symbols.shape[1] % tasks
    return list(torch.nn.functional.pad(symbols, (0, 0, 0, short)).split(tasks, dim=1))


def _join(parts: list[LinkOutput], tasks: int) -> LinkOutput:
    return LinkOutput(
        symbols=torch.cat([part.symbols for part in parts])[:tasks],
        channel=torch.cat([part.channel for part in parts], dim=1)[:, :tasks],
        noise_var=torch.cat([part.noise_var for part in parts])[:tasks],
    )


class FrameLink:
    """Whole frames through simulated front ends and propagation, estimated and equalised from their samples.

    Args:
        form: the frames.
        channels: one a transmitter; what concerns the receiver (mixer, ADC) is taken from the first, their noise is refused.
        noise_power: thermal noise of a complex sample, in the units of the samples (full scale 1.0).
        seed: of that noise.
        aligned: superposed transmitters share one response.
        advance: samples by which FFT windows start early.
        taps_before, taps_after: delays of the channel model.
        smoothing: payload symbols (odd) over which a transmitter's pilot phase is averaged.

    Raises:
        ShapeError: not one channel a transmitter, or frames without sounding symbols.
    """

    def __init__(
        self,
        form: FrameFormat,
        channels: tuple[ChannelConfig, ...],
        *,
        noise_power: float,
        seed: int = 0,
        aligned: bool = False,
        advance: int = 4,
        taps_before: int = 4,
        taps_after: int = 11,
        smoothing: int = 5,
    ) -> None:
        if len(channels) != form.transmitters or any(channel.noise_power for channel in channels):
            raise ShapeError(
                f"Argument 'channels' must be {form.transmitters} configurations, one a transmitter, without noise of their "
                f"own, not {len(channels)}; give 'noise_power' for the receiver."
            )
        if form.config.sounding_symbols < 1:
            raise ShapeError("Argument 'form' must have sounding symbols for its transmitters' channels, not 0.")
        self.form, self.noise_power, self._seed = form, noise_power, seed
        self._aligned, self._advance, self._smoothing = aligned, advance, smoothing
        front = ("iq_gain_db", "iq_phase_deg", "dc_i", "dc_q", "adc_bits")
        default = ChannelConfig()
        off = {name: getattr(default, name) for name in front}
        self._paths = [Simulator(channel.model_copy(update=off), fast=False) for channel in channels]
        kept = {name: getattr(channels[0], name) for name in front}
        self._front = Simulator(ChannelConfig(sample_rate_hz=channels[0].sample_rate_hz, **kept), fast=False)
        self._cfo = sum(channel.cfo_hz / channel.sample_rate_hz for channel in channels) / len(channels)
        self._projection = delay_projection(form.numerology, -taps_before, taps_before + 1 + taps_after)
        carriers = torch.tensor(form.numerology.carriers, dtype=torch.float64)
        self._undo = torch.exp(2j * math.pi / form.numerology.fft_size * advance * carriers).to(torch.complex64)

    def with_noise(self, noise_power: float) -> FrameLink:
        """The same link with another noise power."""
        other = copy(self)
        other.noise_power = noise_power
        return other

    def __call__(self, symbols: Tensor, number: int = 0) -> LinkOutput:
        """Send tasks in as many frames as they need.

        Args:
            symbols: complex64 [tx, task, use], mean |x|² = 1.
            number: of the first frame; noise, oscillators and fading are a pure function of it.

        Raises:
            ShapeError: the symbols do not fit the format.
        """
        _check(symbols, self.form)
        frames = _frames(symbols, self.form.tasks)
        return _join([self._frame(part, number + index) for index, part in enumerate(frames)], symbols.shape[1])

    def samples(self, symbols: Tensor, number: int = 0) -> Tensor:
        """What the receiver's converter gives for one frame, complex64 [n]."""
        form = self.form
        sent = build_frame(symbols, number, form)
        start = number * form.samples
        heard = torch.stack([path.apply(waveform, start) for path, waveform in zip(self._paths, sent, strict=True)]).sum(0)
        if self.noise_power:
            heard = heard + torch.from_numpy(complex_gaussian(self._seed, "link", start, form.samples, self.noise_power))
        return self._front.apply(heard, start)

    def _frame(self, symbols: Tensor, number: int) -> LinkOutput:
        form = self.form
        samples = self.samples(symbols, number)
        if self._cfo:
            turns = torch.arange(form.samples, dtype=torch.float64) + number * form.samples
            samples = samples * torch.exp(-2j * math.pi * torch.remainder(self._cfo * turns, 1.0)).to(torch.complex64)
        bins = demodulate(samples[form.sounding_start :], form.numerology, advance=self._advance)
        grid = bins[:, list(form.numerology.bins)] * self._undo
        slot = form.config.sounding_symbols
        responses = []
        for tx in range(form.transmitters):
            matched = (grid[tx * slot : (tx + 1) * slot] * form.sounding[tx].conj()).mean(0)
            responses.append(matched @ self._projection)
        gather = _Gather(form)
        for segment in form.segments:
            rows = slice(form.payload_index + segment.first, form.payload_index + segment.first + segment.symbols)
            known = form.pilot_symbols[segment.first : segment.first + segment.symbols]
            own = []
            for tx in segment.transmitters:
                pilots = form.pilots_of(segment, tx)
                expected = responses[tx][pilots] * known[:, pilots]
                phasor = smooth_phasor((grid[rows][:, pilots] * expected.conj()).sum(1), self._smoothing)
                turn = phasor / phasor.abs().clamp_min(1e-30)
                own.append(turn[:, None] * responses[tx])
            gather.add(segment, *_equalise(grid[rows], torch.stack(own), self.noise_power, self._aligned))
        return gather.finish()


class CarrierLink:
    """A frame's carriers through a response taken from a capture: ideal OFDM, the capture's selectivity, noise and phase.

    Args:
        form: the frames.
        response: complex64 [tx, active carrier], for instance `FrameReception.response`.
        noise: noise power a carrier, for instance `FrameReception.noise`, in the same units.
        phase: float32 [tx, payload symbol], rad: a phase track, for instance of one captured frame; None = none.
        aligned: superposed transmitters share one response.

    Raises:
        ShapeError: response or phase do not fit the format.
    """

    def __init__(
        self, form: FrameFormat, response: Tensor, noise: float, *, phase: Tensor | None = None, aligned: bool = False
    ) -> None:
        expected = (form.transmitters, form.numerology.active)
        if tuple(response.shape) != expected:
            raise ShapeError(
                f"Argument 'response' must be complex [tx, active carrier] = {expected}, not {tuple(response.shape)}."
            )
        symbols = form.symbols - form.payload_index
        if phase is not None and tuple(phase.shape) != (form.transmitters, symbols):
            shape = (form.transmitters, symbols)
            raise ShapeError(f"Argument 'phase' must be [tx, payload symbol] = {shape}, not {tuple(phase.shape)}.")
        self.form, self._noise, self._aligned = form, noise, aligned
        self._response = response.to(torch.complex64)
        turn = torch.zeros(form.transmitters, symbols) if phase is None else phase.float()
        self._turn = torch.polar(torch.ones_like(turn), turn)

    @classmethod
    def from_reception(
        cls, form: FrameFormat, frame: FrameReception, *, sample_rate_hz: float, aligned: bool = False
    ) -> CarrierLink:
        """The link that a captured frame went through.

        Each transmitter has its response and the frame its noise; the phase of superposed transmitters runs with what
        remains of their carrier offsets once their mean was taken out.

        Args:
            form: the frames to send; as many transmitters and the same carriers as the captured one's.
            frame: what was received.
            sample_rate_hz: of the capture.
            aligned: superposed transmitters share one response.
        """
        rest = (frame.cfo_hz - frame.cfo_hz.mean()) / sample_rate_hz
        length, slot = form.numerology.symbol_samples, form.config.sounding_symbols
        payload = form.payload_index + torch.arange(form.symbols - form.payload_index)
        sounded = torch.arange(form.transmitters) * slot + (slot - 1) / 2
        if not slot:  # sounded by the preamble, in its middle
            sounded = torch.full((form.transmitters,), -form.config.preamble_samples / (2 * length))
        phase = 2 * math.pi * length * rest[:, None] * (payload[None, :] - sounded[:, None])
        return cls(form, frame.response, frame.noise, phase=phase, aligned=aligned)

    def __call__(self, symbols: Tensor, generator: torch.Generator | None = None) -> LinkOutput:
        """Send tasks, symbols complex64 [tx, task, use]; noise from `generator`.

        Raises:
            ShapeError: the symbols do not fit the format.
        """
        _check(symbols, self.form)
        parts = [self._frame(part, generator) for part in _frames(symbols, self.form.tasks)]
        return _join(parts, symbols.shape[1])

    def _frame(self, symbols: Tensor, generator: torch.Generator | None) -> LinkOutput:
        form, gather = self.form, _Gather(self.form)
        data = list(form.numerology.data_positions)
        for segment in form.segments:
            rows = slice(segment.first, segment.first + segment.symbols)
            known = form.pilot_symbols[rows][:, data].flatten()
            own = self._response[list(segment.transmitters), None, :] * self._turn[list(segment.transmitters), rows, None]
            total = math.sqrt(self._noise) * complex_normal(segment.symbols, form.numerology.active, generator=generator)
            for index, tx in enumerate(segment.transmitters):
                cells = known.index_copy(0, segment.cells, symbols[tx][:, segment.uses].flatten())
                sent = torch.zeros(segment.symbols, form.numerology.active, dtype=torch.complex64)
                sent = sent.index_copy(1, torch.tensor(data), cells.unflatten(0, (segment.symbols, len(data))))
                total = total + own[index] * sent
            gather.add(segment, *_equalise(total, own, self._noise, self._aligned))
        return gather.finish()


def drawn_from_capture(
    symbols: Tensor,
    channel: Tensor,
    noise_var: Tensor,
    generator: torch.Generator | None = None,
    *,
    rows: Tensor | None = None,
) -> LinkOutput:
    """Each task through the gains and the noise of a captured task, drawn at random.

    Args:
        symbols: complex64 [tx, task, use].
        channel: complex64 [tx, captured task, use], `Collection.channel`.
        noise_var: float32 [captured task, use], `Collection.noise_var`.
        generator: of the draw and the noise.
        rows: int64 [task], captured tasks that were drawn before.

    Raises:
        ShapeError: transmitters or uses differ.
    """
    shape = (channel.shape[0], channel.shape[2])
    if (symbols.shape[0], symbols.shape[2]) != shape or tuple(noise_var.shape) != tuple(channel.shape[1:]):
        raise ShapeError(
            "Arguments must be symbols [tx, task, use], channel [tx, captured task, use] and noise_var [captured task, use], "
            f"not {list(symbols.shape)}, {list(channel.shape)} and {list(noise_var.shape)}."
        )
    rows = torch.randint(channel.shape[1], (symbols.shape[1],), generator=generator) if rows is None else rows
    gains, noise = channel[:, rows], noise_var[rows]
    return LinkOutput(symbols=superpose(symbols, gains, noise, generator), channel=gains, noise_var=noise)
