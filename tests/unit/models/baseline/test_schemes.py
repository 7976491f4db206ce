"""The noiseless references: no symbols; the features come back beside the air."""

import pytest
import torch

from hil.errors import ModelError
from tests.unit.models.networks import SIZE, network, views_of


@pytest.mark.parametrize("name", ["baseline-single", "baseline-pair"])
def test_baselines_send_nothing_and_give_the_features_back(name):
    scheme = network(name)
    views = views_of(scheme, 4)
    sent = scheme.encode(views)
    assert sent.symbols.shape == (scheme.plan.transmitters, 4, 0)
    features = scheme.decode({}, side=sent.side).features
    torch.testing.assert_close(features, scheme.extract(views))
    images = torch.rand(3, 3, *SIZE)
    raw = scheme.embed(images, "raw")
    assert torch.equal(raw, scheme.embed(images))  # no channel, so both galleries are the same
    torch.testing.assert_close(raw, torch.stack([backbone(images) for backbone in scheme.backbones]))
    assert (scheme.card.kind, scheme.card.snr_train_db) == ("bound", "noiseless")
    with pytest.raises(ModelError, match="side"):
        scheme.decode({})
