"""Training of what SD-JSCC is made of: the classifier, and the codec by the semantic loss of a frozen one.

Source: Sun et al., Deep Joint Source-Channel Coding for Wireless Image Transmission with Semantic Importance, Algorithm 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from hil.errors import ConfigError, ModelError
from hil.models.image.classifier import ImageClassifier
from hil.models.image.schemes import DeepJscc
from hil.models.image.semantic import importance, semantic_loss, semantic_weights
from hil.models.load import load_scheme
from hil.models.recipe import Recipe, Semantic
from hil.models.training.images import AllTogether, ImageTraining
from hil.models.training.trainable import Batch

__all__ = ["ClassifierTraining", "SemanticTraining", "load_classifier"]

WEIGHED = 2000
"""Training images that semantic weights are the mean of."""


def load_classifier(name: str, folders: Sequence[Path]) -> ImageClassifier:
    """A trained classifier of images, frozen.

    Raises:
        ModelError: it has no weights there, or is something else.
    """
    found = load_scheme(name, folders)
    if not isinstance(found, ImageClassifier):
        raise ModelError(f"task network '{name}' must be a trained classifier of images, not {type(found).__name__}")
    return found


class ClassifierTraining(AllTogether):
    """T1 of a classifier of images: cross-entropy.

    Args:
        network: what is trained.
        recipe: its stage.
        classes: of the training images.

    Raises:
        ModelError: the recipe asks for another stage, holds classes out, or has another number of them.
    """

    examples = "classes"
    network: ImageClassifier

    def __init__(self, network: ImageClassifier, recipe: Recipe, classes: int) -> None:
        super().__init__(network, recipe)
        named = f"recipe '{recipe.name}', scheme '{recipe.scheme}'"
        if set(recipe.stages()) != {"t1"} or recipe.held_out:
            raise ModelError(f"{named}: classifiers train in one step on all classes, so give t1 alone, and held_out = 0.")
        if classes != recipe.classes:
            raise ModelError(f"{named}: classes must be {classes}, as the training images have, not {recipe.classes}.")

    def loss(self, stage: str, batch: Batch) -> Tensor:
        """Cross-entropy.

        Raises:
            ModelError: the batch has no images.
        """
        smoothing = self.stages()[stage].label_smoothing
        return F.cross_entropy(self.network(self.images(stage, batch)), batch.labels, label_smoothing=smoothing)


class SemanticTraining(ImageTraining):
    """T3 of an image codec by the semantic loss, from a codec that was trained on pixels.

    Args:
        network: what is trained.
        recipe: its stage, channel and `Semantic`.
    """

    losses = ("semantic",)

    def __init__(self, network: DeepJscc, recipe: Recipe) -> None:
        super().__init__(network, recipe)
        assert recipe.semantic is not None  # the recipe has seen to it
        self.semantic: Semantic = recipe.semantic
        self._judge: tuple[ImageClassifier, ...] = ()  # in a tuple: it is no part of what is trained and kept
        self._weights = torch.zeros(0)

    def look(self, split: Any, folders: Sequence[Path], device: torch.device) -> None:
        """Load the task network, and take the semantic weights from clean training images.

        Args:
            split: to train on, with images, and labels ``class`` where these count.
            folders: of weights.
            device: trained on.

        Raises:
            ModelError: no such task network, or no labels where they are needed.
        """
        judge = load_classifier(self.semantic.task_network, folders)
        index = torch.arange(min(WEIGHED, len(split.images)))
        classes = getattr(split, "labels", {}).get("class")
        if self.semantic.weights == "uniform":
            count = judge.maps(torch.zeros(1, 3, *judge.recipe.image_size), self.semantic.tap).shape[1]
            weights = torch.ones(count)
        else:
            images = torch.as_tensor(split.images[index]).float() / 255
            wanted = importance(judge, images, self.semantic, None if classes is None else classes[index])
            weights = semantic_weights(wanted, self.semantic.temperature)
        self._judge, self._weights = (judge.to(device),), weights.to(device)

    def measured(self, sent: Tensor, received: Tensor) -> Tensor:
        """The semantic loss, and what the recipe adds of pixels.

        Raises:
            ConfigError: `look` was not called.
        """
        if not self._judge:
            raise ConfigError("SemanticTraining.look must be called before training, for the task network and its weights.")
        found = semantic_loss(self._judge[0], self.semantic.tap, self._weights, sent, received)
        return found + self.semantic.pixel_weight * F.mse_loss(received, sent)
