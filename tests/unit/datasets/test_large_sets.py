"""Sets that do not fit into memory: read when asked for, the same to the bit as those that do."""

import os
from types import SimpleNamespace

import pytest
import torch

from hil.datasets import dataset as dataset_module
from hil.datasets import folder, images
from hil.datasets.dataset import Dataset, load_dataset
from hil.datasets.images import FileImages, JoinedImages, LazyImages, PickedImages, batches, held
from hil.errors import DatasetError
from hil.models.training import examples
from hil.models.training.train import train
from tests.unit.datasets.trees import market, save, two_cameras
from tests.unit.models.training.tiny import SIZE, recipe, stage


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("HIL_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def large(monkeypatch):
    """Makes every set a large one."""
    monkeypatch.setattr(folder, "IN_MEMORY_BYTES", 0)
    monkeypatch.setattr(images, "BATCH_BYTES", 3000)


@pytest.fixture
def no_decoding(monkeypatch):
    def never(*_, **__):
        raise AssertionError("an image was decoded")

    def forbid():
        monkeypatch.setattr(images, "read_pixels", never)
        monkeypatch.setattr(folder, "image_size_of", never)

    return forbid


def test_a_large_set_is_the_small_one_read_when_asked_for(tmp_path, request):
    spec = f"market1501:{market(tmp_path / 'set')}"
    small = load_dataset(spec)
    request.getfixturevalue("large")
    lazy = load_dataset(spec)
    assert isinstance(small.gallery.images, torch.Tensor)
    assert lazy.fingerprint == small.fingerprint
    for name, split in lazy.splits.items():
        ours, theirs = split.images, small.split(name).images
        assert isinstance(ours, FileImages)
        assert (ours.shape, ours.dtype, ours.ndim, len(ours)) == (tuple(theirs.shape), torch.uint8, 4, len(theirs))
        assert torch.equal(ours[:], theirs)
        assert torch.equal(split.float_images(), small.split(name).float_images())
        assert torch.equal(torch.cat(list(batches(ours))), theirs)
        assert torch.equal(split.identities, small.split(name).identities)
    assert load_dataset(spec, image_size=(32, 16)).fingerprint != small.fingerprint


INDICES = {
    "number": 2,
    "last": -1,
    "slice": slice(1, 5, 2),
    "backwards": torch.arange(4).flip(0),
    "repeated": torch.tensor([3, 3, 0]),
    "table": torch.tensor([[0, 1], [4, 2]]),
    "list": [1, 0],
    "mask": torch.arange(6) % 2 == 0,
    "none": torch.zeros(0, dtype=torch.int64),
    "pixel": (3, slice(None), 2, 1),
    "channel": (slice(0, 3), 1),
    "corner": (torch.tensor([1, 4]), slice(None), slice(2), slice(3)),
}


@pytest.mark.parametrize("index", INDICES.values(), ids=INDICES)
def test_indexing_is_a_tensors(tmp_path, large, index):
    query = load_dataset(f"market1501:{market(tmp_path / 'set')}").query.images
    whole = query[:]
    kinds = (query, JoinedImages([whole[:2], whole[2:]]), PickedImages(JoinedImages([query, query]), torch.arange(6) + 6))
    for kind in kinds:
        assert isinstance(kind, LazyImages)
        assert torch.equal(kind[index], whole[index])
    with pytest.raises(IndexError):
        query[6]


def test_what_is_picked_and_joined_stays_lazy_and_has_a_fingerprint(tmp_path, large):
    lazy = load_dataset(f"market1501:{market(tmp_path / 'set')}")
    some = lazy.query.pick(torch.tensor([5, 0, 0]))
    both = lazy.split("query+gallery")
    for split in (some, both):
        assert isinstance(split.images, LazyImages)
    assert torch.equal(some.images[:], lazy.query.images[:][[5, 0, 0]])
    assert len(both) == 15
    assert torch.equal(
        both.images[[6, 0, 14]], torch.stack([lazy.gallery.images[0], lazy.query.images[0], lazy.gallery.images[8]])
    )
    assert both.identities.tolist() == lazy.query.identities.tolist() + lazy.gallery.identities.tolist()
    other = Dataset(name="some", train=lazy.train, query=some, gallery=both)
    held_all = Dataset(**{name: held_split(split) for name, split in other.splits.items()}, name="held")
    assert other.fingerprint == held_all.fingerprint != lazy.fingerprint
    assert held(some.images, 10) is some.images


def held_split(split):
    return dataset_module.Split(images=held(split.images, 1 << 30), names=split.names, labels=split.labels)


def test_the_second_start_decodes_nothing(tmp_path, large, no_decoding):
    spec = f"market1501:{market(tmp_path / 'set')}"
    first = [load_dataset(spec, image_size=size).fingerprint for size in (None, (20, 10))]
    no_decoding()
    assert [load_dataset(spec, image_size=size).fingerprint for size in (None, (20, 10))] == first
    with pytest.raises(AssertionError, match="an image was decoded"):
        load_dataset(spec, image_size=(21, 10))


def test_without_a_place_for_a_cache_it_is_read_again(tmp_path, large, monkeypatch):
    spec = f"market1501:{market(tmp_path / 'set')}"
    first = load_dataset(spec).fingerprint
    (tmp_path / "file").touch()
    monkeypatch.setenv("HIL_CACHE", str(tmp_path / "file"))
    assert load_dataset(spec).fingerprint == first


def test_an_image_that_was_changed_is_noticed_whatever_its_date(tmp_path, large):
    root = market(tmp_path / "set")
    first = load_dataset(f"market1501:{root}")
    path = root / "bounding_box_test" / "0001_c1s2_000300_01.png"
    before, kept = path.stat(), path.read_bytes()
    save(path, (1, 1, 1))
    assert len(path.read_bytes()) == len(kept)  # the same size
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))  # and the same date
    with pytest.raises(DatasetError, match=r"0001_c1s2_000300_01.png: it was changed while it was in use; start again"):
        first.gallery.images[:]
    assert load_dataset(f"market1501:{root}").fingerprint != first.fingerprint
    path.write_bytes(kept)
    assert load_dataset(f"market1501:{root}").fingerprint == first.fingerprint


