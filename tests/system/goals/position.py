"""A third party's goal in one file: in which column is the bar? ``path/position.py:Position``.

Features [task, view, column] vote for a column; of several views the votes are added. Its metrics: `hit`, the share of tasks
whose column is right (or within the option `tolerance`), `distance`, how many columns it is off, and `worst_column`, the share
of hits in the column that is met worst: no mean over tasks.
"""

import torch

from hil.errors import ConfigError, DatasetError, ModelError
from hil.goals.contract import Goal, GoalOptions, Metric, PerTask, Tasks
from hil.models.contract import Features

COLUMNS = 8


class Options(GoalOptions):
    """How near is near enough.

    Attributes:
        tolerance: columns that a hit may be off.
    """

    tolerance: int = 0


def worst_column(values, weights):
    """Least share of hits over the columns that occur; float64 [...] of weights [..., task]."""
    shares = []
    for column in range(COLUMNS):
        own = weights * (values["column"] == column)
        count = own.sum(-1)
        shares.append(torch.where(count > 0, (own * values["hit"]).sum(-1) / count.clamp_min(1e-9), torch.inf))
    return torch.stack(shares).amin(0)


class Judge:
    """Compares columns of the tasks of one split."""

    def __init__(self, columns, tolerance):
        self.columns, self.tolerance = columns, tolerance

    def score(self, output, index, lost):
        """A lost task is as far off as can be."""
        if not isinstance(output, Features):
            raise ModelError(f"position needs Features, the decoder gave {type(output).__name__}")
        truth = self.columns[index]
        off = (output.features.sum(1).argmax(1) - truth).abs()
        off = torch.where(lost, COLUMNS - 1, off)
        hit = (off <= self.tolerance) & ~lost
        return PerTask(values={"hit": hit, "distance": off, "column": truth}, scored=~lost)

    def headline(self, output, index):
        """The same; nothing is lost in a simulation."""
        return self.score(output, index, torch.zeros(len(index), dtype=torch.bool))

    def references(self):
        """A column at random."""
        return {"chance": 1 / COLUMNS}


class Position(Goal):
    """Where the bar is."""

    name = "position"
    version = 2
    needs = "features"
    requires = ()
    options = Options
    metrics = (
        Metric(name="hit", unit="share", better="higher", worst=0.0, headline=True, title="hits"),
        Metric(name="distance", unit="1", better="lower", worst=COLUMNS - 1.0, title="columns off"),
        Metric(name="worst_column", unit="share", better="higher", worst=0.0, aggregate=worst_column),
    )

    def lacks(self, dataset):
        """Images that are sent, with a class."""
        return "" if "class" in dataset.sent.labels else "no label 'class'"

    def tasks(self, dataset, *, views, seed, limit):
        """Sets of images of one column, in seeded order."""
        if limit is not None and limit < 1:
            raise DatasetError(f"Argument 'limit' must be at least 1 or None, not {limit}.")
        columns = dataset.sent.label("class")
        order = torch.randperm(len(columns), generator=torch.Generator().manual_seed(seed))
        sets = [order[columns[order] == column] for column in range(COLUMNS)]
        found = torch.cat([own[: len(own) // views * views].view(-1, views) for own in sets])
        found = found[torch.randperm(len(found), generator=torch.Generator().manual_seed(seed + 1))][:limit]
        split = "test" if dataset.test is not None else "query"
        return Tasks(split=split, views=found, clusters=torch.arange(len(found)), labels={"column": columns[found[:, 0]]})

    def judge(self, scheme, dataset, tasks, options):
        """The views of a task show one column."""
        columns = dataset.split(tasks.split).label("class")[tasks.views]
        if bool((columns != columns[:, :1]).any()):
            raise ConfigError("position cannot judge these tasks: the views of a task show different columns")
        return Judge(columns[:, 0], options.tolerance)
