"""CUHK03 under its new protocol (767/700 identities), in image-folder form.

The folder holds ``labeled/`` and ``detected/`` (boxes drawn by hand, or by a detector), each in the Market-1501 directory
form. A task is two images of one camera; the gallery that counts is the other camera's. The protocol's query has one image
a camera and identity, so the second one is of the gallery, where the protocol leaves it out of that query's ranking anyway.

Source: Zhong et al., Re-ranking Person Re-identification with k-reciprocal Encoding, CVPR 2017 (the protocol);
Li et al., DeepReID, CVPR 2014 (the images).
"""

from __future__ import annotations

from hil.datasets.dataset import Dataset
from hil.datasets.folder import read_people
from hil.datasets.options import is_folder, parse_options
from hil.errors import DatasetError

__all__ = ["load"]

IMAGE_SIZE = (256, 128)
BOXES = ("detected", "labeled")


def load(argument: str, image_size: tuple[int, int] | None = None) -> Dataset:
    """Read ``cuhk03:PATH``, ``cuhk03:PATH?detected``, ``cuhk03:PATH?labeled`` or ``cuhk03:PATH?labeled&pairing=none``.

    Args:
        argument: the folder that holds ``detected/`` and ``labeled/``, which of the two is meant (detected), and the pairing
            (same_camera).
        image_size: height and width to resize to; None keeps the images' size, or takes 256 × 128 when sizes differ.

    Raises:
        DatasetError: no path, or one that cannot be read; boxes of another name; an unknown option.
    """
    options = parse_options("cuhk03", argument, variants=BOXES, what="boxes")
    if not is_folder(options.root):
        raise DatasetError(f"No such folder: {options.root}. Give the folder of CUHK03-NP that holds {' and '.join(BOXES)}.")
    return read_people(
        "cuhk03",
        options.root / options.variant,
        image_size=image_size,
        default_size=IMAGE_SIZE,
        layout="a folder of CUHK03-NP boxes",
        pairing=options.pairing or "same_camera",
    )
