"""The simulated air and the bench session: truth against measurement, and independence of how reads are chopped."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hil.errors import RadioError, ShapeError, TransmitRefusedError
from hil.radios.bench import load_bench
from hil.radios.drivers.sim._driver import thermal_noise_mw
from hil.radios.scaling import from_int16, to_int16
from hil.radios.session import Bench
from hil.radios.testing import find_burst

ROOT = Path(__file__).resolve().parents[3]
CARRIERS = np.r_[1:27, -26:0]
RATE = 1e6


def ofdm(symbols: int, tx: int = 2, rms_dbfs: float = -12.0, seed: int = 0) -> tuple[np.ndarray, float]:
    """CP-free OFDM of Gaussian carriers, complex64 [tx, 64·symbols], and the mean power of a carrier."""
    draw = np.random.default_rng(seed)
    grid = np.zeros((tx, symbols, 64), complex)
    power = 10 ** (rms_dbfs / 10) * 64 / len(CARRIERS)
    shape = (tx, symbols, len(CARRIERS))
    grid[..., CARRIERS] = (draw.standard_normal(shape) + 1j * draw.standard_normal(shape)) * math.sqrt(power / 2)
    return np.fft.ifft(grid, norm="ortho").reshape(tx, -1).astype(np.complex64), power


def bench(name: str, **overrides: Any) -> Bench:
    return Bench(load_bench(ROOT / "radios" / f"{name}.toml", overrides))


def band_power(samples: np.ndarray, full_scale: float, cfo_hz: float = 0.0) -> float:
    """Mean power of an active carrier of a unitary 64-point FFT."""
    data = from_int16(samples, full_scale) * np.exp(-2j * np.pi * cfo_hz / RATE * np.arange(len(samples)))
    grid = np.fft.fft(data[: len(data) // 64 * 64].reshape(-1, 64), norm="ortho")
    return float((np.abs(grid[:, CARRIERS]) ** 2).mean())


# --- the truth


@pytest.mark.parametrize("name", ["builtin", "independent"])
@pytest.mark.parametrize("tx", [0, 1])
@pytest.mark.parametrize("gain_db", [-12.0, -40.0])
def test_true_snr_is_the_measured_one(name: str, tx: int, gain_db: float) -> None:
    with bench(name) as air:
        air.set_tx_gain(tx, gain_db)
        wave, power = ofdm(2500)
        wave[1 - tx] = 0
        got = air.burst(wave, lead=8000, tail=100)
        begin = air.truth().noise_dbfs()
        sent_at = got.sent_at[tx]
        assert sent_at is not None
        offset = sent_at - got.start
        noise = band_power(air.listen(200_000).samples, air.full_scale)
        total = band_power(got.samples[offset + 64 : offset + wave.shape[1] - 64], air.full_scale, air.truth().cfo_hz(tx))
        assert got.events == ()
        assert 10 * math.log10(noise) == pytest.approx(begin, abs=0.05)
        measured = 10 * math.log10((total - noise) / noise)
        truth = air.truth().snr_db(tx, power, np.fft.fftfreq(64, 1 / RATE)[CARRIERS])
        assert measured == pytest.approx(truth, abs=0.1 + 10 ** (-truth / 10) / 20)


def test_noise_is_ktb_times_noise_figure() -> None:
    assert 10 * math.log10(thermal_noise_mw(1e6, 6.0)) == pytest.approx(-173.975 + 60 + 6, abs=0.01)


def test_demo_range_is_reachable_with_headroom() -> None:
    with bench("builtin") as air:
        truth = air.truth()
        power = 10 ** (-12 / 10) * 64 / 52
        for tx in range(2):
            at_20 = air.tx_gain(tx) + 20 - truth.snr_db(tx, power)
            allowed = air.tx_gain_range(tx)
            assert at_20 in allowed
            assert at_20 - 30 in allowed
        assert truth.noise_dbfs() + 20 + 3 < -12  # both transmitters at 20 dB
        assert truth.noise_dbfs() - 10 * math.log10(2 ** (2 * (1 - 12)) / 6) > 10  # over the converter's rounding


def test_response_predicts_the_received_carriers() -> None:
    with bench("builtin", **{"radios.tx.phase_noise": "off", "radios.rx.phase_noise": "off"}) as air:
        air.set_tx_gain(0, -10.0)
        block, _ = ofdm(1)
        wave = np.tile(block, 42)
        wave[1] = 0
        got = air.burst(wave)
        offset = got.sent_at[0] - got.start + 64
        heard = from_int16(got.samples, air.full_scale)[offset : offset + 40 * 64].reshape(40, 64).mean(axis=0)
        freqs = np.fft.fftfreq(64, 1 / RATE)
        wanted = np.fft.fft(block[0]) * air.truth().response(0, freqs)
        inner = CARRIERS[np.abs(freqs[CARRIERS]) < 0.405 * RATE]
        error = np.abs(np.fft.fft(heard) - wanted)[inner] ** 2
        assert got.events == ()
        assert 10 * math.log10(error.mean() / (np.abs(wanted[inner]) ** 2).mean()) < -45


def test_carrier_offset_is_the_difference_of_the_oscillators() -> None:
    with bench("independent", **{"radios.tx0.phase_noise": "off", "radios.rx.phase_noise": "off"}) as air:
        air.set_tx_gain(0, -5.0)
        n = 200_000
        wave = np.zeros((2, n), np.complex64)
        wave[0] = 0.5
        got = air.burst(wave, lead=0, tail=0)
        heard = from_int16(got.samples, air.full_scale)[100:-200]
        half = len(heard) // 2
        freq0 = (14.0 - -6.0) * 1e-6 * 2.45e9
        rate = RATE * (1 - 6e-6)
        mixed = heard * np.exp(-2j * np.pi * freq0 / rate * np.arange(len(heard)))
        drift = np.angle(np.vdot(mixed[:half], mixed[half : 2 * half]) / 1) / (2 * np.pi * half / rate)
        assert abs(drift) < 0.05  # Hz
        assert air.truth().cfo_hz(0) == pytest.approx(freq0)


def test_sample_clocks_drift_apart() -> None:
    """A repeated preamble 0.2 s apart arrives 20 ppm earlier on a receiver whose clock is 20 ppm slow."""
    with bench("independent") as air:
        air.set_tx_gain(0, -5.0)
        wave, _ = ofdm(3200)
        wave[1] = 0
        wave[0, -2048:] = wave[0, :2048]
        got = air.burst(wave, lead=100, tail=100)
        n = wave.shape[1]
        cfo = np.exp(-2j * np.pi * 49e3 / (RATE * (1 - 6e-6)) * np.arange(len(got.samples)))
        heard = from_int16(got.samples, air.full_scale) * cfo
        codes = to_int16((heard / np.abs(heard).max() * 0.9).astype(np.complex64), 32768)[0]
        first, _ = find_burst(codes[:3000], wave[0, :2048], 32768)
        last, _ = find_burst(codes[n - 2048 - 500 :], wave[0, :2048], 32768)
        spacing = (last + n - 2048 - 500) - first
        assert spacing == pytest.approx((n - 2048) * (1 - 20e-6), abs=0.15)


def test_shared_reference_keeps_a_static_phase() -> None:
    with bench("builtin") as air:
        wave, _ = ofdm(50)
        wave[1] = 0
        angles = []
        for _ in range(4):
            got = air.burst(wave)
            offset = got.sent_at[0] - got.start
            heard = from_int16(got.samples, air.full_scale)[offset : offset + wave.shape[1]]
            angles.append(np.angle(np.vdot(wave[0], heard)))
        assert np.ptp(np.unwrap(angles)) < math.radians(2)


def test_rayleigh_power_and_one_fade_per_burst() -> None:
    with bench("rayleigh", **{"links": [{"transmitter": k, "path_loss_db": 60, "fading": "rayleigh", "fading_block_s": 0.004}
                                        for k in range(2)]}) as air:  # fmt: skip
        air.set_tx_gain(0, -10.0)
        wave, _ = ofdm(16)
        wave[1] = 0
        gains, errors = [], []
        scale = 10 ** ((7 - 10 - 60 + 56) / 20)
        static = air.truth().response(0, np.zeros(1))[0]
        for _ in range(300):
            got = air.burst(wave, lead=64, tail=64)
            sent_at = got.sent_at[0]
            offset = sent_at - got.start
            heard = from_int16(got.samples, air.full_scale)[offset : offset + wave.shape[1]]
            gains.append(abs(np.vdot(wave[0], heard) / np.vdot(wave[0], wave[0])))
            wanted = static * air.truth().fade(0, sent_at) * wave[0]
            errors.append(np.mean(np.abs(heard - wanted) ** 2) / np.mean(np.abs(wave[0] * scale) ** 2))
        assert np.mean(np.square(gains)) / scale**2 == pytest.approx(1, abs=4 / math.sqrt(300))
        assert max(errors) < 0.01  # phase noise and receiver noise; another fade inside the burst would be of order 1


def test_long_echoes_and_cyclic_buffers() -> None:
    """An echo 400 samples late, on a short repeated buffer that crosses segments and blocks."""
    links = [{"transmitter": 0, "path_loss_db": 50, "taps": [{"delay_s": 400e-6, "gain_db": -6.0}]},
             {"transmitter": 1, "path_loss_db": 50}]  # fmt: skip
    off = {"radios.tx.phase_noise": "off", "radios.rx.phase_noise": "off"}
    with bench("builtin", links=links, **off) as air:
        tx, rx = air.radios["tx"], air.radios["rx"]
        wave, _ = ofdm(1)
        wave[1] = 0
        cycle = np.tile(wave, 10)[:, :630]
        assert tx.transmit(cycle, cyclic=True) == []
        rx.receive(4000)
        heard = np.fft.fft(from_int16(rx.receive(630 * 80).samples[0], 2048).reshape(80, 630).mean(axis=0))
        freqs = np.fft.fftfreq(630, 1 / RATE)
        response = air.truth().response(0, freqs)
        inner = np.abs(freqs) < 0.4 * RATE
        sent = np.fft.fft(cycle[0])
        ratio = np.abs(heard[inner]) ** 2 / np.abs(sent[inner]) ** 2  # the start is unknown: magnitudes only
        strong = np.abs(sent[inner]) > np.abs(sent[inner]).max() / 3
        error = ratio[strong] / np.abs(response[inner][strong]) ** 2
        assert np.abs(10 * np.log10(error)).max() < 0.2


# --- chopping


def scenario(air: Bench, sizes: Callable[[int], int]) -> np.ndarray:
    """Two overlapping bursts, one sent while the receiver is in mid block; reads of the sizes given."""
    tx, rx = air.radios[air.config.transmitters[0].radio], air.radios[air.config.receiver.radio]
    rows = len(air.settings(air.config.transmitters[0].radio).tx_channels)
    wave = np.repeat(ofdm(300)[0][:1], rows, axis=0)
    pending = [(3000, wave), (21_000, wave[:, :5000])]
    pieces, position, end = [], 0, 60_000
    assert tx.transmit(pending[0][1], at=pending[0][0]) == []
    for stop in (15_000, end):
        while position < stop:
            take = min(sizes(position), stop - position)
            got = rx.receive(take)
            assert got.start == position
            assert got.events == ()
            pieces.append(got.samples)
            position += take
        if stop < end:
            assert tx.transmit(pending[1][1], at=pending[1][0]) == []
    return np.concatenate(pieces, axis=1)


@pytest.mark.parametrize("name", ["builtin", "independent", "rayleigh"])
def test_received_samples_do_not_depend_on_how_reads_are_chopped(name: str) -> None:
    draw = np.random.default_rng(1)
    results = []
    for sizes in (lambda _: 60_000, lambda _: 997, lambda _: int(draw.integers(1, 9000))):
        with bench(name) as air:
            results.append(scenario(air, sizes))
    assert (results[0] == results[1]).all()
    assert (results[0] == results[2]).all()
    with bench(name, seed=5) as air:
        assert (scenario(air, lambda _: 60_000) != results[0]).any()


def test_a_burst_scheduled_early_or_late_gives_the_same_samples() -> None:
    results = []
    for early in (True, False):
        with bench("builtin") as air:
            tx, rx = air.radios["tx"], air.radios["rx"]
            wave, _ = ofdm(100)
            if early:
                tx.transmit(wave, at=9000)
            first = rx.receive(8900)
            if not early:
                tx.transmit(wave, at=9000)
            results.append(np.concatenate([first.samples, rx.receive(30_000).samples], axis=1))
    assert (results[0] == results[1]).all()


def test_two_runs_of_a_session_are_identical() -> None:
    runs = []
    for _ in range(2):
        with bench("builtin") as air:
            runs.append([air.burst(ofdm(20, seed=k)[0]) for k in range(3)])
    for one, two in zip(*runs, strict=True):
        assert one.start == two.start
        assert (one.samples == two.samples).all()
    offsets = [got.sent_at[0] - got.start for got in runs[0]]
    gaps = np.diff([got.start for got in runs[0]])
    assert len(set(offsets)) == 3
    assert len(set(gaps)) == 2


# --- faults and limits


def test_receiver_clipping_is_an_event() -> None:
    with bench("builtin") as air:
        air.set_tx_gain(0, 0.0)
        air.set_rx_gain(73.0)
        wave, _ = ofdm(40)
        wave[1] = 0
        got = air.burst(wave)
        clips = [event for event in got.events if event.kind == "clip"]
        extremes = ((got.samples == 2047) | (got.samples == -2048)).any(axis=-1)
        assert [event.radio for event in clips] == ["rx"]
        assert 0 < clips[0].count <= extremes.sum()
        assert extremes[clips[0].position - got.start]


def test_transmit_clipping_is_an_event_of_its_burst() -> None:
    with bench("builtin") as air:
        wave, _ = ofdm(40)
        wave[1, 10:13] = 1.2
        clips = [event for event in air.burst(wave).events if event.kind == "clip"]
        assert [(event.radio, event.channel, event.count) for event in clips] == [("tx", 1, 3)]


def test_a_slow_reader_overflows_with_the_right_count() -> None:
    with bench("builtin") as air:
        rx = air.radios["rx"]
        rx.receive(100)
        rx.air.advance(0.0, 10_000_000)
        got = rx.receive(1000)
        assert [event.kind for event in got.events] == ["overflow"]
        assert got.start == 100 + got.events[0].count
        assert got.samples.shape == (1, 1000, 2)


@pytest.mark.parametrize("options", [{"timed": False}, {"timed": False, "cyclic": False}])
def test_bursts_without_time_are_inside_the_reception(options: dict[str, Any]) -> None:
    overrides = {f"radios.{radio}.{key}": value for radio in ("tx", "rx") for key, value in options.items()}
    with bench("builtin", **overrides) as air:
        wave, _ = ofdm(30)
        for _ in range(3):
            got = air.burst(wave)
            position, quality = find_burst(got.samples, wave[0], air.full_scale)
            assert got.sent_at == (None, None)
            assert quality > 8
            assert position + wave.shape[1] < len(got.samples)
            assert not rx_busy(air)


def rx_busy(air: Bench) -> bool:
    radio = air.radios["tx"]
    return any(radio.air.sending(port) for port in radio.tx_ports)


def test_an_exception_silences_the_bench() -> None:
    air = bench("builtin")
    air.radios["tx"].transmit(ofdm(4)[0], cyclic=True)
    with pytest.raises(KeyboardInterrupt), air:
        raise KeyboardInterrupt
    assert not rx_busy(air)
    with pytest.raises(RadioError, match="closed"):
        air.burst(ofdm(4)[0])


def test_gains_are_read_back_on_their_grid_and_limited() -> None:
    with bench("builtin", **{"limits.max_tx_gain_db": -3.0}) as air:
        assert air.set_tx_gain(1, -20.1) == -20.0
        assert air.tx_gain(0) == -25.0
        assert air.tx_gain_range(0).high == -3.0
        assert air.set_rx_gain(50.1) == 50.0
        with pytest.raises(TransmitRefusedError, match="max_tx_gain_db"):
            air.set_tx_gain(0, -1.0)
        with pytest.raises(RadioError, match="gain_db"):
            air.set_tx_gain(0, 40.0)
        with pytest.raises(RadioError, match="'tx'"):
            air.set_tx_gain(7, -20.0)
        with pytest.raises(ShapeError, match="waveforms"):
            air.burst(np.zeros((3, 100), np.complex64))
        assert json.loads(json.dumps(air.describe()))["tx"]["applied"]["tx_gain_db"] == [-25.0, -20.0]
        json.dumps(air.truth().describe())


def test_amplifier_compresses() -> None:
    levels = []
    for saturation in (None, -6.0):
        overrides = {} if saturation is None else {"radios.tx.pa_saturation_dbfs": saturation}
        with bench("builtin", **overrides) as air:
            air.set_tx_gain(0, -20.0)
            wave = np.zeros((2, 4000), np.complex64)
            wave[0] = 10 ** (-6 / 20)
            got = air.burst(wave, lead=0, tail=0)
            levels.append(np.mean(np.abs(from_int16(got.samples, 1.0)[200:3800]) ** 2))
    assert 10 * math.log10(levels[0] / levels[1]) == pytest.approx(10 * math.log10(2**0.5), abs=0.1)  # knee of p = 2
