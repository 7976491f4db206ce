"""Signal blocks of the air against closed forms."""

import math

import numpy as np
import pytest
import torch

from hil.channel.awgn import complex_normal, superpose
from hil.channel.frontend import (
    add_dc,
    clip_probability,
    convert,
    iq_image_db,
    iq_imbalance,
    memory_polynomial,
    quantisation_noise,
    rapp,
)
from hil.channel.multipath import Path, fade, frequency_response, impulse_response, rayleigh
from hil.channel.noise import BLOCK, Blocks, awgn
from hil.channel.oscillator import PhaseNoise, carrier, tune_phase
from hil.channel.resample import convolve, fractional_delay, resample
from hil.channel.simulator import ChannelConfig, Simulator
from hil.errors import ShapeError


def tone(freq: float, positions: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.exp(2j * np.pi * freq * positions).astype(np.complex64))


def error_db(got: torch.Tensor, wanted: torch.Tensor) -> float:
    return 10 * math.log10(float((got - wanted).abs().square().mean() / wanted.abs().square().mean()))


# --- noise


def test_noise_has_the_power_of_the_complex_sample() -> None:
    noise = torch.cat([awgn(1, "n", block, 0.25) for block in range(20)])
    n = len(noise)
    assert float(noise.abs().square().mean()) == pytest.approx(0.25, rel=5 / math.sqrt(n))
    assert float(noise.real.square().mean()) == pytest.approx(0.125, rel=8 / math.sqrt(n))
    assert abs(complex((noise * noise).mean())) < 0.25 * 5 / math.sqrt(n)  # circular
    assert abs(complex((noise[1:] * noise[:-1].conj()).mean())) < 0.25 * 5 / math.sqrt(n)


def test_noise_is_a_pure_function_of_seed_stream_and_block() -> None:
    assert torch.equal(awgn(1, "a", 7, 1.0), awgn(1, "a", 7, 1.0))
    for other in (awgn(2, "a", 7, 1.0), awgn(1, "b", 7, 1.0), awgn(1, "a", 8, 1.0)):
        correlation = abs(complex((other * awgn(1, "a", 7, 1.0).conj()).mean()))
        assert correlation < 5 / math.sqrt(BLOCK)


@pytest.mark.parametrize("start", [-BLOCK - 3, -1, 0, 5, BLOCK - 1, 3 * BLOCK + 7])
def test_slices_do_not_depend_on_how_they_are_read(start: int) -> None:
    whole = Blocks(lambda block: awgn(3, "s", block, 1.0)).slice(start, 2 * BLOCK)
    chopped = Blocks(lambda block: awgn(3, "s", block, 1.0), keep=1)
    sizes = [1, 2, 77, BLOCK, 2 * BLOCK - BLOCK - 80]
    pieces, position = [], start
    for size in sizes:
        pieces.append(chopped.slice(position, size))
        position += size
    assert torch.equal(torch.cat(pieces), whole)


# --- interpolation


@pytest.mark.parametrize("delay", [0.0, 0.5, 0.123, -0.77, 3.5, -20.25])
@pytest.mark.parametrize("freq", [-0.40, 0.0, 0.1, 0.37, 0.40])
def test_fractional_delay_error_below_60_db(delay: float, freq: float) -> None:
    time = np.arange(600)
    out = fractional_delay(tone(freq, time), delay)
    inner = slice(64, -64)
    assert error_db(out[inner], tone(freq, time - delay)[inner]) < -60


@pytest.mark.parametrize("ppm", [40.0, -17.0, 0.3])
@pytest.mark.parametrize("freq", [-0.40, 0.05, 0.40])
def test_clock_offset_error_below_60_db(ppm: float, freq: float) -> None:
    ratio = 1 + ppm * 1e-6
    n = 60_000  # slips two samples at 40 ppm
    out = resample(tone(freq, np.arange(n + 100)), ratio, offset=50.3, n=n)
    assert error_db(out[:-64], tone(freq, 50.3 + np.arange(n) * ratio)[:-64]) < -60


