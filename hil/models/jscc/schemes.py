"""JSCC-AE for one transmitter, orthogonal ones (OMA) and superposed ones (NOMA), by what is known of the channel.

Source: Jankowski et al., Sec. 2.3; Lo et al., Secs. III and IV-B, App. D.
"""

from __future__ import annotations

import torch
from torch import Tensor

from hil.errors import ConfigError
from hil.models.jscc.network import JsccNetwork
from hil.models.recipe import Recipe

__all__ = [
    "DerotatedOma", "DerotatedSingle", "FadingAwareNoma", "FadingAwareOma", "FadingAwareSingle", "NomaJscc", "OmaJscc",
    "SingleJscc", "SnrAwareNoma", "SnrAwareOma", "SnrAwareSingle", "all_uses", "own_uses",
]  # fmt: skip


def _uses(recipe: Recipe, multiple: int) -> int:
    if recipe.uses < multiple or recipe.uses % multiple:
        raise ConfigError(f"recipe '{recipe.name}': uses must be a positive multiple of {multiple}, not {recipe.uses}")
    return recipe.uses


def all_uses(recipe: Recipe, branches: int) -> Tensor:
    """Every branch on all q uses, bool [branch, use]."""
    return torch.ones(branches, _uses(recipe, 1), dtype=torch.bool)


def own_uses(recipe: Recipe, branches: int) -> Tensor:
    """Branch k on the k-th of as many equal parts of the uses, bool [branch, use]."""
    part = _uses(recipe, branches) // branches
    return torch.eye(branches, dtype=torch.bool).repeat_interleave(part, dim=1)


class SingleJscc(JsccNetwork):
    """Transmitter 0 alone on all q uses."""

    def __init__(self, recipe: Recipe) -> None:
        super().__init__(recipe, filled=all_uses(recipe, 1))


class OmaJscc(JsccNetwork):
    """Transmitter k on the k-th of as many equal parts of the uses: of two, one half each."""

    def __init__(self, recipe: Recipe) -> None:
        super().__init__(recipe, filled=own_uses(recipe, recipe.transmitters))


class NomaJscc(JsccNetwork):
    """All transmitters on all q uses, superposed."""

    def __init__(self, recipe: Recipe) -> None:
        super().__init__(recipe, filled=all_uses(recipe, recipe.transmitters))


class SnrAwareSingle(JsccNetwork):
    """One transmitter; encoder and decoder are told the SNR."""

    def __init__(self, recipe: Recipe) -> None:
        super().__init__(recipe, filled=all_uses(recipe, 1), knowledge="snr")


class SnrAwareOma(JsccNetwork):
    """Transmitters that take turns; encoders and decoders are told the SNR."""

    def __init__(self, recipe: Recipe) -> None:
        super().__init__(recipe, filled=own_uses(recipe, recipe.transmitters), knowledge="snr")


class SnrAwareNoma(JsccNetwork):
    """Superposed transmitters; encoders and decoders are told the SNR."""

    def __init__(self, recipe: Recipe) -> None:
        super().__init__(recipe, filled=all_uses(recipe, recipe.transmitters), knowledge="snr")


class FadingAwareSingle(JsccNetwork):
    """One transmitter; the decoder is told gain and SNR."""

    def __init__(self, recipe: Recipe) -> None:
        super().__init__(recipe, filled=all_uses(recipe, 1), knowledge="channel")


class FadingAwareOma(JsccNetwork):
    """Transmitters that take turns; each decoder is told its link's gain and SNR."""

    def __init__(self, recipe: Recipe) -> None:
        super().__init__(recipe, filled=own_uses(recipe, recipe.transmitters), knowledge="channel")


class FadingAwareNoma(JsccNetwork):
    """Superposed transmitters; every decoder is told all links' gains and the SNR."""

    def __init__(self, recipe: Recipe) -> None:
        super().__init__(recipe, filled=all_uses(recipe, recipe.transmitters), knowledge="channel")


class DerotatedSingle(JsccNetwork):
    """As `FadingAwareSingle`, after the phase of the gain was taken out: y·h*/|h|."""

    def __init__(self, recipe: Recipe) -> None:
        super().__init__(recipe, filled=all_uses(recipe, 1), knowledge="channel", derotate=True)


class DerotatedOma(JsccNetwork):
    """As `FadingAwareOma`, after the phase of each link's gain was taken out: y·h*/|h|."""

    def __init__(self, recipe: Recipe) -> None:
        super().__init__(recipe, filled=own_uses(recipe, recipe.transmitters), knowledge="channel", derotate=True)
