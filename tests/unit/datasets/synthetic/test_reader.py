"""The synthetic set: frozen pixels, what its card says, and its cache."""

import pytest
import torch

from hil.datasets.dataset import Dataset, load_dataset
from hil.datasets.synthetic import reader as synthetic
from hil.errors import DatasetError
from hil.goals.retrieval.tasks import make_tasks, positive_mask


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


def test_other_test_people_come_with_the_same_training_split(tmp_path, monkeypatch):
    monkeypatch.setenv("HIL_CACHE", str(tmp_path))
    monkeypatch.setattr(synthetic, "TRAIN_IDENTITIES", 6)  # the real 320 take seconds to draw
    more, usual = load_dataset("synthetic:tested=9"), synthetic.generate(6, 4)
    assert torch.equal(more.train.images[:], usual[0].images[:])
    assert len(make_tasks(more)) == 27
    assert not set(more.query.identities.tolist()) & set(more.train.identities.tolist())
    monkeypatch.setattr(synthetic, "TEST_IDENTITIES", 4)
    asked = load_dataset("synthetic:asked=4")
    assert torch.equal(asked.train.images[:], usual[0].images[:])
    tasks = make_tasks(asked, views=4)
    assert (len(tasks), tasks.dropped) == (4, 0)
    assert positive_mask(tasks, asked.gallery).any(1).all()


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


@pytest.mark.parametrize(
    "argument",
    ["identities=1", "identities=x", "identities=999", "people=5", "5", "tested=1", "tested=5001", "tested=", "asked=6"],
)
def test_synthetic_names_a_wrong_argument(argument):
    with pytest.raises(DatasetError, match=f"identities=N.*not '{argument}'"):
        load_dataset(f"synthetic:{argument}")
