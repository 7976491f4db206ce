"""The built-in data set: drawn people before six cameras, the same to the bit on every machine.

It stands in for Market-1501 where no images are at hand: a person's build, clothes and bag are theirs; side, pose, light,
colour, background, occlusion, blur and noise are the image's. See docs/data-card.md.
"""

from __future__ import annotations

import contextlib
import zipfile
from pathlib import Path

import numpy as np
import torch

from hil.cache import cache_folder
from hil.datasets.dataset import DISTRACTOR, Dataset, Split, fingerprint
from hil.datasets.folder import resized
from hil.datasets.streams import Ints, Stream
from hil.datasets.synthetic._figures import paint_figures
from hil.datasets.synthetic._people import People, draw_people
from hil.datasets.synthetic._scenes import CAMERAS, backdrop, draw_poses, expose
from hil.errors import DatasetError, OutputError
from hil.files import replacing

__all__ = ["FINGERPRINT", "GENERATOR_VERSION", "generate", "load"]

GENERATOR_VERSION = 1
FINGERPRINT = "beae70b7aa35cda19c1c95e096378ca84a0cb8836eb1712331cc160c2cfd6b8f"

HEIGHT, WIDTH = 64, 32
TRAIN_IDENTITIES, TEST_IDENTITIES, TRAIN_IMAGES = 320, 500, 8
_BOUNDS = {"identities": (2, TRAIN_IDENTITIES), "tested": (2, 5000), "asked": (1, 5)}
"""Least and largest value of each argument. Of six cameras one is left for right answers."""
QUERY_CAMERAS, GALLERY_CAMERAS = 3, 5
DISTRACTOR_SHARE = 0.64  # distractors a test identity
BATCH = 32  # images drawn at once; part of the definition, as every batch has its own random stream

_TRAIN, _TEST, _OTHERS = 1, 2, 3  # names of random streams


def load(argument: str = "", image_size: tuple[int, int] | None = None) -> Dataset:
    """The synthetic data set, from the cache or drawn now.

    Args:
        argument: empty for all of it; ``identities=N`` for one of N training and N test identities (for tests);
            ``tested=N`` for the same training split and N other test identities, where 500 are too few for an interval;
            ``asked=N`` for the same with query images from N cameras of each test identity, for tasks of more than three views.
        image_size: height and width to resize to; None for 64 × 32.

    Raises:
        DatasetError: the argument is not understood.
    """
    sizes = _sizes(argument)
    splits = _from_cache(sizes)
    if splits is None:
        splits = generate(*sizes)
        _to_cache(splits, sizes)
    if image_size is not None:
        splits = tuple(resized(split, image_size) for split in splits)
    return Dataset(name="synthetic", train=splits[0], query=splits[1], gallery=splits[2])


def _sizes(argument: str) -> tuple[int, int, int]:
    """Training identities, test identities, cameras with a query image of each."""
    key, _, value = argument.partition("=")
    least, most = _BOUNDS.get(key, (1, 0))
    if argument and not (value.isdecimal() and least <= int(value) <= most):
        known = ", ".join(f"'{name}=N' with N in {low}…{high}" for name, (low, high) in _BOUNDS.items())
        raise DatasetError(f"Data set 'synthetic' takes no argument, or one of {known}, not '{argument}'.")
    number = int(value) if argument else 0
    train = number if key == "identities" else TRAIN_IDENTITIES
    return train, number if key in ("identities", "tested") else TEST_IDENTITIES, number if key == "asked" else QUERY_CAMERAS


def generate(train: int = TRAIN_IDENTITIES, test: int = TEST_IDENTITIES, asked: int = QUERY_CAMERAS) -> tuple[Split, ...]:
    """Draw the training, query and gallery splits for so many identities, test identities with so many query images.

    Training identities are 1…train, test identities are train+1…train+test; distractors have identity 0.
    """
    cameras = len(CAMERAS)
    people = draw_people(train, Stream(GENERATOR_VERSION, _TRAIN, 0))
    order = Stream(GENERATOR_VERSION, _TRAIN, 1).order(2 * train, cameras).reshape(train, 2 * cameras)
    where = np.sort(order[:, :TRAIN_IMAGES], axis=1) + 1
    who = np.repeat(np.arange(train), TRAIN_IMAGES)
    training = _split(people, who, where.reshape(-1), who + 1, _TRAIN)

    people = draw_people(test, Stream(GENERATOR_VERSION, _TEST, 0))
    stream = Stream(GENERATOR_VERSION, _TEST, 1)
    queried = np.sort(stream.order(test, cameras)[:, :asked], axis=1) + 1
    kept = np.sort(stream.order(test, cameras)[:, :GALLERY_CAMERAS], axis=1) + 1
    who = np.repeat(np.arange(test), asked + GALLERY_CAMERAS)
    where = np.concatenate([queried, kept], axis=1).reshape(-1)
    tested = _split(people, who, where, who + train + 1, _TEST)
    query = np.tile(np.arange(asked + GALLERY_CAMERAS) < asked, test)

    count = int(test * DISTRACTOR_SHARE)
    others = draw_people(count, Stream(GENERATOR_VERSION, _OTHERS, 0))
    where = Stream(GENERATOR_VERSION, _OTHERS, 1).choice([1.0] * cameras, count) + 1
    distractors = _split(others, np.arange(count), where, np.full(count, DISTRACTOR), _OTHERS)
    return training, _pick(tested, query), _join(_pick(tested, ~query), distractors)


