"""The same distinct tasks answered one way: what intervals and comparisons are made of."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from hil.errors import ShapeError
from hil.goals.contract import Metric, PerTask

__all__ = ["Sample", "among"]


@dataclass(frozen=True, kw_only=True)
class Sample:
    """Answers to distinct tasks, some of which may be answered several times.

    Attributes:
        tasks: one row an answer.
        index: int64 [row], the distinct task that it answers.
        draw: int64 [row], 0, 1, …: the independent repetition (noise draw) that it belongs to, each of which is aggregated by
            itself, and then averaged; None: all rows are one experiment.
        frame: int64 [row], what else answers may share: the frame that carried them, or the fade that held several frames;
            None: nothing (a simulation).
        repeat: int64 [row], which of several measurements of the same point it is of; None: there was one.

    Raises:
        ShapeError: the lengths differ.
    """

    tasks: PerTask
    index: Tensor
    draw: Tensor | None = None
    frame: Tensor | None = None
    repeat: Tensor | None = None

    def __post_init__(self) -> None:
        for name in ("index", "draw", "frame", "repeat"):
            rows = getattr(self, name)
            if rows is not None and (rows.dtype != torch.int64 or rows.shape != (len(self.tasks),)):
                raise ShapeError(f"Sample.{name} must be int64 [{len(self.tasks)}], not {rows.dtype} {list(rows.shape)}.")

    def __len__(self) -> int:
        return len(self.index)

    def of_tasks(self, wanted: Tensor) -> Sample:
        """The answers to some distinct tasks, int64 [n]."""
        keep = among(self.index, wanted)
        return self if bool(keep.all()) else self._rows(keep)

    def repeats(self) -> list[Sample]:
        """Each of the measurements by itself; those that were cut short are left out."""
        if self.repeat is None or not len(self):
            return []
        counts = torch.bincount(self.repeat)
        whole = (counts == counts.max()).nonzero().flatten().tolist()
        return [replace(self._rows(self.repeat == number), repeat=None) for number in whole]

    def _rows(self, keep: Tensor) -> Sample:
        chosen = {name: None if rows is None else rows[keep] for name, rows in self._optional().items()}
        return Sample(tasks=self.tasks.rows(keep), index=self.index[keep], **chosen)

    def _optional(self) -> dict[str, Tensor | None]:
        return {"draw": self.draw, "frame": self.frame, "repeat": self.repeat}

    def value(self, metric: Metric) -> float:
        """A metric of the answers, of each draw by itself and then averaged; NaN of none."""
        if not len(self):
            return float("nan")
        if self.draw is None or metric.aggregate is None:
            return metric.of(self.tasks)
        return float(self.over(metric, torch.ones(int(self.index.max()) + 1, dtype=torch.float64)))

    def over(self, metric: Metric, weights: Tensor) -> Tensor:
        """A metric of many drawings of the distinct tasks at once.

        Args:
            metric: what is aggregated.
            weights: float64 [..., distinct task], how often each is drawn.

        Returns:
            float64 [...].
        """
        return self.over_rows(metric, weights[..., self.index])

    def over_rows(self, metric: Metric, weights: Tensor) -> Tensor:
        """The same with the weights of the answers themselves, float64 [..., row]."""
        if self.draw is None or metric.aggregate is None:
            return metric.over(self.tasks, weights)
        draws = [self.draw == number for number in self.draw.unique()]
        return torch.stack([metric.over(self.tasks.rows(own), weights[..., own]) for own in draws]).mean(0)


def among(tasks: Tensor, wanted: Tensor) -> Tensor:
    """Which of some distinct tasks (int64 [n]) are wanted ones, bool [n]; NumPy looks them up, torch would sort."""
    return torch.from_numpy(np.isin(tasks.numpy(), wanted.numpy()))
