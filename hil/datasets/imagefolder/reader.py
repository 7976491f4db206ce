"""Pictures in folders: ``train/CLASS/*`` and ``test/CLASS/*`` (or ``val``), ``CLASS/*``, or all in one folder.

The form of torchvision's ImageFolder, of ImageNet once it is unpacked, and of Kodak's photos.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import cast, get_args

import torch
from torch import Tensor

from hil.datasets.dataset import Dataset, Split
from hil.datasets.decode import Fit, shown
from hil.datasets.listing import Pictures, kept_for_tests, listed, picture_size, pictures, sizes_before
from hil.datasets.options import is_folder
from hil.datasets.raw import find_folder, key_values, parse_seed, parse_size
from hil.errors import DatasetError

__all__ = ["load"]

TEST_NAMES = ("test", "val", "valid", "validation")


@dataclass(frozen=True, kw_only=True)
class _Part:
    """Images of a split, folder by folder, and the class of each folder; no class: None."""

    found: tuple[Pictures, ...]
    classes: tuple[int, ...] | None

    @property
    def labels(self) -> Tensor | None:
        """int64 [image]."""
        if self.classes is None:
            return None
        counts = torch.tensor([len(one.paths) for one in self.found])
        return torch.repeat_interleave(torch.tensor(self.classes, dtype=torch.int64), counts)

    @property
    def names(self) -> tuple[str, ...]:
        """Of each image, with the folder's where that is its class."""
        own = self.classes is not None
        return tuple(shown(f"{path.parent.name}/{path.name}" if own else path.name) for one in self.found for path in one.paths)


def load(argument: str, image_size: tuple[int, int] | None = None) -> Dataset:
    """Read ``imagefolder:PATH``, ``imagefolder:PATH?size=128x128&fit=crop&split=3``.

    Args:
        argument: the folder, the size where pictures are of several, how others are brought to it (`Fit`; crop, and turn where
            there are no classes), and the seed of the split where there is none.
        image_size: height and width; None: the pictures' own, or the one asked for.

    Raises:
        DatasetError: no path, no images, a class without images, an unknown option, or pictures of several sizes.
    """
    path, options = key_values("imagefolder", argument, ("size", "fit", "split"))
    root = find_folder("imagefolder", path)
    classes, train, test = _parts(root, parse_seed("imagefolder", options.get("split", "0")))
    fit = _fit(options.get("fit", "turn" if not classes else "crop"))
    size = image_size or parse_size("imagefolder", options.get("size"))
    paths = [path for part in (train, test) for one in part.found for path in one.paths]
    if size is None:
        size = picture_size("imagefolder", paths, turn=fit == "turn")
    left_out = tuple(name for part in (train, test) for one in part.found for name in one.left_out)
    remarks = [] if train.names else [f"imagefolder: {len(test.names)} pictures to send, none to train on"]
    if left_out:
        remarks.append(f"imagefolder: {len(left_out)} files are left out that are no images: {', '.join(left_out[:3])}")
    return Dataset(
        name="imagefolder",
        train=_split(train, size, fit),
        test=_split(test, size, fit),
        classes=classes,
        remarks=tuple(remarks),
        left_out=left_out,
        sizes_before=sizes_before([path for one in test.found for path in one.paths], size, fit),
    )


def _split(part: _Part, size: tuple[int, int], fit: Fit) -> Split:
    labels = part.labels
    return Split(images=pictures(part.found, size, fit), names=part.names, labels={} if labels is None else {"class": labels})


def _parts(root: Path, seed: int) -> tuple[tuple[str, ...], _Part, _Part]:
    """Names of the classes, images to train on, images to test with."""
    test = next((root / name for name in TEST_NAMES if is_folder(root / name)), None)
    if is_folder(root / "train") and test is not None:
        classes = tuple(sorted({one.name for place in (root / "train", test) for one in _folders(place)}))
        return classes, _part(root / "train", classes), _part(test, classes)
    classes = tuple(one.name for one in _folders(root))
    whole = _part(root, classes)
    if not classes:
        return (), _Part(found=(), classes=None), whole
    train, kept = [], []
    for one in whole.found:
        away = kept_for_tests([f"{path.parent.name}/{path.name}" for path in one.paths], seed)
        train.append(_those(one, [not item for item in away]))
        kept.append(_those(one, away))
    return classes, _Part(found=tuple(train), classes=whole.classes), _Part(found=tuple(kept), classes=whole.classes)


def _those(one: Pictures, chosen: list[bool]) -> Pictures:
    paths = tuple(path for path, take in zip(one.paths, chosen, strict=True) if take)
    states = tuple(state for state, take in zip(one.states, chosen, strict=True) if take)
    return Pictures(paths=paths, states=states)


def _part(place: Path, classes: tuple[str, ...]) -> _Part:
    """Images of a folder, or of its folders where these are classes.

    Raises:
        DatasetError: there is none.
    """
    if not classes:
        part = _Part(found=(listed(place),), classes=None)
    else:
        there = [(number, place / name) for number, name in enumerate(classes) if is_folder(place / name)]
        part = _Part(found=tuple(listed(folder) for _, folder in there), classes=tuple(number for number, _ in there))
        empty = next((folder for (_, folder), one in zip(there, part.found, strict=True) if not one.paths), None)
        if empty is not None:
            raise DatasetError(f"{shown(empty)} is taken for a class, and holds no image. Remove it, or put its images there.")
    if not part.names:
        raise DatasetError(f"{shown(place)} holds no image, such as .png or .jpg, and no folders of images.")
    return part


def _folders(place: Path) -> list[Path]:
    try:
        return sorted(one for one in place.iterdir() if one.is_dir() and not one.name.startswith("."))
    except OSError as err:
        raise DatasetError(f"Cannot read the folder {shown(place)}: {err.strerror}. Allow it to be read.") from err


def _fit(text: str) -> Fit:
    if text not in get_args(Fit):
        raise DatasetError(f"Option 'fit' of data set 'imagefolder' must be {', '.join(get_args(Fit))}, not '{shown(text)}'.")
    return cast(Fit, text)
