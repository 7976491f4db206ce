"""What a data set is here, and how one is found by its name.

A data set is splits of labelled images; what is done with them is a goal's business (`hil.goals`). Re-identification sets
have ``train``, ``query`` and ``gallery`` with identities and cameras; others have ``train`` and ``test`` with classes or
boxes, or no labels. Identities follow Market-1501: 0 is a distractor (a person or thing that is nobody's query), −1 is junk
(never counted).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor

from hil.cache import Store
from hil.datasets.decode import MOST_PIXELS
from hil.datasets.images import ImageArray, JoinedImages, LazyImages, batches, equal_channels, identity_of, picked
from hil.errors import ConfigError, DatasetError
from hil.foreign import split_foreign
from hil.registry import DATASETS

__all__ = ["DISTRACTOR", "JUNK", "Dataset", "Pairing", "Split", "fingerprint", "kinds_of", "load_dataset", "split_spec"]

DISTRACTOR = 0
JUNK = -1

Pairing = Literal["cross_camera", "same_camera", "none"]

FINGERPRINTS = Store(name="fingerprints", most_bytes=1 << 20)
"""Of files, which take long to read."""


@dataclass(frozen=True, kw_only=True)
class Split:
    """Images and their labels.

    Attributes:
        images: uint8 [image, C, H, W]: a tensor, or read when asked for (`hil.datasets.images`); ``images[index]`` is a
            tensor in either case. Or features instead of pictures, float32 [image, view, 1, p].
        names: one name an image, such as its file name.
        labels: name -> int64 [image]: ``identity`` (`DISTRACTOR` and `JUNK` may occur in a gallery), ``camera``, ``class``, ….
        boxes: for each image its objects, float32 [n, 5]: left, top, right, bottom in pixels, class; of difficult ones, which
            nobody must find, −1 − class (`kinds_of`); None: not labelled.

    Raises:
        DatasetError: the lengths or types do not fit.
    """

    images: ImageArray
    names: tuple[str, ...]
    labels: Mapping[str, Tensor] = field(default_factory=dict)
    boxes: tuple[Tensor, ...] | None = None

    def __post_init__(self) -> None:
        given = self.images.ndim == 4 and self.images.shape[2] == 1 and self.images.dtype == torch.float32
        if not given and (self.images.ndim != 4 or self.images.dtype != torch.uint8):
            raise DatasetError(
                "Split.images must be uint8 [image, C, H, W], or features float32 [image, view, 1, p], "
                f"not {self.images.dtype} {tuple(self.images.shape)}."
            )
        count = (len(self.images),)
        for name, labels in self.labels.items():
            if labels.dtype != torch.int64 or labels.shape != count:
                raise DatasetError(
                    f"Split label '{name}' must be int64 {list(count)}, not {labels.dtype} {list(labels.shape)}."
                )
        for what, rows in (("names", self.names), ("boxes", self.boxes)):
            if rows is not None and len(rows) != count[0]:
                raise DatasetError(f"Split.{what} must have one entry an image ({count[0]}), not {len(rows)}.")
        for index, boxes in enumerate(self.boxes or ()):
            if boxes.ndim != 2 or boxes.shape[1] != 5 or boxes.dtype != torch.float32:
                raise DatasetError(
                    f"Split.boxes[{index}] must be float32 [n, 5] (left, top, right, bottom, class), "
                    f"not {boxes.dtype} {list(boxes.shape)}."
                )

    @classmethod
    def people(cls, *, images: ImageArray, identities: Tensor, cameras: Tensor, names: Sequence[str]) -> Split:
        """A split of a re-identification set: int64 [image] identities and cameras."""
        return cls(images=images, names=tuple(names), labels={"identity": identities, "camera": cameras})

    def __len__(self) -> int:
        return len(self.images)

    def label(self, name: str) -> Tensor:
        """One label of every image, int64 [image].

        Raises:
            DatasetError: the images are not labelled so.
        """
        if name not in self.labels:
            raise DatasetError(f"the images have no label '{name}'; they have {', '.join(self.labels) or 'none'}")
        return self.labels[name]

    @property
    def identities(self) -> Tensor:
        """Who is seen, int64 [image]."""
        return self.label("identity")

    @property
    def cameras(self) -> Tensor:
        """From which camera, int64 [image]."""
        return self.label("camera")

    def pick(self, index: Tensor) -> Split:
        """The images at `index`, int64 [n], in that order."""
        places = index.tolist()
        return Split(
            images=picked(self.images, index),
            names=tuple(self.names[place] for place in places),
            labels={name: values[index] for name, values in self.labels.items()},
            boxes=None if self.boxes is None else tuple(self.boxes[place] for place in places),
        )

    def float_images(self, index: Tensor | None = None) -> Tensor:
        """Images as networks take them: float32 [image, C, H, W] in 0…1, all or those at `index`; features as they are."""
        images = self.images[slice(None) if index is None else index]
        return images if images.is_floating_point() else images.to(torch.float32) / 255.0


def kinds_of(boxes: Tensor) -> tuple[Tensor, Tensor]:
    """Classes, int64 [n], of an image's boxes, float32 [n, 5]; and which are of difficult objects, bool [n]."""
    written = boxes[:, 4].long()
    return torch.where(written < 0, -1 - written, written), written < 0


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """Splits of labelled images.

    Attributes:
        name: the name it was asked for by.
        train: to train on.
        query, gallery: of a re-identification set; no person is both in `train` and in these two.
        test: of any other set.
        pairing: which images of a person make a task of several views: of as many cameras; of one camera (CUHK03), where the
            gallery may give the further ones; or ``none``, each image is a task.
        classes: names of the values of the label ``class`` and of the boxes' classes.
        remarks: lines that who asked for it should read.
        left_out: names of files that lay there and were not read.
        file_sha256: of the one file that it was read from, where it is one.
        sizes_before: (height, width) of pictures before they were brought to this size, the most frequent first; empty where
            they are whole, or nothing is known. Of folders, sizes of the first pictures.
    """

    name: str
    train: Split
    query: Split | None = None
    gallery: Split | None = None
    test: Split | None = None
    pairing: Pairing = "cross_camera"
    classes: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    file_sha256: str = ""
    sizes_before: tuple[tuple[int, int], ...] = ()

    def __post_init__(self) -> None:
        if self.query is None and self.test is None:
            raise DatasetError(f"Data set '{self.name}' must have a split 'test' or 'query', whose images are sent.")
        sizes = {tuple(split.images.shape[1:]) for split in self.splits.values()}
        if len(sizes) != 1:
            raise DatasetError(f"Dataset '{self.name}' has splits of different image sizes {sorted(sizes)}; give image_size.")

    @property
    def splits(self) -> dict[str, Split]:
        """Those that there are, by name."""
        names = ("train", "query", "gallery", "test")
        return {name: split for name in names if (split := getattr(self, name)) is not None}

    @property
    def sent(self) -> Split:
        """The split whose images are sent: `test`, of a re-identification set `query`."""
        return self.split("query" if self.test is None else "test")

    def split(self, name: str) -> Split:
        """A split by name; ``query+gallery`` is one after the other, with the labels that both have.

        Raises:
            DatasetError: there is none.
        """
        if "+" in name:
            return _joined([self.split(part) for part in name.split("+")])
        found = self.splits.get(name)
        if found is None:
            raise DatasetError(f"data set '{self.name}' has no split '{name}'; it has {', '.join(self.splits)}")
        return found

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
        return fingerprint(*self.splits.values())


