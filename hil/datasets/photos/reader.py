"""Photos as people have them: ``OBJECT/CAMERA_*.jpg``, a folder for each object or person, the camera in front of ``_``.

Half of the objects, chosen by a seed, are for tests. Of these, one photo of each camera asks (`query`), the others are what is
searched (`gallery`); a camera's only photo of an object is both, as a photo never counts as an answer to its own camera.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import cast, get_args

import torch

from hil.datasets.dataset import Dataset, Pairing, Split
from hil.datasets.decode import Fit, image_size_of, quiet_decoders, shown
from hil.datasets.images import WORKERS, FileState
from hil.datasets.listing import Pictures, listed, picture_size, pictures
from hil.datasets.raw import find_folder, key_values, parse_seed, parse_size
from hil.errors import DatasetError

__all__ = ["load"]


@dataclass(frozen=True, kw_only=True)
class _Photo:
    """A photo: its file, and who is on it by which camera, both counted from 1."""

    path: Path
    state: FileState
    identity: int
    camera: int


def load(argument: str, image_size: tuple[int, int] | None = None) -> Dataset:
    """Read ``folder:PATH``, ``folder:PATH?split=3&size=128x128&fit=crop&pairing=same_camera``.

    Args:
        argument: the folder, the seed of the split, the size where photos are of several, how others are brought to it, and
            which photos of an object make a task of several views; without, of several cameras, or of one where there are two.
        image_size: height and width; None: the photos' own, or the one asked for.

    Raises:
        DatasetError: no path, fewer than two objects, a name without a camera, an unknown option, or photos of several sizes.
    """
    path, options = key_values("folder", argument, ("split", "size", "fit", "pairing"))
    root = find_folder("folder", path)
    fit = _one_of("fit", options.get("fit", "crop"), get_args(Fit))
    objects, cameras, left_out = _photos(root)
    if len(objects) < 2:
        raise DatasetError(
            f"{shown(root)} holds {len(objects)} folders of photos, and needs two objects at least: OBJECT/CAMERA_*.jpg."
        )
    tested = _tested(list(objects), parse_seed("folder", options.get("split", "0")))
    train = [photo for name, own in objects.items() if name not in tested for photo in own]
    query, gallery = _asked([photo for name in tested for photo in objects[name]])
    everything = [photo.path for own in objects.values() for photo in own]
    size = image_size or parse_size("folder", options.get("size")) or picture_size("folder", everything, turn=fit == "turn")
    remarks = _brought_to(everything, size, fit)
    if left_out:
        remarks.append(f"folder: {len(left_out)} files are left out that are no images: {', '.join(left_out[:3])}")
    pairing = options.get("pairing")
    if pairing is None and len(cameras) <= 2:
        remarks.append("folder: no more than two cameras, so that tasks of two views are of one camera (pairing=same_camera)")
    chosen = _one_of("pairing", pairing or ("same_camera" if len(cameras) <= 2 else "cross_camera"), get_args(Pairing))
    return Dataset(
        name="folder",
        train=_split(train, size, cast(Fit, fit)),
        query=_split(query, size, cast(Fit, fit)),
        gallery=_split(gallery, size, cast(Fit, fit)),
        pairing=cast(Pairing, chosen),
        remarks=tuple(remarks),
        left_out=tuple(left_out),
    )


def _photos(root: Path) -> tuple[dict[str, list[_Photo]], tuple[str, ...], list[str]]:
    """By object its photos, in order of name; names of the cameras; and of files that are no images."""
    try:
        places = sorted(one for one in root.iterdir() if one.is_dir() and not one.name.startswith("."))
    except OSError as err:
        raise DatasetError(f"Cannot read the folder {shown(root)}: {err.strerror}. Allow it to be read.") from err
    found = {place.name: own for place in places if (own := listed(place)).paths}
    cameras = tuple(sorted({_camera(path) for own in found.values() for path in own.paths}))
    numbers = {name: number for number, name in enumerate(cameras, start=1)}
    objects = {
        name: [
            _Photo(path=path, state=state, identity=identity, camera=numbers[_camera(path)])
            for path, state in zip(own.paths, own.states, strict=True)
        ]
        for identity, (name, own) in enumerate(found.items(), start=1)
    }
    return objects, cameras, [name for own in found.values() for name in own.left_out]


def _camera(path: Path) -> str:
    camera, mark, rest = path.stem.partition("_")
    if not (camera and mark and rest):
        raise DatasetError(
            f"Cannot read the camera from {shown(path)}: a name must be CAMERA_ANYTHING, such as left_001.jpg. "
            "Rename or remove it."
        )
    return camera


def _tested(names: Sequence[str], seed: int) -> list[str]:
    """The half of the objects that is for tests, in order of name."""
    drawn = sorted(names, key=lambda name: hashlib.sha256(f"{seed} {name}".encode("utf-8", "surrogateescape")).digest())
    return sorted(drawn[: (len(names) + 1) // 2])


def _asked(photos: Sequence[_Photo]) -> tuple[list[_Photo], list[_Photo]]:
    """Query and gallery."""
    counts = Counter((one.identity, one.camera) for one in photos)
    query, gallery, known = [], [], set()
    for one in photos:
        key = one.identity, one.camera
        if key not in known:
            known.add(key)
            query.append(one)
            if counts[key] > 1:
                continue
        gallery.append(one)
    return query, gallery


def _split(photos: Sequence[_Photo], size: tuple[int, int], fit: Fit) -> Split:
    own = Pictures(paths=tuple(one.path for one in photos), states=tuple(one.state for one in photos))
    return Split.people(
        images=pictures([own], size, fit),
        identities=torch.tensor([one.identity for one in photos], dtype=torch.int64),
        cameras=torch.tensor([one.camera for one in photos], dtype=torch.int64),
        names=[shown(f"{one.path.parent.name}/{one.path.name}") for one in photos],
    )


def _brought_to(paths: Sequence[Path], size: tuple[int, int], fit: str) -> list[str]:
    """That photos are of another size than the one they are wanted in."""
    with quiet_decoders(), ThreadPoolExecutor(WORKERS) as pool:
        sizes = Counter(pool.map(image_size_of, paths))
    other = sum(count for own, count in sizes.items() if own != size)
    if not other:
        return []
    usual = "x".join(map(str, sizes.most_common(1)[0][0]))
    wanted = "x".join(map(str, size))
    return [
        f"folder: {other} of {len(paths)} photos are of another size than {wanted} (most are {usual}): brought to it by {fit}"
    ]


def _one_of(option: str, text: str, known: tuple[str, ...]) -> str:
    if text not in known:
        raise DatasetError(f"Option '{option}' of data set 'folder' must be {', '.join(known)}, not '{shown(text)}'.")
    return text
