"""What is reported of a frame beyond its symbols."""

import math

import pytest
import torch

from hil.errors import ShapeError
from hil.phy.frame import FrameConfig, FrameFormat
from hil.phy.quality import evm, link_differences, noise_check, use_carriers
from hil.phy.receive import Receiver, ReceiverConfig
from hil.phy.transmit import FrameBuilder


def gaussian(*shape: int, seed: int = 1) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.complex64, generator=torch.Generator().manual_seed(seed))


def test_evm_per_carrier_and_carriers_of_uses():
    form = FrameFormat(FrameConfig(tasks_per_frame=10), torch.ones(1, 48, dtype=torch.bool))
    carriers = use_carriers(form)
    assert sorted(carriers.flatten().bincount(minlength=52).tolist()) == [0] * 4 + [10] * 48
    sent = torch.ones(10, 48, dtype=torch.complex64)
    received = sent + 0.1 * (carriers == 7)
    detail = evm(received, sent, form)
    assert float(detail.per_carrier_db[7]) == pytest.approx(-20, abs=1e-4)
    assert detail.peak_db == pytest.approx(-20, abs=1e-4)
    assert detail.rms_db == pytest.approx(-20 - 10 * math.log10(48), abs=1e-3)
    with pytest.raises(ShapeError, match="received"):
        evm(received[:5], sent, form)


def test_two_transmitters_are_compared_and_noise_is_cross_checked():
    form = FrameFormat(FrameConfig(tasks_per_frame=20, sounding_symbols=16), torch.ones(2, 48, dtype=torch.bool))
    waves = FrameBuilder(form).build(gaussian(1, 2, 20, 48), [3])[0] / form.sample_amplitude
    waves = torch.nn.functional.pad(waves, (300, 300))
    time = torch.arange(waves.shape[1], dtype=torch.float64)
    second = 0.5 * waves[1].roll(3) * torch.exp(2j * math.pi * 200e-6 * time).to(torch.complex64)
    samples = waves[0] + second + 0.05 * gaussian(waves.shape[1], seed=5)
    config = ReceiverConfig(max_cfo_hz=2e3, center_freq_hz=1e15, aligned=False)
    (frame,) = Receiver(form, config).receive(samples)
    (difference,) = link_differences(frame, form)
    assert difference.tx == 1
    assert difference.cfo_hz == pytest.approx(200, abs=3)
    assert difference.delay_samples == pytest.approx(3, abs=0.02)
    assert difference.power_db == pytest.approx(-6.02, abs=0.1)
    check = noise_check(frame)
    assert check.null_db == pytest.approx(0, abs=1.5)
    assert check.spread_db < 3
