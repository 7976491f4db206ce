"""Folders of pictures that are read when asked for: what lies there, of which size, and how a part is kept for tests."""

from __future__ import annotations

import hashlib
import os
import stat
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from hil.datasets.decode import SUFFIXES, Fit, image_size_of, quiet_decoders, shown
from hil.datasets.images import WORKERS, FileImages, FileState, ImageArray, held
from hil.errors import DatasetError

__all__ = ["Pictures", "kept_for_tests", "listed", "picture_size", "pictures", "sizes_before"]

IN_MEMORY_BYTES = 256 << 20
"""Of pixels: more are read from their files when images are asked for."""
TEST_SHARE = 0.2
"""Of the images of a set that has no split of its own."""

LOOKED_AT = 64
"""Images whose sizes are told: asking all takes long in large sets."""


@dataclass(frozen=True, kw_only=True)
class Pictures:
    """Images of a folder: their paths and states, in order of name; and the names of what else lies there."""

    paths: tuple[Path, ...]
    states: tuple[FileState, ...]
    left_out: tuple[str, ...] = ()


def listed(folder: Path) -> Pictures:
    """The images right in a folder.

    Raises:
        DatasetError: it, or a file in it, cannot be read.
    """
    paths, states, left_out = [], [], []
    try:
        with os.scandir(folder) as entries:
            found = sorted(entries, key=lambda entry: entry.name)
        for entry in found:
            if entry.is_dir():
                continue
            if Path(entry.name).suffix.lower() not in SUFFIXES or entry.name.startswith("."):
                left_out.append(shown(f"{folder.name}/{entry.name}"))
                continue
            about = entry.stat()
            if not stat.S_ISREG(about.st_mode):
                raise DatasetError(f"Cannot read the image {shown(entry.path)}: it is no regular file. Replace or remove it.")
            paths.append(Path(entry.path))
            states.append(FileState.of(about))
    except OSError as err:
        raise DatasetError(f"Cannot read {shown(err.filename or folder)}: {err.strerror}. Allow it to be read.") from err
    return Pictures(paths=tuple(paths), states=tuple(states), left_out=tuple(left_out))


def picture_size(name: str, paths: Sequence[Path], *, turn: bool) -> tuple[int, int]:
    """Height and width of all images.

    Args:
        name: of the data set, for messages; paths: of the images.
        turn: pictures that stand count as those that lie, if there are of both.

    Raises:
        DatasetError: they differ.
    """
    with quiet_decoders(), ThreadPoolExecutor(WORKERS) as pool:
        sizes = Counter(pool.map(image_size_of, paths))
    if turn:
        lying = Counter({(min(size), max(size)): 0 for size in sizes})
        for size, count in sizes.items():
            lying[min(size), max(size)] += count
        sizes = lying if len(sizes) > 1 else sizes
    if len(sizes) > 1:
        usual = [f"{high}x{wide} ({count})" for (high, wide), count in sizes.most_common(3)]
        raise DatasetError(
            f"Data set '{name}' has images of {len(sizes)} sizes: {', '.join(usual)} …; say which one: {name}:PATH?size=HxW."
        )
    return next(iter(sizes))


def sizes_before(paths: Sequence[Path], size: tuple[int, int], fit: Fit = "resize") -> tuple[tuple[int, int], ...]:
    """Heights and widths other than `size`, the most frequent first, of the first `LOOKED_AT` images.

    Args:
        paths: of the images; size: that they are brought to; fit: how. One that is only turned is whole.

    Raises:
        DatasetError: one of them cannot be read.
    """
    with quiet_decoders(), ThreadPoolExecutor(WORKERS) as pool:
        found = Counter(pool.map(image_size_of, paths[:LOOKED_AT]))
    whole = {size, size[::-1]} if fit == "turn" else {size}
    return tuple(one for one, _ in found.most_common() if one not in whole)


def pictures(found: Sequence[Pictures], size: tuple[int, int], fit: Fit) -> ImageArray:
    """The images of some folders, one after the other; in memory where they are few."""
    paths = [path for one in found for path in one.paths]
    states = [state for one in found for state in one.states]
    return held(FileImages(paths, states, size, fit=fit), IN_MEMORY_BYTES)


def kept_for_tests(names: Sequence[str], seed: int) -> list[bool]:
    """Which images of a set are kept for tests: of each name by itself, so that more images change nothing of the others."""
    limit = int(TEST_SHARE * 2**32)
    return [
        int.from_bytes(hashlib.sha256(f"{seed} {name}".encode("utf-8", "surrogateescape")).digest()[:4]) < limit
        for name in names
    ]
