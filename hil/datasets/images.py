"""The images of a split: a tensor in memory, or read from files when asked for. Both are indexed alike."""

from __future__ import annotations

import hashlib
import math
import os
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, Protocol

import numpy as np
import PIL
import torch
from PIL import features
from torch import Tensor

from hil.datasets.decode import Fit, quiet_decoders, read_pixels

__all__ = [
    "WORKERS", "EqualChannels", "FileImages", "FileState", "ImageArray", "JoinedImages", "LazyImages", "PickedImages",
    "batches", "equal_channels", "held", "identity_of", "mean_image", "picked", "size_bytes",
]  # fmt: skip

BATCH_BYTES = 32 << 20
"""Of pixels that are read at once where all are wanted one after the other."""
WORKERS = min(8, max(2, os.cpu_count() or 2))
"""Threads that decode files."""


class ImageArray(Protocol):
    """Images uint8 [image, C, H, W], indexed along the first axis; a `Tensor` is one. Or features, float32."""

    @property
    def shape(self) -> tuple[int, ...]:
        """(image, C, H, W)."""
        ...

    @property
    def dtype(self) -> torch.dtype:
        """torch.uint8; torch.float32 of features."""
        ...

    @property
    def ndim(self) -> int:
        """4."""
        ...

    def __len__(self) -> int: ...

    def __getitem__(self, index: Any, /) -> Tensor: ...


class LazyImages(ABC):
    """Images that are read when asked for: ``images[index]`` reads those, and keeps nothing.

    Args:
        shape: (image, C, H, W).
    """

    dtype = torch.uint8
    ndim = 4

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.shape = shape

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, index: Any, /) -> Tensor:
        """Whatever indexes a tensor; what comes after the first axis is taken from what was read."""
        first, *rest = index if isinstance(index, tuple) else (index,)
        places = torch.arange(len(self))[first]
        found: Tensor = self.read(places.flatten()).unflatten(0, places.shape or (1,))
        return found[(0, *rest)] if places.ndim == 0 else found[(*[slice(None)] * places.ndim, *rest)]

    @abstractmethod
    def read(self, index: Tensor) -> Tensor:
        """The images at `index`, int64 [n]: uint8 [n, C, H, W].

        Raises:
            DatasetError: one cannot be read, or is not what it was.
        """

    @property
    @abstractmethod
    def identity(self) -> str:
        """Changes whenever pixels may have changed; known without reading any."""


class FileState(NamedTuple):
    """What tells whether a file was changed. `changed_ns` is the inode's time, which nobody can set back."""

    size: int
    modified_ns: int
    changed_ns: int

    @classmethod
    def of(cls, stat: os.stat_result) -> FileState:
        """From what the system says."""
        return cls(stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns)

    @classmethod
    def of_open(cls, file: BinaryIO) -> FileState:
        """Of an open file."""
        return cls.of(os.fstat(file.fileno()))


class FileImages(LazyImages):
    """Images in files, RGB, decoded by a few threads when asked for.

    Args:
        paths: one an image.
        states: of the files when they were listed; one that has another state when it is read is an error.
        size: height and width that they are given.
        fit: how images of another shape are brought to it.
    """

    def __init__(
        self, paths: Sequence[Path], states: Sequence[FileState], size: tuple[int, int], *, fit: Fit = "resize"
    ) -> None:  # fmt: skip
        super().__init__((len(paths), 3, *size))
        self._paths, self._states, self._size, self._fit = tuple(paths), tuple(states), size, fit

    def read(self, index: Tensor) -> Tensor:
        """See `LazyImages.read`."""
        pixels = np.empty((len(index), *self.shape[1:]), np.uint8)

        def fill(row: int, place: int) -> None:
            state = self._states[place]
            pixels[row] = read_pixels(
                self._paths[place], self._size, fit=self._fit, expected=state, state=FileState.of_open
            )  # fmt: skip

        places = index.tolist()
        with quiet_decoders(), ThreadPoolExecutor(WORKERS) as pool:
            for _ in pool.map(fill, range(len(places)), places):
                pass
        return torch.from_numpy(pixels)

    @property
    def identity(self) -> str:
        """Over paths, states and size, and what decodes them."""
        fit = "" if self._fit == "resize" else f" {self._fit}"
        digest = hashlib.sha256(f"{_decoders()} {self._size}{fit}".encode())
        for path, state in zip(self._paths, self._states, strict=True):
            digest.update(os.fsencode(path) + f"\0{tuple(state)}\0".encode())
        return digest.hexdigest()


