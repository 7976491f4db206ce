"""The receiver: round trips whose truth is known, what must not be found, and what is measured beside the symbols."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from hil.errors import ShapeError
from hil.phy import header
from hil.phy.frame import FrameConfig, FrameFormat, sounding_symbols_for
from hil.phy.numerology import Numerology
from hil.phy.receive import Receiver, ReceiverConfig
from hil.units import power_to_db
from tests.unit.phy.signals import bits, gaussian, noise, occupied, on_air

WIDE = Numerology(fft_size=256, cyclic_prefix=32, active_half=100, pilots=8)


@pytest.mark.parametrize("access", ["single", "oma", "noma"])
@pytest.mark.parametrize("interleave", [True, False])
def test_what_is_sent_is_what_is_received(access, interleave):
    form = FrameFormat(FrameConfig(tasks_per_frame=7, interleave=interleave), occupied(access))
    symbols = gaussian(form, 3)
    (frame,) = Receiver(form, ReceiverConfig()).receive(on_air(form, symbols, 40_001))
    assert frame.number == 40_001
    assert frame.start == 333
    error = (frame.symbols - symbols.sum(0)).abs().square().mean()
    assert power_to_db(float(error)) < -60
    for tx in range(form.transmitters):
        own = form.occupied[tx]
        assert (frame.channel[tx][:, own] - 1).abs().max() < 1e-2
        assert frame.channel[tx][:, ~own].abs().sum() == 0


@given(
    transmitters=st.integers(1, 4),
    uses=st.integers(1, 40),
    tasks=st.integers(1, 9),
    number=st.integers(0, 65535),
    lead=st.integers(0, 500),
    seed=st.integers(0, 1000),
)
@settings(max_examples=25, deadline=None)
def test_any_payload_any_number_of_transmitters(transmitters, uses, tasks, number, lead, seed):
    generator = torch.Generator().manual_seed(seed)
    mask = torch.rand(transmitters, uses, generator=generator) < 0.6
    mask[:, 0] = True
    form = FrameFormat(FrameConfig(tasks_per_frame=tasks, sounding_symbols=4), mask)
    symbols = gaussian(form, seed)
    frames = Receiver(form, ReceiverConfig()).receive(on_air(form, symbols, number, lead=lead, seed=seed))
    assert [(frame.number, frame.start) for frame in frames] == [(number, lead)]
    scale = mask.sum(0).max()
    assert float((frames[0].symbols - symbols.sum(0)).abs().square().mean()) < 1e-4 * float(scale)


def test_several_frames_in_one_window_in_order():
    form = FrameFormat(FrameConfig(tasks_per_frame=3), occupied("single"))
    symbols = gaussian(form, 5)
    bursts = [on_air(form, symbols, number, lead=100 + 37 * number, seed=number) for number in range(3)]
    frames = Receiver(form, ReceiverConfig()).receive(torch.cat(bursts))
    assert [frame.number for frame in frames] == [0, 1, 2]


@pytest.mark.parametrize("access", ["single", "oma", "noma"])
@pytest.mark.parametrize("snr_db", [-6.0, 0.0, 15.0])
def test_awgn_error_is_close_to_the_noise(access, snr_db):
    sounding = sounding_symbols_for(snr_db, taps=16, active=52)
    config = FrameConfig(sounding_symbols=sounding, header_repetitions=header.repetitions_for(snr_db))
    form = FrameFormat(config, occupied(access))
    receiver = Receiver(form, ReceiverConfig())
    errors, ratios = [], []
    for number in range(10):
        symbols = gaussian(form, number)
        (frame,) = receiver.receive(on_air(form, symbols, number, snr_db=snr_db, seed=number + 50))
        assert frame.number == number
        errors.append(float((frame.symbols - symbols.sum(0)).abs().square().mean()))
        ratios.append(frame.snr)
    loss = power_to_db(float(np.mean(errors))) + snr_db
    assert -0.1 < loss < 0.5
    measured = [power_to_db(value) for value in torch.stack(ratios).mean(0).tolist()]
    # The silent symbols of ten frames hold 520 looks at the noise: 0.19 dB standard deviation.
    assert measured == pytest.approx([snr_db] * form.transmitters, abs=0.7)


def test_multipath_within_the_prefix_is_equalised():
    form = FrameFormat(FrameConfig(sounding_symbols=8), occupied("noma"))
    channels = [[(0, 1.0), (2, 0.1j), (5, 0.05)], [(1, 0.9), (3, -0.1)]]
    symbols = gaussian(form, 2)
    (frame,) = Receiver(form, ReceiverConfig(aligned=False)).receive(on_air(form, symbols, 1, channels=channels))
    expected = (frame.channel * symbols).sum(0)
    assert power_to_db(float((frame.symbols - expected).abs().square().mean())) < -55
    carriers = torch.tensor(form.numerology.carriers)
    truth = [sum(tap * torch.exp(-2j * math.pi / 64 * carriers * delay) for delay, tap in taps) for taps in channels]
    for tx in (0, 1):
        assert (frame.response[tx] - truth[tx]).abs().max() < 1e-2


@pytest.mark.parametrize("access", ["single", "oma", "noma"])
def test_cfo_of_several_carriers_is_found_and_tracked(access):
    form = FrameFormat(FrameConfig(sounding_symbols=16), occupied(access))
    second = 0.8 if access == "oma" else -2.99
    cfo = [-3.0 / 64, second / 64][: form.transmitters]
    config = ReceiverConfig(max_cfo_hz=98e3, center_freq_hz=1e15, aligned=False)  # no clock drift in this signal
    receiver = Receiver(form, config)
    for snr_db, bound in ((0.0, 1.0), (20.0, 1.0)):
        symbols = gaussian(form, 4)
        (frame,) = receiver.receive(on_air(form, symbols, 9, snr_db=snr_db, cfo=cfo, seed=3))
        assert frame.number == 9
        assert (frame.cfo_hz / 1e6).tolist() == pytest.approx(cfo, abs=2e-3 / 64)
        error = (frame.symbols - (frame.channel * symbols).sum(0)).abs().square().mean()
        assert power_to_db(float(error)) + snr_db < bound


def test_noise_foreign_signals_and_bad_input_give_no_frame():
    form = FrameFormat(FrameConfig(tasks_per_frame=3), occupied("single"))
    other = FrameFormat(FrameConfig(tasks_per_frame=3, seed=99), occupied("single"))
    receiver = Receiver(form, ReceiverConfig())
    assert receiver.receive(noise(200_000, 1.0, 1)) == []
    assert receiver.receive(on_air(other, gaussian(other, 1), 5)) == []
    assert receiver.receive(torch.zeros(10_000, dtype=torch.complex64)) == []
    assert receiver.receive(torch.zeros(0, dtype=torch.complex64)) == []
    assert receiver.receive(np.zeros((0, 2), np.int16), full_scale=2048.0) == []
    assert receiver.receive(torch.full((9_000,), complex(math.nan, 0))) == []
    good = on_air(form, gaussian(form, 1), 5)
    assert receiver.receive(good[: len(good) - 600]) == []  # cut off at its end
    saturated = torch.sgn(noise(50_000, 1.0, 2))
    assert receiver.receive(saturated) == []


def test_same_samples_same_bits():
    form = FrameFormat(FrameConfig(tasks_per_frame=5), occupied("noma"))
    burst = on_air(form, gaussian(form, 1), 1, snr_db=3)
    first, second = (bits(Receiver(form, ReceiverConfig()).receive(burst)) for _ in range(2))
    assert first == second


@pytest.mark.parametrize("access", ["single", "oma", "noma"])
def test_other_numerologies(access):
    config = FrameConfig(numerology=WIDE, tasks_per_frame=9, sounding_symbols=4)
    form = FrameFormat(config, occupied(access, 70))
    symbols = gaussian(form, 3)
    (frame,) = Receiver(form, ReceiverConfig()).receive(on_air(form, symbols, 77))
    assert (frame.number, frame.start) == (77, 333)
    assert power_to_db(float((frame.symbols - symbols.sum(0)).abs().square().mean())) < -60
    cfo = [0.4 / 256, -0.7 / 256][: form.transmitters]
    free = ReceiverConfig(max_cfo_hz=8e3, center_freq_hz=1e15, aligned=False)
    (frame,) = Receiver(form, free).receive(on_air(form, symbols, 78, cfo=cfo, snr_db=30))
    assert frame.number == 78
    assert (frame.cfo_hz / 1e6).tolist() == pytest.approx(cfo, abs=2e-3 / 256)
    if access != "noma":  # superposed, 1.1 carriers apart, interfere
        error = (frame.symbols - (frame.channel * symbols).sum(0)).abs().square().mean()
        assert power_to_db(float(error)) < -28


def test_raw_samples_are_the_same_as_scaled_ones():
    form = FrameFormat(FrameConfig(tasks_per_frame=5), occupied("oma"))
    burst = on_air(form, gaussian(form, 1), 1, snr_db=3) * 300
    raw = torch.view_as_real(burst).round().to(torch.int16).numpy()
    scaled = torch.view_as_complex(torch.from_numpy(raw).float() / 2047)
    receiver = Receiver(form, ReceiverConfig())
    assert bits(receiver.receive(raw, full_scale=2047.0)) == bits(receiver.receive(scaled))
    with pytest.raises(ShapeError, match="full_scale"):
        receiver.receive(raw)
    with pytest.raises(ShapeError, match="complex64"):
        receiver.receive(torch.zeros(100))
    with pytest.raises(ShapeError, match="complex64"):
        receiver.receive(torch.zeros((2, 100), dtype=torch.complex64))


@pytest.mark.parametrize("fast", [True, False])
def test_a_reference_leaves_the_channel_in(fast):
    """Channel 0.3j in, channel 0.3j out; nothing of the frame's own response is divided out."""
    if fast:
        pytest.importorskip("numba")
    form = FrameFormat(FrameConfig(tasks_per_frame=12, sounding_symbols=8), occupied("single"))
    symbols = gaussian(form, 3)
    receiver = Receiver(form, ReceiverConfig(reference=1.0), fast=fast)
    (frame,) = receiver.receive(on_air(form, symbols, 5, channels=[[(0, 0.3j)]]))
    torch.testing.assert_close(frame.channel, torch.full_like(frame.channel, 0.3j), atol=1e-4, rtol=0)
    torch.testing.assert_close(frame.symbols, 0.3j * symbols[0], atol=3e-3, rtol=0)
    half = Receiver(form, ReceiverConfig(reference=0.5), fast=fast).receive(on_air(form, symbols, 5, channels=[[(0, 0.3j)]]))[0]
    torch.testing.assert_close(half.channel, 2 * frame.channel)
    torch.testing.assert_close(half.noise_var, 4 * frame.noise_var)


