"""The composed simulator against closed forms: what is off is identity, what is on does what it says, on both paths."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from scipy.special import j0

from hil.channel import simulator
from hil.channel.awgn import complex_normal
from hil.channel.fast import available
from hil.channel.frontend import quantisation_noise, rapp
from hil.channel.gaussian import complex_gaussian
from hil.channel.multipath import rayleigh
from hil.channel.simulator import ChannelConfig, Simulator, Tap
from hil.errors import ShapeError

PATHS = [pytest.param(True, marks=pytest.mark.skipif(not available(), reason="numba is not installed"), id="fast")]
PATHS.append(pytest.param(False, id="plain"))
MP = (
    Tap(),
    Tap(delay=2, gain_db=-6.02, phase_deg=57.3),
    Tap(delay=5, gain_db=-12.04, phase_deg=143.2),
    Tap(delay=9, gain_db=-20, phase_deg=-68.8),
)
FULL: dict[str, Any] = {
    "delay": 3.3, "sfo_ppm": 40.0, "taps": MP, "cfo_hz": 3125.0, "phase_noise": "locked", "noise_power": 0.01,
}  # fmt: skip


def tone(freq: float, positions: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.exp(2j * np.pi * freq * positions).astype(np.complex64))


def error_db(got: torch.Tensor, wanted: torch.Tensor) -> float:
    return 10 * math.log10(float((got - wanted).abs().square().mean() / wanted.abs().square().mean()) + 1e-30)


def draw(*shape: int, seed: int = 1) -> torch.Tensor:
    return complex_normal(*shape, generator=torch.Generator().manual_seed(seed))


pytestmark = pytest.mark.filterwarnings("error")


@pytest.mark.parametrize("fast", PATHS)
def test_everything_off_is_identity(fast: bool) -> None:
    samples = draw(3, 20_000)
    assert torch.equal(Simulator(ChannelConfig(), fast=fast).apply(samples, 5), samples)
    one_path = Simulator(ChannelConfig(taps=(Tap(),), phase_noise="off"), fast=fast).apply(samples)
    assert torch.allclose(one_path, samples, atol=2e-6)


@pytest.mark.parametrize("fast", PATHS)
@pytest.mark.parametrize("ppm", [40.0, -17.0, 0.0, 0.01, 900.0, -9000.0])
@pytest.mark.parametrize("freq", [-0.40, 0.07, 0.40])
def test_resampler_error_is_below_60_db(fast: bool, ppm: float, freq: float) -> None:
    n, delay = 50_000, 3.37
    out = Simulator(ChannelConfig(delay=delay, sfo_ppm=ppm), fast=fast).apply(tone(freq, np.arange(n)))
    wanted = tone(freq, np.arange(n) * (1 + ppm * 1e-6) - delay)
    inner = slice(64, -64)
    assert error_db(out[inner], wanted[inner]) < -62


@pytest.mark.parametrize("fast", PATHS)
@pytest.mark.parametrize("delay", [5, -7, 0, 30_000])
def test_whole_delays_are_shifts(fast: bool, delay: int) -> None:
    samples = draw(40_000)
    out = Simulator(ChannelConfig(delay=delay, taps=(Tap(gain_db=-6),)), fast=fast).apply(samples)
    moved = torch.zeros_like(samples)
    n = len(samples)
    moved[max(delay, 0) : n + min(delay, 0)] = samples[max(-delay, 0) : n - max(delay, 0)]
    assert torch.allclose(out, moved * 10**-0.3, atol=1e-5)


@pytest.mark.parametrize("fast", PATHS)
@pytest.mark.parametrize("fraction", [0.0, 0.4])
def test_paths_have_their_frequency_response(fast: bool, fraction: float) -> None:
    taps = tuple(tap.model_copy(update={"delay": tap.delay + (fraction if tap.delay else 0)}) for tap in MP)
    link = Simulator(ChannelConfig(taps=taps, delay=0.25), fast=fast)
    for freq in (-0.40, -0.1, 0.25, 0.40):
        out = link.apply(tone(freq, np.arange(30_000)))[200:-200]
        response = sum(tap.gain * np.exp(-2j * np.pi * freq * (tap.delay + 0.25)) for tap in taps)
        assert error_db(out, complex(response) * tone(freq, np.arange(200, 29_800))) < -58


@pytest.mark.parametrize("fast", PATHS)
def test_carrier_offset_is_exact_far_from_the_origin(fast: bool) -> None:
    n, start = 30_000, 3_600_000_000
    config = ChannelConfig(cfo_hz=12_345.678, phase_deg=30)
    out = Simulator(config, fast=fast).apply(torch.ones(n, dtype=torch.complex64), start)
    exact = np.exp(1j * (2 * np.pi * np.remainder(0.012345678 * (start + np.arange(n)), 1) + np.pi / 6))
    assert np.abs(out.numpy() - exact).max() < 3e-5  # 0.0123… · 3.6e9 turns in float64


@pytest.mark.parametrize("fast", PATHS)
def test_locked_phase_noise_has_its_rms_and_correlation(fast: bool) -> None:
    config = ChannelConfig(phase_noise="locked", phase_noise_deg=2.0, loop_bandwidth_hz=5e3, seed=3)
    phase = np.angle(Simulator(config, fast=fast).apply(torch.ones(400_000, dtype=torch.complex64)).numpy())
    assert math.degrees(phase.std()) == pytest.approx(2.0, rel=0.03)
    for lag in (1, 20, 60):
        wanted = math.exp(-2 * math.pi * 5e3 * lag / 1e6)
        assert (phase[lag:] * phase[:-lag]).mean() / phase.var() == pytest.approx(wanted, abs=0.03)
    starts = [
        np.angle(complex(Simulator(config, fast=fast).apply(torch.ones(1, dtype=torch.complex64), at)[0])) for at in range(400)
    ]
    assert math.degrees(np.std(starts)) == pytest.approx(2.0, rel=0.15)  # stationary from the first sample on


@pytest.mark.parametrize("fast", PATHS)
def test_free_phase_noise_is_a_wiener_process(fast: bool) -> None:
    config = ChannelConfig(phase_noise="free", linewidth_hz=50.0)
    phase = np.unwrap(np.angle(Simulator(config, fast=fast).apply(torch.ones(300_000, dtype=torch.complex64)).numpy()))
    for lag in (1, 50):
        assert (phase[lag:] - phase[:-lag]).var() == pytest.approx(2 * math.pi * 50 * lag / 1e6, rel=0.1)


@pytest.mark.parametrize("fast", PATHS)
def test_noise_is_the_stream_and_rows_differ(fast: bool) -> None:
    out = Simulator(ChannelConfig(noise_power=0.2, seed=9), fast=fast).apply(torch.zeros(2, 40_000, dtype=torch.complex64), 77)
    for row in range(2):
        assert np.array_equal(out[row].numpy(), complex_gaussian(9, f"row{row}/noise", 77, 40_000, 0.2))
    assert float(out.abs().square().mean()) == pytest.approx(0.2, rel=0.02)


def autocorrelation(link: Simulator, lags: np.ndarray, runs: int) -> np.ndarray:
    ones = torch.ones(runs, int(lags.max()) + 1, dtype=torch.complex64)
    gains = link.apply(ones)[:, 40:].numpy() if link.config.delay else link.apply(ones).numpy()
    return np.array([(gains[:, lag] * gains[:, 0].conj()).mean() for lag in lags])


@pytest.mark.parametrize("fast", PATHS)
def test_doppler_has_jakes_autocorrelation(fast: bool) -> None:
    doppler, runs = 2000.0, 1500
    link = Simulator(ChannelConfig(taps=(Tap(),), doppler_hz=doppler, seed=4), fast=fast)
    lags = np.array([0, 30, 60, 120, 190, 250, 300, 440])
    measured = autocorrelation(link, lags, runs)
    assert np.abs(measured - j0(2 * np.pi * doppler * lags / 1e6)).max() < 4.5 / math.sqrt(runs)
    power = link.apply(torch.ones(runs, 40, dtype=torch.complex64))[:, 20].abs().square()
    assert float((power < 0.1).float().mean()) == pytest.approx(1 - math.exp(-0.1), abs=4 * math.sqrt(0.09 / runs))


@pytest.mark.parametrize("fast", PATHS)
def test_doppler_taps_are_independent_and_keep_their_power(fast: bool) -> None:
    taps = (Tap(), Tap(delay=40, gain_db=-6.0))
    pulse = torch.zeros(800, 100, dtype=torch.complex64)
    pulse[:, 0] = 1
    out = Simulator(ChannelConfig(taps=taps, doppler_hz=100.0), fast=fast).apply(pulse).numpy()
    assert (np.abs(out[:, 0]) ** 2).mean() == pytest.approx(1, abs=0.15)
    assert (np.abs(out[:, 40]) ** 2).mean() == pytest.approx(10**-0.6, rel=0.15)
    assert abs((out[:, 0] * out[:, 40].conj()).mean()) < 4 * 10**-0.3 / math.sqrt(800)


@pytest.mark.parametrize("fast", PATHS)
def test_rayleigh_blocks_are_the_airs(fast: bool) -> None:
    out = Simulator(ChannelConfig(rayleigh_block=1000, seed=5), fast=fast).apply(torch.ones(20_000, dtype=torch.complex64), 300)
    assert torch.allclose(out, rayleigh(5, "row0", 300, 20_000, 1000))


@pytest.mark.parametrize("fast", PATHS)
def test_front_ends_and_converters(fast: bool) -> None:
    samples = 0.2 * draw(50_000)
    amplified = Simulator(ChannelConfig(pa_saturation=0.3), fast=fast).apply(samples)
    assert torch.equal(amplified, rapp(samples, 0.3))
    coarse = Simulator(ChannelConfig(adc_bits=8), fast=fast).apply(samples)
    assert float((coarse - samples).abs().square().mean()) == pytest.approx(quantisation_noise(8), rel=0.03)
    clipped = Simulator(ChannelConfig(dac_bits=10), fast=fast).apply(samples * 50)
    assert float(torch.view_as_real(clipped).max()) == 1 - 2**-9
    mixed = Simulator(ChannelConfig(iq_gain_db=0.5, iq_phase_deg=3, dc_i=0.1, dc_q=-0.2), fast=fast).apply(samples)
    assert complex(mixed.mean() - samples.mean()) == pytest.approx(0.1 - 0.2j, abs=0.002)


@pytest.mark.skipif(not available(), reason="numba is not installed")
@pytest.mark.parametrize("doppler", [0.0, 300.0])
def test_both_paths_agree(doppler: float) -> None:
    config = ChannelConfig(**FULL, doppler_hz=doppler, rayleigh_block=5000, iq_gain_db=0.2)
    time = np.arange(60_000)
    samples = tone(0.31, time) + tone(-0.12, time)
    fast, plain = (Simulator(config, fast=value).apply(samples, 1234) for value in (True, False))
    assert error_db(fast[64:-64], plain[64:-64]) < -60


@pytest.mark.parametrize("fast", PATHS)
@pytest.mark.parametrize("doppler", [0.0, 300.0])
def test_the_size_of_tiles_does_not_show(fast: bool, doppler: float, monkeypatch: pytest.MonkeyPatch) -> None:
    link = Simulator(ChannelConfig(**FULL, doppler_hz=doppler, rayleigh_block=5000), fast=fast)
    samples = draw(40_000)
    whole = link.apply(samples, 99)
    monkeypatch.setattr(simulator, "_PLAIN_TILE", 7001)
    monkeypatch.setattr(simulator, "_TILE", 7001)
    tiled = Simulator(link.config, fast=fast).apply(samples, 99)
    if fast and not doppler:
        assert torch.equal(tiled, whole)
    assert error_db(tiled, whole) < -67  # the plain filter's grid of fractions starts anew with each tile


def test_nothing_in_nothing_out() -> None:
    for shape in ((0,), (0, 5), (3, 0)):
        assert Simulator(ChannelConfig(**FULL)).apply(torch.zeros(shape, dtype=torch.complex64)).shape == shape


def test_the_simulator_is_differentiable() -> None:
    samples = draw(2000).requires_grad_()
    link = Simulator(ChannelConfig(**FULL, pa_saturation=2.0, adc_bits=10))
    weight = draw(2000, seed=2)
    loss = (link.apply(0.1 * samples) * weight).real.sum()
    loss.backward()
    assert samples.grad is not None
    linear = Simulator(ChannelConfig(**FULL), fast=False)
    with torch.no_grad():
        shift = draw(2000, seed=3)
        value = [float((linear.apply(x) * weight).real.sum(dtype=torch.float64)) for x in (samples + shift, samples - shift)]
    samples.grad = None
    (linear.apply(samples) * weight).real.sum().backward()
    slope = float((samples.grad.conj() * shift).real.sum())
    assert slope == pytest.approx((value[0] - value[1]) / 2, rel=1e-3)


def test_wrong_input_is_refused() -> None:
    with pytest.raises(ShapeError, match="samples"):
        Simulator(ChannelConfig()).apply(torch.zeros(5))
    with pytest.raises(ValueError, match="sfo_ppm"):
        ChannelConfig(sfo_ppm=1e5)
