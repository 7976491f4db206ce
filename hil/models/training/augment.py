"""Random changes to training images, and to the boxes in them: flip, shift, erasing, colour gain; drawn on the CPU."""

from __future__ import annotations

import torch
from torch import Tensor

from hil.models.recipe import Augment

__all__ = ["augment_boxed", "augment_images"]


def augment_images(images: Tensor, settings: Augment, generator: torch.Generator) -> Tensor:
    """Change each image at random.

    Args:
        images: uint8 [image, C, H, W]; features, float32, are put out as they are.
        settings: what to change and how much.
        generator: CPU generator; the same state gives the same images.

    Returns:
        float32 [image, C, H, W] in 0…1, on the images' device.
    """
    if images.is_floating_point():
        return images
    changed, _ = augment_boxed(images, torch.zeros(len(images), 0, 5, device=images.device), settings, generator)
    return changed


def augment_boxed(images: Tensor, boxes: Tensor, settings: Augment, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Change each image at random, and move the boxes in it along.

    Args:
        images: uint8 [image, C, H, W].
        boxes: float32 [image, n, 5] on the images' device: left, top, right, bottom in pixels, class.
        settings: what to change and how much.
        generator: CPU generator; the same state gives the same images as `augment_images`.

    Returns:
        float32 [image, C, H, W] in 0…1; and the boxes, cut at the edges. Both on the images' device.
    """
    count, channels, height, width = images.shape
    device = images.device
    rows = torch.arange(height).expand(count, height)
    columns = torch.arange(width).expand(count, width)
    flipped = torch.zeros(count, 1, dtype=torch.bool)
    shifts = torch.zeros(2, count, 1, dtype=torch.int64)
    if settings.flip > 0:
        flipped = torch.rand(count, 1, generator=generator) < settings.flip
        columns = torch.where(flipped, width - 1 - columns, columns)
    if settings.shift > 0:
        shifts = torch.randint(-settings.shift, settings.shift + 1, (2, count, 1), generator=generator)
        rows = (rows + shifts[0]).clamp(0, height - 1)
        columns = (columns + shifts[1]).clamp(0, width - 1)
    index = torch.arange(count)[:, None, None]
    moved = images.permute(0, 2, 3, 1)[index.to(device), rows[:, :, None].to(device), columns[:, None, :].to(device)]
    out = moved.permute(0, 3, 1, 2).contiguous().float() / 255
    if settings.colour > 0:
        gains = 1 + settings.colour * (2 * torch.rand(count, channels, 1, 1, generator=generator) - 1)
        out = (out * gains.to(device)).clamp(0, 1)
    if settings.erase > 0:
        out = torch.where(_rectangles(count, height, width, settings.erase, generator)[:, None].to(device), 0.5, out)
    return out, _moved(boxes, flipped.to(device), shifts.to(device), (height, width))


def _moved(boxes: Tensor, flipped: Tensor, shifts: Tensor, size: tuple[int, int]) -> Tensor:
    """Boxes of images that were flipped and then read from some pixels further on.

    Args:
        boxes: float32 [image, n, 5].
        flipped: bool [image, 1].
        shifts: rows and columns, int64 [2, image, 1].
        size: height and width.
    """
    left, top, right, bottom, kind = boxes.unbind(2)
    height, width = size
    left, right = torch.where(flipped, width - right, left), torch.where(flipped, width - left, right)
    aside = torch.where(flipped, shifts[1], -shifts[1])  # of a mirrored image further on is to the left
    across = [(edge + aside).clamp(0, width) for edge in (left, right)]
    down = [(edge - shifts[0]).clamp(0, height) for edge in (top, bottom)]
    return torch.stack([across[0], down[0], across[1], down[1], kind], dim=2)


def _rectangles(count: int, height: int, width: int, probability: float, generator: torch.Generator) -> Tensor:
    """Bool [image, H, W], true in a rectangle of 2…20 % of the area with the given probability (Zhong et al., 2020)."""
    draw = torch.rand(5, count, 1, generator=generator)
    area = (0.02 + 0.18 * draw[0]) * height * width
    aspect = torch.exp((2 * draw[1] - 1) * 1.2)
    tall = (area * aspect).sqrt().clamp(1, height)
    wide = (area / aspect).sqrt().clamp(1, width)
    top = draw[2] * (height - tall)
    left = draw[3] * (width - wide)
    y = torch.arange(height)
    x = torch.arange(width)
    inside = ((y >= top) & (y < top + tall))[:, :, None] & ((x >= left) & (x < left + wide))[:, None, :]
    return inside & (draw[4] < probability)[:, :, None]