def test_a_reference_with_several_transmitters_and_selective_channels():
    taps = [[(0, 0.3j), (2, 0.1)], [(1, -0.2), (3, 0.05j)]]
    for access in ("oma", "noma"):
        form = FrameFormat(FrameConfig(tasks_per_frame=12, sounding_symbols=8), occupied(access))
        symbols = gaussian(form, 4)
        (frame,) = Receiver(form, ReceiverConfig(reference=1.0)).receive(on_air(form, symbols, 5, channels=taps))
        error = (frame.symbols - (frame.channel * symbols).sum(0)).abs().square().mean()
        assert power_to_db(float(error)) < -70
        size = sum(float(abs(tap)) ** 2 for _, tap in taps[0])
        own = frame.channel[0][:, form.occupied[0]]
        assert float(own.abs().square().mean()) == pytest.approx(size, rel=0.05)
        assert float(own.abs().square().std()) > 0.01  # by carrier
    with pytest.raises(ValidationError, match="reference"):
        ReceiverConfig(reference=1.0, equaliser="mmse")


def test_a_reference_under_a_carrier_offset_keeps_what_was_not_taken_out():
    form = FrameFormat(FrameConfig(tasks_per_frame=12, sounding_symbols=8), occupied("noma"))
    symbols = gaussian(form, 4)
    config = ReceiverConfig(reference=2.0, max_cfo_hz=2e3, center_freq_hz=1e15)
    cfo = [300e-6, 100e-6]
    (frame,) = Receiver(form, config).receive(on_air(form, symbols, 5, channels=[[(0, 0.3j)], [(0, -0.2)]], cfo=cfo, snr_db=60))
    error = (frame.symbols - (frame.channel * symbols).sum(0)).abs().square().mean()
    assert power_to_db(float(error)) + 46 < 1  # interference of two carriers 0.0128 apart, over 2², on |H|² = 0.13
    assert frame.channel.abs().amax((1, 2)).tolist() == pytest.approx([0.15, 0.1], abs=2e-3)
    assert float((frame.channel[0].angle() - frame.channel[0].angle().mean()).abs().max()) > 0.3


