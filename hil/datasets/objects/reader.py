"""The built-in data set of images to send: 32×32 or 96×96, the same to the bit on every machine. See docs/objects-card.md."""

from __future__ import annotations

import numpy as np
import torch

from hil.cache import Store
from hil.datasets.dataset import Dataset, Split
from hil.datasets.objects._scenes import draw_scenes, paint
from hil.datasets.objects._shapes import CLASSES, GROUPS
from hil.datasets.raw import key_values, sized
from hil.datasets.streams import Stream
from hil.errors import DatasetError

__all__ = ["GENERATOR_VERSION", "SIDES", "TEST", "TRAIN", "generate", "load"]

GENERATOR_VERSION = 1
SIDES = (32, 96)
TRAIN = {32: 8000, 96: 2000}
"""Images to train on; the first ones are of the same scenes at both sizes."""
TEST = 2000
BATCH = 50  # images drawn at once; part of the definition, as every batch has its own random streams

_TRAIN, _TEST = 11, 12  # names of random streams
PIXELS = Store(name="objects", most_bytes=512 << 20)
"""Drawn pictures."""


def load(argument: str = "", image_size: tuple[int, int] | None = None) -> Dataset:
    """``objects``, or ``objects:?size=96&images=N``; the leading ``?`` may be left out.

    Args:
        argument: options.
        image_size: height and width; None: as the options say. Sizes other than 32×32 and 96×96 are resized from these.

    Raises:
        DatasetError: the options are not understood.
    """
    side, images = _options(argument, image_size)
    train, test = min(TRAIN[side], 4 * images), min(TEST, images)
    dataset = Dataset(name="objects", train=generate(_TRAIN, train, side), test=generate(_TEST, test, side), classes=CLASSES)
    return sized(dataset, image_size)


def _options(argument: str, image_size: tuple[int, int] | None) -> tuple[int, int]:
    """Side drawn at, and images to test with."""
    path, given = key_values("objects", argument if "?" in argument or not argument else f"?{argument}", ("size", "images"))
    if path:
        raise DatasetError(
            f"Data set 'objects' is built in and has no path: write objects or objects:size=96, not '{argument}'."
        )
    size = given.get("size", "")
    if size not in ("", *map(str, SIDES)):
        raise DatasetError(f"Option 'size' of data set 'objects' must be {' or '.join(map(str, SIDES))}, not '{size}'.")
    number = given.get("images", str(TEST))
    if not number.isdecimal() or not 1 <= int(number) <= TEST:
        raise DatasetError(f"Option 'images' of data set 'objects' must be in 1…{TEST}, not '{number}'.")
    wanted = max(image_size) if image_size is not None else SIDES[0]
    drawn = int(size) if size else next((side for side in SIDES if side >= wanted), SIDES[-1])
    return drawn, int(number)


def generate(stream: int, images: int, side: int) -> Split:
    """Draw the first images of a split.

    Args:
        stream: number of the split's random streams.
        images: how many.
        side: in pixels.
    """
    scenes = [draw_scenes(BATCH, Stream(GENERATOR_VERSION, stream, 0, batch)) for batch in range(-(-images // BATCH))]
    key = f"objects v{GENERATOR_VERSION} {stream} {images} {side}"
    kept = PIXELS.read(key)
    if kept is None:
        parts = [paint(one, side, Stream(GENERATOR_VERSION, stream, side, batch)) for batch, one in enumerate(scenes)]
        kept = np.concatenate(parts)[:images].reshape(-1)
        PIXELS.write(key, kept.data)
    pixels = torch.from_numpy(kept).view(images, 3, side, side)
    classes = torch.from_numpy(np.concatenate([one.kinds[:, 0] for one in scenes])[:images])
    scale = np.array([side, side, side, side, 1], np.float32)
    return Split(
        images=pixels,
        names=tuple(f"scene {index:05d}" for index in range(images)),
        labels={"class": classes, "group": classes // (len(CLASSES) // len(GROUPS))},
        boxes=tuple([torch.from_numpy(own * scale) for one in scenes for own in one.boxes][:images]),
    )
