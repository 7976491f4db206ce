"""The receiver's mixer: estimated, and taken off every sample before detection."""

import math

import pytest
import torch

from hil.phy.frame import FrameConfig, FrameFormat
from hil.phy.mixer import Mixer, estimate_mixer
from hil.phy.quality import evm
from hil.phy.receive import Receiver, ReceiverConfig
from hil.phy.transmit import FrameBuilder


def gaussian(*shape: int, seed: int = 1) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.complex64, generator=torch.Generator().manual_seed(seed))


def test_mixer_is_estimated_and_taken_back():
    clean = gaussian(400_000, seed=3)
    skew = 10 ** (0.5 / 20) * complex(math.cos(0.05), math.sin(0.05))
    alpha, beta = (1 + skew) / 2, (1 - skew) / 2
    found = estimate_mixer(alpha * clean + beta * clean.conj() + (0.02 - 0.01j))
    assert complex(found.image_i, found.image_q) == pytest.approx(beta / alpha.conjugate(), abs=3e-3)
    assert complex(found.dc_i, found.dc_q) == pytest.approx(0.02 - 0.01j, abs=5e-3)
    exact = Mixer(dc_i=0.02, dc_q=-0.01, image_i=(beta / alpha.conjugate()).real, image_q=(beta / alpha.conjugate()).imag)
    corrected = exact.correct(alpha * clean + beta * clean.conj() + (0.02 - 0.01j))
    torch.testing.assert_close(corrected, alpha * clean, atol=1e-5, rtol=0)
    assert Mixer().image_db == -math.inf


def test_receiver_takes_the_mixer_off():
    config = FrameConfig(sounding_symbols=3, header_repetitions=1, tasks_per_frame=1, preamble_samples=240)
    form = FrameFormat(config, torch.ones(1, 960, dtype=torch.bool))
    payload = gaussian(120, 1, 1, 960)
    built = FrameBuilder(form).build(payload, range(120))
    waves = torch.nn.functional.pad(built, (100, 100)).flatten() / form.sample_amplitude
    waves = waves * torch.exp(0.003j * torch.arange(waves.shape[0], dtype=torch.float64)).to(torch.complex64)
    bent = 1.0 * waves + (0.03 + 0.02j) * waves.conj() + 0.01
    plain = ReceiverConfig(max_cfo_hz=3e4, mode="fast", center_freq_hz=1e15, mixer=None)
    errors = []
    for receiver in (plain, plain.model_copy(update={"mixer": estimate_mixer(bent)})):
        frames = Receiver(form, receiver).receive(bent)
        assert len(frames) == 120
        errors.append(evm(torch.stack([frame.symbols for frame in frames]), payload[:, 0], form).rms_db)
        raw = torch.view_as_real(bent * 4000).round().to(torch.int16).numpy()
        assert len(Receiver(form, receiver).receive(raw, full_scale=4000.0)) == 120
    assert errors[0] > -30
    assert errors[1] < -40