@pytest.mark.parametrize("fast", [True, False])
@pytest.mark.parametrize("access", ["single", "noma"])
def test_equalisers_against_their_closed_form(fast, access):
    """y Ḡ*/(|Ḡ|² + σ²/K): the error of "mmse" is the Wiener one, σ²/(|Ḡ|² + σ²/K) for K transmitters of power 1."""
    if fast:
        pytest.importorskip("numba")
    form = FrameFormat(FrameConfig(sounding_symbols=64), occupied(access))
    taps = [[(0, 0.8), (3, 0.3j), (7, 0.1)]] * form.transmitters  # the same channel: aligned
    many, power = form.transmitters, 10 ** (-0.3)
    carriers = torch.tensor(form.numerology.carriers, dtype=torch.float64)
    response = sum(tap * torch.exp(-2j * math.pi / 64 * delay * carriers) for delay, tap in taps[0]).abs().square()
    expected = {"zf": float((power / response).mean()), "mmse": float((power / (response + power / many)).mean())}
    for equaliser, bound in expected.items():
        receiver = Receiver(form, ReceiverConfig(equaliser=equaliser), fast=fast)
        errors, left = [], []
        for number in range(6):
            symbols = gaussian(form, number)
            (frame,) = receiver.receive(on_air(form, symbols, number, snr_db=3.0, seed=number, channels=taps))
            errors.append(float((frame.symbols - symbols.sum(0)).abs().square().mean()))
            rest = frame.symbols - (frame.channel * symbols).sum(0)
            left.append(float((rest.abs().square() / frame.noise_var).mean()))
        assert power_to_db(np.mean(errors)) == pytest.approx(power_to_db(bound), abs=0.25)
        assert np.mean(left) == pytest.approx(1.0, abs=0.12)  # six silent symbols: 6 % standard deviation