def test_labels_count_for_the_fingerprint(tmp_path, large):
    root = market(tmp_path / "set")
    first = load_dataset(f"market1501:{root}").fingerprint
    path = root / "query" / "0001_c1s1_000151_00.jpg"
    path.rename(path.with_name("0001_c6s1_000151_00.jpg"))
    assert load_dataset(f"market1501:{root}").fingerprint != first


@pytest.mark.parametrize("size", [None, (16, 8)])
def test_a_damaged_image_is_found_at_the_start(tmp_path, large, size):
    root = market(tmp_path / "set")
    path = root / "bounding_box_train" / "0002_c1s1_000151_01.jpg"
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(DatasetError, match=r"Cannot read the image .*0002_c1s1_000151_01\.jpg"):
        load_dataset(f"market1501:{root}", image_size=size)


def test_training_is_the_same_to_the_bit(tmp_path, large, monkeypatch):
    """Held in memory, held of a large set, and read batch by batch."""
    root = two_cameras(tmp_path / "set", shots=2, people=6)
    whole = recipe("own", "jscc-oma", t1=stage("cross_entropy", 1), t2=stage("mse", 1), t3=stage("cross_entropy", 1))
    lazy = load_dataset(f"market1501:{root}", image_size=SIZE)
    known = SimpleNamespace(name="set", fingerprint="f00d", pairing=lazy.pairing)
    sums = []
    for split, most in ((held_split(lazy.train), 1 << 30), (lazy.train, 1 << 30), (lazy.train, 0)):
        monkeypatch.setattr(examples, "HELD_BYTES", most)
        data = SimpleNamespace(**vars(known), train=split)
        sums.append(train(whole, data, tmp_path / str(len(sums)), device="cpu")["sha256"])
    assert sums == sums[:1] * 3
