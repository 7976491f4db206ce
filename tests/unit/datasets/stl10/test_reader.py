"""STL-10's binary version: planes by column, labels from 1."""

import numpy as np
import pytest

from hil.datasets.dataset import load_dataset
from hil.errors import DatasetError


@pytest.fixture
def folder(tmp_path):
    generator = np.random.default_rng(0)
    for name, labels in (("train", [1, 10]), ("test", [4])):
        generator.integers(0, 256, (len(labels), 3 * 96 * 96), np.uint8).tofile(tmp_path / f"{name}_X.bin")
        np.array(labels, np.uint8).tofile(tmp_path / f"{name}_y.bin")
    (tmp_path / "unlabeled_X.bin").write_bytes(b"")
    return tmp_path


def test_planes_are_by_column(folder):
    data = load_dataset(f"stl10:{folder}")
    stored = np.frombuffer((folder / "train_X.bin").read_bytes(), np.uint8).reshape(2, -1)
    for channel, row, column in ((0, 0, 1), (1, 95, 0), (2, 40, 77)):
        assert int(data.train.images[1, channel, row, column]) == stored[1, 9216 * channel + 96 * column + row]
    assert data.train.labels["class"].tolist() == [0, 9]
    assert data.test.labels["class"].tolist() == [3]
    assert data.classes[9] == "truck"
    assert data.remarks == ("stl10: the unlabeled images are not read",)


@pytest.mark.parametrize(("label", "words"), [(0, "label 0"), (11, "label 10")])
def test_labels_beyond_the_ten_are_refused(folder, label, words):
    np.array([label], np.uint8).tofile(folder / "test_y.bin")
    with pytest.raises(DatasetError, match=words):
        load_dataset(f"stl10:{folder}")


def test_missing_and_unequal_files_are_refused(folder):
    np.array([1, 2], np.uint8).tofile(folder / "test_y.bin")
    with pytest.raises(DatasetError, match="1 images and 2 labels"):
        load_dataset(f"stl10:{folder}")
    (folder / "test_y.bin").unlink()
    with pytest.raises(DatasetError, match=r"must hold test_X.bin and test_y.bin"):
        load_dataset(f"stl10:{folder}")
