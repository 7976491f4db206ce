"""Ranking against a plain Python oracle, junk and ties by hand, chance, and bits that do not hang on the batch."""

import numpy as np
import pytest
import torch

from hil.datasets.dataset import Split
from hil.errors import ShapeError
from hil.goals.retrieval import nearness, ranking
from hil.goals.retrieval.ranking import Ranker, chance, rank, top1_only
from hil.goals.retrieval.tasks import TaskSet, junk_mask


def labels(identities, cameras):
    count = len(identities)
    return Split.people(
        images=torch.zeros(count, 1, 2, 2, dtype=torch.uint8),
        identities=torch.tensor(identities),
        cameras=torch.tensor(cameras),
        names=tuple(str(i) for i in range(count)),
    )


def random_case(tasks=300, images=90, people=6, views=2, p=8, seed=0):
    generator = torch.Generator().manual_seed(seed)

    def draw(low, high, *shape):
        return torch.randint(low, high, shape, generator=generator)

    gallery = labels(draw(-1, people + 1, images).tolist(), draw(1, 5, images).tolist())
    first = draw(1, 5, tasks)
    second = (first + draw(0, 3, tasks)) % 4 + 1
    task_set = TaskSet(
        views=draw(0, 50, tasks, 2), identities=draw(1, people + 1, tasks), cameras=torch.stack([first, second], 1), dropped=0
    )
    features = torch.randn(tasks, views, p, generator=generator)
    stored = torch.randn(views, images, p, generator=generator)
    return features, stored, task_set, gallery


def oracle(features, stored, tasks, gallery, views):
    """Plain Python: sort by distance, walk down the list."""
    found = []
    for t in range(len(tasks)):
        person, cameras = int(tasks.identities[t]), tasks.cameras[t].tolist()
        ranking = []
        for i in range(len(gallery)):
            label, camera = int(gallery.identities[i]), int(gallery.cameras[i])
            if label == -1 or (label == person and camera in cameras):
                continue
            distance = sum(float(((features[t, v].double() - stored[v, i].double()) ** 2).sum()) for v in range(views))
            ranking.append((distance, i, label == person))
        right = [answer for _, _, answer in sorted(ranking)]
        places = [place for place, answer in enumerate(right, start=1) if answer]
        ap = sum((k + 1) / place for k, place in enumerate(places)) / len(places)
        found.append((right[0], places[0], ap))
    return found


@pytest.mark.parametrize("views", [1, 2])
def test_rank_agrees_with_a_plain_python_oracle(views):
    features, stored, tasks, gallery = random_case()
    scores = rank(features, stored, tasks, gallery, views=views)
    expected = oracle(features, stored, tasks, gallery, views)
    assert scores.top1.tolist() == [row[0] for row in expected]
    assert scores.first.tolist() == [row[1] for row in expected]
    np.testing.assert_allclose(scores.ap.numpy(), [row[2] for row in expected], rtol=1e-12)
    assert scores.mean_ap == pytest.approx(np.mean([row[2] for row in expected]))
    cmc = scores.cmc(len(gallery))
    assert cmc[0] == scores.top1.double().mean()
    assert cmc[-1] == 1
    assert (cmc.diff() >= 0).all()


def test_top1_only_is_rank_for_repeated_tasks():
    features, stored, tasks, gallery = random_case()
    index = torch.randint(0, len(tasks), (1000,), generator=torch.Generator().manual_seed(1))
    noisy = features[index] + 0.3 * torch.randn(1000, 2, 8, generator=torch.Generator().manual_seed(2))
    for views in (1, 2):
        fast = top1_only(noisy, stored, tasks, gallery, task_index=index, views=views)
        assert torch.equal(fast, rank(noisy, stored, tasks.subset(index), gallery, views=views).top1)


