"""Features in a file: what is read, and what is refused."""

import hashlib

import h5py
import numpy as np
import pytest
import torch

from hil.datasets.dataset import load_dataset
from hil.datasets.features.reader import feature_length
from hil.errors import DatasetError
from tests.unit.datasets.features.files import CAMERAS, EACH, LENGTH, PEOPLE, write


@pytest.mark.parametrize("views", [0, 2])
def test_features_are_read_as_they_stand(tmp_path, views):
    path = write(tmp_path / "f.h5", views=views)
    data = load_dataset(f"features:{path}", image_size=(1, LENGTH))
    with h5py.File(path) as file:
        rows = np.asarray(file["splits"].asstr()) == "gallery"
        stored = file["features"][()][rows].reshape(rows.sum(), max(1, views), 1, LENGTH)
        assert torch.equal(data.gallery.float_images(), torch.from_numpy(stored))
        assert data.gallery.identities.tolist() == file["identities"][()][rows].tolist()
    assert len(data.train) == PEOPLE // 2 * CAMERAS * EACH
    assert feature_length(str(path)) == feature_length(f"{path}?pairing=same_camera") == LENGTH
    assert data.file_sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert data.file_sha256 in data.remarks[0]
    joined = data.split("query+gallery")
    assert torch.equal(joined.float_images(torch.tensor([len(data.query)])), data.gallery.float_images(torch.tensor([0])))


def test_the_fingerprint_is_of_the_features_and_a_word_chooses_the_pairing(tmp_path):
    first = load_dataset(f"features:{write(tmp_path / 'a.h5')}?pairing=same_camera")
    assert first.pairing == "same_camera"
    assert load_dataset(f"features:{write(tmp_path / 'b.h5')}").fingerprint == first.fingerprint
    with h5py.File(tmp_path / "b.h5", "r+") as file:
        file["features"][0, 0] += 1
    assert load_dataset(f"features:{tmp_path / 'b.h5'}").fingerprint != first.fingerprint


COUNT = PEOPLE * CAMERAS * EACH
NOT_FINITE = np.where(np.arange(COUNT)[:, None] == 3, np.nan, np.zeros((COUNT, LENGTH))).astype("f4")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"features": None}, "no dataset 'features'"),
        ({"cameras": None}, "no dataset 'cameras'"),
        ({"features": np.zeros((COUNT, LENGTH), "i4")}, r"must be float \[image, p\]"),
        ({"features": np.zeros(COUNT, "f4")}, r"must be float \[image, p\]"),
        ({"features": NOT_FINITE}, "row 3 is not"),
        ({"identities": np.zeros(COUNT, "f4")}, "must be integers"),
        ({"identities": np.ones(COUNT - 1, "i4")}, "one an image"),
        ({"splits": np.full(COUNT, b"train")}, "no image of split 'query'"),
        ({"splits": np.full(COUNT, b"test")}, "not 'test'"),
        ({"splits": np.ones(COUNT, "i4")}, "must be strings"),
    ],
)
def test_another_layout_is_refused_by_name(tmp_path, changes, said):
    with pytest.raises(DatasetError, match=said):
        load_dataset(f"features:{write(tmp_path / 'f.h5', **changes)}")


def test_what_cannot_be_read_or_does_not_fit_is_refused(tmp_path):
    path = write(tmp_path / "f.h5")
    with pytest.raises(DatasetError, match=r"length 16 and no pictures; the network takes pictures of 64 × 32"):
        load_dataset(f"features:{path}", image_size=(64, 32))
    with pytest.raises(DatasetError, match="takes features of length 32"):
        load_dataset(f"features:{path}", image_size=(1, 32))
    with pytest.raises(DatasetError, match="no such file"):
        load_dataset(f"features:{tmp_path / 'none.h5'}")
    with pytest.raises(DatasetError, match="write features:PATH"):
        load_dataset("features")
    with pytest.raises(DatasetError, match="'pairing' of data set 'features' must be"):
        load_dataset(f"features:{path}?pairing=all")
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(DatasetError, match="no HDF5 file, or damaged"):
        load_dataset(f"features:{path}")
