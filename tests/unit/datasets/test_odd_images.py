"""Any image file is read rightly or refused by name: never a traceback, never a silent wrong picture. About 350 of them."""

import os
import re

import numpy as np
import pytest

from hil.datasets.dataset import load_dataset
from hil.datasets.decode import image_size_of, quiet_decoders, read_pixels
from hil.errors import DatasetError
from tests.unit.datasets.odd_images import damaged, whole_kinds
from tests.unit.datasets.trees import market, save

WHOLE = list(whole_kinds(seed=5))
DAMAGED = list(damaged(np.random.default_rng(6), (48, 32)))


def read(path):
    """Pixels [H, W, 3] at the image's own size; None where it is refused, by one line that names it."""
    with quiet_decoders():
        try:
            size = image_size_of(path)
            return read_pixels(path, size).transpose(1, 2, 0)
        except DatasetError as err:
            said = str(err)
    assert re.fullmatch(rf"Cannot read the image {re.escape(str(path))}: .+\. Replace or remove it\.", said)
    return None


def test_there_are_many():
    assert len(WHOLE) + len(DAMAGED) > 300


@pytest.mark.parametrize("odd", WHOLE, ids=lambda odd: odd.name)
def test_every_kind_of_pixel_is_read_rightly_or_refused(tmp_path, odd):
    path = tmp_path / f"0001_c1s1_000001_00{odd.suffix}"
    path.write_bytes(odd.data)
    found = read(path)
    if odd.right is None:
        assert found is None
        return
    assert found is not None
    assert found.shape == odd.right.shape
    assert np.abs(found.astype(int) - odd.right).max() <= odd.within


@pytest.mark.parametrize("odd", DAMAGED, ids=lambda odd: odd.name)
def test_damage_is_refused_unless_the_picture_is_whole(tmp_path, odd):
    path = tmp_path / f"0001_c1s1_000001_00{odd.suffix}"
    path.write_bytes(odd.data)
    found = read(path)
    assert found is None or (np.abs(found.astype(int) - odd.right).max() <= odd.within)


def test_levels_of_sixteen_bits_are_all_there(tmp_path):
    """Case A: 256 grey levels times 257 come back as 256 levels."""
    from PIL import Image

    levels = np.arange(256, dtype=np.uint16).reshape(16, 16) * 257
    Image.fromarray(levels).save(tmp_path / "a.png")
    assert np.array_equal(read_pixels(tmp_path / "a.png", (16, 16))[0], levels // 257)


@pytest.mark.parametrize("odd", [odd for odd in WHOLE if odd.right is None][::7], ids=lambda odd: odd.name)
def test_a_set_with_an_image_that_is_refused_is_refused(tmp_path, odd):
    market(tmp_path)
    name = f"0001_c1s1_000777_00{odd.suffix}"
    (tmp_path / "query" / name).write_bytes(odd.data)
    for size in (None, (16, 8)):
        with pytest.raises(DatasetError, match=f"Cannot read the image .*{name}"):
            load_dataset(f"market1501:{tmp_path}", image_size=size)


def test_an_orientation_counts_for_the_common_size(tmp_path):
    from PIL import Image

    market(tmp_path)  # 16 × 8
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (16, 8)).save(tmp_path / "query" / "0001_c5s1_000777_00.jpg", exif=exif)
    assert load_dataset(f"market1501:{tmp_path}").image_size == (16, 8)


def thumbs(query):
    for name in ("Thumbs.db", ".DS_Store", "desktop.ini", "._0001_c1s1_000151_00.jpg", "notes.txt", "0001_c1s1_000151_00.heic"):
        (query / name).write_bytes(b"\0")


def folder_named_like_an_image(query):
    (query / "0001_c4s1_000151_00.jpg").mkdir()


def link_to_a_folder(query):
    (query / "0001_c4s1_000151_00.jpg").symlink_to(query)


@pytest.mark.parametrize(
    ("damage", "count"), [(thumbs, 6), (folder_named_like_an_image, 1), (link_to_a_folder, 1)], ids=["thumbs", "folder", "link"]
)
def test_what_is_no_image_is_left_out_counted_and_named(tmp_path, damage, count):
    market(tmp_path)
    before = load_dataset(f"market1501:{tmp_path}")
    assert before.left_out == ("bounding_box_test/Thumbs.db",)
    assert before.remarks == ("market1501: 1 file is left out that is no image: bounding_box_test/Thumbs.db",)
    damage(tmp_path / "query")
    after = load_dataset(f"market1501:{tmp_path}")
    assert after.fingerprint == before.fingerprint
    assert len(after.left_out) == count + 1
    remark, *others = after.remarks
    assert not others
    assert "\n" not in remark
    assert remark.startswith(f"market1501: {count + 1} files are left out that are no images: query/")


def dangling(query):
    (query / "0001_c4s1_000151_00.jpg").symlink_to(query / "gone.jpg")


def loop(query):
    (query / "0001_c4s1_000151_00.jpg").symlink_to(query / "0001_c4s1_000151_00.jpg")


def loop_of_two(query):
    (query / "0001_c4s1_000151_00.jpg").symlink_to(query / "0001_c4s1_000152_00.jpg")
    (query / "0001_c4s1_000152_00.jpg").symlink_to(query / "0001_c4s1_000151_00.jpg")


def pipe(query):
    os.mkfifo(query / "0001_c4s1_000151_00.jpg")


def empty(query):
    (query / "0001_c4s1_000151_00.jpg").touch()


@pytest.mark.parametrize("damage", [dangling, loop, loop_of_two, pipe, empty], ids=lambda damage: damage.__name__)
def test_what_should_be_an_image_and_is_none_is_named(tmp_path, damage):
    damage(market(tmp_path) / "query")
    with pytest.raises(DatasetError, match=r"Cannot read the image .*0001_c4s1_00015\d_00.jpg"):
        load_dataset(f"market1501:{tmp_path}")


