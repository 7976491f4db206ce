"""What a data set is here, and how one is found by its name.

A data set has three splits: training images, and the query and gallery images of other people. Labels follow
Market-1501: identity 0 is a distractor (a person or thing that is nobody's query), −1 is junk (never counted).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from hil.errors import ConfigError, DatasetError
from hil.registry import DATASETS

__all__ = ["DISTRACTOR", "JUNK", "Dataset", "Pairing", "Split", "load_dataset"]

DISTRACTOR = 0
JUNK = -1

Pairing = Literal["cross_camera", "same_camera"]


@dataclass(frozen=True, kw_only=True)
class Split:
    """Images and their labels.

    Attributes:
        images: uint8 [image, C, H, W].
        identities: int64 [image]; `DISTRACTOR` and `JUNK` may occur in a gallery.
        cameras: int64 [image].
        names: one name an image, such as its file name.

    Raises:
        DatasetError: the lengths or types do not fit.
    """

    images: Tensor
    identities: Tensor
    cameras: Tensor
    names: tuple[str, ...]

    def __post_init__(self) -> None:
        if self.images.ndim != 4 or self.images.dtype != torch.uint8:
            raise DatasetError(
                f"Split.images must be uint8 [image, C, H, W], not {self.images.dtype} {tuple(self.images.shape)}."
            )
        count = (len(self.images),)
        for name, labels in (("identities", self.identities), ("cameras", self.cameras)):
            if labels.dtype != torch.int64 or labels.shape != count:
                raise DatasetError(f"Split.{name} must be int64 {list(count)}, not {labels.dtype} {list(labels.shape)}.")
        if len(self.names) != count[0]:
            raise DatasetError(f"Split.names must have one name an image ({count[0]}), not {len(self.names)}.")

    def __len__(self) -> int:
        return len(self.images)

    def float_images(self, index: Tensor | None = None) -> Tensor:
        """Images as networks take them: float32 [image, C, H, W] in 0…1, all or those at `index`."""
        images = self.images if index is None else self.images[index]
        return images.to(torch.float32) / 255.0


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """A retrieval data set.

    Attributes:
        name: the name it was asked for by, such as ``synthetic`` or ``market1501``.
        train, query, gallery: the splits; no person is both in `train` and in the other two.
        pairing: which two query images of a person make a task: two cameras, or two images of one camera (CUHK03).
    """

    name: str
    train: Split
    query: Split
    gallery: Split
    pairing: Pairing = "cross_camera"

    def __post_init__(self) -> None:
        sizes = {tuple(split.images.shape[1:]) for split in (self.train, self.query, self.gallery)}
        if len(sizes) != 1:
            raise DatasetError(f"Dataset '{self.name}' has splits of different image sizes {sorted(sizes)}; give image_size.")

    @property
    def image_size(self) -> tuple[int, int]:
        """Height and width of every image, in pixels."""
        return self.train.images.shape[2], self.train.images.shape[3]

    @property
    def channels(self) -> int:
        """Colour channels of every image."""
        return self.train.images.shape[1]

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over the pixels and labels of all splits, as hexadecimal."""
        return fingerprint(self.train, self.query, self.gallery)


def fingerprint(*splits: Split) -> str:
    """SHA-256 over shapes, pixels and labels, as hexadecimal; the same on every machine for the same data."""
    digest = hashlib.sha256()
    for split in splits:
        digest.update(repr(tuple(split.images.shape)).encode())
        digest.update(np.ascontiguousarray(split.images.numpy()).data)
        for labels in (split.identities, split.cameras):
            digest.update(labels.numpy().astype("<i8").tobytes())
    return digest.hexdigest()


def load_dataset(spec: str, *, image_size: tuple[int, int] | None = None) -> Dataset:
    """A data set by its name.

    Args:
        spec: ``NAME`` or ``NAME:ARGUMENT``: ``synthetic``, ``synthetic:identities=40``, ``market1501:PATH``,
            ``cuhk03:PATH`` (detected boxes) or ``cuhk03:PATH?labeled``, or a name from an entry point.
        image_size: height and width to resize to, in pixels; None keeps the data set's own.

    Raises:
        DatasetError: the name is unknown or the data cannot be read.
    """
    if image_size is not None and (len(image_size) != 2 or min(image_size) < 1):
        raise DatasetError(f"Argument 'image_size' must be two positive numbers (height, width), not {image_size!r}.")
    name, _, argument = spec.partition(":")
    try:
        load = DATASETS.load(name)
    except ConfigError as err:
        raise DatasetError(f"{err}; write NAME or NAME:ARGUMENT, such as 'synthetic' or 'market1501:PATH'") from err
    dataset = load(argument, image_size)
    if not isinstance(dataset, Dataset):
        raise DatasetError(f"Data set '{name}' must return a hil.datasets.Dataset, not {type(dataset).__name__}.")
    return dataset
