"""Answers of which single views were given up: ranked by those that are left, with the task's own junk."""

import math

import pytest
import torch

from hil.errors import ShapeError
from hil.goals.retrieval.partial import PartialRanker
from hil.goals.retrieval.ranking import Ranker
from tests.unit.goals.retrieval.test_ranking import random_case


def test_each_row_is_ranked_by_the_views_that_it_has():
    features, stored, tasks, gallery = random_case()
    index = torch.arange(len(tasks))
    both = Ranker(stored, tasks, gallery, views=2).scores(features, index)
    alone = [Ranker(stored[[view]], tasks, gallery, views=1).scores(features[:, [view]], index) for view in range(2)]
    partial = PartialRanker(stored, tasks, gallery, views=2)
    features[0::3, 1], features[1::3, 0] = math.nan, math.nan
    found = partial.scores(features, index)
    for start, said in enumerate((*alone, both)):
        for name in ("top1", "ap", "ap_trapezoid", "first"):
            assert torch.equal(getattr(found, name)[start::3], getattr(said, name)[start::3])
    assert torch.equal(partial.top1(features, index), found.top1)
    assert not torch.equal(found.top1[0::3], both.top1[0::3])


def test_a_row_without_any_view_or_with_half_of_one_is_refused():
    features, stored, tasks, gallery = random_case(tasks=3)
    partial = PartialRanker(stored, tasks, gallery, views=2)
    for place in ((1,), (1, 0, 3)):
        broken = features.clone()
        broken[place] = math.nan
        with pytest.raises(ShapeError, match="must be finite"):
            partial.scores(broken, torch.arange(3))
