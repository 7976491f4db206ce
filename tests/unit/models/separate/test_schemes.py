"""Digital schemes of images: cliff, adaptation, what is counted, and what stands in for an image that is lost."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from hil.errors import ConfigError, ModelError
from hil.models.load import load_scheme
from hil.models.separate.mcs import LTE_CQI
from hil.models.separate.qam import modulate
from hil.models.separate.schemes import DigitalWebp
from hil.models.testing import received_for


@pytest.fixture(scope="module")
def views():
    coarse = torch.rand(12, 3, 4, 4, generator=torch.Generator().manual_seed(2))
    return torch.nn.functional.interpolate(coarse, 32, mode="bilinear")[:, None]


def fates(scheme, sent, received):
    return {name: count for name, count in scheme.explain(sent, received)["fates"].items() if count}


def test_above_the_cliff_all_comes_through_and_below_nothing(views):
    scheme = DigitalWebp()
    sent = scheme.encode(views)
    assert sent.symbols.shape == (1, 12, 486)
    for snr_db, erased in ((12.0, False), (8.5, True)):
        received = received_for(scheme.plan, sent, noise_var=10 ** (-snr_db / 10))
        made = scheme.decode(received)
        assert made.erased.tolist() == [erased] * 12
        assert fates(scheme, sent, received) == {"codeword_errors" if erased else "received": 12}


def test_a_fixed_mean_image_stands_in_and_each_fate_is_counted(views):
    mean = torch.full((3, 32, 32), 0.25)
    scheme = DigitalWebp({"uses": "162"}).fit((3, 32, 32), mean)
    noise = torch.rand(1, 1, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    flat = views[:3].mean((3, 4), keepdim=True).expand(-1, -1, -1, 32, 32)
    sent = scheme.encode(torch.cat([flat, noise]))
    valid = torch.ones(4, scheme.plan.uses, dtype=torch.bool)
    valid[0, 3] = False
    received = received_for(scheme.plan, sent, valid=valid)
    made = scheme.decode(received)
    assert made.erased.tolist() == [True, False, False, True]
    assert torch.equal(made.images[made.erased, 0], mean.expand(2, -1, -1, -1))
    assert fates(scheme, sent, received) == {"received": 2, "not_received": 1, "too_complex": 1}
    told = scheme.explain(sent, received)
    assert told["packets"][0]["code"] == [648, 486]
    assert told["stream_bytes"] + told["padding_bytes"] == pytest.approx(told["packets"][0]["room_bytes"], abs=0.02)


def test_a_wrong_crc_and_a_damaged_stream_are_told_apart(views):
    scheme = DigitalWebp()
    sent, packet = scheme.encode(views[:3]), scheme._packets[4]
    other = np.zeros((1, packet.matched.information), np.uint8)
    other[0, 40] = 1
    bits = packet.coded([b"no picture", b"right", b"right"])
    bits[1, : packet.matched.sent] ^= packet.matched.encode(other)[0]  # the sum of two codewords is one
    symbols = sent.symbols.clone()
    symbols[0, :2] = torch.from_numpy(modulate(bits[:2], packet.mcs.bits))
    damaged = replace(sent, symbols=symbols)
    received = received_for(scheme.plan, damaged, noise_var=1e-3)
    assert scheme.decode(received).erased.tolist() == [True, True, False]
    assert fates(scheme, sent, received) == {"damaged_stream": 1, "wrong_crc": 1, "received": 1}


def test_the_choice_follows_the_snr_that_the_sender_knows(views):
    scheme = DigitalWebp({"mcs": "adapt"})
    assert scheme.plan.tx_csi == "snr"
    snr_db = torch.tensor([-3.0, 2, 3, 5, 8, 9, 11, 13, 15, 16, 18, 25])[:, None]
    sent = scheme.encode(views, snr_db)
    assert sent.side["mcs"].tolist() == sorted(sent.side["mcs"].tolist())
    assert sent.side["mcs"].unique().tolist() == [1, 2, 3, 4, 5, 6, 7]
    for row in range(12):
        received = received_for(scheme.plan, sent, noise_var=float(10 ** (-(snr_db[row, 0].clamp_min(2) + 0.5) / 10)))
        made = scheme.decode({"rx": received["rx"].rows(row, 1, 1)})
        assert bool(made.erased[0]) == (int(sent.side["stream_bytes"][row]) == 0)
    with pytest.raises(ConfigError, match="must be told the SNR"):
        scheme.encode(views)


def test_hybrid_follows_the_snr_up_to_its_fastest(views):
    scheme = DigitalWebp({"mcs": "hybrid", "most": "3"})
    sent = scheme.encode(views[:4], torch.tensor([0.0, 5, 8, 25])[:, None])
    assert sent.side["mcs"].tolist() == [1, 2, 3, 3]
    told = scheme.explain(sent, received_for(scheme.plan, sent))
    assert (told["choice"], told["table"], len(told["packets"])) == ("hybrid", "wifi", 3)
    assert DigitalWebp({"mcs": "hybrid"}).options.index == 4


def test_ltes_rows_are_sent_by_codes_matched_to_their_uses(views):
    for index in (4, 9, 15):
        scheme = DigitalWebp({"table": "lte-cqi", "mcs": str(index)})
        packet = scheme._packets[index]
        assert packet.uses == scheme.plan.uses == 512
        assert packet.matched.sent == 512 * LTE_CQI[index].bits
        assert packet.matched.information == int(512 * LTE_CQI[index].bits * LTE_CQI[index].share)
        sent = scheme.encode(views[:4])
        received = received_for(scheme.plan, sent, noise_var=10 ** (-(LTE_CQI[index].threshold_db + 1) / 10))
        assert scheme.decode(received).erased.tolist() == (sent.side["stream_bytes"] == 0).tolist()
    assert sorted(DigitalWebp({"table": "lte-cqi", "mcs": "adapt"})._packets) == list(range(1, 16))
    short = DigitalWebp({"table": "lte-cqi", "mcs": "adapt", "uses": "96"})
    assert sorted(short._packets) == list(range(5, 16))  # slower ones have no room for a byte in 80 uses


def test_an_ideal_code_is_a_bound_that_falls_at_its_threshold(views):
    scheme = DigitalWebp({"table": "lte-cqi", "mcs": "9", "code": "ideal"})
    assert scheme.card.kind == "bound"
    assert scheme._packets[9].room == 512 * 4 * 616 // 1024 // 8
    sent = scheme.encode(views)
    assert sent.symbols.abs().square().mean().item() == pytest.approx(1, abs=0.05)
    measured = DigitalWebp({"table": "lte-cqi", "mcs": "9"})
    assert int(sent.side["stream_bytes"].min()) >= int(measured.encode(views).side["stream_bytes"].min())
    for snr_db, fate in ((8.6, "received"), (8.5, "below_threshold")):
        received = received_for(scheme.plan, sent, noise_var=10 ** (-snr_db / 10))
        assert bool(scheme.decode(received, side=sent.side).erased.all()) == (fate != "received")
        assert fates(scheme, sent, received) == {fate: 12}
    with pytest.raises(ModelError, match="decode needs encode's side information"):
        scheme.decode(received_for(scheme.plan, sent))
    sizes = DigitalWebp({"table": "lte-cqi", "mcs": "1", "code": "ideal", "uses": "80"})._packets[1]
    assert sizes.information == 12  # of the 4-bit CQI table: 12 … 444 bits in 80 uses


def test_a_known_channel_is_undone(views):
    scheme = DigitalWebp()
    sent = scheme.encode(views[:4])
    channel = torch.polar(torch.tensor([0.3, 1.0, 2.0, 1e-3]), torch.tensor([0.1, 2.0, -1.0, 0.0]))
    received = received_for(scheme.plan, sent, noise_var=1e-3, channel=channel[None, :, None].expand(1, -1, 486))
    assert scheme.decode(received).erased.tolist() == [False, False, False, True]


def test_bits_a_pixel_fix_the_uses():
    scheme = DigitalWebp({"bpp": "0.25", "headers": "sent"}).fit((3, 96, 96), torch.zeros(3, 96, 96))
    packet = next(iter(scheme._packets.values()))
    assert packet.room == 288
    assert scheme.plan.uses == packet.uses < 972


def test_bits_a_pixel_are_bound_to_the_pictures_own_size():
    few = DigitalWebp({"bpp": "0.001"})  # none of 32×32, 49 bytes of a large one
    assert few.fit((3, 512, 768), torch.zeros(3, 512, 768))._packets[4].room == 49
    with pytest.raises(ConfigError, match=r"digital-webp: bpp = 0.001 leaves no byte of 32×32, give 0.0079 or more"):
        few.fit((3, 32, 32), torch.zeros(3, 32, 32))
    assert DigitalWebp({"bpp": "0.0079"}).fit((3, 32, 32), torch.zeros(3, 32, 32))._packets[4].room == 1


def test_options_follow_the_name():
    scheme = load_scheme("digital-webp?uses=972&mcs=7", [])
    assert scheme.plan.uses == 972
    for name, message in (
        ("digital-webp?uses", "options are key=value"),
        ("digital-webp?flavour=1", "flavour"),
        ("digital-webp?mcs=9", "^options of digital-webp: mcs must be adapt, hybrid, or 1…7, not 9$"),
        ("digital-webp?mcs=adaptive", "^options of digital-webp: mcs: .* did you mean 'adapt'.*, not 'adaptive'$"),
        ("digital-webp?bpp=1&uses=4", "^options of digital-webp: bpp = 1 .* with uses = 4: leave one of them out$"),
        ("digital-webp?bpp=1&mcs=adapt", "^options of digital-webp: bpp = 1 .* not for mcs = adapt: give uses = N"),
        ("digital-webp?mcs=hybrid&most=8", "most is for mcs = hybrid, 1…7, not 8"),
        ("digital-webp?table=lte-cqi&mcs=16", "or 1…15, not 16"),
        ("digital-webp?uses=9", "digital-webp: uses = 9 are too few, give more: .* enough for a byte"),
        ("digital-webp?uses=40&mcs=adapt", "uses = 40, 16 of them for the index, are too few"),
    ):
        with pytest.raises(ConfigError, match=message):
            load_scheme(name, [])
    with pytest.raises(
        ModelError, match=r"'digital-png'; did you mean 'digital-.*known: digital-avif, .*digital-jpeg, .*digital-webp \("
    ):
        load_scheme("digital-png", [])
    with pytest.raises(
        ModelError, match=r"'deep-jscc' takes no options.* not 'uses=256'; .*hil train deep-jscc --set uses=256"
    ):
        load_scheme("deep-jscc?uses=256", [])
