"""Features by LDPC codes in the air: what comes through, what becomes of what does not, and what is said of it."""

import numpy as np
import pytest
import torch

from hil.errors import ConfigError, DriverMissingError
from hil.models.digital import coded
from hil.models.digital.coded import _crc, _packed, _unpacked
from hil.models.load import build_network
from hil.models.recipe import Recipe
from hil.models.testing import received_for
from tests.unit.models.digital.test_schemes import fitted, scenes

NAMES = ["digital-ldpc-single", "digital-ldpc-pair"]


@pytest.fixture(scope="module")
def schemes():
    return {"digital-ldpc-single": fitted(NAMES[0], uses=48), "digital-ldpc-pair": fitted(NAMES[1], uses=96)}


def fates(scheme, sent, received):
    return {name: count for name, count in scheme.explain(sent, received)["fates"].items() if count}


@pytest.mark.parametrize("name", NAMES)
def test_features_come_through_whole_and_are_the_rounded_latents(schemes, name):
    scheme, views = schemes[name], scenes(schemes[name], 40, seed=5)
    sent = scheme.encode(views)
    assert scheme.plan.access == ("single" if name == NAMES[0] else "oma")
    power = sent.symbols.abs().square().sum(-1) / scheme.plan.occupied.sum(1)[:, None]
    assert power.mean().item() == pytest.approx(1, abs=0.05)
    gain = torch.polar(torch.rand(40) + 0.5, 6 * torch.rand(40))[None, :, None].expand(sent.symbols.shape)
    received = received_for(scheme.plan, sent, noise_var=1e-3, channel=gain)
    made = scheme.decode(received)
    short = sent.side["bits"] <= scheme.form().room  # three standard deviations: all but a few
    assert int((~short).sum()) <= 2
    assert torch.equal(made.erased, ~short.all(1))
    assert torch.equal(made.features[short[:, 0], 0], scheme.embed(views[:, 0])[0][short[:, 0]])
    assert fates(scheme, sent, received).get("received") == int(short.sum())


def test_what_is_lost_is_a_miss_with_the_mean_feature(schemes):
    scheme = schemes["digital-ldpc-pair"]
    sent = scheme.encode(scenes(scheme, 6))
    valid = torch.ones(6, scheme.plan.uses, dtype=torch.bool)
    valid[2, 50] = False
    received = received_for(scheme.plan, sent, noise_var=1e-3, valid=valid)
    received["rx"].symbols[4, 48:] = 0  # the second transmitter is not heard
    made = scheme.decode(received)
    assert made.erased.tolist() == [False, False, True, False, True, False]
    tables = scheme.get_buffer("tables").double().diff() / 2**16
    mean = (tables * (torch.arange(128) + scheme.get_buffer("firsts")[..., None])).sum(-1).float()
    assert torch.allclose(made.features[2], mean, atol=1e-4)
    assert torch.allclose(made.features[4, 1], mean[1], atol=1e-4)
    assert not torch.allclose(made.features[4, 0], mean[0], atol=0.5)
    assert fates(scheme, sent, received) == {"received": 9, "not_received": 2, "codeword_errors": 1}


def test_a_message_that_is_too_long_is_not_sent_and_said_to_be(schemes, monkeypatch):
    scheme = schemes["digital-ldpc-single"]
    views = scenes(scheme, 30, seed=5)
    bits = scheme.encode(views).side["bits"]
    room = int(bits.median())
    monkeypatch.setattr(coded, "_usual_bits", lambda tables: room)
    sent = scheme.encode(views)
    received = received_for(scheme.plan, sent, noise_var=1e-3)
    long = (bits > room).any(1)
    assert 5 < int(long.sum()) < 25
    assert torch.equal(scheme.decode(received).erased, long)
    assert fates(scheme, sent, received) == {"received": int((~long).sum()), "too_long": int(long.sum())}


def test_a_wrong_crc_is_told_from_no_message():
    message = np.array([0b10110000], np.uint8)
    packet = _packed(message, 5, 20)
    assert _unpacked(packet, 20)[1] == "received"
    assert np.unpackbits(_unpacked(packet, 20)[0])[:5].tolist() == [1, 0, 1, 1, 0]
    assert _unpacked(_packed(message, 21, 20), 20)[1] == "too_long"
    for place in range(36):
        wrong = packet.copy()
        wrong[place] ^= 1
        assert _unpacked(wrong, 20) == (pytest.approx(0), "wrong_crc")


def test_the_crc_is_ccitts():
    assert _crc(np.unpackbits(np.frombuffer(b"123456789", np.uint8))) == 0x29B1


def test_what_has_no_room_or_no_modem_is_refused_in_one_line(schemes, monkeypatch):
    scheme = build_network(Recipe(name="short", scheme="digital-ldpc-single", features=16, uses=4, latent=12)).eval()
    with pytest.raises(ConfigError, match="and CRC-16 must fit into 4 uses of 16-QAM"):
        scheme.encode(scenes(scheme, 1))

    def missing():
        raise DriverMissingError("digital schemes need commpy")

    monkeypatch.setattr(coded, "check_modem", missing)
    with pytest.raises(DriverMissingError, match="need commpy"):
        schemes["digital-ldpc-single"].fit((3, 64, 32), torch.zeros(3, 64, 32))


def test_the_row_says_how_bits_are_sent(schemes):
    scheme = schemes["digital-ldpc-single"]
    sent = scheme.encode(scenes(scheme, 4))
    packet = scheme.explain(sent, received_for(scheme.plan, sent, noise_var=1e-3))["packets"][0]
    matched = scheme.form().code
    assert packet["uses"] == 48
    assert packet["room_bits"] + packet["crc_bits"] == matched.information
    kept = packet["code"][0] - packet["shortened_bits"] - packet["punctured_bits"] + packet["repeated_bits"]
    assert kept == matched.sent == 48 * scheme.form().bits
