"""Deep JSCC as schemes: images of one transmitter, blind or told the SNR, for any number of uses.

Source: Bourtsoulatze et al., IEEE TCCN 5(3), 2019; with attention to the SNR Xu et al., IEEE TCSVT 32(4), 2022; of bits Sun et
al., Deep Joint Source-Channel Coding for Wireless Image Transmission with Semantic Importance.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from hil.errors import ConfigError
from hil.models.contract import Images, Plan, Received, Sent, normalize_power
from hil.models.image.codec import STRIDE, Decoder, Encoder
from hil.models.image.quantiser import binary, bits_to_symbols
from hil.models.jscc.csi import received_snr_db, scaled_snr
from hil.models.network import RecipeNetwork
from hil.models.recipe import Recipe

__all__ = ["BinaryDeepJscc", "DeepJscc", "SnrAwareDeepJscc", "resized"]


class DeepJscc(RecipeNetwork):
    """One transmitter that knows no channel, and a receiver that knows none.

    The latent has ⌈2q/places⌉ channels; its elements go out in pairs, as real and imaginary part, map by map. Those of the last
    map beyond the q uses are not sent, and read as zero.

    Args:
        recipe: image size, uses, non-linearity.
        told: encoder and decoder are told the SNR.

    Raises:
        ConfigError: sides that are no multiples of 4, or no uses.
    """

    def __init__(self, recipe: Recipe, *, told: bool = False) -> None:
        if any(side % STRIDE for side in recipe.image_size):
            height, width = recipe.image_size
            raise ConfigError(f"recipe '{recipe.name}': image_size must be multiples of {STRIDE}, not {height} × {width}")
        if recipe.uses < 1:
            raise ConfigError(f"recipe '{recipe.name}': uses must be at least 1, not {recipe.uses}")
        occupied = torch.ones(1, recipe.uses, dtype=torch.bool)
        super().__init__(recipe, Plan(occupied=occupied, tx_csi="snr" if told else "none", rx_csi="snr" if told else "none"))
        self.grid = (recipe.image_size[0] // STRIDE, recipe.image_size[1] // STRIDE)
        self.maps = math.ceil(2 * recipe.uses / math.prod(self.grid))
        self.told = told
        self.encoder = Encoder(self.maps, kind=recipe.activation, told=told)
        self.decoder = Decoder(self.maps, kind=recipe.activation, told=told)

    @property
    def ratio(self) -> float:
        """Bandwidth ratio k/n: complex uses over values of an image."""
        return self.recipe.uses / (3 * math.prod(self.recipe.image_size))

    def modulate(self, images: Tensor, snr_db: Tensor | None = None) -> Tensor:
        """Images float32 [task, 3, H, W] to symbols complex64 [1, task, use] of mean power 1 in each image.

        Args:
            images: in 0…1.
            snr_db: of the link, float32 [task], dB; not read by a scheme that is told none.
        """
        told = None
        if self.told:
            known = images.new_full((len(images),), self.recipe.snr_range.high) if snr_db is None else snr_db
            told = scaled_snr(known, self.recipe.snr_range)[:, None]
        latent = self.encoder(images, told).flatten(1)[:, : 2 * self.plan.uses]
        return self.symbols(latent, self.plan.occupied.to(images.device))

    def symbols(self, latent: Tensor, occupied: Tensor) -> Tensor:
        """Elements of the latent float32 [task, 2·use] to symbols complex64 [1, task, use] of mean power 1 in each image."""
        pairs = torch.view_as_complex(latent.unflatten(1, (-1, 2)).contiguous())
        return normalize_power(pairs[None], occupied)

    def demodulate(self, received: Received) -> Tensor:
        """What a receiver got of tasks to images float32 [task, 3, H, W] in 0…1."""
        told = None
        if self.told:
            uses = torch.ones(self.plan.uses, dtype=torch.bool)
            told = scaled_snr(received_snr_db(received, uses), self.recipe.snr_range)[:, None]
        values = torch.view_as_real(received.symbols).flatten(1)
        places = self.maps * math.prod(self.grid)
        latent = torch.nn.functional.pad(values, (0, places - values.shape[1])).unflatten(1, (self.maps, *self.grid))
        found: Tensor = self.decoder(latent, told)
        return found

    def encode(self, views: Tensor, csi: Tensor | None = None, generator: torch.Generator | None = None) -> Sent:
        """Views float32 [task, 1, 3, H, W] in 0…1 to symbols complex64 [1, task, use]; nothing random.

        Args:
            views: of the tasks.
            csi: SNR of the link, float32 [task, 1], dB, if the plan asks.
            generator: not used.

        Raises:
            ShapeError: other views than the recipe's.
        """
        self.check_views(views, 1)
        return Sent(symbols=self.modulate(views[:, 0], None if csi is None else csi[:, 0]))

    def decode(
        self, received: Mapping[str, Received], blocks: tuple[str, ...] = ("all",), side: Mapping[str, Tensor] | None = None
    ) -> Images:
        """Received symbols to images [task, 1, 3, H, W]; a task with no valid use is marked erased.

        Raises:
            ShapeError: no receiver ``"rx"``, or another number of uses than the plan's.
        """
        one = self.got(received)
        return Images(images=self.demodulate(one)[:, None], erased=~one.valid.any(1))


class BinaryDeepJscc(DeepJscc):
    """The elements are bits before they are sent; the network of SD-JSCC, and of the deep JSCC that it starts from."""

    def symbols(self, latent: Tensor, occupied: Tensor) -> Tensor:
        """See `hil.models.image.quantiser`; the recipe's `binary_power` is the rule."""
        return bits_to_symbols(binary(latent), occupied, literal=self.recipe.binary_power == "literal")


class SnrAwareDeepJscc(DeepJscc):
    """Encoder and decoder are told the SNR, and attend to it."""

    def __init__(self, recipe: Recipe) -> None:
        super().__init__(recipe, told=True)


def resized(scheme: DeepJscc, image_size: tuple[int, int]) -> DeepJscc:
    """The same weights and bandwidth ratio for images of another size.

    Args:
        scheme: with weights.
        image_size: height and width, multiples of 4.

    Raises:
        ConfigError: the recipe's uses are not whole maps, which alone have the same meaning at every size; or see `DeepJscc`.
    """
    if 2 * scheme.plan.uses != scheme.maps * math.prod(scheme.grid):
        raise ConfigError(
            f"scheme '{scheme.card.name}' sends {scheme.plan.uses} uses, which are not whole maps of "
            f"{math.prod(scheme.grid)} places; train it with uses a multiple of {math.prod(scheme.grid)}/2 to resize it"
        )
    uses = scheme.maps * (image_size[0] // STRIDE) * (image_size[1] // STRIDE) / 2
    recipe = scheme.recipe.model_copy(update={"image_size": tuple(image_size), "uses": math.ceil(uses)})
    other = type(scheme)(recipe)
    other.load_state_dict(scheme.state_dict())
    return other.requires_grad_(False).eval()
