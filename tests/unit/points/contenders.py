"""Contenders whose every number is known: one pixel a use, and decoders that give it back."""

import torch

from hil.datasets.dataset import Dataset, Split
from hil.goals.contract import GoalOptions, Metric, PerTask, Tasks
from hil.models.contract import Card, Features, Plan, Sent
from hil.points.contender import Contender

PIXELS = 8


def images(count: int, seed: int = 0) -> Split:
    """Images of `PIXELS` grey values each, all different."""
    generator = torch.Generator().manual_seed(seed)
    pixels = torch.randint(1, 255, (count, 1, 1, PIXELS), generator=generator, dtype=torch.uint8)
    return Split(images=pixels, names=tuple(f"{index}" for index in range(count)))


class Pixels:
    """Signs of the pixels' deviations on the real axis; every task has power 1 exactly."""

    def __init__(self, occupied=None, *, kind="measured", send=None, **plan):
        occupied = torch.ones(1, PIXELS, dtype=torch.bool) if occupied is None else occupied
        self.card = Card(name="pixels", kind=kind)
        self.plan = Plan(occupied=occupied, **plan)
        self.send, self.asked, self.decoded = send, [], []

    def encode(self, views, csi=None, generator=None):
        self.asked.append((tuple(views.shape), csi))
        if self.send is not None:
            return self.send(views)
        bits = torch.where(views.flatten(2) > 0.5, 1.0, -1.0).transpose(0, 1)
        return Sent(symbols=bits.to(torch.complex64) * self.plan.occupied[:, None])

    def decode(self, received, blocks=("all",), side=None):
        self.decoded.append((received, blocks, side))
        one = next(iter(received.values()))
        return Features(features=one.symbols.real[:, None].clone(), erased=torch.zeros(len(one.symbols), dtype=torch.bool))


class Bits:
    """A judge: the share of a task's received signs that are those of its image."""

    def __init__(self, truth):
        self.truth = truth

    def score(self, output, index, lost):
        right = ((output.features[:, 0] > 0) == self.truth[index]).float().mean(1)
        return PerTask(values={"right": torch.where(lost, 0.0, right)}, scored=~lost)

    def headline(self, output, index):
        return self.score(output, index, torch.zeros(len(index), dtype=torch.bool))

    def references(self):
        return {}


class BitGoal:
    """What a row needs to know of a goal."""

    name, version, needs, requires, options = "bits", 1, "features", (), GoalOptions
    metrics = (Metric(name="right", unit="share", better="higher", worst=0.0, headline=True),)


def contender(scheme, *, tasks: int = 10, views: int = 1, seed: int = 0) -> Contender:
    """A scheme bound to so many tasks of different images, which are not in the order of the data set."""
    split = images(max(tasks * views, 8) + 5, seed)
    drawn = torch.randperm(len(split), generator=torch.Generator().manual_seed(9))[: tasks * views].view(tasks, views)
    dataset = Dataset(name="pixels", train=images(4), test=split)
    truth = split.float_images()[drawn[:, 0]].flatten(1) > 0.5
    return Contender(
        name="pixels",
        scheme=scheme,
        dataset=dataset,
        tasks=Tasks(split="test", views=drawn, clusters=torch.arange(tasks)),
        goals={"bits": BitGoal()},
        judges={"bits": Bits(truth)},
        options={"bits": GoalOptions()},
    )
