"""Training of the schemes with one fully connected layer a transmitter: JSCC-FC, and the digital ones.

Their classifiers see what the receiver would: the noisy symbols of JSCC-FC, the latent of the digital schemes with uniform
noise in the place of rounding. The densities of the latter are trained along with all else, by the same loss.

Source: Jankowski et al., Secs. 2.2 and 2.3; Lo et al., App. C (noise for rounding).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from hil.errors import ModelError
from hil.models.branches import BranchNetwork
from hil.models.digital.density import FactorizedDensity
from hil.models.digital.schemes import DigitalNetwork
from hil.models.image.classifier import ImageClassifier
from hil.models.image.detector import ImageDetector
from hil.models.image.schemes import DeepJscc
from hil.models.jscc.fc import FcJscc
from hil.models.jscc.network import JsccNetwork
from hil.models.network import RecipeNetwork
from hil.models.recipe import Recipe
from hil.models.smrc.schemes import Smrc
from hil.models.training.awgn import receive_awgn
from hil.models.training.detection import DetectorTraining
from hil.models.training.images import ImageTraining
from hil.models.training.layers import LayersTraining
from hil.models.training.semantic import ClassifierTraining, SemanticTraining
from hil.models.training.trainable import Batch, RetrievalTraining

__all__ = ["DigitalTraining", "FcTraining", "Training", "training_of"]


class FcTraining(RetrievalTraining):
    """T3 alone: all together, end to end through the channel."""

    network: FcJscc
    inherits_classifiers = False

    def seen(self, network: BranchNetwork) -> int:
        """What is received."""
        return network.decoded

    def coders(self) -> list[nn.Parameter]:
        """None that a T2 could train: nothing of the feature is reconstructed."""
        return []

    def parameter_groups(self, stage: str) -> list[tuple[float, list[nn.Parameter]]]:
        """All, the layer with a factor of its own."""
        trunk = [*self.network.extractors(), *self.classifiers.parameters()]
        return [(1.0, trunk), (self.stages()[stage].autoencoder_lr, [*self.network.encoders.parameters()])]

    def loss(self, stage: str, batch: Batch) -> Tensor:
        """Cross-entropy of what was received, and peaks where they are weighed in."""
        symbols, snr = self.network.modulate(self.features(stage, batch)), self.recipe.snr_range
        snr_db = snr.low + (snr.high - snr.low) * torch.rand(symbols.shape[1], generator=batch.generator)
        received = receive_awgn(self.network.plan, symbols, snr_db, batch.generator).symbols
        found = self._identity_loss(self.network.demodulate(received), batch, self.stages()[stage])
        return found if self.peaks is None else found + self.peaks(symbols)


class DigitalTraining(RetrievalTraining):
    """T2 on frozen features and T3 of everything, both by the bits and the accuracy."""

    network: DigitalNetwork
    inherits_classifiers = False

    def seen(self, network: BranchNetwork) -> int:
        """The latent vector."""
        return network.decoded

    def coders(self) -> list[nn.Parameter]:
        """The layers and the densities."""
        return [*self.network.encoders.parameters(), *self.network.densities.parameters()]

    def parameter_groups(self, stage: str) -> list[tuple[float, list[nn.Parameter]]]:
        """T2: layers, densities and classifiers; T3: the backbones too. `autoencoder_lr` is of layers and densities."""
        factor, classifiers = self.stages()[stage].autoencoder_lr, [*self.classifiers.parameters()]
        trunk = classifiers if stage == "t2" else [*self.network.extractors(), *classifiers]
        return [(1.0, trunk), (factor, self.coders())]

    def loss(self, stage: str, batch: Batch) -> Tensor:
        """ce_weight · cross-entropy + rate_weight · bits of an image, all of its views together."""
        settings = self.stages()[stage]
        latents = self.network.compress(self.features(stage, batch))
        noise = torch.rand(latents.shape, generator=batch.generator) - 0.5
        noisy = latents + noise.to(latents.device)
        return settings.ce_weight * self._identity_loss(noisy, batch, settings) + settings.rate_weight * self.bits(noisy).mean()

    def bits(self, latents: Tensor) -> Tensor:
        """−Σ log2 P of all views of a task, float [task]."""
        found = []
        for index, density in enumerate(self.network.densities):
            assert isinstance(density, FactorizedDensity)
            found.append(density.bits(latents[:, index]))
        return torch.stack(found).sum(0)


Training = RetrievalTraining | ImageTraining | ClassifierTraining | DetectorTraining | LayersTraining


def training_of(network: RecipeNetwork, recipe: Recipe, classes: int) -> Training:
    """What trains a network.

    Args:
        network: untrained.
        recipe: its own.
        classes: training identities.

    Raises:
        ModelError: the recipe asks for a stage or a loss that the network does not have.
    """
    if recipe.peaks is not None and not isinstance(network, (DeepJscc, JsccNetwork, FcJscc)):
        raise ModelError(
            f"recipe '{recipe.name}', scheme '{recipe.scheme}': peaks are weighed in by image codecs in one layer and by the "
            "JSCC schemes of retrieval alone, so leave [peaks] out."
        )
    if isinstance(network, DeepJscc):
        return ImageTraining(network, recipe) if recipe.semantic is None else SemanticTraining(network, recipe)
    if isinstance(network, ImageClassifier):
        return ClassifierTraining(network, recipe, classes)
    if isinstance(network, Smrc):
        return LayersTraining(network, recipe)
    if isinstance(network, ImageDetector):
        return DetectorTraining(network, recipe)
    assert isinstance(network, BranchNetwork)  # hil has no others
    kind: type[RetrievalTraining] = RetrievalTraining
    if isinstance(network, DigitalNetwork):
        kind = DigitalTraining
    elif isinstance(network, FcJscc):
        kind = FcTraining
    named = f"recipe '{recipe.name}', scheme '{recipe.scheme}'"
    if kind is not RetrievalTraining and recipe.t1 is not None:
        raise ModelError(f"{named}: t1 must be another recipe's, which init names, for its classifiers see other features.")
    bits = kind is DigitalTraining
    if recipe.t3 is not None and recipe.t3.loss in ("mse", "semantic", "layers"):
        raise ModelError(f"{named}: t3.loss = '{recipe.t3.loss}' is of image codecs; of features 'mse' is t2's.")
    for name, stage in recipe.stages().items():
        if (stage.loss == "rate_accuracy") != bits:
            raise ModelError(
                f"{named}: {name}.loss must be {'' if bits else 'another than '}'rate_accuracy', not '{stage.loss}'."
            )
    return kind(network, recipe, classes)
