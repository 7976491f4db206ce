"""Attention-feature modules: the closed form, and what a network with them does of the channel's state."""

import pytest
import torch

from hil.models.contract import Received
from hil.models.jscc.attention import AttentionFeature
from hil.models.training.awgn import receive_awgn
from tests.unit.models.networks import network, views_of

AWARE = {"jscc-single-aware": "jscc-single", "jscc-oma-aware": "jscc-oma", "jscc-noma-aware": "jscc-noma"}
FADING = {"jscc-single-csir": "jscc-single", "jscc-oma-csir": "jscc-oma", "jscc-noma-csir": "jscc-noma"}


def modules(scheme):
    return [module for module in scheme.modules() if isinstance(module, AttentionFeature)]


def opened(scheme):
    """The same scheme with every mask forced to 1: σ(50) is 1 in float32."""
    for module in modules(scheme):
        torch.nn.init.zeros_(module.factor.weight)
        torch.nn.init.constant_(module.factor.bias, 50.0)
    return scheme


def received(scheme, symbols, snr_db, channel=None):
    return {"rx": receive_awgn(scheme.plan, symbols, snr_db, torch.Generator().manual_seed(4), channel=channel)}


def told(scheme, tasks, snr_db):
    return torch.full((tasks, scheme.plan.transmitters), snr_db) if scheme.plan.tx_csi == "snr" else None


def test_the_mask_is_what_the_paper_says():
    torch.manual_seed(0)
    module = AttentionFeature(width=6, csi=2)
    features, csi = torch.randn(5, 6), torch.randn(5, 2)
    hidden = torch.relu(torch.cat([features, csi], 1) @ module.context.weight.T + module.context.bias)
    logits = hidden @ module.factor.weight.T + module.factor.bias
    torch.testing.assert_close(module(features, csi), features / (1 + torch.exp(-logits)))
    assert not torch.equal(module.mask(features, csi), module.mask(features, csi + 1))


@pytest.mark.parametrize("name", [*AWARE, *FADING])
def test_masks_of_one_make_the_plain_network(name):
    plain_name = (AWARE | FADING)[name]
    aware, plain = opened(network(name)), network(plain_name)
    plain.load_state_dict({key: value for key, value in aware.state_dict().items() if ".attention." not in key})
    views = views_of(plain, 4)
    symbols = aware.encode(views, told(aware, 4, 3.0)).symbols
    torch.testing.assert_close(symbols, plain.encode(views).symbols, atol=1e-6, rtol=0)
    found, expected = [one.decode(received(one, symbols, 3.0)).features for one in (aware, plain)]
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=1e-6)


def test_modules_stand_on_the_sides_that_know_the_channel():
    both, decoder_only = network("jscc-noma-aware"), network("jscc-noma-csir")
    assert (both.plan.tx_csi, both.plan.rx_csi) == ("snr", "snr")
    assert (decoder_only.plan.tx_csi, decoder_only.plan.rx_csi) == ("none", "channel")
    assert [len(coder.attention) for coder in (*both.encoders, *both.decoders)] == [4, 4, 4, 4]
    assert [len(coder.attention) for coder in (*decoder_only.encoders, *decoder_only.decoders)] == [0, 0, 4, 4]
    assert decoder_only.decoders[0].attention[0].context.in_features == 128 + 1 + 2 * 3  # SNR; Re, Im, |h| of both links
    assert network("jscc-oma-csir").decoders[0].attention[0].context.in_features == 64 + 1 + 3  # of its own link


@pytest.mark.parametrize("name", list(AWARE))
def test_an_aware_network_hears_the_snr_and_none_outside_its_training(name):
    scheme = network(name, snr_db_train={"low": -6.0, "high": 18.0})
    views = views_of(scheme, 3)
    sent = {snr: scheme.encode(views, told(scheme, 3, snr)).symbols for snr in (-20.0, -6.0, 5.0, 18.0, 90.0)}
    assert torch.equal(sent[-20.0], sent[-6.0])
    assert torch.equal(sent[90.0], sent[18.0])
    assert not torch.allclose(sent[-6.0], sent[5.0])
    assert torch.equal(scheme.encode(views).symbols, sent[18.0])  # not told: as good as it gets

    def decoded(noise_var):
        symbols = sent[5.0].sum(0)
        return scheme.decode(
            {"rx": Received.for_plan(scheme.plan, symbols=symbols, noise_var=torch.full((1, 1), noise_var))}
        ).features

    assert not torch.allclose(decoded(1.0), decoded(0.1))
    assert torch.equal(decoded(1e-9), decoded(1e-3))


def test_gradients_reach_the_state_of_the_channel():
    torch.manual_seed(1)
    module = AttentionFeature(width=8, csi=4)
    csi = torch.randn(3, 4, requires_grad=True)
    module(torch.randn(3, 8), csi).square().sum().backward()
    assert csi.grad is not None
    assert bool((csi.grad != 0).any(1).all())
    scheme = network("jscc-noma-csir")
    symbols = scheme.encode(views_of(scheme, 2)).symbols
    gains = torch.randn(2, 2, 1, dtype=torch.complex64).requires_grad_()
    one = Received.for_plan(scheme.plan, symbols=symbols.sum(0), noise_var=torch.ones(1, 1), channel=gains)
    scheme.demodulate(one).square().sum().backward()
    assert bool((gains.grad.abs() > 0).all())