def _split(people: People, who: Ints, where: Ints, identities: Ints, stream: int) -> Split:
    """Draw person `who` before camera `where`, int64 [image] each."""
    images = np.empty((len(who), 3, HEIGHT, WIDTH), np.uint8)
    for start in range(0, len(who), BATCH):
        rows = slice(start, start + BATCH)
        seeded = Stream(GENERATOR_VERSION, stream, 2, start // BATCH)
        dressed = people.take(who[rows])
        scene = backdrop(where[rows], HEIGHT, WIDTH, seeded)
        paint_figures(scene, dressed, draw_poses(where[rows], dressed.height, seeded))
        images[rows] = expose(scene, where[rows], seeded)
    names = [f"{label:04d}_c{camera}_{index:06d}" for index, (label, camera) in enumerate(zip(identities, where, strict=True))]
    return Split.people(
        images=torch.from_numpy(images),
        identities=torch.from_numpy(identities.astype(np.int64)),
        cameras=torch.from_numpy(where.astype(np.int64)),
        names=names,
    )


def _pick(split: Split, mask: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]) -> Split:
    return split.pick(torch.from_numpy(np.flatnonzero(mask)))


def _join(first: Split, second: Split) -> Split:
    return Split.people(
        images=torch.cat([first.images[:], second.images[:]]),
        identities=torch.cat([first.identities, second.identities]),
        cameras=torch.cat([first.cameras, second.cameras]),
        names=first.names + second.names,
    )


def _cache_file(sizes: tuple[int, int, int]) -> Path | None:
    """Where the drawn splits are kept; None where there is no place."""
    folder = cache_folder()
    train, test, asked = sizes
    name = f"{train}-{test}" if asked == QUERY_CAMERAS else f"{train}-{test}-{asked}"
    return None if folder is None else folder / f"synthetic-v{GENERATOR_VERSION}-{FINGERPRINT[:12]}-{name}.npz"


def _from_cache(sizes: tuple[int, int, int]) -> tuple[Split, ...] | None:
    """The splits from the cache; None when they are not there or not what was written."""
    kept = _cache_file(sizes)
    if kept is None:
        return None
    try:
        with kept.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            splits = tuple(
                Split.people(
                    images=torch.from_numpy(stored[f"{name}_images"]),
                    identities=torch.from_numpy(stored[f"{name}_identities"]),
                    cameras=torch.from_numpy(stored[f"{name}_cameras"]),
                    names=stored[f"{name}_names"].tolist(),
                )
                for name in ("train", "query", "gallery")
            )
            expected = str(stored["fingerprint"])
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, DatasetError, RuntimeError):
        return None
    return splits if fingerprint(*splits) == expected else None


def _to_cache(splits: tuple[Split, ...], sizes: tuple[int, int, int]) -> None:
    """Keep the splits for the next time; a cache that cannot be written is no error."""
    target = _cache_file(sizes)
    if target is None:
        return
    arrays: dict[str, np.ndarray[tuple[int, ...], np.dtype[np.generic]]] = {"fingerprint": np.array(fingerprint(*splits))}
    for name, split in zip(("train", "query", "gallery"), splits, strict=True):
        arrays[f"{name}_images"] = split.images[:].numpy()
        arrays[f"{name}_identities"] = split.identities.numpy()
        arrays[f"{name}_cameras"] = split.cameras.numpy()
        arrays[f"{name}_names"] = np.array(split.names)
    with contextlib.suppress(OSError, OutputError), replacing(target) as new:
        np.savez(new, **arrays)