def fingerprint(*splits: Split) -> str:
    """SHA-256 over shapes, pixels, labels and boxes, as hexadecimal; the same on every machine for the same data.

    Images in files are read through once, a few at a time; the result is kept until one of the files changes.

    Raises:
        DatasetError: a file cannot be read.
    """
    key = "" if not any(isinstance(split.images, LazyImages) for split in splits) else _identity(splits)
    known = FINGERPRINTS.read(key) if key else None
    if known is not None:
        return known.tobytes().decode("ascii")
    digest = hashlib.sha256()
    for split in splits:
        digest.update(repr(tuple(split.images.shape)).encode())
        for part in batches(split.images):
            digest.update(np.ascontiguousarray(part.numpy()).data)
        for labels in _labelled(split):
            digest.update(labels)
    if key:
        FINGERPRINTS.write(key, digest.hexdigest().encode("ascii"))
    return digest.hexdigest()


def _labelled(split: Split) -> Iterator[bytes]:
    """Labels and boxes as bytes, in one order."""
    people = [name for name in ("identity", "camera") if name in split.labels]
    for name in [*people, *sorted(set(split.labels) - set(people))]:
        yield split.labels[name].numpy().astype("<i8").tobytes()
    for boxes in split.boxes or ():
        yield boxes.numpy().astype("<f4").tobytes()


