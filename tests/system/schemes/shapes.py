"""A third party's data set in one file: coloured blobs on a dim ground. ``path/shapes.py:load``, ``path/shapes.py:load:200``.

An image shows one object, an ellipse or a box in one of four colours (its class), and nothing else is as bright. The argument
is how many images are sent (60). 16 × 16 pixels, or any other size from 8 × 8.
"""

import numpy as np
import torch

from hil.datasets.dataset import Dataset, Split
from hil.errors import DatasetError

CLASSES = ("red", "green", "blue", "light blue")
COLOURS = np.array([[200, 60, 60], [60, 200, 60], [60, 60, 200], [60, 200, 200]])


def load(argument: str = "", image_size: tuple[int, int] | None = None) -> Dataset:
    """The data set, drawn now; the same for the same argument and size."""
    if argument and not argument.isdecimal():
        raise DatasetError(f"Data set 'shapes' takes the number of images that are sent, not '{argument}'.")
    count, (height, width) = int(argument or 60), image_size or (16, 16)
    return Dataset(
        name="shapes",
        train=_draw(4 * count, height, width, stream=1),
        test=_draw(count, height, width, stream=2),
        classes=CLASSES,
    )


def _draw(count: int, height: int, width: int, *, stream: int) -> Split:
    rng = np.random.Generator(np.random.PCG64([20261, stream, height, width]))
    kinds = rng.integers(len(CLASSES), size=count)
    images = rng.integers(50, 90, (count, 3, height, width))
    rows, columns = np.arange(height)[:, None] + 0.5, np.arange(width)[None] + 0.5
    boxes = []
    for number in range(count):
        tall, wide = rng.integers(height // 4, height // 2 + 1), rng.integers(width // 4, width // 2 + 1)
        top, left = rng.integers(height - tall + 1), rng.integers(width - wide + 1)
        inside = (rows > top) & (rows < top + tall) & (columns > left) & (columns < left + wide)
        if rng.random() < 0.5:  # an ellipse that touches the four sides of the same box
            inside = ((rows - top - tall / 2) / tall) ** 2 + ((columns - left - wide / 2) / wide) ** 2 <= 0.25
        images[number][:, inside] = COLOURS[kinds[number]][:, None] + rng.integers(-9, 10, (3, int(inside.sum())))
        down, across = np.flatnonzero(inside.any(1)), np.flatnonzero(inside.any(0))
        boxes.append([across[0], down[0], across[-1] + 1, down[-1] + 1, kinds[number]])
    return Split(
        images=torch.from_numpy(images.astype(np.uint8)),
        names=tuple(f"{stream}-{number:05d}" for number in range(count)),
        labels={"class": torch.from_numpy(kinds)},
        boxes=tuple(torch.tensor([box], dtype=torch.float32) for box in boxes),
    )
