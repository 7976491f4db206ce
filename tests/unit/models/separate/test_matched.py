"""Codes brought to any number of bits: nothing is lost without noise, and bits are dropped and repeated in order."""

import numpy as np
import pytest

from hil.errors import ConfigError
from hil.models.separate.matched import MatchedCode, matched_code


@pytest.mark.parametrize(
    ("information", "sent", "what"), [(200, 400, "punctured"), (200, 700, "repeated"), (900, 1600, "punctured")]
)
def test_information_comes_back_without_noise(information, sent, what):
    code = MatchedCode(
        lifting=27,
        rate="1/2",
        codewords=-(-information // 324),
        information=information,
        sent=sent,
        interleaved=information != 200,
    )
    assert getattr(code, what) > 0
    bits = np.random.default_rng(3).integers(0, 2, (4, information), np.uint8)
    coded = code.encode(bits)
    assert coded.shape == (4, sent)
    if not code.interleaved:
        assert np.array_equal(coded[:, :information], bits)
        whole = information + code.codewords * 324 - code.punctured
        assert np.array_equal(coded[:, whole:], coded[:, : sent - whole])
    back, failed = code.decode((4 * (1 - 2.0 * coded)).astype(np.float32))
    assert np.array_equal(back, bits)
    assert not failed.any()


def test_ratios_of_a_repeated_bit_add_up():
    code = MatchedCode(lifting=27, rate="5/6", codewords=1, information=60, sent=300)
    bits = np.random.default_rng(4).integers(0, 2, (1, 60), np.uint8)
    ratios = (1 - 2.0 * code.encode(bits)).astype(np.float32)
    place, times = np.unique(code.order, return_counts=True)
    assert times.max() == 2
    wrong = np.isin(code.order, place[times == 2][:60]) & ~np.isin(np.arange(300), np.unique(code.order, return_index=True)[1])
    ratios[:, wrong] *= -0.5  # the second copy says the other thing, less loudly
    back, failed = code.decode(ratios)
    assert np.array_equal(back, bits)
    assert not failed.any()


def test_the_code_that_needs_least_matching_is_taken():
    found = matched_code(486, 648)
    assert (found.lifting, found.rate, found.codewords, found.effort) == (27, "3/4", 1, 0)
    assert matched_code(972, 1944).effort == 0
    assert matched_code(972, 1944).lifting == 81
    short = matched_code(88, 256)
    assert (short.lifting, short.rate, short.shortened, short.repeated) == (27, "3/4", 398, 6)
    for information, sent in ((0, 100), (100, 100), (95, 100)):
        with pytest.raises(ConfigError, match=f"fit into {sent} coded bits"):
            matched_code(information, sent)
