"""The JSCC schemes: who sends where, what each decoder reads, and what stands for a gallery image."""

import pytest
import torch

from hil.errors import ConfigError, ShapeError
from hil.models.contract import Embeds, Received, Scheme
from hil.models.load import build_network
from hil.models.recipe import Recipe
from tests.unit.models.networks import SIZE, clean, network, views_of

JSCC = ["jscc-single", "jscc-oma", "jscc-noma"]


@pytest.mark.parametrize(("name", "per_transmitter"), [("jscc-single", [64]), ("jscc-oma", [32, 32]), ("jscc-noma", [64, 64])])
def test_every_scheme_sends_unit_power_on_its_own_uses(name, per_transmitter):
    scheme = network(name)
    assert isinstance(scheme, Scheme)
    assert isinstance(scheme, Embeds)
    sent = scheme.encode(views_of(scheme, 4)).symbols
    assert sent.dtype == torch.complex64
    assert sent.shape == (len(per_transmitter), 4, 64)
    assert scheme.plan.occupied.sum(1).tolist() == per_transmitter
    energy = sent.abs().square().sum(-1)
    torch.testing.assert_close(energy, torch.tensor(per_transmitter)[:, None].expand(-1, 4).float(), rtol=1e-4, atol=1e-4)
    silent = ~scheme.plan.occupied[:, None].expand_as(sent)
    assert bool((sent[silent] == 0).all())


def test_oma_gives_each_transmitter_one_half_and_each_decoder_reads_its_own():
    scheme = network("jscc-oma")
    assert scheme.plan.occupied[0].tolist() == [True] * 32 + [False] * 32
    assert scheme.plan.occupied[1].tolist() == [False] * 32 + [True] * 32
    symbols = scheme.encode(views_of(scheme, 3)).symbols
    whole = scheme.decode(clean(scheme, symbols)).features
    other = symbols.clone()
    other[1] *= -1  # what transmitter 1 sends does not touch the first decoder
    changed = scheme.decode(clean(scheme, other)).features
    assert torch.equal(whole[:, 0], changed[:, 0])
    assert not torch.allclose(whole[:, 1], changed[:, 1])


def test_noma_feeds_the_sum_to_both_decoders():
    scheme = network("jscc-noma")
    symbols = scheme.encode(views_of(scheme, 3)).symbols
    decoded = scheme.decode(clean(scheme, symbols)).features
    swapped = scheme.decode(clean(scheme, symbols.flip(0))).features
    assert torch.equal(decoded, swapped)  # the sum does not tell who sent what
    expected = torch.stack([decoder(symbols[0] + symbols[1]) for decoder in scheme.decoders], dim=1)
    torch.testing.assert_close(decoded, expected)


@pytest.mark.parametrize("name", JSCC)
def test_reconstructed_gallery_is_the_noiseless_decode_of_the_image_in_all_branches(name):
    scheme = network(name)
    images = torch.rand(5, 3, *SIZE)
    views = images[:, None].expand(-1, scheme.plan.transmitters, -1, -1, -1)
    decoded = scheme.decode(clean(scheme, scheme.encode(views).symbols)).features
    gallery = scheme.embed(images)
    assert gallery.shape == (scheme.plan.transmitters, 5, 16)
    torch.testing.assert_close(gallery, decoded.transpose(0, 1), rtol=1e-4, atol=1e-4)


def test_raw_gallery_is_the_backbones_feature():
    scheme = network("jscc-noma")
    images = torch.rand(3, 3, *SIZE)
    expected = torch.stack([backbone(images) for backbone in scheme.backbones])
    torch.testing.assert_close(scheme.embed(images, "raw"), expected, rtol=1e-4, atol=1e-4)
    with pytest.raises(ConfigError, match="reconstructed, raw"):
        scheme.embed(images, "cooked")


def test_inference_repeats_to_the_bit_and_the_gallery_whatever_follows():
    scheme = network("jscc-oma")
    views = views_of(scheme, 8)
    first = scheme.encode(views).symbols
    assert torch.equal(first, scheme.encode(views).symbols)
    assert torch.equal(scheme.decode(clean(scheme, first)).features, scheme.decode(clean(scheme, first)).features)
    images = torch.rand(130, 3, *SIZE)
    assert torch.equal(scheme.embed(images)[:, :7], scheme.embed(images[:7]))
    state = {key: value.clone() for key, value in scheme.state_dict().items()}
    scheme.encode(views_of(scheme, 8, seed=1))
    assert all(torch.equal(value, scheme.state_dict()[key]) for key, value in state.items())  # statistics stand still


def test_a_lost_task_is_erased_and_wrong_shapes_are_named():
    scheme = network("jscc-single")
    symbols = scheme.encode(views_of(scheme, 2)).symbols.sum(0)
    valid = torch.tensor([[True] * 64, [False] * 64])

    def received(uses: int) -> Received:
        noise_var = torch.ones(1, 1)
        return Received.for_plan(scheme.plan, symbols=symbols[:, :uses], valid=valid[:, :uses], noise_var=noise_var)

    assert scheme.decode({"rx": received(64)}).erased.tolist() == [False, True]
    with pytest.raises(ShapeError, match=r"\[task, 64\]"):
        scheme.decode({"rx": received(32)})
    with pytest.raises(ShapeError, match="'rx'"):
        scheme.decode({"eve": received(64)})
    with pytest.raises(ShapeError, match="image_size"):
        scheme.encode(torch.rand(2, 1, 3, 32, 32))
    with pytest.raises(ConfigError, match="multiple of 2"):
        build_network(Recipe(name="odd", scheme="jscc-oma", uses=63))
