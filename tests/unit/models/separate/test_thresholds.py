"""Thresholds: one packet in a hundred is lost there, whatever it is made of; one codeword's is the table's."""

import numpy as np
import pytest

from hil.models.separate.ideal import ideal_for_uses
from hil.models.separate.mcs import LTE_CQI, MCS
from hil.models.separate.packet import packet_for_uses
from hil.models.separate.qam import llrs, modulate
from hil.models.separate.thresholds import LTE_MORE_DB, WATERFALLS, codeword_db


def test_one_codewords_threshold_is_the_tables():
    for index, one in MCS.items():
        uses = 1944 // one.bits
        assert packet_for_uses(one, uses).matched.codewords == 1
        assert packet_for_uses(one, uses).threshold_db == one.threshold_db
        assert codeword_db(one, 1944, 0.01) == pytest.approx(one.threshold_db, abs=0.25), index
        assert ideal_for_uses(one, uses).threshold_db == one.threshold_db
    for one in LTE_CQI.values():
        assert packet_for_uses(one, 512).threshold_db == one.threshold_db
    assert set(WATERFALLS) == {(one.bits, one.rate) for one in MCS.values()}
    assert set(LTE_MORE_DB) == {one.rate for one in LTE_CQI.values()}


def test_more_codewords_and_shorter_ones_need_more_and_shortened_ones_less():
    one = MCS[4]
    found = [packet_for_uses(one, uses).threshold_db for uses in (486, 972, 98_304, 1_000_000)]
    assert found == sorted(found)
    assert found[2] == pytest.approx(one.threshold_db + 0.5)  # 203 codewords
    assert packet_for_uses(one, 162).threshold_db == pytest.approx(one.threshold_db + 0.47, abs=0.05)  # 648 bits
    assert one.threshold_db <= packet_for_uses(one, 130).threshold_db < packet_for_uses(one, 162).threshold_db
    for cqi in LTE_CQI.values():
        found = [packet_for_uses(cqi, uses).threshold_db - cqi.threshold_db for uses in (512, 98_304, 1_000_000)]
        assert 0 == found[0] <= found[1] <= found[2] < 2.5, cqi
    assert packet_for_uses(LTE_CQI[6], 64).threshold_db == pytest.approx(LTE_CQI[6].threshold_db + 2.0)


def test_packets_of_many_codewords_come_through_at_their_threshold_and_not_at_one_codewords():
    packet = packet_for_uses(MCS[4], 98_304)
    rng = np.random.default_rng(5)
    stream = rng.bytes(packet.room)
    symbols = modulate(packet.coded([stream]), packet.mcs.bits)
    drawn = (rng.normal(size=symbols.shape) + 1j * rng.normal(size=symbols.shape)) / np.sqrt(2)
    for snr_db, back in ((packet.threshold_db, stream), (codeword_db(packet.mcs, 1944, 0.02), None)):
        noise_var = 10 ** (-snr_db / 10)
        heard = (symbols + drawn * np.sqrt(noise_var)).astype(np.complex64)
        found, failed = packet.streams(llrs(heard, np.full(heard.shape, noise_var, np.float32), packet.mcs.bits))
        assert found == [back]
        assert failed.any() == (back is None)
