"""Packets: what fits, what is counted, and that a stream comes back or is known to be lost."""

import numpy as np
import pytest

from hil.errors import ConfigError
from hil.models.separate.mcs import LTE_CQI, MCS, best_mcs
from hil.models.separate.packet import OVERHEAD_BYTES, packet_for_bytes, packet_for_uses
from hil.models.separate.qam import llrs, modulate


def test_a_packet_of_uses_holds_whole_codewords():
    packet = packet_for_uses(MCS[4], 512)
    assert (packet.matched.lifting, packet.matched.codewords, packet.uses) == (81, 1, 486)
    assert packet.room == 1458 // 8 - OVERHEAD_BYTES
    full = packet_for_uses(MCS[4], 324)
    assert (full.matched.lifting, full.matched.codewords, full.matched.shortened, full.uses) == (54, 1, 0, 324)
    more = packet_for_uses(MCS[4], 400)  # 1944 bits less 344
    assert (more.matched.lifting, more.matched.codewords, more.matched.shortened, more.uses) == (81, 1, 344, 400)
    assert more.room > full.room
    with pytest.raises(ConfigError, match="enough for a byte and 6 of overhead in 16-QAM 3/4, not 30"):
        packet_for_uses(MCS[4], 30)


def test_of_several_codewords_the_longest_is_taken_where_it_costs_little():
    for index, n in ((4, 1944), (5, 648), (6, 648), (7, 648)):  # of 512 uses: 5 of 648 bits hold 6 % more than one of 1944
        assert packet_for_uses(MCS[index], 512).code.n == n
    assert packet_for_uses(MCS[7], 80).code.n == 648
    large = packet_for_uses(MCS[4], 98_304)
    assert (large.code.n, large.matched.codewords, large.room) == (1944, 203, 36_813)  # 607 of 648 bits: 36,854
    assert packet_for_bytes(MCS[4], 36_000).code.n == 1944


@pytest.mark.parametrize("room", [65_535, 65_536])
def test_a_length_of_more_than_16_bits_is_sent_where_it_is_needed(room):
    packet = packet_for_bytes(MCS[7], room)
    assert (packet.room, packet.overhead) == (room, 6 if room < 1 << 16 else 8)
    streams = [np.random.default_rng(3).bytes(room), b"short"]
    back, failed = packet.streams(10 * (1 - 2.0 * packet.coded(streams)).astype(np.float32))
    assert back == streams
    assert not failed.any()


def test_a_packet_of_many_uses_holds_more_than_16_bits_say():
    packet = packet_for_uses(MCS[6], 196_608)
    assert packet.room == packet.matched.information // 8 - 8 > 1 << 16
    few, many = packet_for_uses(LTE_CQI[9], 217_880), packet_for_uses(LTE_CQI[9], 217_960)
    assert (few.room, few.overhead, many.room, many.overhead) == (65_528, 6, 65_550, 8)


@pytest.mark.parametrize("room", [1, 60, 177, 288, 1000])
@pytest.mark.parametrize("index", sorted(MCS))
def test_a_packet_of_bytes_is_shortened_to_what_is_needed(room, index):
    packet = packet_for_bytes(MCS[index], room)
    code = packet.code
    assert packet.room == room
    sent = packet.matched.codewords * code.n - packet.matched.shortened
    assert packet.uses == -(-sent // packet.mcs.bits)
    assert packet.coded([b"x" * room]).shape == (1, packet.uses * packet.mcs.bits)


@pytest.mark.parametrize("interleaved", [True, False])
@pytest.mark.parametrize("packet", [packet_for_uses(MCS[5], 700), packet_for_bytes(MCS[1], 250)])
def test_streams_come_back_without_noise(packet, interleaved):
    rng = np.random.default_rng(2)
    streams = [rng.bytes(packet.room), b"", rng.bytes(3)]
    bits = packet.coded(streams)
    assert 0.4 < bits.mean() < 0.6  # scrambled: padding is no long stretch of zeros
    symbols = modulate(bits, packet.mcs.bits)
    assert abs(np.mean(np.abs(symbols) ** 2) - 1) < 0.05
    back, failed = packet.streams(llrs(symbols, np.full(symbols.shape, 0.01, np.float32), packet.mcs.bits))
    assert back == streams
    assert not failed.any()


def test_a_wrong_crc_is_a_lost_stream_though_all_checks_hold():
    packet = packet_for_uses(MCS[4], 512)
    bits = packet.coded([b"right", b"right"])
    code = packet.code
    other = np.zeros((1, code.k), np.uint8)
    other[0, 40] = 1
    bits[1] ^= code.encode(other)[:, packet.matched.order][0]  # the sum of two codewords is one
    back, failed = packet.streams(10 * (1 - 2.0 * bits).astype(np.float32))
    assert back == [b"right", None]
    assert failed.tolist() == [0, 0]


def test_noise_beyond_the_code_is_a_codeword_error():
    packet = packet_for_uses(MCS[4], 512)
    back, failed = packet.streams(np.random.default_rng(1).normal(size=(2, packet.uses * 4)).astype(np.float32))
    assert back == [None, None]
    assert failed.tolist() == [1, 1]


def test_ratios_are_commpys_by_the_noise_of_each_use():
    from commpy import MQAMModulator

    rng = np.random.default_rng(4)
    symbols = (rng.normal(size=(2, 9)) + 1j * rng.normal(size=(2, 9))).astype(np.complex64)
    noise_var = rng.uniform(0.1, 2, (2, 9)).astype(np.float32)
    found = llrs(symbols, noise_var, 4).reshape(2, 9, 4)
    for row, column in np.ndindex(2, 9):
        own = MQAMModulator(16).soft_demodulate(
            symbols[row, column : column + 1].astype(complex), float(noise_var[row, column])
        )
        assert found[row, column] == pytest.approx(own, rel=1e-5, abs=1e-6)


def test_the_fastest_that_an_snr_carries_is_taken():
    thresholds_db = {index: one.threshold_db for index, one in MCS.items()}
    assert [best_mcs(snr_db, thresholds_db) for snr_db in (-5, 2, 5, 8, 11, 15, 16, 30)] == [1, 1, 2, 3, 4, 5, 6, 7]
    rates = [one.bits * int(one.rate[0]) / int(one.rate[2]) for one in MCS.values()]
    assert rates == sorted(rates)
