"""SMRC as schemes: sub-blocks of unit power, each by a head of its own; decoder l reads 1…l, extractor l its picture.

Of the same weights a scheme each: who gets all layers or the first one alone, whether pictures or classes come out, and two
receivers of one transmission, each with the layer that its SNR is good for.

Source: Mortaheb et al., Semantic Multi-Resolution Communications, Sec. III.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import accumulate
from typing import cast

import torch
from torch import Tensor, nn

from hil.errors import ConfigError, ShapeError
from hil.models.contract import Images, Logits, Output, Plan, Received, Sent, normalize_power
from hil.models.image.classifier import ImageClassifier
from hil.models.network import RecipeNetwork
from hil.models.recipe import Layers, Recipe
from hil.models.smrc.loss import unpooled
from hil.models.smrc.network import STRIDE, Decoder, Head, Trunk

__all__ = ["Smrc", "SmrcBase", "SmrcBaseClasses", "SmrcClasses", "SmrcMulticast", "SmrcOneHead"]


class Smrc(RecipeNetwork):
    """One transmitter that knows no channel; the receiver puts out the pictures of the last layer that it has.

    The plan's blocks are ``layer1``, ``layer2``, …; every image has mean power 1 in each.

    Args:
        recipe: image size, classes, uses and how they are divided among layers (two halves where it does not say).
        sent: how many layers are sent; None: all. The others' networks are there, and not used.

    Raises:
        ConfigError: sides that are no multiples of 4, or sub-blocks that do not add up to the uses.
    """

    heads_at_most = 2
    """Layers that uses are divided among where the recipe does not say how."""

    def __init__(self, recipe: Recipe, *, sent: int | None = None) -> None:
        named = f"recipe '{recipe.name}'"
        if any(side % STRIDE for side in recipe.image_size):
            height, width = recipe.image_size
            raise ConfigError(f"{named}: image_size must be multiples of {STRIDE}, not {height} × {width}")
        layers = recipe.layers or Layers()
        sizes = layers.uses or _divided(recipe.uses, self.heads_at_most)
        if sum(sizes) != recipe.uses or min(sizes) < 1:
            raise ConfigError(
                f"{named}: layers.uses must be 1 or more each and {recipe.uses} together, as uses says, not {list(sizes)}"
            )
        ends = [0, *accumulate(sizes[:sent])]
        blocks = {f"layer{index}": slice(*ends[index - 1 : index + 1]) for index in range(1, len(ends))}
        occupied = torch.ones(1, ends[-1], dtype=torch.bool)
        super().__init__(recipe, Plan(occupied=occupied, blocks=blocks, receivers=self.receivers(len(blocks))))
        self.layers, self.sizes = layers, sizes
        grid = (recipe.image_size[0] // STRIDE, recipe.image_size[1] // STRIDE)
        self.trunk = Trunk()
        self.heads = nn.ModuleList(Head(grid, uses) for uses in self.sizes)
        self.decoders = nn.ModuleList(Decoder(grid, uses) for uses in accumulate(self.sizes))
        self.extractors = nn.ModuleList(ImageClassifier(recipe) for _ in self.sizes)

    def receivers(self, layers: int) -> tuple[str, ...]:
        """Names of the plan's receivers, where so many layers are sent."""
        return ("rx",)

    def modulate(self, images: Tensor) -> Tensor:
        """Images float32 [task, 3, H, W] in 0…1 to symbols complex64 [1, task, use], of mean power 1 in each sub-block."""
        maps = self.trunk(2 * images - 1)
        return torch.cat([_symbols(head(maps)) for head, _ in zip(self.heads, self.plan.blocks, strict=False)], dim=2)

    def demodulate(self, symbols: Tensor, layer: int) -> Tensor:
        """What was received, complex64 [task, use], to the images of a layer (1, 2, …), float32 [task, 3, H, W] in 0…1.

        Uses of later layers are not read.
        """
        values = torch.view_as_real(symbols[:, : sum(self.sizes[:layer])]).flatten(1)
        found: Tensor = self.decoders[layer - 1](values)
        return found

    def classify(self, images: Tensor, layer: int) -> Tensor:
        """ŷ of a layer's images, float32 [task, class], as its extractor was trained: of pooled classes see `pooled`."""
        found: Tensor = self.extractors[layer - 1](images)
        return found

    def encode(self, views: Tensor, csi: Tensor | None = None, generator: torch.Generator | None = None) -> Sent:
        """Views float32 [task, 1, 3, H, W] in 0…1 to symbols complex64 [1, task, use]; nothing random.

        Raises:
            ShapeError: other views than the recipe's.
        """
        self.check_views(views, 1)
        return Sent(symbols=self.modulate(views[:, 0]))

    def decode(
        self, received: Mapping[str, Received], blocks: tuple[str, ...] = ("all",), side: Mapping[str, Tensor] | None = None
    ) -> Output | Mapping[str, Output]:
        """Received symbols to the output of the last of `blocks`; a task with no valid use in them is marked erased.

        Args:
            received: by receiver.
            blocks: what there is of the plan's, from ``layer1`` on; ``all``: all of them.
            side: not used.

        Raises:
            ShapeError: no such receiver or blocks, or another number of uses than the plan's.
        """
        return self.output(self.got(received), self.depth(blocks))

    def depth(self, blocks: tuple[str, ...]) -> int:
        """The layer that blocks go up to.

        Raises:
            ShapeError: they are not the plan's first ones.
        """
        known = tuple(self.plan.blocks)
        if blocks == ("all",):
            return len(known)
        if not blocks or blocks != known[: len(blocks)]:
            raise ShapeError(f"{self.card.name}: blocks must be the first ones of {list(known)}, not {list(blocks)}.")
        return len(blocks)

    def output(self, one: Received, layer: int) -> Output:
        """Images [task, 1, 3, H, W] of a layer."""
        read = one.valid[:, : sum(self.sizes[:layer])]
        return Images(images=self.demodulate(one.symbols, layer)[:, None], erased=~read.any(1))


