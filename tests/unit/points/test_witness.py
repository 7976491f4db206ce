"""Whose errors are looked into: those beyond the point's noise, and those that sit on some carriers."""

import numpy as np
import pytest

from hil.points.receive import Collector
from tests.unit.points.synthetic import Air, spec_of, turns, unit_symbols


def judged(*, noise=1.0, tone=0.0):
    """The truth of a frame where the point's noise was so many times its own, and whether its errors were made for it."""
    spec = spec_of(turns(24), tasks=160, per_frame=160)
    sent = unit_symbols(spec)
    samples = Air(spec, snr_db=10.0).burst(0, sent)
    wave = tone * np.exp(2j * np.pi * 5 / 64 * np.arange(len(samples)))
    samples = samples + np.stack([wave.real, wave.imag], 1).astype(np.int16)
    collector = Collector(spec, sent)
    (frame,) = collector._usual.receiver.receive(samples, full_scale=32768.0)
    seen, asked = collector._place(frame, 100), []

    def target():
        asked.append(True)
        return collector._expected_of(slice(0, 160))

    own = samples[frame.start : frame.start + collector.form.samples]
    truth = collector._usual.witness.judge(frame, seen, own, noise * frame.noise, target)
    assert seen.left == pytest.approx(float(np.square(np.abs(frame.symbols.numpy() - target())).sum()), rel=1e-4)
    return truth, len(asked) > 1


def test_errors_beyond_the_points_noise_are_looked_into():
    truth, asked = judged(noise=0.5)
    assert asked
    assert truth.signature is not None


def test_errors_that_the_points_noise_explains_are_not():
    truth, asked = judged(noise=1.5)
    assert not asked
    assert truth.signature is None
    assert truth.over(truth.noise) == pytest.approx(max(truth.observed, truth.true) * truth.looks / (truth.looks - 1))


def test_a_tone_is_seen_whatever_the_noise():
    truth, _ = judged(noise=10.0, tone=2000.0)
    assert truth.signature is not None
    assert truth.signature.tone > 0.3
