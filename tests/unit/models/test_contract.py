"""The scheme contract: power, and what a receiver tells a scheme of a given plan."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hil.errors import ShapeError
from hil.models.contract import Plan, Received, Sent, access, normalize_power, power_used
from hil.models.training.awgn import receive_awgn


@given(tasks=st.integers(1, 5), seed=st.integers(0, 999), level=st.floats(1e-3, 1e3))
@settings(max_examples=30, deadline=None)
def test_power_is_one_on_occupied_uses_and_zero_elsewhere(tasks, seed, level):
    generator = torch.Generator().manual_seed(seed)
    occupied = torch.rand(2, 12, generator=generator) < 0.5
    occupied[:, 0] = True
    raw = level * torch.view_as_complex(torch.randn(2, tasks, 12, 2, generator=generator))
    sent = normalize_power(raw, occupied)
    mean = sent.abs().square().sum(-1) / occupied.sum(1)[:, None]
    torch.testing.assert_close(mean, torch.ones(2, tasks), rtol=1e-4, atol=1e-4)
    assert bool((sent[~occupied[:, None].expand_as(sent)] == 0).all())
    torch.testing.assert_close(power_used(sent, occupied), mean)


def test_power_counts_the_uses_that_a_codeword_really_has():
    symbols = torch.tensor([[[2.0 + 0j, 0, 0, 0], [1, 1, 0, 0]]])
    occupied = torch.ones(1, 4, dtype=torch.bool)
    assert power_used(symbols, occupied).tolist() == [[1.0, 0.5]]
    assert power_used(symbols, occupied, torch.tensor([[1, 2]])).tolist() == [[4.0, 1.0]]
    assert power_used(symbols[:, :, :0], occupied[:, :0]).tolist() == [[0.0, 0.0]]  # no use, no division by zero


def test_the_first_tasks_hold_no_memory_of_the_others():
    sent = Sent(
        symbols=torch.arange(24.0).reshape(2, 4, 3) + 0j, length=torch.tensor([[3, 2, 1, 3]] * 2), side={"a": torch.arange(4)}
    )
    first = sent.first(2)
    torch.testing.assert_close(first.symbols, sent.symbols[:, :2])
    assert first.length.tolist() == [[3, 2]] * 2
    assert first.side["a"].tolist() == [0, 1]
    assert first.symbols.untyped_storage().nbytes() == 2 * 2 * 3 * 8


def test_access_is_said_of_the_uses_not_of_a_name():
    turns = torch.tensor([[True, True, False], [False, False, True]])
    assert access(turns[:1]) == "single"
    assert access(turns) == "oma"
    assert access(torch.tensor([[True, True, False], [False, True, True]])) == "noma"
    plan = Plan(occupied=turns)
    assert (plan.transmitters, plan.uses, plan.superposed, plan.access) == (2, 3, False, "oma")


def test_a_plan_is_checked():
    with pytest.raises(ShapeError, match=r"bool \[tx, use\], not torch.float32 \(3,\)"):
        Plan(occupied=torch.ones(3))
    occupied = torch.ones(1, 3, dtype=torch.bool)
    for receivers in ((), ("rx", "rx")):
        with pytest.raises(ShapeError, match=r"at least one receiver, each once"):
            Plan(occupied=occupied, receivers=receivers)


def told(rx_csi, **known):
    """What a plan of two transmitters on the uses 0, 1 and 1, 2 is told."""
    plan = Plan(occupied=torch.tensor([[True, True, False], [False, True, True]]), rx_csi=rx_csi)
    symbols = torch.arange(6).reshape(2, 3).to(torch.complex64)
    return Received.for_plan(plan, symbols=symbols, noise_var=torch.tensor([[0.5]]), **known)


@pytest.mark.parametrize("rx_csi", ["none", "snr", "channel"])
def test_a_scheme_is_told_no_more_than_it_asked_for(rx_csi):
    got = told(rx_csi)
    assert got.symbols.real.flatten().tolist() == [0, 1, 2, 3, 4, 5]
    assert got.valid.all()  # every use of this plan is somebody's
    assert got.scale.tolist() == [1.0, 1.0]
    if rx_csi == "none":
        assert got.noise_var is None
    else:
        assert got.noise_var.tolist() == [[0.5] * 3] * 2
    if rx_csi == "channel":  # 1 where a transmitter owns the use, else 0
        assert got.channel.tolist() == [[[1, 1, 0]] * 2, [[0, 1, 1]] * 2]
    else:
        assert got.channel is None


def test_the_channel_is_known_on_owned_uses_only_and_power_becomes_an_amplitude():
    channel = torch.full((2, 2, 3), 0.3j)
    got = told("channel", channel=channel, power=(4.0, 1.0), valid=torch.zeros(2, 3, dtype=torch.bool))
    assert torch.equal(got.channel[0], torch.tensor([[0.3j, 0.3j, 0]] * 2))
    assert torch.equal(got.channel[1], torch.tensor([[0, 0.3j, 0.3j]] * 2))
    assert got.scale.tolist() == [2.0, 1.0]
    assert not got.valid.any()


def test_rows_of_a_batch_are_padded_with_zeros():
    got = told("channel").rows(1, 1, 4)
    assert got.symbols.shape == (4, 3)
    assert got.symbols[0].real.tolist() == [3, 4, 5]
    assert not got.symbols[1:].any()
    assert not got.valid[1:].any()
    assert got.noise_var.shape == (4, 3)
    assert got.channel.shape == (2, 4, 3)
    assert got.channel[:, 0].tolist() == [[1, 1, 0], [0, 1, 1]]
    whole = told("none").rows(0, 2, 2)
    assert torch.equal(whole.symbols, told("none").symbols)
    assert (whole.noise_var, whole.channel) == (None, None)


def test_awgn_has_the_stated_noise_power():
    generator = torch.Generator().manual_seed(0)
    snr_db = torch.tensor([-6.0, 0.0, 12.0])
    plan = Plan(occupied=torch.ones(2, 40_000, dtype=torch.bool), rx_csi="snr")
    received = receive_awgn(plan, torch.zeros(2, 3, 40_000, dtype=torch.complex64), snr_db, generator)
    power = received.symbols.abs().square().mean(1)
    torch.testing.assert_close(power, 10 ** (-snr_db / 10), rtol=0.03, atol=0)
    torch.testing.assert_close(received.symbols.real.square().mean(1), power / 2, rtol=0.05, atol=0)
    torch.testing.assert_close(received.noise_var[:, 0], 10 ** (-snr_db / 10))
    exact = receive_awgn(plan, torch.full((2, 1, 40_000), 1j), math.inf)
    assert torch.equal(exact.symbols, torch.full((1, 40_000), 2j))
