"""Peaks of what was sent, against the closed forms of a Gaussian waveform."""

import math

import numpy as np
import pytest
import torch

from hil.channel.frontend import clip_probability
from hil.points.carried import Carried
from hil.points.peaks import PEAKS, PeakMeter, peak_keys, stored_peaks
from tests.unit.points.synthetic import spec_of, turns


def gaussian(spec, scale=1.0):
    shape = (len(spec.occupied), spec.tasks, len(spec.occupied[0]))
    symbols = torch.randn(*shape, dtype=torch.complex64, generator=torch.Generator().manual_seed(4))
    return scale * symbols * spec.occupancy[:, None]


def measured(spec, symbols, **more):
    meter, carried = PeakMeter(spec, **more), Carried.of(spec, symbols, None, None)
    for index in range(spec.frames):
        number = spec.first_frame + index
        meter.add(carried.frame(index, number), number)
    return meter.found()


def test_a_gaussian_waveform_has_its_closed_forms_and_no_part_but_the_payload_counts():
    spec = spec_of(turns(480), tasks=96, per_frame=16)
    found = measured(spec, gaussian(spec))
    assert found[0, 0] == pytest.approx(10 * math.log10(math.log(1000)), abs=0.15)  # exp(−x) = 0.1 %
    assert found[0, 0] < found[0, 1] < 13
    assert found[0, 2] <= 1e-4
    loud = measured(spec, gaussian(spec, 2.0))
    rms = math.sqrt((48 * 4 + 4) / 52) * 10 ** (-12 / 20)  # pilots are not louder
    assert loud[0, 2] == pytest.approx(clip_probability(rms), rel=0.15)
    quiet = measured(spec, gaussian(spec, 2.0), back_off_db=[10 * math.log10(4)])
    assert quiet[0, 2] == pytest.approx(found[0, 2], abs=1e-4)


def test_transmitters_that_take_turns_are_each_looked_at_where_they_send():
    spec = spec_of(turns(96, 2), tasks=24, per_frame=12, opening_symbols=40)
    symbols = gaussian(spec)
    symbols[1] = symbols[1] / symbols[1].abs().clamp_min(1e-9) * spec.occupancy[1]
    found = measured(spec, symbols)
    assert found.shape == (2, 3)
    assert np.isfinite(found).all()
    assert (found[:, 0] > 6).all()  # silence beside it would make the mean power less and the level higher
    assert (found[:, 0] < 9.5).all()


def test_rows_say_it_by_transmitter_and_nothing_where_it_is_not_known():
    stored = {PEAKS: np.array([[8.391, 11.2222, 0.0], [np.nan, np.nan, np.nan]])}
    assert stored_peaks(stored) == {"papr_db": [8.39, None], "peak_db": [11.22, None], "tx_clipped_share": [0.0, None]}
    assert stored_peaks({}) == peak_keys(None) == {"papr_db": None, "peak_db": None, "tx_clipped_share": None}
    assert np.isnan(PeakMeter(spec_of(turns(48))).found()).all()
