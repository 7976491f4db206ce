"""Samples to `FrameReception`: one function, used live, in replay and in simulation."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from pydantic import Field
from torch import Tensor

from hil.config import Config
from hil.phy import header
from hil.phy.detect import estimate_cfo, find, peak_frequency
from hil.phy.estimate import delay_projection, smooth_phasor, smoothing_window, unbiased_power
from hil.phy.frame import FrameFormat, Segment
from hil.phy.ofdm import demodulate, modulate

__all__ = ["FrameReception", "Receiver", "ReceiverConfig"]


class ReceiverConfig(Config):
    """What the receiver knows of the bench.

    Attributes:
        sample_rate_hz, center_freq_hz: tie the sample-clock offset to the CFO (one oscillator drives both).
        max_cfo_hz: largest |CFO| of a link; 0 = radios on a shared reference, no CFO is estimated.
        advance: samples by which FFT windows start early, so that earlier paths and transmitters fit.
        taps_before, taps_after: delays of the channel model around the detected path, samples.
        false_alarm: probability of a false detection at one sample of noise.
        phase_walk_rad2: variance of the phase's random walk a symbol; sets how long pilots are averaged.
        aligned: superposed transmitters are pre-equalised to one common response.
    """

    sample_rate_hz: float = Field(1e6, gt=0)
    center_freq_hz: float = Field(2.45e9, gt=0)
    max_cfo_hz: float = Field(0.0, ge=0)
    advance: int = Field(4, ge=0)
    taps_before: int = Field(4, ge=0)
    taps_after: int = Field(11, ge=0)
    false_alarm: float = Field(5e-10, gt=0, lt=1)
    phase_walk_rad2: float = Field(0.0, ge=0)
    aligned: bool = True

    @property
    def taps(self) -> int:
        """Taps of the channel model."""
        return self.taps_before + 1 + self.taps_after


@dataclass(frozen=True, kw_only=True)
class FrameReception:
    """One received frame.

    Attributes:
        number: frame number modulo 65536, None if the header's CRC failed.
        start: sample of the frame's first (silent) sample in the window given.
        metric: detection metric; header_margin: best over second-best header correlation.
        cfo_hz: float64 [tx], transmitter minus receiver.
        signal: float32 [tx], mean |H_k|² over active carriers, unbiased; noise: power a carrier (silent symbol).
        null_noise: noise power a carrier on null carriers, a cross-check.
        response: complex64 [tx, active carrier], G_k at the sounding slot.
        symbols: complex64 [task, use] = y/Ḡ; channel: complex64 [tx, task, use] = G_k/Ḡ, zero where not sent.
        noise_var: float32 [task, use], (noise + inter-carrier interference)/|Ḡ|².
    """

    number: int | None
    start: int
    metric: float
    header_margin: float
    cfo_hz: Tensor
    signal: Tensor
    noise: float
    null_noise: float
    response: Tensor
    symbols: Tensor
    channel: Tensor
    noise_var: Tensor

    @property
    def snr(self) -> Tensor:
        """Linear SNR of each link (unbiased for the noise's few samples), float32 [tx]. SIGNALS.md, "SNR"."""
        looks = self.response.shape[1]
        return self.signal / max(self.noise, 1e-30) * ((looks - 1) / looks)


class Receiver:
    """Finds frames of one format in windows of samples. Stateless: same samples in, same bits out."""

    def __init__(self, form: FrameFormat, config: ReceiverConfig) -> None:
        self.form = form
        self.config = config
        self._carriers = torch.tensor(form.numerology.carriers, dtype=torch.float64)
        self._bins = list(form.numerology.bins)
        undo = torch.exp(2j * math.pi / form.numerology.fft_size * config.advance * self._carriers)
        self._undo_advance = undo.to(torch.complex64)
        self._projection = delay_projection(form.numerology, -config.taps_before, config.taps)

    @torch.no_grad()
    def receive(self, samples: Tensor) -> list[FrameReception]:
        """All complete frames in a window, in order of time.

        Args:
            samples: complex64 [n], 1.0 = full scale of the converter.
        """
        form, config = self.form, self.config
        if not bool(torch.isfinite(torch.view_as_real(samples)).all()):
            return []
        found = find(
            samples,
            form.preamble,
            max_cfo=config.max_cfo_hz / config.sample_rate_hz,
            false_alarm=config.false_alarm,
        )
        frames = []
        for detection in sorted(found, key=lambda item: item.position):
            start = detection.position - form.preamble_start
            if start >= 0 and start + form.samples <= samples.shape[0]:
                frames.append(self._frame(samples[start : start + form.samples], start, detection.cfo, detection.metric))
        return frames

    def _frame(self, samples: Tensor, start: int, cfo: float, metric: float) -> FrameReception:
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
        total = cfo + rate / form.numerology.symbol_samples
        return _Track(
            bins=bins, grid=grid, cfo=total, mixed=cfo, rate=rate, index=index, response=response,
            phase=phase, signal=unbiased_power(matched),
        )  # fmt: skip

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
            responses.append(rotation[:, None] * track.response[None, :])
        if len(own) == 1 or config.aligned:
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

    `mixed` (cycles a sample) was taken out of the grid; `rate` (cycles a symbol) and `phase` (rad) remain, counted from the
    middle of its sounding slot (`index`, symbols).
    """

    bins: Tensor
    grid: Tensor
    cfo: float
    mixed: float
    rate: float
    index: Tensor
    response: Tensor
    phase: Tensor
    signal: Tensor


def _spin(rate: float, steps: Tensor) -> Tensor:
    """exp(j 2π · rate · steps), complex64."""
    return torch.exp(2j * math.pi * rate * steps).to(torch.complex64)
