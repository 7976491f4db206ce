"""Ruling images out changes no answer: against the whole comparison, on features that lie close to a plane and on others."""

import numpy as np
import pytest
import torch

from hil.goals.retrieval import ranking, shortcuts
from hil.goals.retrieval.axes import Axes
from hil.goals.retrieval.nearness import Nearness
from hil.goals.retrieval.ranking import Ranker
from tests.unit.goals.retrieval.test_ranking import random_case

WIDTH, IMAGES, ROWS = 24, 500, 400


def flat_case(*, rest, shift=0.0):
    """Features close to a plane of five dimensions in each view, `rest` away from it; tasks and labels."""
    _, _, tasks, gallery = random_case(tasks=60, images=IMAGES, people=40)
    draw = np.random.default_rng(3)
    plane = draw.standard_normal((2, 5, WIDTH))

    def features(count):
        inside = np.einsum("vnk,vkp->vnp", draw.standard_normal((2, count, 5)), plane)
        return torch.from_numpy((inside + rest * draw.standard_normal(inside.shape) + shift).astype(np.float32))

    stored, asked = features(IMAGES), features(ROWS).transpose(0, 1).contiguous()
    return asked, stored, tasks, gallery, torch.from_numpy(draw.integers(0, len(tasks), ROWS))


def nearest(monkeypatch, case, features, *, ruled_out, views=2):
    _, stored, tasks, gallery, index = case
    monkeypatch.setattr(ranking, "RULED_OUT_FROM", 0 if ruled_out else 1 << 62)
    monkeypatch.setattr(shortcuts, "FEWEST_ANSWERS", 1 << 40)  # by axes alone
    ranker = Ranker(stored, tasks, gallery, views=views)
    return ranker.nearest(features, index, 1)[:, 0], ranker.top1(features, index)


@pytest.mark.parametrize("shift", [0.0, 1000.0], ids=["about zero", "far from zero"])
@pytest.mark.parametrize("views", [1, 2])
@pytest.mark.parametrize("noise", [0.0, 0.3, 3.0, 30.0])
def test_the_nearest_is_that_of_the_whole_comparison(monkeypatch, noise, views, shift):
    case = flat_case(rest=0.05, shift=shift)
    features = case[0] + noise * torch.randn(ROWS, 2, WIDTH, generator=torch.Generator().manual_seed(1))
    monkeypatch.setattr(shortcuts, "PASSED_BYTES", 4 * IMAGES * 150)  # several parts, the last one smaller
    for few, whole in zip(
        nearest(monkeypatch, case, features, ruled_out=True, views=views),
        nearest(monkeypatch, case, features, ruled_out=False, views=views),
        strict=True,
    ):
        assert torch.equal(few, whole)


def test_ties_go_to_the_lower_index_and_what_does_not_count_is_left_out(monkeypatch):
    case = flat_case(rest=0.05)
    case[1][:, 250:] = case[1][:, :250]  # every image twice
    counted = case[3].identities > 0
    few, _ = nearest(monkeypatch, case, case[1].transpose(0, 1)[:ROWS].contiguous(), ruled_out=True)
    whole, _ = nearest(monkeypatch, case, case[1].transpose(0, 1)[:ROWS].contiguous(), ruled_out=False)
    assert torch.equal(few, whole)
    assert bool(counted.any())
    assert int((few < 250).sum()) > 300


def test_few_images_are_left_near_the_plane_and_among_them_is_the_nearest():
    asked, stored, *_ = flat_case(rest=0.05)
    nearness = Nearness(stored, torch.zeros(IMAGES, dtype=torch.bool))
    axes = Axes.of(nearness)
    assert axes is not None
    features = asked.numpy()
    nowhere = (np.empty(0, np.int64), np.empty(0, np.int64))
    row, image = axes.left(features, np.empty((ROWS, IMAGES), np.float32), nowhere)
    images = stored.numpy().transpose(1, 0, 2)
    distances = np.stack([np.square(features.astype(np.float64) - one).sum((1, 2)) for one in images])
    pairs = set(zip(row.tolist(), image.tolist(), strict=True))
    assert set(zip(range(ROWS), distances.argmin(0).tolist(), strict=True)) <= pairs
    assert len(row) < 3 * ROWS


def test_nothing_is_left_of_a_row_without_images(monkeypatch):
    asked, stored, tasks, gallery, index = flat_case(rest=0.05)
    gallery.identities[:] = -1
    monkeypatch.setattr(ranking, "RULED_OUT_FROM", 0)
    assert Ranker(stored, tasks, gallery, views=2).nearest(asked, index, 1).unique().tolist() == [-1]


@pytest.mark.parametrize(
    ("rest", "images", "scale"), [(3.0, IMAGES, 1.0), (0.05, 100, 1.0), (0.05, IMAGES, 1e17)], ids=["no plane", "few", "huge"]
)
def test_there_are_no_axes_where_they_do_not_pay(rest, images, scale):
    stored = scale * flat_case(rest=rest)[1][:, :images]
    assert Axes.of(Nearness(stored, torch.zeros(images, dtype=torch.bool))) is None


def test_features_too_large_for_float32_are_compared_in_full(monkeypatch):
    case = flat_case(rest=0.05)
    features = case[0].clone()
    features[::7] *= 1e25
    few, _ = nearest(monkeypatch, case, features, ruled_out=True)
    assert torch.equal(few, nearest(monkeypatch, case, features, ruled_out=False)[0])
