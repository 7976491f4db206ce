"""What the receiver is told, and what it gives back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, Self

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field, model_validator
from torch import Tensor

from hil.config import Config
from hil.phy.mixer import Mixer

__all__ = ["FrameReception", "Front", "Observed", "ReceiverConfig", "Rows", "Shape"]

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]


class ReceiverConfig(Config):
    """What the receiver knows of the bench.

    Attributes:
        sample_rate_hz, center_freq_hz: tie the sample-clock offset to the CFO (one oscillator drives both).
        max_cfo_hz: largest |CFO| of a link; 0 = radios on a shared reference, whose CFO is measured and not taken out.
        advance: samples by which FFT windows start early, so that earlier paths and transmitters fit.
        taps_before, taps_after: delays of the channel model around the detected path, samples.
        false_alarm: probability of a false detection at one sample of noise.
        phase_walk_rad2: variance of the phase's random walk a symbol; sets how long pilots are averaged.
        phase_noise_rad: on a shared reference, standard deviation of a payload's phase about what the sounding said: pilots
            are weighed against it (MAP), so that few of them do not make it worse. None: pilots alone.
        aligned: superposed transmitters are pre-equalised to one common response.
        mode: first test of detection, "fast" (above −2 dB, an order of magnitude cheaper) or "sensitive" (−6 dB with 240
            samples); a CFO of less than a third of a cycle over the preamble needs no choice.
        equaliser: "zf" gives symbols y/Ḡ; "mmse" those of least squared error, y Ḡ*/(|Ḡ|² + σ²/K) for K superposed
            transmitters of power 1, with the gain that this leaves in `channel`.
        reference: divide by this one real constant (amplitude of a carrier of unit power) instead of the frame's own
            response, for links that fade in the air: symbols = y/reference, `channel` = Ĥ/reference. None: by the response.
        mixer: the receiver's DC offset and image, taken off every sample; "auto": they, the transmitters' image and, on a
            shared reference, a carrier offset are looked for in each frame and taken off it (`hil.phy.frontend`);
            None: nothing.
        clock_left_ppm: sample-clock offset beyond what a transmitter's CFO says of its one oscillator (1 σ of the prior that
            pilots start from).
        shape_memory: sounding symbols that the shape of G rests on at most, over the frames before (`Shape`); 0: each frame
            sounds for itself.
    """

    sample_rate_hz: float = Field(1e6, gt=0)
    center_freq_hz: float = Field(2.45e9, gt=0)
    max_cfo_hz: float = Field(0.0, ge=0)
    advance: int = Field(4, ge=0)
    taps_before: int = Field(4, ge=0)
    taps_after: int = Field(11, ge=0)
    false_alarm: float = Field(5e-10, gt=0, lt=1)
    phase_walk_rad2: float = Field(0.0, ge=0)
    phase_noise_rad: float | None = Field(None, gt=0)
    aligned: bool = True
    mode: Literal["fast", "sensitive"] = "sensitive"
    equaliser: Literal["zf", "mmse"] = "zf"
    reference: float | None = Field(None, gt=0)
    mixer: Mixer | Literal["auto"] | None = "auto"
    clock_left_ppm: float = Field(1.0, ge=0)
    shape_memory: int = Field(0, ge=0)

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
    def known_mixer(self) -> Mixer | None:
        """The mixer that is taken off every sample."""
        return self.mixer if isinstance(self.mixer, Mixer) else None

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


class Front(NamedTuple):
    """What front ends added to a frame and was taken off.

    Attributes:
        dc: in units of the samples; image: amplitude of the receiver's mirrored signal; sent: complex128 [tx], of the
            transmitters' (on a shared clock both together).
        offset: a carrier offset was taken out on a shared clock, where there should be none.
    """

    dc: complex
    image: complex
    sent: Tensor
    offset: bool

    @property
    def image_power(self) -> float:
        """Of all images together, over the signal's."""
        return abs(self.image) ** 2 + float(np.abs(self.sent.numpy()).max()) ** 2


class Shape(NamedTuple):
    """What frames before tell of the next one's G: its shape over the carriers, up to phase and delay.

    Attributes:
        response: float32 [tx, 2 · active carrier], of the last frame, interleaved.
        trust: float64 [tx, 2]: sounding symbols that it rests on, 0 for none; and how far new ones were from it of late, over
            what noise makes of it, 1 in the mean.
    """

    response: Floats
    trust: Doubles


