"""The mathematical channel: closed forms of the error, draws that are functions of their number, ideal knowledge."""

import itertools
import math

import pytest
import torch

from hil.models.contract import Features, Plan
from hil.points import simulate as module
from hil.points.simulate import Medium, awgn_noise, seed_of, simulate
from tests.unit.points.contenders import PIXELS, Pixels, contender


def error_rate(snr_db):
    """Of the sign of a real ±1 in complex noise: Q(√(2 SNR))."""
    return 0.5 * math.erfc(math.sqrt(10 ** (snr_db / 10)))


def medium(plan, snr_db):
    return Medium(noise_var=awgn_noise(plan, [snr_db]))


def rights(one, snr_db=0.0, *, draws=4, seed=1, key=("bits", None), **more):
    """Share of right signs of each task, averaged over the draws."""
    media = more.pop("media", None) or dict.fromkeys(one.plan.receivers, medium(one.plan, snr_db))
    sample = simulate(one, more.pop("sent", None) or one.encode(), media, draws=draws, seed=seed, **more)[key]
    assert sample.draw.unique().tolist() == list(range(draws))
    count = len(sample) // draws
    order = torch.argsort(sample.draw, stable=True)  # workers share the draws among them
    return sample.tasks.values["right"][order].double().view(draws, count).mean(0)


@pytest.mark.parametrize("snr_db", [-6.0, 0.0, 6.0])
def test_the_error_rate_is_the_one_of_theory(snr_db):
    one = contender(Pixels(), tasks=300)
    share = rights(one, snr_db, draws=20)
    looks = 300 * 20 * PIXELS
    expected = error_rate(snr_db)
    assert 1 - float(share.mean()) == pytest.approx(expected, abs=4 * math.sqrt(expected * (1 - expected) / looks) + 1e-9)
    assert share.dtype == torch.float64
    assert share.shape == (300,)


def test_a_draw_hangs_on_seed_and_number_alone(monkeypatch):
    one = contender(Pixels(), tasks=40)
    whole = rights(one, draws=6)
    sums = [rights(one, draws=count) * count for count in range(1, 7)]
    steps = [sums[0], *(after - before for before, after in itertools.pairwise(sums))]
    for step in steps:  # each draw by itself: eighths of right signs
        assert torch.allclose(step * PIXELS, (step * PIXELS).round(), atol=1e-6)
    assert not torch.equal(steps[0], steps[1])
    monkeypatch.setattr(module, "SIMULATED_AT_ONCE", 41)  # other shares for the workers
    assert torch.allclose(rights(one, draws=6), whole)
    monkeypatch.setattr(module, "WORKERS", 1)
    assert torch.allclose(rights(one, draws=6), whole)
    assert not torch.equal(rights(one, draws=6, seed=2), whole)


def test_tasks_are_those_of_the_index():
    one = contender(Pixels(), tasks=4)
    index = torch.tensor([3, 3, 0])
    sent = one.encode()
    part = type(sent)(symbols=sent.symbols[:, index])
    assert rights(one, 40.0, sent=part, index=index).tolist() == [1, 1, 1]
    assert float(rights(one, 40.0, sent=part).mean()) < 1  # judged as tasks 0, 1, 2


def test_the_channel_is_on_the_symbols_and_known_where_it_is_asked_for():
    """h = −1 turns every sign; a decoder that is told turns it back."""

    class Knowing(Pixels):
        def decode(self, received, blocks=("all",), side=None):
            one = received["rx"]
            symbols = one.symbols * one.channel[0].conj()
            return Features(features=symbols.real[:, None], erased=torch.zeros(len(symbols), dtype=torch.bool))

    blind, knowing = contender(Pixels(), tasks=30), contender(Knowing(rx_csi="channel"), tasks=30)
    turned = Medium(noise_var=torch.full((1, 1), 1e-4), channel=-torch.ones(1, 30, PIXELS, dtype=torch.complex64))
    assert rights(blind, media={"rx": turned}).tolist() == [0] * 30
    assert rights(knowing, media={"rx": turned}).tolist() == [1] * 30


