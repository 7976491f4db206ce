"""Anybody's backbone: loaded by ``path.py:Class``, filled from published keys, frozen, in mixed precision."""

import pytest
import torch

from hil.errors import ConfigError, ModelError
from hil.models.backbones.foreign import load_weights
from hil.models.backbones.small import build_backbone
from hil.models.load import build_network, load_scheme
from hil.models.recipe import recipe_from_dict
from hil.models.training.train import train
from hil.models.weights import read_weights
from tests.unit.models.training import tiny

CODE = """
import torch
from torch import nn
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3)
        self.bn = nn.BatchNorm2d(8)
        self.classifier = nn.Linear(8, 751)
    def forward(self, images):
        return self.bn(self.conv(images)).mean((2, 3))
class Scores(Net):  # as torchreid's
    def forward(self, images):
        found = super().forward(images)
        return self.classifier(found) if self.training else found
"""


@pytest.fixture
def spec(tmp_path):
    (tmp_path / "net.py").write_text(CODE, encoding="utf-8")
    return f"{tmp_path / 'net.py'}:Net"


def saved(spec, path, **changes):
    state = build_backbone(spec, 8).state_dict() | changes
    torch.save({"state_dict": {f"module.{key}": value for key, value in state.items()}}, path)
    return state


def test_published_keys_load_but_for_the_class_head(spec, tmp_path):
    state = saved(spec, tmp_path / "w.pth", **{"classifier.weight": torch.zeros(10, 8)})
    backbone = build_backbone(spec, 8)
    load_weights(backbone, tmp_path / "w.pth")
    assert torch.equal(backbone.conv.weight, state["conv.weight"])
    assert backbone.classifier.weight.shape == (751, 8)
    saved(spec, tmp_path / "bad.pth", **{"conv.weight": torch.zeros(9, 3, 3, 3), "layer9.bias": torch.zeros(1)})
    with pytest.raises(ModelError, match=r"2 keys .*conv\.weight, layer9\.bias"):
        load_weights(backbone, tmp_path / "bad.pth")


def test_what_puts_out_class_scores_in_training_is_refused(spec):
    with pytest.raises(ConfigError, match=r"\[2, 751\] for 2 images in training, not \[2, 8\]"):
        build_network(tiny.baseline(backbone=spec.replace("Net", "Scores")))
    with pytest.raises(ConfigError, match=r"\[2, 8\] .* not \[2, 16\]"):
        build_network(tiny.baseline(backbone=spec, features=16))
    with pytest.raises(ConfigError, match="backbone must be of"):
        recipe_from_dict({"scheme": "baseline-single", "backbone": "no-such"}, "here")


def test_a_frozen_backbone_stays_and_the_rest_is_trained(spec, tmp_path):
    state = saved(spec, tmp_path / "w.pth")
    recipe = tiny.noma(backbone=spec, pretrained=str(tmp_path / "w.pth"), frozen=True, init=None)
    train(recipe, tiny.tiny(), tmp_path, device="cpu")
    tensors = read_weights(tmp_path / f"{recipe.name}.safetensors").tensors
    for key, value in state.items():
        if value.is_floating_point():
            assert torch.allclose(tensors[f"backbones.1.{key}"].float(), value, atol=1e-3), key  # float16 on disk
    assert load_scheme(str(tmp_path / f"{recipe.name}.safetensors"), []).plan.transmitters == 2


def test_mixed_precision_trains_to_finite_losses_near_those_of_float32(spec, tmp_path):
    losses = [
        train(tiny.baseline(backbone=spec, mixed_precision=mixed), tiny.tiny(), tmp_path / str(mixed), device="cpu")["loss"][
            "t1"
        ]
        for mixed in (True, False)
    ]
    assert losses[0] == pytest.approx(losses[1], rel=0.02)
    assert losses[0] != losses[1]
