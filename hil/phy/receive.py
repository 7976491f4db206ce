"""Samples to `FrameReception`: one function, used live, in replay and in simulation."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hil.phy import header
from hil.phy.detect import estimate_cfo, find, peak_frequency
from hil.phy.detector import Detector, Found
from hil.phy.estimate import delay_projection, smooth_phasor, smoothing_window, unbiased_power
from hil.phy.frame import FrameFormat, Segment
from hil.phy.ofdm import demodulate, modulate
from hil.phy.reception import FrameReception, ReceiverConfig
from hil.phy.sounded import FrameBatch, SoundedFrames
from hil.phy.stream import Searcher, as_complex

__all__ = ["FrameReception", "Receiver", "ReceiverConfig", "StreamReceiver"]


class StreamReceiver:
    """Finds frames in a stream. Blocks of any size give the bits that `Receiver.receive` gives for all of it at once.

    Args:
        form: the frame format.
        config: what is known of the bench.
        fast: True: compiled kernels, False: plain torch, None: compiled if numba is installed.
        receiver: a receiver of the same format to share tables with.
        buffer: float32 storage to use again.
    """

    def __init__(
        self, form: FrameFormat, config: ReceiverConfig, *, fast: bool | None = None, receiver: Receiver | None = None,
        buffer: NDArray[np.float32] | None = None,
    ) -> None:  # fmt: skip
        self._receiver = receiver or Receiver(form, config, fast=fast)
        self._search = Searcher(form, self._receiver.detector, self._take, buffer)
        self._frames: list[FrameReception] = []
        self._batch: FrameBatch | None = None
        self._room = 1

    def push(self, samples: Tensor | NDArray[np.complex64]) -> Sequence[FrameReception]:
        """The frames that these samples complete; positions count from the first sample ever pushed.

        Args:
            samples: complex64 [n], 1.0 = full scale of the converter.

        Raises:
            ShapeError: not complex64 or not one-dimensional.
        """
        self._push(samples)
        return self._collect()

    def finish(self) -> Sequence[FrameReception]:
        """The stream ends here: the frames that were held back for what might have followed."""
        self._search.finish()
        return self._collect()

    @property
    def buffer(self) -> NDArray[np.float32]:
        """The storage in use."""
        return self._search.buffer

    def take_all(self, samples: Tensor | NDArray[np.complex64]) -> Sequence[FrameReception]:
        """All frames of a stream that starts and ends here; as `push` and `finish`."""
        self._push(samples)
        self._search.finish()
        return self._collect()

    def _push(self, samples: Tensor | NDArray[np.complex64]) -> None:
        self._room = samples.shape[0] // self._receiver.form.samples + 2 if samples.ndim else 1
        mixer = self._receiver.config.mixer
        if mixer is not None:
            tensor = samples if isinstance(samples, Tensor) else torch.from_numpy(samples)
            samples = mixer.correct(tensor) if tensor.is_complex() else tensor
        self._search.push(samples)

    def _collect(self) -> Sequence[FrameReception]:
        batch, frames = self._batch, self._frames
        self._batch, self._frames = None, []
        return batch if batch is not None else frames

    @torch.no_grad()
    def _take(self, samples: NDArray[np.float32], origin: int, found: Sequence[Found]) -> None:
        receiver = self._receiver
        if receiver.sounded is not None:
            if self._batch is None:
                self._batch = receiver.sounded.batch(self._room)
            receiver.sounded.receive(samples, origin, found, self._batch)
            return
        form = receiver.form
        for item in found:
            start = item.position - form.preamble_start
            window = as_complex(samples, start - origin, form.samples)
            self._frames.append(receiver.frame(window, start, item.cfo, item.metric))


class Receiver:
    """Finds frames of one format in windows of samples. Stateless: same samples in, same bits out.

    Args:
        form: the frame format.
        config: what is known of the bench.
        fast: True: compiled kernels, False: plain torch, None: compiled if numba is installed.
    """

    def __init__(self, form: FrameFormat, config: ReceiverConfig, *, fast: bool | None = None) -> None:
        self.form = form
        self.config = config
        self._buffer: NDArray[np.float32] | None = None
        self.detector = Detector(
            form.preamble_design,
            mode=config.mode,
            max_cfo=config.max_cfo_hz / config.sample_rate_hz,
            false_alarm=config.false_alarm,
            fast=fast,
        )
        self.sounded = SoundedFrames(form, config, fast=fast) if form.preamble_sounded else None
        self._carriers = torch.tensor(form.numerology.carriers, dtype=torch.float64)
        self._bins = list(form.numerology.bins)
        undo = torch.exp(2j * math.pi / form.numerology.fft_size * config.advance * self._carriers)
        self._undo_advance = undo.to(torch.complex64)
        self._projection = delay_projection(form.numerology, -config.taps_before, config.taps)

    @torch.no_grad()
    def receive(self, samples: Tensor) -> Sequence[FrameReception]:
        """All complete frames in a window, in order of time.

        Args:
            samples: complex64 [n], 1.0 = full scale of the converter.

        Raises:
            ShapeError: not complex64 or not one-dimensional.
        """
        stream = StreamReceiver(self.form, self.config, receiver=self, buffer=self._buffer)
        frames = stream.take_all(samples)
        self._buffer = stream.buffer
        return frames

    @torch.no_grad()
    def at(self, samples: Tensor, start: int) -> FrameReception | None:
        """The frame that is known to begin at a sample of a window, whether or not it can be found there; no CFO is searched.

        For the power of frames that were sent and lost, on a bench whose radios share a clock. None where the window is too
        short.

        Args:
            samples: complex64 [n].
            start: of the frame's first (silent) sample.
        """
        part = samples[max(start, 0) : start + self.form.samples]
        return self.frame(part, start, 0.0, math.nan) if start >= 0 and len(part) == self.form.samples else None

    def frame(self, samples: Tensor, start: int, cfo: float, metric: float) -> FrameReception:
        """Receive one frame, complex64 [form.samples], found at `start` with a CFO (cycles a sample) and a metric."""
        form, config = self.form, self.config
        silent = self._silent(samples)
        locked = config.max_cfo_hz == 0
        cfos = [0.0] * form.transmitters if locked else [self._slot_cfo(samples, tx, cfo) for tx in range(form.transmitters)]
        tracks = [self._track(samples, tx, value, silent) for tx, value in enumerate(cfos)]
        number, margin = self._header(tracks[0])
        tasks, uses = form.tasks, form.occupied.shape[1]
        symbols = torch.zeros((tasks, uses), dtype=torch.complex64)
        channel = torch.zeros((form.transmitters, tasks, uses), dtype=torch.complex64)
        noise_var = torch.zeros((tasks, uses))
        for segment in form.segments:
            cells, gains, noise = self._payload(samples, segment, tracks, silent)
            index = segment.cells
            symbols[:, segment.uses] = cells.flatten()[index].unflatten(0, (tasks, -1))
            noise_var[:, segment.uses] = noise.flatten()[index].unflatten(0, (tasks, -1))
            for tx, gain in zip(segment.transmitters, gains, strict=True):
                channel[tx][:, segment.uses] = gain.flatten()[index].unflatten(0, (tasks, -1))
        null = tracks[0].bins[: form.header_index][:, list(form.numerology.null_bins)]
        return FrameReception(
            number=number,
            start=start,
            metric=metric,
            header_margin=margin,
            cfo_hz=torch.tensor([track.cfo * config.sample_rate_hz for track in tracks], dtype=torch.float64),
            signal=torch.stack([track.signal for track in tracks]),
            noise=silent,
            null_noise=float(null.abs().square().mean()),
            response=torch.stack([track.response for track in tracks]),
            symbols=symbols,
            channel=channel,
            noise_var=noise_var,
            preamble_cfo_hz=cfo * config.sample_rate_hz,
            pilot_noise=_mean([track.pilot_noise for track in tracks]),
            clock_ppm=torch.tensor([track.clock_ppm for track in tracks], dtype=torch.float64),
            reference_cfo_hz=sum(track.mixed for track in tracks) / len(tracks) * config.sample_rate_hz,
        )

    def _silent(self, samples: Tensor) -> float:
        """Noise power a carrier in the silent symbol, on the active carriers; its edges are left out."""
        numerology = self.form.numerology
        first = numerology.cyclic_prefix // 2
        spectrum = torch.fft.fft(samples[first : first + numerology.fft_size], norm="ortho")
        return float(spectrum[self._bins].abs().square().mean())

    def _slot_cfo(self, samples: Tensor, tx: int, preamble_cfo: float) -> float:
        """CFO of a transmitter (cycles a sample): the preamble's for transmitter 0, else searched in its own slot."""
        if tx == 0:
            return preamble_cfo
        form, config = self.form, self.config
        length = form.config.sounding_symbols * form.numerology.symbol_samples
        template = modulate(form.sounding[tx], form.numerology)
        template = template / template.abs().square().mean().sqrt()
        reach = form.numerology.cyclic_prefix
        first = form.sounding_start + tx * length - reach
        window = samples[first : first + length + 2 * reach]
        limit = config.max_cfo_hz / config.sample_rate_hz
        found = find(window, template, max_cfo=limit, false_alarm=config.false_alarm)
        if not found:
            return preamble_cfo
        place = found[0].position
        return estimate_cfo(window[place : place + length], template, found[0].cfo)

    def _grid(self, samples: Tensor, cfo: float) -> Tensor:
        """All FFT bins of all symbols after the preamble, derotated by a CFO, complex64 [symbol, N]."""
        form = self.form
        body = samples[form.sounding_start :]
        if cfo:
            time = torch.arange(form.sounding_start, samples.shape[0], dtype=torch.float64)
            body = body * torch.exp(-2j * math.pi * cfo * time).to(torch.complex64)
        return demodulate(body, form.numerology, advance=self.config.advance)

    def _active(self, bins: Tensor, cfo: float) -> Tensor:
        """Active carriers of a grid, with window advance and sample-clock drift undone, complex64 [symbol, active]."""
        form, config = self.form, self.config
        grid = bins[:, self._bins] * self._undo_advance
        if not cfo:
            return grid
        drift = cfo * config.sample_rate_hz / config.center_freq_hz
        time = form.sounding_start + torch.arange(bins.shape[0], dtype=torch.float64) * form.numerology.symbol_samples
        angle = -2 * math.pi / form.numerology.fft_size * drift * time[:, None] * self._carriers[None, :]
        return grid * torch.exp(1j * angle).to(torch.complex64)

    def _track(self, samples: Tensor, tx: int, cfo: float, noise: float) -> _Track:
        """Channel of one transmitter at its sounding slot and its phase over all symbols."""
        form, config = self.form, self.config
        bins = self._grid(samples, cfo)
        grid = self._active(bins, cfo)
        slot = slice(tx * form.config.sounding_symbols, (tx + 1) * form.config.sounding_symbols)
        matched = grid[slot] * form.sounding[tx].conj()
        center = slot.start + (form.config.sounding_symbols - 1) / 2
        index = torch.arange(grid.shape[0], dtype=torch.float64) - center
        rate = 0.0
        if config.max_cfo_hz:
            rate = peak_frequency((matched @ self._projection).T.contiguous())
            matched = matched * _spin(-rate, index[slot])[:, None]
        response = matched.mean(0) @ self._projection
        strength = float(response.abs().square().mean())
        phase = torch.zeros(grid.shape[0], dtype=torch.float64)
        tilt = torch.zeros((grid.shape[0], grid.shape[1]), dtype=torch.float64)
        left, clock = [], 0.0
        for segment in form.segments:
            if tx not in segment.transmitters:
                continue
            rows = slice(form.payload_index + segment.first, form.payload_index + segment.first + segment.symbols)
            pilots = form.pilots_of(segment, tx)
            known = response[pilots] * form.pilot_symbols[segment.first : segment.first + segment.symbols][:, pilots]
            phasor = (grid[rows][:, pilots] * known.conj()).sum(1) * _spin(-rate, index[rows])
            phasor = phasor / known.abs().square().sum(1).mean()
            slope = 0.0
            if config.max_cfo_hz:
                slope = peak_frequency(phasor)
                phasor = phasor * _spin(-slope, index[rows])
            window = smoothing_window(noise / max(strength, 1e-30), len(pilots), config.phase_walk_rad2)
            residual = smooth_phasor(phasor, window).angle().double()
            phase[rows] = residual + 2 * math.pi * slope * index[rows]
            looks = grid[rows][:, pilots] * known.conj() * _spin(-rate, index[rows])[:, None]
            looks = looks * torch.exp(-1j * phase[rows]).to(torch.complex64)[:, None]
            if config.max_cfo_hz:
                clock = self._tilt(looks, known, index[rows], pilots, noise)
                tilt[rows] = clock * index[rows][:, None] * (self._carriers - self._carriers[pilots].mean())
                looks = looks * torch.exp(-1j * tilt[rows][:, pilots]).to(torch.complex64)
            strengths = known.abs().square()
            left.append(float(((looks - strengths).abs().square() / strengths.clamp_min(1e-30)).mean()))
        total = cfo + rate / form.numerology.symbol_samples
        return _Track(
            bins=bins, grid=grid, cfo=total, mixed=cfo, rate=rate, index=index, response=response,
            phase=phase, signal=unbiased_power(matched), tilt=tilt, pilot_noise=_mean(left),
            clock_ppm=1e6 * (clock * form.numerology.fft_size / (2 * math.pi * form.numerology.symbol_samples)
                             + cfo * config.sample_rate_hz / config.center_freq_hz),
        )  # fmt: skip

    def _tilt(self, looks: Tensor, known: Tensor, index: Tensor, pilots: list[int], noise: float) -> float:
        """Phase that the sample clock adds a carrier and symbol beyond what the CFO explains (rad), MAP.

        Args:
            looks: complex64 [symbol, pilot], pilots times conj(expected), common phase removed.
            known: complex64 [symbol, pilot], expected; index: float64 [symbol], time from the sounding slot, symbols.
            pilots: positions; noise: power a carrier.
        """
        numerology = self.form.numerology
        spread = 2 * math.pi * self.config.clock_left_ppm * 1e-6 * numerology.symbol_samples / numerology.fft_size
        if not spread:
            return 0.0
        lever = index[:, None] * (self._carriers[pilots] - self._carriers[pilots].mean())
        weight = float((known.abs().square() * lever.square()).sum()) + 0.5 * noise / spread**2
        return float((looks.imag * lever).sum()) / max(weight, 1e-30)

    def _header(self, track: _Track) -> tuple[int | None, float]:
        form = self.form
        rows = slice(form.header_index, form.payload_index)
        matched = track.grid[rows] * track.response.conj() * _spin(-track.rate, track.index[rows])[:, None]
        body = matched[:, list(form.numerology.data_positions)].flatten()
        return header.decode(body[: header.USES * form.config.header_repetitions])

    def _payload(
        self, samples: Tensor, segment: Segment, tracks: list[_Track], noise: float
    ) -> tuple[Tensor, list[Tensor], Tensor]:
        """Equalised data cells, each transmitter's relative channel and the noise variance, [symbol, data carrier] each."""
        form, config = self.form, self.config
        rows = slice(form.payload_index + segment.first, form.payload_index + segment.first + segment.symbols)
        data = list(form.numerology.data_positions)
        own = [tracks[tx] for tx in segment.transmitters]
        common = sum(track.mixed for track in own) / len(own)
        shared = all(track.mixed == common for track in own)
        grid = own[0].grid if shared else self._active(self._grid(samples, common), common)
        responses = []
        for track in own:
            rotation = _spin(track.rate, track.index[rows]) * torch.exp(1j * track.phase[rows]).to(torch.complex64)
            if not shared:
                time = form.sounding_start + (torch.arange(form.symbols) + 0.5) * form.numerology.symbol_samples
                rotation = rotation * _spin(track.mixed - common, time.double()[rows])
            tilt = torch.exp(1j * track.tilt[rows]).to(torch.complex64)
            responses.append(rotation[:, None] * tilt * track.response[None, :])
        if config.reference is not None:
            mean = torch.full_like(responses[0], config.reference)
        elif len(own) == 1 or config.aligned:
            mean = torch.stack(responses).mean(0)
        else:
            mean = torch.stack(responses).abs().square().mean().sqrt().to(torch.complex64).expand_as(responses[0])
        mean = mean[:, data]
        weight = mean.abs().square().clamp_min(1e-30)
        center = sum(track.cfo for track in own) / len(own) if len(own) > 1 else own[0].cfo
        offsets = [(track.cfo - center) * form.numerology.fft_size for track in own]
        leak = math.pi**2 / 3 * sum(e * e * float(t.response.abs().square().mean()) for e, t in zip(offsets, own, strict=True))
        cells = grid[rows][:, data] * mean.conj() / weight
        return cells, [response[:, data] * mean.conj() / weight for response in responses], (noise + leak) / weight


@dataclass(frozen=True, kw_only=True)
class _Track:
    """One transmitter through one frame.

    `mixed` (cycles a sample) was taken out of the grid; `rate` (cycles a symbol)
    and `phase` (rad, `tilt` more on each carrier) remain, counted from the middle of its sounding slot (`index`, symbols).
    """

    bins: Tensor
    grid: Tensor
    cfo: float
    mixed: float
    rate: float
    index: Tensor
    response: Tensor
    phase: Tensor
    tilt: Tensor
    pilot_noise: float
    clock_ppm: float
    signal: Tensor


def _mean(values: list[float]) -> float:
    known = [value for value in values if not math.isnan(value)]
    return sum(known) / len(known) if known else math.nan


def _spin(rate: float, steps: Tensor) -> Tensor:
    """exp(j 2π · rate · steps), complex64."""
    return torch.exp(2j * math.pi * rate * steps).to(torch.complex64)
