"""Bits over the Gaussian multiple-access channel, by closed forms."""

import math

import pytest
import torch

from hil.models.digital.capacity import alone_bits, equal_rate_bits, minimum_snr_db


def alike(transmitters, snr_db, uses=64):
    return torch.full((transmitters, 1, uses), 10 ** (snr_db / 10), dtype=torch.float64)


@pytest.mark.parametrize(("snr_db", "bits"), [(-6, 18.8), (0, 50.7), (9, 130.5), (15, 192.2)])
def test_two_devices_share_what_their_sum_carries(snr_db, bits):
    assert float(equal_rate_bits(alike(2, snr_db))) == pytest.approx(bits, abs=0.05)  # papers/README: q = 64


def test_one_device_has_the_capacity_of_its_link_and_turns_halve_the_uses():
    assert float(equal_rate_bits(alike(1, 0))) == pytest.approx(64)
    turns = alike(2, 0)
    turns[0, :, 32:] = turns[1, :, :32] = 0
    assert float(equal_rate_bits(turns)) == pytest.approx(32)
    turns *= 2  # the energy of a superposed device in half of the uses: the same sum rate (Cover and Thomas, Sec. 15.3.6)
    assert float(equal_rate_bits(turns)) == pytest.approx(float(equal_rate_bits(alike(2, 0))))


def test_the_worst_group_binds():
    first, second = 9.0, 0.2
    snr = torch.stack([torch.full((1, 10), value, dtype=torch.float64) for value in (first, second)])
    alone, both = 10 * math.log2(1 + second), 10 * math.log2(1 + first + second) / 2
    assert float(equal_rate_bits(snr)) == pytest.approx(min(alone, both))
    assert alone < both  # the faded device is an outage for both
    strong = torch.stack([snr[0], snr[0]])
    assert float(equal_rate_bits(strong)) == pytest.approx(10 * math.log2(1 + 2 * first) / 2)


def test_a_device_alone_hears_the_others_as_noise():
    snr = torch.stack([torch.full((3, 10), value, dtype=torch.float64) for value in (9.0, 0.2)])
    expected = [10 * math.log2(1 + 9.0 / 1.2), 10 * math.log2(1 + 0.2 / 10)]
    torch.testing.assert_close(alone_bits(snr), torch.tensor(expected, dtype=torch.float64).expand(3, 2))
    snr[0, :, 5:] = snr[1, :, :5] = 0
    expected = [5 * math.log2(10), 5 * math.log2(1.2)]
    torch.testing.assert_close(alone_bits(snr), torch.tensor(expected, dtype=torch.float64).expand(3, 2))


def test_uses_that_were_not_received_carry_nothing_and_uneven_ones_add_up():
    snr = torch.tensor([[[1.0, 3.0, 0.0, 7.0]]])
    assert float(equal_rate_bits(snr)) == pytest.approx(1 + 2 + 0 + 3)


@pytest.mark.parametrize("transmitters", [1, 2, 3])
@pytest.mark.parametrize("bits", [0.5, 20.0, 200.0])
def test_the_minimum_snr_just_carries_the_bits(transmitters, bits):
    snr_db = minimum_snr_db(bits, uses=64, transmitters=transmitters)
    assert float(equal_rate_bits(alike(transmitters, snr_db))) == pytest.approx(bits)
    assert minimum_snr_db(0.0, uses=64) == -math.inf
