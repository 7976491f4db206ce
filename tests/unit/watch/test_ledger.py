"""Counts and lines along the bursts are the ledger's own."""

import numpy as np

from hil.captures import FrameStatus, ledger_dtype
from hil.watch.ledger import HISTORY, Tally, counts, history


def rows(statuses, receivers=None):
    table = np.zeros(len(statuses), ledger_dtype(2))
    table["status"], table["burst"] = statuses, np.arange(len(statuses))
    table["receiver"] = 0 if receivers is None else receivers
    table["snr_db"] = np.stack([np.arange(len(statuses)), np.full(len(statuses), np.nan)], axis=1)
    return table


def test_every_status_is_found_or_lost_but_for_frames_of_which_nothing_is_known():
    for status in FrameStatus:
        found = counts(rows([status]))
        assert found["found"] + found["lost"] == (status != FrameStatus.SENT)


def test_counts():
    some = rows(
        [FrameStatus.SCORED, FrameStatus.DECODED, FrameStatus.LOST, FrameStatus.LATE, FrameStatus.OVERFLOW, FrameStatus.GATED]
    )
    some["clipped"][:2] = 7
    assert counts(some) == {"found": 3, "lost": 3, "late": 1, "overflow": 1, "gated": 1, "clipped": 2}


def test_a_tally_of_one_receiver_counts_each_row_once():
    table = rows([FrameStatus.SCORED, FrameStatus.LOST] * 10, [0, 0, 1, 1] * 5)
    tally = Tally()
    for end in (0, 3, 4, 11, 11, 20):
        own = table[:end][table["receiver"][:end] == 1]
        assert tally.take(table[:end], 1)["found"] == counts(own)["found"]
    assert tally.take(table, 1) == counts(table[table["receiver"] == 1])


def test_a_line_has_each_frame_at_its_burst_s_place():
    table = rows([FrameStatus.SCORED, FrameStatus.SCORED, FrameStatus.LOST, FrameStatus.SCORED], [0, 1, 0, 0])
    line = history(table, 0, np.array([0, 2, 3]))
    assert (line["x"], line["lost"], line["every"]) == ([0, 1, 2], [1], 1)
    assert line["snr"] == [[0, 2, 3], [None, None, None]]


def test_a_long_line_is_thinned_to_frames_that_there_are():
    table = rows([FrameStatus.SCORED] * 2500)
    line = history(table, 0, np.arange(2500))
    assert line["every"] == 7
    assert len(line["x"]) <= HISTORY
    assert line["snr"][0] == [float(one) for one in line["x"]]
