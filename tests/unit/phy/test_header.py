"""The header's code: its bound, and both forms of its kernels."""

import math

import numpy as np
import pytest

from hil.errors import ShapeError
from hil.phy import header
from tests.unit.phy.signals import noise


def test_header_bound_and_repetitions():
    assert header.repetitions_for(-6) == 2
    assert header.word_error_bound(10 ** (-0.6), 2) < 1e-3 < header.word_error_bound(10 ** (-1.3), 2)
    snr, wrong, tries = 10 ** (-0.65), 0, 1500
    for number in range(tries):
        sent = header.encode(number * 43, 1)
        decoded, _ = header.decode(sent + noise(len(sent), 1 / snr, number))
        wrong += decoded != number * 43
    bound = header.word_error_bound(snr, 1)
    assert wrong / tries <= bound
    assert wrong / tries >= bound / 6  # the union bound is not vacuous here
    with pytest.raises(ShapeError, match="65535"):
        header.encode(70_000, 1)


@pytest.mark.parametrize("repetitions", [1, 2, 3, 7])
def test_compiled_code_and_decoder_are_the_same(repetitions):
    kernels = pytest.importorskip("hil.phy.header_numba")
    data = np.arange(3, 51)
    targets, weight = np.arange(192 * repetitions)[::-1].copy(), np.full(192 * repetitions, 2 + 1j, np.complex64)
    rows = -(-192 * repetitions // 48)
    for number in (0, 1, 255, 256, 40_001, 65_535):
        sent = header.encode(number, repetitions).numpy()
        made = np.zeros(192 * repetitions, np.complex64)
        kernels.encode(number, repetitions, header.words(), header.scramble(), targets, weight, made)
        np.testing.assert_allclose(made[::-1], sent * (2 + 1j), atol=1e-6)
        heard = sent + noise(len(sent), 3.0, number).numpy()
        grid = np.zeros((rows + 2, 52), np.complex64)
        cells = np.arange(len(sent))
        grid[2 + cells // 48, data[cells % 48]] = heard
        response = np.full(52, 0.5j, np.complex64)
        parts = (np.ascontiguousarray(part, np.float32) for part in (grid.real, grid.imag, response.real, response.imag))
        found, margin = kernels.decode(*parts, 2, repetitions, data, 0.0, 0.0, header.words(), header.scramble())
        expected, plain = header.decode(heard * np.conj(0.5j))
        assert found == (-1 if expected is None else expected)
        assert margin == pytest.approx(plain, rel=1e-5)
        assert not math.isnan(margin)
