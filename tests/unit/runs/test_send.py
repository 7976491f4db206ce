"""A stranger's symbols before they are sent: which uses are theirs, and their power."""

import numpy as np
import pytest

from hil.errors import ShapeError
from hil.runs.send import normalised, occupied_uses


def test_a_use_that_is_zero_in_all_tasks_is_nobodys():
    symbols = np.zeros((2, 3, 4), np.complex64)
    symbols[0, 0, 0] = symbols[0, 2, 1] = symbols[1, 1, 3] = 1
    assert occupied_uses(symbols).tolist() == [[True, True, False, False], [False, False, False, True]]
    symbols[1] = 0
    with pytest.raises(ShapeError, match="transmitter 1 sends nothing"):
        occupied_uses(symbols)


def test_power_is_one_or_made_so():
    draw = np.random.default_rng(0)
    symbols = (draw.normal(size=(2, 50, 6)) + 1j * draw.normal(size=(2, 50, 6))).astype(np.complex64)
    symbols[0, :, 3:] = 0  # these do not count
    with pytest.raises(ShapeError, match=r"must be 1 for every transmitter, not .*--normalize"):
        normalised(symbols, force=False)
    scaled, scale = normalised(symbols, force=True)
    assert scaled.dtype == np.complex64
    for row, used, factor, before in zip(scaled, (slice(3), slice(6)), scale, symbols, strict=True):
        assert np.mean(np.abs(row[:, used]) ** 2) == pytest.approx(1, rel=1e-5)
        assert np.allclose(row * factor, before, rtol=1e-5)
    again, ones = normalised(scaled, force=False)
    assert again.dtype == np.complex64
    assert again.tobytes() == scaled.tobytes()  # nothing is changed within 1 %
    assert ones == [1.0, 1.0]


@pytest.mark.parametrize("amplitude", [1e-300, 1e-160, 1e-40, 1e-18, 1e-3, 1.0, 1e20, 1e39, 1e160, 1e300])
def test_any_magnitude_is_made_one(amplitude):
    """Scaled by the largest part first: neither |x|² nor float32 can over- or underflow on the way."""
    draw = np.random.default_rng(0)
    unit = draw.normal(size=(2, 20, 5)) + 1j * draw.normal(size=(2, 20, 5))
    unit[1] *= 3
    scaled, scale = normalised(unit * amplitude, force=True)
    rms = np.sqrt((np.abs(unit) ** 2).mean((1, 2)))
    np.testing.assert_allclose(scaled, unit / rms[:, None, None], rtol=1e-6)
    np.testing.assert_allclose(scale, rms * amplitude, rtol=1e-12)
    if amplitude != 1.0:
        with pytest.raises(ShapeError, match=r"must be 1 for every transmitter, not .*--normalize"):
            normalised(unit * amplitude, force=False)


def test_transmitters_of_very_different_power_are_each_made_one():
    both = np.ones((2, 3, 4), complex)
    both[0] *= 1e-200
    both[1] *= 1e200
    scaled, scale = normalised(both, force=True)
    np.testing.assert_array_equal(scaled, np.ones((2, 3, 4)))
    np.testing.assert_allclose(scale, [1e-200, 1e200])


def test_what_cannot_be_heard_is_silence_and_does_not_count():
    faint = np.ones((1, 3, 4), complex)
    faint[:, :, 2] = 1e-50
    scaled, _ = normalised(faint, force=True)
    assert (scaled[:, :, 2] == 0).all()
    assert np.mean(np.abs(scaled[:, :, [0, 1, 3]]) ** 2) == pytest.approx(1)
    with pytest.raises(ShapeError, match="transmitter 1 sends nothing"):
        normalised(np.stack([faint[0], 0 * faint[0]]), force=True)
    with pytest.raises(ShapeError, match=r"1\.8e308"):
        normalised(np.full((1, 2, 3), 1.7e308 * (1 + 1j)), force=True)
