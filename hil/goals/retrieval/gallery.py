"""What stands for the images of a gallery: a scheme's own features of them, or a task network's features of its images."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import cast

import torch
from torch import Tensor

from hil.datasets.dataset import Split
from hil.errors import ModelError
from hil.goals.network import TaskNetwork
from hil.models.branches import GALLERIES, BranchNetwork
from hil.models.contract import Embeds, Images, Received, Scheme

__all__ = ["embedded", "received_by_network", "seen_by_network"]

EMBEDDED_AT_ONCE = 256
"""Gallery images given to a scheme in one call: bounds memory. A multiple of the networks' own batch, so no bit changes."""

NOISELESS = 1e-9
"""Noise variance that a decoder is told where there is no noise."""


def embedded(scheme: Scheme, split: Split, mode: str) -> dict[str, Tensor]:
    """A scheme's own features of a gallery, mode -> float32 [view, image, p].

    Args:
        scheme: that embeds (`hil.models.contract.Embeds`). Networks of recipes give all modes at once: their backbones are what
            takes the time.
        split: the gallery.
        mode: of `Embeds.embed`; it is always among those that are given.
    """
    if isinstance(scheme, BranchNetwork) and type(scheme).embed is BranchNetwork.embed:  # a stranger may have its own
        found = _filled(len(split), lambda index: scheme.embed_each(split.float_images(index)))
        return dict(zip(GALLERIES, found.chunk(len(GALLERIES)), strict=True))
    return {mode: _filled(len(split), lambda index: cast(Embeds, scheme).embed(split.float_images(index), mode))}


def _filled(images: int, features: Callable[[Tensor], Tensor]) -> Tensor:
    """Features [view, image, p] of many images, made of a few at a time.

    Args:
        images: how many.
        features: gives [view, n, p] of images at int64 [n].
    """
    found: Tensor | None = None
    for index in torch.arange(images).split(EMBEDDED_AT_ONCE):
        with torch.inference_mode():
            part = features(index)
        if not isinstance(part, Tensor) or part.ndim != 3:
            raise ModelError(f"embed must give float32 [view, image, p], not {list(getattr(part, 'shape', [])) or type(part)}")
        if found is None:
            found = part.new_empty(part.shape[0], images, *part.shape[2:])
        if part.shape != (found.shape[0], len(index), *found.shape[2:]):
            raise ModelError(f"features of {len(index)} gallery images must be [view, image, p], not {list(part.shape)}")
        found[:, index] = part
    return torch.empty(0, 0, 0) if found is None else found


def seen_by_network(network: TaskNetwork, split: Split, *, views: int) -> Tensor:
    """A task network's features of a gallery's images as they are, the same for each view; float32 [view, image, p]."""
    found = _filled(len(split), lambda index: network.features(split.float_images(index))[None])
    return found.expand(views, -1, -1)


def received_by_network(network: TaskNetwork, scheme: Scheme, split: Split) -> Tensor:
    """A task network's features of a gallery's images as a scheme delivers them without noise; float32 [view, image, p].

    Args:
        network: that gives features.
        scheme: of images; each image is put into all of its branches.
        split: the gallery.

    Raises:
        ModelError: the scheme gives no images.
    """

    def features(index: Tensor) -> Tensor:
        shown = _reconstructed(scheme, split.float_images(index))
        return network.features(shown.flatten(0, 1)).view(*shown.shape[:2], -1).transpose(0, 1)

    return _filled(len(split), features)


def _reconstructed(scheme: Scheme, images: Tensor) -> Tensor:
    """Images [n, C, H, W] through a scheme without noise, [n, view, C, H, W]; the batch is filled up to a fixed size."""
    plan, rows = scheme.plan, len(images)
    filled = torch.cat([images, images.new_zeros(EMBEDDED_AT_ONCE - rows, *images.shape[1:])])
    with torch.inference_mode():
        sent = scheme.encode(filled[:, None].expand(-1, plan.transmitters, *images.shape[1:]).contiguous())
        symbols, noise_var = sent.symbols.sum(0), torch.full((1, 1), NOISELESS)
        received = {name: Received.for_plan(plan, symbols=symbols, noise_var=noise_var) for name in plan.receivers}
        side = sent.side if scheme.card.kind == "bound" else None
        made = scheme.decode(received, tuple(plan.blocks), side)
        output = next(iter(made.values())) if isinstance(made, Mapping) else made
    if not isinstance(output, Images):
        raise ModelError(f"scheme '{scheme.card.name}' must give Images, not {type(output).__name__}")
    return output.images[:rows].clone()
