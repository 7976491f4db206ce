"""A few pictures of a point for the report: what was sent and what came back, as PNG."""

from __future__ import annotations

import base64
import io

import torch
from PIL import Image
from torch import Tensor

from hil.models.contract import Images, Output
from hil.points.contender import Contender
from hil.results.parts import Picture

__all__ = ["PICTURED", "pictures_of"]

PICTURED = 3
"""Distinct tasks that are shown: the first ones, the same for every scheme and SNR."""
LARGEST = 128
"""Pixels a side; of larger pictures the middle is shown, for resized ones would hide what is wrong with them."""


def pictures_of(contender: Contender, output: Output, index: Tensor, lost: Tensor) -> list[Picture]:
    """The first views of the first tasks of a point.

    Args:
        contender: its scheme.
        output: what was decoded of every task sent; other kinds than images give none.
        index: int64 [task], the distinct task of each.
        lost: bool [task].
    """
    if not isinstance(output, Images):
        return []
    found = []
    split = contender.dataset.split(contender.tasks.split)
    for distinct in range(min(PICTURED, len(contender.tasks))):
        rows = (index == distinct).nonzero()
        if not len(rows):
            continue
        row = int(rows[0])
        sent = split.float_images(contender.tasks.views[distinct, :1])[0]
        received = "" if bool(lost[row]) else _png(output.images[row, 0])
        found.append(Picture(task=distinct, sent=_png(sent), received=received))
    return found


def _png(image: Tensor) -> str:
    """An image float [C, H, W] in 0…1, its middle where it is large, as base64 of a PNG."""
    height, width = (min(side, LARGEST) for side in image.shape[1:])
    top, left = (image.shape[1] - height) // 2, (image.shape[2] - width) // 2
    part = image[:, top : top + height, left : left + width]
    pixels = (part.clamp(0, 1) * 255).round().to(torch.uint8).permute(1, 2, 0).numpy()
    data = io.BytesIO()
    Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels).save(data, "PNG")
    return base64.b64encode(data.getvalue()).decode("ascii")