def test_noise_and_power_are_told_as_they_are():
    one = contender(Pixels(rx_csi="snr"), tasks=3)
    rights(one, 3.0, draws=1, power=(2.0,))
    told = one.scheme.decoded[0][0]["rx"]
    assert told.noise_var[0].tolist() == pytest.approx([10**-0.3] * PIXELS)
    assert told.scale.tolist() == pytest.approx([2**0.5])


def test_each_receiver_has_a_medium_and_noise_of_its_own():
    class Apart(Pixels):
        def decode(self, received, blocks=("all",), side=None):
            return {name: Pixels.decode(self, {name: one}) for name, one in received.items()}

    one = contender(Apart(receivers=("near", "far")), tasks=200)
    media = {"near": medium(one.plan, 4.0), "far": medium(one.plan, -4.0)}
    for name, snr_db in (("near", 4.0), ("far", -4.0)):
        share = rights(one, media=media, draws=10, key=("bits", name))
        assert 1 - float(share.mean()) == pytest.approx(error_rate(snr_db), abs=0.012)
    same = dict.fromkeys(("near", "far"), medium(one.plan, 0.0))
    near, far = (rights(one, media=same, key=("bits", name)) for name in ("near", "far"))
    assert not torch.equal(near, far)


def test_nothing_is_heard_on_uses_of_nobody():
    occupied = torch.tensor([[True] * 6 + [False] * 2])
    one = contender(Pixels(occupied, rx_csi="snr"), tasks=5)
    rights(one, 0.0, draws=1)
    told = one.scheme.decoded[0][0]["rx"]
    assert not told.symbols[:5, 6:].any()
    assert not told.valid[:5, 6:].any()
    assert not told.noise_var[:5, 6:].any()  # as over the air: no use, no noise that a mean could be spoilt by


def test_progress_is_told_in_draws():
    told = []
    one = contender(Pixels(), tasks=5)
    rights(one, draws=7, progress=told.append)
    assert sum(told) == 7


def test_awgn_noise_of_turns_and_of_superposed():
    turns = Plan(occupied=torch.tensor([[True, False, False], [False, True, False]]))
    assert awgn_noise(turns, [10.0, 0.0]).tolist() == [[pytest.approx(0.1), pytest.approx(1.0), 0.0]]
    assert awgn_noise(turns, [3.0]).tolist() == [[pytest.approx(10**-0.3)] * 2 + [0.0]]
    both = Plan(occupied=torch.ones(2, 2, dtype=torch.bool))
    assert awgn_noise(both, [10.0, 0.0]).tolist() == [[pytest.approx(1 / 5.5)] * 2]  # the linear mean of the links


def test_seeds_are_apart_and_always_the_same():
    seeds = {seed_of(seed, *names) for seed in (1, 2) for names in ((), ("a",), ("b",), ("a", 1), ("a", 2), ("a", "b"))}
    assert len(seeds) == 12
    assert seed_of(1, "fade", 0) == 103109994324287  # a run is repeated by it, on any machine
    assert all(0 <= seed < 2**48 for seed in seeds)


def test_no_more_is_drawn_than_the_headline_needs_where_nothing_is_compared():
    one, told = contender(Pixels(), tasks=60), []
    noise_var = torch.tensor([1e-6, 10.0]).repeat(30)[:, None]  # easy and hard tasks: what they differ by is not the draws'
    media = {"rx": Medium(noise_var=noise_var)}
    every = simulate(one, one.encode(), media, draws=200, seed=1)["bits", None]
    few = simulate(one, one.encode(), media, draws=200, seed=1, compared=False, progress=told.append)["bits", None]
    count = len(few.draw.unique())
    assert 4 <= count < 200
    assert sum(told) == 200
    for draw in range(count):  # the same ones
        own = [sample.tasks.values["right"][sample.draw == draw] for sample in (few, every)]
        assert torch.equal(*own)
    assert len(simulate(one, one.encode(), media, draws=3, seed=1, compared=False)["bits", None].draw.unique()) == 3
