"""Detection against its bounds: false alarms, low SNR, any frequency; both kernels find the same."""

import math

import numpy as np
import pytest
import torch

from hil.errors import ShapeError
from hil.phy.detector import Detector, threshold_for
from hil.phy.preamble import design
from tests.unit.phy.signals import noise

PREAMBLE = design(240, 1, 26.6 / 64)


def scene(snr_db: float, span: float, *, count: int, seed: int = 6):
    """Noise of power 1 with preambles every 600 samples; samples, places, frequencies (cycles a sample)."""
    draw = np.random.default_rng(3)
    power = 10 ** (snr_db / 10) * 52 / 64
    samples = noise(count * 600 + 34_000, 1.0, seed).numpy()
    places = 500 + 600 * np.arange(count)
    offsets = draw.uniform(-span, span, count) / 64
    for place, offset in zip(places, offsets, strict=True):
        samples[place : place + 240] += math.sqrt(power) * PREAMBLE.samples * np.exp(2j * math.pi * offset * np.arange(240))
    return samples, places, offsets


def test_detection_threshold_holds_on_noise():
    """P(metric > t) = (1 − t/L)^(L−1), checked at a rate that 4e5 samples can show."""
    length, rate = 240, 1e-3
    samples, template = noise(400_000, 1.0, 11), torch.from_numpy(PREAMBLE.samples).to(torch.complex64)
    size = 1 << 19
    spectrum = torch.fft.fft(samples, size) * torch.fft.fft(template, size).conj()
    strength = torch.fft.ifft(spectrum)[: len(samples) - length + 1].abs().square()
    total = torch.nn.functional.pad(samples.abs().double().square().cumsum(0), (1, 0))
    metric = strength / (template.abs().square().sum() * (total[length:] - total[:-length]) / length)
    share = float((metric > threshold_for(rate, length, 1)).double().mean())
    assert share == pytest.approx(rate, rel=0.25)


@pytest.mark.parametrize("fast", [True, False])
def test_false_alarms_on_a_shared_reference_are_as_rare_as_asked(fast):
    """One hypothesis, two delays: at 1e-5 a sample, 2e6 samples of noise give at most 20, and some."""
    if fast:
        pytest.importorskip("numba")
    detector = Detector(PREAMBLE, mode="sensitive", max_cfo=0.0, false_alarm=1e-5, fast=fast)
    samples = noise(2_000_000, 1.0, 2).numpy().view(np.float32)
    blocks = range(300, 1_980_000, detector.positions)
    found = [hit for first in blocks for hit in detector.block(samples, first)]
    assert 5 <= len(found) <= 30  # a mean of 20, less what only exceeds on the grid's neighbour


@pytest.mark.parametrize(("mode", "snr_db"), [("fast", 0.0), ("sensitive", -5.0)])
def test_detection_and_cfo_at_low_snr(mode, snr_db):
    """All of 25 preambles at the mode's SNR with any CFO; the error's RMS stays within 1.3 of the bound."""
    detector = Detector(PREAMBLE, mode=mode, max_cfo=2 / 64, false_alarm=5e-10)
    samples, places, offsets = scene(snr_db, 2.0, count=25)
    found = detector.block(samples.view(np.float32), 300)
    best = [max((f for f in found if abs(f.position - p) <= 3), key=lambda f: f.metric, default=None) for p in places]
    assert sum(item is not None for item in best) >= places.size - 1
    assert detector.false_alarm(detector.threshold) == pytest.approx(5e-10, rel=0.05)
    errors = [item.cfo - offset for item, offset in zip(best, offsets, strict=True) if item is not None]
    power = 10 ** (snr_db / 10) * 52 / 64
    bound = math.sqrt(6 / (240 * (240**2 - 1) * power)) / (2 * math.pi)
    assert math.sqrt(np.mean(np.square(errors))) < 1.3 * bound * (1.15 if snr_db < -3 else 1)


@pytest.mark.parametrize(("mode", "span"), [("fast", 2.0), ("sensitive", 2.0), ("sensitive", 0.05), ("sensitive", 0.0)])
def test_kernels_find_the_same(mode, span):
    pytest.importorskip("numba")
    samples, places, _ = scene(2.0, span, count=20)
    both = [
        sorted(
            Detector(PREAMBLE, mode=mode, max_cfo=span / 64, false_alarm=1e-9, fast=fast).block(samples.view(np.float32), 300)
        )
        for fast in (True, False)
    ]
    assert len(both[0]) >= places.size
    assert [(hit.position, hit.half) for hit in both[0]] == [(hit.position, hit.half) for hit in both[1]]
    for one, other in zip(*both, strict=True):
        assert one.metric == pytest.approx(other.metric, rel=1e-4)
        assert one.cfo == pytest.approx(other.cfo, abs=1e-8)


@pytest.mark.parametrize("fast", [True, False])
@pytest.mark.parametrize("mode", ["fast", "sensitive"])
def test_a_part_of_a_block_is_found_to_the_bit(fast, mode):
    if fast:
        pytest.importorskip("numba")
    detector = Detector(PREAMBLE, mode=mode, max_cfo=0.3 / 64, false_alarm=1e-9, fast=fast)
    samples, _, _ = scene(2.0, 0.3, count=20)
    whole = detector.block(samples.view(np.float32), 300)
    for count in (1, 700, 2500, 9000):
        part = detector.block(samples.view(np.float32), 300, count=count)
        sure = [hit for hit in whole if hit.position < 300 + count - 30]
        assert [hit for hit in part if hit.position < 300 + count - 30] == sure


def test_blocks_need_samples_around_them():
    detector = Detector(PREAMBLE, mode="fast", max_cfo=0.03, false_alarm=1e-9)
    with pytest.raises(ShapeError, match="samples"):
        detector.block(np.zeros(2000, np.float32), 300)
    with pytest.raises(ShapeError, match="samples"):
        detector.block(np.zeros(200_000, np.float32), 30)
