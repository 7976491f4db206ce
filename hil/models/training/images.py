"""Training of image codecs: one stage, all together, through the channel, to the least squared error of pixels."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from hil.errors import ModelError
from hil.models.image.schemes import DeepJscc
from hil.models.recipe import Recipe, Stage
from hil.models.training.medium import TrainingMedium
from hil.models.training.peaks import PeakPenalty
from hil.models.training.trainable import Batch

__all__ = ["AllTogether", "ImageTraining"]


class AllTogether(nn.Module):
    """What trains whole, on images of one view, in every stage of its recipe. See `hil.models.training.trainable.Trainable`.

    Args:
        network: what is trained.
        recipe: its stages.
    """

    inherits_classifiers = False

    def __init__(self, network: nn.Module, recipe: Recipe) -> None:
        super().__init__()
        self.network, self.recipe = network, recipe
        self.classifiers = nn.ModuleList()

    def stages(self) -> dict[str, Stage]:
        """The recipe's."""
        return self.recipe.stages()

    def cached(self, stage: str) -> bool:
        """Always on images."""
        return False

    def parameter_groups(self, stage: str) -> list[tuple[float, list[nn.Parameter]]]:
        """All."""
        return [(1.0, [*self.network.parameters()])]

    def enter(self, stage: str) -> None:
        """All is trained."""
        self.train()
        self.requires_grad_(True)

    def images(self, stage: str, batch: Batch) -> Tensor:
        """Of a batch, float32 [task, 3, H, W].

        Raises:
            ModelError: it has none.
        """
        if batch.views is None:
            raise ModelError(f"stage {stage}: a batch needs views.")
        return batch.views[:, 0]


class ImageTraining(AllTogether):
    """T3 alone of `hil.models.image`'s codecs.

    Args:
        network: what is trained.
        recipe: its stage and channel.

    Raises:
        ModelError: the recipe asks for another stage or loss.
    """

    examples = "images"
    losses: tuple[str, ...] = ("mse",)
    """What a recipe may ask for."""

    network: DeepJscc

    def __init__(self, network: DeepJscc, recipe: Recipe) -> None:
        super().__init__(network, recipe)
        if set(recipe.stages()) != {"t3"} or recipe.stages()["t3"].loss not in self.losses:
            raise ModelError(
                f"recipe '{recipe.name}', scheme '{recipe.scheme}': image codecs train all together, "
                'so give t3 alone with loss = "mse" or "semantic".'
            )
        self.medium = TrainingMedium(recipe, network.plan)
        self.peaks = None if recipe.peaks is None else PeakPenalty(recipe.peaks, network.plan.occupied)

    def loss(self, stage: str, batch: Batch) -> Tensor:
        """How far what was received through the channel is from what was sent, and peaks where they are weighed in.

        Raises:
            ModelError: the batch has no images.
        """
        images = self.images(stage, batch)
        drawn = self.medium.draw(len(images), batch.generator)
        symbols = self.network.modulate(images, drawn.snr_db.to(images.device))
        found = self.measured(images, self.network.demodulate(self.medium.send(symbols, drawn, batch.generator)))
        return found if self.peaks is None else found + self.peaks(symbols)

    def measured(self, sent: Tensor, received: Tensor) -> Tensor:
        """Mean squared error of pixels, of images float32 [task, 3, H, W]."""
        return F.mse_loss(received, sent)
