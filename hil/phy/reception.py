"""What the receiver is told, and what it gives back."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from pydantic import Field
from torch import Tensor

from hil.config import Config
from hil.phy.mixer import Mixer

__all__ = ["FrameReception", "ReceiverConfig"]


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
        mode: first test of detection, "fast" (above −2 dB, an order of magnitude cheaper) or "sensitive" (−6 dB with 240
            samples); a CFO of less than a third of a cycle over the preamble needs no choice.
        reference: divide by this one real constant (amplitude of a carrier of unit power) instead of the frame's own
            response, for links that fade in the air: symbols = y/reference, `channel` = Ĥ/reference. None: by the response.
        equaliser: "zf" gives symbols of gain 1; "mmse" those of least squared error, with their gain in `channel`.
        mixer: the receiver's DC offset and image, taken off every sample; None for none.
        max_clock_ppm: sample-clock offset (1 σ of the prior that pilots start from) where frames are sounded by their preamble.
        clock_left_ppm: the same for sounded transmitters, beyond what their CFO says of the one oscillator of a radio.
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
    reference: float | None = Field(None, gt=0)
    mode: Literal["fast", "sensitive"] = "sensitive"
    equaliser: Literal["zf", "mmse"] = "zf"
    mixer: Mixer | None = None
    max_clock_ppm: float = Field(50.0, ge=0)
    clock_left_ppm: float = Field(1.0, ge=0)

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
        pilot_noise: what is left of the pilots, a carrier: noise and whatever was not tracked, another cross-check.
        clock_ppm: float64 [tx], sample clock of the transmitter minus the receiver's.
        preamble_cfo_hz: what the preamble alone said of transmitter 0.
        reference_cfo_hz: CFO that was taken out before equalisation; what remains of each transmitter's is in `channel`.
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
    pilot_noise: float = math.nan
    clock_ppm: Tensor | None = None
    reference_cfo_hz: float = math.nan
    preamble_cfo_hz: float = math.nan

    @property
    def snr(self) -> Tensor:
        """Linear SNR of each link (unbiased for the noise's few samples), float32 [tx]. SIGNALS.md, "SNR"."""
        looks = self.response.shape[1]
        return self.signal / max(self.noise, 1e-30) * ((looks - 1) / looks)
