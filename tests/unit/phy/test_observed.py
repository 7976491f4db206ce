"""Stated against observed: unbiased on clean frames, and where an error is, there it is seen."""

import math

import pytest
import torch

from hil.phy.frame import FrameConfig, FrameFormat
from hil.phy.numerology import Numerology
from hil.phy.receive import Receiver, ReceiverConfig
from tests.unit.phy.signals import gaussian, noise, occupied, on_air


def received(form, config=None, *, frames=40, snr_db=6.0, hurt=None, channels=None, cfo=None):
    """Frames whose samples `hurt` changed."""
    receiver, out = Receiver(form, config or ReceiverConfig()), []
    for number in range(frames):
        burst = on_air(form, gaussian(form, number), number, snr_db=snr_db, seed=number, channels=channels, cfo=cfo)
        (frame,) = receiver.receive(burst if hurt is None else hurt(burst))
        out.append(frame)
    return out


def pooled(frames):
    """Observed over stated by carrier and by symbol, noise and errors pooled over frames."""
    noise_power = sum(frame.noise for frame in frames) / len(frames)
    carriers = torch.stack([frame.observed.by_carrier for frame in frames]).mean(0) / noise_power
    symbols = torch.stack([frame.observed.by_symbol for frame in frames]).mean(0) / noise_power
    return carriers, symbols


@pytest.mark.parametrize("access", ["single", "oma", "noma"])
@pytest.mark.parametrize("snr_db", [-6.0, 6.0, 30.0])
def test_clean_frames_give_one(access, snr_db):
    """Mean ratio within 3 %: noise of 40 silent symbols has 2.2 % standard deviation, so both are pooled over the same."""
    sounding = 44 if snr_db < 0 else 6
    form = FrameFormat(FrameConfig(tasks_per_frame=30, sounding_symbols=sounding), occupied(access, 63))
    frames = received(form, snr_db=snr_db, channels=[[(0, 0.9), (3, 0.3j)], [(0, 0.8j), (2, 0.3)]])
    truth = 10 ** (-snr_db / 10)
    observed = frames[0].observed
    judged = int(observed.symbol_count.sum())
    assert judged == int(observed.carrier_count.sum())
    assert int(observed.symbol_count[: form.header_index].sum()) == form.header_index * 52
    assert len(form.segments[0].filler) > 0
    total = sum(float(frame.observed.symbol_error.sum()) for frame in frames) / judged / len(frames)
    assert total == pytest.approx(truth, rel=4 / math.sqrt(judged * len(frames)) + 0.01)
    payload = observed.symbol_count > 0
    payload[: form.header_index] = False
    _, by_symbol = pooled(frames)
    after = sum(frame.observed.symbol_error[payload].sum() for frame in frames)
    count = int(observed.symbol_count[payload].sum()) * len(frames)
    assert float(after) / count / truth == pytest.approx(1, abs=4 / math.sqrt(count) + 0.01)
    assert bool(by_symbol[form.header_index : form.payload_index].isnan().all())  # the header is not judged
    mean = sum(frame.observed.ratio for frame in frames) / len(frames)
    assert mean == pytest.approx(1, abs=4 / math.sqrt(52 * len(frames)))


def test_free_running_frames_give_one():
    form = FrameFormat(FrameConfig(tasks_per_frame=40, sounding_symbols=6), occupied("oma"))
    config = ReceiverConfig(max_cfo_hz=20e3, center_freq_hz=1e15, phase_walk_rad2=1e-4, aligned=False)
    frames = received(form, config, cfo=[7e-3, -12e-3])
    truth = 10**-0.6
    count = int(frames[0].observed.symbol_count.sum())
    total = sum(float(frame.observed.symbol_error.sum()) for frame in frames) / count / len(frames)
    assert total == pytest.approx(truth, rel=0.03)


