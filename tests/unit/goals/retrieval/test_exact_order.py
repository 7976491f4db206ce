"""The order is that of distances in float64, whatever float32 makes of a product; and Market-1501's own measures."""

import numpy as np
import pytest
import torch

from hil.datasets.dataset import Split
from hil.goals.retrieval.ranking import Ranker
from hil.goals.retrieval.tasks import TaskSet
from tests.unit.goals.retrieval.market1501_code import evaluate, plain_average_precision


def people(count, tasks, seed, known=12, cameras=6):
    """A gallery with distractors (0) and junk (−1), and tasks of its people."""
    rng = np.random.default_rng(seed)
    split = Split.people(
        images=torch.zeros(count, 1, 1, 1, dtype=torch.uint8),
        identities=torch.from_numpy(rng.integers(-1, known + 1, count)),
        cameras=torch.from_numpy(rng.integers(1, cameras + 1, count)),
        names=[""] * count,
    )
    asked = TaskSet(
        views=torch.zeros(tasks, 2).long(),
        identities=torch.from_numpy(rng.integers(1, known + 1, tasks)),
        cameras=torch.from_numpy(np.sort(rng.permuted(np.tile(np.arange(1, cameras + 1), (tasks, 1)), axis=1)[:, :2])),
    )
    return split, asked


def exact(features, stored, views):
    """Squared distances in float64, [task, image], pair by pair."""
    total = 0
    for view in range(views):
        ours, theirs = features[:, view].double(), stored[view].double()
        total = total + torch.stack([(one - theirs).square().sum(1) for one in ours])
    return total.numpy()


def ordered(distances):
    return np.argsort(distances, axis=1, kind="stable")


def check(features, stored, split, tasks, views=2):
    """All that a ranker says, against the plain code on exact distances."""
    who, where = split.identities.tolist(), split.cameras.tolist()
    order = ordered(exact(features, stored, views))
    ranker, index = Ranker(stored, tasks, split, views=views), torch.arange(len(tasks))
    scores, top1 = ranker.scores(features, index), ranker.top1(features, index)
    nearest = ranker.nearest(features, index, 5)
    for t, row in enumerate(order.tolist()):
        person, seen = int(tasks.identities[t]), set(tasks.cameras[t].tolist())
        counted = [i for i in row if who[i] != -1 and not (who[i] == person and where[i] in seen)]
        assert nearest[t].tolist() == (counted + [-1] * 5)[:5]
        assert bool(top1[t]) == bool(scores.top1[t]) == (who[counted[0]] == person)
        trapezoid, cmc = evaluate(row, who, where, person, seen)
        assert scores.ap_trapezoid[t] == pytest.approx(trapezoid, rel=1e-12)
        assert scores.ap[t] == pytest.approx(plain_average_precision(row, who, where, person, seen), rel=1e-12)
        assert int(scores.first[t]) == cmc.index(1) + 1
    return scores


def draw(seed, *shape, scale=1.0):
    return scale * torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("views", [1, 2])
@pytest.mark.parametrize("seed", range(4))
def test_random_features(seed, views):
    split, tasks = people(400, 60, seed)
    check(draw(seed, 60, 2, 24), draw(seed + 100, 2, 400, 24), split, tasks, views)


@pytest.mark.parametrize("length", [16, 256, 2048])
def test_a_large_common_offset_costs_nothing(length):
    split, tasks = people(300, 40, 5)
    offset = draw(1, length)
    offset *= 1e4 / offset.norm()
    features = offset + draw(2, 40, 2, length, scale=0.1 / length**0.5)
    stored = offset + draw(3, 2, 300, length, scale=0.1 / length**0.5)
    assert float(stored[0, 0].norm()) == pytest.approx(1e4, rel=1e-3)
    assert float((stored[0, 0] - stored[0, 1]).norm()) == pytest.approx(0.14, rel=0.6)
    check(features, stored, split, tasks)


def test_what_the_plain_formula_would_make_of_that_offset():
    """The case above is a hard one: |g|² − 2 f·g in float32 orders it wrongly."""
    offset = draw(1, 256)
    offset *= 1e4 / offset.norm()
    features, stored = (offset + draw(seed, count, 256, scale=0.1 / 16) for seed, count in ((2, 40), (3, 300)))
    plain = stored.square().sum(1) - 2 * features @ stored.T
    right = exact(features[:, None], stored[None], 1).argmin(1)
    assert (plain.argmin(1).numpy() != right).mean() > 0.5


