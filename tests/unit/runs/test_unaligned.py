"""Superposed symbols on free oscillators: said, in one line, and only there."""

import pytest
import torch

from hil.calibration.links import LinkCalibration
from hil.radios.bench import find_bench
from hil.runs.unaligned import superposed_on_free_oscillators
from tests.unit.points.synthetic import spec_of

SHARED = torch.ones(2, 4, dtype=torch.bool)
TURNS = torch.tensor([[True, True, False, False], [False, False, True, True]])
LINKS = [
    LinkCalibration(tx=tx, receiver="rx", gain_db=0, snr_db=15, snr_db_std=0.1, cfo_hz=cfo, noise_dbfs=-70, frames=40)
    for tx, cfo in enumerate((49e3, -7.35e3))
]


def said(occupied, bench, *, told=False, match=False):
    spec = spec_of(occupied, tasks=96, aligned=False).model_copy(update={"match_clocks": match})
    return superposed_on_free_oscillators("symbols are", spec, find_bench(bench), LINKS, told=told)


def test_only_superposed_symbols_on_free_oscillators_are_warned_of():
    warned = said(SHARED, "independent")
    assert "56,350 Hz (3.61 carriers) apart, and nothing keeps" in warned
    assert "a decoder must know h" in warned
    assert "\n" not in warned
    assert "taken out before sending" in said(SHARED, "independent", match=True)


@pytest.mark.parametrize(("occupied", "bench"), [(TURNS, "independent"), (SHARED, "builtin"), (TURNS, "builtin")])
def test_nothing_is_said_of_anything_else(occupied, bench):
    assert said(occupied, bench) is None


def test_a_receiver_that_is_told_the_channel_is_in_no_danger():
    assert said(SHARED, "independent", told=True).endswith("the receiver is told each h_k")
