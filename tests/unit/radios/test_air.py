"""The shared air against closed forms: clocks, delays, segments, and the same bits with and without the compiled kernels."""

import math

import numpy as np
import pytest
import torch

from hil.channel import fast
from hil.channel.noise import BLOCK
from hil.channel.oscillator import PhaseNoise
from hil.radios.air import Air, Port, Transmission
from hil.radios.bench import LinkConfig

RATE = 1e6


def port(name: str, ppm: float, phase: float = 0.0, rate: float = 1.0) -> Port:
    quiet = PhaseNoise(kind="off", seed=0, stream=name, sample_rate_hz=RATE)
    return Port(name=name, ppm=ppm, synthesiser=quiet, center_freq_hz=1e9, phase=phase, rate=rate)


def scene(
    tx_ppm: float,
    rx_ppm: float,
    samples: torch.Tensor,
    *,
    start: int = 1000,
    delay_s: float = 0.0,
    rates: tuple[float, float] = (1, 1),
) -> tuple[Air, Port]:
    air = Air(sample_rate_hz=RATE, seed=3)
    tx, rx = port("tx", tx_ppm, 0.4, rates[0]), port("rx", rx_ppm, rate=rates[1])
    air.connect(tx, rx, LinkConfig(transmitter=0, path_loss_db=6.0, delay_s=delay_s))
    air.send(
        Transmission(
            port=tx, start=start, samples=samples, end=start + len(samples), center_freq_hz=1e9, phase=tx.phase, clock=tx.clock
        )
    )
    return air, rx


@pytest.mark.parametrize(("tx_ppm", "rx_ppm"), [(0.0, 0.0), (3.0, 3.0), (7.0, -5.0), (-20.0, 15.0)])
@pytest.mark.parametrize("freq", [0.11, -0.40])
@pytest.mark.parametrize(("delay", "rates"), [(2.37e-6, (1, 1)), (20.00037e-3, (1, 1)), (2.37e-6, (1 - 1e-6, 1 + 30e-6))])
def test_a_tone_arrives_where_and_as_it_must(
    tx_ppm: float, rx_ppm: float, freq: float, delay: float, rates: tuple[float, float]
) -> None:
    n, start = 50_000, 1000  # several segments of a transmission
    sent = torch.from_numpy(np.exp(2j * np.pi * freq * np.arange(n)).astype(np.complex64))
    air, rx = scene(tx_ppm, rx_ppm, sent, start=start, delay_s=delay, rates=rates)
    got = torch.cat([air.block(rx, index, 0.0) for index in range(3)]).numpy()
    time = np.arange(len(got))  # of the receiver's clock
    tx_clock, rx_clock = rates[0] * (1 + tx_ppm * 1e-6), rates[1] * (1 + rx_ppm * 1e-6)
    position = time * tx_clock / rx_clock - start - delay * RATE * tx_clock
    offset_hz = 1e9 * (tx_ppm - rx_ppm) * 1e-6
    turns = freq * position + offset_hz / (RATE * rx_clock) * time
    wanted = 10 ** (-6 / 20) * np.exp(1j * (2 * np.pi * turns + 0.4))
    inside = (position > 40) & (position < n - 40)
    error = np.mean(np.abs(got - wanted)[inside] ** 2) / np.mean(np.abs(wanted[inside]) ** 2)
    assert 10 * math.log10(error) < -60
    assert not got[position < -20].any()


def test_noise_alone_is_the_stream_of_the_receiver() -> None:
    air = Air(sample_rate_hz=RATE, seed=3)
    rx = port("rx", 0.0)
    noise = torch.cat([air.block(rx, index, 2.0) for index in (-1, 0, 1)])
    assert float(noise.abs().square().mean()) == pytest.approx(2.0, rel=0.03)
    again = Air(sample_rate_hz=RATE, seed=3)
    assert torch.equal(again.block(rx, 0, 2.0), noise[BLOCK : 2 * BLOCK])


@pytest.mark.skipif(not fast.available(), reason="numba is not installed")
def test_compiled_kernels_do_not_change_a_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    sent = torch.randn(20_000, dtype=torch.complex64, generator=torch.Generator().manual_seed(1))
    with_kernels = [scene(7.0, -5.0, sent)[0].block(port("rx", -5.0), 0, 1.0)]
    air, rx = scene(7.0, -5.0, sent)
    with_kernels.append(air.block(rx, 0, 1.0))
    monkeypatch.setattr(fast, "available", lambda: False)
    without = [scene(7.0, -5.0, sent)[0].block(port("rx", -5.0), 0, 1.0)]
    air, rx = scene(7.0, -5.0, sent)
    without.append(air.block(rx, 0, 1.0))
    assert all(torch.equal(a, b) for a, b in zip(with_kernels, without, strict=True))
