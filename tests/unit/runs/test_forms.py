"""At which size and in how many channels schemes see the pictures, and what is refused or said of that."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch

from hil.datasets.dataset import Dataset, Split, _in_channels
from hil.datasets.images import LazyImages, equal_channels
from hil.datasets.raw import sized
from hil.errors import ConfigError, DatasetError, ModelError, ShapeError
from hil.goals.network import TaskNetwork
from hil.models.branches import check_images
from hil.models.load import build_network
from hil.models.recipe import Recipe
from hil.models.training.train import examples_of
from hil.runs.forms import check_alike, forms_of, said_of_sizes
from tests.unit.runs.test_work import Scheme


def pictures(channels, count=4):
    images = torch.arange(count * channels * 64, dtype=torch.uint8).reshape(count, channels, 8, 8)
    split = Split(images=images, names=tuple(map(str, range(count))), labels={"class": torch.arange(count) % 2})
    return Dataset(name="mine", train=split, test=split)


class Lazy(LazyImages):
    def __init__(self, images):
        super().__init__(tuple(images.shape))
        self.images = images

    def read(self, index):
        return self.images[index]

    @property
    def identity(self):
        return "mine"


def test_grey_pictures_are_three_equal_channels_where_three_are_taken():
    grey = pictures(1)
    found = _in_channels(grey, 3)
    assert found.channels == 3
    assert torch.equal(found.test.float_images(), grey.test.float_images().repeat(1, 3, 1, 1))
    assert found.remarks == ("mine: grey pictures, sent as three equal channels",)
    assert found.fingerprint != grey.fingerprint
    assert _in_channels(grey, None) is _in_channels(grey, 1) is grey  # who takes one channel, or any, gets one


def test_so_are_those_that_are_read_when_asked_for():
    grey = pictures(1).test.images
    lazy = equal_channels(Lazy(grey), 3)
    assert lazy.shape == (4, 3, 8, 8)
    assert torch.equal(lazy[torch.tensor([2, 0])], grey[[2, 0]].repeat(1, 3, 1, 1))
    assert lazy.identity != "mine"


def test_other_channels_are_refused_by_number():
    with pytest.raises(DatasetError, match="pictures of 2 channels, and 3 are wanted"):
        _in_channels(pictures(2), 3)
    network = build_network(Recipe(scheme="image-classifier", image_size=(8, 8)))
    with pytest.raises(ModelError, match="takes pictures of 3 channels, and the data set's have 1"):
        check_images(network, pictures(1).train.images)
    with pytest.raises(ShapeError, match="must have 3 channels"):
        network.check_views(torch.zeros(1, 1, 1, 8, 8), 1)
    with pytest.raises(DatasetError, match="takes pictures of 3 channels, and data set 'mine' has 1"):
        examples_of(network.recipe, pictures(1))
    with pytest.raises(ModelError, match="takes images of 3 channels, or grey ones, and not of 2"):
        TaskNetwork(network).logits(torch.zeros(1, 2, 8, 8))


def test_a_task_network_sees_grey_as_equal_channels():
    torch.manual_seed(1)
    network = TaskNetwork(build_network(Recipe(scheme="image-classifier", image_size=(8, 8))))
    grey = torch.rand(3, 1, 8, 8)
    assert torch.equal(network.logits(grey), network.logits(grey.repeat(1, 3, 1, 1)))


def test_pictures_of_one_run_have_one_size():
    """Who takes any size is given that of the others; features are not compared with pictures."""
    any_size, features = Scheme("any", outputs="images"), Scheme("features", size=(64, 32))
    small, large = Scheme("small", outputs="images", size=(32, 32)), Scheme("large", outputs="images", size=(64, 64))

    def sizes(*schemes):
        return [form.image_size for form in forms_of({one.card.name: one for one in schemes}).values()]

    assert sizes(any_size) == [None]
    assert sizes(any_size, small) == [(32, 32), (32, 32)]
    assert sizes(any_size, features) == [None, (64, 32)]
    assert sizes(any_size, small, large) == [None, (32, 32), (64, 64)]


def test_different_sizes_under_one_goal_are_refused():
    def sent(size, needs="images"):
        goal = SimpleNamespace(name="image", needs=needs)
        return SimpleNamespace(goals={"image": goal}, dataset=SimpleNamespace(image_size=size))

    check_alike({"a": sent((8, 8)), "b": sent((8, 8))})
    check_alike({"a": sent((8, 8), "logits"), "b": sent((16, 8), "logits")})
    with pytest.raises(ConfigError, match=r"goal 'image' would compare .*'a' sends 8×8, 'b' sends 16×8"):
        check_alike({"a": sent((8, 8)), "b": sent((16, 8))})


def test_what_is_not_sent_whole_is_said():
    assert said_of_sizes(pictures(3)) == []
    small = sized(pictures(3), (4, 4))
    assert said_of_sizes(small)[0].startswith("mine: pictures of 8×8 are brought to 4×4, which is what is sent and judged")
    assert "8×8 (and other sizes)" in said_of_sizes(replace(small, sizes_before=((8, 8), (9, 9))))[0]
