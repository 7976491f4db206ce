"""Known blocks: what is in them is at the right place, at the right level."""

import numpy as np
import pytest

from hil.watch.measure import BINS, FLOOR_DB, RBW_BINS, levels, spectrum_db
from tests.unit.watch.signals import FORM, FULL_SCALE, TONE_AMPLITUDE, TONE_BIN, digits, ofdm, silence, tone


def test_a_tone_stands_at_its_bin_and_level():
    spectrum = spectrum_db(tone(), FULL_SCALE)
    assert int(spectrum.argmax()) == BINS // 2 + TONE_BIN
    assert spectrum.max() == pytest.approx(20 * np.log10(TONE_AMPLITUDE), abs=0.02)
    away = np.delete(spectrum, np.arange(BINS // 2 + TONE_BIN - 4, BINS // 2 + TONE_BIN + 5))
    assert away.max() < -80  # the window's side lobes, and 12 bits of rounding


def test_a_tone_below_the_carrier_stands_below_it():
    wave = 0.25 * np.exp(-2j * np.pi * 200 / 1024 * np.arange(5000))
    spectrum = spectrum_db(digits(wave), FULL_SCALE)
    assert int(spectrum.argmax()) == BINS // 2 - 200
    assert spectrum.max() == pytest.approx(-12.04, abs=0.05)


def test_white_noise_shows_by_its_power_in_the_bandwidth_that_is_named():
    draw = np.random.default_rng(1)
    power = 0.01
    noise = draw.standard_normal((200_000, 2)) @ [1, 1j] * np.sqrt(power / 2)
    spectrum = spectrum_db(digits(noise), FULL_SCALE)
    mean = 10 * np.log10(np.mean(10 ** (spectrum / 10)))
    assert mean == pytest.approx(10 * np.log10(power * RBW_BINS / BINS), abs=0.15)


def test_ofdm_fills_its_carriers_and_leaves_the_carrier_and_the_edges_empty():
    spectrum = 10 ** (spectrum_db(ofdm(), FULL_SCALE) / 10)
    spacing = BINS // FORM.numerology.fft_size
    middle, edge = BINS // 2, FORM.numerology.active_half * spacing
    inside = np.r_[middle - edge : middle - 2 * spacing, middle + 2 * spacing : middle + edge]
    outside = np.r_[: middle - edge - 2 * spacing, middle + edge + 2 * spacing : BINS]
    assert (
        10 * np.log10(spectrum[inside].mean() / spectrum[outside].mean()) > 12
    )  # symbols begin and end abruptly: sinc² skirts
    assert spectrum[middle] < 0.5 * spectrum[inside].mean()
    assert spectrum[inside].min() > 2 * spectrum[outside].mean()


def test_silence_is_the_floor_and_has_no_level():
    assert (spectrum_db(silence(), FULL_SCALE) == FLOOR_DB).all()
    found = levels(silence(), FULL_SCALE)
    assert (found.rms_dbfs, found.upper_db, found.lower_db, found.dc_dbfs) == (None, None, None, None)
    assert found.clipped == 0


@pytest.mark.parametrize("count", [0, 1, 100, 1023, 1024, 1025, 1600])
def test_short_blocks(count):
    samples = np.full((count, 2), [512, 0], np.int16)
    spectrum = spectrum_db(samples, FULL_SCALE)
    assert spectrum.shape == (BINS,)
    assert np.isfinite(spectrum).all()
    if count:
        assert spectrum[BINS // 2] == spectrum.max()
        assert spectrum.max() == pytest.approx(-12.04, abs=0.02)
    else:
        assert levels(samples, FULL_SCALE).rms_dbfs is None


def test_level_is_of_both_parts_and_room_is_to_each_rail():
    found = levels(np.array([[1024, 0], [0, 512], [-256, 0], [0, 0]], np.int16), FULL_SCALE)
    assert found.rms_dbfs == pytest.approx(10 * np.log10((0.25 + 0.0625 + 1 / 64) / 4))
    assert found.upper_db == pytest.approx(20 * np.log10(2047 / 1024))
    assert found.lower_db == pytest.approx(20 * np.log10(2048 / 256))


def test_clipping_is_counted_at_each_rail():
    samples = np.array([[2047, 0], [2047, -2048], [5, -2047], [2046, 0]], np.int16)
    found = levels(samples, FULL_SCALE)
    assert (found.clipped_high, found.clipped_low, found.clipped) == (2, 2, 3)
    assert (found.upper_db, found.lower_db) == (0, 0)


def test_driven_into_the_rails():
    found = levels(ofdm(amplitude=6.0), FULL_SCALE)
    assert found.clipped_high > 100
    assert found.clipped_low > 100
    assert (found.upper_db, found.lower_db) == (0, 0)
