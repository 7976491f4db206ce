"""The conformance suite of the Goal contract: inherit `GoalContract`, give it an exam, and pytest does the rest.

    class TestMyGoal(GoalContract):
        @pytest.fixture
        def exam(self):
            return Exam(goal=MyGoal(), dataset=..., scheme=..., options=MyOptions(), perfect=..., ignorant=...)

An exam is a goal with a small data set, and outputs that are known to answer always right, or right by accident only.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import cast

import pytest
import torch
from torch import Tensor

from hil.datasets.dataset import Dataset, Split
from hil.errors import DatasetError, HilError
from hil.goals.contract import Goal, GoalOptions, Judge, Metric, PerTask, Tasks, headline
from hil.models.contract import OUTPUTS, Output, Scheme, stacked

__all__ = ["Exam", "GoalContract"]

SEED = 4
DRAWN = 20_000
"""Ignorant answers that chance is compared with."""

SIGMAS = 4.0
"""Standard errors that they may be off: 1 in 16,000 by accident, and the seed is fixed."""


@dataclass(frozen=True, kw_only=True)
class Exam:
    """A goal and what it takes to put it to the test.

    Attributes:
        goal: under test.
        dataset: that it can serve, with at least four tasks; every class that metrics are named after occurs among them.
        scheme: whose outputs it can judge; only its card, its plan and what the goal requires besides are used.
        options: of the goal.
        perfect: the right output for each of the tasks, one row a task.
        ignorant: an output of so many rows that knows nothing of the tasks, drawn by the generator.
        best: what each metric is for the perfect output, where that is not 1.
    """

    goal: Goal
    dataset: Dataset
    scheme: Scheme
    options: GoalOptions
    perfect: Callable[[Tasks], Output]
    ignorant: Callable[[int, torch.Generator], Output]
    best: Mapping[str, float] = field(default_factory=dict)

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """All metrics on this data set."""
        return self.goal.metrics_for(self.dataset)

    def tasks(self, seed: int = SEED, limit: int | None = None) -> Tasks:
        """Tasks as the scheme needs them."""
        return self.goal.tasks(self.dataset, views=self.scheme.plan.transmitters, seed=seed, limit=limit)

    def judge(self, tasks: Tasks) -> Judge:
        """The goal, bound."""
        return self.goal.judge(self.scheme, self.dataset, tasks, self.options)

    def guesses(self, count: int, seed: int = SEED) -> Output:
        """An ignorant output."""
        return self.ignorant(count, torch.Generator().manual_seed(seed))

    def mixture(self, tasks: Tasks) -> Output:
        """The first half right, the others by accident."""
        index, half = torch.arange(len(tasks)), len(tasks) // 2
        return stacked([_rows(self.perfect(tasks), index[:half]), _rows(self.guesses(len(tasks)), index[half:])])


def _rows(output: Output, index: Tensor) -> Output:
    return type(output)(**{name: value[index] for name, value in vars(output).items()})


def _kept(count: int) -> Tensor:
    return torch.zeros(count, dtype=torch.bool)


def _values(tasks: PerTask, metrics: tuple[Metric, ...]) -> dict[str, float]:
    return {metric.name: metric.of(tasks) for metric in metrics}


def _assert_same(found: PerTask, expected: PerTask, what: str) -> None:
    assert torch.equal(found.scored, expected.scored), f"{what}: 'scored' differs"
    for name, value in expected.values.items():
        assert torch.equal(found.values[name], value), f"{what}: '{name}' differs"


def _assert_near(found: Mapping[str, float], expected: Mapping[str, float], what: str) -> None:
    for name, value in expected.items():
        same = math.isclose(found[name], value, rel_tol=1e-9, abs_tol=1e-9) or (math.isnan(value) and math.isnan(found[name]))
        assert same, f"{what}: '{name}' must be {value:.9g}, not {found[name]:.9g}"


class GoalContract:
    """Inherit, and define the fixture `exam`."""

    @pytest.fixture
    def exam(self) -> Exam:
        """The exam; define it in the subclass."""
        raise NotImplementedError("define the fixture 'exam' in the subclass")

    def test_metrics_are_named_once_and_one_is_the_headline(self, exam: Exam) -> None:
        """`metrics` are the first of `metrics_for`; a lost task is on the bad side of a right one."""
        first = headline(exam.goal)
        names = [metric.name for metric in exam.metrics]
        assert len(set(names)) == len(names), f"metrics must have different names, not {names}"
        assert exam.metrics[: len(exam.goal.metrics)] == exam.goal.metrics, "metrics_for must give `metrics` first"
        assert [metric for metric in exam.metrics if metric.headline] == [first], "only one metric may be the headline"
        for metric in exam.metrics:
            sign = 1 if metric.better == "higher" else -1
            assert sign * exam.best.get(metric.name, 1.0) > sign * metric.worst, (
                f"'{metric.name}': worst is not worse than best"
            )

    def test_options_have_defaults_and_variants_hold_the_choice(self, exam: Exam) -> None:
        """The noiseless reference is shown under the options chosen, too."""
        assert isinstance(exam.goal.options(), GoalOptions)
        assert exam.options in exam.goal.variants(exam.options), "variants(options) must hold the options themselves"

    def test_the_same_seed_gives_the_same_tasks_and_another_others(self, exam: Exam) -> None:
        """Tasks are a function of the data set and the seed."""
        first = exam.tasks()
        assert torch.equal(exam.tasks().views, first.views), "the same seed gave other tasks"
        others = [exam.tasks(seed=SEED + step).views for step in (1, 2, 3)]
        different = [len(views) != len(first) or not torch.equal(views, first.views) for views in others]
        assert len(first) < 2 or any(different), "the seed has no influence on the tasks"

    def test_a_limit_keeps_the_first_tasks(self, exam: Exam) -> None:
        """So that a smaller run is a part of a larger one; a limit below one is refused."""
        whole = exam.tasks()
        for limit in (1, max(1, len(whole) // 2), len(whole), len(whole) + 5):
            some = exam.tasks(limit=limit)
            assert len(some) == min(limit, len(whole)), f"limit {limit} gave {len(some)} of {len(whole)} tasks"
            assert torch.equal(some.views, whole.views[:limit]), f"limit {limit} must keep the first tasks of the full list"
            assert torch.equal(some.clusters, whole.clusters[:limit])
            assert some.split == whole.split
        with pytest.raises(DatasetError):
            exam.tasks(limit=0)

    def test_tasks_are_distinct_images_of_the_split(self, exam: Exam) -> None:
        """Enough views, no image twice in a task, no task twice; clusters and labels have a row a task."""
        tasks = exam.tasks()
        assert len(tasks) >= 4, f"the exam needs at least four tasks, the data set gives {len(tasks)}"
        count, views = len(exam.dataset.split(tasks.split)), exam.scheme.plan.transmitters
        assert tasks.views.dtype == torch.int64
        assert tasks.views.ndim == 2
        assert tasks.views.shape[1] >= views, f"a task must have {views} views, not {tasks.views.shape[1]}"
        assert 0 <= int(tasks.views.min()) <= int(tasks.views.max()) < count
        seen = [frozenset(row) for row in tasks.views.tolist()]
        assert all(len(row) == tasks.views.shape[1] for row in seen), "an image is twice in one task"
        assert len(set(seen)) == len(seen), "two tasks are of the same images"
        for name, rows in {"clusters": tasks.clusters, **tasks.labels}.items():
            assert rows.dtype == torch.int64, f"'{name}' must be int64"
            assert rows.shape == (len(tasks),), f"'{name}' must have a row a task"
        assert tasks.dropped >= 0

    def test_what_is_lacking_is_said(self, exam: Exam) -> None:
        """Of this data set nothing; of one without labels and boxes in words, unless it will do."""
        assert exam.goal.lacks(exam.dataset) == ""
        bare = {name: Split(images=split.images, names=split.names) for name, split in exam.dataset.splits.items()}
        unlabelled = Dataset(
            name="unlabelled", train=bare["train"], query=bare.get("query"), gallery=bare.get("gallery"), test=bare.get("test")
        )
        if not exam.goal.lacks(unlabelled):
            assert len(exam.goal.tasks(unlabelled, views=1, seed=SEED, limit=None)) > 0

    def test_schemes_that_cannot_be_judged_are_refused_in_words(self, exam: Exam) -> None:
        """This scheme can; of those that put out anything else (and have nothing besides) at least one kind cannot."""
        assert exam.goal.refuses(exam.scheme, exam.options) == ""
        others = [kind for kind in OUTPUTS if kind != exam.scheme.card.outputs]
        stubs = [SimpleNamespace(card=replace(exam.scheme.card, outputs=kind), plan=exam.scheme.plan) for kind in others]
        reasons = [exam.goal.refuses(cast(Scheme, stub), exam.options) for stub in stubs]
        assert any(reasons), "refuses must say why a scheme of another output cannot be judged"

    def test_outputs_of_another_kind_are_refused(self, exam: Exam) -> None:
        """By an error of hil, whatever the scheme's card says."""
        tasks = exam.tasks(limit=2)
        with pytest.raises(HilError):
            exam.judge(tasks).score(Output(erased=_kept(2)), torch.arange(2), _kept(2))

    def test_perfect_output_reaches_the_bound(self, exam: Exam) -> None:
        """Every metric has its best value; no task is marked as lost."""
        tasks = exam.tasks()
        found = exam.judge(tasks).score(exam.perfect(tasks), torch.arange(len(tasks)), _kept(len(tasks)))
        assert bool(found.scored.all())
        best = {metric.name: exam.best.get(metric.name, 1.0) for metric in exam.metrics}
        _assert_near(_values(found, exam.metrics), best, "perfect output")

    def test_a_lost_task_is_the_worst_whatever_it_holds(self, exam: Exam) -> None:
        """All lost: each metric's `worst` (or undefined). One lost: that value of its means, and no other task moves."""
        tasks = exam.tasks()
        count, judge, perfect = len(tasks), exam.judge(tasks), exam.perfect(tasks)
        everyone = torch.arange(count)
        none = judge.score(perfect, everyone, ~_kept(count))
        assert not bool(none.scored.any()), "a lost task must not be marked as scored"
        for metric in exam.metrics:
            value = metric.of(none)
            assert math.isnan(value) or math.isclose(value, metric.worst, abs_tol=1e-9), (
                f"with every task lost '{metric.name}' must be {metric.worst:.6g}, not {value:.6g}"
            )
        lost = everyone == 1
        broken = {name: value.clone() for name, value in vars(perfect).items()}
        for value in broken.values():
            value[lost] = torch.nan if value.is_floating_point() else (True if value.dtype == torch.bool else -7)
        one, whole = judge.score(type(perfect)(**broken), everyone, lost), judge.score(perfect, everyone, _kept(count))
        _assert_same(one.rows(~lost), whole.rows(~lost), "a task lost: the others")
        for metric in exam.metrics:
            if metric.aggregate is None:
                assert float(one.values[metric.name][1]) == metric.worst, f"the lost task's '{metric.name}' is not the worst"
        first = headline(exam.goal)
        sign = 1 if first.better == "higher" else -1
        assert sign * first.of(one) < sign * first.of(whole), "a lost task costs nothing"

    def test_chance_agrees_with_random_draws(self, exam: Exam) -> None:
        """A reference ``chance`` is what ignorant outputs get, within 4 standard errors; and less than the right ones."""
        tasks, first = exam.tasks(), headline(exam.goal)
        rounds = max(1, math.ceil(DRAWN / len(tasks)))
        index, judge = torch.arange(len(tasks)).repeat(rounds), exam.judge(tasks)
        found = judge.headline(exam.guesses(len(index)), index)
        sign = 1 if first.better == "higher" else -1
        assert sign * first.of(found) < sign * exam.best.get(first.name, 1.0), "random outputs answer every task"
        chance = judge.references().get("chance")
        if chance is None:
            return
        assert isinstance(chance, float), "the reference 'chance' must be a number"
        assert first.aggregate is None, "the reference 'chance' is the expected value of a mean"
        values = found.values[first.name].double()
        error = float(values.std()) / len(values) ** 0.5
        assert abs(float(values.mean()) - chance) <= SIGMAS * error, (
            f"chance is said to be {chance:.5g}, and {len(values)} random answers get {float(values.mean()):.5g} ± {error:.2g}"
        )

    def test_permuting_tasks_permutes_the_values(self, exam: Exam) -> None:
        """A task is answered alike wherever it stands, alone or repeated; metrics do not know an order."""
        tasks = exam.tasks()
        count, judge, output = len(tasks), exam.judge(tasks), exam.mixture(tasks)
        index, lost = torch.arange(count), torch.arange(count) % 5 == 3
        whole = judge.score(output, index, lost)
        order = torch.randperm(count, generator=torch.Generator().manual_seed(SEED))
        turned = judge.score(_rows(output, order), index[order], lost[order])
        _assert_same(turned, whole.rows(order), "tasks in another order")
        _assert_near(_values(turned, exam.metrics), _values(whole, exam.metrics), "tasks in another order")
        twice = judge.score(stacked([output, output]), index.repeat(2), lost.repeat(2))
        _assert_same(twice, PerTask.cat([whole, whole]), "every task twice")
        half = count // 2
        parts = [judge.score(_rows(output, rows), rows, lost[rows]) for rows in (index[:half], index[half:])]
        _assert_same(PerTask.cat(parts), whole, "tasks in two calls")

    def test_headline_equals_what_score_gives(self, exam: Exam) -> None:
        """The fast way and the whole way agree, for right and for ignorant outputs."""
        tasks, first = exam.tasks(), headline(exam.goal)
        judge, index = exam.judge(tasks), torch.arange(len(tasks))
        for output in (exam.perfect(tasks), exam.guesses(len(tasks))):
            fast, whole = judge.headline(output, index), judge.score(output, index, _kept(len(tasks)))
            assert len(fast) == len(tasks)
            assert bool(fast.scored.all())
            if first.aggregate is None:
                assert torch.equal(fast.values[first.name], whole.values[first.name]), "headline and score differ"
            assert first.of(fast) == first.of(whole), "headline and score differ"

    def test_a_task_drawn_twice_counts_twice(self, exam: Exam) -> None:
        """Weights are copies: 2 is two rows, 0 is none; a mean is the mean; many drawings at once are each alone."""
        tasks = exam.tasks()
        judge, index = exam.judge(tasks), torch.arange(len(tasks))
        found = judge.score(exam.mixture(tasks), index, index % 7 == 2)
        weights = torch.randint(0, 4, (5, len(tasks)), generator=torch.Generator().manual_seed(SEED)).double()
        weights[:, 0] = 1.0
        for metric in exam.metrics:
            together = metric.over(found, weights)
            assert together.shape == (5,), f"'{metric.name}' must give a number a drawing"
            for row, value in zip(weights, together.tolist(), strict=True):
                copies = found.rows(index.repeat_interleave(row.long()))
                _assert_near({metric.name: metric.of(found, row)}, {metric.name: value}, "one drawing alone and among others")
                _assert_near({metric.name: metric.of(copies)}, {metric.name: value}, "weights and copies")
                if metric.aggregate is None:
                    mean = float((found.values[metric.name].double() * row).sum() / row.sum())
                    _assert_near({metric.name: value}, {metric.name: mean}, "a mean")

    def test_references_are_numbers_or_answers_to_all_tasks(self, exam: Exam) -> None:
        """Within what the headline can be, and of every distinct task."""
        tasks, first = exam.tasks(), headline(exam.goal)
        low, high = sorted((first.worst, exam.best.get(first.name, 1.0)))
        for name, found in exam.judge(tasks).references().items():
            if isinstance(found, PerTask):
                assert len(found) == len(tasks), f"reference '{name}' must answer all {len(tasks)} tasks, not {len(found)}"
                assert set(_values(found, exam.metrics)) == {metric.name for metric in exam.metrics}
            value = first.of(found) if isinstance(found, PerTask) else found
            assert low <= value <= high, f"reference '{name}' is {value:.6g}, outside {low:.6g}…{high:.6g}"
