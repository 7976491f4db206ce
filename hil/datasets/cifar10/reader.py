"""CIFAR-10 in its binary version: ``data_batch_1.bin`` …, ``test_batch.bin``; 32 × 32, RGB, ten classes.

A record is a label and 3,072 bytes: planes R, G, B, by row. Source: Krizhevsky, Learning Multiple Layers of Features from Tiny
Images, 2009; https://www.cs.toronto.edu/~kriz/cifar.html.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from hil.datasets.dataset import Dataset, Split
from hil.datasets.decode import shown
from hil.datasets.raw import classed, find_folder, records, sized
from hil.errors import DatasetError

__all__ = ["load"]

CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
BATCHES = tuple(f"data_batch_{number}.bin" for number in range(1, 6))
TEST = "test_batch.bin"
_RECORD = 1 + 3 * 32 * 32


def load(argument: str, image_size: tuple[int, int] | None = None) -> Dataset:
    """Read ``cifar10:PATH``.

    Args:
        argument: the folder that holds the batches, or ``cifar-10-batches-bin`` with them.
        image_size: height and width to resize to; None: 32 × 32.

    Raises:
        DatasetError: no path, no batches, damaged ones, or the version for Python, which is pickled.
    """
    root = find_folder("cifar10", argument, inner="cifar-10-batches-bin")
    there = [root / name for name in BATCHES if (root / name).is_file()]
    _refuse_pickles(root, complete=bool(there) and (root / TEST).is_file())
    train = _split(there)
    remarks = () if len(there) == len(BATCHES) else (f"cifar10: {len(there)} of 5 batches, {len(train):,} images to train on",)
    return sized(Dataset(name="cifar10", train=train, test=_split([root / TEST]), classes=CLASSES, remarks=remarks), image_size)


def _refuse_pickles(root: Path, *, complete: bool) -> None:
    if complete:
        return
    pickled = (root / "cifar-10-batches-py").is_dir() or (root / "data_batch_1").is_file()
    if pickled:
        raise DatasetError(
            f"{shown(root)} holds CIFAR-10's version for Python, which is pickled: reading a pickle can run "
            "code that somebody put into it, so it is not read. Download the binary version (cifar-10-binary.tar.gz)."
        )
    raise DatasetError(f"{shown(root)} must hold {BATCHES[0]} … and {TEST}, CIFAR-10's binary version. Unpack it there.")


def _split(paths: list[Path]) -> Split:
    rows = np.concatenate([records(path, _RECORD, "a record of CIFAR-10") for path in paths])
    return classed(rows[:, 1:].reshape(-1, 3, 32, 32), rows[:, 0], paths[0], count=len(CLASSES))
