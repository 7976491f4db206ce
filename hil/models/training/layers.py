"""Training of SMRC: codec and extractors by turns, an epoch each, through the channel.

Source: Mortaheb et al., Semantic Multi-Resolution Communications, Sec. III: extractors are trained on pictures as they are, and
after each epoch of the codec on what it reconstructs.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from hil.errors import ModelError
from hil.models.recipe import Layers, Recipe
from hil.models.smrc.loss import pixel_loss, region_mask, semantic_loss
from hil.models.smrc.schemes import Smrc
from hil.models.training.images import AllTogether
from hil.models.training.medium import TrainingMedium
from hil.models.training.semantic import load_classifier
from hil.models.training.trainable import Batch

__all__ = ["LayersTraining"]


class LayersTraining(AllTogether):
    """T1: extractors alone on pictures as they are. T3: epochs 1, 3, 5, … are the codec's, epochs 2, 4, 6, … the extractors'.

    Decoders read one reception of a task, at one SNR. The loss of an epoch of the extractors is their semantic loss alone.

    Args:
        network: what is trained.
        recipe: its stages, channel and `Layers`.

    Raises:
        ModelError: the recipe asks for another stage or loss, or its settings of layers do not fit.
    """

    examples = "images"
    network: Smrc

    def __init__(self, network: Smrc, recipe: Recipe) -> None:
        super().__init__(network, recipe)
        named = f"recipe '{recipe.name}', scheme '{recipe.scheme}'"
        losses = {name: stage.loss for name, stage in recipe.stages().items()}
        if losses.get("t3") != "layers" or not set(losses) <= {"t1", "t3"}:
            raise ModelError(f'{named}: it trains in t3 with loss = "layers", and its extractors before that in t1.')
        self.layers: Layers = recipe.layers or Layers()
        self._check(named)
        self.medium = TrainingMedium(recipe, network.plan)
        self._classes: Tensor | None = None
        self._boxes: Sequence[Tensor] | None = None

    def _check(self, named: str) -> None:
        count, classes, layers = len(self.network.sizes), self.recipe.classes, self.layers
        if len(layers.class_weights) not in (0, count) or len(layers.pool) not in (0, count):
            raise ModelError(f"{named}: layers.class_weights and layers.pool need an entry a layer ({count}), or none.")
        for layer in range(1, count + 1):
            if len(layers.weights_of(layer, classes)) != classes or not 0 <= layers.pool_of(layer) <= classes:
                raise ModelError(f"{named}: layers.class_weights need a weight for each class ({classes}), and pool no more.")
        augment = self.recipe.augment
        if layers.background < 1 and (augment.flip or augment.shift):
            raise ModelError(f"{named}: layers.background below 1 needs pictures as they are; set augment.flip and shift to 0.")

    def look(self, split: Any, folders: Sequence[Path], device: torch.device) -> None:
        """Take classes and boxes from the training images, and put in the classifier that extractors start from.

        Args:
            split: to train on.
            folders: of weights.
            device: trained on.

        Raises:
            ModelError: the images have no classes, more than the recipe, or no boxes where these count; or no such classifier.
        """
        classes = getattr(split, "labels", {}).get("class")
        if classes is None or int(classes.min()) < 0 or int(classes.max()) >= self.recipe.classes:
            raise ModelError(
                f"recipe '{self.recipe.name}': SMRC needs training images that all have a label 'class' of "
                f"0…{self.recipe.classes - 1}; set classes, or take another data set"
            )
        self._classes = classes
        if self.layers.background < 1:
            self._boxes = split.boxes
            if self._boxes is None:
                raise ModelError(f"recipe '{self.recipe.name}': layers.background below 1 needs training images with boxes")
        if self.layers.extractor is not None and self.recipe.init is None:
            given = load_classifier(self.layers.extractor, folders).state_dict()
            for extractor in self.network.extractors:
                extractor.load_state_dict(given)

    def parameter_groups(self, stage: str) -> list[tuple[float, list[nn.Parameter]]]:
        """T1: the extractors'; T3: all, of which each epoch moves its own."""
        extractors = [*self.network.extractors.parameters()]
        return [(1.0, extractors if stage == "t1" else [*self.coders(), *extractors])]

    def coders(self) -> list[nn.Parameter]:
        """Parameters of trunk, heads and decoders."""
        parts = (self.network.trunk, self.network.heads, self.network.decoders)
        return [parameter for part in parts for parameter in part.parameters()]

    def loss(self, stage: str, batch: Batch) -> Tensor:
        """Of T1, the extractors' on pictures as they are; of T3, the codec's or the extractors', by the epoch.

        Raises:
            ModelError: the batch has no images.
        """
        images = self.images(stage, batch)
        codec = stage == "t3" and batch.epoch % 2 == 0
        self.network.extractors.requires_grad_(not codec).train(not codec)  # judges do not move while they are learnt from
        if stage == "t1":
            return self._semantic([images] * len(self.network.sizes), batch)
        with torch.set_grad_enabled(codec):
            received = self._received(images, batch)
        if not codec:
            return self._semantic(received, batch)
        layers, mask = self.layers, self._mask(batch, images)
        errors = [pixel_loss(images, one, mask=mask, how=layers.pixels) for one in received]
        return layers.alpha * torch.stack(errors).sum() + (1 - layers.alpha) * self._semantic(received, batch)

    def _received(self, images: Tensor, batch: Batch) -> list[Tensor]:
        """Pictures of every layer from one reception."""
        drawn = self.medium.draw(len(images), batch.generator)
        got = self.medium.send(self.network.modulate(images), drawn, batch.generator).symbols
        return [self.network.demodulate(got, layer) for layer in range(1, len(self.network.sizes) + 1)]

    def _semantic(self, pictures: Sequence[Tensor], batch: Batch) -> Tensor:
        """Semantic loss of all layers' pictures, their sum."""
        known = batch.labels if self._classes is None or batch.places is None else self._classes[batch.places]
        found = []
        for layer, images in enumerate(pictures, 1):
            weights = torch.tensor(self.layers.weights_of(layer, self.recipe.classes), device=images.device)
            logits = self.network.classify(images, layer)
            found.append(semantic_loss(logits, known.to(images.device), weights, pool=self.layers.pool_of(layer)))
        return torch.stack(found).sum()

    def _mask(self, batch: Batch, images: Tensor) -> Tensor | None:
        """M of a batch; None: all 1."""
        if self._boxes is None or batch.places is None:
            return None
        boxes = [self._boxes[place] for place in batch.places.tolist()]
        return region_mask(boxes, (images.shape[2], images.shape[3]), self.layers.background).to(images.device)
