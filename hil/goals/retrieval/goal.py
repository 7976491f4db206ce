"""The goal retrieval: a task's features rank the gallery; the nearest counted image should show the right person."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import torch
from torch import Tensor

from hil.datasets.dataset import Dataset
from hil.errors import ConfigError, ModelError
from hil.goals.answers import blanked, expected
from hil.goals.contract import Goal, GoalOptions, Metric, PerTask, Tasks
from hil.goals.network import NetworkOptions, TaskNetwork, refusal
from hil.goals.retrieval.gallery import embedded, received_by_network, seen_by_network
from hil.goals.retrieval.kept import kept_features
from hil.goals.retrieval.partial import PartialRanker
from hil.goals.retrieval.ranking import Ranker, Scores, chance
from hil.goals.retrieval.tasks import TaskSet, tasks_for
from hil.models.card import OutputKind
from hil.models.contract import Embeds, Features, GivesUpViews, Images, Output, Scheme

__all__ = ["Retrieval", "RetrievalJudge", "RetrievalOptions"]

CMC = (5, 10, 20)
"""Places within which a right answer counts, beside the first."""
TASKS_AT_ONCE = 128
"""Tasks whose images are read in one call: bounds memory."""


class RetrievalOptions(NetworkOptions):
    """What may be chosen of retrieval: the task network, whose features then stand for images, and the gallery.

    Attributes:
        gallery: which features stand for a gallery image (papers/README, "Gallery").
    """

    gallery: Literal["reconstructed", "raw"] = "reconstructed"


class RetrievalJudge:
    """Ranks one scheme's features; the gallery is embedded once.

    Args:
        scheme: that made the features and embeds the gallery, or that made images.
        dataset: query and gallery, at the scheme's image size.
        tasks: the distinct tasks.
        options: of the goal.
        views: of the tasks that the scheme sends.

    Raises:
        ConfigError: the network cannot be loaded, or the scheme's images cannot be had for the gallery.
        ModelError: the scheme's gallery features do not fit its plan.
    """

    def __init__(self, scheme: Scheme, dataset: Dataset, tasks: TaskSet, options: RetrievalOptions, *, views: int) -> None:
        self._dataset, self._tasks, self._split, self._views = dataset, tasks, dataset.split("gallery"), views
        self._network = options.network()
        if scheme.card.outputs != "images" or self._network is None:
            gallery = kept_features(scheme, dataset, options.gallery, lambda: embedded(scheme, self._split, options.gallery))
        elif options.gallery == "raw":
            gallery = seen_by_network(self._network, self._split, views=views)
        else:
            gallery = received_by_network(self._network, scheme, self._split)
        if gallery.ndim != 3 or gallery.shape[0] < views or gallery.shape[1] != len(self._split):
            raise ModelError(
                f"embed must give float32 [view = {views}, image = {len(self._split)}, p], not {list(gallery.shape)}"
            )
        self._gallery = gallery
        ranker = PartialRanker if isinstance(scheme, GivesUpViews) else Ranker
        self._ranker = ranker(gallery, tasks, self._split, views=views)

    def score(self, output: Output, index: Tensor, lost: Tensor) -> PerTask:
        """Top-1, CMC and average precision of each row; a lost task is a miss.

        Raises:
            ModelError: the output holds neither features nor images that a network can judge.
        """
        came = ~lost
        return _answered(self._ranker.scores(self.features(output, lost)[came], index[came]), lost)

    def headline(self, output: Output, index: Tensor) -> PerTask:
        """Top-1 of each row, without sorting."""
        features = self.features(output, torch.zeros(len(index), dtype=torch.bool))
        top1 = self._ranker.top1(features, index)
        return PerTask(values={"top1": top1}, scored=torch.ones_like(top1))

    def references(self) -> Mapping[str, float | PerTask]:
        """``chance``: a random ranking; ``uncoded``: the task network on the images of query and gallery."""
        found: dict[str, float | PerTask] = {"chance": chance(self._tasks, self._split)}
        if self._network is not None:
            gallery = seen_by_network(self._network, self._split, views=self._views)
            ranker = Ranker(gallery, self._tasks, self._split, views=self._views)
            everyone = torch.arange(len(self._tasks))
            none = torch.zeros(len(everyone), dtype=torch.bool)
            found["uncoded"] = _answered(ranker.scores(self._seen(self._network), everyone), none)
        return found

    def _seen(self, network: TaskNetwork) -> Tensor:
        """The network's features of the tasks' images as they are, float32 [task, view, p]."""
        sent, parts = self._dataset.split(self._tasks.split), []
        for views in self._tasks.views[:, : self._views].split(TASKS_AT_ONCE):
            parts.append(_network_features(network, sent.float_images(views.flatten()).unflatten(0, tuple(views.shape))))
        return torch.cat(parts)

    def stored(self) -> Mapping[str, Tensor]:
        """The gallery's features of the views that count, float32 [view, image, p], with its identities and cameras."""
        labels = {"gallery_identity": self._split.identities, "gallery_camera": self._split.cameras}
        return {"gallery": self._gallery[: self._views], **labels}

    def labels(self, index: Tensor) -> Mapping[str, Tensor]:
        """Person, and cameras of all views of the task: the gallery's images of the person from any of them do not count."""
        return {"identity": self._tasks.identities[index], "camera": self._tasks.cameras[index]}

    def features(self, output: Output, lost: Tensor) -> Tensor:
        """Features of each row, float32 [n, view, p]; 0 of lost ones, NaN of a view that was given up alone."""
        if self._network is not None and isinstance(output, Images):
            return _network_features(self._network, blanked(output.images, lost))
        return blanked(expected(output, Features, "retrieval").features, lost)


