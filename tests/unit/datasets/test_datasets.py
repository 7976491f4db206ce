import dataclasses

import numpy as np
import pytest
import torch
from hil.datasets.tasks import junk_mask, make_tasks, positive_mask
from PIL import Image

from hil.datasets.dataset import Dataset, Split, load_dataset
from hil.datasets.synthetic import reader as synthetic
from hil.errors import DatasetError


def save(path, colour, size=(16, 8)):
    """An image of one colour, `size` = height, width."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (size[1], size[0]), colour).save(path)


def market(root, size=(16, 8)):
    """Two training people; two test people seen by three cameras, one junk image and two distractors."""
    for person in (2, 7):
        for camera in (1, 2):
            save(root / "bounding_box_train" / f"{person:04d}_c{camera}s1_000151_01.jpg", (10 * person, 0, 0), size)
    for person in (1, 20):
        for camera in (1, 2, 3):
            save(root / "query" / f"{person:04d}_c{camera}s1_000151_00.jpg", (0, person, camera), size)
            save(root / "bounding_box_test" / f"{person:04d}_c{camera}s2_000300_01.png", (0, person, camera), size)
    save(root / "bounding_box_test" / "-1_c1s1_000401_03.jpg", (1, 1, 1), size)
    for frame in (1, 2):
        save(root / "bounding_box_test" / f"0000_c3s1_{frame:06d}_01.jpg", (2, 2, 2), size)
    (root / "bounding_box_test" / "Thumbs.db").write_bytes(b"\0")
    (root / "readme.txt").write_text("x")
    return root


@pytest.fixture(scope="module")
def whole():
    return synthetic.generate()


def test_the_generator_is_frozen(whole):
    dataset = Dataset(name="synthetic", train=whole[0], query=whole[1], gallery=whole[2])
    assert dataset.fingerprint == synthetic.FINGERPRINT, "the data set is frozen: results of other versions hang on its pixels"


def test_the_synthetic_set_is_what_its_card_says(whole):
    train, query, gallery = whole
    dataset = Dataset(name="synthetic", train=train, query=query, gallery=gallery)
    assert dataset.image_size == (64, 32)
    assert dataset.channels == 3
    people, counts = train.identities.unique(return_counts=True)
    assert people.tolist() == list(range(1, 321))
    assert counts.eq(8).all()
    tested = query.identities.unique()
    assert tested.tolist() == list(range(321, 821))
    assert set(gallery.identities.tolist()) == {0, *tested.tolist()}
    assert len(gallery) == 2820
    assert gallery.identities.eq(0).double().mean() >= 0.1
    for split in whole:
        assert split.cameras.unique().tolist() == [1, 2, 3, 4, 5, 6]
    tasks = make_tasks(dataset)
    assert (len(tasks), tasks.distinct, tasks.dropped) == (1500, 1500, 0)
    assert (tasks.cameras[:, 0] != tasks.cameras[:, 1]).all()
    assert positive_mask(tasks, gallery).sum(1).min() >= 3
    assert len(torch.unique(query.images.flatten(1), dim=0)) == len(query)


def test_training_images_do_not_hang_on_how_many_are_tested():
    again = synthetic.generate(10, 5)
    assert len(again[0]) == 80
    assert torch.equal(synthetic.generate(10, 2)[0].images, again[0].images)


def test_the_cache_serves_repairs_and_may_be_unwritable(tmp_path, monkeypatch):
    monkeypatch.setenv("HIL_CACHE", str(tmp_path / "cache"))
    first = load_dataset("synthetic:identities=5")
    files = list((tmp_path / "cache").iterdir())
    assert len(files) == 1
    monkeypatch.setattr(synthetic, "generate", None)  # only the cache can serve it now
    second = load_dataset("synthetic:identities=5")
    assert second.fingerprint == first.fingerprint
    assert second.query.names == first.query.names
    monkeypatch.undo()
    monkeypatch.setenv("HIL_CACHE", str(tmp_path / "cache"))
    for damage in (b"", b"not a zip", files[0].read_bytes()[:5000]):
        files[0].write_bytes(damage)
        assert load_dataset("synthetic:identities=5").fingerprint == first.fingerprint
    (tmp_path / "file").write_text("x")
    monkeypatch.setenv("HIL_CACHE", str(tmp_path / "file" / "cache"))
    assert load_dataset("synthetic:identities=5").fingerprint == first.fingerprint
    assert load_dataset("synthetic:identities=5", image_size=(32, 16)).train.images.shape == (40, 3, 32, 16)


def test_where_the_cache_lies(tmp_path, monkeypatch):
    monkeypatch.delenv("HIL_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    load_dataset("synthetic:identities=2")
    assert (tmp_path / "hil" / f"synthetic-v{synthetic.GENERATOR_VERSION}-{synthetic.FINGERPRINT[:12]}-2-2.npz").is_file()
    assert len(list((tmp_path / "hil").iterdir())) == 1


@pytest.mark.parametrize("argument", ["identities=1", "identities=x", "identities=999", "people=5", "5"])
def test_synthetic_names_a_wrong_argument(argument):
    with pytest.raises(DatasetError, match=f"identities=N.*not '{argument}'"):
        load_dataset(f"synthetic:{argument}")


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


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("market1501", "needs a path: write market1501:PATH"),
        ("market1501:/no/such/place", "No such folder: /no/such/place"),
        ("cuhk03", "needs a path: write cuhk03:PATH"),
        ("cuhk03:/no/such/place", "No such folder: /no/such/place"),
        ("cuhk03:/tmp?drawn", "boxes detected or labeled, not 'drawn'"),
        ("imagenet", "unknown dataset 'imagenet'; known: cuhk03, market1501, synthetic"),
    ],
)
def test_a_wrong_spec_is_named(spec, message):
    with pytest.raises(DatasetError, match=message):
        load_dataset(spec)


def cuhk(root):
    for person in (1, 2):
        for camera in (1, 2):
            for frame in (1, 2):
                name = f"{person:04d}_c{camera}_{frame:06d}_01.png"
                save(root / "bounding_box_train" / name, (person, camera, frame))
                name = f"{person + 2:04d}_c{camera}_{frame:06d}_01.png"
                save(root / "query" / name, (person, camera, frame))
                save(root / "bounding_box_test" / name, (person, camera, frame + 2))


def test_cuhk03_pairs_two_images_of_one_camera(tmp_path):
    cuhk(tmp_path / "detected")
    cuhk(tmp_path / "labeled")
    save(tmp_path / "labeled" / "query" / "0009_c1_000001_01.png", (9, 9, 9))
    dataset = load_dataset(f"cuhk03:{tmp_path}")
    assert dataset.pairing == "same_camera"
    assert len(load_dataset(f"cuhk03:{tmp_path}?detected").query) == 8
    assert len(load_dataset(f"cuhk03:{tmp_path}?labeled").query) == 9
    tasks = make_tasks(dataset)
    assert len(tasks) == 4
    assert (tasks.cameras[:, 0] == tasks.cameras[:, 1]).all()
    counted = positive_mask(tasks, dataset.gallery)
    assert counted.sum(1).tolist() == [2] * 4
    assert (dataset.gallery.cameras[None] != tasks.cameras[:, :1])[counted].all()


def test_tasks_are_seeded_thinned_and_counted(tmp_path):
    dataset = Dataset(name="synthetic", **dict(zip(("train", "query", "gallery"), synthetic.generate(2, 20), strict=True)))
    tasks = make_tasks(dataset, seed=3)
    again = make_tasks(dataset, seed=3)
    assert torch.equal(tasks.views, again.views)
    assert not torch.equal(tasks.views, make_tasks(dataset, seed=4).views)
    assert torch.equal(make_tasks(dataset, seed=3, limit=7).views, tasks.views[:7])
    assert len({frozenset(pair) for pair in tasks.views.tolist()}) == len(tasks) == 60
    assert 10 < int((tasks.views[:, 0] < tasks.views[:, 1]).sum()) < 50  # the order of views is drawn too
    assert torch.equal(dataset.query.identities[tasks.views], tasks.identities[:, None].expand(-1, 2))
    with pytest.raises(DatasetError, match="'limit' must be at least 1 or None, not 0"):
        make_tasks(dataset, limit=0)

    gallery = dataset.gallery
    keep = gallery.identities != int(tasks.identities[0])
    fewer = Split(
        images=gallery.images[keep],
        identities=gallery.identities[keep],
        cameras=gallery.cameras[keep],
        names=tuple(np.array(gallery.names)[keep.numpy()]),
    )
    thinned = make_tasks(dataclasses.replace(dataset, gallery=fewer))
    assert (len(thinned), thinned.dropped) == (57, 3)
    with pytest.raises(DatasetError, match=r"has no task.*60 query images, 60 pairs without a positive"):
        make_tasks(dataclasses.replace(dataset, gallery=dataset.train))


def test_a_split_is_checked():
    good = {
        "images": torch.zeros(2, 3, 4, 4, dtype=torch.uint8),
        "identities": torch.zeros(2).long(),
        "cameras": torch.zeros(2).long(),
        "names": ("a", "b"),
    }
    assert Split(**good).float_images().shape == (2, 3, 4, 4)
    for change, message in (
        ({"images": torch.zeros(2, 3, 4, 4)}, "must be uint8"),
        ({"identities": torch.zeros(3).long()}, r"Split.identities must be int64 \[2\]"),
        ({"cameras": torch.zeros(2)}, "Split.cameras"),
        ({"names": ("a",)}, "one name an image"),
    ):
        with pytest.raises(DatasetError, match=message):
            Split(**good | change)
    other = Split(**good | {"images": torch.zeros(2, 3, 5, 4, dtype=torch.uint8)})
    with pytest.raises(DatasetError, match="different image sizes"):
        Dataset(name="x", train=Split(**good), query=other, gallery=other)