def test_a_task_is_scored_alike_alone_and_among_others(monkeypatch):
    features, stored, tasks, gallery = random_case(tasks=513)
    ranker, index = Ranker(stored, tasks, gallery, views=2), torch.arange(513)
    whole, nearest = ranker.scores(features, index), ranker.nearest(features, index, 7)
    alone = rank(features[512:], stored, tasks.subset(torch.tensor([512])), gallery, views=2)
    assert torch.equal(alone.ap, whole.ap[512:])
    monkeypatch.setattr(ranking, "CHUNK_BYTES", 4 * 90 * 100)  # a hundred rows at a time
    monkeypatch.setattr(nearness, "PAIRS_BYTES", 1000)
    parts = ranker.scores(features, index)
    for name in ("top1", "first", "ap", "ap_trapezoid"):
        assert torch.equal(getattr(parts, name), getattr(whole, name))
    assert torch.equal(ranker.nearest(features, index, 7), nearest)
    order = torch.randperm(513, generator=torch.Generator().manual_seed(1))
    assert torch.equal(ranker.scores(features[order], order).ap, whole.ap[order])
    assert torch.equal(ranker.nearest(features[order], order, 7), nearest[order])


def test_junk_by_hand():
    # The person is 7, seen by cameras 1 and 2. Features are numbers on a line, the query at 0.
    #                   junk  junk  junk  distr. other right wrong right
    gallery = labels([7, 7, -1, 0, 8, 7, 9, 7], [1, 2, 3, 1, 2, 3, 3, 4])
    stored = torch.tensor([0.1, 0.2, 0.3, 2.0, 3.0, 1.0, 1.5, 5.0]).reshape(1, 8, 1).repeat(2, 1, 1)
    tasks = TaskSet(views=torch.tensor([[0, 1]]), identities=torch.tensor([7]), cameras=torch.tensor([[1, 2]]))
    assert junk_mask(tasks, gallery).tolist() == [[True, True, True, False, False, False, False, False]]
    for views in (1, 2):  # a single view has the same junk
        scores = rank(torch.zeros(1, 2, 1), stored, tasks, gallery, views=views)
        assert scores.top1.tolist() == [True]
        assert scores.first.tolist() == [1]
        assert scores.ap.tolist() == [(1 / 1 + 2 / 5) / 2]  # order: right, 9, distractor, 8, right
    assert chance(tasks, gallery) == pytest.approx(2 / 5)
    far = rank(torch.full((1, 2, 1), 1.6), stored, tasks, gallery, views=2)
    assert far.top1.tolist() == [False]
    assert far.first.tolist() == [3]  # 9 at 0.1, distractor at 0.4, right at 0.6


def test_ties_go_to_the_lower_index():
    gallery = labels([2, 1, 1, 2], [3, 3, 3, 3])
    tasks = TaskSet(views=torch.zeros(2, 2).long(), identities=torch.tensor([1, 2]), cameras=torch.ones(2, 2).long())
    features, stored = torch.zeros(2, 1, 4), torch.ones(1, 4, 4)
    scores = rank(features, stored, tasks, gallery, views=1)
    assert scores.first.tolist() == [2, 1]
    index = torch.tensor([0, 1])
    assert top1_only(features, stored, tasks, gallery, task_index=index, views=1).tolist() == [False, True]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"features": torch.zeros(300, 2, 7)}, "must share p"),
        ({"features": torch.zeros(299, 2, 8)}, r"one row a task \(300\), not 299"),
        ({"features": torch.full((300, 2, 8), torch.nan)}, "'features' must be finite"),
        ({"features": torch.zeros(300, 2, 8).double()}, "'features' must be float32"),
        ({"gallery": torch.zeros(2, 80, 8)}, r"one feature an image \(90\), not 80"),
        ({"views": 3}, r"'views' must lie in 1…2, not 3"),
    ],
)
def test_wrong_shapes_are_named(change, message):
    features, stored, tasks, split = random_case()
    arguments = {"features": features, "gallery": stored, "tasks": tasks, "split": split, "views": 2} | change
    with pytest.raises(ShapeError, match=message):
        rank(**arguments)


def test_wrong_task_index_is_named():
    features, stored, tasks, split = random_case()
    for index, message in ((torch.zeros(3).long(), r"int64 \[300\]"), (torch.full((300,), 300), "0…299")):
        with pytest.raises(ShapeError, match=message):
            top1_only(features, stored, tasks, split, task_index=index, views=2)
