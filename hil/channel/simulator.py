"""One call from samples sent to samples received: every impairment of a link, each of which can be switched off.

In order: DAC, amplifier · delay, paths (static or with Doppler) and a receiver clock of another rate · fading, carrier
offset and phase noise · thermal noise · mixer and ADC. All randomness is a pure function of (seed, row, sample index).
With the extra `fast` tiles of samples run through compiled loops; without, or where gradients are wanted, through torch.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor

from hil.channel.doppler import Scatterers, interpolate_gains
from hil.channel.drift import DriftingFilter
from hil.channel.fast import kernels
from hil.channel.frontend import add_dc, iq_imbalance, memory_polynomial, quantise, rapp
from hil.channel.gaussian import complex_gaussian, real_gaussian, stream_key
from hil.channel.multipath import rayleigh
from hil.channel.oscillator import PhaseNoiseKind, one_pole
from hil.channel.resample import HALF_WIDTH, kernel
from hil.config import Config
from hil.errors import ShapeError

__all__ = ["ChannelConfig", "Simulator", "Tap"]

_TILE = 16384
_PLAIN_TILE = 1 << 18
_PHASES = 4096


class Tap(Config):
    """One path: delay in samples after the link's delay, mean gain and phase."""

    delay: float = Field(0.0, ge=0)
    gain_db: float = 0.0
    phase_deg: float = 0.0

    @property
    def gain(self) -> complex:
        """Complex amplitude."""
        angle = math.radians(self.phase_deg)
        return 10 ** (self.gain_db / 20) * complex(math.cos(angle), math.sin(angle))


class ChannelConfig(Config):
    """A link. As constructed without arguments it changes nothing.

    Attributes:
        sample_rate_hz, seed: of the samples; of everything random.
        dac_bits: rounding and clipping at full scale 1.0; None = ideal.
        pa_saturation, pa_smoothness: Rapp amplifier, amplitude at saturation; None = linear.
        pa_terms: coefficients of an amplifier with memory, before the other one; see `frontend.memory_polynomial`.
        delay: samples, of either sign.
        sfo_ppm: transmitter's sample clock minus the receiver's.
        taps: the paths; none = one of gain 1.
        doppler_hz: largest Doppler shift; 0 = static taps, else each tap fades with Jakes' spectrum about its mean power.
        rayleigh_block: samples over which a CN(0, 1) gain stays; 0 = none.
        cfo_hz, phase_deg: carrier offset, and phase at sample 0.
        phase_noise, phase_noise_deg, loop_bandwidth_hz, linewidth_hz: see `hil.channel.oscillator`.
        noise_power: of a complex sample.
        iq_gain_db, iq_phase_deg, dc_i, dc_q: the receiver's mixer.
        adc_bits: as `dac_bits`.
    """

    sample_rate_hz: float = Field(1e6, gt=0)
    seed: int = 0
    dac_bits: int | None = Field(None, ge=2, le=16)
    pa_saturation: float | None = Field(None, gt=0)
    pa_smoothness: float = Field(2.0, gt=0)
    pa_terms: tuple[tuple[int, int, int, float, float], ...] = ()
    delay: float = 0.0
    sfo_ppm: float = Field(0.0, ge=-1e4, le=1e4)
    taps: tuple[Tap, ...] = ()
    doppler_hz: float = Field(0.0, ge=0)
    rayleigh_block: int = Field(0, ge=0)
    cfo_hz: float = 0.0
    phase_deg: float = 0.0
    phase_noise: PhaseNoiseKind = "off"
    phase_noise_deg: float = Field(1.0, ge=0)
    loop_bandwidth_hz: float = Field(10e3, gt=0)
    linewidth_hz: float = Field(1.0, ge=0)
    noise_power: float = Field(0.0, ge=0)
    iq_gain_db: float = 0.0
    iq_phase_deg: float = 0.0
    dc_i: float = 0.0
    dc_q: float = 0.0
    adc_bits: int | None = Field(None, ge=2, le=16)


@lru_cache(maxsize=1)
def _table() -> NDArray[np.float32]:
    """Interpolation kernel at `_PHASES` + 1 fractions of a sample, float32 [phase, 2 · HALF_WIDTH]."""
    fraction = np.arange(_PHASES + 1)[:, None] / _PHASES
    return np.ascontiguousarray(kernel(fraction + HALF_WIDTH - 1 - np.arange(2 * HALF_WIDTH)), dtype=np.float32)


