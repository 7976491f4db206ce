"""STL-10 in its binary version: ``train_X.bin``, ``train_y.bin``, ``test_X.bin``, ``test_y.bin``; 96 × 96, RGB, ten classes.

Planes R, G, B, each by column; labels 1…10. The unlabeled images are not read. Source: Coates, Lee and Ng, An Analysis of
Single-Layer Networks in Unsupervised Feature Learning, AISTATS 2011; https://cs.stanford.edu/~acoates/stl10/.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from hil.datasets.dataset import Dataset, Split
from hil.datasets.decode import shown
from hil.datasets.raw import classed, find_folder, records, sized
from hil.errors import DatasetError

__all__ = ["load"]

CLASSES = ("airplane", "bird", "car", "cat", "deer", "dog", "horse", "monkey", "ship", "truck")
_SIDE = 96


def load(argument: str, image_size: tuple[int, int] | None = None) -> Dataset:
    """Read ``stl10:PATH``.

    Args:
        argument: the folder that holds the files, or ``stl10_binary`` with them.
        image_size: height and width to resize to; None: 96 × 96.

    Raises:
        DatasetError: no path, a file is missing or damaged.
    """
    root = find_folder("stl10", argument, inner="stl10_binary")
    remarks = ("stl10: the unlabeled images are not read",) if (root / "unlabeled_X.bin").is_file() else ()
    dataset = Dataset(name="stl10", train=_split(root, "train"), test=_split(root, "test"), classes=CLASSES, remarks=remarks)
    return sized(dataset, image_size)


def _split(root: Path, name: str) -> Split:
    for suffix in ("X", "y"):
        if not (root / f"{name}_{suffix}.bin").is_file():
            raise DatasetError(
                f"{shown(root)} must hold {name}_X.bin and {name}_y.bin, STL-10's binary version. Unpack it there."
            )
    columns = records(root / f"{name}_X.bin", 3 * _SIDE * _SIDE, "an image of STL-10").reshape(-1, 3, _SIDE, _SIDE)
    labels = records(root / f"{name}_y.bin", 1, "a label")[:, 0]
    if not labels.all():
        raise DatasetError(f"{shown(root / f'{name}_y.bin')}: label 0, and STL-10 counts from 1. Download it again.")
    return classed(columns.transpose(0, 1, 3, 2), labels - np.uint8(1), root / f"{name}_X.bin", count=len(CLASSES))
