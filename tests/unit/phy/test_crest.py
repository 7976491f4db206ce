"""Peaks on their way to a converter."""

import math

import pytest
import torch

from hil.errors import ShapeError
from hil.phy.crest import clip_and_filter, exceedance, papr_db, to_int16
from hil.phy.frame import FrameConfig, FrameFormat
from hil.phy.ofdm import demodulate
from hil.phy.transmit import FrameBuilder


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
