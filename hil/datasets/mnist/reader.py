"""MNIST in IDX files, gzipped or not: ``train-images-idx3-ubyte`` and so on; 28 × 28, one channel, ten classes.

Source: LeCun, Bottou, Bengio and Haffner, Gradient-Based Learning Applied to Document Recognition, 1998;
http://yann.lecun.com/exdb/mnist/ (the format).
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hil.datasets.dataset import Dataset, Split
from hil.datasets.decode import shown
from hil.datasets.raw import classed, find_folder, read_bytes, sized
from hil.errors import DatasetError

__all__ = ["load"]

CLASSES = tuple(str(digit) for digit in range(10))
PREFIXES = {"train": "train", "test": "t10k"}


def load(argument: str, image_size: tuple[int, int] | None = None) -> Dataset:
    """Read ``mnist:PATH``.

    Args:
        argument: the folder that holds the four files, or ``MNIST/raw`` with them.
        image_size: height and width to resize to; None: 28 × 28.

    Raises:
        DatasetError: no path, a file is missing or damaged.
    """
    root = find_folder("mnist", argument, inner="MNIST/raw")
    dataset = Dataset(name="mnist", train=_split(root, "train"), test=_split(root, "test"), classes=CLASSES)
    return sized(dataset, image_size)


def _split(root: Path, name: str) -> Split:
    images = _find(root, f"{PREFIXES[name]}-images", 3)
    labels = _find(root, f"{PREFIXES[name]}-labels", 1)
    return classed(_idx(images, 3)[:, None], _idx(labels, 1), images, count=len(CLASSES))


def _find(root: Path, stem: str, axes: int) -> Path:
    names = [f"{stem}{dot}idx{axes}-ubyte{packed}" for dot in ("-", ".") for packed in ("", ".gz")]
    for name in names:
        if (root / name).is_file():
            return root / name
    raise DatasetError(f"{shown(root)} must hold {names[0]} or {names[1]}. Unpack the data set there.")


def _idx(path: Path, axes: int) -> NDArray[np.uint8]:
    """An array of unsigned bytes: a magic number, the axes' lengths (32 bits, big-endian), the values."""
    found = read_bytes(path)
    begin = 4 * (1 + axes)
    if len(found) < begin or found[:4] != bytes([0, 0, 8, axes]):
        raise DatasetError(f"{shown(path)} is no IDX file of {axes} axes of bytes. Download it again.")
    shape = tuple(int(one) for one in np.frombuffer(found, ">u4", axes, 4))
    if len(found) - begin != math.prod(shape):
        raise DatasetError(
            f"{shown(path)} says {' × '.join(map(str, shape))} bytes and holds {len(found) - begin}: it was cut short. "
            "Download it again."
        )
    return np.frombuffer(bytearray(found), np.uint8, offset=begin).reshape(shape)
