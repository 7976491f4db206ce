"""Deep JSCC of images: any number of uses, power of each image, what a told SNR changes, other sizes, GDN."""

import pytest
import torch

from hil.errors import ConfigError, ShapeError
from hil.models.contract import Received
from hil.models.image.layers import ChannelAttention, Gdn
from hil.models.image.schemes import resized
from hil.models.load import build_network
from hil.models.recipe import Recipe


def codec(scheme="deep-jscc", **changes):
    torch.manual_seed(3)
    settings = {"image_size": (16, 16), "uses": 40, **changes}
    return build_network(Recipe(name="tiny", scheme=scheme, **settings)).eval()


def pictures(count, size=(16, 16)):
    return torch.rand(count, 1, 3, *size, generator=torch.Generator().manual_seed(0))


def clean(network, symbols, snr_db=90.0):
    return Received.for_plan(network.plan, symbols=symbols[0], noise_var=torch.full((1, 1), 10 ** (-snr_db / 10)))


@pytest.mark.parametrize("uses", [1, 7, 8, 37, 200])
@pytest.mark.parametrize("activation", ["prelu", "gdn"])
def test_any_number_of_uses_with_the_power_of_each_image_met(uses, activation):
    network = codec(uses=uses, activation=activation)
    assert network.maps == -(-2 * uses // 16)
    assert network.ratio == pytest.approx(uses / 768)
    with torch.no_grad():
        sent = network.encode(pictures(5) * torch.tensor([0.01, 0.1, 0.5, 1, 1])[:, None, None, None, None])
        images = network.decode({"rx": clean(network, sent.symbols)}).images
    assert sent.symbols.shape == (1, 5, uses)
    assert torch.allclose(sent.symbols.abs().square().mean(2), torch.ones(1, 5), atol=1e-5)
    assert images.shape == (5, 1, 3, 16, 16)
    assert bool(((images >= 0) & (images <= 1)).all())


def test_what_is_sent_is_put_back_in_its_place():
    """The decoder's latent is the encoder's, but for its scale; what was not sent is zero."""
    network = codec(uses=37)
    seen = []
    network.decoder.register_forward_pre_hook(lambda module, given: seen.append(given[0]))
    with torch.no_grad():
        latent = network.encoder(pictures(2)[:, 0]).flatten(1)
        network.demodulate(clean(network, network.modulate(pictures(2)[:, 0])))
    sent = seen[0].flatten(1)
    assert torch.equal(sent[:, 74:], torch.zeros(2, 80 - 74))
    scale = (sent[:, :74] * latent[:, :74]).sum(1) / latent[:, :74].square().sum(1)
    assert torch.allclose(sent[:, :74], scale[:, None] * latent[:, :74], atol=1e-5)


def test_a_told_snr_reaches_both_sides_and_a_blind_scheme_asks_for_none():
    blind, aware = codec(), codec("deep-jscc-aware", snr_db_train={"low": 0, "high": 20})
    assert (blind.plan.tx_csi, blind.plan.rx_csi, aware.plan.tx_csi, aware.plan.rx_csi) == ("none", "none", "snr", "snr")
    views = pictures(3)
    with torch.no_grad():
        low, high, higher = (aware.encode(views, torch.full((3, 1), snr)).symbols for snr in (0.0, 20.0, 40.0))
        assert not torch.allclose(low, high)
        assert torch.equal(high, higher)  # it is told none that it was not trained for
        one, other = (aware.demodulate(clean(aware, low, snr)) for snr in (0.0, 20.0))
    assert not torch.allclose(one, other)
    told = torch.zeros(3, 1, requires_grad=True)
    aware.encoder(views[:, 0], told).sum().backward()
    assert bool((told.grad != 0).all())


def test_masks_of_one_make_the_plain_network(monkeypatch):
    aware, blind = codec("deep-jscc-aware"), codec()
    blind.load_state_dict({key: value for key, value in aware.state_dict().items() if ".attention." not in key})
    monkeypatch.setattr(ChannelAttention, "forward", lambda self, features, told: features)
    views = pictures(3)
    with torch.no_grad():
        assert torch.allclose(aware.encode(views, torch.zeros(3, 1)).symbols, blind.encode(views).symbols, atol=1e-6)


def test_the_same_weights_serve_other_sizes_at_the_same_ratio():
    small = codec(image_size=(16, 64), uses=160)
    large = resized(small, (16, 128))
    assert large.ratio == small.ratio
    assert large.card.image_size == (16, 128)
    wide = pictures(1, (16, 128))[:, 0]
    with torch.no_grad():
        latents = small.encoder(wide[..., :64]), large.encoder(wide)
    assert torch.allclose(latents[0][..., 2], latents[1][..., 2], atol=1e-5)  # away from the right edge
    with pytest.raises(ConfigError, match="whole maps"):
        resized(codec(uses=37), (16, 64))


@pytest.mark.parametrize(("changes", "words"), [({"image_size": (16, 18)}, "multiples of 4"), ({"uses": 0}, "at least 1")])
def test_sizes_that_cannot_be_are_refused(changes, words):
    with pytest.raises(ConfigError, match=words):
        codec(**changes)


def test_grey_pictures_and_other_sizes_are_refused():
    with pytest.raises(ShapeError, match=r"3 channels .*, not 1; load the data set with channels=3"):
        codec().encode(torch.rand(2, 1, 1, 16, 16))
    with pytest.raises(ShapeError, match="image_size"):
        codec().encode(torch.rand(2, 1, 3, 16, 20))
    with pytest.raises(ShapeError, match="40"):
        codec().decode({"rx": clean(codec(uses=41), torch.ones(1, 2, 41, dtype=torch.complex64))})


def test_gdn_is_its_formula():
    layer = Gdn(2)
    with torch.no_grad():
        layer.beta.copy_(torch.tensor([1.0, 4.0]))
        layer.gamma.copy_(torch.tensor([[0.5, 2.0], [0.0, 3.0]]))
        x = torch.tensor([2.0, -1.0]).view(1, 2, 1, 1)
        expected = torch.tensor([2 / (1 + 0.5 * 4 + 2) ** 0.5, -1 / (4 + 3) ** 0.5])
        assert torch.allclose(layer(x).flatten(), expected, atol=1e-5)
        layer.inverse = True
        assert torch.allclose(layer(x).flatten(), torch.tensor([2 * 5**0.5, -(7**0.5)]), atol=1e-4)
