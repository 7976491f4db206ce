"""The Trainable contract (apart from Scheme), and its implementation for the papers' retrieval networks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hil.errors import ModelError
from hil.models.branches import BranchNetwork
from hil.models.correlation import mean_squared_cosine
from hil.models.jscc.network import JsccNetwork
from hil.models.recipe import Recipe, Stage
from hil.models.training.medium import TrainingMedium
from hil.models.training.peaks import PeakPenalty
from hil.models.training.triplets import batch_hard_triplet

__all__ = ["Batch", "RetrievalTraining", "Trainable"]


@dataclass(frozen=True, kw_only=True)
class Batch:
    """One training step's input.

    Attributes:
        views: float32 [task, tx, C, H, W] in 0…1, or None in stages on cached features.
        features: float32 [task, branch, p], or None in stages on images.
        boxes: of the objects in the first view, float32 [task, n, 5]: left, top, right, bottom in pixels, class; class below
            0 where there is none to learn; or None where objects do not matter.
        labels: int64 [task].
        generator: CPU generator for SNRs and channel noise.
        places: int64 [task], images of the data set's training split that the first views are of; None where nobody asks.
        epoch: of the stage, from 0.
    """

    labels: Tensor
    generator: torch.Generator
    places: Tensor | None = None
    epoch: int = 0
    views: Tensor | None = None
    features: Tensor | None = None
    boxes: Tensor | None = None


class Trainable(Protocol):
    """Something with named stages, a loss for each, and parameter groups with their learning-rate factors."""

    def stages(self) -> dict[str, Stage]:
        """Stages in order, by name."""
        ...

    def cached(self, stage: str) -> bool:
        """Whether the stage trains on cached features instead of images."""
        ...

    def parameter_groups(self, stage: str) -> list[tuple[float, list[nn.Parameter]]]:
        """(factor on the stage's learning rate, parameters); what is not listed is frozen."""
        ...

    def enter(self, stage: str) -> None:
        """Freeze and unfreeze parts, and set their batch-norm modes, for `stage`."""
        ...

    def loss(self, stage: str, batch: Batch) -> Tensor:
        """Scalar to be minimised."""
        ...


class RetrievalTraining(nn.Module):
    """T1, T2 and T3 for the networks of `hil.models.baseline` and `hil.models.jscc`.

    Classifiers (one linear layer each) exist in training only: one for a single branch; for several an auxiliary one each and
    the main one on the concatenated features, whose cross-entropies are averaged (Lo et al., eq. 2). T3 may weigh in how
    alike the transmitters' codewords are (Lo et al., Sec. V-A).

    Args:
        network: what is trained.
        recipe: stages and losses.
        classes: training identities.

    Attributes:
        examples: what is counted as trained on, and held out.
        inherits_classifiers: they see what those of T1 saw, so a recipe starts with another one's.
    """

    inherits_classifiers = True
    examples = "identities"

    def __init__(self, network: BranchNetwork, recipe: Recipe, classes: int) -> None:
        super().__init__()
        self.network = network
        self.recipe = recipe
        branches, features = len(network.backbones), self.seen(network)
        widths = [features] * branches + ([branches * features] if branches > 1 else [])
        self.classifiers = nn.ModuleList(nn.Linear(width, classes, bias=False) for width in widths)
        if recipe.t2 is not None and not self.coders():
            raise ModelError(f"recipe '{recipe.name}': scheme '{recipe.scheme}' has no autoencoder, so leave t2 out.")
        self.medium = TrainingMedium(recipe, network.plan) if isinstance(network, JsccNetwork) else None
        self.peaks = None if recipe.peaks is None else PeakPenalty(recipe.peaks, network.plan.occupied)

    def seen(self, network: BranchNetwork) -> int:
        """Length of the feature that a branch's classifier sees."""
        return network.recipe.features

    def stages(self) -> dict[str, Stage]:
        """Stages in order, by name."""
        return self.recipe.stages()

    def cached(self, stage: str) -> bool:
        """T2 has frozen backbones, so their features are computed once; of a backbone that is fixed all stages."""
        return stage == "t2" or self.recipe.fixed

    def parameter_groups(self, stage: str) -> list[tuple[float, list[nn.Parameter]]]:
        """T1: backbones and classifiers; T2: the autoencoders; T3: all, the autoencoders with a factor of their own."""
        trunk = [*self.network.extractors(), *self.classifiers.parameters()]
        if stage == "t1":
            return [(1.0, trunk)]
        factor, coders = self.stages()[stage].autoencoder_lr, self.coders()
        groups = [(factor, coders)] if stage == "t2" else [(1.0, trunk), (factor, coders)]
        return [group for group in groups if group[1]]

    def coders(self) -> list[nn.Parameter]:
        """Parameters of what lies between features and channel, which T2 trains alone; a baseline has none."""
        if not isinstance(self.network, JsccNetwork):
            return []
        return [*self.network.encoders.parameters(), *self.network.decoders.parameters()]

    def enter(self, stage: str) -> None:
        """Batch statistics are taken only in the parts that the stage trains."""
        self.train()
        if stage == "t2" or self.recipe.frozen:
            self.network.backbones.eval()
            self.network.necks.eval()
        self.requires_grad_(False)
        for _, parameters in self.parameter_groups(stage):
            for parameter in parameters:
                parameter.requires_grad_(True)
        if self.recipe.frozen:
            self.network.backbones.requires_grad_(False)

    def loss(self, stage: str, batch: Batch) -> Tensor:
        """Cross-entropy (T1 without, T3 with the channel) or the autoencoder's reconstruction loss (T2).

        T2 and T3 add the peaks of what is sent, where the recipe weighs them in.
        """
        settings = self.stages()[stage]
        if settings.triplet:
            return self._triplet_and_identity_loss(batch, settings)
        features = self.features(stage, batch)
        if stage == "t1" or not isinstance(self.network, JsccNetwork):
            return self._identity_loss(features, batch, settings)
        symbols, decoded = self.transmit(self.network, features, batch.generator)
        if settings.loss in ("l1", "mse"):
            loss = (F.l1_loss if settings.loss == "l1" else F.mse_loss)(decoded, features)
        else:
            loss = self._identity_loss(decoded, batch, settings)
            if self.recipe.correlation_weight:
                loss = loss + self.recipe.correlation_weight * mean_squared_cosine(symbols, self.network.plan.occupied)
        return loss if self.peaks is None else loss + self.peaks(symbols)

    def features(self, stage: str, batch: Batch) -> Tensor:
        """The backbones' features of a batch, float32 [task, branch, p]: the cached ones, or of its views."""
        if batch.features is not None:
            return batch.features
        if batch.views is None:
            raise ModelError(f"stage {stage}: a batch needs views or features.")
        kind = batch.views.device.type
        with torch.autocast(kind, torch.bfloat16, enabled=self.recipe.mixed_precision):
            return self.network.extract(batch.views).float()

    def _triplet_and_identity_loss(self, batch: Batch, stage: Stage) -> Tensor:
        """T1's loss with triplets: these see the features before the necks, the classifiers those behind."""
        if batch.views is None:  # those of a fixed backbone, which has no neck
            before = after = self.features("t1", batch)
        else:
            with torch.autocast(batch.views.device.type, torch.bfloat16, enabled=self.recipe.mixed_precision):
                before = self.network.pooled(batch.views).float()
            after = self.network.necked(before)
        triplets = [batch_hard_triplet(one, batch.labels, stage.margin) for one in before.unbind(1)]
        return self._identity_loss(after, batch, stage) + stage.triplet * torch.stack(triplets).mean()

    def transmit(self, network: JsccNetwork, features: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Features [task, branch, p] through autoencoder and training channel.

        Returns:
            symbols sent, complex64 [tx, task, use], and features decoded, float32 [task, branch, p].
        """
        medium = self.medium or TrainingMedium(self.recipe, network.plan)
        drawn = medium.draw(features.shape[0], generator)
        known = drawn.snr_db.to(features.device)[:, None].expand(-1, network.plan.transmitters)
        symbols = network.modulate(features, known)
        return symbols, network.demodulate(medium.send(symbols, drawn, generator))

    def _identity_loss(self, features: Tensor, batch: Batch, stage: Stage) -> Tensor:
        if stage.dropout > 0:  # drawn on the CPU like all else, so that a seed means the same everywhere
            shown = torch.rand(features.shape, generator=batch.generator) >= stage.dropout
            features = features * shown.to(features.device) / (1 - stage.dropout)
        inputs = [*features.unbind(1)]
        if len(inputs) > 1:
            inputs.append(features.flatten(1))
        losses = [
            F.cross_entropy(classifier(one), batch.labels, label_smoothing=stage.label_smoothing)
            for classifier, one in zip(self.classifiers, inputs, strict=True)
        ]
        return torch.stack(losses).mean()
