"""Counter-based Gaussian noise: moments, distribution, tails, independence, and the same bits from both implementations."""

import math

import numpy as np
import pytest
from scipy import stats

from hil.channel import fast
from hil.channel.fast import available
from hil.channel.gaussian import complex_gaussian, real_gaussian, stream_key, words
from hil.errors import DriverMissingError

PATHS = [pytest.param(True, marks=pytest.mark.skipif(not available(), reason="numba is not installed")), False]
N = 1 << 20


@pytest.fixture(scope="module", params=PATHS, ids=lambda fast: "fast" if fast else "plain")
def noise(request: pytest.FixtureRequest) -> np.ndarray:
    return complex_gaussian(7, "noise", 0, N, fast=request.param)


def test_words_are_numpys_philox() -> None:
    key = stream_key(3, "s")
    got = words(key, 8, 8)
    reference = np.random.Philox(key=key[:2], counter=np.array([(1 << 62) + 1, key[2], key[3], 0], dtype=np.uint64)).random_raw(
        8
    )
    assert (got == reference).all()
    assert (words(key, 10, 3) == got[2:5]).all()


@pytest.mark.skipif(not available(), reason="numba is not installed")
@pytest.mark.parametrize(("start", "n"), [(0, 1), (-7, 5000), (123_456_789_012, 1000), (3, 256), (-1 << 40, 777)])
def test_both_implementations_give_the_same_bits(start: int, n: int) -> None:
    fast, plain = (complex_gaussian(1, "a", start, n, 0.3, fast=value) for value in (True, False))
    assert (fast.view(np.uint32) == plain.view(np.uint32)).all()
    assert (real_gaussian(1, "a", start, n, fast=True) == real_gaussian(1, "a", start, n, fast=False)).all()


@pytest.mark.parametrize("fast", PATHS)
def test_any_slice_is_the_same(fast: bool) -> None:
    whole = complex_gaussian(2, "a", -1000, 9000, fast=fast)
    for start, n in ((-1000, 1), (-3, 6), (17, 4096), (7000, 1000), (0, 0)):
        assert (complex_gaussian(2, "a", start, n, fast=fast) == whole[start + 1000 :][:n]).all()
    real = real_gaussian(2, "a", -10, 100, fast=fast)
    assert (real_gaussian(2, "a", 5, 33, fast=fast) == real[15:48]).all()


def test_without_numba_the_kernels_are_refused_or_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fast, "available", lambda: False)
    assert fast.kernels() is None
    with pytest.raises(DriverMissingError, match=r"hil\[fast\]"):
        complex_gaussian(1, "a", 0, 4, fast=True)

    def broken(name: str) -> None:
        raise RuntimeError("no locator")

    monkeypatch.setattr(fast, "available", lambda: True)
    monkeypatch.setattr(fast.importlib, "import_module", broken)
    assert fast.kernels() is None
    with pytest.raises(DriverMissingError, match="no locator"):
        fast.kernels(True)


def test_moments(noise: np.ndarray) -> None:
    for part in (noise.real, noise.imag):
        z = part.astype(np.float64) * math.sqrt(2)
        assert abs(z.mean()) < 4 / math.sqrt(N)
        assert (z**2).mean() == pytest.approx(1, abs=4 * math.sqrt(2 / N))
        assert (z**3).mean() == pytest.approx(0, abs=4 * math.sqrt(15 / N))
        assert (z**4).mean() == pytest.approx(3, abs=4 * math.sqrt(96 / N))
        assert (z**6).mean() == pytest.approx(15, abs=4 * math.sqrt(10170 / N))
    assert abs((noise.astype(np.complex128) ** 2).mean()) < 4 / math.sqrt(N)  # circular
    assert (noise.real * noise.imag).mean() == pytest.approx(0, abs=2 / math.sqrt(N))


def test_distribution(noise: np.ndarray) -> None:
    for part in (noise.real, noise.imag):
        assert stats.kstest(part * math.sqrt(2), "norm").pvalue > 1e-4
    power = np.abs(noise.astype(np.complex128)) ** 2
    assert stats.kstest(power, "expon").pvalue > 1e-4
    assert stats.kstest(np.angle(noise) / (2 * math.pi) + 0.5, "uniform").pvalue > 1e-4


def test_tails_to_five_sigma() -> None:
    n = 16_000_000
    counts = np.zeros(3)
    levels = np.array([3.0, 4.0, 5.0])
    for start in range(0, n, N):
        z = np.abs(complex_gaussian(11, "tail", start, N).view(np.float32)) * math.sqrt(2)
        counts += [(z > level).sum() for level in levels]
    draws = 2 * N * math.ceil(n / N)
    for level, count in zip(levels, counts, strict=True):
        expected = draws * math.erfc(level / math.sqrt(2))
        assert count == pytest.approx(expected, abs=4.5 * math.sqrt(expected)), level


def test_blocks_and_streams_are_independent(noise: np.ndarray) -> None:
    def correlation(a: np.ndarray, b: np.ndarray) -> float:
        return abs(np.vdot(a, b)) / len(a)

    for lag in (1, 2, 3, 4, 5, 256, 16384):
        assert correlation(noise[lag:], noise[:-lag]) < 5 / math.sqrt(N - lag)
        power = np.abs(noise) ** 2 - 1
        assert correlation(power[lag:], power[:-lag]) < 5 / math.sqrt(N - lag)
    for seed, stream in ((7, "other"), (8, "noise"), (-7, "noise")):
        assert correlation(noise, complex_gaussian(seed, stream, 0, N)) < 5 / math.sqrt(N)