def test_whole_delays_are_exact_shifts() -> None:
    samples = complex_normal(200, generator=torch.Generator().manual_seed(1))
    assert torch.allclose(fractional_delay(samples, 3.0)[3:], samples[:-3], atol=1e-6)
    assert torch.allclose(fractional_delay(samples, -5.0)[:-5], samples[5:], atol=1e-6)
    assert float(fractional_delay(samples, 500.0).abs().max()) == 0


def test_interpolation_is_differentiable() -> None:
    samples = complex_normal(300, generator=torch.Generator().manual_seed(2)).requires_grad_()
    resample(fractional_delay(samples, 0.4), 1 + 1e-5).abs().square().sum().backward()
    assert samples.grad is not None
    assert float(samples.grad.abs().min()) >= 0
    assert float(samples.grad.abs().mean()) > 0.5


def test_a_ratio_that_would_alias_is_refused() -> None:
    with pytest.raises(ShapeError, match="ratio"):
        resample(torch.zeros(10, dtype=torch.complex64), 1.2)


# --- propagation


def test_multipath_fir_has_the_response_of_its_paths() -> None:
    rate = 1e6
    paths = (Path(delay_s=0.33e-6, gain=0.8j), Path(delay_s=2.1e-6, gain=0.2), Path(delay_s=7.77e-6, gain=-0.1 + 0.1j))
    bank = impulse_response(paths, rate)
    freqs = np.linspace(-0.40, 0.40, 81)
    lags = bank.first + np.arange(bank.taps.shape[-1])
    got = np.exp(-2j * np.pi * np.multiply.outer(freqs, lags)) @ bank.taps[0].numpy()
    wanted = frequency_response(paths, freqs * rate)
    assert np.abs(got - wanted).max() < 1e-3 * np.abs(wanted).max()
    signal = tone(0.2, np.arange(500))
    out = convolve(signal, bank)[0]
    at = 300
    assert complex(out[at - bank.first]) == pytest.approx(
        complex(signal[at]) * complex(frequency_response(paths, np.array([0.2 * rate]))[0]), abs=1e-3
    )


def test_rayleigh_gains_are_circular_gaussian() -> None:
    gains = np.array([fade(4, "link", block) for block in range(4000)])
    power = np.abs(gains) ** 2
    n = len(gains)
    assert power.mean() == pytest.approx(1, abs=4 / math.sqrt(n))
    assert abs((gains**2).mean()) < 4 / math.sqrt(n)
    assert abs(gains.mean()) < 4 / math.sqrt(n)
    for level in (0.1, 0.5, 1.0, 2.0):  # |h|² is exponential
        expected = 1 - math.exp(-level)
        assert (power < level).mean() == pytest.approx(expected, abs=4 * math.sqrt(expected * (1 - expected) / n))


def test_rayleigh_is_constant_inside_absolute_blocks() -> None:
    out = rayleigh(4, "link", 950, 200, 100)
    assert torch.equal(out[:50], out[:1].expand(50))
    assert torch.equal(out[50:150], out[50:51].expand(100))
    assert out[49] != out[50]
    assert torch.equal(rayleigh(4, "link", 1000, 30, 100), out[50:80])


# --- oscillators


def test_carrier_is_exact_after_an_hour() -> None:
    start, rate, freq = 3_600_000_000, 1e6, 12_345.678
    got = carrier(freq, rate, start, 100)
    exact = np.exp(2j * np.pi * np.remainder(freq * ((start + np.arange(100)) / rate), 1.0))
    assert np.abs(got.numpy() - exact).max() < 1e-4


def phases(noise: PhaseNoise, blocks: int, first: int = 0) -> np.ndarray:
    return torch.cat([noise.phase(block) for block in range(first, first + blocks)]).double().numpy()


