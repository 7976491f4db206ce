"""The order in which points share the air: random, reproducible, and at any time all of them equally far."""

import pytest
import torch

from hil.points.order import in_order, pieces
from tests.unit.points.synthetic import spec_of, turns

ALONE = spec_of(turns(8), tasks=144, per_frame=6)
SHORT = spec_of(turns(8), tasks=48, per_frame=6)
ALIGNED = spec_of(torch.ones(2, 8, dtype=torch.bool), tasks=144, per_frame=6, alignments=4)
KNOWING = spec_of(torch.ones(2, 8, dtype=torch.bool), tasks=144, per_frame=6, alignments=4, aligned=False)


def frames(slots, point):
    return [index for slot in slots if slot.point == point for index in slot.frames]


def test_a_point_is_sent_frame_by_frame_and_an_aligned_one_by_the_share_of_each_alignment():
    assert pieces(ALONE) == [range(index, index + 1) for index in range(24)]
    assert pieces(ALIGNED) == [range(0, 6), range(6, 12), range(12, 18), range(18, 24)]
    assert pieces(KNOWING) == pieces(ALONE)  # the receiver knows the channel: nothing is aligned
    few = spec_of(torch.ones(2, 8, dtype=torch.bool), tasks=12, per_frame=6, alignments=4)
    assert pieces(few) == [range(0, 1), range(1, 2)]


def test_each_visit_sends_its_share():
    twice = ALONE.model_copy(update={"repeats": 2})
    assert pieces(twice, 0) + pieces(twice, 1) == pieces(ALONE)
    assert [piece.start for piece in pieces(ALIGNED.model_copy(update={"repeats": 3}), 2)] == [16, 18, 20, 22]


def test_every_frame_is_sent_once_and_each_points_own_stay_in_order():
    slots = in_order([ALONE, SHORT, ALIGNED], seed=1)
    assert [frames(slots, point) for point in range(3)] == [list(range(24)), list(range(8)), list(range(24))]


def test_the_order_is_the_seeds():
    orders = [in_order([ALONE, KNOWING], seed=seed, visit=visit) for seed, visit in ((1, 0), (1, 0), (2, 0))]
    assert orders[0] == orders[1] != orders[2]
    twice = [one.model_copy(update={"repeats": 2}) for one in (ALONE, KNOWING)]
    first, second = (in_order(twice, seed=1, visit=visit) for visit in (0, 1))
    assert [slot.point for slot in first] != [slot.point for slot in second]


@pytest.mark.parametrize("seed", range(5))
def test_no_point_runs_ahead(seed):
    """Piece k of n comes in the k-th n-th of the time, so at any time shares sent differ by less than two pieces'."""
    specs = [ALONE, SHORT, ALIGNED]
    sent = [0, 0, 0]
    for slot in in_order(specs, seed=seed):
        sent[slot.point] += len(slot.frames)
        shares = [count / spec.frames for count, spec in zip(sent, specs, strict=True)]
        assert max(shares) - min(shares) < 1 / 4 + 1 / 4


def test_it_is_no_fixed_turn():
    slots = in_order([ALONE, KNOWING], seed=3)
    firsts = [slots[2 * turn].point for turn in range(24)]
    assert 4 < sum(firsts) < 20


def test_one_after_the_other_where_that_is_asked_for():
    slots = in_order([ALONE, SHORT], seed=1, interleave=False)
    assert [slot.point for slot in slots] == [0] * 24 + [1] * 8
    assert [slot.point for slot in in_order([ALONE], seed=1)] == [0] * 24
