"""What readers of published binary sets share: a folder by its path, whole records of a file, images at another size."""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from hil.datasets.dataset import Dataset, Split
from hil.datasets.decode import shown
from hil.datasets.folder import resized
from hil.datasets.options import is_folder
from hil.errors import DatasetError
from hil.spelling import did_you_mean

__all__ = ["MOST_BYTES", "classed", "find_folder", "key_values", "parse_seed", "parse_size", "read_bytes", "records", "sized"]

_SIZE = re.compile(r"(\d{1,5})x(\d{1,5})", re.ASCII)
MOST_BYTES = 4 << 30
"""Of one file, unpacked."""


def find_folder(name: str, argument: str, *, inner: str = "") -> Path:
    """The folder that follows a data set's name, or the one in it that its archive unpacks to.

    Args:
        name: of the data set; argument: the path.
        inner: name of the archive's own folder.

    Raises:
        DatasetError: no path, or no such folder.
    """
    if not argument:
        raise DatasetError(f"Data set '{name}' needs a path: write {name}:PATH.")
    try:
        root = Path(argument).expanduser()
    except RuntimeError as err:
        raise DatasetError(f"Data set '{name}': cannot resolve {shown(argument)}: {err}; give the path in full.") from err
    if not is_folder(root):
        raise DatasetError(f"No such folder: {shown(root)}. Give the folder of data set '{name}'.")
    return root / inner if inner and is_folder(root / inner) else root


def key_values(name: str, argument: str, known: Sequence[str]) -> tuple[str, dict[str, str]]:
    """``PATH?key=value&key=value`` apart. A folder whose name has a ``?`` in it is found where it exists as written.

    Raises:
        DatasetError: an unknown key, one without a value, or given twice.
    """
    path, mark, text = argument.rpartition("?")
    if not mark or is_folder(Path(argument)):
        return argument, {}
    found: dict[str, str] = {}
    for option in text.split("&"):
        key, equals, value = option.partition("=")
        if key not in known or not equals or key in found:
            why = (
                "is given twice"
                if key in found
                else f"is unknown{did_you_mean(key, list(known))}"
                if key not in known
                else "needs a value"
            )
            raise DatasetError(
                f"Option '{shown(key)}' of data set '{name}' {why}; write {name}:PATH?{known[0]}=…; it has {', '.join(known)}."
            )
        found[key] = value
    return path, found


def read_bytes(path: Path) -> bytes:
    """A file's bytes; unpacked where its name ends in ``.gz``.

    Raises:
        DatasetError: it cannot be read, is damaged, or too large.
    """
    try:
        if path.suffix != ".gz":
            if path.stat().st_size > MOST_BYTES:
                raise DatasetError(f"{shown(path)} is larger than {MOST_BYTES} bytes; is it what it is named after?")
            return path.read_bytes()
        with gzip.open(path, "rb") as file:
            found = file.read(MOST_BYTES + 1)
    except (OSError, EOFError, zlib.error) as err:
        why = getattr(err, "strerror", None) or str(err) or type(err).__name__
        raise DatasetError(f"Cannot read {shown(path)}: {why}. Download it again.") from err
    if len(found) > MOST_BYTES:
        raise DatasetError(f"{shown(path)} unpacks to more than {MOST_BYTES} bytes; is it what it is named after?")
    return found


def records(path: Path, size: int, what: str) -> NDArray[np.uint8]:
    """A file of records of `size` bytes, uint8 [record, size].

    Raises:
        DatasetError: it cannot be read, is empty, or its last record is cut.
    """
    found = read_bytes(path)
    if not found or len(found) % size:
        raise DatasetError(
            f"{shown(path)} has {len(found)} bytes, and {what} has {size}: it is cut short, or another file. Download it again."
        )
    return np.frombuffer(bytearray(found), np.uint8).reshape(-1, size)


def classed(images: NDArray[np.uint8], classes: NDArray[np.uint8], path: Path, *, count: int) -> Split:
    """Images with classes 0 … count − 1.

    Args:
        images: uint8 [image, C, H, W]; classes: uint8 [image].
        path: of the file, for messages and names.
        count: how many classes there are.

    Raises:
        DatasetError: a class beyond them, or another number of labels.
    """
    if len(images) != len(classes):
        raise DatasetError(f"{shown(path)}: {len(images)} images and {len(classes)} labels. Download the files again.")
    if len(classes) and int(classes.max()) >= count:
        raise DatasetError(f"{shown(path)}: label {int(classes.max())}, and there are {count} classes. Download it again.")
    return Split(
        images=torch.from_numpy(np.ascontiguousarray(images)),
        names=tuple(f"{path.name} {index}" for index in range(len(images))),
        labels={"class": torch.from_numpy(classes.astype(np.int64))},
    )


def sized(dataset: Dataset, image_size: tuple[int, int] | None) -> Dataset:
    """All images at another size, bicubic."""
    if image_size is None or dataset.image_size == tuple(image_size):
        return dataset
    test = None if dataset.test is None else resized(dataset.test, image_size)
    before = (dataset.image_size,)
    return replace(dataset, train=resized(dataset.train, image_size), test=test, sizes_before=before)


def parse_size(name: str, text: str | None) -> tuple[int, int] | None:
    """``HxW`` of a data set's options.

    Raises:
        DatasetError: it is none.
    """
    if text is None:
        return None
    match = _SIZE.fullmatch(text)
    if match is None or not int(match[1]) or not int(match[2]):
        raise DatasetError(f"Option 'size' of data set '{name}' must be HxW in pixels, such as 128x128, not '{shown(text)}'.")
    return int(match[1]), int(match[2])


def parse_seed(name: str, text: str) -> int:
    """A seed of a data set's options.

    Raises:
        DatasetError: it is none.
    """
    if not text.isdecimal() or len(text) > 9:
        raise DatasetError(f"Option 'split' of data set '{name}' must be a whole number, not '{shown(text)}'.")
    return int(text)
