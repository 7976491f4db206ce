"""Rows and answers made by hand: a goal of one share, one of decibels, and tasks whose every answer is known."""

import torch

from hil.goals.contract import GoalOptions, Metric, PerTask
from hil.models.contract import Card, Plan
from hil.results.document import MetricValue, Row
from hil.results.rows import Subject
from hil.results.sample import Sample


class Options(GoalOptions):
    """One thing may be chosen."""

    way: str = "short"


class Shares:
    """Higher is better; a second metric that is no mean."""

    name, version, needs, requires, options = "shares", 4, "features", (), Options
    metrics = (
        Metric(name="right", unit="share", better="higher", worst=0.0, headline=True, title="right answers"),
        Metric(name="rank", unit="1", better="lower", worst=9.0),
    )

    def metrics_for(self, dataset):
        return self.metrics


class Errors(Shares):
    """Lower is better, in dB."""

    name = "errors"
    metrics = (Metric(name="loss", unit="dB", better="lower", worst=99.0, headline=True),)


def subject(*, goal=None, clusters=6, kind="measured", occupied=None, receiver=None, dropped=3, name="mine"):
    """A scheme of one transmitter and four uses, judged by a goal."""
    occupied = torch.ones(1, 4, dtype=torch.bool) if occupied is None else occupied
    goal = goal or Shares()
    return Subject(
        scheme=name,
        card=Card(name="card", kind=kind, snr_train_db="uniform", training_seed=5),
        plan=Plan(occupied=occupied, rx_csi="snr"),
        goal=goal,
        options=Options(),
        metrics=goal.metrics_for(None),
        clusters=torch.arange(clusters) // 2,
        dropped=dropped,
        receiver=receiver,
    )


def answered(right, *, lost=()):
    """How tasks were answered: float [task], and which were lost."""
    values = torch.tensor(right, dtype=torch.float32)
    scored = torch.ones(len(values), dtype=torch.bool)
    scored[list(lost)] = False
    return PerTask(values={"right": values, "rank": 10 - values}, scored=scored)


def row(scheme="a", *, value=0.5, goal="shares", metric="right", unit="share", better="higher", **more) -> Row:
    """A row with one metric."""
    found = MetricValue(value=value, ci=(0.0, 1.0), n=10, unit=unit, better=better, headline=True)
    plain = {
        "kind": "measured", "goal_version": 1, "source": "air", "snr_basis": "link", "snr_db_target": 3.0, "energy": "per_use",
        "tasks": 10, "access": "single",
    }  # fmt: skip
    return Row(**{**plain, **more}, scheme=scheme, goal=goal, metrics={metric: found}, **{metric: value})


def sample_of(*, index=None, draw=None, frame=None, **values) -> Sample:
    """Answers with such values; each task once, unless said otherwise."""
    tensors = {name: torch.as_tensor(value) for name, value in values.items()}
    count = len(next(iter(tensors.values())))
    return Sample(
        tasks=PerTask(values=tensors, scored=torch.ones(count, dtype=torch.bool)),
        index=torch.arange(count) if index is None else torch.as_tensor(index),
        draw=None if draw is None else torch.as_tensor(draw),
        frame=None if frame is None else torch.as_tensor(frame),
    )


GOALS = {"shares": Shares(), "errors": Errors()}
