"""What is seen of one frame: its constellation, the SNR of every carrier, carrier offsets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hil.config import validate
from hil.phy.frame import FrameConfig, FrameFormat
from hil.phy.receive import FrameReception, Receiver, ReceiverConfig
from hil.points.clips import to_complex
from hil.points.spec import PointSpec

__all__ = ["POINTS", "FrameView", "PointEar", "ProbeEar"]

POINTS = 800
"""Of a constellation."""
PREAMBLES = (240, 480, 960)
"""Lengths that runs (down to −4 and −6 dB) and calibrations take."""
PROBE_SYMBOLS = 2
"""Sounding symbols of transmitter 0 that every frame begins with, however many it has."""
CELLS_AFTER = 8
"""OFDM symbols after these whose cells are shown: in more, what two symbols leave of a carrier offset would turn them."""


@dataclass(frozen=True, kw_only=True)
class FrameView:
    """One frame, as a page shows it.

    Attributes:
        constellation: complex64 [point], at most `POINTS`, in units where the transmitted mean is |x|² = 1.
        shows: what these are, in words.
        carriers: signed indices; carrier_snr_db: float64 [tx, carrier], NaN where the noise hides the signal.
        snr_db: [tx]; cfo_hz: [tx], with its standard error.
        number: of the frame modulo 65536; None: not known.
        start: sample of its first (silent) sample in the window.
    """

    constellation: NDArray[np.complex64]
    shows: str
    carriers: tuple[int, ...]
    carrier_snr_db: NDArray[np.float64]
    snr_db: list[float]
    cfo_hz: list[float]
    cfo_error_hz: list[float]
    number: int | None
    start: int


class PointEar:
    """Receives the frames of a capture's point, as the run did.

    Args:
        spec: the point.
        receiver: name of the receiver.
    """

    def __init__(self, spec: PointSpec, receiver: str) -> None:
        self._reception = next(one for one in spec.receptions if one.name == receiver)
        self._form = spec.format()
        self._receiver = Receiver(self._form, self._reception.receiver)
        self._occupied = self._form.occupied.any(0)

    @classmethod
    def of(cls, attrs: dict[str, Any], name: str, receiver: str) -> PointEar | None:
        """The ear for a point by what a capture says of it; None: it holds frames of no scheme, or this receiver is not in it.

        Raises:
            ConfigError: the spec makes no sense.
        """
        if "spec" not in attrs:
            return None
        spec = validate(PointSpec, attrs["spec"], f"point '{name}'")
        return cls(spec, receiver) if any(one.name == receiver for one in spec.receptions) else None

    def hear(self, samples: NDArray[np.int16], full_scale: float) -> list[FrameView]:
        """The frames in a window of raw samples, int16 [n, 2]."""
        return [self._view(one) for one in self._receiver.receive(samples, full_scale=full_scale)]

    def _view(self, frame: FrameReception) -> FrameView:
        symbols = frame.symbols[:, self._occupied].reshape(-1).numpy()
        return _view(frame, self._form, symbols, "received symbols y/Ḡ of the tasks")


class ProbeEar:
    """Hears any frame of `hil` by its preamble and its first sounding symbols, whatever it carries.

    Frames of another numerology or seed than the default are not found.

    Args:
        config: what is known of the bench.
    """

    def __init__(self, config: ReceiverConfig) -> None:
        told = config.model_copy(update={"shape_memory": 0, "aligned": True, "reference": None, "equaliser": "zf"})
        self._rate = told.sample_rate_hz
        self._receivers = [Receiver(_probe(length), told) for length in PREAMBLES]

    def hear(self, samples: NDArray[np.int16], full_scale: float) -> list[FrameView]:
        """The frames in a window of raw samples, int16 [n, 2], of the one preamble that is heard best."""
        found = [(one, one.receive(samples, full_scale=full_scale)) for one in self._receivers]
        receiver, frames = max(found, key=lambda pair: max((frame.metric for frame in pair[1]), default=0.0))
        values = to_complex(samples, full_scale) if len(frames) else torch.zeros(0, dtype=torch.complex64)
        return [self._view(frame, receiver.form, values, receiver.config) for frame in frames]

    def _view(self, frame: FrameReception, form: FrameFormat, samples: Tensor, config: ReceiverConfig) -> FrameView:
        cells = _cells_after(frame, form, samples, config)
        return _view(frame, form, cells, "cells after the sounding, equalised by it: header, pilots and payload")


def _probe(preamble: int) -> FrameFormat:
    config = FrameConfig(preamble_samples=preamble, sounding_symbols=PROBE_SYMBOLS, header_repetitions=0, tasks_per_frame=0)
    return FrameFormat(config, torch.ones((1, 1), dtype=torch.bool))


def _cells_after(frame: FrameReception, form: FrameFormat, samples: Tensor, config: ReceiverConfig) -> NDArray[np.complex64]:
    """y/G on the active carriers of the OFDM symbols after the sounding, complex64 [cell]; the carrier offset taken out."""
    numerology = form.numerology
    length, lead = numerology.symbol_samples, numerology.cyclic_prefix - config.advance
    begin = form.sounding_start + PROBE_SYMBOLS * length
    first = frame.start + begin
    count = min(CELLS_AFTER, max(0, len(samples) - first) // length)
    grid = samples[first : first + count * length].reshape(count, length)
    taken = frame.reference_cfo_hz / config.sample_rate_hz  # with phase 0 at the frame's start; `response` is as of then
    left = float(frame.cfo_hz[0]) / config.sample_rate_hz - taken if config.max_cfo_hz else 0.0
    at = torch.arange(begin, begin + count * length).double().reshape(count, length)
    turn = torch.exp(-2j * np.pi * (at * taken + (at - (form.sounding_start + begin) / 2) * left)).to(torch.complex64)
    window = (grid * turn)[:, lead : lead + numerology.fft_size]
    ahead = torch.exp(2j * np.pi * config.advance / numerology.fft_size * torch.tensor(numerology.carriers)).to(torch.complex64)
    spectra = torch.fft.fft(window, norm="ortho")[:, list(numerology.bins)] * ahead
    cells: NDArray[np.complex64] = (spectra / frame.response[0]).reshape(-1).numpy()
    return cells


def _view(frame: FrameReception, form: FrameFormat, symbols: NDArray[np.complex64], shows: str) -> FrameView:
    some = np.linspace(0, len(symbols) - 1, min(len(symbols), POINTS)).astype(np.int64)  # spread evenly over the frame
    return FrameView(
        constellation=symbols[some],
        shows=shows,
        carriers=form.numerology.carriers,
        carrier_snr_db=_by_carrier(frame),
        snr_db=_db(frame.snr.double().numpy()).tolist(),
        cfo_hz=frame.cfo_hz.tolist(),
        cfo_error_hz=frame.cfo_error_hz.tolist(),
        number=frame.number,
        start=frame.start,
    )


def _by_carrier(frame: FrameReception) -> NDArray[np.float64]:
    """|G|² over the noise on every carrier, less what the estimate's own error adds, dB [tx, carrier]."""
    noise = max(frame.noise, 1e-30)
    power = frame.response.abs().square().double().numpy() / noise
    return _db(power - frame.response_errors[:, None])


def _db(power: NDArray[np.float64]) -> NDArray[np.float64]:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.where(power > 0, 10 * np.log10(power), np.nan))
