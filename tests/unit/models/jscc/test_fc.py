"""JSCC-FC: the layer's output, normalised, is what is sent and what is searched for."""

import pytest
import torch

from hil.errors import ConfigError, ShapeError
from hil.models.contract import Received
from hil.models.load import build_network
from hil.models.recipe import Recipe
from tests.unit.models.networks import SIZE, clean, network, views_of


def test_what_is_received_is_the_feature():
    scheme = network("jscc-fc", uses=10)
    views = views_of(scheme, 4)
    sent = scheme.encode(views).symbols
    torch.testing.assert_close(sent.abs().square().sum(-1), torch.full((1, 4), 10.0))
    layer = scheme.encoders[0](scheme.extract(views)[:, 0])
    expected = layer / layer.norm(dim=1, keepdim=True) * 10**0.5
    out = scheme.decode(clean(scheme, sent))
    torch.testing.assert_close(out.features[:, 0], expected)
    torch.testing.assert_close(scheme.embed(views[:, 0])[0], expected)
    assert torch.equal(scheme.embed(views[:, 0]), scheme.embed(views[:, 0], "raw"))
    noisy = sent + 0.1
    torch.testing.assert_close(scheme.decode(clean(scheme, noisy)).features[:, 0], torch.cat([noisy[0].real, noisy[0].imag], 1))
    assert scheme.embed(torch.zeros(0, 3, *SIZE)).shape == (1, 0, 20)


def test_wrong_sizes_are_named():
    scheme = network("jscc-fc", uses=10)
    with pytest.raises(ConfigError, match="uses must be at least 1"):
        build_network(Recipe(name="none", scheme="jscc-fc", uses=0))
    short = Received.for_plan(
        scheme.plan, symbols=torch.zeros(2, 9, dtype=torch.complex64), valid=torch.ones(2, 9).bool(), noise_var=torch.ones(1, 1)
    )
    with pytest.raises(ShapeError, match=r"\[task, 10\]"):
        scheme.decode({"rx": short})
    with pytest.raises(ShapeError, match="'rx'"):
        scheme.decode({"eve": short})
