"""The shape of a channel over frames: its error is the stated one, and a frame that disagrees starts anew."""

import numpy as np
import pytest
import torch

from hil.phy.estimate import delay_basis
from hil.phy.frame import FrameConfig, FrameFormat
from hil.phy.numerology import Numerology
from hil.phy.receive import Receiver, ReceiverConfig
from hil.phy.shape_plain import join
from tests.unit.phy.signals import gaussian, occupied, on_air

NUMEROLOGY = Numerology()
CARRIERS = np.array(NUMEROLOGY.carriers, float)
BASIS = delay_basis(NUMEROLOGY, -4, 16).numpy().T
LEVERAGE = (np.abs(BASIS) ** 2).sum(0)
LOOKS = 8


def channel(rng, taps=(1.0, 0.3)):
    """A static link's shape: taps with random phases, mean power 1."""
    phases = rng.uniform(0, 2 * np.pi, len(taps))
    total = sum(
        tap * np.exp(1j * phase - 2j * np.pi / 64 * CARRIERS * delay)
        for delay, (tap, phase) in enumerate(zip(taps, phases, strict=True))
    )
    return total / np.sqrt((np.abs(total) ** 2).mean())


def turned(shape, rng):
    """The same with a phase and a delay of its own."""
    delay, phase = rng.uniform(-1.5, 1.5), rng.uniform(0, 2 * np.pi)
    return shape * np.exp(1j * phase - 2j * np.pi / 64 * delay * CARRIERS)


def followed(frames, noise, rng, memory=1000.0):
    """Filters over frames; of each the response, what it rests on, its stated error, and whether it joined."""
    known, trust = np.zeros(52, complex), np.array([0.0, 1.0])
    for true in frames:
        looks = (rng.normal(size=52) + 1j * rng.normal(size=52)) * np.sqrt(noise / 2 / LOOKS)
        mean = true + looks
        found = join(mean, LOOKS, known, trust, noise, BASIS, LEVERAGE, CARRIERS, 64, memory)
        joined = found.mean is not None
        known = ((found.mean if joined else mean) @ BASIS.conj().T) @ BASIS
        trust = np.array([found.weight, found.unrest])
        yield known, found, joined


@pytest.mark.parametrize("noise", [4.0, 0.1])
def test_the_error_is_the_stated_one(noise):
    """Of 60 links each over 12 frames; what is stated is first order, and at −6 dB single frames are no longer small errors."""
    rng = np.random.default_rng(3)
    errors, stated = np.zeros(12), np.zeros(12)
    for _ in range(60):
        shape = channel(rng)
        frames = [turned(shape, rng) for _ in range(12)]
        for index, (response, found, joined) in enumerate(followed(frames, noise, rng)):
            assert joined == (index > 0)
            errors[index] += (np.abs(response - frames[index]) ** 2).mean() / noise / 60
            stated[index] += found.error.mean() / 60
    assert stated[0] == pytest.approx(16 / 52 / LOOKS)
    assert stated[-1] == pytest.approx(16 / 52 / LOOKS / 12 + 1.0 / 52 * (1 / LOOKS - 1 / 12 / LOOKS))
    assert errors == pytest.approx(stated, rel=0.35)
    assert errors[4:].mean() == pytest.approx(stated[4:].mean(), rel=0.2)


def test_a_long_memory_is_bounded():
    rng = np.random.default_rng(4)
    shape = channel(rng)
    *_, (_, found, _) = followed([turned(shape, rng) for _ in range(20)], 0.1, rng, memory=40.0)
    assert found.weight == 40 + LOOKS


def test_a_link_that_stays_never_starts_anew_and_one_that_changes_does():
    rng = np.random.default_rng(5)
    one, other = channel(rng), channel(rng, taps=(0.5, 0.9j, -0.4))
    joined = [good for *_, good in followed([turned(one, rng) for _ in range(400)], 1.0, rng, memory=256.0)]
    assert all(joined[1:])
    frames = [turned(one, rng) for _ in range(10)] + [turned(other, rng) for _ in range(10)]
    found = list(followed(frames, 0.1, rng))
    assert [good for *_, good in found] == [False] + [True] * 9 + [False] + [True] * 9
    assert found[10][1].weight == LOOKS
    assert (np.abs(found[10][0] - frames[10]) ** 2).mean() < 3 * 0.1 * 16 / 52 / LOOKS


@pytest.mark.parametrize(("access", "cfo"), [("oma", None), ("noma", None), ("oma", (0.004, -0.003))])
def test_frames_with_few_sounding_symbols_cost_less_of_the_snr(access, cfo):
    """At 0 dB, 4 symbols, 8 frames: the receiver's own bookkeeping, with delays of whole samples between frames."""
    form = FrameFormat(FrameConfig(tasks_per_frame=12, sounding_symbols=4, header_repetitions=2), occupied(access))
    channels = [[(0, 0.95), (1, 0.2j)], [(0, 0.9), (2, -0.2)]]
    settings = {"max_cfo_hz": 20e3, "phase_walk_rad2": 1e-4} if cfo else {"phase_noise_rad": 0.035}
    errors = {}
    for memory in (0, 200):
        receiver, known, total, observed = Receiver(form, ReceiverConfig(**settings, shape_memory=memory)), None, [], []
        for number in range(8):
            sent = gaussian(form, number)
            burst = on_air(form, sent, number, snr_db=0.0, seed=number, lead=300 + 7 * number, channels=channels, cfo=cfo)
            (frame,) = receiver.receive(burst, known=known)
            assert frame.number == number
            assert not frame.anew
            known = frame.shape
            total.append(float((frame.response[0] - _true(channels[0], frame, known)).abs().square().mean()))
            observed.append(frame.observed.ratio)
        errors[memory] = np.mean(total[2:])
        assert np.mean(observed) == pytest.approx(1, abs=0.15)
    assert errors[200] < 0.5 * errors[0]


def _true(taps, frame, known):
    """The link's response, turned as the frame has it, and delayed by whole samples as it was found."""
    carriers = torch.tensor(CARRIERS)
    shape = sum(tap * torch.exp(-2j * torch.pi / 64 * carriers * delay) for delay, tap in taps).to(torch.complex64)
    best = None
    for delay in np.arange(-3, 3.01, 1.0):
        moved = shape * torch.exp(-2j * torch.pi / 64 * carriers * delay).to(torch.complex64)
        level = torch.vdot(moved, frame.response[0])
        if best is None or abs(level) > abs(best[0]):
            best = level, moved
    return best[1] * best[0] / best[0].abs()