class SmrcBase(Smrc):
    """The first layer alone is sent and read: who has not asked for more."""

    def __init__(self, recipe: Recipe) -> None:
        super().__init__(recipe, sent=1)


class SmrcClasses(Smrc):
    """What the extractor makes of the last layer's pictures."""

    def output(self, one: Received, layer: int) -> Output:
        """Logits [task, class] of a layer; of classes that were pooled in training see `hil.models.smrc.loss.unpooled`."""
        pictures = cast(Images, super().output(one, layer))
        logits = unpooled(self.classify(pictures.images[:, 0], layer), self.layers.pool_of(layer))
        return Logits(logits=logits, erased=pictures.erased)


class SmrcBaseClasses(SmrcClasses):
    """What the first extractor makes of the first layer's pictures; that layer alone is sent."""

    def __init__(self, recipe: Recipe) -> None:
        super().__init__(recipe, sent=1)


class SmrcMulticast(Smrc):
    """One transmission for as many receivers as there are layers: the first reads all, the last one layer alone."""

    def receivers(self, layers: int) -> tuple[str, ...]:
        """A receiver a layer, called by what it reads up to."""
        return tuple(f"layer{layer}" for layer in range(layers, 0, -1))

    def decode(
        self, received: Mapping[str, Received], blocks: tuple[str, ...] = ("all",), side: Mapping[str, Tensor] | None = None
    ) -> Output | Mapping[str, Output]:
        """As `Smrc.decode`, an output for each receiver, of its own layer or of the last one that `blocks` have."""
        most, receivers = self.depth(blocks), self.plan.receivers
        layers = range(len(receivers), 0, -1)
        return {
            name: self.output(self.got(received, name), min(most, own)) for name, own in zip(receivers, layers, strict=True)
        }


class SmrcOneHead(Smrc):
    """All uses by one head, read by one decoder: what dividing them into layers is measured against."""

    heads_at_most = 1


def _divided(uses: int, layers: int) -> tuple[int, ...]:
    """Uses by layer, as evenly as can be."""
    return tuple((uses + layer) // layers for layer in range(layers - 1, -1, -1))


def _symbols(values: Tensor) -> Tensor:
    """Elements of a sub-block float32 [task, 2·use] to symbols complex64 [1, task, use] of mean power 1 in each image."""
    pairs = torch.view_as_complex(values.unflatten(1, (-1, 2)).contiguous())[None]
    return normalize_power(pairs, torch.ones(1, pairs.shape[2], dtype=torch.bool, device=values.device))
