"""What errors look like, on errors made by hand."""

import numpy as np
import pytest

from hil.points.signature import signature_of

CARRIERS = np.array([*range(-26, 0), *range(1, 27)], float)
SYMBOLS = 108
SAMPLES = np.zeros((0, 2), np.int16)


def drawn(gains, noise=0.05, seed=1):
    """Signature of errors x g + n; g [symbol, carrier]."""
    rng = np.random.default_rng(seed)
    x, n = ((rng.standard_normal((2, SYMBOLS, 52)) * 0.5**0.5) for _ in range(2))
    sent, other = x[0] + 1j * x[1], n[0] + 1j * n[1]
    return signature_of((gains * sent + noise * other).astype(np.complex64), sent.astype(np.complex64), CARRIERS, SAMPLES)


def test_a_gain_that_turns_from_the_sounding_on_is_drift():
    time = (np.arange(SYMBOLS)[:, None] + 20) / SYMBOLS  # sounded 20 symbols before
    found = drawn(0.3j * time * np.ones((1, 52)))
    assert found.drift > 0.9
    assert found.drift > 10 * found.path


@pytest.mark.parametrize("seed", range(5))
def test_gains_that_stand_still_are_a_paths_though_their_mean_is_not_0(seed):
    """Half of the power is a common gain, half turns over the carriers: neither moves."""
    turning = np.exp(2j * np.pi * 14 * CARRIERS / 64)
    found = drawn((0.32 + 0.3 * turning) * np.ones((SYMBOLS, 1)), seed=seed)
    assert found.path > 0.4
    assert found.drift < 0.05
