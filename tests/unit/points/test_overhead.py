"""Channel uses a task with all that is sent for it."""

import pytest

from hil.points.overhead import FIRST_SOUNDING, alignment_samples, uses_with_overhead
from tests.unit.points.synthetic import spec_of, turns


def test_every_sample_of_every_frame_is_counted():
    spec = spec_of(turns(24), tasks=24, per_frame=6)
    form, numerology = spec.format(), spec.frame.numerology
    symbols = 4 * form.samples / numerology.symbol_samples  # OFDM symbols' time
    assert uses_with_overhead(spec) == pytest.approx(symbols * numerology.active / 24)
    assert uses_with_overhead(spec) > 24  # more than q


def test_larger_frames_have_less_overhead_and_fillers_count():
    small, large = spec_of(turns(24), tasks=24, per_frame=6), spec_of(turns(24), tasks=24, per_frame=24)
    assert uses_with_overhead(large) < uses_with_overhead(small)
    filled = spec_of(turns(24), tasks=25, per_frame=24)  # a second frame for one task
    assert uses_with_overhead(filled) == pytest.approx(uses_with_overhead(large) * 2 * 24 / 25)


def test_alignment_is_shared_by_the_points_tasks():
    spec = spec_of(turns(24, 2), tasks=24)
    numerology = spec.frame.numerology
    samples = alignment_samples(spec, 2)
    assert samples > 2 * FIRST_SOUNDING * numerology.symbol_samples
    more = uses_with_overhead(spec, samples) - uses_with_overhead(spec)
    assert more == pytest.approx(samples / numerology.symbol_samples * numerology.active / 24)
