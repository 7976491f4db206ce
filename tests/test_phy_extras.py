"""Transmit peaks, the receiver's mixer, and what is reported of a frame."""

import math

import pytest
import torch

from hil.errors import ShapeError
from hil.phy.crest import clip_and_filter, exceedance, papr_db, to_int16
from hil.phy.frame import FrameConfig, FrameFormat
from hil.phy.mixer import Mixer, estimate_mixer
from hil.phy.ofdm import demodulate
from hil.phy.quality import evm, link_differences, noise_check, use_carriers
from hil.phy.receive import Receiver, ReceiverConfig
from hil.phy.transmit import FrameBuilder

torch.set_num_threads(1)


def gaussian(*shape: int, seed: int = 1) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.complex64, generator=torch.Generator().manual_seed(seed))


def test_ccdf_of_a_gaussian_waveform():
    levels = torch.tensor([0.0, 3.0, 6.0, 8.0])
    share = exceedance(gaussian(400_000), levels)
    expected = torch.exp(-(10 ** (levels.double() / 10)))
    torch.testing.assert_close(share, expected, rtol=0.05, atol=1e-5)


def test_papr_of_a_tone_and_of_two():
    time = torch.arange(4096) / 64
    tone = torch.exp(2j * math.pi * time)
    assert float(papr_db(tone)) == pytest.approx(0, abs=1e-6)
    assert float(papr_db(tone + torch.exp(-2j * math.pi * time))) == pytest.approx(10 * math.log10(2), abs=1e-6)


def test_clip_and_filter_lowers_peaks_and_keeps_the_band():
    form = FrameFormat(FrameConfig(tasks_per_frame=8), torch.ones(1, 120, dtype=torch.bool))
    waves = FrameBuilder(form).build(gaussian(4, 1, 8, 120), range(4))
    soft = clip_and_filter(waves, form, limit_db=6.0)
    body = slice(form.sounding_start, None)
    assert float(papr_db(soft[..., body]).max()) < float(papr_db(waves[..., body]).max()) - 1.0
    assert torch.equal(soft[..., : form.sounding_start], waves[..., : form.sounding_start])
    nulls = demodulate(soft[..., body], form.numerology)[..., list(form.numerology.null_bins)]
    assert float(nulls.abs().max()) < 1e-6
    error = (soft - waves).abs().square().mean() / waves.abs().square().mean()
    assert float(error) < 10 ** (-2.3)
    with pytest.raises(ShapeError, match="waves"):
        clip_and_filter(waves[..., 1:], form, limit_db=6.0)


def test_int16_counts_what_is_clipped():
    samples = torch.tensor([0.5 + 0.25j, 1.5 + 0j, 0 - 2j, -0.5 - 0.5j], dtype=torch.complex64)
    codes, clipped, _ = to_int16(samples)
    assert codes.tolist() == [[16384, 8192], [32767, 0], [0, -32768], [-16384, -16384]]
    assert clipped == 2
    halved, clipped, level = to_int16(samples, back_off_db=12.0)
    assert clipped == 0
    assert level == pytest.approx(10 * math.log10((0.3125 + 2.25 + 4 + 0.5) / 4) - 12.0, abs=0.01)
    assert halved.dtype == torch.int16
    # Closed form at −9 dBFS rms: I or Q of a Gaussian beyond full scale.
    _, clipped, _ = to_int16(gaussian(1_000_000) * 10 ** (-9 / 20))
    expected = 2 * math.erfc(10 ** (9 / 20))
    assert clipped / 1e6 == pytest.approx(expected, rel=0.2)


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
    config = FrameConfig(sounding_symbols=0, header_repetitions=0, silent=False, tasks_per_frame=1, preamble_samples=240)
    form = FrameFormat(config, torch.ones(1, 960, dtype=torch.bool))
    payload = gaussian(120, 1, 1, 960)
    waves = torch.nn.functional.pad(FrameBuilder(form).build(payload), (100, 100)).flatten() / form.sample_amplitude
    waves = waves * torch.exp(0.003j * torch.arange(waves.shape[0], dtype=torch.float64)).to(torch.complex64)
    bent = 1.0 * waves + (0.03 + 0.02j) * waves.conj() + 0.01
    plain = ReceiverConfig(max_cfo_hz=3e4, mode="fast")
    errors = []
    for receiver in (plain, plain.model_copy(update={"mixer": estimate_mixer(bent)})):
        frames = Receiver(form, receiver).receive(bent)
        assert len(frames) == 120
        errors.append(evm(frames.symbols, payload[:, 0], form).rms_db)
    assert errors[0] > -30
    assert errors[1] < -40


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