@pytest.mark.parametrize(
    "name",
    [
        "0001_c4s1_000151_00 (copy 2).jpg", "0001_c4s1_人物 é.png", "0001_c4s1_000151_00.v2.PNG", "1_c4_x.Jpeg",
        "000000001_c04s11_x.bmp", "0001_c4s1_a\nb.png", "0001_c4s1_\x1b[31m.png", "0001_c4s1_\udcff\udcfe.png",
        "0001_c4s1_" + "x" * 230 + ".png",
    ],
)  # fmt: skip
def test_names_of_any_letters(tmp_path, name):
    save(market(tmp_path) / "query" / "new.png", (9, 9, 9))
    (tmp_path / "query" / "new.png").rename(tmp_path / "query" / name)
    dataset = load_dataset(f"market1501:{tmp_path}")
    assert dataset.query.cameras.tolist().count(4) == 1
    place = dataset.query.cameras.tolist().index(4)
    assert (int(dataset.query.identities[place]), dataset.query.images[place].unique().tolist()) == (1, [9]) or "Jpeg" in name
    assert all(letter.isprintable() for letter in dataset.query.names[place])
    (tmp_path / "query" / name).write_bytes(b"")
    with pytest.raises(DatasetError) as caught:
        load_dataset(f"market1501:{tmp_path}")
    assert str(caught.value).encode("utf-8")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "name",
    ["portrait.jpg", "c1s1_000151_00.jpg", "-2_c1s1_000151_00.jpg", "0001_cXs1_000151.jpg", "٣_c1s1_00.jpg", "0001_c1.jpg"],
)
def test_names_that_say_no_person_are_named(tmp_path, name):
    save(market(tmp_path) / "query" / name, (0, 0, 0))
    with pytest.raises(DatasetError, match=f"Cannot read person and camera from .*{name}.*Rename or remove"):
        load_dataset(f"market1501:{tmp_path}")


@pytest.mark.parametrize("base", [2**63 - 2, 2**63, 10**19, 20240101000000000000, 10**80])
def test_identities_beyond_64_bits_are_numbered(tmp_path, base):
    for folder, people in (("bounding_box_train", (1, 9)), ("query", (3, 4)), ("bounding_box_test", (3, 4))):
        for person in people:
            for camera in (1, 2, 3):
                save(tmp_path / folder / f"{base + person}_c{camera}s1_000000_00.png", (person, camera, 0))
    save(tmp_path / "bounding_box_test" / "0000_c1s1_000000_00.png", (0, 0, 0))
    save(tmp_path / "bounding_box_test" / "-1_c1s1_000000_00.png", (0, 0, 0))
    dataset = load_dataset(f"market1501:{tmp_path}")
    assert dataset.train.identities.tolist() == [1, 1, 1, 4, 4, 4]
    assert dataset.query.identities.tolist() == [2, 2, 2, 3, 3, 3]
    assert sorted(dataset.gallery.identities.tolist()) == [-1, 0, 2, 2, 2, 3, 3, 3]
    assert dataset.query.names[0].startswith(str(base + 3))
    assert "identity numbers beyond 64 bits" in dataset.remarks[0]


def test_cameras_beyond_64_bits_are_numbered(tmp_path):
    market(tmp_path)
    save(tmp_path / "query" / f"0001_c{10**30}s1_000151_00.jpg", (0, 0, 0))
    dataset = load_dataset(f"market1501:{tmp_path}")
    assert sorted(dataset.query.cameras.unique().tolist()) == [1, 2, 3, 4]


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("{root}?pairing=", "must be cross_camera, same_camera or none, not ''"),
        ("{root}?pairing=same_cam", "did you mean 'same_camera'"),
        ("{root}?pairng=none", "has no option 'pairng'; did you mean 'pairing'"),
        ("{root}?labeled", "has no option 'labeled'; it has pairing="),
        ("{root}?pairing=none&pairing=none", "'pairing' of data set 'market1501' is given twice"),
        ("{root}?pairing=none&", "has no option ''"),
        ("?pairing=none", "needs a path: write market1501:PATH"),
        ("{root}/query/0001_c1s1_000151_00.jpg", "No such folder"),
        ("{root}/" + "x" * 3000, "No such folder"),
        ("{root}/\0", "No such folder"),
        ("~nobody-of-this-name/x", "cannot resolve ~nobody-of-this-name"),
    ],
)
def test_what_is_wrong_with_a_spec_is_said(tmp_path, spec, message):
    market(tmp_path)
    with pytest.raises(DatasetError, match=message):
        load_dataset("market1501:" + spec.format(root=tmp_path))


def test_a_folder_with_a_question_mark(tmp_path):
    root = market(tmp_path / "what?pairing=x")
    assert len(load_dataset(f"market1501:{root}").query) == 6
    assert load_dataset(f"market1501:{root}?pairing=none").pairing == "none"


def test_options_of_cuhk03(tmp_path):
    market(tmp_path / "detected")
    market(tmp_path / "labeled")
    save(tmp_path / "labeled" / "query" / "0009_c1_000001_01.png", (9, 9, 9))
    both = load_dataset(f"cuhk03:{tmp_path}?labeled&pairing=cross_camera")
    assert (len(both.query), both.pairing) == (7, "cross_camera")
    assert load_dataset(f"cuhk03:{tmp_path}?pairing=none").pairing == "none"
    with pytest.raises(DatasetError, match="'boxes' of data set 'cuhk03' is given twice"):
        load_dataset(f"cuhk03:{tmp_path}?labeled&detected")
