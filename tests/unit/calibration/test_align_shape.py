"""The shape of transmitters' responses, learned from their soundings and from frames."""

import numpy as np
import pytest
import torch

from hil.calibration.align_shape import ResponseShape
from hil.calibration.alignment import relative_to_first
from hil.phy.numerology import Numerology

NUMEROLOGY = Numerology()
CARRIERS = np.array(NUMEROLOGY.carriers)
TRUE = np.stack([1 + 0.3 * np.exp(-2j * np.pi * CARRIERS * 2 / 64), 0.7 - 0.2j * np.exp(-2j * np.pi * CARRIERS * 3 / 64)])
TRUE /= np.sqrt(np.mean(np.abs(TRUE) ** 2, axis=1, keepdims=True))
SNR = torch.tensor([0.25, 0.25])
ONCE = np.full(2, 16.0)


def heard(symbols, seed, phases=(0.0, 0.0)):
    """The two responses as so many sounding symbols at −6 dB tell them, each turned by a phase."""
    draw = np.random.default_rng(seed)
    noise = (draw.standard_normal((2, 52)) + 1j * draw.standard_normal((2, 52))) * np.sqrt(1.0 / 0.25 / symbols / 2)
    taps = np.exp(-2j * np.pi * np.outer(np.arange(-4, 12), CARRIERS) / 64)
    basis = np.linalg.qr(taps.T)[0]
    smooth = (basis @ (basis.conj().T @ noise.T)).T
    return torch.from_numpy((TRUE * np.exp(1j * np.array(phases))[:, None] + smooth).astype(np.complex64))


def error(shape):
    """Error power of what the shape makes of a perfect look, relative to the responses'."""
    found = shape.of(torch.from_numpy(TRUE.astype(np.complex64))).numpy()
    return float(np.mean(np.abs(found - TRUE) ** 2) / np.mean(np.abs(TRUE) ** 2))


def test_soundings_are_averaged_whatever_their_phases():
    errors = []
    for count in (1, 8):
        several = []
        for trial in range(20):
            shape = ResponseShape(NUMEROLOGY, 16)
            for index in range(count):
                assert shape.learn(heard(16, 100 * trial + index, (0.3 * index, -0.9 * index)), SNR, 16)
            assert shape.weight == pytest.approx(count * 16 * SNR.numpy())
            several.append(error(shape))
        errors.append(np.mean(several))
    assert errors[1] == pytest.approx(errors[0] / 8, rel=0.4)


def test_a_response_that_rests_on_the_shape_takes_its_place():
    """What a filter made of the shape and its own look: learned as one look more, not as one beside the shape."""
    one, own = heard(16, 1), heard(8, 2)
    shape, filtered = ResponseShape(NUMEROLOGY, 16), ResponseShape(NUMEROLOGY, 16)
    for both in (shape, filtered):
        both.learn(one, SNR, 16)
    shape.learn(own, SNR, 8)
    joined = shape.of(own)
    filtered.learn(joined, SNR, 8, before=ONCE)
    assert filtered.weight == pytest.approx(shape.weight)
    assert torch.allclose(filtered.of(own).abs(), joined.abs(), atol=1e-5)  # but for the delay, see below
    beside = ResponseShape(NUMEROLOGY, 16)
    beside.learn(one, SNR, 16)
    beside.learn(joined, SNR, 8)
    assert not torch.allclose(beside.of(own).abs(), joined.abs(), atol=1e-2)


def test_what_rests_on_the_shape_keeps_no_more_of_a_delay_than_its_own_symbols_tell():
    """A filter fits delays to its own few symbols alone."""
    shape = ResponseShape(NUMEROLOGY, 16)
    plain = torch.from_numpy(TRUE.astype(np.complex64))
    shape.learn(plain, SNR, 56)
    late = plain * torch.from_numpy(np.exp(-2j * np.pi * CARRIERS * np.array([[0.0], [0.08]]) / 64).astype(np.complex64))
    shape.learn(late, SNR, 8, before=np.full(2, 56.0))
    (found,) = relative_to_first(torch.stack([plain[1], shape.of(plain)[1]]), NUMEROLOGY)
    assert found.delay_samples == pytest.approx(0.01, abs=1e-3)


def test_a_level_holds_until_gains_are_set_anew():
    """A look at few symbols does not move what many said of a level; after new gains it alone tells it."""
    shape = ResponseShape(NUMEROLOGY, 16)
    for index in range(16):
        shape.learn(heard(16, index), SNR, 16)
    few = 1.1 * heard(8, 99)

    def level():
        return float(shape.of(few).abs().square().mean() ** 0.5 / np.mean(np.abs(TRUE) ** 2) ** 0.5)

    shape.learn(few, SNR, 8)
    assert level() == pytest.approx(1, abs=0.03)
    shape.forget_levels()
    assert not shape.known
    shape.learn(2 * few, SNR, 8)
    assert shape.known
    assert level() == pytest.approx(2.2, rel=0.1)


def test_another_channel_begins_anew_or_is_left_out():
    shape = ResponseShape(NUMEROLOGY, 16)
    snr = torch.tensor([100.0, 100.0])
    plain = torch.from_numpy(TRUE.astype(np.complex64))
    assert shape.learn(plain, snr, 8)
    other = plain.flip(0)
    assert not shape.learn(other, snr, 8, anew=False)
    assert torch.allclose(shape.of(plain), plain, atol=1e-5)
    assert not shape.learn(other, snr, 8)
    assert torch.allclose(shape.of(other), other, atol=1e-5)
