"""The loss of SMRC, and classes of which several count as one.

Source: Mortaheb et al., Semantic Multi-Resolution Communications, eq. 1. The printed sign of its semantic term is wrong: a
cross-entropy is minimised.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

__all__ = ["pixel_loss", "pooled", "region_mask", "semantic_loss", "unpooled"]


def pixel_loss(sent: Tensor, received: Tensor, *, mask: Tensor | None = None, how: Literal["sum", "mean"] = "sum") -> Tensor:
    """‖M ⊙ (x − x̂)‖², mean over images; with ``mean`` over pixel values as well.

    Args:
        sent, received: images float32 [image, 3, H, W].
        mask: M in 0…1, float32 [image, 1, H, W]; None: 1.
        how: over the values of an image.
    """
    errors = (received - sent) if mask is None else (received - sent) * mask
    squares = errors.square().flatten(1)
    return (squares.sum(1) if how == "sum" else squares.mean(1)).mean()


def semantic_loss(logits: Tensor, classes: Tensor, weights: Tensor, *, pool: int = 0) -> Tensor:
    """−Σ_c y_c β_c log softmax(ŷ)_c, mean over images.

    Args:
        logits: ŷ, float32 [image, class].
        classes: true ones, int64 [image].
        weights: β, float32 [class]; of pooled classes the first one's counts.
        pool: the last so many classes count as one.
    """
    kept = logits.shape[1] - max(pool, 1) + 1
    truth = classes.clamp_max(kept - 1)
    chances = torch.log_softmax(pooled(logits, pool), 1).gather(1, truth[:, None])[:, 0]
    return -(weights[truth] * chances).mean()


def pooled(logits: Tensor, pool: int) -> Tensor:
    """Logits float32 [image, class] with the last `pool` classes as one: the logarithm of what their exponentials add up to.

    Its softmax is then the sum of theirs. `pool` below 2 changes nothing.
    """
    if pool < 2:
        return logits
    kept = logits.shape[1] - pool
    return torch.cat([logits[:, :kept], logits[:, kept:].logsumexp(1, keepdim=True)], dim=1)


def unpooled(logits: Tensor, pool: int) -> Tensor:
    """Logits of all classes whose largest is pooled if and only if the pool is the largest of `pooled`; float32 [image, class].

    The likeliest class of the pool has the pool's logit, the others of it keep their distance from that.
    """
    if pool < 2:
        return logits
    kept = logits.shape[1] - pool
    own = logits[:, kept:]
    lifted = own - own.max(1, keepdim=True).values + own.logsumexp(1, keepdim=True)
    return torch.cat([logits[:, :kept], lifted], dim=1)


def region_mask(boxes: Sequence[Tensor], size: tuple[int, int], background: float) -> Tensor:
    """M: 1 in the boxes of an image, `background` elsewhere; of an image without boxes 1; float32 [image, 1, H, W].

    Args:
        boxes: of each image, float32 [n, 4 or more]: left, top, right, bottom in pixels.
        size: height and width.
        background: in 0…1.
    """
    mask = torch.full((len(boxes), 1, *size), background)
    for own, region in zip(boxes, mask[:, 0], strict=True):
        if not len(own):
            region.fill_(1.0)
        for left, top, right, bottom in own[:, :4].tolist():
            region[max(0, int(top)) : -int(-bottom // 1), max(0, int(left)) : -int(-right // 1)] = 1.0
    return mask