def test_carrier_offset_on_a_shared_reference_is_measured():
    """Without correction it is not taken out; the mean over frames is right, and its scatter is as stated."""
    form = FrameFormat(FrameConfig(sounding_symbols=8), occupied("oma"))
    receiver = Receiver(form, ReceiverConfig(mixer=None))
    truth, frames = [20e-6, -12e-6], 40
    found, stated = [], []
    for number in range(frames):
        burst = on_air(form, gaussian(form, number), number, snr_db=10, seed=number, cfo=truth)
        (frame,) = receiver.receive(burst)
        found.append(frame.cfo_hz)
        stated.append(frame.cfo_error_hz)
        assert frame.reference_cfo_hz == 0.0
    found, stated = torch.stack(found), torch.stack(stated)
    scatter = found.std(0) / stated.square().mean(0).sqrt()
    assert (found.mean(0) - torch.tensor([20.0, -12.0])).abs().max() < 4 * float(stated.max()) / math.sqrt(frames)
    assert 0.6 < float(scatter.min()) < float(scatter.max()) < 1.3


@pytest.mark.parametrize("transmitters", [2, 3, 4])
def test_free_running_transmitters_have_each_their_carrier_and_clock(transmitters):
    mask = torch.zeros(transmitters, 12 * transmitters, dtype=torch.bool)
    for tx in range(transmitters):
        mask[tx, 12 * tx : 12 * tx + 12] = True
    form = FrameFormat(FrameConfig(tasks_per_frame=40, sounding_symbols=6), mask)
    symbols = gaussian(form, 7)
    ppm = [20.0, -19.0, 5.5, -1.0][:transmitters]
    burst = _drifting(form, symbols, ppm, center_freq_hz=2.45e9)
    receiver = Receiver(form, ReceiverConfig(max_cfo_hz=98e3, aligned=False, phase_walk_rad2=1e-4))
    (frame,) = receiver.receive(burst + noise(len(burst), 1e-3, 3))
    assert frame.cfo_hz.tolist() == pytest.approx([value * 2450 for value in ppm], abs=15)
    assert frame.clock_ppm.tolist() == pytest.approx(ppm, abs=1.0)
    error = (frame.symbols - symbols.sum(0)).abs().square()
    for tx in range(transmitters):  # the last one's payload is 140 symbols behind its sounding
        assert power_to_db(float(error[:, mask[tx]].mean())) < -28


def _drifting(form, symbols, ppm, *, center_freq_hz):
    """Each transmitter with its own oscillator: carrier off by ppm, and the clock too (band-limited interpolation)."""
    from hil.channel.simulator import ChannelConfig, Simulator
    from hil.phy.transmit import build_frame

    waves = torch.nn.functional.pad(build_frame(symbols, 9, form) / form.sample_amplitude, (300, 300))
    total = torch.zeros(waves.shape[1], dtype=torch.complex64)
    for wave, value in zip(waves, ppm, strict=True):
        config = ChannelConfig(sample_rate_hz=1e6, cfo_hz=value * 1e-6 * center_freq_hz, sfo_ppm=value)
        total += Simulator(config).apply(wave)
    return total


