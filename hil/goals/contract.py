"""The Goal contract: which tasks are sent, and how well what came back answers them.

A goal sees a data set, a scheme's outputs and nothing else: no radio, no channel. It gives values task by task (`PerTask`),
from which each `Metric` aggregates a number; intervals resample clusters of tasks and aggregate again (`hil.results`).
`hil.goals.testing.GoalContract` is the conformance suite.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol, runtime_checkable

import torch
from torch import Tensor

from hil.config import Config
from hil.datasets.dataset import Dataset
from hil.errors import ShapeError
from hil.goals.card import Unit
from hil.models.contract import Output, OutputKind, Scheme, filled_up

__all__ = ["Aggregate", "Compares", "Goal", "GoalOptions", "Judge", "Metric", "PerTask", "Tasks", "Unit", "headline"]


@dataclass(frozen=True, kw_only=True)
class Tasks:
    """What is sent, task by task.

    Attributes:
        split: of the data set; views: int64 [task, view], its images.
        clusters: int64 [task]; tasks of one cluster are not independent (of one person, say): intervals resample clusters.
        labels: name -> int64 [task], for the capture.
        dropped: tasks of the data set that were left out, as nothing in it can answer them.
    """

    split: str
    views: Tensor
    clusters: Tensor
    labels: Mapping[str, Tensor] = field(default_factory=dict)
    dropped: int = 0

    def __len__(self) -> int:
        return len(self.views)


@dataclass(frozen=True, kw_only=True)
class PerTask:
    """How each task was answered.

    Attributes:
        values: name -> [task, …], what the metrics aggregate; in [task, n, …] zeros must mean that there is no further one.
        scored: bool [task], the task was received and not given up.
    """

    values: Mapping[str, Tensor]
    scored: Tensor

    def __len__(self) -> int:
        return len(self.scored)

    def rows(self, index: Tensor) -> PerTask:
        """The tasks at `index`, int64 or bool."""
        return PerTask(values={name: value[index] for name, value in self.values.items()}, scored=self.scored[index])

    @staticmethod
    def cat(parts: Sequence[PerTask]) -> PerTask:
        """One after the other; a value [task, n, …] is filled up with zeros to the largest n."""
        return PerTask(
            values={name: filled_up([part.values[name] for part in parts]) for name in parts[0].values},
            scored=torch.cat([part.scored for part in parts]),
        )


Aggregate = Callable[[Mapping[str, Tensor], Tensor], Tensor]
"""Values of the tasks and how often each is drawn, float64 [..., task], to one number a drawing, float64 [...].

A task of weight 2 counts as two equal tasks, one of weight 0 as none. NaN where the drawn tasks do not define the number
(recall of a class that none of them is of). Many drawings in one call are what makes intervals affordable.
"""


@dataclass(frozen=True, kw_only=True)
class Metric:
    """A number that is made of tasks' values.

    Attributes:
        name: as in results.
        unit: ``share`` (0…1), ``dB``, or ``1``.
        better: which way.
        headline: the one that schemes are compared by; a goal has one.
        worst: its value where every task is lost.
        title: as in tables; the name if empty.
        aggregate: None: the weighted mean of ``values[name]``, [task].
    """

    name: str
    unit: Unit
    better: Literal["higher", "lower"]
    worst: float
    headline: bool = False
    title: str = ""
    aggregate: Aggregate | None = None

    def of(self, tasks: PerTask, weight: Tensor | None = None) -> float:
        """The metric of some tasks; NaN of none, and where they do not define it.

        Args:
            tasks: their values.
            weight: float64 [task], None for 1.
        """
        if not len(tasks):
            return float("nan")
        if weight is not None:
            return float(self.over(tasks, weight))
        if self.aggregate is None:
            return float(tasks.values[self.name].double().mean())
        return float(self.over(tasks, torch.ones(len(tasks), dtype=torch.float64)))

    def over(self, tasks: PerTask, weights: Tensor) -> Tensor:
        """The metric of many drawings of the tasks at once.

        Args:
            tasks: their values, at least one task.
            weights: float64 [..., task], how often each is drawn.

        Returns:
            float64 [...].
        """
        if self.aggregate is not None:
            return self.aggregate(tasks.values, weights)
        return weights @ tasks.values[self.name].double() / weights.sum(-1)


class GoalOptions(Config):
    """What may be chosen of a goal; each has its own subclass. The choice stands in every row."""


class Judge(Protocol):
    """One goal, bound to a scheme, a data set and tasks."""

    def score(self, output: Output, index: Tensor, lost: Tensor) -> PerTask:
        """How tasks were answered; a lost task is the worst, whatever the output holds for it.

        Args:
            output: of the kind that the goal needs, one row a task sent.
            index: int64 [n], the distinct task that each row answers.
            lost: bool [n], not received, or given up.
        """
        ...

    def headline(self, output: Output, index: Tensor) -> PerTask:
        """What the headline is made of, as `score` gives it, and may be no more; may be faster.

        For simulations: nothing is lost, and `index` may name a task many times.
        """
        ...

    def references(self) -> Mapping[str, float | PerTask]:
        """Name -> what needs no scheme: the headline's expected value (chance), or answers of all distinct tasks (uncoded)."""
        ...


