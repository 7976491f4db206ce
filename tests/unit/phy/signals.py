"""Signals with a known truth, shared by the modem's tests."""

import math

import torch

from hil.phy.frame import FrameFormat
from hil.phy.transmit import build_frame

CARRIER = 1e6 / 64
"""Carrier spacing in Hz of the default numerology at 1 MS/s."""


def occupied(access: str, uses: int = 64) -> torch.Tensor:
    """Which transmitter sends in which use, bool [tx, use]."""
    if access == "single":
        return torch.ones(1, uses, dtype=torch.bool)
    both = torch.zeros(2, uses, dtype=torch.bool)
    both[0, : uses if access == "noma" else uses // 2] = True
    both[1, 0 if access == "noma" else uses // 2 :] = True
    return both


def noise(count: int, power: float, seed: int) -> torch.Tensor:
    """Complex Gaussian noise, complex64 [count]."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, dtype=torch.complex64, generator=generator) * math.sqrt(power)


def gaussian(form: FrameFormat, seed: int) -> torch.Tensor:
    """Payload of unit power in occupied uses, complex64 [tx, task, use]."""
    generator = torch.Generator().manual_seed(seed)
    shape = (form.transmitters, form.tasks, form.occupied.shape[1])
    return torch.randn(*shape, dtype=torch.complex64, generator=generator) * form.occupied[:, None]


def spun(wave: torch.Tensor, cfo: float) -> torch.Tensor:
    """A waveform with a carrier offset, cycles a sample."""
    time = torch.arange(wave.shape[-1], dtype=torch.float64)
    return wave * torch.exp(2j * math.pi * cfo * time).to(torch.complex64)


def on_air(form, symbols, number, *, snr_db=80.0, seed=0, lead=333, channels=None, cfo=None):
    """A burst at unit carrier power, each transmitter through its FIR and CFO (cycles a sample), noise at −SNR."""
    waves = build_frame(symbols, number, form) / form.sample_amplitude
    total = torch.zeros(waves.shape[1] + lead + 200, dtype=torch.complex64)
    for tx, wave in enumerate(waves):
        if channels is not None:
            wave = sum(tap * torch.nn.functional.pad(wave, (delay, 0))[: len(wave)] for delay, tap in channels[tx])
        if cfo is not None:
            wave = spun(wave, cfo[tx])
        total[lead : lead + len(wave)] += wave
    return total + noise(len(total), 10 ** (-snr_db / 10), seed)


def bits(frames) -> list[bytes]:
    """Everything that a frame's results hang on, as bytes."""
    out = []
    for frame in frames:
        tensors = (
            frame.symbols, frame.noise_var, frame.channel, frame.response, frame.cfo_hz, frame.cfo_error_hz, frame.clock_ppm,
            frame.signal, frame.observed.carrier_error, frame.observed.symbol_error, frame.observed.stated,
        )  # fmt: skip
        numbers = (
            frame.number,
            frame.start,
            frame.metric,
            frame.noise,
            frame.null_noise,
            frame.pilot_noise,
            frame.header_margin,
        )
        out.append(b"".join(tensor.contiguous().numpy().tobytes() for tensor in tensors) + repr(numbers).encode())
    return out
