"""Task networks: a classifier, detector or feature extractor, by which a goal judges images.

The name of a trained classifier or detector of ours, or a third party's ``path.py:Class``, which is called without arguments;
the object is called with images float32 [n, C, H, W] in 0…1 and gives logits [n, class] or features [n, p] (a tensor,
`Logits` or `Features`), or `Boxes`. A `torch.nn.Module` is put in evaluation mode, and no gradients are kept. It sees batches
of a fixed size, the last one filled up, so an image's bits do not depend on how many follow it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

from hil.datasets.card import DatasetEntry
from hil.datasets.dataset import Dataset
from hil.errors import ConfigError, ModelError
from hil.foreign import is_foreign, load_foreign
from hil.goals.contract import Goal, GoalOptions
from hil.models.card import OutputKind
from hil.models.contract import Boxes, Features, Logits, Scheme, stacked
from hil.models.image.classifier import ImageClassifier
from hil.models.image.detector import ImageDetector
from hil.models.load import load_scheme, weights_file
from hil.models.network import RecipeNetwork
from hil.places import folders
from hil.registry import DATASETS

__all__ = ["NETWORK_BATCH", "NetworkOptions", "TaskNetwork", "refusal", "usual_network"]

NETWORK_BATCH = 64
"""Images that a network is called on at once."""


class NetworkOptions(GoalOptions):
    """What may be chosen of a goal that can judge images.

    Attributes:
        task_network: ``path.py:Class``, or the name of a trained classifier or detector, by which schemes that put out images
            are judged; None: they are not. A goal that is asked for by name has the data set's own where it has one.
    """

    task_network: str | None = None

    def network(self) -> TaskNetwork | None:
        """The network, loaded; None where none is named.

        Raises:
            ConfigError: it cannot be loaded.
        """
        return None if self.task_network is None else TaskNetwork.load(self.task_network)


def usual_network(goal: Goal, dataset: Dataset) -> dict[str, str]:
    """The option by which a goal judges images of a data set that has a task network of its own; empty for any other."""
    entry = DATASETS.builtin.get(dataset.name)
    if not (isinstance(entry, DatasetEntry) and issubclass(goal.options, NetworkOptions) and goal.needs in entry.task_networks):
        return {}
    return {"task_network": entry.task_networks[goal.needs]}


def _trained(name: str) -> ImageClassifier | ImageDetector:
    """A classifier or a detector of images by the name of its weights.

    Raises:
        ConfigError: there is none.
        ModelError: its weights are damaged.
    """
    file = weights_file(name, folders("models"))
    found = None if file is None else load_scheme(str(file), [])
    if not isinstance(found, ImageClassifier | ImageDetector):
        raise ConfigError(
            "task_network must be path.py:Class, or the name of a classifier or detector that was trained by a recipe, "
            f"not '{name}'"
        )
    return found


def refusal(goal: str, needs: OutputKind, scheme: Scheme, options: GoalOptions) -> str:
    """Why a goal that can judge images cannot judge a scheme, in words; "" if it can.

    Args:
        goal: its name.
        needs: the kind of output it judges without a network.
        scheme: to be judged.
        options: of the goal.
    """
    outputs = scheme.card.outputs
    if outputs == needs or (outputs == "images" and getattr(options, "task_network", None) is not None):
        return ""
    if outputs == "images":
        return (
            f"{goal} needs {needs}, and the scheme puts out images; give the goal a task_network "
            "(path.py:Class, or the name of a trained one)"
        )
    return f"{goal} needs {needs}, or images and a task_network, and the scheme puts out {outputs}"


class TaskNetwork:
    """A network that judges images.

    Args:
        call: gives logits, features or boxes of images float32 [n, C, H, W].
        name: for messages.
    """

    def __init__(self, call: Callable[[Tensor], Any], name: str = "") -> None:
        if isinstance(call, torch.nn.Module):
            call.eval()
            call.requires_grad_(False)
        self._call, self._name = call, name or type(call).__name__

    @classmethod
    def load(cls, spec: str) -> TaskNetwork:
        """The network of ``path.py:Class``, or a trained one by its name.

        Raises:
            ConfigError: neither of these, or it cannot be loaded or called.
        """
        if not is_foreign(spec):
            return cls(_trained(spec), spec)
        network = load_foreign(spec, "task network", call=True)
        if not callable(network):
            raise ConfigError(
                f"task network '{spec}' must be callable with images [n, C, H, W], and is {type(network).__name__}"
            )
        return cls(network, spec)

    @property
    def classes(self) -> int | None:
        """How many it tells apart, where it is a recipe's; None: not known before it is asked."""
        return self._call.recipe.classes if isinstance(self._call, RecipeNetwork) else None

    def logits(self, images: Tensor) -> Tensor:
        """Scores of classes, float32 [n, class], of images float32 [n, C, H, W].

        Raises:
            ModelError: the network gives something else.
        """
        return torch.cat([self._rows(made, rows, Logits, "logits") for made, rows in self._made(images)])

    def features(self, images: Tensor) -> Tensor:
        """Feature vectors, float32 [n, p], of images float32 [n, C, H, W].

        Raises:
            ModelError: the network gives something else.
        """
        return torch.cat([self._rows(made, rows, Features, "features").flatten(1) for made, rows in self._made(images)])

    def boxes(self, images: Tensor) -> Boxes:
        """Detected objects of images float32 [n, C, H, W].

        Raises:
            ModelError: the network gives something else.
        """
        parts = []
        for made, rows in self._made(images):
            if not isinstance(made, Boxes) or len(made.boxes) != NETWORK_BATCH:
                raise ModelError(
                    f"task network '{self._name}' must give Boxes (hil.models.contract) with a row an image, "
                    f"not {_described(made)}"
                )
            parts.append(
                Boxes(
                    boxes=made.boxes[:rows],
                    scores=made.scores[:rows],
                    labels=made.labels[:rows],
                    erased=torch.zeros(rows, dtype=torch.bool),
                )
            )
        return stacked(parts)

    def _made(self, images: Tensor) -> Iterator[tuple[Any, int]]:
        """What the network makes of each batch, and how many of its rows are of images."""
        images = self._coloured(images)
        with torch.inference_mode():
            for batch in images.split(NETWORK_BATCH):
                rows = len(batch)
                filled = torch.cat([batch, batch.new_zeros(NETWORK_BATCH - rows, *batch.shape[1:])])
                yield self._call(filled), rows

    def _coloured(self, images: Tensor) -> Tensor:
        """Grey images in as many equal channels as a network of a recipe takes; others as they are.

        Raises:
            ModelError: they have other channels.
        """
        channels = self._call.recipe.channels if isinstance(self._call, RecipeNetwork) else None
        if channels in (None, images.shape[1]):
            return images
        if images.shape[1] != 1:
            raise ModelError(
                f"task network '{self._name}' takes images of {channels} channels, or grey ones, and not of {images.shape[1]}"
            )
        return images.expand(-1, channels, -1, -1)

    def _rows(self, made: Any, rows: int, kind: type, field: str) -> Tensor:
        found = getattr(made, field) if isinstance(made, kind) else made
        if (
            not isinstance(found, Tensor)
            or found.ndim < 2
            or len(found) != NETWORK_BATCH
            or not found.is_floating_point()
            or not bool(torch.isfinite(found).all())
        ):
            raise ModelError(
                f"task network '{self._name}' must give finite {field} [{NETWORK_BATCH}, …], one row an image, "
                f"not {_described(made)}"
            )
        return found[:rows].float()


def _described(made: Any) -> str:
    if isinstance(made, Tensor):
        return f"{made.dtype} {list(made.shape)}" + ("" if bool(torch.isfinite(made).all()) else ", not finite")
    return type(made).__name__