class Rows(NamedTuple):
    """Frames received together, as the kernels write them; complex values are interleaved.

    Attributes:
        symbols: float32 [frame, 2 · task · use]; channel: float32 [frame, tx, 2 · task · use].
        noise_var: float32 [frame, task · use]; response: float32 [frame, tx, 2 · active carrier].
        carrier_error: float32 [frame, active carrier]; symbol_error, stated: float32 [frame, symbol]; see `Observed`.
        info: float64 [frame, 5]: noise, noise on null carriers, number or −1, header margin, error of the pilots.
        links: float64 [frame, tx, 4]: CFO (cycles a sample), its standard error, sample-clock offset, unbiased power.
        starts: int64 [frame], first samples; metric, coarse: float64 [frame], of the preamble, and its CFO (cycles a sample).
        mixed: float64 [frame, tx], CFO (cycles a sample) that was taken out.
        front: float64 [frame, 4 + 2 tx], what front ends added and was taken off, complex values in two parts: DC offset, the
            receiver's image, the transmitters' images.
        known: float32 [frame, tx, 2 · active carrier], trust: float64 [frame, tx, 2], what each is told; see `Shape`.
        memory: float64 [frame, tx, 4]: `Shape.trust` after the frame; 1 where its sounding joined the shape, −1 where it
            contradicted it and starts anew, else 0; error of `response`, in the mean over carriers, over the noise.
    """

    symbols: Floats
    channel: Floats
    noise_var: Floats
    response: Floats
    carrier_error: Floats
    symbol_error: Floats
    stated: Floats
    info: Doubles
    links: Doubles
    starts: NDArray[np.int64]
    metric: Doubles
    coarse: Doubles
    mixed: Doubles
    front: Doubles
    known: Floats
    trust: Doubles
    memory: Doubles

    def part(self, index: slice | NDArray[np.int64]) -> Rows:
        """Some of the frames; views where `index` is a slice."""
        columns: tuple[Any, ...] = self
        return Rows(*(values[index] for values in columns))

    def put(self, index: NDArray[np.int64], rows: Rows) -> None:
        """Write over some of the frames."""
        columns: tuple[Any, ...] = self
        for values, other in zip(columns, rows, strict=True):
            values[index] = other


