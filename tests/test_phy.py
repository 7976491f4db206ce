"""The modem: closed forms first, then round trips, then what must not be found."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hil.errors import ShapeError
from hil.phy import header
from hil.phy.detect import find, threshold_for
from hil.phy.estimate import unbiased_power
from hil.phy.frame import FrameConfig, FrameFormat, sounding_symbols_for
from hil.phy.numerology import Numerology
from hil.phy.ofdm import demodulate, modulate
from hil.phy.receive import Receiver, ReceiverConfig
from hil.phy.transmit import build_frame
from hil.units import db_to_amplitude, power_to_db

torch.set_num_threads(1)


def occupied(access: str, uses: int = 64) -> torch.Tensor:
    if access == "single":
        return torch.ones(1, uses, dtype=torch.bool)
    both = torch.zeros(2, uses, dtype=torch.bool)
    both[0, : uses if access == "noma" else uses // 2] = True
    both[1, 0 if access == "noma" else uses // 2 :] = True
    return both


def noise(count: int, power: float, seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, dtype=torch.complex64, generator=generator) * math.sqrt(power)


def gaussian(form: FrameFormat, seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    shape = (form.transmitters, form.tasks, form.occupied.shape[1])
    return torch.randn(*shape, dtype=torch.complex64, generator=generator) * form.occupied[:, None]


def on_air(form, symbols, number, *, snr_db=80.0, seed=0, lead=333, channels=None, cfo=None):
    """A burst at unit carrier power, each transmitter through its FIR and CFO (cycles a sample), noise at −SNR."""
    waves = build_frame(symbols, number, form) / form.sample_amplitude
    total = torch.zeros(waves.shape[1] + lead + 200, dtype=torch.complex64)
    time = torch.arange(waves.shape[1], dtype=torch.float64)
    for tx, wave in enumerate(waves):
        if channels is not None:
            taps = channels[tx]
            wave = sum(tap * torch.nn.functional.pad(wave, (delay, 0))[: len(wave)] for delay, tap in taps)
        if cfo is not None:
            wave = wave * torch.exp(2j * math.pi * cfo[tx] * time).to(torch.complex64)
        total[lead : lead + len(wave)] += wave
    return total + noise(len(total), 10 ** (-snr_db / 10), seed)


def test_ofdm_is_unitary_and_cyclic():
    numerology = Numerology()
    grid = torch.randn(5, 52, dtype=torch.complex64)
    samples = modulate(grid, numerology)
    assert samples.shape == (5 * 80,)
    bins = demodulate(samples, numerology)
    torch.testing.assert_close(bins[:, list(numerology.bins)], grid, atol=1e-5, rtol=0)
    assert bins[:, list(numerology.null_bins)].abs().max() < 1e-5
    body = samples.view(5, 80)[:, 16:]
    torch.testing.assert_close(body.abs().square().sum(), grid.abs().square().sum())
    early = demodulate(samples, numerology, advance=4)[:, list(numerology.bins)]
    ramp = torch.exp(-2j * math.pi / 64 * 4 * torch.tensor(numerology.carriers))
    torch.testing.assert_close(early, grid * ramp, atol=1e-4, rtol=0)


@pytest.mark.parametrize("access", ["single", "oma", "noma"])
def test_frame_layout(access):
    form = FrameFormat(FrameConfig(tasks_per_frame=6, sounding_symbols=4), occupied(access))
    waves = build_frame(gaussian(form, 1), 7, form)
    assert waves.shape == (form.transmitters, form.samples)
    assert waves[:, :80].abs().max() == 0  # the silent symbol
    slots = waves[:, form.sounding_start : form.sounding_start + form.header_index * 80]
    for tx in range(form.transmitters):
        for slot in range(form.transmitters):
            power = slots[tx, slot * 320 : (slot + 1) * 320].abs().square().mean()
            expected = 10 ** (-12 / 10) if slot == tx else 0.0
            assert float(power) == pytest.approx(expected, rel=0.15, abs=1e-9)
    if form.transmitters == 2:  # preamble and header are transmitter 0's alone
        assert waves[1, : form.sounding_start].abs().max() == 0
        start = form.sounding_start + form.header_index * 80
        assert waves[1, start : start + form.header_symbols * 80].abs().max() == 0
    first, second = (form.segments[0], form.segments[-1])
    if access == "oma":
        assert first.transmitters == (0,)
        assert second.transmitters == (1,)
        assert second.first == first.symbols
    if access == "noma":
        pilots = [set(form.pilots_of(first, tx)) for tx in (0, 1)]
        assert not pilots[0] & pilots[1]


def test_oma_payload_halves_do_not_overlap():
    form = FrameFormat(FrameConfig(tasks_per_frame=6, sounding_symbols=4), occupied("oma"))
    payload = build_frame(gaussian(form, 1), 0, form)[:, form.sounding_start + form.payload_index * 80 :]
    half = form.segments[0].symbols * 80
    assert payload[1, :half].abs().max() == 0
    assert payload[0, half:].abs().max() == 0


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


def test_detection_threshold_holds_on_noise():
    """P(metric > t) = (1 − t/L)^(L−1), checked at a rate that 4e5 samples can show."""
    length, rate = 240, 1e-3
    form = FrameFormat(FrameConfig(preamble_samples=length), occupied("single"))
    from hil.phy.detect import _window_power, correlate

    samples = noise(400_000, 1.0, 11)
    strength = correlate(samples, form.preamble).abs().square()
    metric = strength / (form.preamble.abs().square().sum() * _window_power(samples, length))
    share = float((metric > threshold_for(rate, length, 1)).double().mean())
    assert share == pytest.approx(rate, rel=0.25)


def test_noise_foreign_signals_and_bad_input_give_no_frame():
    form = FrameFormat(FrameConfig(tasks_per_frame=3), occupied("single"))
    other = FrameFormat(FrameConfig(tasks_per_frame=3, seed=99), occupied("single"))
    receiver = Receiver(form, ReceiverConfig())
    assert receiver.receive(noise(200_000, 1.0, 1)) == []
    assert receiver.receive(on_air(other, gaussian(other, 1), 5)) == []
    assert receiver.receive(torch.zeros(10_000, dtype=torch.complex64)) == []
    assert receiver.receive(torch.zeros(0, dtype=torch.complex64)) == []
    assert receiver.receive(torch.full((9_000,), complex(math.nan, 0))) == []
    good = on_air(form, gaussian(form, 1), 5)
    assert receiver.receive(good[: len(good) - 600]) == []  # cut off at its end
    saturated = torch.sgn(noise(50_000, 1.0, 2))
    assert receiver.receive(saturated) == []


def test_header_bound_and_repetitions():
    assert header.repetitions_for(-6) == 2
    assert header.word_error_bound(10 ** (-0.6), 2) < 1e-3 < header.word_error_bound(10 ** (-1.3), 2)
    snr, wrong, tries = 10 ** (-0.65), 0, 1500
    for number in range(tries):
        sent = header.encode(number * 43, 1)
        decoded, _ = header.decode(sent + noise(len(sent), 1 / snr, number))
        wrong += decoded != number * 43
    bound = header.word_error_bound(snr, 1)
    assert wrong / tries <= bound
    assert wrong / tries >= bound / 6  # the union bound is not vacuous here
    with pytest.raises(ShapeError, match="65535"):
        header.encode(70_000, 1)


def test_unbiased_power_has_no_noise_in_it():
    truth = 0.25
    looks = 0.5 + noise(2000 * 8 * 52, 4.0, 3).view(2000, 8, 52)
    assert float(unbiased_power(looks).mean()) == pytest.approx(truth, rel=0.02)


def test_same_samples_same_bits():
    form = FrameFormat(FrameConfig(tasks_per_frame=5), occupied("noma"))
    burst = on_air(form, gaussian(form, 1), 1, snr_db=3)
    first, second = (Receiver(form, ReceiverConfig()).receive(burst)[0] for _ in range(2))
    assert torch.equal(torch.view_as_real(first.symbols), torch.view_as_real(second.symbols))


def test_digital_scale_is_constant():
    form = FrameFormat(FrameConfig(), occupied("single"))
    waves = [build_frame(gaussian(form, seed), seed, form) for seed in range(4)]
    for wave in waves:
        preamble = wave[0, form.preamble_start : form.sounding_start].abs().square().mean().sqrt()
        assert float(preamble) == pytest.approx(db_to_amplitude(-12.0), rel=1e-3)
    assert float(torch.cat(waves, 1).abs().max()) > db_to_amplitude(-5.0)  # peaks are not scaled away


def test_find_needs_enough_samples():
    form = FrameFormat(FrameConfig(), occupied("single"))
    assert find(torch.zeros(10, dtype=torch.complex64), form.preamble, max_cfo=0, false_alarm=1e-9) == []
    with pytest.raises(ShapeError, match="symbols"):
        build_frame(None, 0, form)
    with pytest.raises(ShapeError, match="occupied"):
        FrameFormat(FrameConfig(), torch.ones(3))
