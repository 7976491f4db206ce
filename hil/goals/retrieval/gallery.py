"""What stands for the images of a gallery: a scheme's own features of them, or a task network's features of its images."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from hil.datasets.dataset import Split
from hil.errors import ModelError
from hil.goals.network import TaskNetwork
from hil.models.contract import Embeds, Images, Received, Scheme

__all__ = ["embedded", "received_by_network", "seen_by_network"]

EMBEDDED_AT_ONCE = 256
"""Gallery images given to a scheme in one call: bounds memory. A multiple of the networks' own batch, so no bit changes."""

NOISELESS = 1e-9
"""Noise variance that a decoder is told where there is no noise."""


def embedded(scheme: Embeds, split: Split, mode: str) -> Tensor:
    """A scheme's own features of a gallery, float32 [view, image, p]; `mode` as in `Embeds.embed`."""
    parts = []
    with torch.inference_mode():
        for index in torch.arange(len(split)).split(EMBEDDED_AT_ONCE):
            parts.append(scheme.embed(split.float_images(index), mode))
        return torch.cat(parts, dim=1).clone()


def seen_by_network(network: TaskNetwork, split: Split, *, views: int) -> Tensor:
    """A task network's features of a gallery's images as they are, the same for each view; float32 [view, image, p]."""
    parts = [network.features(split.float_images(index)) for index in torch.arange(len(split)).split(EMBEDDED_AT_ONCE)]
    return torch.cat(parts).expand(views, -1, -1)


def received_by_network(network: TaskNetwork, scheme: Scheme, split: Split) -> Tensor:
    """A task network's features of a gallery's images as a scheme delivers them without noise; float32 [view, image, p].

    Args:
        network: that gives features.
        scheme: of images; each image is put into all of its branches.
        split: the gallery.

    Raises:
        ModelError: the scheme gives no images.
    """
    parts = []
    for index in torch.arange(len(split)).split(EMBEDDED_AT_ONCE):
        shown = _reconstructed(scheme, split.float_images(index))
        parts.append(network.features(shown.flatten(0, 1)).view(*shown.shape[:2], -1))
    return torch.cat(parts).transpose(0, 1).contiguous()


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
