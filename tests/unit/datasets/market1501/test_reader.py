"""Market-1501 in the directory form that its owners give away, and folders that are not quite so."""

import pytest

from hil.datasets.dataset import load_dataset
from hil.errors import DatasetError
from hil.goals.retrieval.tasks import junk_mask, make_tasks, positive_mask
from tests.unit.datasets.trees import market, save


def test_market1501_reads_the_directory_form(tmp_path):
    dataset = load_dataset(f"market1501:{market(tmp_path)}")
    assert dataset.image_size == (16, 8)
    assert dataset.name == "market1501"
    assert dataset.train.identities.tolist() == [2, 2, 7, 7]
    assert dataset.query.identities.tolist() == [1, 1, 1, 20, 20, 20]
    assert dataset.query.cameras.tolist() == [1, 2, 3, 1, 2, 3]
    assert sorted(dataset.gallery.identities.tolist()) == [-1, 0, 0, 1, 1, 1, 20, 20, 20]
    assert dataset.gallery.names[0] == "-1_c1s1_000401_03.jpg"
    person = dataset.gallery.names.index("0020_c2s2_000300_01.png")
    assert dataset.gallery.images[person, :, 3, 3].tolist() == [0, 20, 2]  # png: to the bit, channels in order R, G, B
    assert len(dataset.fingerprint) == 64

    tasks = make_tasks(dataset)
    assert (len(tasks), tasks.dropped) == (6, 0)
    junk = junk_mask(tasks, dataset.gallery)
    assert junk.sum(1).tolist() == [3] * 6  # the person in the task's two cameras, and the junk image
    assert positive_mask(tasks, dataset.gallery).sum(1).tolist() == [1] * 6


def test_market1501_resizes_when_asked_or_needed(tmp_path):
    market(tmp_path)
    assert load_dataset(f"market1501:{tmp_path}", image_size=(64, 32)).image_size == (64, 32)
    save(tmp_path / "query" / "0001_c4s1_000151_00.jpg", (0, 0, 0), (20, 9))
    assert load_dataset(f"market1501:{tmp_path}").image_size == (256, 128)
    with pytest.raises(DatasetError, match="'image_size' must be two positive numbers"):
        load_dataset(f"market1501:{tmp_path}", image_size=(0, 4))


def remove_folder(root):
    for path in (root / "query").iterdir():
        path.unlink()
    (root / "query").rmdir()


def empty_split(root):
    for path in (root / "query").iterdir():
        path.unlink()


def break_image(root):
    (root / "query" / "0001_c1s1_000151_00.jpg").write_bytes(b"\xff\xd8\xff\xe0 not a picture")


def truncate_image(root):
    path = root / "bounding_box_test" / "0001_c1s2_000300_01.png"
    path.write_bytes(path.read_bytes()[:50])


def odd_name(root):
    save(root / "query" / "portrait.jpg", (0, 0, 0))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (remove_folder, r"No such folder: .*query\. .* must hold bounding_box_train, query, bounding_box_test"),
        (empty_split, r"Empty split: .*query has no"),
        (break_image, r"Cannot read the image .*0001_c1s1_000151_00\.jpg.*Replace or remove"),
        (truncate_image, r"Cannot read the image .*0001_c1s2_000300_01\.png"),
        (odd_name, r"Cannot read person and camera from .*portrait\.jpg.*Rename or remove"),
    ],
)
def test_a_damaged_folder_is_named(tmp_path, damage, message):
    damage(market(tmp_path))
    with pytest.raises(DatasetError, match=message):
        load_dataset(f"market1501:{tmp_path}")
