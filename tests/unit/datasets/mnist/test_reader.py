"""IDX files, gzipped or not, with either of the names in use."""

import gzip
import struct

import numpy as np
import pytest

from hil.datasets.dataset import load_dataset
from hil.errors import DatasetError

NAMES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")


def idx(array):
    return bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


@pytest.fixture
def arrays():
    generator = np.random.default_rng(0)
    images = [generator.integers(0, 256, (count, 28, 28), np.uint8) for count in (3, 2)]
    labels = [np.array(values, np.uint8) for values in ([0, 9, 4], [1, 2])]
    return dict(zip(NAMES, (images[0], labels[0], images[1], labels[1]), strict=True))


@pytest.mark.parametrize("form", ["plain", "gzip", "dots"])
def test_all_forms_give_the_same(tmp_path, arrays, form):
    for name, array in arrays.items():
        name = name.replace("-idx", ".idx") if form == "dots" else name
        if form == "gzip":
            (tmp_path / f"{name}.gz").write_bytes(gzip.compress(idx(array)))
        else:
            (tmp_path / name).write_bytes(idx(array))
    data = load_dataset(f"mnist:{tmp_path}")
    assert (data.train.images[:, 0].numpy() == arrays[NAMES[0]]).all()
    assert (data.test.images[:, 0].numpy() == arrays[NAMES[2]]).all()
    assert data.train.labels["class"].tolist() == [0, 9, 4]
    assert data.channels == 1
    assert load_dataset(f"mnist:{tmp_path}", image_size=(32, 32)).test.images.shape == (2, 1, 32, 32)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        (NAMES[0], b"\0\0\x08\x01", "no IDX file of 3 axes"),
        (NAMES[0], idx(np.zeros((3, 28, 28), np.uint8))[:-1], "cut short"),
        (NAMES[1], idx(np.array([0, 1], np.uint8)), "3 images and 2 labels"),
        (NAMES[1], idx(np.array([0, 1, 10], np.uint8)), "label 10"),
        (NAMES[1] + ".gz", gzip.compress(idx(np.zeros(3, np.uint8)), mtime=0)[:-9], "Cannot read"),
    ],
)
def test_what_is_damaged_is_refused(tmp_path, arrays, name, content, words):
    for own, array in arrays.items():
        (tmp_path / own).write_bytes(idx(array))
    (tmp_path / name.removesuffix(".gz")).unlink()
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DatasetError, match=words):
        load_dataset(f"mnist:{tmp_path}")
