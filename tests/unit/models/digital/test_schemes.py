"""The digital schemes: messages, codewords, outages, and what stands for a gallery image."""

import pytest
import torch

from hil.errors import ConfigError, ModelError
from hil.models.contract import CountsBits, Received
from hil.models.digital.capacity import minimum_snr_db
from hil.models.digital.schemes import CRC_BITS
from hil.models.load import build_network
from hil.models.recipe import Recipe
from tests.unit.models.networks import SIZE, network

DIGITAL = ["digital-single", "digital-pair", "digital-pair-oma"]


def scenes(scheme, tasks, seed=0):
    """Views that differ, float32 [task, tx, C, H, W]: coarse patches of colour."""
    patches = torch.rand(tasks, scheme.plan.transmitters, 3, 4, 2, generator=torch.Generator().manual_seed(seed))
    return patches.repeat_interleave(SIZE[0] // 4, -2).repeat_interleave(SIZE[1] // 2, -1)


def fitted(name, **changes):
    """A network whose latents spread over several integers, and whose densities have learned them."""
    scheme = network(name, **{"latent": 12, "uses": 16, **changes})
    with torch.no_grad():
        features = scheme.extract(scenes(scheme, 96, seed=5))
        before = scheme.compress(features)
        for index, encoder in enumerate(scheme.encoders):
            spread = before[:, index].std(0)
            encoder.weight *= 2 / spread[:, None]
            encoder.bias -= scheme.compress(features)[:, index].mean(0)
        latents = scheme.compress(features)
    optimiser = torch.optim.Adam(scheme.densities.parameters(), lr=0.1)
    for _ in range(80):
        noisy = latents + torch.rand(latents.shape) - 0.5
        loss = sum(density.bits(noisy[:, index]).mean() for index, density in enumerate(scheme.densities))
        optimiser.zero_grad()
        torch.autograd.backward(loss)
        optimiser.step()
    scheme.settle()
    return scheme.requires_grad_(False)


@pytest.fixture(scope="module")
def schemes():
    return {name: fitted(name) for name in DIGITAL}


def received(scheme, symbols, snr_db, channel=None, valid=None):
    noise_var = 10 ** (-torch.as_tensor(snr_db, dtype=torch.float32) / 10)
    noise_var = noise_var.expand(symbols.shape[1])[:, None]
    return {"rx": Received.for_plan(scheme.plan, symbols=symbols.sum(0), noise_var=noise_var, channel=channel, valid=valid)}


@pytest.mark.parametrize("name", DIGITAL)
def test_the_receiver_gets_the_rounded_latents_and_the_message_is_near_their_entropy(schemes, name):
    scheme, views = schemes[name], scenes(schemes[name], 60, seed=5)
    sent = scheme.encode(views)
    latents = scheme.compress(scheme.extract(views))
    out = scheme.decode(received(scheme, sent.symbols, 60.0), side=sent.side)
    assert not bool(out.erased.any())
    inside = (out.features - latents.round()).abs() < 0.5
    assert inside.float().mean().item() > 0.999  # the rest lies beyond the tables' ends
    assert (out.features - latents).abs()[inside].max().item() <= 0.5
    assert latents.std(0).mean().item() > 0.7  # so there is something to code
    learned = torch.stack([density.bits(out.features[:, index]) for index, density in enumerate(scheme.densities)], 1)
    bits = sent.side["bits"]
    assert bits.double().mean().item() <= learned.mean().item() + 2  # the model's −Σ log2 P, real numbers
    assert bool((bits <= sent.side["entropy"] + 2.001).all())
    assert bool((bits >= sent.side["entropy"] - 0.001).all())
    images = views[:, 0]
    assert torch.equal(scheme.embed(images), scheme.embed(images, "raw"))
    assert torch.equal(scheme.embed(images)[0], out.features[:, 0])


def test_a_task_is_given_up_exactly_where_its_bits_exceed_capacity(schemes):
    scheme = schemes["digital-single"]
    sent = scheme.encode(scenes(scheme, 40))
    least = torch.tensor([minimum_snr_db(float(bits), uses=16) for bits in sent.side["bits"][:, 0]])
    above = scheme.decode(received(scheme, sent.symbols, least + 0.01), side=sent.side)
    below = scheme.decode(received(scheme, sent.symbols, least - 0.01), side=sent.side)
    assert not bool(above.erased.any())
    assert bool(below.erased.all())
    assert bool((below.features == 0).all())
    middle = float(least.median())
    out = scheme.decode(received(scheme, sent.symbols, middle + 1e-3), side=sent.side)
    assert torch.equal(out.erased, least > middle + 1e-3)
    assert torch.equal(out.features[~out.erased], above.features[~out.erased])
    half = torch.ones(40, 16, dtype=torch.bool)
    half[:, 8:] = False  # half of the uses carry half of the bits
    lossy = scheme.decode(received(scheme, sent.symbols, least + 0.01, valid=half), side=sent.side)
    assert bool(lossy.erased.all())


@pytest.mark.parametrize("name", ["digital-pair", "digital-pair-oma"])
def test_a_faded_link_is_an_outage_of_both(schemes, name):
    scheme = schemes[name]
    sent = scheme.encode(scenes(scheme, 8))
    fade = torch.ones(2, 8, 16, dtype=torch.complex64)
    fade[0, :3], fade[1, 3:5] = 1e-3j, 1e-3
    out = scheme.decode(received(scheme, sent.symbols, 40.0, channel=fade), side=sent.side)
    assert out.erased.tolist() == [True] * 5 + [False] * 3


@pytest.mark.parametrize("name", ["digital-pair-either", "digital-pair-oma-either"])
def test_a_view_of_an_outage_that_decodes_alone_is_left(schemes, name):
    """A link that fades by 60 dB carries nothing at 40 dB, and is a hundredth of the other's noise."""
    scheme, plain = network(name, latent=12, uses=16), schemes[name.removesuffix("-either")]
    scheme.load_state_dict(plain.state_dict())
    sent = plain.encode(scenes(plain, 6))
    fade = torch.ones(2, 6, 16, dtype=torch.complex64)
    fade[0, :2], fade[1, 1:3] = 1e-3j, 1e-3
    came = received(scheme, sent.symbols, 40.0, channel=fade)
    out, pair = scheme.decode(came, side=sent.side), plain.decode(came, side=sent.side)
    assert pair.erased.tolist() == [True] * 3 + [False] * 3
    assert out.erased.tolist() == [False, True, False, False, False, False]
    assert torch.equal(out.features[3:], pair.features[3:])
    whole = plain.decode(received(scheme, sent.symbols, 40.0), side=sent.side).features
    assert bool(out.features[0, 0].isnan().all())
    assert torch.equal(out.features[0, 1], whole[0, 1])
    assert bool(out.features[2, 1].isnan().all())
    assert torch.equal(out.features[2, 0], whole[2, 0])
    assert bool((out.features[1] == 0).all())


def test_superposed_devices_get_through_where_turns_do_not(schemes):
    pair, turns = schemes["digital-pair"], schemes["digital-pair-oma"]
    sent = pair.encode(scenes(pair, 20))
    own = torch.zeros_like(sent.symbols)  # the same messages in turns
    own[0, :, :8], own[1, :, 8:] = sent.symbols[0, :, :8], sent.symbols[1, :, 8:]
    worst = float(sent.side["bits"].amax())
    superposed_db, turns_db = minimum_snr_db(worst, uses=16, transmitters=2), minimum_snr_db(worst, uses=8)
    assert superposed_db < turns_db
    for snr_db, lost in ((turns_db + 0.01, False), (turns_db - 0.01, True)):
        assert bool(turns.decode(received(turns, own, snr_db), side=sent.side).erased.any()) == lost
    for snr_db, lost in ((superposed_db + 0.01, False), (superposed_db - 0.01, True)):
        assert bool(pair.decode(received(pair, sent.symbols, snr_db), side=sent.side).erased.any()) == lost


def test_codewords_are_drawn_by_message_and_transmitter(schemes):
    scheme = schemes["digital-pair"]
    views = scenes(scheme, 4)
    views[1] = views[0]
    views[:, 1] = views[:, 0]
    symbols = scheme.encode(views).symbols
    torch.testing.assert_close(symbols.abs().square().mean(2), torch.ones(2, 4))
    assert torch.equal(symbols[:, 0], symbols[:, 1])
    for one, other in ((symbols[0, 0], symbols[0, 2]), (symbols[0, 0], symbols[1, 0])):
        assert (one * other.conj()).mean().abs().item() < 0.8


def test_bits_are_counted_three_ways(schemes):
    scheme = schemes["digital-pair"]
    assert isinstance(scheme, CountsBits)
    side = {"bits": torch.tensor([[30, 34]]), "entropy": torch.tensor([[29.0, 33.0]])}
    least = minimum_snr_db(32, uses=16, transmitters=2)
    expected = {"entropy": 31.0, "coded": 32.0, "with CRC-16": 32.0 + CRC_BITS, "minimum SNR, dB": round(least, 2)}
    assert scheme.counted(side) == expected
    turns = schemes["digital-pair-oma"].counted(side)
    assert turns["minimum SNR, dB"] == round(minimum_snr_db(32, uses=8), 2)


def test_a_bound_needs_its_side_information_and_uses(schemes):
    scheme = schemes["digital-single"]
    sent = scheme.encode(scenes(scheme, 2))
    with pytest.raises(ModelError, match="side information"):
        scheme.decode(received(scheme, sent.symbols, 10.0))
    assert scheme.card.kind == "bound"
    assert scheme.embed(torch.zeros(0, 3, *SIZE)).shape == (1, 0, 12)
    with pytest.raises(ConfigError, match="at least 1 a transmitter"):
        build_network(Recipe(name="none", scheme="digital-single", uses=0))
    with pytest.raises(ConfigError, match="multiple of 2"):
        build_network(Recipe(name="odd", scheme="digital-pair-oma", uses=15))