def test_groups_that_lie_far_apart():
    """No one centre helps where features of each camera have an offset of their own."""
    split, tasks = people(300, 40, 6)
    offsets = draw(1, 7, 64, scale=1e3)
    features = offsets[tasks.cameras] + draw(2, 40, 2, 64, scale=1e-2)
    stored = offsets[split.cameras] + draw(3, 2, 300, 64, scale=1e-2)
    check(features, stored, split, tasks)


@pytest.mark.parametrize("scale", [1e-42, 1e-38, 1e-30, 1e-20, 1e-5, 1e10, 1e18, 1e19, 1e25, 1e38])
def test_very_small_and_very_large_numbers(scale):
    split, tasks = people(200, 30, 7)
    features, stored = (draw(seed, *shape).clamp(-3, 3) for seed, shape in ((1, (30, 2, 16)), (2, (2, 200, 16))))
    check(features * scale, stored * scale, split, tasks)
    for asked, known in ((features, stored * scale), (features * scale, stored)):  # too far apart for float64 to be the truth
        ranker, index = Ranker(known, tasks, split, views=2), torch.arange(30)
        scores = ranker.scores(asked, index)
        assert torch.equal(scores.top1, ranker.top1(asked, index))
        assert bool(((scores.ap > 0) & (scores.ap <= 1)).all())


def test_equal_features_are_ordered_by_index():
    split, tasks = people(300, 30, 8)
    few = draw(1, 2, 7, 8)
    kind = torch.from_numpy(np.random.default_rng(2).integers(0, 7, 300))
    stored = few[:, kind]
    check(draw(3, 30, 2, 8), stored, split, tasks)
    check(torch.zeros(30, 2, 8), torch.zeros(2, 300, 8), split, tasks)
    check(few[:, kind[:30]].transpose(0, 1).contiguous(), stored, split, tasks)  # distances of zero


def test_the_first_fifty_of_many():
    split, tasks = people(9000, 40, 9)
    features, stored = draw(1, 40, 1, 16), draw(2, 1, 9000, 16)
    stored[0, 4000:4100] = stored[0, 100:200]  # ties
    distances = exact(features, stored, 1)
    found = Ranker(stored, tasks, split, views=1).nearest(features, torch.arange(40), 50)
    for t, row in enumerate(ordered(distances).tolist()):
        same = split.identities == tasks.identities[t]
        junk = (split.identities == -1) | (same & torch.isin(split.cameras, tasks.cameras[t]))
        assert found[t].tolist() == [i for i in row if not junk[i]][:50]


def test_fewer_images_than_places_and_none_at_all():
    split, tasks = people(6, 3, 3)
    found = Ranker(draw(1, 2, 6, 4), tasks, split, views=2).nearest(draw(2, 3, 2, 4), torch.arange(3), 9)
    assert (found >= 0).sum() < found.numel()
    junk = Split.people(
        images=torch.zeros(2, 1, 1, 1, dtype=torch.uint8),
        identities=torch.tensor([-1, 5]),
        cameras=torch.tensor([1, 1]),
        names=["", ""],
    )
    own = TaskSet(views=torch.zeros(1, 1).long(), identities=torch.tensor([5]), cameras=torch.tensor([[1]]))
    ranker, index = Ranker(draw(1, 1, 2, 4), own, junk, views=1), torch.zeros(1).long()
    assert ranker.nearest(draw(2, 1, 1, 4), index, 2).tolist() == [[-1, -1]]
    assert ranker.top1(draw(2, 1, 1, 4), index).tolist() == [False]
    scores = ranker.scores(draw(2, 1, 1, 4), index)
    assert (float(scores.ap[0]), float(scores.ap_trapezoid[0]), bool(scores.top1[0])) == (0.0, 0.0, False)
    assert float(scores.cmc(2)[-1]) == 0.0


def test_the_trapezoid_by_hand():
    """Right at places 1 and 4 of 4: (1 + 1)/2 · ½ + (⅓ + ½)/2 · ½."""
    split = Split.people(
        images=torch.zeros(4, 1, 1, 1, dtype=torch.uint8),
        identities=torch.tensor([5, 0, 7, 5]),
        cameras=torch.tensor([2, 2, 2, 3]),
        names=[""] * 4,
    )
    task = TaskSet(views=torch.zeros(1, 1).long(), identities=torch.tensor([5]), cameras=torch.tensor([[1]]))
    stored = torch.tensor([1.0, 2.0, 3.0, 4.0])[None, :, None]
    scores = Ranker(stored, task, split, views=1).scores(torch.zeros(1, 1, 1), torch.zeros(1).long())
    assert float(scores.ap[0]) == pytest.approx((1 + 2 / 4) / 2)
    assert float(scores.ap_trapezoid[0]) == pytest.approx(0.5 * 1 + 0.5 * (1 / 3 + 1 / 2) / 2)
