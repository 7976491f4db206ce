"""Codewords of two transmitters: cos², coherent gain and the power of their sum, with known answers."""

import pytest
import torch

from hil.models.contract import Plan, Sent, normalize_power
from hil.results.codewords import codeword_rows, strangers

TASKS, USES = 600, 16
PEOPLE = torch.arange(TASKS) // 4


def plan(occupied):
    return Plan(occupied=torch.tensor(occupied, dtype=torch.bool))


def noma(transmitters=2):
    return plan([[True] * USES] * transmitters)


def normal(seed, *shape):
    return torch.randn(*shape, dtype=torch.complex64, generator=torch.Generator().manual_seed(seed))


def rows(own, symbols):
    return codeword_rows("x", own, Sent(symbols=normalize_power(symbols, own.occupied)), PEOPLE, seed=1)


def test_codewords_of_an_identity_are_alike_and_those_of_others_are_at_chance():
    words = normal(0, int(PEOPLE.max()) + 1, USES)[PEOPLE]
    [one] = rows(noma(), torch.stack([words, words]))
    assert one.cos2 == pytest.approx(1, abs=1e-5)
    assert one.coherent_gain == pytest.approx(2, abs=1e-5)
    assert one.power_of_sum == pytest.approx(4, abs=1e-4)
    low, high = one.cos2_others_ci
    assert low < one.cos2_chance < high
    assert one.cos2_chance == 1 / (2 * USES)
    assert one.coherent_gain_others == pytest.approx(1, abs=0.08)


def test_independent_codewords_are_at_chance_and_do_not_add_up():
    [one] = rows(noma(), normal(3, 2, TASKS, USES))
    low, high = one.cos2_ci
    assert low < one.cos2_chance < high
    assert one.coherent_gain == pytest.approx(1, abs=0.04)
    assert one.power_of_sum == pytest.approx(2, abs=0.08)


def test_what_all_codewords_share_is_seen_in_those_of_others():
    common = normal(5, 1, 1, USES)
    [one] = rows(noma(), common + 0.1 * normal(6, 2, TASKS, USES))
    assert one.cos2_others == pytest.approx(one.cos2, abs=0.02)
    assert one.cos2_others > 0.9


def test_those_that_take_turns_never_add_up():
    half = USES // 2
    own = plan([[True] * half + [False] * half, [False] * half + [True] * half])
    word = normal(7, TASKS, half)
    symbols = torch.zeros(2, TASKS, USES, dtype=torch.complex64)
    symbols[0, :, :half], symbols[1, :, half:] = word, word
    [one] = rows(own, symbols)
    assert (one.uses, one.coherent_gain, one.coherent_gain_ci) == (half, 1.0, None)
    assert one.cos2 == pytest.approx(1, abs=1e-5)
    assert one.power_of_sum == pytest.approx(1, abs=1e-5)


def test_every_pair_has_an_entry_and_one_transmitter_none():
    assert [one.transmitters for one in rows(noma(3), normal(8, 3, TASKS, USES))] == [(0, 1), (0, 2), (1, 2)]
    assert rows(noma(1), normal(9, 1, TASKS, USES)) == []


def test_strangers_are_of_other_identities():
    other = strangers(PEOPLE, 1)
    assert bool((PEOPLE[other] != PEOPLE).all())
    assert torch.equal(other, strangers(PEOPLE, 1))
    assert strangers(torch.zeros(5, dtype=torch.int64), 1) is None
