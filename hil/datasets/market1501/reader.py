"""Market-1501 in its own directory form: ``bounding_box_train``, ``query`` and ``bounding_box_test``.

Source: Zheng et al., Scalable Person Re-identification: A Benchmark, ICCV 2015.
"""

from __future__ import annotations

from pathlib import Path

from hil.datasets.dataset import Dataset
from hil.datasets.folder import read_splits
from hil.errors import DatasetError

__all__ = ["load"]

IMAGE_SIZE = (256, 128)


def load(argument: str, image_size: tuple[int, int] | None = None) -> Dataset:
    """Read ``market1501:PATH``.

    Args:
        argument: the folder that holds ``bounding_box_train``, ``query`` and ``bounding_box_test``.
        image_size: height and width to resize to; None keeps the images' size, or takes 256 × 128 when sizes differ.

    Raises:
        DatasetError: no path, or one that cannot be read.
    """
    if not argument:
        raise DatasetError("Data set 'market1501' needs a path: write market1501:PATH.")
    splits = read_splits(
        Path(argument).expanduser(), image_size=image_size, default_size=IMAGE_SIZE, layout="a Market-1501 folder"
    )
    return Dataset(name="market1501", train=splits[0], query=splits[1], gallery=splits[2])
