"""Links measured against the air's own truth, and superposed transmitters made h = 1."""

import math

import numpy as np
import pytest
import torch

from hil.calibration.links import Sounder, calibrate_links
from hil.calibration.precode import MAX_INVERSION_DB, align
from hil.collect import to_complex
from hil.errors import CalibrationError
from hil.phy.frame import FrameConfig
from hil.phy.receive import ReceiverConfig
from hil.radios.bench import find_bench
from hil.radios.session import Bench
from hil.units import power_to_db

CARRIERS = torch.tensor([*range(-26, 0), *range(1, 27)])
CARRIER_POWER = 10 ** (-12 / 10) * 64 / 52
"""Power of an active carrier at the digital scale of −12 dBFS rms."""


def response(*taps: tuple[float, complex]) -> torch.Tensor:
    return sum(gain * torch.exp(-2j * math.pi / 64 * CARRIERS * delay) for delay, gain in taps)


def test_alignment_makes_one_flat_response_of_the_snr_wanted():
    channels = torch.stack([response((0.3, 1.0), (1.1, 0.2j)), response((2.0, -0.7j), (4.0, 0.1))]).to(torch.complex64)
    found = align(channels, noise=0.01, snr=10.0)
    arrived = channels * found.weights
    assert torch.allclose(arrived[0], arrived[1], atol=1e-6)
    assert torch.allclose(arrived.abs().square(), torch.full((2, 52), 0.1), atol=1e-6)
    assert torch.allclose(arrived[0].angle(), channels[0].angle(), atol=1e-5)  # transmitter 0's timing does not move
    assert found.limited == 0
    assert torch.allclose(found.power, (0.1 / channels.abs().square()).mean(1), rtol=1e-5)


def test_inversion_is_limited_to_6_db():
    deep = response((0.0, 1.0), (1.0, -0.98)).to(torch.complex64)[None]
    found = align(deep, noise=1.0, snr=1.0)
    limited = deep.abs() < deep.abs().square().mean().sqrt() / 10 ** (MAX_INVERSION_DB / 20)
    assert found.limited == int(limited.sum()) > 0
    most = 1 / deep.abs().square().mean().sqrt() * 10 ** (MAX_INVERSION_DB / 20)
    assert float(found.weights.abs().max()) == pytest.approx(float(most), rel=1e-5)


def test_silence_cannot_be_aligned():
    with pytest.raises(CalibrationError, match="not heard"):
        align(torch.zeros(2, 52, dtype=torch.complex64), noise=1.0, snr=1.0)


def sounder_on(bench: Bench) -> Sounder:
    def exchange(waveforms, number, receive):
        return receive(to_complex(bench.burst(waveforms.numpy(), lead=300, tail=64).samples, bench.full_scale))

    receiver = ReceiverConfig(sample_rate_hz=1e6, center_freq_hz=2.45e9)
    return Sounder(2, FrameConfig(preamble_samples=480), receiver, exchange, symbols=16)


def limits(bench: Bench):
    return lambda tx: (bench.tx_gain_range(tx).low, bench.tx_gain_range(tx).high)


def test_links_are_measured_as_the_air_knows_them():
    freqs = CARRIERS.numpy() * 1e6 / 64
    with Bench(find_bench("builtin")) as bench:
        links = calibrate_links(sounder_on(bench), bench.set_tx_gain, limits(bench), frames=40)
        truth = [bench.truth().snr_db(link.tx, CARRIER_POWER, freqs) for link in links]
        noise = bench.truth().noise_dbfs()
    for link, value in zip(links, truth, strict=True):
        assert link.snr_db == pytest.approx(value, abs=0.35)  # 40 silent symbols: 0.10 dB standard deviation
        assert link.noise_dbfs == pytest.approx(noise, abs=0.35)
        assert link.snr_db_std < 0.3
        assert link.cfo_hz == pytest.approx(0, abs=1)  # measured, on a shared clock too
        assert link.gain_for(link.snr_db + 3) == pytest.approx(link.gain_db + 3)


def test_a_link_that_is_too_weak_is_named():
    bench_config = find_bench("builtin", overrides={"links": [
        {"transmitter": 0, "path_loss_db": 60.0}, {"transmitter": 1, "path_loss_db": 190.0},
    ]})  # fmt: skip
    with Bench(bench_config) as bench, pytest.raises(CalibrationError, match="too weak"):
        calibrate_links(sounder_on(bench), bench.set_tx_gain, limits(bench))


def test_superposed_transmitters_arrive_as_one(tmp_path):
    """The whole way: sound, align, send both, and the air adds x_1 + x_2 with the SNR that its truth says."""
    from hil.captures import CaptureWriter
    from hil.collect import PointSpec
    from hil.onair import AirRun, frame_for, receiver_for

    config = find_bench("builtin")
    receiver = receiver_for(config)
    frame = frame_for(receiver, 10.0, tasks_per_frame=84, interleave=True)
    generator = torch.Generator().manual_seed(4)
    sent = torch.randn(2, 504, 64, dtype=torch.complex64, generator=generator)
    writer = CaptureWriter.create(tmp_path / "c.h5", config={}, versions={}, models={})
    with Bench(config) as bench, writer:
        air = AirRun(bench, writer, receiver)
        links = air.calibrate(frame)
        spec = PointSpec(
            scheme="x", access="noma", power=(1.0, 1.0), snr_db_target=10.0, occupied=((True,) * 64,) * 2, tasks=504,
            distinct_tasks=504, first_frame=100, frame=frame, receiver=receiver, full_scale=bench.full_scale,
        )  # fmt: skip
        collection, more = air.measure(spec, sent, {}, links, lambda steps: None)
        truth = [bench.truth().snr_db(tx, CARRIER_POWER, CARRIERS.numpy() * 1e6 / 64) for tx in (0, 1)]
    assert collection.frames["lost"] == 0
    loss = np.mean(collection.snr_db) - collection.snr_eff_db
    assert -0.5 < loss < 0.7 + 3 * collection.snr_db_error[0]
    assert collection.snr_db == pytest.approx([10.0, 10.0], abs=1.0)
    for tx in (0, 1):  # the air's truth, and the power that the inversion takes, give the SNR that arrived
        arrived = truth[tx] + more["precoder_power_db"][tx]
        assert collection.snr_db[tx] == pytest.approx(arrived, abs=0.2 + 3 * collection.snr_db_error[tx])
    relative = collection.channel[:, :, :].mean((1, 2)) - 1
    assert power_to_db(float(relative.abs().square().max())) < -25
