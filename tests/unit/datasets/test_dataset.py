"""Splits and data sets: what they hold, how they are named, and what is said of wrong ones."""

import pytest
import torch

from hil.datasets.dataset import Dataset, Split, load_dataset, split_spec
from hil.datasets.folder import resized
from hil.errors import DatasetError


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("market1501", "needs a path: write market1501:PATH"),
        ("market1501:/no/such/place", "No such folder: /no/such/place"),
        ("cuhk03", "needs a path: write cuhk03:PATH"),
        ("cuhk03:/no/such/place", "No such folder: /no/such/place"),
        ("cuhk03:/tmp?drawn", "boxes detected or labeled, not 'drawn'"),
        (
            "qqqq",
            "unknown data set 'qqqq'; known: cifar10, cuhk03, features, folder, .*, mnist, objects, stl10, synthetic, voc",
        ),
    ],
)
def test_a_wrong_spec_is_named(spec, message):
    with pytest.raises(DatasetError, match=message):
        load_dataset(spec)


def people(**changes):
    good = {
        "images": torch.zeros(2, 3, 4, 4, dtype=torch.uint8),
        "identities": torch.zeros(2).long(),
        "cameras": torch.zeros(2).long(),
        "names": ("a", "b"),
    }
    return Split.people(**good | changes)


def test_a_split_is_checked():
    assert people().float_images().shape == (2, 3, 4, 4)
    for change, message in (
        ({"images": torch.zeros(2, 3, 4, 4)}, "must be uint8"),
        ({"identities": torch.zeros(3).long()}, r"Split label 'identity' must be int64 \[2\]"),
        ({"cameras": torch.zeros(2)}, "Split label 'camera'"),
        ({"names": ("a",)}, r"Split.names must have one entry an image \(2\), not 1"),
    ):
        with pytest.raises(DatasetError, match=message):
            people(**change)
    other = people(images=torch.zeros(2, 3, 5, 4, dtype=torch.uint8))
    with pytest.raises(DatasetError, match="different image sizes"):
        Dataset(name="x", train=people(), query=other, gallery=other)
    with pytest.raises(DatasetError, match="must have a split 'test' or 'query'"):
        Dataset(name="x", train=people())


def test_boxes_are_checked_picked_and_resized():
    images = torch.zeros(2, 3, 4, 8, dtype=torch.uint8)
    boxes = (torch.tensor([[1.0, 2, 3, 4, 7]]), torch.zeros(0, 5))
    split = Split(images=images, names=("a", "b"), boxes=boxes)
    for wrong, message in (((boxes[0],), r"Split.boxes must have one entry"), ((boxes[0], torch.zeros(1, 4)), r"boxes\[1\]")):
        with pytest.raises(DatasetError, match=message):
            Split(images=images, names=("a", "b"), boxes=wrong)
    assert [len(one) for one in split.pick(torch.tensor([1, 0, 0])).boxes] == [0, 1, 1]
    larger = resized(split, (8, 24))  # twice as high, three times as wide
    assert larger.images.shape == (2, 3, 8, 24)
    assert larger.boxes[0].tolist() == [[3.0, 4, 9, 8, 7]]
    assert resized(split, (4, 8)) is split


def test_labels_are_named_and_picked():
    split = people(identities=torch.tensor([5, 6]))
    assert split.label("identity").tolist() == split.identities.tolist() == [5, 6]
    chosen = split.pick(torch.tensor([1, 1]))
    assert (chosen.names, chosen.identities.tolist(), len(chosen)) == (("b", "b"), [6, 6], 2)
    with pytest.raises(DatasetError, match="no label 'class'; they have identity, camera"):
        split.label("class")


def test_the_images_that_are_sent():
    query, test = people(), people(identities=torch.ones(2).long())
    persons = Dataset(name="x", train=people(), query=query, gallery=people())
    assert persons.sent is query
    assert list(persons.splits) == ["train", "query", "gallery"]
    things = Dataset(name="y", train=people(), test=test)
    assert things.sent is test
    assert (things.image_size, things.channels) == ((4, 4), 3)
    with pytest.raises(DatasetError, match="no split 'gallery'; it has train, test"):
        things.split("gallery")


def test_the_fingerprint_is_of_pixels_and_labels():
    def of(**changes):
        return Dataset(name="x", train=people(**changes), test=people()).fingerprint

    assert of() == of(names=("other", "names"))
    pixel = torch.zeros(2, 3, 4, 4, dtype=torch.uint8)
    pixel[1, 2, 3, 3] = 1
    assert len({of(), of(images=pixel), of(identities=torch.tensor([0, 1])), of(cameras=torch.tensor([0, 1]))}) == 4


@pytest.mark.parametrize(
    ("spec", "parts"),
    [
        ("synthetic", ("synthetic", "")),
        ("synthetic:identities=12", ("synthetic", "identities=12")),
        ("market1501:/data:set", ("market1501", "/data:set")),
        ("a/b.py:load", ("a/b.py:load", "")),
        ("a/b.py:load:x=1:y", ("a/b.py:load", "x=1:y")),
    ],
)
def test_a_spec_is_a_name_and_an_argument(spec, parts):
    assert tuple(split_spec(spec)) == parts


def test_a_data_set_comes_in_the_size_that_was_asked_for(tmp_path):
    text = """
import torch
from hil.datasets.dataset import Dataset, Split

def load(argument, image_size):
    split = Split(images=torch.zeros(2, 3, 4, 8, dtype=torch.uint8), names=("a", "b"))
    return Dataset(name="fixed", train=split, test=split)
"""
    (tmp_path / "fixed.py").write_text(text)
    spec = f"{tmp_path / 'fixed.py'}:load"
    assert load_dataset(spec).image_size == load_dataset(spec, image_size=(4, 8)).image_size == (4, 8)
    with pytest.raises(DatasetError, match=r"asked for images of \(16, 8\) \(height, width\) and gave \(4, 8\)"):
        load_dataset(spec, image_size=(16, 8))


def test_what_a_strangers_function_gives_must_be_a_data_set(tmp_path):
    (tmp_path / "mine.py").write_text("def load(argument, image_size):\n    return [argument, image_size]\n")
    with pytest.raises(DatasetError, match=r"must return a hil\.datasets\.Dataset, not list"):
        load_dataset(f"{tmp_path / 'mine.py'}:load")