def _answered(found: Scores, lost: Tensor) -> PerTask:
    """What the metrics are made of: scores of the tasks that came, in order; one that was lost, bool [task], is a miss."""
    values = {
        "top1": found.top1,
        **{f"top{places}": found.first <= places for places in CMC},
        "map": found.ap,
        "map_trapezoid": found.ap_trapezoid,
    }
    misses = {name: torch.zeros(len(lost), dtype=value.dtype) for name, value in values.items()}
    return PerTask(values={name: miss.masked_scatter(~lost, values[name]) for name, miss in misses.items()}, scored=~lost)


def _network_features(network: TaskNetwork, images: Tensor) -> Tensor:
    """The network's features of images [task, view, C, H, W], float32 [task, view, p]."""
    return network.features(images.flatten(0, 1)).view(*images.shape[:2], -1)


class Retrieval(Goal):
    """Re-identification: two (or more) views of a person rank a gallery. See `hil.goals.contract.Goal`."""

    name = "retrieval"
    version = 1
    needs: OutputKind = "features"
    requires: tuple[type, ...] = (Embeds,)
    options: type[GoalOptions] = RetrievalOptions
    metrics = (
        Metric(name="top1", unit="share", better="higher", worst=0.0, headline=True, title="top-1"),
        *(Metric(name=f"top{places}", unit="share", better="higher", worst=0.0, title=f"CMC-{places}") for places in CMC),
        Metric(name="map", unit="share", better="higher", worst=0.0, title="mAP"),
        Metric(name="map_trapezoid", unit="share", better="higher", worst=0.0, title="mAP (Market-1501's code)"),
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

    def refuses(self, scheme: Scheme, options: GoalOptions) -> str:
        """Features and `Embeds` are needed, or images and a task network."""
        if scheme.card.outputs == self.needs:
            return super().refuses(scheme, options)
        if reason := refusal(self.name, self.needs, scheme, options):
            return reason
        if getattr(options, "gallery", "raw") == "reconstructed" and scheme.plan.tx_csi != "none":
            return f"{self.name} does not know at which SNR such transmitters would encode the gallery; take gallery = 'raw'"
        return ""

    def tasks(self, dataset: Dataset, *, views: int, seed: int, limit: int | None) -> Tasks:
        """Sets of `views` images of one person; at least pairs, so that a single view answers the same tasks.

        For one view each query image, where the data set has no pairs.
        """
        return tasks_for(dataset, views=views, seed=seed, limit=limit).as_tasks()

    def judge(self, scheme: Scheme, dataset: Dataset, tasks: Tasks, options: GoalOptions) -> RetrievalJudge:
        """Embed the gallery and be ready to rank it.

        Raises:
            ConfigError: the scheme cannot be judged, the tasks' views show different people, or none of the query.
        """
        if not isinstance(options, RetrievalOptions):
            raise ConfigError(f"retrieval needs RetrievalOptions, not {type(options).__name__}")
        if reason := self.refuses(scheme, options):
            raise ConfigError(f"scheme '{scheme.card.name}' cannot be judged: {reason}")
        return RetrievalJudge(scheme, dataset, TaskSet.of(dataset, tasks), options, views=scheme.plan.transmitters)

    def variants(self, options: GoalOptions) -> tuple[GoalOptions, ...]:
        """Both galleries."""
        return tuple(options.model_copy(update={"gallery": mode}) for mode in ("reconstructed", "raw"))
