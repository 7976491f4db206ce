"""The goal classification: a task's class is the one of its first view; a lost task is wrong.

Images are judged by a task network; of several views its logits are averaged.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from hil.datasets.dataset import Dataset
from hil.errors import ConfigError, ModelError
from hil.goals.answers import blanked, expected, sent_images
from hil.goals.classification.confusion import MACRO_F1, NOTHING, class_metrics
from hil.goals.contract import Goal, GoalOptions, Metric, PerTask, Tasks
from hil.goals.network import NetworkOptions, TaskNetwork, refusal
from hil.goals.sampling import draw_tasks, sent_split
from hil.models.card import OutputKind
from hil.models.contract import Images, Logits, Output, Scheme

__all__ = ["BY_CLASS_AT_MOST", "Classification", "ClassificationJudge", "ClassificationOptions"]

BY_CLASS_AT_MOST = 100
"""Classes up to which each has metrics of its own."""


class ClassificationOptions(NetworkOptions):
    """What may be chosen of classification: the task network."""


def class_names(dataset: Dataset) -> tuple[str, ...]:
    """Names of the classes; their numbers where the data set does not name them."""
    if dataset.classes:
        return dataset.classes
    found = [int(split.labels["class"].max()) for split in dataset.splits.values() if "class" in split.labels and len(split)]
    return tuple(str(number) for number in range(max(found, default=-1) + 1))


class ClassificationJudge:
    """Compares classes.

    Args:
        dataset: at the scheme's image size.
        tasks: the distinct tasks.
        views: images a task that the scheme sends.
        network: that judges images.

    Raises:
        ConfigError: the views of a task are not of one class, or are not labelled.
    """

    def __init__(self, dataset: Dataset, tasks: Tasks, *, views: int, network: TaskNetwork | None) -> None:
        self._dataset, self._split, self._network = dataset, dataset.split(tasks.split), network
        self._sent = sent_images(tasks, views)
        self._classes = len(class_names(dataset))
        if "class" not in self._split.labels:
            raise ConfigError(f"classification cannot judge these tasks: no label 'class' in '{tasks.split}'")
        seen = self._split.label("class")[self._sent]
        if bool((seen != seen[:, :1]).any()) or bool((seen < 0).any()):
            raise ConfigError("classification cannot judge these tasks: the views of a task must be of one class, and labelled")
        self._truth = seen[:, 0]

    def score(self, output: Output, index: Tensor, lost: Tensor) -> PerTask:
        """Whether each row is of the right class, the true class and the predicted one.

        Raises:
            ModelError: the output holds neither logits nor images that a network can judge.
        """
        return self._compared(self._logits(output, lost), index, lost)

    def headline(self, output: Output, index: Tensor) -> PerTask:
        """The same, of tasks of which none is lost."""
        return self.score(output, index, torch.zeros(len(index), dtype=torch.bool))

    def references(self) -> Mapping[str, float | PerTask]:
        """What knows nothing, and what knows the images.

        ``chance``: any class at random; ``most_frequent``: always the most frequent class of the images to train on;
        ``uncoded``: the task network on the images that were sent.
        """
        everyone = torch.arange(len(self._truth))
        kept = torch.zeros(len(everyone), dtype=torch.bool)
        found: dict[str, float | PerTask] = {"chance": 1 / self._classes}
        known = self._dataset.train.labels.get("class", torch.zeros(0, dtype=torch.int64))
        known = known[known >= 0]
        if len(known):
            always = known.bincount(minlength=self._classes).argmax()
            logits = torch.nn.functional.one_hot(always, self._classes).float().expand(len(everyone), -1)
            found["most_frequent"] = self._compared(logits, everyone, kept)
        if self._network is not None:
            images = self._split.float_images(self._sent.flatten()).unflatten(0, tuple(self._sent.shape))
            found["uncoded"] = self._compared(self._judged(images), everyone, kept)
        return found

    def _compared(self, logits: Tensor, index: Tensor, lost: Tensor) -> PerTask:
        truth = self._truth[index]
        predicted = logits.argmax(1).masked_fill(lost, NOTHING)
        return PerTask(values={"accuracy": predicted == truth, "truth": truth, "predicted": predicted}, scored=~lost)

    def _logits(self, output: Output, lost: Tensor) -> Tensor:
        """Logits of each row, float32 [n, class]; 0 of lost ones."""
        if self._network is not None and isinstance(output, Images):
            return self._judged(blanked(output.images, lost))
        logits = blanked(expected(output, Logits, "classification").logits, lost)
        if logits.shape != (len(lost), self._classes) or not bool(torch.isfinite(logits).all()):
            raise ModelError(
                f"the decoder must give finite logits [{len(lost)}, {self._classes}] (task, class), not {list(logits.shape)}"
            )
        return logits

    def _judged(self, images: Tensor) -> Tensor:
        """The network's logits of images [task, view, C, H, W], averaged over views."""
        assert self._network is not None  # asked by the callers
        logits = self._network.logits(images.flatten(0, 1))
        if logits.shape[1] != self._classes:
            raise ConfigError(
                f"the task network gives logits of {logits.shape[1]} classes, and data set '{self._dataset.name}' has "
                f"{self._classes}; give a network trained for it"
            )
        return logits.view(*images.shape[:2], -1).mean(1)


class Classification(Goal):
    """What is seen? See `hil.goals.contract.Goal`."""

    name = "classification"
    version = 1
    needs: OutputKind = "logits"
    requires: tuple[type, ...] = ()
    options: type[GoalOptions] = ClassificationOptions
    metrics = (
        Metric(name="accuracy", unit="share", better="higher", worst=0.0, headline=True, title="accuracy"),
        MACRO_F1,
    )

    def metrics_for(self, dataset: Dataset) -> tuple[Metric, ...]:
        """Accuracy, macro F1, and of up to `BY_CLASS_AT_MOST` classes each one's recall and precision."""
        names = class_names(dataset)
        return (*self.metrics, *(class_metrics(names) if len(names) <= BY_CLASS_AT_MOST else ()))

    def lacks(self, dataset: Dataset) -> str:
        """Images with classes are needed."""
        name, split = sent_split(dataset)
        return "" if "class" in split.labels else f"no label 'class' in '{name}'"

    def refuses(self, scheme: Scheme, options: GoalOptions) -> str:
        """Logits are needed, or images and a task network."""
        return refusal(self.name, self.needs, scheme, options)

    def tasks(self, dataset: Dataset, *, views: int, seed: int, limit: int | None) -> Tasks:
        """Sets of `views` images of one class, in an order drawn by `seed`; each image is in one task at most."""
        classes = sent_split(dataset)[1].label("class")
        tasks = draw_tasks(dataset, views=views, seed=seed, limit=limit, alike=classes)
        return Tasks(
            split=tasks.split,
            views=tasks.views,
            clusters=tasks.clusters,
            labels={"class": classes[tasks.views[:, 0]]},
            dropped=tasks.dropped,
        )

    def judge(self, scheme: Scheme, dataset: Dataset, tasks: Tasks, options: GoalOptions) -> ClassificationJudge:
        """Be ready to compare classes.

        Raises:
            ConfigError: the views of a task are of different classes, or the network cannot be loaded.
        """
        if not isinstance(options, ClassificationOptions):
            raise ConfigError(f"classification needs ClassificationOptions, not {type(options).__name__}")
        return ClassificationJudge(dataset, tasks, views=scheme.plan.transmitters, network=options.network())
