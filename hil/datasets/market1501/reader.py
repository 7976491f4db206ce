"""Market-1501 in its own directory form: ``bounding_box_train``, ``query`` and ``bounding_box_test``.

Source: Zheng et al., Scalable Person Re-identification: A Benchmark, ICCV 2015.
"""

from __future__ import annotations

from hil.datasets.dataset import Dataset
from hil.datasets.folder import read_people
from hil.datasets.options import parse_options

__all__ = ["load"]

IMAGE_SIZE = (256, 128)


def load(argument: str, image_size: tuple[int, int] | None = None) -> Dataset:
    """Read ``market1501:PATH``, ``market1501:PATH?pairing=same_camera``.

    Args:
        argument: the folder that holds ``bounding_box_train``, ``query`` and ``bounding_box_test``, and the pairing. Pairs are
            of two cameras, or of one where there are no more than two.
        image_size: height and width to resize to; None keeps the images' size, or takes 256 × 128 when sizes differ.

    Raises:
        DatasetError: no path, or one that cannot be read; an unknown option.
    """
    options = parse_options("market1501", argument)
    return read_people(
        "market1501",
        options.root,
        image_size=image_size,
        default_size=IMAGE_SIZE,
        layout="a Market-1501 folder",
        pairing=options.pairing,
    )
