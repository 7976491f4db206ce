"""Reading a folder of images in the Market-1501 naming, and resizing images.

A name is ``PPPP_cCsS_FFFFFF_BB.jpg``: person, camera, sequence, frame, box. Person ``-1`` is junk, ``0000`` a distractor.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from hil.datasets.dataset import Split
from hil.errors import DatasetError

__all__ = ["FOLDERS", "read_splits", "resized"]

FOLDERS = ("bounding_box_train", "query", "bounding_box_test")
SUFFIXES = (".jpg", ".jpeg", ".png")
NAME = re.compile(r"(?P<person>-1|\d+)_c(?P<camera>\d+)(s\d+)?_.+", re.ASCII)


def read_splits(
    root: Path, *, image_size: tuple[int, int] | None, default_size: tuple[int, int], layout: str
) -> tuple[Split, ...]:
    """The training, query and gallery splits below `root`.

    Args:
        root: the folder that holds `FOLDERS`.
        image_size: height and width to resize to; None keeps the images' own size when all have the same one.
        default_size: the size taken when `image_size` is None and the images' sizes differ.
        layout: what the folder should be, for messages.

    Raises:
        DatasetError: a path or folder is missing, a split is empty, a name does not parse, an image cannot be read.
    """
    if not root.is_dir():
        raise DatasetError(f"No such folder: {root}. Give the path of {layout}, which holds {', '.join(FOLDERS)}.")
    listed = [_list(root / folder, layout) for folder in FOLDERS]
    if image_size is None:
        sizes = {_size(path) for paths in listed for path in paths}
        image_size = sizes.pop() if len(sizes) == 1 else default_size
    return tuple(_read(paths, image_size) for paths in listed)


def _list(folder: Path, layout: str) -> list[Path]:
    if not folder.is_dir():
        raise DatasetError(f"No such folder: {folder}. {layout} must hold {', '.join(FOLDERS)}.")
    paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES and not path.name.startswith("."))
    if not paths:
        raise DatasetError(f"Empty split: {folder} has no {' or '.join(SUFFIXES)} images. Unpack the data set again.")
    return paths


def _labels(path: Path) -> tuple[int, int]:
    """Person and camera of an image, from its name."""
    match = NAME.fullmatch(path.stem)
    if match is None:
        raise DatasetError(
            f"Cannot read person and camera from {path}: a name must be like 0002_c1s1_000451_03.jpg. Rename or remove it."
        )
    return int(match["person"]), int(match["camera"])


@contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    """The image of a file; whatever goes wrong while it is read names the file."""
    try:
        with path.open("rb") as file, Image.open(file) as image:
            yield image
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as err:
        raise DatasetError(f"Cannot read the image {path}: {err}. Replace or remove it.") from err


def _size(path: Path) -> tuple[int, int]:
    with _opened(path) as image:
        return image.height, image.width


def _pixels(path: Path, size: tuple[int, int]) -> NDArray[np.uint8]:
    """RGB pixels, uint8 [3, H, W]."""
    with _opened(path) as image:
        return _fit(image.convert("RGB"), size)


def _fit(image: Image.Image, size: tuple[int, int]) -> NDArray[np.uint8]:
    if (image.height, image.width) != size:
        image = image.resize((size[1], size[0]), Image.Resampling.BICUBIC)
    return np.ascontiguousarray(np.asarray(image, np.uint8).transpose(2, 0, 1))


def _read(paths: list[Path], size: tuple[int, int]) -> Split:
    labels = torch.tensor([_labels(path) for path in paths], dtype=torch.int64)
    with ThreadPoolExecutor(max_workers=4) as pool:
        images = np.stack(list(pool.map(partial(_pixels, size=size), paths)))
    return Split.people(
        images=torch.from_numpy(images), identities=labels[:, 0], cameras=labels[:, 1], names=[path.name for path in paths]
    )


def resized(split: Split, size: tuple[int, int]) -> Split:
    """The split with images of height and width `size`, bicubic, and boxes to fit."""
    if tuple(split.images.shape[2:]) == tuple(size):
        return split
    high, wide = (new / old for new, old in zip(size, split.images.shape[2:], strict=True))
    factors = torch.tensor([wide, high, wide, high, 1.0])
    images: list[Tensor] = [
        torch.from_numpy(_fit(Image.fromarray(image.permute(1, 2, 0).contiguous().numpy()), size)) for image in split.images
    ]
    boxes = None if split.boxes is None else tuple(own * factors for own in split.boxes)
    return replace(split, images=torch.stack(images), boxes=boxes)
