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
    assert again is scaled  # nothing is changed within 1 %
    assert ones == [1.0, 1.0]
