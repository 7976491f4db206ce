"""Pictures in folders: splits, classes, sizes and shapes that are known."""

import numpy as np
import pytest
from PIL import Image

from hil.datasets.dataset import load_dataset
from hil.errors import DatasetError


def save(path, high=8, wide=8, seed=0):
    """A random picture, uint8 [H, W, 3]."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (high, wide, 3), np.uint8)
    Image.fromarray(pixels).save(path)
    return pixels


@pytest.mark.parametrize("second", ["test", "val"])
def test_splits_with_classes(tmp_path, second):
    for split, count in (("train", 3), (second, 2)):
        for kind in ("cat", "dog"):
            for index in range(count):
                save(tmp_path / split / kind / f"{index}.png", seed=index)
    save(tmp_path / "train" / "owl" / "0.png")
    data = load_dataset(f"imagefolder:{tmp_path}")
    assert data.classes == ("cat", "dog", "owl")
    assert data.train.labels["class"].tolist() == [0, 0, 0, 1, 1, 1, 2]
    assert data.test.labels["class"].tolist() == [0, 0, 1, 1]
    assert data.test.names == ("cat/0.png", "cat/1.png", "dog/0.png", "dog/1.png")


def test_classes_without_splits_are_split_by_name(tmp_path):
    for kind in ("a", "b"):
        for index in range(100):
            save(tmp_path / kind / f"{index}.png", 2, 2)
    data = load_dataset(f"imagefolder:{tmp_path}")
    assert 20 <= len(data.test) <= 60
    assert len(data.train) + len(data.test) == 200
    assert not set(data.train.names) & set(data.test.names)
    assert set(load_dataset(f"imagefolder:{tmp_path}?split=1").test.names) != set(data.test.names)
    save(tmp_path / "a" / "new.png", 2, 2)
    again = load_dataset(f"imagefolder:{tmp_path}")
    assert set(again.test.names) - {"a/new.png"} == set(data.test.names)  # one more picture moves no other


def test_photos_are_turned_to_one_shape_and_back_again_equal(tmp_path):
    lying, standing = save(tmp_path / "1.png", 6, 9, seed=1), save(tmp_path / "2.png", 9, 6, seed=2)
    data = load_dataset(f"imagefolder:{tmp_path}")
    assert data.image_size == (6, 9)
    assert len(data.train) == 0
    assert "none to train on" in data.remarks[0]
    assert (data.test.images[0].numpy() == lying.transpose(2, 0, 1)).all()
    assert (np.rot90(data.test.images[1].numpy(), -1, (1, 2)) == standing.transpose(2, 0, 1)).all()


def test_the_middle_is_cut_out(tmp_path):
    pixels = save(tmp_path / "1.png", 8, 20)
    found = load_dataset(f"imagefolder:{tmp_path}?fit=crop", image_size=(8, 8)).test.images[0].numpy()
    assert (found == pixels[:, 6:14].transpose(2, 0, 1)).all()
    stretched = load_dataset(f"imagefolder:{tmp_path}?fit=resize", image_size=(8, 8)).test.images[0].numpy()
    assert (stretched != found).any()


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ("", r"images of 2 sizes: .* say which one"),
        ("?size=8", "must be HxW"),
        ("?fit=stretch", "must be resize, crop, turn"),
        ("?split=x", "whole number"),
        ("?sizes=8x8", "is unknown; did you mean 'size'"),
        ("?size", "needs a value"),
        ("?size=8x8&size=9x9", "given twice"),
    ],
)
def test_what_is_not_clear_is_asked_for(tmp_path, option, words):
    save(tmp_path / "1.png", 6, 9)
    save(tmp_path / "2.png", 7, 7)
    with pytest.raises(DatasetError, match=words):
        load_dataset(f"imagefolder:{tmp_path}{option}")


def test_empty_folders_are_refused(tmp_path):
    with pytest.raises(DatasetError, match="no image"):
        load_dataset(f"imagefolder:{tmp_path}")
    save(tmp_path / "cat" / "1.png")
    (tmp_path / "dog").mkdir()
    with pytest.raises(DatasetError, match="taken for a class"):
        load_dataset(f"imagefolder:{tmp_path}")
