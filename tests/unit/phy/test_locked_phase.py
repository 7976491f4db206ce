"""A locked clock is a prior of the phase: few pilots are weighed against what the sounding said (MAP)."""

import math

import pytest
import torch

from hil.phy.frame import FrameConfig, FrameFormat
from hil.phy.receive import Receiver, ReceiverConfig
from tests.unit.phy.signals import bits, gaussian, noise, occupied, on_air

WANDER = 0.035
SOUNDING = 6
LOCKED, ALONE = ReceiverConfig(phase_noise_rad=WANDER), ReceiverConfig()


def short(access="single", uses=40):
    """Frames of one task; of one transmitter they have one payload symbol with four pilots."""
    return FrameFormat(FrameConfig(tasks_per_frame=1, sounding_symbols=SOUNDING), occupied(access, uses))


def turned(form, seed, phase, snr_db):
    """A burst whose payload is turned by a phase against its sounding and header."""
    burst = on_air(form, gaussian(form, seed), seed % 65536, snr_db=200)
    burst[333 + form.sounding_start + form.payload_index * form.numerology.symbol_samples :] *= complex(
        math.cos(phase), math.sin(phase)
    )
    return burst + noise(len(burst), 10 ** (-snr_db / 10), seed)


def phases(count, spread, seed=1):
    generator = torch.Generator().manual_seed(seed)
    return (torch.randn(count, generator=generator) * spread).tolist()


def rms(values):
    return math.sqrt(sum(value**2 for value in values) / len(values))


def track_errors(form, snr_db, truth, config, fast=None):
    """Estimated less true phase of the payload, and observed over true noise there, over all frames."""
    receiver = Receiver(form, config.model_copy(update={"reference": 1.0}), fast=fast)  # `channel` keeps the phase
    errors, seen, count = [], 0.0, 0
    for seed, phase in enumerate(truth):
        (frame,) = receiver.receive(turned(form, seed, phase, snr_db))
        for tx in range(form.transmitters):
            own = frame.channel[tx][:, form.occupied[tx]]
            errors.append(float(own.mean().angle()) - phase)
        seen += float(frame.observed.symbol_error[form.payload_index :].sum())
        count += int(frame.observed.symbol_count[form.payload_index :].sum())
    return errors, seen / count / 10 ** (-snr_db / 10)


def bound(pilots, snr_db, wander=WANDER):
    """Standard deviation of the MAP phase of one symbol: pilots' thermal noise beside the prior and the sounding's own."""
    half = 0.5 * 10 ** (-snr_db / 10)
    return 1 / math.sqrt(pilots / half + 1 / (wander**2 + half / (52 * SOUNDING)))


@pytest.mark.parametrize("fast", [True, False])
@pytest.mark.parametrize("snr_db", [3.0, 12.0])
def test_few_pilots_are_weighed_against_the_sounding(snr_db, fast):
    if fast:
        pytest.importorskip("numba")
    form, truth = short(), phases(300, WANDER)
    assert form.symbols - form.payload_index == 1
    errors, observed = track_errors(form, snr_db, truth, LOCKED, fast)
    assert rms(errors) == pytest.approx(bound(4, snr_db), rel=0.12)  # 300 looks: 4 % standard deviation
    assert sum(errors) / len(errors) == pytest.approx(0, abs=4 * bound(4, snr_db) / math.sqrt(len(errors)))
    assert observed == pytest.approx(1, abs=4 / math.sqrt(4 * len(truth)))
    alone, _ = track_errors(form, snr_db, truth, ALONE, fast)
    assert rms(alone) == pytest.approx(math.sqrt(0.5 * 10 ** (-snr_db / 10) / 4), rel=0.15)
    assert rms(errors) < (0.3 if snr_db < 6 else 0.6) * rms(alone)


def test_superposed_transmitters_with_two_pilots_each():
    form = short("noma")
    errors, observed = track_errors(form, 6.0, phases(200, WANDER), LOCKED)
    assert rms(errors) == pytest.approx(bound(2, 6.0), rel=0.12)
    assert observed == pytest.approx(1, abs=4 / math.sqrt(4 * 200))


def test_what_a_short_frame_loses_is_what_it_must():
    """At 6 dB the error of the symbols is the noise, the sounding's share and the MAP phase's variance: no more."""
    form, truth, snr = short(), phases(300, WANDER), 6.0
    losses = {}
    for config in (LOCKED, ALONE):
        receiver, error = Receiver(form, config), 0.0
        for seed, phase in enumerate(truth):
            (frame,) = receiver.receive(turned(form, seed, phase, snr))
            error += float((frame.symbols - gaussian(form, seed).sum(0)).abs().square().mean()) / len(truth)
        losses[config.phase_noise_rad] = 10 * math.log10(error / 10 ** (-snr / 10))
    c = 16 / (52 * SOUNDING)
    due = 10 * math.log10((1 + c) * (1 + c * 10 ** (-snr / 10)) + bound(4, snr) ** 2 / 10 ** (-snr / 10))
    assert losses[WANDER] == pytest.approx(due, abs=0.2)
    assert losses[None] > due + 0.35


def test_a_phase_that_contradicts_the_sounding_is_followed():
    """A payload turned by 1 rad is no locked clock: pilots alone then say the phase, to the bit."""
    form = FrameFormat(FrameConfig(tasks_per_frame=84, sounding_symbols=SOUNDING), occupied("single"))
    burst = turned(form, 3, 1.0, 20.0)
    with_prior, without = Receiver(form, LOCKED).receive(burst), Receiver(form, ALONE).receive(burst)
    assert bits(with_prior) == bits(without)
    errors, _ = track_errors(short(), 20.0, [1.0] * 20, LOCKED)
    assert max(abs(error) for error in errors) < 4 * math.sqrt(0.5 * 10**-2 / 4)


def test_free_oscillators_have_no_such_prior():
    form = short()
    config = ReceiverConfig(max_cfo_hz=20e3, phase_walk_rad2=1e-4)
    burst = turned(form, 1, 0.02, 15.0)
    one, other = (Receiver(form, c).receive(burst) for c in (config, config.model_copy(update={"phase_noise_rad": WANDER})))
    assert bits(one) == bits(other)