class FrameReception:
    """One received frame: a row of what was received together, in the words of SIGNALS.md. Tensors share its storage.

    Args:
        rows: of the frames received together; index: this one.
        uses: tasks and uses of the format.
        rate_hz: sample rate.
        judged: cells whose error is observed, by active carrier and by symbol, int64 each.
        locked: radios share a clock.
    """

    def __init__(
        self, rows: Rows, index: int, uses: tuple[int, int], rate_hz: float, judged: tuple[Tensor, Tensor], *, locked: bool
    ) -> None:
        self._rows, self._index, self._uses, self._rate, self._judged = rows, index, uses, rate_hz, judged
        self._locked = locked
        self._info: list[float] = rows.info[index].tolist()

    @property
    def number(self) -> int | None:
        """Frame number modulo 65536; None if the header's CRC failed, or there is none."""
        return int(self._info[2]) if self._info[2] >= 0 else None

    @property
    def start(self) -> int:
        """Sample of the frame's first (silent) sample in the window given."""
        return int(self._rows.starts[self._index])

    @property
    def metric(self) -> float:
        """Detection metric."""
        return float(self._rows.metric[self._index])

    @property
    def header_margin(self) -> float:
        """Best over second-best correlation of the header."""
        return self._info[3]

    @property
    def noise(self) -> float:
        """Noise power a carrier, in the silent symbol."""
        return self._info[0]

    @property
    def null_noise(self) -> float:
        """Noise power a carrier on null carriers, a cross-check."""
        return self._info[1]

    @property
    def pilot_noise(self) -> float:
        """Error power of the pilots alone, a carrier: noise and whatever was not tracked, another cross-check."""
        return self._info[4]

    @property
    def cfo_hz(self) -> Tensor:
        """Carrier offset of each transmitter, transmitter minus receiver, float64 [tx]."""
        return torch.from_numpy(self._rows.links[self._index, :, 0] * self._rate)

    @property
    def cfo_error_hz(self) -> Tensor:
        """Its standard error, float64 [tx]."""
        return torch.from_numpy(self._rows.links[self._index, :, 1] * self._rate)

    @property
    def clock_ppm(self) -> Tensor:
        """Sample clock of each transmitter minus the receiver's, float64 [tx]."""
        return torch.from_numpy(self._rows.links[self._index, :, 2] * 1e6)

    @property
    def preamble_cfo_hz(self) -> float:
        """What the preamble alone said of transmitter 0."""
        return float(self._rows.coarse[self._index]) * self._rate

    @property
    def reference_cfo_hz(self) -> float:
        """CFO that was taken out before equalisation; what remains of each transmitter's is in `channel`."""
        return float(self._rows.mixed[self._index].mean()) * self._rate

    @property
    def front(self) -> Front:
        """What front ends added and was taken off."""
        values = self._rows.front[self._index].view(np.complex128)
        mixed = self._rows.mixed[self._index]
        return Front(
            dc=complex(values[0]),
            image=complex(values[1]),
            sent=torch.from_numpy(values[2:]),
            offset=self._locked and bool(mixed.any()),
        )

    @property
    def mended(self) -> bool:
        """Something was taken off it, as `front` says."""
        return bool(self._rows.front[self._index].any()) or (self._locked and bool(self._rows.mixed[self._index].any()))

    @property
    def signal(self) -> Tensor:
        """Mean |H_k|² over active carriers, unbiased, float32 [tx]."""
        return torch.from_numpy(self._rows.links[self._index, :, 3].astype(np.float32))

    @property
    def response(self) -> Tensor:
        """G_k at the sounding slot, complex64 [tx, active carrier]."""
        return torch.from_numpy(self._rows.response[self._index].view(np.complex64))

    @property
    def shape(self) -> Shape:
        """What it leaves to the next frame."""
        return Shape(self._rows.response[self._index], self._rows.memory[self._index, :, :2])

    @property
    def anew(self) -> bool:
        """Some transmitter's sounding contradicted the shape of the frames before, and its channel starts anew."""
        return bool((self._rows.memory[self._index, :, 2] < 0).any())

    @property
    def response_errors(self) -> Doubles:
        """Error power of `response` over the noise's, in the mean over carriers, float64 [tx]."""
        return self._rows.memory[self._index, :, 3]

    @property
    def response_error(self) -> float:
        """The same in the mean over transmitters."""
        return float(self.response_errors.mean())

    @property
    def symbols(self) -> Tensor:
        """y/Ḡ, complex64 [task, use]."""
        return torch.from_numpy(self._rows.symbols[self._index].view(np.complex64).reshape(self._uses))

    @property
    def channel(self) -> Tensor:
        """G_k/Ḡ, complex64 [tx, task, use], zero where not sent."""
        values = self._rows.channel[self._index]
        return torch.from_numpy(values.view(np.complex64).reshape(len(values), *self._uses))

    @property
    def noise_var(self) -> Tensor:
        """(Noise + inter-carrier interference)/|Ḡ|², float32 [task, use]."""
        return torch.from_numpy(self._rows.noise_var[self._index].reshape(self._uses))

    @property
    def observed(self) -> Observed:
        """Error seen on known cells."""
        rows, index = self._rows, self._index
        return Observed(
            carrier_error=torch.from_numpy(rows.carrier_error[index]),
            carrier_count=self._judged[0],
            symbol_error=torch.from_numpy(rows.symbol_error[index]),
            symbol_count=self._judged[1],
            stated=torch.from_numpy(rows.stated[index]),
            looks=rows.carrier_error.shape[1],
        )

    @property
    def snr(self) -> Tensor:
        """Linear SNR of each link (unbiased for the noise's few samples), float32 [tx]. SIGNALS.md, "SNR"."""
        looks = self._rows.carrier_error.shape[1]
        signal = self._rows.links[self._index, :, 3].astype(np.float32)
        return torch.from_numpy(signal / np.float32(max(self.noise, 1e-30)) * np.float32((looks - 1) / looks))