def test_locked_phase_noise_has_its_rms_and_its_mask() -> None:
    rate, loop, rms = 1e6, 10e3, 1.0
    noise = PhaseNoise(kind="locked", seed=5, stream="lo", sample_rate_hz=rate, rms_deg=rms, loop_bandwidth_hz=loop)
    phase = phases(noise, 40)
    assert math.degrees(phase.std()) == pytest.approx(rms, rel=0.03)
    segments = phase[: len(phase) // 2048 * 2048].reshape(-1, 2048) * np.hanning(2048)
    psd = (np.abs(np.fft.rfft(segments)) ** 2).mean(axis=0) / (rate * (np.hanning(2048) ** 2).sum())  # two-sided
    freqs = np.fft.rfftfreq(2048, 1 / rate)
    plateau = math.radians(rms) ** 2 / (math.pi * loop)
    for freq in (2e3, 10e3, 30e3, 60e3):
        bins = np.abs(freqs - freq) < 1500
        mask = (plateau / (1 + (freqs[bins] / loop) ** 2)).mean()
        assert 10 * math.log10(psd[bins].mean() / mask) == pytest.approx(0, abs=0.7), freq
    assert 10 * math.log10(plateau) == pytest.approx(-80.1, abs=0.1)


def test_locked_phase_is_continuous_and_stationary_across_blocks() -> None:
    noise = PhaseNoise(kind="locked", seed=5, stream="lo", sample_rate_hz=1e6, rms_deg=1.0, loop_bandwidth_hz=1e3)
    steps = np.diff(phases(noise, 4))
    joins = np.abs(steps[BLOCK - 1 :: BLOCK])
    assert joins.max() < 5 * steps.std()
    alone = PhaseNoise(kind="locked", seed=5, stream="lo", sample_rate_hz=1e6, rms_deg=1.0, loop_bandwidth_hz=1e3)
    assert torch.equal(alone.phase(3), noise.phase(3))


def test_free_phase_noise_is_a_wiener_process() -> None:
    rate, width = 1e6, 20.0
    noise = PhaseNoise(kind="free", seed=6, stream="lo", sample_rate_hz=rate, linewidth_hz=width)
    phase = np.unwrap(phases(noise, 30))
    for lag in (1, 100, 5000):
        spread = (phase[lag:] - phase[:-lag]).var()
        independent = len(phase) / lag
        assert spread == pytest.approx(2 * math.pi * width * lag / rate, rel=5 * math.sqrt(2 / independent))
    alone = PhaseNoise(kind="free", seed=6, stream="lo", sample_rate_hz=rate, linewidth_hz=width)
    assert torch.equal(alone.phase(2000), noise.phase(2000))


def test_each_tune_has_a_new_phase() -> None:
    drawn = [tune_phase(1, "lo", tune) for tune in range(500)]
    assert len(set(drawn)) == 500
    assert abs(np.exp(1j * np.array(drawn)).mean()) < 4 / math.sqrt(500)


# --- front ends


@pytest.mark.parametrize("smoothness", [1.0, 2.0, 5.0])
def test_rapp_limits(smoothness: float) -> None:
    small, large = torch.tensor([1e-3 + 0j]), torch.tensor([1e3j])
    assert complex(rapp(small, 0.5, smoothness)) == pytest.approx(1e-3, rel=1e-4)
    assert complex(rapp(large, 0.5, smoothness)) == pytest.approx(0.5j, rel=1e-3)
    knee = rapp(torch.tensor([0.5 + 0j]), 0.5, smoothness)
    assert float(knee.abs()) == pytest.approx(0.5 / 2 ** (1 / (2 * smoothness)), rel=1e-5)


def test_a_memory_polynomial_is_the_sum_of_its_terms() -> None:
    samples = complex_normal(40)
    x = samples.numpy().astype(complex)
    terms = ((0, 0, 0, 0.9, -0.1), (2, 1, 0, -0.1, 0.2), (1, 0, 2, 0.05, 0.0), (4, 2, -3, 0.0, 0.01))
    wanted = []
    for n in range(40):
        at = {offset: x[n + offset] if 0 <= n + offset < 40 else 0.0 for offset in range(-5, 5)}
        wanted.append(sum(complex(re, im) * at[-lag] * abs(at[-lag - own]) ** k for k, lag, own, re, im in terms))
    assert torch.allclose(memory_polynomial(samples, terms), torch.tensor(wanted, dtype=torch.complex64), atol=1e-5)
    linear = memory_polynomial(samples, ((0, 50, 0, 1.0, 0.0),))
    assert not linear.any()
    simulated = Simulator(ChannelConfig(pa_terms=terms)).apply(samples)
    assert torch.allclose(simulated, memory_polynomial(samples, terms), atol=1e-6)


def test_iq_imbalance_makes_the_stated_image() -> None:
    n = 1000
    spectrum = torch.fft.fft(iq_imbalance(tone(0.1, np.arange(n)), 0.5, 3.0)).abs() ** 2
    assert 10 * math.log10(float(spectrum[900] / spectrum[100])) == pytest.approx(iq_image_db(0.5, 3.0), abs=0.01)
    assert iq_image_db(0.0, 0.0) == -math.inf
    same = complex_normal(50)
    assert torch.equal(iq_imbalance(same, 0.0, 0.0), same)


def test_dc_offset_is_a_tone_at_zero() -> None:
    out = add_dc(torch.zeros(64, dtype=torch.complex64), 0.01 - 0.02j)
    assert complex(torch.fft.fft(out)[0] / 64) == pytest.approx(0.01 - 0.02j)


@pytest.mark.parametrize("bits", [8, 12])
def test_quantisation_noise(bits: int) -> None:
    samples = 0.2 * complex_normal(200_000, generator=torch.Generator().manual_seed(3))
    codes, clipped = convert(samples, bits)
    error = torch.view_as_complex(codes.float() / 2 ** (bits - 1)) - samples
    assert not clipped.any()
    assert float(error.abs().square().mean()) == pytest.approx(quantisation_noise(bits), rel=0.02)


@pytest.mark.parametrize("rms_dbfs", [-9.0, -6.0])
def test_clip_probability_of_a_gaussian(rms_dbfs: float) -> None:
    rms = 10 ** (rms_dbfs / 20)
    n = 1_000_000
    codes, clipped = convert(rms * complex_normal(n, generator=torch.Generator().manual_seed(4)), 14)
    expected = clip_probability(rms) * n
    assert int(clipped.sum()) == pytest.approx(expected, abs=4 * math.sqrt(expected) + 0.02 * expected)
    assert int(codes.max()) == 2**13 - 1
    assert int(codes.min()) == -(2**13)
    # The envelope exceeds full scale with exp(−1/rms²): 1.3e-7 at −12 dBFS, 3.5e-4 at −9. A converter clips I and Q apart.
    assert clip_probability(rms) < math.exp(-1 / rms**2) < 4 * clip_probability(rms)


# --- the mathematical channel


def test_superpose_adds_and_has_the_stated_noise() -> None:
    draw = torch.Generator().manual_seed(5)
    symbols, channel = complex_normal(2, 100, 200, generator=draw), complex_normal(2, 100, 1, generator=draw)
    clean = channel[0] * symbols[0] + channel[1] * symbols[1]
    noise = superpose(symbols, channel, 0.5, draw) - clean
    assert float(noise.abs().square().mean()) == pytest.approx(0.5, rel=0.03)
    assert float(noise.real.square().mean()) == pytest.approx(0.25, rel=0.04)
    assert torch.allclose(superpose(symbols, None, 0.0, draw), symbols.sum(dim=0))


def test_superpose_takes_a_noise_per_task_and_gradients() -> None:
    symbols = torch.zeros(1, 2, 20_000, dtype=torch.complex64, requires_grad=True)
    out = superpose(symbols, None, torch.tensor([[1.0], [4.0]]), torch.Generator().manual_seed(6))
    assert out.abs().square().mean(dim=1).tolist() == pytest.approx([1.0, 4.0], rel=0.05)
    out.abs().sum().backward()
    assert symbols.grad is not None


def test_superpose_refuses_real_symbols() -> None:
    with pytest.raises(ShapeError, match="symbols"):
        superpose(torch.zeros(1, 2, 3), None, 1.0)