@runtime_checkable
class Compares(Protocol):
    """A judge that compares features with stored ones, and hands both on, so that others can do it by themselves."""

    def features(self, output: Output, lost: Tensor) -> Tensor:
        """What is compared of each row, float32 [n, view, p]; 0 where `lost`, bool [n]."""
        ...

    def stored(self) -> Mapping[str, Tensor]:
        """What it is compared with: ``gallery`` float32 [view, image, p], and labels of the images, int64 [image]."""
        ...

    def labels(self, index: Tensor) -> Mapping[str, Tensor]:
        """What decides whether an answer is right, of the distinct task of each row: arrays [n, …]."""
        ...


@runtime_checkable
class Goal(Protocol):
    """What is done with what was received. Third parties implement this (entry point ``hil.goals``, or ``path.py:Class``).

    A class that inherits it gets the usual `metrics_for`, `refuses` and `variants`.

    Attributes:
        name: of the goal.
        version: goes up when tasks or scoring change; results of two versions are never compared.
        needs: the kind of output it judges.
        requires: protocols (`hil.models.contract`) that a scheme must have besides.
        metrics: those that every data set has; one of them the headline.
        options: the model of what may be chosen.
    """

    name: str
    version: int
    needs: OutputKind
    requires: tuple[type, ...]
    metrics: tuple[Metric, ...]
    options: type[GoalOptions]

    def metrics_for(self, dataset: Dataset) -> tuple[Metric, ...]:
        """`metrics`, and those that hang on the data set: its classes, its images' size (as the scheme sees them)."""
        return self.metrics

    def lacks(self, dataset: Dataset) -> str:
        """What the data set lacks to serve the goal, in words; "" if nothing."""
        ...

    def refuses(self, scheme: Scheme, options: GoalOptions) -> str:
        """Why a scheme cannot be judged under these options, in words; "" if it can."""
        if scheme.card.outputs != self.needs:
            return f"{self.name} needs {self.needs}, and the scheme puts out {scheme.card.outputs}"
        missing = [protocol.__name__ for protocol in self.requires if not isinstance(scheme, protocol)]
        return f"{self.name} needs a scheme that is {', '.join(missing)} (hil.models.contract)" if missing else ""

    def tasks(self, dataset: Dataset, *, views: int, seed: int, limit: int | None) -> Tasks:
        """Distinct tasks of so many views, a fair sample of at most `limit`; the same seed gives the same tasks.

        Raises:
            DatasetError: there is none.
        """
        ...

    def judge(self, scheme: Scheme, dataset: Dataset, tasks: Tasks, options: GoalOptions) -> Judge:
        """Bind the goal; `tasks` may have been chosen by another goal.

        Raises:
            ConfigError: it cannot judge such tasks, or such a scheme.
        """
        ...

    def variants(self, options: GoalOptions) -> tuple[GoalOptions, ...]:
        """The options under which the noiseless reference is shown, `options` among them."""
        return (options,)


def headline(goal: Goal) -> Metric:
    """The metric that schemes are compared by.

    Raises:
        ShapeError: the goal has not exactly one.
    """
    found = [metric for metric in goal.metrics if metric.headline]
    if len(found) != 1:
        raise ShapeError(f"goal '{goal.name}' must have exactly one headline metric; it has {len(found)}")
    return found[0]
