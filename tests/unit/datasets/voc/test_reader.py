"""Pascal VOC's XML: boxes whose pixels are known, and XML that cannot be."""

import numpy as np
import pytest
import torch
from PIL import Image

from hil.datasets.dataset import kinds_of, load_dataset
from hil.errors import DatasetError

OBJECT = (
    "<object><name>{}</name><difficult>{}</difficult>"
    "<bndbox><xmin>{}</xmin><ymin>{}</ymin><xmax>{}</xmax><ymax>{}</ymax></bndbox></object>"
)


def picture(root, stem, objects, *, high=20, wide=40, marked="Annotations", images="JPEGImages", text=None):
    for folder in (marked, images):
        (root / folder).mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.zeros((high, wide, 3), np.uint8)).save(root / images / f"{stem}.png")
    inside = "".join(OBJECT.format(*one) for one in objects)
    size = f"<size><width>{wide}</width><height>{high}</height></size>"
    own = f"<annotation><filename>{stem}.jpg</filename>{size}{inside}</annotation>"
    (root / marked / f"{stem}.xml").write_text(text or own)


@pytest.fixture
def devkit(tmp_path):
    picture(tmp_path, "000001", [("dog", 0, 1, 1, 40, 20), ("cat", 1, 2, 2, 3, 3)])
    picture(tmp_path, "000002", [("person", 0, 11, 6, 20, 10)])
    lists = tmp_path / "ImageSets" / "Main"
    lists.mkdir(parents=True)
    (lists / "trainval.txt").write_text("000001\n")
    (lists / "test.txt").write_text("000002  1\n")
    return tmp_path


def test_a_devkit(devkit):
    data = load_dataset(f"voc:{devkit}")
    assert data.image_size == (20, 40)
    assert len(data.classes) == 20
    dog, person = (data.classes.index(name) for name in ("dog", "person"))
    cat = data.classes.index("cat")
    whole, hard = data.train.boxes[0]
    assert whole.tolist() == [0.0, 0.0, 40.0, 20.0, dog]  # the whole picture
    assert hard.tolist() == [1.0, 1.0, 3.0, 3.0, -1 - cat]
    kinds, difficult = kinds_of(data.train.boxes[0])
    assert (kinds.tolist(), difficult.tolist()) == ([dog, cat], [False, True])
    assert torch.equal(data.test.boxes[0], torch.tensor([[10.0, 5.0, 20.0, 10.0, person]]))
    half = load_dataset(f"voc:{devkit}?size=10x10").test.boxes[0]
    assert torch.equal(half, torch.tensor([[2.5, 2.5, 5.0, 5.0, person]]))


def test_annotations_beside_images(tmp_path):
    for index in range(20):
        picture(tmp_path, f"r{index}", [("raccoon", 0, 1, 1, 9, 9)], marked="annotations", images="images")
    data = load_dataset(f"voc:{tmp_path}")
    assert data.classes == ("raccoon",)
    assert len(data.train) + len(data.test) == 20
    assert 0 < len(data.test) < 10
    assert all(len(boxes) == 1 for boxes in data.test.boxes)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("<annotation>", "Cannot read"),
        ("<!DOCTYPE a [<!ENTITY b 'c'>]><annotation/>", "declares entities"),
        ("<annotation><size><width>0</width><height>5</height></size></annotation>", "5 × 0 pixels"),
        ("<annotation><size><width>x</width></size></annotation>", "Cannot read"),
        (
            f"<annotation><size><width>9</width><height>9</height></size>{OBJECT.format('dog', 0, 5, 1, 2, 3)}</annotation>",
            "dog",
        ),
    ],
)
def test_xml_that_cannot_be_is_refused(devkit, text, words):
    (devkit / "Annotations" / "000002.xml").write_text(text)
    with pytest.raises(DatasetError, match=words):
        load_dataset(f"voc:{devkit}")


def test_a_missing_image_and_a_missing_folder_are_named(devkit, tmp_path_factory):
    (devkit / "JPEGImages" / "000002.png").unlink()
    with pytest.raises(DatasetError, match=r"000002\.xml is of an image that is not there"):
        load_dataset(f"voc:{devkit}")
    with pytest.raises(DatasetError, match="must hold Annotations and JPEGImages"):
        load_dataset(f"voc:{tmp_path_factory.mktemp('empty')}")
