"""Answers to dependent tasks whose truth is known: alike identities, tasks that persist, frames that share an error."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray

from hil.goals.contract import Metric, PerTask
from hil.results.sample import Sample

__all__ = ["HIT", "LEVEL", "Effects", "World"]

HIT = Metric(name="hit", unit="share", better="higher", worst=0.0, headline=True)
LEVEL = Metric(name="level", unit="dB", better="higher", worst=0.0, headline=True)
_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(61)
_WEIGHTS = _WEIGHTS / _WEIGHTS.sum()

Floats = NDArray[np.float64]


def _expit(value: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-value)))


_GRID = np.linspace(-9.0, 9.0, 721)
"""Log odds at which the spread of identities is tabled."""


def _means(odds: Floats, spread: Floats) -> Floats:
    """Mean share of normal log odds about `odds` with this standard deviation, float64 [n]."""
    return np.asarray(_expit(odds[:, None] + spread[:, None] * _NODES) @ _WEIGHTS)


@lru_cache(maxsize=64)
def _table(alike: float) -> tuple[Floats, Floats]:
    """Means and, for each, the standard deviation of identities' log odds at which their answers are so alike."""
    low, high = np.zeros_like(_GRID), np.full_like(_GRID, 12.0)
    for _ in range(50):
        middle = (low + high) / 2
        shares = _expit(_GRID[:, None] + middle[:, None] * _NODES)
        means = shares @ _WEIGHTS
        less = np.square(shares - means[:, None]) @ _WEIGHTS < alike * means * (1 - means)
        low, high = np.where(less, middle, low), np.where(less, high, middle)
    return _means(_GRID, low), low


@lru_cache(maxsize=64)
def _odds(alike: float, shared: float) -> tuple[Floats, Floats]:
    """Means and the middle log odds that give them, with identities so alike and frames' errors so large."""
    means, spread = _table(alike)
    middle = np.interp(means, _means(_GRID, np.hypot(spread, shared)), _GRID)
    return means, middle


@dataclass(frozen=True, kw_only=True)
class Effects:
    """What one drawing of identities and tasks shares among schemes and SNRs.

    Attributes:
        identity: standard normal [identity]; task: uniform [task], what persists; fixed: bool [task], whether it does.
    """

    identity: Floats
    task: Floats
    fixed: NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class World:
    """How tasks depend on each other; the defaults are like the demo (0.2 and 0.6 were measured there at 3…6 dB).

    Attributes:
        identities: how many; tasks: distinct ones, dealt out unevenly; answers: all of them, each task as often as the other.
        frames: answers are sent in so many.
        alike: correlation of answers to different tasks of one identity; again: of two answers to one task.
        shared: standard deviation of a frame's error, in log odds.
        related: correlation of an identity's effect on two schemes.
    """

    identities: int
    tasks: int = 1008
    answers: int = 2016
    frames: int = 24
    alike: float = 0.2
    again: float = 0.6
    shared: float = 0.0
    related: float = 0.9
    clusters: torch.Tensor = field(init=False)

    def __post_init__(self) -> None:
        rng = np.random.default_rng(self.identities)
        share = rng.uniform(0.5, 1.5, self.identities)
        rest = rng.choice(self.identities, self.tasks - self.identities, p=share / share.sum())
        own = np.concatenate([np.arange(self.identities), rest])  # at least one each
        object.__setattr__(self, "clusters", torch.from_numpy(own[rng.permutation(self.tasks)]))

    @property
    def index(self) -> torch.Tensor:
        """Task of each answer, int64 [answer]."""
        return torch.arange(self.answers) % self.tasks

    @property
    def frame(self) -> torch.Tensor:
        """Frame of each answer, int64 [answer]."""
        return torch.arange(self.answers) * self.frames // self.answers

    def effects(self, rng: np.random.Generator) -> Effects:
        """Draw identities and tasks."""
        persists = max(0.0, (self.again - self.alike) / (1 - self.alike))
        return Effects(
            identity=rng.standard_normal(self.identities),
            task=rng.random(self.tasks),
            fixed=rng.random(self.tasks) < persists,
        )

    def liked(self, rng: np.random.Generator, effects: Effects) -> Floats:
        """Identities' effects on one scheme, standard normal [identity]."""
        own = (1 - self.related**2) ** 0.5 * rng.standard_normal(self.identities)
        return np.asarray(self.related * effects.identity + own)

    def answered(
        self,
        rng: np.random.Generator,
        mean: float,
        effects: Effects,
        *,
        liked: Floats | None = None,
        air: bool = True,
        draws: int = 1,
    ) -> Sample:
        """Hits of a scheme whose true share is `mean`, over the air (in frames) or simulated in so many draws.

        Args:
            rng: of everything that is this scheme's own.
            mean: its true share.
            effects: shared with other schemes.
            liked: identities' effects on the scheme; None: drawn.
            air: in frames with an error of their own; else each distinct task once a draw.
            draws: of a simulation.
        """
        shared = self.shared if air else 0.0
        means, spreads = _table(self.alike)
        spread = float(np.interp(mean, means, spreads))
        own = self.liked(rng, effects) if liked is None else liked
        index = self.index.numpy() if air else np.tile(np.arange(self.tasks), draws)
        odds = float(np.interp(mean, *_odds(self.alike, shared))) + spread * own[self.clusters.numpy()[index]]
        if air:
            odds = odds + shared * rng.standard_normal(self.frames)[self.frame.numpy()]
        chance = np.where(effects.fixed[index], effects.task[index], rng.random(len(index)))
        return self._sample("hit", chance < _expit(odds), index, air, draws)

    def levels(self, rng: np.random.Generator, effects: Effects) -> Sample:
        """Decibels with mean 0: skewed over tasks, alike within identities and frames."""
        index = self.index.numpy()
        tasks = (rng.exponential(1.0, self.tasks) - 1)[index] * (1 - self.alike) ** 0.5
        values = effects.identity[self.clusters.numpy()[index]] * self.alike**0.5 + tasks
        values = values + self.shared * rng.standard_normal(self.frames)[self.frame.numpy()]
        return self._sample("level", values, index, True, 1)

    def _sample(self, name: str, values: NDArray[np.generic], index: NDArray[np.int64], air: bool, draws: int) -> Sample:
        count = len(index)
        return Sample(
            tasks=PerTask(values={name: torch.from_numpy(values)}, scored=torch.ones(count, dtype=torch.bool)),
            index=torch.from_numpy(index),
            draw=None if air else torch.arange(draws).repeat_interleave(self.tasks),
            frame=self.frame if air else None,
        )