class Simulator:
    """A link, ready to be used on any number of signals.

    Args:
        config: what it does.
        fast: True = compiled loops (extra `fast`), False = torch, None = compiled where they are installed. Both give the
            same noise to the bit; interpolated samples differ by the interpolators' own error (below −60 dB).

    Raises:
        DriverMissingError: `fast` is True but numba is not installed.
    """

    def __init__(self, config: ChannelConfig, *, fast: bool | None = None) -> None:
        self.config = config
        self._kernels = kernels(fast)
        self._ratio = 1 + config.sfo_ppm * 1e-6
        taps = config.taps or (Tap(),)
        self._delays = np.array([tap.delay for tap in taps])
        self._gains = np.array([tap.gain for tap in taps], dtype=np.complex128)
        self._doppler = config.doppler_hz / config.sample_rate_hz
        whole = bool(np.all(self._delays == np.round(self._delays)))
        self._propagates = bool(config.taps or config.delay or config.sfo_ppm or config.doppler_hz)
        self._still = self._ratio == 1.0 and config.delay == round(config.delay)
        self._compiled = self._kernels is not None and whole and len(taps) <= 16
        step = 2 * math.pi * (config.loop_bandwidth_hz if config.phase_noise == "locked" else 0) / config.sample_rate_hz
        self._pole = math.exp(-step)
        if config.phase_noise == "locked":
            self._phase_scale = math.radians(config.phase_noise_deg) * math.sqrt(1 - self._pole**2)
        else:
            self._phase_scale = math.sqrt(2 * math.pi * config.linewidth_hz / config.sample_rate_hz)
        self._step, self._turns = config.cfo_hz / config.sample_rate_hz, config.phase_deg / 360
        self._filters: list[DriftingFilter] = []

    def apply(self, samples: Tensor, start: int = 0) -> Tensor:
        """What the receiver gets, as many samples as were sent.

        Args:
            samples: complex64 [..., n]; rows are signals over independent noise, oscillators and fading; zero outside.
            start: absolute index of sample 0, for all that is random and for the carrier's phase.

        Returns:
            complex64 [..., n]; differentiable in `samples` (converters pass gradients straight through).

        Raises:
            ShapeError: samples are not complex64.
        """
        if samples.dtype != torch.complex64 or samples.ndim < 1:
            raise ShapeError(f"Argument 'samples' must be complex64 [..., n], not {samples.dtype} {list(samples.shape)}.")
        if not samples.numel():
            return samples.clone()
        config = self.config
        sent = samples
        if config.dac_bits is not None:
            sent = quantise(sent, config.dac_bits)
        if config.pa_terms:
            sent = memory_polynomial(sent, config.pa_terms)
        if config.pa_saturation is not None:
            sent = rapp(sent, config.pa_saturation, config.pa_smoothness)
        rows = sent.reshape(-1, sent.shape[-1])
        differentiable = torch.is_grad_enabled() and samples.requires_grad
        if self._kernels is not None and not differentiable and (self._compiled or not self._propagates):
            out = torch.empty(rows.shape, dtype=torch.complex64)
            for row, signal in enumerate(rows):
                self._fast_row(signal.detach().contiguous().numpy(), row, start, out[row].numpy())
        else:
            out = torch.stack([self._plain_row(signal, row, start) for row, signal in enumerate(rows)])
        return self._receiver(out, start).reshape(samples.shape)

    def _receiver(self, out: Tensor, start: int) -> Tensor:
        config = self.config
        if config.iq_gain_db or config.iq_phase_deg:
            out = iq_imbalance(out, config.iq_gain_db, config.iq_phase_deg)
        if config.dc_i or config.dc_q:
            out = add_dc(out, complex(config.dc_i, config.dc_q))
        return out if config.adc_bits is None else quantise(out, config.adc_bits)

    def _initial_phase(self, row: int, start: int) -> float:
        """The locked oscillator's phase just before `start`: stationary from the first sample on."""
        if self.config.phase_noise != "locked":
            return 0.0
        draw = real_gaussian(self.config.seed, f"row{row}/initial", 2 * start, 1, fast=False)[0]
        return float(draw) * math.radians(self.config.phase_noise_deg)

    def _scatterers(self, row: int) -> Scatterers:
        return Scatterers(self.config.seed, f"row{row}", len(self._delays), self._doppler)

    # --- compiled

    def _fast_row(self, signal: NDArray[np.complex64], row: int, start: int, out: NDArray[np.complex64]) -> None:
        config, compiled = self.config, self._kernels
        n = len(signal)
        state = self._initial_phase(row, start)
        noise_key, scale = stream_key(config.seed, f"row{row}/noise"), np.float32(math.sqrt(config.noise_power / 2))
        scatterers = self._scatterers(row) if self._doppler else None
        nothing = np.empty(0, dtype=np.float32)
        scratch = self._scratch(scatterers)
        for begin in range(0, n, _TILE):
            count = min(_TILE, n - begin)
            tile = out[begin : begin + count]
            flat = tile.view(np.float32)
            if self._propagates:
                self._propagate(signal, begin, start, flat, scatterers, scratch)
            else:
                tile[:] = signal[begin : begin + count]
            if config.rayleigh_block:
                tile *= rayleigh(config.seed, f"row{row}", start + begin, count, config.rayleigh_block).numpy()
            phase = nothing
            if config.phase_noise != "off":
                phase = real_gaussian(config.seed, f"row{row}/phase", start + begin, count, fast=True)
                state = compiled.recurrence(phase, self._pole, self._phase_scale, state)
            if phase.size or self._step or self._turns:
                compiled.rotate(flat, phase, start + begin, self._step, self._turns)
            if config.noise_power:
                compiled.add_gaussian(noise_key, start + begin, scale, flat)

    def _scratch(self, scatterers: Scatterers | None) -> list[NDArray[np.float32]]:
        most = int(_TILE * 1.02) + 4 * HALF_WIDTH + int(self._delays.max()) + (2 * scatterers.step if scatterers else 0) + 8
        return [np.empty(most, dtype=np.float32) for _ in range(4)]

    def _propagate(
        self,
        signal: NDArray[np.complex64],
        begin: int,
        start: int,
        out: NDArray[np.float32],
        scatterers: Scatterers | None,
        scratch: list[NDArray[np.float32]],
    ) -> None:
        """Paths and clock of one tile of outputs, from the input samples that reach it."""
        compiled, config = self._kernels, self.config
        count, offset = out.size // 2, -config.delay
        longest = int(self._delays.max())
        low = math.floor(offset + begin * self._ratio) - HALF_WIDTH - 1
        high = math.ceil(offset + (begin + count) * self._ratio) + HALF_WIDTH + 2
        first = low - longest
        gains = self._gains[:, None]
        step = 1
        if scatterers is not None:
            step = scatterers.step
            cell = (start + first) // step
            first = cell * step - start
            gains = gains * scatterers.grid(cell, (high - first) // step + 2)
        size = high - first
        re, im, path_re, path_im = (part[:size] for part in scratch)
        inside = max(first, 0), min(high, len(signal))
        if inside[0] >= inside[1]:
            out[:] = 0
            return
        compiled.split(signal[inside[0] : inside[1]].view(np.float32), inside[0] - first, re, im)
        if len(self._delays) > 1 or self._delays[0] or self._gains[0] != 1 or scatterers is not None:
            pairs = np.ascontiguousarray(gains, dtype=np.complex64).view(np.float32).reshape(*gains.shape, 2)
            compiled.sparse(re, im, self._delays.astype(np.int64), pairs, step, path_re, path_im)
            re, im = path_re, path_im
        if self._still:
            at = begin - round(config.delay) - first
            out[0::2], out[1::2] = re[at : at + count], im[at : at + count]
        else:
            compiled.interpolate(re, im, -first, _table(), begin, self._ratio, offset, out)

    # --- torch

    def _plain_row(self, signal: Tensor, row: int, start: int) -> Tensor:
        config, fast = self.config, self._kernels is not None
        n, state = signal.shape[-1], self._initial_phase(row, start)
        scatterers = self._scatterers(row) if self._doppler else None
        parts = []
        for begin in range(0, n, _PLAIN_TILE):
            at, count = start + begin, min(_PLAIN_TILE, n - begin)
            out = signal[begin : begin + count]
            if self._propagates:
                out = self._plain_paths(signal, begin, count, start, scatterers)
            if config.rayleigh_block:
                out = out * rayleigh(config.seed, f"row{row}", at, count, config.rayleigh_block)
            angle, state = self._angle(row, at, count, state)
            if angle is not None:
                out = out * torch.complex(angle.cos(), angle.sin())
            if config.noise_power:
                noise = complex_gaussian(config.seed, f"row{row}/noise", at, count, config.noise_power, fast=fast)
                out = out + torch.from_numpy(noise)
            parts.append(out)
        return torch.cat(parts) if parts else signal

    def _angle(self, row: int, start: int, n: int, state: float) -> tuple[Tensor | None, float]:
        """Carrier phase of the link, rad, float32 [n], None where there is none; and the oscillator's phase at its end."""
        config = self.config
        angle: Tensor | None = None
        if self._step or self._turns:
            turns = (start + np.arange(n)) * self._step
            turns += self._turns
            turns -= np.floor(turns)
            angle = torch.from_numpy(turns.astype(np.float32)) * (2 * math.pi)
        if config.phase_noise == "off":
            return angle, state
        fast = self._kernels is not None
        white = torch.from_numpy(real_gaussian(config.seed, f"row{row}/phase", start, n, fast=fast)) * self._phase_scale
        if config.phase_noise == "locked":
            phase = one_pole(white, self._pole, state)
        else:
            phase = (white.double().cumsum(0) + state).float()
        return phase if angle is None else angle + phase, float(phase[-1])

    def _plain_paths(self, signal: Tensor, begin: int, count: int, start: int, scatterers: Scatterers | None) -> Tensor:
        """Paths and clock of outputs [begin, begin + count)."""
        if not self._filters:
            delays = self._delays + self.config.delay
            groups = [(delays, self._gains)]
            if scatterers is not None:
                groups = [(delays[tap : tap + 1], self._gains[tap : tap + 1]) for tap in range(len(delays))]
            self._filters = [DriftingFilter(*group, self._ratio) for group in groups]
        offset = begin * self._ratio
        if scatterers is None:
            return self._filters[0].apply(signal, count, offset)
        # gains change with the transmitter's time
        times = (start + (begin + np.arange(count)) * self._ratio - self.config.delay) / scatterers.step
        first = math.floor(times[0])
        grid = torch.from_numpy(scatterers.grid(first, math.floor(times[-1]) - first + 2))
        gains = interpolate_gains(grid, times - first)
        parts = [gain * link.apply(signal, count, offset) for gain, link in zip(gains, self._filters, strict=True)]
        return torch.stack(parts).sum(0)
