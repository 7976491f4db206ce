"""What the receiver is told, and what it gives back."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal, Self

from pydantic import Field, model_validator
from torch import Tensor

from hil.config import Config
from hil.phy.mixer import Mixer

__all__ = ["FrameReception", "Observed", "ReceiverConfig"]


class ReceiverConfig(Config):
    """What the receiver knows of the bench.

    Attributes:
        sample_rate_hz, center_freq_hz: tie the sample-clock offset to the CFO (one oscillator drives both).
        max_cfo_hz: largest |CFO| of a link; 0 = radios on a shared reference, whose CFO is measured and not taken out.
        advance: samples by which FFT windows start early, so that earlier paths and transmitters fit.
        taps_before, taps_after: delays of the channel model around the detected path, samples.
        false_alarm: probability of a false detection at one sample of noise.
        phase_walk_rad2: variance of the phase's random walk a symbol; sets how long pilots are averaged.
        aligned: superposed transmitters are pre-equalised to one common response.
        mode: first test of detection, "fast" (above −2 dB, an order of magnitude cheaper) or "sensitive" (−6 dB with 240
            samples); a CFO of less than a third of a cycle over the preamble needs no choice.
        equaliser: "zf" gives symbols y/Ḡ; "mmse" those of least squared error, y Ḡ*/(|Ḡ|² + σ²/K) for K superposed
            transmitters of power 1, with the gain that this leaves in `channel`.
        reference: divide by this one real constant (amplitude of a carrier of unit power) instead of the frame's own
            response, for links that fade in the air: symbols = y/reference, `channel` = Ĥ/reference. None: by the response.
        mixer: the receiver's DC offset and image, taken off every sample; None for none.
        clock_left_ppm: sample-clock offset beyond what a transmitter's CFO says of its one oscillator (1 σ of the prior that
            pilots start from).
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
    mode: Literal["fast", "sensitive"] = "sensitive"
    equaliser: Literal["zf", "mmse"] = "zf"
    reference: float | None = Field(None, gt=0)
    mixer: Mixer | None = None
    clock_left_ppm: float = Field(1.0, ge=0)

    @model_validator(mode="before")
    @classmethod
    def _retired(cls, values: Any) -> Any:
        """Captures of format 1 name `max_clock_ppm`, which frames with sounding symbols never used."""
        if isinstance(values, dict) and "max_clock_ppm" in values:
            return {key: value for key, value in values.items() if key != "max_clock_ppm"}
        return values

    @model_validator(mode="after")
    def _one_divisor(self) -> Self:
        if self.reference is not None and self.equaliser == "mmse":
            raise ValueError('equaliser = "mmse" has no meaning with a reference, which is no response; choose "zf"')
        return self

    @property
    def taps(self) -> int:
        """Taps of the channel model."""
        return self.taps_before + 1 + self.taps_after


@dataclass(frozen=True, kw_only=True)
class Observed:
    """Error seen on known cells of one frame: SIGNALS.md, "Stated against observed".

    Judged are sounding symbols (against the channel that was estimated from them), pilots (each by a phase track that left
    it out) and fillers. An error's power is divided by what the estimate's own noise adds to it, so that on a clean frame the
    mean is the stated noise, without bias.

    Attributes:
        carrier_error: float32 [active carrier], sum of error powers; carrier_count: int64 [active carrier], how many.
        symbol_error: float32 [symbol], the same by OFDM symbol, counted from the first sounding symbol; symbol_count: int64.
        stated: float32 [symbol], power that the receiver stated: noise, and inter-carrier interference of superposed carrier
            offsets.
        looks: noise samples that the stated noise rests on.
    """

    carrier_error: Tensor
    carrier_count: Tensor
    symbol_error: Tensor
    symbol_count: Tensor
    stated: Tensor
    looks: int

    @property
    def by_carrier(self) -> Tensor:
        """Mean error power on each active carrier, float32 [active carrier]; NaN where none was judged."""
        return self.carrier_error / self.carrier_count

    @property
    def by_symbol(self) -> Tensor:
        """Mean error power in each symbol, float32 [symbol]; NaN where none was judged."""
        return self.symbol_error / self.symbol_count

    @property
    def ratio(self) -> float:
        """Observed over stated error power, 1 in the mean on a clean frame (unbiased for the noise's few looks)."""
        stated = float((self.stated * self.symbol_count).sum())
        return float(self.symbol_error.sum()) / max(stated, 1e-30) * (self.looks - 1) / self.looks


@dataclass(frozen=True, kw_only=True)
class FrameReception:
    """One received frame.

    Attributes:
        number: frame number modulo 65536, None if the header's CRC failed.
        start: sample of the frame's first (silent) sample in the window given.
        metric: detection metric; header_margin: best over second-best header correlation.
        cfo_hz: float64 [tx], transmitter minus receiver; cfo_error_hz: float64 [tx], its standard error.
        signal: float32 [tx], mean |H_k|² over active carriers, unbiased; noise: power a carrier (silent symbol).
        null_noise: noise power a carrier on null carriers, a cross-check.
        response: complex64 [tx, active carrier], G_k at the sounding slot.
        symbols: complex64 [task, use] = y/Ḡ; channel: complex64 [tx, task, use] = G_k/Ḡ, zero where not sent.
        noise_var: float32 [task, use], (noise + inter-carrier interference)/|Ḡ|².
        observed: error seen on known cells.
        pilot_noise: error power on the pilots alone, a carrier: noise and whatever was not tracked, another cross-check.
        clock_ppm: float64 [tx], sample clock of the transmitter minus the receiver's.
        preamble_cfo_hz: what the preamble alone said of transmitter 0.
        reference_cfo_hz: CFO that was taken out before equalisation; what remains of each transmitter's is in `channel`.
    """

    number: int | None
    start: int
    metric: float
    header_margin: float
    cfo_hz: Tensor
    cfo_error_hz: Tensor
    signal: Tensor
    noise: float
    null_noise: float
    response: Tensor
    symbols: Tensor
    channel: Tensor
    noise_var: Tensor
    observed: Observed
    pilot_noise: float = math.nan
    clock_ppm: Tensor | None = None
    reference_cfo_hz: float = math.nan
    preamble_cfo_hz: float = math.nan

    @property
    def snr(self) -> Tensor:
        """Linear SNR of each link (unbiased for the noise's few samples), float32 [tx]. SIGNALS.md, "SNR"."""
        looks = self.response.shape[1]
        return self.signal / max(self.noise, 1e-30) * ((looks - 1) / looks)
