"""Answers to distinct tasks: what a metric makes of them, draw by draw."""

import math

import pytest
import torch

from hil.errors import ShapeError
from hil.goals.contract import Metric
from hil.goals.image.goal import PSNR_OF_MEAN
from tests.unit.results.answers import sample_of

HITS = Metric(name="hit", unit="share", better="higher", worst=0.0, headline=True)


def test_each_draw_is_aggregated_by_itself_and_then_averaged():
    sample = sample_of(mse=[0.1, 0.3, 0.01, 0.03], index=[0, 1, 0, 1], draw=[0, 0, 1, 1])
    by_draw = [-10 * math.log10(0.2), -10 * math.log10(0.02)]
    assert sample.value(PSNR_OF_MEAN) == pytest.approx(sum(by_draw) / 2)
    weights = torch.tensor([[1.0, 0.0], [0.0, 2.0]], dtype=torch.float64)
    expected = [(10 + 20) / 2, -10 * (math.log10(0.3) + math.log10(0.03)) / 2]
    assert sample.over(PSNR_OF_MEAN, weights).tolist() == pytest.approx(expected)
    pooled = sample_of(mse=[0.1, 0.3, 0.01, 0.03], index=[0, 1, 0, 1])
    assert pooled.value(PSNR_OF_MEAN) == pytest.approx(-10 * math.log10(0.11))


def test_a_mean_is_over_answers():
    sample = sample_of(hit=[True, False, True, True], index=[4, 2, 4, 2])
    assert sample.value(HITS) == 0.75
    assert sample.over_rows(HITS, torch.tensor([1.0, 3.0, 0.0, 0.0], dtype=torch.float64)) == 0.25


def test_some_tasks_keep_what_belongs_to_them():
    sample = sample_of(hit=[True, False, True, True], index=[4, 2, 4, 2], draw=[0, 0, 1, 1], frame=[7, 7, 8, 9])
    own = sample.of_tasks(torch.tensor([2]))
    assert own.tasks.values["hit"].tolist() == [False, True]
    assert (own.index.tolist(), own.draw.tolist(), own.frame.tolist()) == ([2, 2], [0, 1], [7, 9])
    assert sample.of_tasks(torch.tensor([4, 2, 5])) is sample


@pytest.mark.parametrize("name", ["index", "draw", "frame"])
def test_every_answer_has_a_task_a_draw_and_a_frame(name):
    with pytest.raises(ShapeError, match=rf"Sample.{name} must be int64 \[2\]"):
        sample_of(hit=[True, False], **{name: [1]})