def test_windows_together_give_the_bits_of_each():
    form = FrameFormat(FrameConfig(tasks_per_frame=5, sounding_symbols=3), occupied("noma"))
    for config in (ReceiverConfig(), ReceiverConfig(max_cfo_hz=3e3, aligned=False)):
        receiver = Receiver(form, config)
        windows = [on_air(form, gaussian(form, n), n, snr_db=12, seed=n, lead=100 + 31 * n) for n in range(23)]
        windows[4] = noise(3000, 1.0, 1)
        windows[9] = torch.cat([windows[9], windows[10]])
        windows[11] = torch.zeros(0, dtype=torch.complex64)
        together = receiver.receive_windows(windows)
        assert [len(frames) for frames in together] == [0 if n in (4, 11) else 2 if n == 9 else 1 for n in range(23)]
        for window, frames in zip(windows, together, strict=True):
            assert bits(frames) == bits(receiver.receive(window))


@pytest.mark.parametrize("raw", [False, True])
def test_a_frame_that_is_known_to_be_there_needs_no_search(raw):
    form = FrameFormat(FrameConfig(tasks_per_frame=7), occupied("noma"))
    receiver = Receiver(form, ReceiverConfig())
    burst = on_air(form, gaussian(form, 3), 77, snr_db=15) / 4
    scale = 2048 if raw else None
    if raw:
        burst = (torch.view_as_real(burst) * 2048).round().to(torch.int16).numpy()
    (found,) = receiver.receive(burst, full_scale=scale)
    known = receiver.at(burst, found.start, full_scale=scale)
    for name in ("symbols", "channel", "noise_var", "response", "signal", "cfo_hz"):
        assert torch.equal(getattr(known, name), getattr(found, name)), name
    assert (known.number, known.start, known.noise, known.header_margin) == (77, 333, found.noise, found.header_margin)
    assert math.isnan(known.metric)
    last = len(burst) - form.samples
    assert receiver.at(burst, last, full_scale=scale) is not None
    assert receiver.at(burst, last + 1, full_scale=scale) is None
    assert receiver.at(burst, -1, full_scale=scale) is None


def test_the_power_of_a_frame_in_a_fade_has_no_bias():
    """At −20 dB no frame is found; what the receiver says of its power where it is told the place is right on average."""
    form = FrameFormat(FrameConfig(tasks_per_frame=1, sounding_symbols=6), occupied("single"))
    receiver, signals = Receiver(form, ReceiverConfig()), []
    for seed in range(200):
        burst = 0.1 * on_air(form, gaussian(form, seed), seed, snr_db=-20, seed=seed)
        assert len(receiver.receive(burst)) == 0
        signals.append(float(receiver.at(burst, 333).signal[0]))
    spread = math.sqrt(2 / (6 * 5 * 52 * len(signals)))  # of pairs of looks: their noise is 1
    assert sum(signals) / len(signals) == pytest.approx(0.01, abs=4 * spread)


def test_silence_ahead_of_a_frame_holds_the_noise_alone():
    form = FrameFormat(FrameConfig(tasks_per_frame=5), occupied("single"))
    receiver, looks = Receiver(form, ReceiverConfig()), []
    for number in range(60):
        lead = 5 * number
        burst = on_air(form, gaussian(form, number), number, snr_db=20, seed=number, lead=lead)
        raw = torch.view_as_real(burst * 2000).round().to(torch.int16).numpy()
        (frame,) = receiver.receive(raw, full_scale=2000.0)
        silence = receiver.silence(raw, frame, full_scale=2000.0)
        assert silence.shape == ((lead + 72) // 64, 52)
        looks.append(silence)
    power = torch.cat(looks)
    assert float(power.mean()) == pytest.approx(0.01, rel=4 / math.sqrt(power.numel()))
    scaled = torch.from_numpy(raw.astype(np.float32) / 2000).view(torch.complex64)[:, 0]
    assert torch.equal(silence, receiver.silence(scaled, frame))


def test_an_interferer_in_the_guard_band_is_not_taken_for_leakage():
    form = FrameFormat(FrameConfig(tasks_per_frame=20, sounding_symbols=8), occupied("single"))
    symbols = gaussian(form, 3)
    burst = on_air(form, symbols, 5, snr_db=45)
    time = torch.arange(len(burst), dtype=torch.float64)
    tone = 0.4 * torch.exp(2j * math.pi * 29.5 / 64 * time).to(torch.complex64)  # between two guard carriers
    clean, hurt = (Receiver(form, ReceiverConfig()).receive(samples)[0] for samples in (burst, burst + tone))
    errors = [power_to_db(float((frame.symbols - symbols[0]).abs().square().mean())) for frame in (clean, hurt)]
    assert errors[0] < -44
    spill = (0.4 / 64) ** 2 / torch.sin(math.pi * (29.5 - torch.tensor(form.numerology.carriers)) / 64).square()
    assert errors[1] == pytest.approx(power_to_db(float(spill.mean()) * 64 + 10**-4.5), abs=1.5)
