"""Transmitters on free oscillators sent as if on one: shifted and stretched as far as their oscillator is off."""

import numpy as np
import pytest
import torch

from hil.calibration.align_clocks import ClockMatch, resampled

RATE, CENTER = 1e6, 2.45e9


@pytest.mark.parametrize("frequency", [0.0, 0.2, -0.43])
def test_a_tone_is_read_between_its_samples(frequency):
    places = np.arange(9000)
    found = resampled(np.exp(2j * np.pi * frequency * places).astype(np.complex64), 1 - 40e-6)
    error = np.abs(found - np.exp(2j * np.pi * frequency * places * (1 - 40e-6)))[64:-64]
    assert error.max() < 4e-4  # the nearest of 4096 fractions


def test_two_radios_sound_as_one():
    """Sent matched, through each one's oscillator, the same tones arrive alike; unmatched they are tens of kHz apart."""
    offsets = (34e3, -22e3)
    match = ClockMatch(offsets_hz=offsets, sample_rate_hz=RATE, center_freq_hz=CENTER)
    assert match.shifts_hz == pytest.approx([28e3, -28e3])
    time = np.arange(8000) / RATE
    tone = np.exp(2j * np.pi * 150e3 * time)
    sent = match(torch.from_numpy(np.stack([tone, tone]).astype(np.complex64))).numpy()
    heard = []
    for waveform, offset in zip(sent, offsets, strict=True):  # a converter that runs fast plays each sample sooner
        played = resampled(waveform, 1 + offset / CENTER)
        heard.append(played * np.exp(2j * np.pi * offset * time))
    expected = np.exp(2j * np.pi * (150e3 * (1 + 6e3 / CENTER) + 6e3) * time)  # the mean oscillator
    for one in heard:
        assert np.abs(one - expected)[100:-100].max() < 2e-3


def test_what_drifts_is_followed_and_what_does_not_is_left():
    match = ClockMatch(offsets_hz=(100.0, -100.0), sample_rate_hz=RATE, center_freq_hz=CENTER)
    assert match.follow([3.0, -3.0]) is match
    assert match.follow([]) is match
    assert match.follow([float("nan"), 2.0]) is match
    assert match.follow([1050.0, 950.0]).shifts_hz == pytest.approx([150.0, -150.0])
