"""CUHK03 under its new protocol (767/700 identities), in image-folder form.

The folder holds ``labeled/`` and ``detected/`` (boxes drawn by hand, or by a detector), each in the Market-1501 directory
form. A task is two images of one camera; the gallery that counts is the other camera's.

Source: Zhong et al., Re-ranking Person Re-identification with k-reciprocal Encoding, CVPR 2017 (the protocol);
Li et al., DeepReID, CVPR 2014 (the images).
"""

from __future__ import annotations

from pathlib import Path

from hil.datasets.dataset import Dataset
from hil.datasets.folder import read_splits
from hil.errors import DatasetError

__all__ = ["load"]

IMAGE_SIZE = (256, 128)
BOXES = ("detected", "labeled")


def load(argument: str, image_size: tuple[int, int] | None = None) -> Dataset:
    """Read ``cuhk03:PATH``, ``cuhk03:PATH?detected`` or ``cuhk03:PATH?labeled``.

    Args:
        argument: the folder that holds ``detected/`` and ``labeled/``, and which of the two is meant (detected).
        image_size: height and width to resize to; None keeps the images' size, or takes 256 × 128 when sizes differ.

    Raises:
        DatasetError: no path, or one that cannot be read, or boxes of another name.
    """
    path, mark, boxes = argument.rpartition("?")
    if not mark:
        path, boxes = argument, BOXES[0]
    if not path:
        raise DatasetError("Data set 'cuhk03' needs a path: write cuhk03:PATH or cuhk03:PATH?labeled.")
    if boxes not in BOXES:
        raise DatasetError(f"Data set 'cuhk03' has boxes {' or '.join(BOXES)}, not '{boxes}': write cuhk03:PATH?labeled.")
    root = Path(path).expanduser()
    if not root.is_dir():
        raise DatasetError(f"No such folder: {root}. Give the folder of CUHK03-NP that holds {' and '.join(BOXES)}.")
    splits = read_splits(root / boxes, image_size=image_size, default_size=IMAGE_SIZE, layout="a folder of CUHK03-NP boxes")
    return Dataset(name="cuhk03", train=splits[0], query=splits[1], gallery=splits[2], pairing="same_camera")