class JoinedImages(LazyImages):
    """Images one after the other; no copy is made of those in memory.

    Args:
        parts: at least one, all of one size.
    """

    def __init__(self, parts: Sequence[ImageArray]) -> None:
        super().__init__((sum(map(len, parts)), *parts[0].shape[1:]))
        self.dtype = parts[0].dtype
        self._parts = tuple(parts)

    def read(self, index: Tensor) -> Tensor:
        """See `LazyImages.read`."""
        found = torch.empty((len(index), *self.shape[1:]), dtype=self.dtype)
        start = 0
        for part in self._parts:
            mine = (index >= start) & (index < start + len(part))
            if bool(mine.any()):
                found[mine] = part[index[mine] - start]
            start += len(part)
        return found

    @property
    def identity(self) -> str:
        """Of all parts."""
        return hashlib.sha256("+".join(map(identity_of, self._parts)).encode()).hexdigest()


class PickedImages(LazyImages):
    """Some images of others.

    Args:
        images: to choose from.
        places: int64 [n].
    """

    def __init__(self, images: LazyImages, places: Tensor) -> None:
        super().__init__((len(places), *images.shape[1:]))
        self.dtype = images.dtype
        self._images, self._places = images, places

    def read(self, index: Tensor) -> Tensor:
        """See `LazyImages.read`."""
        return self._images.read(self._places[index])

    @property
    def identity(self) -> str:
        """Of all, and which."""
        return hashlib.sha256(self._images.identity.encode() + self._places.numpy().tobytes()).hexdigest()


class EqualChannels(LazyImages):
    """Grey images in several channels, all of them equal.

    Args:
        images: of one channel; channels: how many are wanted.
    """

    def __init__(self, images: LazyImages, channels: int) -> None:
        super().__init__((len(images), channels, *images.shape[2:]))
        self._images = images

    def read(self, index: Tensor) -> Tensor:
        """See `LazyImages.read`."""
        return self._images.read(index).expand(-1, self.shape[1], -1, -1)

    @property
    def identity(self) -> str:
        """Of the grey ones, and how often each is there."""
        return hashlib.sha256(f"{self._images.identity} × {self.shape[1]}".encode()).hexdigest()


def equal_channels(images: ImageArray, channels: int) -> ImageArray:
    """Grey images, uint8 [image, 1, H, W], in so many equal channels; no copy is made of those in memory."""
    if isinstance(images, LazyImages):
        return EqualChannels(images, channels)
    return torch.as_tensor(images).expand(-1, channels, -1, -1)


def identity_of(images: ImageArray) -> str:
    """What the pixels hang on; of those in memory the pixels themselves."""
    if isinstance(images, LazyImages):
        return images.identity
    digest = hashlib.sha256(repr(tuple(images.shape)).encode())
    for part in batches(images):
        digest.update(np.ascontiguousarray(part.numpy()).data)
    return digest.hexdigest()


def picked(images: ImageArray, places: Tensor) -> ImageArray:
    """The images at `places`, int64 or bool [n], in that order; lazy where they are."""
    if isinstance(images, LazyImages):
        return PickedImages(images, torch.arange(len(images))[places])
    return images[places]


def batches(images: ImageArray) -> Iterator[Tensor]:
    """All images in order, as many at once as memory should hold; uint8 [n, C, H, W]."""
    step = max(1, BATCH_BYTES // max(1, math.prod(images.shape[1:])))
    for start in range(0, len(images), step):
        yield images[start : start + step]


def mean_image(images: ImageArray) -> Tensor:
    """The mean of all images, float32 [C, H, W] in 0…1; 0 of none."""
    total = torch.zeros(images.shape[1:], dtype=torch.float64)
    for part in batches(images):
        total += part.double().sum(0)
    return (total / max(1, len(images)) / 255).float()


def size_bytes(images: ImageArray) -> int:
    """Memory that all of them would take."""
    return math.prod(images.shape) * images.dtype.itemsize


def held(images: ImageArray, most_bytes: int) -> ImageArray:
    """The images in memory if they take no more than `most_bytes` there, else as they are."""
    if not isinstance(images, LazyImages) or size_bytes(images) > most_bytes:
        return images
    return images.read(torch.arange(len(images)))


def _decoders() -> str:
    """Versions of what turns files into pixels."""
    names = ("jpg", "jpg_2000", "webp", "libtiff", "avif")
    with quiet_decoders():
        return f"Pillow {PIL.__version__} " + " ".join(f"{name} {features.version(name)}" for name in names)
