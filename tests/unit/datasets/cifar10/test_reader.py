"""CIFAR-10's binary version: records whose pixels are known."""

import numpy as np
import pytest

from hil.datasets.dataset import load_dataset
from hil.errors import DatasetError


def write(path, labels, seed=0):
    """Records of random pixels; uint8 [record, 3073]."""
    rows = np.random.default_rng(seed).integers(0, 256, (len(labels), 3073), np.uint8)
    rows[:, 0] = labels
    path.write_bytes(rows.tobytes())
    return rows


@pytest.fixture
def folder(tmp_path):
    write(tmp_path / "data_batch_1.bin", [0, 9])
    write(tmp_path / "data_batch_2.bin", [3], seed=1)
    write(tmp_path / "test_batch.bin", [7, 1, 1], seed=2)
    return tmp_path


def test_records_are_planes_by_row(folder):
    data = load_dataset(f"cifar10:{folder}")
    rows = np.frombuffer((folder / "test_batch.bin").read_bytes(), np.uint8).reshape(3, -1)
    for index in range(3):
        for channel in range(3):
            for row, column in ((0, 0), (0, 31), (31, 0), (17, 5)):
                at = 1 + 1024 * channel + 32 * row + column
                assert int(data.test.images[index, channel, row, column]) == rows[index, at]
    assert data.test.labels["class"].tolist() == [7, 1, 1]
    assert data.train.labels["class"].tolist() == [0, 9, 3]
    assert data.classes[3] == "cat"
    assert "2 of 5 batches" in data.remarks[0]
    assert load_dataset(f"cifar10:{folder}", image_size=(16, 16)).image_size == (16, 16)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda folder: (folder / "test_batch.bin").write_bytes(b"\0" * 3072), "3072 bytes"),
        (lambda folder: (folder / "test_batch.bin").write_bytes(b""), "0 bytes"),
        (lambda folder: write(folder / "test_batch.bin", [10]), "label 10"),
        (lambda folder: (folder / "test_batch.bin").unlink(), "must hold data_batch_1.bin"),
        (lambda folder: ((folder / "test_batch.bin").unlink(), (folder / "data_batch_1").write_bytes(b"\x80\x02")), "pickled"),
    ],
)
def test_what_is_damaged_or_pickled_is_refused(folder, change, words):
    change(folder)
    with pytest.raises(DatasetError, match=words):
        load_dataset(f"cifar10:{folder}")


def test_a_path_is_needed():
    for spec, words in (("cifar10", "needs a path"), ("cifar10:/nowhere", "No such folder")):
        with pytest.raises(DatasetError, match=words):
            load_dataset(spec)
