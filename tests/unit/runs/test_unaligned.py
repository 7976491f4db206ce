"""Superposed symbols on free oscillators: said, in one line, and only there."""

import torch

from hil.calibration.links import LinkCalibration
from hil.radios.bench import find_bench
from hil.runs.unaligned import superposed_on_free_oscillators

SHARED = torch.ones(2, 4, dtype=torch.bool)
TURNS = torch.tensor([[True, True, False, False], [False, False, True, True]])
LINKS = [
    LinkCalibration(tx=tx, receiver="rx", gain_db=0, snr_db=15, snr_db_std=0.1, cfo_hz=cfo, noise_dbfs=-70, frames=40)
    for tx, cfo in enumerate((49e3, -7.35e3))
]


def said(occupied, bench, rx_csi="none"):
    return superposed_on_free_oscillators("symbols are", occupied, rx_csi, find_bench(bench), LINKS, 15625.0)


def test_only_superposed_symbols_on_free_oscillators_are_warned_of():
    warned = said(SHARED, "independent")
    assert "56,350 Hz (3.61 carriers) apart" in warned
    assert "a decoder must know h" in warned
    assert "\n" not in warned
    assert said(TURNS, "independent") is None
    assert said(SHARED, "builtin") is None
    assert said(TURNS, "builtin") is None


def test_a_receiver_that_is_told_the_channel_is_in_no_danger():
    assert said(SHARED, "independent", "channel").endswith("its receiver is told each h_k")
