"""LDPC codes of 802.11n: the base matrices' own counts, codewords by an expanded H, both decoders alike, known error rates."""

import numpy as np
import pytest
from commpy import MQAMModulator

from hil.errors import ConfigError, ShapeError
from hil.models.separate.ldpc import Ldpc, ldpc_code
from hil.models.separate.wifi import LIFTINGS, RATES

CODES = [(lifting, rate) for lifting in LIFTINGS for rate in RATES]


def expanded(code):
    """H, written out: the identity of each block with its columns moved to the right."""
    z = code.lifting
    identity, nothing = np.eye(z, dtype=np.uint8), np.zeros((z, z), np.uint8)
    return np.block([[np.roll(identity, s, axis=1) if s >= 0 else nothing for s in row] for row in code.base.tolist()])


def noisy(code, es_n0_db, words, seed=3):
    """Codewords over 16-QAM in white noise: the bits, and their ratios by commpy."""
    rng, modem = np.random.default_rng(seed), MQAMModulator(16)
    sent = code.encode(rng.integers(0, 2, (words, code.k), np.uint8))
    symbols, noise_var = modem.modulate(sent.ravel()), 10 ** (-es_n0_db / 10)
    noise = rng.normal(size=(2, symbols.size)) * np.sqrt(noise_var / 2)
    return sent, modem.soft_demodulate(symbols + noise[0] + 1j * noise[1], noise_var).reshape(words, -1).astype(np.float32)


@pytest.mark.parametrize(("lifting", "rate"), CODES)
def test_codewords_are_systematic_and_fulfil_all_checks(lifting, rate):
    code = Ldpc(lifting, rate)
    assert code.n == 24 * lifting
    assert code.k * int(rate[2]) == code.n * int(rate[0])
    information = np.random.default_rng(1).integers(0, 2, (5, code.k), np.uint8)
    words = code.encode(information)
    assert np.array_equal(words[:, : code.k], information)
    assert not (expanded(code).astype(int) @ words.T % 2).any()
    assert not code.parity(words).any()
    words[:, 7] ^= 1
    assert np.array_equal(code.parity(words), (expanded(code).astype(int) @ words.T % 2).T)


@pytest.mark.parametrize(("lifting", "rate"), CODES)
def test_base_matrices_have_the_form_that_the_standard_gives(lifting, rate):
    base = Ldpc(lifting, rate).base
    assert base.max() < lifting
    parity = base[:, 24 - len(base) :]
    first = parity[:, 0][parity[:, 0] >= 0].tolist()
    assert first == [first[-1], 0, first[-1]]
    for row in range(len(base) - 1):
        assert (parity[row, row + 1], parity[row + 1, row + 1]) == (0, 0)
    assert (parity[:, 1:] >= 0).sum() == 2 * (len(base) - 1)


def test_the_1944_code_of_rate_3_4_has_the_known_size():
    code = ldpc_code(81, "3/4")
    assert (code.n, code.k, int((code.base >= 0).sum())) == (1944, 1458, 85)


@pytest.mark.parametrize(("lifting", "rate", "es_n0_db"), [(27, "1/2", 5.5), (54, "2/3", 8.5), (81, "3/4", 10.0)])
def test_both_decoders_decide_alike(lifting, rate, es_n0_db):
    """Of more codewords than there are lanes: some right as they come, some soon, some never."""
    code = ldpc_code(lifting, rate)
    llr = np.concatenate([noisy(code, es_n0_db + more, 14)[1] for more in (-4.0, 0.0, 14.0)])
    for iterations in (0, 1, 12):
        plain, fast = (code.decode(llr, iterations=iterations, fast=one) for one in (False, True))
        assert all(np.array_equal(one, other) for one, other in zip(plain, fast, strict=True))
    assert {0, 12} <= set(fast.iterations)
    assert fast.valid.any()
    assert not fast.valid.all()
    alone = code.decode(llr[20:21], iterations=12)
    assert np.array_equal(alone.bits[0], fast.bits[20])


@pytest.mark.parametrize("fast", [False, True])
@pytest.mark.parametrize(("lifting", "rate", "shortened"), [(27, "5/6", 428), (81, "3/4", 300), (27, "1/2", 323)])
def test_blocks_that_are_shortened_change_nothing_by_being_left_out(lifting, rate, shortened, fast):
    code, rng = ldpc_code(lifting, rate), np.random.default_rng(5)
    information = rng.integers(0, 2, (30, code.k), np.uint8)
    information[:, -shortened:] = 0
    spread = np.linspace(0.6, 1.6, 30)[:, None]
    llr = (2 * (1 - 2.0 * code.encode(information) + spread * rng.normal(size=(30, code.n))) / spread**2).astype(np.float32)
    llr[:, code.k - shortened : code.k] = 1e4
    whole, less = (code.decode(llr, shortened=one, iterations=20, fast=fast) for one in (0, shortened))
    assert 0 < whole.valid.sum() < 30
    assert all(np.array_equal(one, other) for one, other in zip(whole, less, strict=True))


@pytest.mark.parametrize(("es_n0_db", "low", "high"), [(9.8, 0.6, 0.9), (10.2, 0.12, 0.35), (11.0, 0.0, 0.02)])
def test_frame_error_rates_in_white_noise_are_those_known(es_n0_db, low, high):
    code = ldpc_code(81, "3/4")
    sent, llr = noisy(code, es_n0_db, 200)
    made = code.decode(llr)
    wrong = (made.bits != sent).any(1)
    assert low <= wrong.mean() <= high
    assert np.array_equal(wrong, ~made.valid)  # no other codeword is as near
    assert (made.iterations[made.valid] <= 50).all()


def test_what_fits_no_code_is_refused():
    with pytest.raises(ConfigError, match="blocks of 27, 54, 81 and rates 1/2, 2/3, 3/4, 5/6, not 81 and 7/8"):
        Ldpc(81, "7/8")
    code = ldpc_code(27, "1/2")
    with pytest.raises(ShapeError, match=r"\[codeword, 324\]"):
        code.encode(np.zeros((1, 325), np.uint8))
    with pytest.raises(ShapeError, match=r"\[codeword, 648\]"):
        code.decode(np.zeros((1, 647), np.float32))
