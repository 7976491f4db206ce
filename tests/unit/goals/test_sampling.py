"""Tasks drawn from the images that are sent."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hil.datasets.dataset import Dataset, Split
from hil.errors import DatasetError
from hil.goals.sampling import draw_tasks, sent_split


def dataset_of(count: int) -> Dataset:
    split = Split(images=torch.zeros(count, 1, 2, 2, dtype=torch.uint8), names=tuple(map(str, range(count))))
    return Dataset(name="plain", train=split, test=split)


@given(
    count=st.integers(1, 60),
    views=st.integers(1, 4),
    seed=st.integers(0, 99),
    limit=st.integers(1, 70),
    kinds=st.integers(1, 5),
)
@settings(max_examples=80, deadline=None)
def test_each_image_is_in_one_task_at_most_and_kinds_stay_together(count, views, seed, limit, kinds):
    dataset, alike = dataset_of(count), torch.arange(count) % kinds - 1
    sizes = [int((alike == kind).sum()) for kind in range(kinds - 1)]
    expected = sum(size // views for size in sizes)
    if not expected:
        with pytest.raises(DatasetError, match="has no task"):
            draw_tasks(dataset, views=views, seed=seed, limit=limit, alike=alike)
        return
    whole = draw_tasks(dataset, views=views, seed=seed, limit=None, alike=alike)
    assert whole.views.shape == (expected, views)
    assert len(whole.views.unique()) == expected * views
    assert whole.dropped == int((alike < 0).sum())
    seen = alike[whole.views]
    assert bool((seen == seen[:, :1]).all())
    assert bool((seen >= 0).all())
    some = draw_tasks(dataset, views=views, seed=seed, limit=limit, alike=alike)
    assert torch.equal(some.views, whole.views[:limit])


def test_the_first_tasks_are_a_fair_sample_of_kinds():
    """Half of 1,000 tasks: each of four kinds has its share, within four standard errors."""
    dataset, alike = dataset_of(1000), torch.arange(1000) % 4
    some = draw_tasks(dataset, views=1, seed=3, limit=500, alike=alike)
    shares = alike[some.views[:, 0]].bincount() / 500
    assert float((shares - 0.25).abs().max()) < 4 * (0.1875 / 500 / 2) ** 0.5


@pytest.mark.parametrize(
    ("change", "message"), [({"limit": 0}, "'limit' must be at least 1"), ({"views": 0}, "'views' must be")]
)
def test_what_is_out_of_range_is_named(change, message):
    with pytest.raises(DatasetError, match=message):
        draw_tasks(dataset_of(3), **({"views": 1, "seed": 0, "limit": None} | change))


def test_query_images_are_sent_where_there_is_no_test_split():
    split = Split(images=torch.zeros(2, 1, 2, 2, dtype=torch.uint8), names=("a", "b"))
    dataset = Dataset(name="re-id", train=split, query=split, gallery=split)
    assert sent_split(dataset) == ("query", dataset.query)
    assert draw_tasks(dataset, views=1, seed=0, limit=None).split == "query"
