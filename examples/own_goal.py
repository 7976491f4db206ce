"""A goal of your own: the angle between features received and features sent.

hil run --schemes single --goals examples/own_goal.py:Angle --snr 0,10
"""

import sys

import torch

import hil
from hil.goals.contract import Goal, GoalOptions, Metric, PerTask, Tasks


class AngleJudge:
    """Bound to one scheme: knows the features that should have arrived."""

    def __init__(self, wanted):
        self._wanted = wanted

    def score(self, output, index, lost):
        """The cosine between features received and wanted, task by task; a lost task gets the worst, −1."""
        cosine = torch.cosine_similarity(output.features[:, 0], self._wanted[index], dim=1)
        return PerTask(values={"cosine": torch.where(lost, -1.0, cosine)}, scored=~lost)

    def headline(self, output, index):
        """The same where nothing is lost, for simulations."""
        return self.score(output, index, torch.zeros(len(index), dtype=torch.bool))

    def references(self):
        """Random features stand at a right angle."""
        return {"right angle": 0.0}


class Angle(Goal):
    """See `hil.goals.contract.Goal`."""

    name, version, needs, requires, options = "angle", 1, "features", (), GoalOptions
    metrics = (Metric(name="cosine", unit="1", better="higher", worst=-1.0, headline=True),)

    def lacks(self, dataset):
        return ""  # any images will do

    def tasks(self, dataset, *, views, seed, limit):
        """Distinct images in an order that the seed decides."""
        order = torch.randperm(len(dataset.sent), generator=torch.Generator().manual_seed(seed))
        count = min(len(order) // views, limit or len(order))
        split = next(name for name, one in dataset.splits.items() if one is dataset.sent)
        return Tasks(split=split, views=order[: count * views].view(count, views), clusters=torch.arange(count))

    def judge(self, scheme, dataset, tasks, options):
        return AngleJudge(scheme.embed(dataset.split(tasks.split).float_images(tasks.views[:, 0]))[0])


if __name__ == "__main__":
    out = sys.argv[1] if len(sys.argv) > 1 else "runs"
    goals, data = [f"{__file__}:Angle"], "synthetic:identities=40"
    results = hil.run(schemes=["single"], goals=goals, dataset=data, snr_db=[0.0, 10.0], tasks=84, draws=4, out=out)
    for row in results.points:
        print(f"{row.scheme:<12} {row.source:<10} {row.snr_db_target} dB: cosine {row.headline[1].value:.3f}")
