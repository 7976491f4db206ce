"""Features in an HDF5 file, in the place of pictures: what a network of anybody's made of a re-identification set.

Layout, one row an image, in any order:

- ``features``: float [image, p], or [image, view, p] where every transmitter has a network of its own (view v is what the
  network of transmitter v makes of the image);
- ``identities``: int [image]; 0 is a distractor, −1 junk, as in Market-1501;
- ``cameras``: int [image];
- ``splits``: string [image], each ``train``, ``query`` or ``gallery``.

Whatever else is in the file is not read. Nothing is scaled: features are sent and compared as they stand.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast, get_args

import h5py
import numpy as np
import torch
from numpy.typing import NDArray

from hil.datasets.dataset import Dataset, Pairing, Split
from hil.datasets.raw import key_values
from hil.errors import DatasetError

__all__ = ["feature_length", "load"]

SPLITS = ("train", "query", "gallery")
COLUMNS = ("identities", "cameras", "splits")
LAYOUT = "features float [image, p] or [image, view, p], and identities, cameras and splits, each [image]"


def load(argument: str, image_size: tuple[int, int] | None = None) -> Dataset:
    """Read ``features:PATH`` or ``features:PATH?pairing=same_camera``.

    Args:
        argument: the file, and the pairing (cross_camera).
        image_size: (1, p) of the networks that the features are for; None takes the file's.

    Returns:
        splits with `images` float32 [image, view, 1, p].

    Raises:
        DatasetError: no such file, another layout, an unknown option, or features of another length than is asked for.
    """
    name, options = key_values("features", argument, ("pairing",))
    path, pairing = _path(name), options.get("pairing", "cross_camera")
    if pairing not in get_args(Pairing):
        raise DatasetError(f"Option 'pairing' of data set 'features' must be {', '.join(get_args(Pairing))}, not '{pairing}'.")
    columns = _read(path)
    length = columns["features"].shape[-1]
    if image_size is not None and tuple(image_size) != (1, length):
        asked = (
            f"features of length {image_size[1]}" if image_size[0] == 1 else f"pictures of {image_size[0]} × {image_size[1]}"
        )
        raise DatasetError(
            f"{path} has features of length {length} and no pictures; the network takes {asked}. Train one on it: "
            f"hil train RECIPE --features {path} --out DIR, and name DIR with --models."
        )
    parts = {split: _split(columns, split) for split in SPLITS}
    if empty := [split for split, part in parts.items() if not len(part)]:
        raise DatasetError(f"{path} has no image of split '{empty[0]}'; it needs {', '.join(SPLITS)}.")
    with path.open("rb") as file:
        checksum = hashlib.file_digest(file, "sha256").hexdigest()
    counts = ", ".join(f"{split} {len(part)}" for split, part in parts.items())
    return Dataset(
        name="features",
        train=parts["train"],
        query=parts["query"],
        gallery=parts["gallery"],
        pairing=cast(Pairing, pairing),
        remarks=(f"features: {counts}, of length {length}; SHA-256 of {path.name}: {checksum}",),
        file_sha256=checksum,
    )


def feature_length(argument: str) -> int:
    """Length p of the features in a file.

    Args:
        argument: of `load`.

    Raises:
        DatasetError: no such file, another layout, or an unknown option.
    """
    path = _path(key_values("features", argument, ("pairing",))[0])
    with _opened(path) as file:
        return int(_shape(path, file)[-1])


def _path(text: str) -> Path:
    if not text:
        raise DatasetError("Data set 'features' needs a path: write features:PATH.")
    return Path(text).expanduser()


def _opened(path: Path) -> h5py.File:
    try:
        return h5py.File(path, "r")
    except OSError as err:
        what = "no such file" if not path.is_file() else "is no HDF5 file, or damaged"
        raise DatasetError(f"Cannot read features from {path}: {what}. It must be HDF5 with {LAYOUT}.") from err


def _shape(path: Path, file: h5py.File) -> tuple[int, ...]:
    """Shape of the features, the layout checked as far as it can be without reading."""
    missing = [key for key in ("features", *COLUMNS) if not isinstance(file.get(key), h5py.Dataset)]
    if missing:
        raise DatasetError(f"{path} has no dataset '{missing[0]}'; it must have {LAYOUT}.")
    features = file["features"]
    if features.ndim not in (2, 3) or features.dtype.kind != "f" or 0 in features.shape:
        raise DatasetError(
            f"'features' of {path} must be float [image, p] or [image, view, p], not {features.dtype} {list(features.shape)}."
        )
    for key in COLUMNS:
        column = file[key]
        fits = h5py.check_string_dtype(column.dtype) is not None if key == "splits" else column.dtype.kind in "iu"
        if column.shape != features.shape[:1] or not fits:
            wanted = "strings" if key == "splits" else "integers"
            raise DatasetError(
                f"'{key}' of {path} must be {wanted} [{features.shape[0]}], one an image, "
                f"not {column.dtype} {list(column.shape)}."
            )
    return cast("tuple[int, ...]", features.shape)


def _read(path: Path) -> dict[str, NDArray[Any]]:
    """All columns: features float32 [image, view, 1, p], identities and cameras int64, splits as strings."""
    with _opened(path) as file:
        shape = _shape(path, file)
        try:
            found = {key: np.asarray(file[key][()]) for key in ("features", "identities", "cameras")}
            found["splits"] = np.asarray(file["splits"].asstr()[()], dtype=str)
        except (OSError, UnicodeDecodeError) as err:
            raise DatasetError(f"{path} is damaged ({err}); make it again.") from err
    unknown = sorted(set(found["splits"].tolist()) - set(SPLITS))
    if unknown:
        raise DatasetError(f"'splits' of {path} must be {', '.join(SPLITS)}, not '{unknown[0]}'.")
    with np.errstate(over="ignore"):  # what float32 cannot hold is refused in the next line
        features = found["features"].astype(np.float32).reshape(shape[0], -1, 1, shape[-1])
    if not np.isfinite(features).all():
        row = int(np.flatnonzero(~np.isfinite(features).all(axis=(1, 2, 3)))[0])
        raise DatasetError(f"'features' of {path} must be finite; row {row} is not. Leave the image out.")
    return {**found, "features": features}


def _split(columns: Mapping[str, NDArray[Any]], split: str) -> Split:
    rows = np.flatnonzero(columns["splits"] == split)
    return Split.people(
        images=torch.from_numpy(columns["features"][rows]),
        identities=torch.from_numpy(columns["identities"][rows].astype(np.int64)),
        cameras=torch.from_numpy(columns["cameras"][rows].astype(np.int64)),
        names=[f"row {row}" for row in rows.tolist()],
    )
