"""Task networks: fixed batches, evaluation mode, and what is said of a network that gives something else."""

import pytest
import torch
from torch import nn

from hil.errors import ConfigError, ModelError
from hil.goals.network import NETWORK_BATCH, NetworkOptions, TaskNetwork
from hil.models.contract import Boxes, Features, Logits

IMAGES = torch.rand(NETWORK_BATCH + 5, 1, 3, 3, generator=torch.Generator().manual_seed(1))


class Seen(nn.Module):
    """Remembers the sizes of its batches; batch norm and dropout show which mode it is in."""

    def __init__(self):
        super().__init__()
        self.norm, self.drop, self.sizes = nn.BatchNorm2d(1), nn.Dropout(0.5), []

    def forward(self, images):
        self.sizes.append(len(images))
        return self.drop(self.norm(images)).flatten(1)


def test_batches_are_of_one_size_and_nothing_is_trained():
    module = Seen()
    network = TaskNetwork(module)
    found = network.logits(IMAGES)
    assert module.sizes == [NETWORK_BATCH, NETWORK_BATCH]
    assert not module.training
    assert not any(parameter.requires_grad for parameter in module.parameters())
    torch.testing.assert_close(found, IMAGES.flatten(1), rtol=1e-4, atol=1e-4)
    assert not found.requires_grad
    assert torch.equal(network.features(IMAGES[7:9]), network.features(IMAGES)[7:9])


def ragged(images):
    """One box more in a batch whose first pixel is bright."""
    count = 2 if images[0, 0, 0, 0] > 0.5 else 1
    shape = (len(images), count)
    return Boxes(
        boxes=images[:, 0, :1, :1, None].expand(-1, count, -1, 4).reshape(*shape, 4),
        scores=torch.full(shape, 0.5),
        labels=torch.ones(shape, dtype=torch.int64),
        erased=torch.zeros(len(images), dtype=torch.bool),
    )


def test_boxes_of_several_batches_are_filled_up():
    images = torch.zeros(NETWORK_BATCH + 1, 1, 2, 2)
    images[NETWORK_BATCH] = 1.0
    found = TaskNetwork(ragged).boxes(images)
    assert found.scores.shape == (NETWORK_BATCH + 1, 2)
    assert found.scores[0].tolist() == [0.5, 0.0]
    assert found.scores[-1].tolist() == [0.5, 0.5]


def test_typed_outputs_do_as_well():
    erased = torch.zeros(NETWORK_BATCH, dtype=torch.bool)
    logits = TaskNetwork(lambda images: Logits(logits=images.flatten(1), erased=erased)).logits(IMAGES)
    features = TaskNetwork(lambda images: Features(features=images.flatten(2), erased=erased)).features(IMAGES)
    assert torch.equal(logits, IMAGES.flatten(1))
    assert torch.equal(features, IMAGES.flatten(1))


@pytest.mark.parametrize(
    ("made", "ask", "message"),
    [
        (
            lambda images: images.flatten(1)[:3],
            "logits",
            r"finite logits \[64, …\], one row an image, not torch.float32 \[3, 9\]",
        ),
        (lambda images: images.flatten(1) / 0, "features", "not finite"),
        (lambda images: {"logits": images}, "logits", "one row an image, not dict"),
        (lambda images: images.flatten(1).argmax(1), "logits", r"not torch.int64 \[64\]"),
        (lambda images: images.flatten(1), "boxes", r"must give Boxes .* not torch.float32"),
    ],
)
def test_what_a_network_should_give_is_said(made, ask, message):
    with pytest.raises(ModelError, match=message):
        getattr(TaskNetwork(made, "mine.py:Net"), ask)(IMAGES + 0.1)


def test_it_is_loaded_from_a_file(tmp_path):
    (tmp_path / "nets.py").write_text(
        "class Sums:\n    def __call__(self, images):\n        return images.flatten(1)[:, :2]\n\nclass Silent:\n    pass\n"
    )
    network = NetworkOptions(task_network=f"{tmp_path}/nets.py:Sums").network()
    assert network.logits(IMAGES).shape == (len(IMAGES), 2)
    assert NetworkOptions().network() is None
    for spec, message in (
        ("resnet50", "must be path.py:Class, or .* by a recipe, not 'resnet50'"),
        ("deep-jscc", "by a recipe, not 'deep-jscc'"),
        (f"{tmp_path}/nets.py:Silent", "must be callable with images"),
        (f"{tmp_path}/nets.py:Other", "has no class 'Other'; it has: Silent, Sums"),
        (f"{tmp_path}/none.py:Net", "no such file"),
    ):
        with pytest.raises(ConfigError, match=message):
            NetworkOptions(task_network=spec).network()