def test_interference_of_superposed_carriers_is_stated_and_seen():
    """0.1 carrier apart: (π²/3) Σ ε² |h|² = −20.8 dB beside noise at −30."""
    form = FrameFormat(FrameConfig(tasks_per_frame=30, sounding_symbols=6), occupied("noma"))
    config = ReceiverConfig(max_cfo_hz=20e3, center_freq_hz=1e15, aligned=False)
    frames = received(form, config, snr_db=30, cfo=[4e-3, 4e-3 + 0.1 / 64], frames=12)
    observed = frames[0].observed
    assert float(observed.stated[0]) == pytest.approx(frames[0].noise)
    expected = math.pi**2 / 3 * 2 * 0.05**2
    assert float(observed.stated[-1]) - frames[0].noise == pytest.approx(expected, rel=0.05)
    after = sum(float(frame.observed.symbol_error[form.payload_index :].sum()) for frame in frames)
    count = int(observed.symbol_count[form.payload_index :].sum()) * len(frames)
    assert after / count == pytest.approx(expected + 1e-3, rel=0.25)


def test_a_tone_is_seen_on_its_carriers():
    form = FrameFormat(FrameConfig(tasks_per_frame=84, sounding_symbols=8), occupied("single"))

    def tone(burst):  # on carrier 10, and only while the frame is on: not in its silent symbol
        time = torch.arange(len(burst), dtype=torch.float64)
        wave = 0.1 * torch.exp(2j * math.pi * 10 / 64 * time).to(torch.complex64)
        wave[: 333 + 80] = 0
        return burst + wave

    carriers, _ = pooled(received(form, snr_db=20, hurt=tone, frames=10))
    place = form.numerology.carriers.index(10)
    assert float(carriers[place]) == pytest.approx(1 + 0.1**2 * 64 / 10**-2 * 0.7, rel=0.6)  # partly taken for the channel
    others = torch.cat([carriers[: place - 3], carriers[place + 4 :]])
    assert float(others.median()) == pytest.approx(1, abs=0.15)


def test_an_impulse_is_seen_in_its_symbol_and_drift_grows():
    form = FrameFormat(FrameConfig(tasks_per_frame=84, sounding_symbols=8), occupied("single"))

    def impulse(burst):
        burst[333 + form.sounding_start + 3 * 80 + 40] += 20
        return burst

    _, symbols = pooled(received(form, snr_db=20, hurt=impulse, frames=10))
    assert int(symbols.nan_to_num(0).argmax()) == 3
    assert float(symbols[3]) > 100

    def flutter(burst):  # 30 Hz, half of the amplitude
        time = torch.arange(len(burst), dtype=torch.float64)
        return burst * (1 + 0.5 * torch.sin(2 * math.pi * 30e-6 * (time - 700))).float()

    _, symbols = pooled(received(form, snr_db=20, hurt=flutter, frames=4))
    early, late = symbols[: form.header_index].mean(), symbols[form.payload_index + 40 :].nanmean()
    assert float(late) > 10 * float(early)
    assert float(early) < 2


def test_every_pilot_is_judged_without_itself():
    """With one pilot and one symbol to average, a track that held the pilot would always fit it perfectly in phase."""
    numerology = Numerology(pilots=2)
    form = FrameFormat(FrameConfig(numerology=numerology, tasks_per_frame=20, sounding_symbols=16), occupied("noma", 50))
    config = ReceiverConfig(phase_walk_rad2=10.0)  # averages over one symbol
    frames = received(form, config, snr_db=10, frames=30)
    after = sum(float(frame.observed.symbol_error[form.payload_index :].sum()) for frame in frames)
    count = int(frames[0].observed.symbol_count[form.payload_index :].sum()) * len(frames)
    assert after / count == pytest.approx(0.1, rel=0.08)


def test_noise_that_grows_is_seen_over_time():
    form = FrameFormat(FrameConfig(tasks_per_frame=84, sounding_symbols=8), occupied("single"))

    def growing(burst):
        level = torch.linspace(0, 1, len(burst))
        return burst + noise(len(burst), 0.1, 9) * level

    _, symbols = pooled(received(form, snr_db=15, hurt=growing, frames=10))
    payload = symbols[form.payload_index :]
    assert float(payload[-20:].mean()) > 1.5 * float(payload[:20].mean())
