"""Reading folders of images in the Market-1501 naming.

A name is ``PPPP_cCsS_FFFFFF_BB.jpg``: person, camera, sequence, frame, box. Person ``-1`` is junk, ``0000`` a distractor.
Small sets are decoded into memory; large ones are read once to check every file, and then whenever images are asked for.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from hil.cache import Store
from hil.datasets.dataset import Dataset, Pairing, Split
from hil.datasets.decode import SUFFIXES, fitted, image_size_of, quiet_decoders, shown
from hil.datasets.images import WORKERS, FileImages, FileState, held, size_bytes
from hil.datasets.listing import sizes_before
from hil.datasets.options import is_folder
from hil.errors import DatasetError

__all__ = ["FOLDERS", "read_people", "resized"]

FOLDERS = ("bounding_box_train", "query", "bounding_box_test")
NAME = re.compile(r"(?P<person>-1|\d+)_c(?P<camera>\d+)(s\d+)?_.+", re.ASCII | re.DOTALL)
IN_MEMORY_BYTES = 256 << 20
"""Of pixels: a data set that takes more is read from its files when images are asked for."""
NAMED = 3
"""Files that are left out and named in a remark; all are in `Dataset.left_out`."""
LARGEST = 2**63 - 1

SIZES = Store(name="image-sizes", most_bytes=1 << 20)
"""Of images in files, which take long to ask."""


@dataclass(frozen=True, kw_only=True)
class _Listed:
    """What lies in a folder: images with their state, person and camera, and the names of everything else."""

    paths: tuple[Path, ...]
    states: tuple[FileState, ...]
    people: tuple[int, ...]
    cameras: tuple[int, ...]
    left_out: tuple[str, ...]


def read_people(
    name: str,
    root: Path,
    *,
    image_size: tuple[int, int] | None,
    default_size: tuple[int, int],
    layout: str,
    pairing: Pairing | None,
) -> Dataset:
    """The data set below `root`.

    Args:
        name: of the data set.
        root: the folder that holds `FOLDERS`.
        image_size: height and width to resize to; None keeps the images' own size when all have the same one.
        default_size: the size taken when `image_size` is None and the images' sizes differ.
        layout: what the folder should be, for messages.
        pairing: as asked for; None: of two cameras, or of one where there are no more than two.

    Raises:
        DatasetError: a path or folder is missing, a split is empty, a name does not parse, an image cannot be read.
    """
    if not is_folder(root):
        raise DatasetError(f"No such folder: {shown(root)}. Give the path of {layout}, which holds {', '.join(FOLDERS)}.")
    listed = [_list(root / folder, layout) for folder in FOLDERS]
    size = image_size or _common_size(listed) or default_size
    images = [FileImages(one.paths, one.states, size) for one in listed]
    large = sum(map(size_bytes, images)) > IN_MEMORY_BYTES
    people, renumbered = _fitting([one.people for one in listed])
    cameras, _ = _fitting([one.cameras for one in listed])
    train, query, gallery = (
        Split.people(
            images=own if large else held(own, IN_MEMORY_BYTES),
            identities=torch.tensor(who, dtype=torch.int64),
            cameras=torch.tensor(where, dtype=torch.int64),
            names=[shown(path.name) for path in one.paths],
        )
        for one, own, who, where in zip(listed, images, people, cameras, strict=True)
    )
    remarks = _left_out_remark(name, listed)
    if renumbered:
        remarks += (f"{name}: identity numbers beyond 64 bits: all identities are numbered 1, 2, … in ascending order",)
    if pairing is None and len(_cameras_of_people(query, gallery)) <= 2:
        pairing = "same_camera"
        remarks += (f"{name}: no more than two cameras, so that tasks of two views are of one camera (pairing=same_camera)",)
    dataset = Dataset(
        name=name,
        train=train,
        query=query,
        gallery=gallery,
        pairing=pairing or "cross_camera",
        remarks=remarks,
        left_out=tuple(name for one in listed for name in one.left_out),
        sizes_before=sizes_before(listed[1].paths, size),
    )
    if large:
        dataset.fingerprint  # noqa: B018 - reads every file that was not read before, so that a damaged one is found here
    return dataset


def _list(folder: Path, layout: str) -> _Listed:
    if not is_folder(folder):
        raise DatasetError(f"No such folder: {shown(folder)}. {layout} must hold {', '.join(FOLDERS)}.")
    try:
        with os.scandir(folder) as entries:
            found = sorted(entries, key=lambda entry: entry.name)
    except OSError as err:
        raise DatasetError(f"Cannot read the folder {shown(folder)}: {err.strerror}. Allow it to be read.") from err
    paths, states, left_out = [], [], []
    for entry in found:
        path = Path(entry.path)
        if path.suffix.lower() not in SUFFIXES or entry.name.startswith(".") or is_folder(path):
            left_out.append(shown(f"{folder.name}/{entry.name}"))
            continue
        paths.append(path)
        states.append(_state(path))
    if not paths:
        also = f" ({len(left_out)} other files)" if left_out else ""
        raise DatasetError(
            f"Empty split: {shown(folder)} has no images, such as .jpg or .png{also}. Unpack the data set again."
        )
    labels = [_labels(path) for path in paths]
    return _Listed(
        paths=tuple(paths),
        states=tuple(states),
        people=tuple(person for person, _ in labels),
        cameras=tuple(camera for _, camera in labels),
        left_out=tuple(left_out),
    )


def _state(path: Path) -> FileState:
    """Of a file, which must be one: a pipe would be waited for, a link may lead nowhere."""
    try:
        found = path.stat()
    except OSError as err:
        raise DatasetError(f"Cannot read the image {shown(path)}: {err.strerror}. Replace or remove it.") from err
    if not stat.S_ISREG(found.st_mode):
        raise DatasetError(f"Cannot read the image {shown(path)}: it is no regular file. Replace or remove it.")
    return FileState.of(found)


def _labels(path: Path) -> tuple[int, int]:
    """Person and camera of an image, from its name."""
    match = NAME.fullmatch(path.stem)
    if match is None:
        raise DatasetError(
            f"Cannot read person and camera from {shown(path)}: a name must be like 0002_c1s1_000451_03.jpg. "
            "Rename or remove it."
        )
    return int(match["person"]), int(match["camera"])


def _fitting(numbers: Sequence[Sequence[int]]) -> tuple[list[list[int]], bool]:
    """Numbers of all splits; where one does not fit into 64 bits, all positive ones counted from 1; and whether that was so."""
    known = sorted({number for part in numbers for number in part if number > 0})
    if not known or known[-1] <= LARGEST:
        return [list(part) for part in numbers], False
    places = {number: place for place, number in enumerate(known, start=1)}
    return [[places.get(number, number) for number in part] for part in numbers], True


def _common_size(listed: Sequence[_Listed]) -> tuple[int, int] | None:
    """Height and width of all images; None where they differ."""
    paths = [path for one in listed for path in one.paths]
    states = [state for one in listed for state in one.states]
    key = FileImages(paths, states, (0, 0)).identity
    known = SIZES.read(key)
    if known is None:
        with quiet_decoders(), ThreadPoolExecutor(WORKERS) as pool:
            sizes = set(pool.map(image_size_of, paths))
        known = np.array(sizes.pop() if len(sizes) == 1 else (0, 0), "<i8").view(np.uint8)
        SIZES.write(key, known.tobytes())
    height, width = known.view("<i8").tolist()
    return (height, width) if height else None


def _cameras_of_people(*splits: Split) -> set[int]:
    return {int(camera) for split in splits for camera in split.cameras[split.identities > 0].unique()}


def _left_out_remark(name: str, listed: Sequence[_Listed]) -> tuple[str, ...]:
    names = [one for part in listed for one in part.left_out]
    if not names:
        return ()
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    files = "file is left out that is no image" if len(names) == 1 else "files are left out that are no images"
    return (f"{name}: {len(names)} {files}: {', '.join(names[:NAMED])}{more}",)


def resized(split: Split, size: tuple[int, int]) -> Split:
    """The split with images of height and width `size`, bicubic, and boxes to fit."""
    if tuple(split.images.shape[2:]) == tuple(size):
        return split
    high, wide = (new / old for new, old in zip(size, split.images.shape[2:], strict=True))
    factors = torch.tensor([wide, high, wide, high, 1.0])
    images = torch.stack([torch.from_numpy(fitted(image.numpy(), size)) for image in split.images[:]])
    boxes = None if split.boxes is None else tuple(own * factors for own in split.boxes)
    return replace(split, images=images, boxes=boxes)