def _identity(splits: Sequence[Split]) -> str:
    """What a fingerprint hangs on, without reading files."""
    digest = hashlib.sha256()
    for split in splits:
        digest.update(f"{tuple(split.images.shape)} {identity_of(split.images)} {sorted(split.labels)}".encode())
        for labels in _labelled(split):
            digest.update(labels)
    return digest.hexdigest()


def _joined(splits: Sequence[Split]) -> Split:
    """Splits one after the other."""
    first = splits[0]
    common = [name for name in first.labels if all(name in split.labels for split in splits)]
    boxed = all(split.boxes is not None for split in splits)
    return Split(
        images=JoinedImages([split.images for split in splits]),
        names=tuple(name for split in splits for name in split.names),
        labels={name: torch.cat([split.labels[name] for split in splits]) for name in common},
        boxes=tuple(boxes for split in splits for boxes in split.boxes or ()) if boxed else None,
    )


class _Spec(NamedTuple):
    name: str
    argument: str


def split_spec(spec: str) -> _Spec:
    """``NAME:ARGUMENT`` or ``path.py:function:ARGUMENT`` apart."""
    foreign = split_foreign(spec)
    if foreign is not None:
        return _Spec(*foreign)
    name, _, argument = spec.partition(":")
    return _Spec(name, argument)


def load_dataset(spec: str, *, image_size: tuple[int, int] | None = None, channels: int | None = None) -> Dataset:
    """A data set by its name.

    Args:
        spec: ``NAME`` or ``NAME:ARGUMENT``, built in (`hil datasets list`) or of an entry point, or
            ``path.py:function[:ARGUMENT]``.
        image_size: height and width to resize to, in pixels; None keeps the data set's own.
        channels: colour channels; grey pictures are brought to several by being equal in all. None keeps the data set's own,
            features stay as they are.

    Raises:
        DatasetError: the name is unknown, the data cannot be read, or they come in another size or in other channels.
    """
    if image_size is not None and (len(image_size) != 2 or min(image_size) < 1):
        raise DatasetError(f"Argument 'image_size' must be two positive numbers (height, width), not {image_size!r}.")
    if image_size is not None and image_size[0] * image_size[1] > MOST_PIXELS:
        raise DatasetError(f"Argument 'image_size' must be of at most {MOST_PIXELS} pixels, not {image_size!r}.")
    name, argument = split_spec(spec)
    try:
        load = DATASETS.load(name)
    except ConfigError as err:
        raise DatasetError(f"{err}; write NAME or NAME:ARGUMENT, or path.py:function") from err
    dataset = load(argument, image_size)
    if not isinstance(dataset, Dataset):
        raise DatasetError(f"Data set '{name}' must return a hil.datasets.Dataset, not {type(dataset).__name__}.")
    if image_size is not None and dataset.image_size != tuple(image_size):
        raise DatasetError(
            f"Data set '{name}' was asked for images of {tuple(image_size)} (height, width) and gave {dataset.image_size}; "
            "let its function resize them, or choose a scheme of that size."
        )
    return _in_channels(dataset, channels)


def _in_channels(dataset: Dataset, channels: int | None) -> Dataset:
    """The same pictures in so many channels.

    Raises:
        DatasetError: they have others, and are not grey.
    """
    if channels is None or channels == dataset.channels or dataset.sent.images.dtype != torch.uint8:
        return dataset
    if dataset.channels != 1:
        raise DatasetError(
            f"Data set '{dataset.name}' has pictures of {dataset.channels} channels, and {channels} are wanted. Only grey ones "
            "are brought to more; choose a scheme that takes these, or let the data set's function convert them."
        )
    words = {2: "two", 3: "three", 4: "four"}.get(channels, str(channels))

    def coloured(split: Split) -> Split:
        return replace(split, images=equal_channels(split.images, channels))

    return replace(
        dataset,
        train=coloured(dataset.train),
        query=None if dataset.query is None else coloured(dataset.query),
        gallery=None if dataset.gallery is None else coloured(dataset.gallery),
        test=None if dataset.test is None else coloured(dataset.test),
        remarks=(*dataset.remarks, f"{dataset.name}: grey pictures, sent as {words} equal channels"),
    )
