"""A third party's data set in one file: a bright bar in one of eight columns. ``path/bars.py:load:COUNT``.

The class of an image is the column of its bar. The argument is how many images are sent (64).
"""

import torch

from hil.datasets.dataset import Dataset, Split
from hil.errors import DatasetError

COLUMNS = 8


def load(argument: str = "", image_size: tuple[int, int] | None = None) -> Dataset:
    """The data set, drawn now; the same for the same argument. Always of its own size, 4 × 8 pixels."""
    if argument and not argument.isdecimal():
        raise DatasetError(f"Data set 'bars' takes the number of images that are sent, not '{argument}'.")
    return Dataset(
        name="bars",
        train=_draw(16, seed=1),
        test=_draw(int(argument or 64), seed=2),
        classes=tuple(f"column {column}" for column in range(COLUMNS)),
    )


def _draw(count: int, *, seed: int) -> Split:
    generator = torch.Generator().manual_seed(seed)
    columns = torch.randint(COLUMNS, (count,), generator=generator)
    images = torch.randint(0, 40, (count, 3, 4, COLUMNS), generator=generator, dtype=torch.uint8)
    images[torch.arange(count), :, :, columns] += 200
    return Split(images=images, names=tuple(f"{seed}-{index}" for index in range(count)), labels={"class": columns})
