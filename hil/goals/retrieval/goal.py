"""The goal retrieval: a task's features rank the gallery; the nearest counted image should show the right person."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import torch
from torch import Tensor

from hil.datasets.dataset import Dataset, Split
from hil.errors import ConfigError, ModelError
from hil.goals.contract import GoalOptions, Metric, PerTask, Tasks
from hil.goals.retrieval.ranking import chance, rank, top1_only
from hil.goals.retrieval.tasks import TaskSet, make_tasks
from hil.models.card import OutputKind
from hil.models.contract import Embeds, Features, Output, Scheme

__all__ = ["Retrieval", "RetrievalJudge", "RetrievalOptions"]

EMBEDDED_AT_ONCE = 256
"""Gallery images given to a scheme in one call: bounds memory. A multiple of the networks' own batch: no bit changes."""


class RetrievalOptions(GoalOptions):
    """What may be chosen of retrieval.

    Attributes:
        gallery: which features stand for a gallery image (papers/README, "Gallery").
    """

    gallery: Literal["reconstructed", "raw"] = "reconstructed"


class RetrievalJudge:
    """Ranks one scheme's features; the gallery is embedded once.

    Args:
        scheme: that made the features and embeds the gallery.
        dataset: query and gallery, at the scheme's image size.
        tasks: the distinct tasks.
        options: of the goal.

    Raises:
        ModelError: the scheme's gallery features do not fit its plan.
    """

    def __init__(self, scheme: Embeds, dataset: Dataset, tasks: TaskSet, options: RetrievalOptions, *, views: int) -> None:
        self._tasks, self._split, self._views = tasks, dataset.split("gallery"), views
        self._gallery = _embed(scheme, self._split, options.gallery)
        if self._gallery.ndim != 3 or self._gallery.shape[0] < views or self._gallery.shape[1] != len(self._split):
            raise ModelError(
                f"embed must give float32 [view = {views}, image = {len(self._split)}, p], not {list(self._gallery.shape)}"
            )

    def score(self, output: Output, index: Tensor, lost: Tensor) -> PerTask:
        """Top-1 and average precision of each row; a lost task is a miss.

        Raises:
            ModelError: the output holds no features.
        """
        found = rank(_features(output), self._gallery, self._tasks.subset(index), self._split, views=self._views)
        return PerTask(values={"top1": found.top1 & ~lost, "map": torch.where(lost, 0.0, found.ap)}, scored=~lost)

    def headline(self, output: Output, index: Tensor) -> Tensor:
        """Top-1 of each row, bool [n], without sorting."""
        return top1_only(_features(output), self._gallery, self._tasks, self._split, task_index=index, views=self._views)

    def references(self) -> Mapping[str, float]:
        """Chance: a random ranking."""
        return {"chance": chance(self._tasks, self._split)}


def _features(output: Output) -> Tensor:
    if not isinstance(output, Features):
        raise ModelError(f"retrieval needs features, the decoder gave {type(output).__name__}")
    return output.features


def _embed(scheme: Embeds, split: Split, mode: str) -> Tensor:
    parts = []
    with torch.inference_mode():
        for start in range(0, len(split), EMBEDDED_AT_ONCE):
            index = torch.arange(start, min(start + EMBEDDED_AT_ONCE, len(split)))
            parts.append(scheme.embed(split.float_images(index), mode))
        return torch.cat(parts, dim=1).clone()


class Retrieval:
    """Re-identification: two (or more) views of a person rank a gallery. See `hil.goals.contract.Goal`."""

    name = "retrieval"
    version = 1
    needs: OutputKind = "features"
    requires: tuple[type, ...] = (Embeds,)
    options: type[GoalOptions] = RetrievalOptions
    metrics = (
        Metric(name="top1", unit="share", better="higher", worst=0.0, headline=True, title="top-1"),
        Metric(name="map", unit="share", better="higher", worst=0.0, title="mAP"),
    )

    def lacks(self, dataset: Dataset) -> str:
        """A query and a gallery with identities and cameras are needed."""
        for name in ("query", "gallery"):
            split = dataset.splits.get(name)
            if split is None:
                return f"no split '{name}'"
            missing = [label for label in ("identity", "camera") if label not in split.labels]
            if missing:
                return f"no label '{missing[0]}' in '{name}'"
        return ""

    def tasks(self, dataset: Dataset, *, views: int, seed: int, limit: int | None) -> Tasks:
        """Sets of `views` query images of one person; at least pairs, so that a single view answers the same tasks."""
        return make_tasks(dataset, views=max(2, views), seed=seed, limit=limit).as_tasks()

    def judge(self, scheme: Scheme, dataset: Dataset, tasks: Tasks, options: GoalOptions) -> RetrievalJudge:
        """Embed the gallery and be ready to rank it.

        Raises:
            ConfigError: the tasks' views show different people, or none of the query.
        """
        if not isinstance(scheme, Embeds):
            raise ModelError(f"scheme '{scheme.card.name}' has no embed(images, mode), which retrieval needs for its gallery")
        if not isinstance(options, RetrievalOptions):
            raise ConfigError(f"retrieval needs RetrievalOptions, not {type(options).__name__}")
        if tasks.split != "query":
            raise ConfigError(f"retrieval needs tasks of the split 'query', not '{tasks.split}'")
        chosen = TaskSet.of(dataset, tasks)
        return RetrievalJudge(scheme, dataset, chosen, options, views=scheme.plan.transmitters)

    def variants(self, options: GoalOptions) -> tuple[GoalOptions, ...]:
        """Both galleries."""
        return (RetrievalOptions(gallery="reconstructed"), RetrievalOptions(gallery="raw"))
