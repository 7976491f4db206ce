"""Streams and frames sounded by their preamble: bits independent of chopping, kernels that agree, input that is no signal."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hil.errors import ShapeError
from hil.phy.detector import Detector
from hil.phy.frame import FrameConfig, FrameFormat
from hil.phy.preamble import design
from hil.phy.receive import Receiver, ReceiverConfig, StreamReceiver
from hil.phy.transmit import FrameBuilder, build_frame
from hil.units import power_to_db

torch.set_num_threads(1)
CARRIER = 1e6 / 64
RAW = FrameFormat(
    FrameConfig(
        preamble_samples=240, sounding_symbols=0, header_repetitions=0, silent=False, tasks_per_frame=2, interleave=True
    ),
    torch.ones(1, 480, dtype=torch.bool),
)
CONFIG = ReceiverConfig(max_cfo_hz=2 * CARRIER, mode="fast", taps_after=19)
FAST = Receiver(RAW, CONFIG)


def noise(count: int, power: float, seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, dtype=torch.complex64, generator=generator) * math.sqrt(power)


def stream(gaps: list[int], *, snr_db: float, seed: int, form: FrameFormat = RAW, cfo: float = 0.3):
    """Frames after gaps; samples, first samples, payload [frame, tx, task, use]."""
    generator = torch.Generator().manual_seed(seed)
    shape = (len(gaps), form.transmitters, form.tasks, form.occupied.shape[1])
    payload = torch.randn(*shape, dtype=torch.complex64, generator=generator) * form.occupied[None, :, None]
    waves = FrameBuilder(form).build(payload, range(len(gaps))).sum(1) / form.sample_amplitude
    starts = np.cumsum(np.array(gaps) + form.samples) - form.samples
    samples = torch.zeros(int(starts[-1]) + form.samples + 300, dtype=torch.complex64)
    for start, wave in zip(starts.tolist(), waves, strict=True):
        samples[start : start + form.samples] = wave
    time = torch.arange(samples.shape[0], dtype=torch.float64)
    samples = samples * torch.exp(2j * math.pi * cfo / 64 * time).to(torch.complex64)
    return samples + noise(len(samples), 10 ** (-snr_db / 10), seed + 1), starts.tolist(), payload


def bits(frames) -> list[bytes]:
    return [
        b"".join(
            value.contiguous().numpy().tobytes()
            for value in (frame.symbols, frame.noise_var, frame.channel, frame.cfo_hz, frame.response)
        )
        + str(frame.start).encode()
        for frame in frames
    ]


def chopped(receiver: Receiver, samples: torch.Tensor, sizes: list[int]) -> list:
    stream_receiver = StreamReceiver(receiver.form, receiver.config, receiver=receiver)
    out, first, turn = [], 0, 0
    while first < len(samples):
        size = sizes[turn % len(sizes)]
        out += list(stream_receiver.push(samples[first : first + size]))
        first, turn = first + size, turn + 1
    return out + list(stream_receiver.finish())


@given(
    gaps=st.lists(st.integers(0, 3000), min_size=1, max_size=5),
    sizes=st.lists(st.integers(1, 30_000), min_size=1, max_size=4),
    seed=st.integers(0, 1000),
    cfo=st.floats(-2, 2),
)
@settings(max_examples=25, deadline=None)
def test_any_gaps_any_blocks_give_the_bits_of_one_piece(gaps, sizes, seed, cfo):
    samples, starts, payload = stream(gaps, snr_db=60, seed=seed, cfo=cfo)
    whole = FAST.receive(samples)
    assert [frame.start for frame in whole] == starts
    for frame, sent in zip(whole, payload, strict=True):
        assert power_to_db(float((frame.symbols - sent[0]).abs().square().mean())) < -50
    if min(sizes) < 50:
        sizes = [size + 50 for size in sizes]
    assert bits(chopped(FAST, samples, sizes)) == bits(whole)


def test_single_samples_give_the_bits_of_one_piece():
    samples, _, _ = stream([100], snr_db=10, seed=3)
    assert bits(chopped(FAST, samples, [1])) == bits(FAST.receive(samples))


@pytest.mark.parametrize("transmitters", [1, 2, 3, 4])
def test_streaming_of_full_frames_with_any_number_of_transmitters(transmitters):
    mask = torch.ones(transmitters, 20, dtype=torch.bool)
    form = FrameFormat(FrameConfig(tasks_per_frame=3, sounding_symbols=4), mask)
    receiver = Receiver(form, ReceiverConfig())
    samples, starts, payload = stream([50, 0, 777], snr_db=60, seed=transmitters, form=form, cfo=0.0)
    whole = receiver.receive(samples)
    assert [(frame.number, frame.start) for frame in whole] == list(enumerate(starts))
    for frame, sent in zip(whole, payload, strict=True):
        assert power_to_db(float((frame.symbols - sent.sum(0)).abs().square().mean())) < -45
    assert bits(chopped(receiver, samples, [4097, 123])) == bits(whole)


@pytest.mark.parametrize("mode", ["fast", "sensitive"])
@pytest.mark.parametrize("equaliser", ["zf", "mmse"])
def test_torch_and_compiled_kernels_agree(mode, equaliser):
    pytest.importorskip("numba")
    config = CONFIG.model_copy(update={"mode": mode, "equaliser": equaliser, "phase_walk_rad2": 1e-4})
    samples, starts, _ = stream([300, 50, 900], snr_db=5, seed=9)
    compiled, plain = (Receiver(RAW, config, fast=fast).receive(samples) for fast in (True, False))
    assert [frame.start for frame in compiled] == [frame.start for frame in plain] == starts
    for one, other in zip(compiled, plain, strict=True):
        assert one.metric == pytest.approx(other.metric, rel=1e-4)
        assert float(one.cfo_hz[0]) == pytest.approx(float(other.cfo_hz[0]), abs=0.5)
        for name, bound in (("symbols", 2e-3), ("channel", 1e-4), ("noise_var", 1e-3)):
            torch.testing.assert_close(getattr(one, name), getattr(other, name), atol=bound, rtol=2e-3)


@pytest.mark.parametrize("fast", [True, False])
def test_builder_is_the_reference(fast):
    if fast:
        pytest.importorskip("numba")
    for form in (RAW, FrameFormat(FrameConfig(tasks_per_frame=4), torch.ones(2, 30, dtype=torch.bool))):
        generator = torch.Generator().manual_seed(2)
        shape = (18, form.transmitters, form.tasks, form.occupied.shape[1])
        payload = torch.randn(*shape, dtype=torch.complex64, generator=generator)
        weights = torch.randn(form.transmitters, 52, dtype=torch.complex64, generator=generator)
        scale = torch.rand(form.transmitters, generator=generator)
        built = FrameBuilder(form, precoder=weights, scale=scale, fast=fast).build(payload, range(18))
        for index, symbols in enumerate(payload):
            expected = build_frame(symbols, index, form, precoder=weights, scale=scale)
            torch.testing.assert_close(built[index], expected, atol=1e-6, rtol=0)


def test_what_is_no_frame_is_not_received():
    other = FrameFormat(RAW.config.model_copy(update={"seed": 99}), RAW.occupied)
    foreign, _, _ = stream([200, 300, 0, 500], snr_db=60, seed=5, form=other)
    assert len(FAST.receive(foreign)) == 0
    assert len(FAST.receive(noise(300_000, 1.0, 1))) == 0
    tone = torch.exp(0.37j * torch.arange(60_000))
    for samples in (
        tone,
        tone + noise(60_000, 1e-3, 4),
        torch.zeros(40_000, dtype=torch.complex64),
        torch.zeros(0, dtype=torch.complex64),
        torch.full((40_000,), complex(math.nan, 0)),
        torch.full((40_000,), complex(math.inf, 0)),
        torch.sgn(noise(60_000, 1.0, 2)),
        torch.ones(40_000, dtype=torch.complex64),
    ):
        assert len(FAST.receive(samples.to(torch.complex64))) == 0
    with pytest.raises(ShapeError, match="complex64"):
        FAST.receive(torch.zeros(100))
    with pytest.raises(ShapeError, match="complex64"):
        FAST.receive(torch.zeros((2, 100), dtype=torch.complex64))


def test_a_frame_with_a_nan_is_dropped_and_the_others_stay():
    samples, starts, _ = stream([300, 300, 300], snr_db=30, seed=8)
    samples[starts[1] + 900] = complex(math.nan, 0)
    assert [frame.start for frame in FAST.receive(samples)] == [starts[0], starts[2]]
    assert [frame.start for frame in chopped(FAST, samples, [999])] == [starts[0], starts[2]]


def test_cut_off_frames_are_not_received():
    samples, starts, _ = stream([300], snr_db=30, seed=8)
    end = starts[0] + RAW.samples
    assert len(FAST.receive(samples[: end - 1])) == 0
    assert len(FAST.receive(samples[:end])) == 1
    assert len(FAST.receive(samples[starts[0] + 2 :])) == 0


@pytest.mark.parametrize(("mode", "snr_db"), [("fast", 0.0), ("sensitive", -5.0)])
def test_detection_and_cfo_at_low_snr(mode, snr_db):
    """All of 60 preambles at the mode's SNR with any CFO; the error's RMS stays within 1.3 of the bound."""
    preamble = design(240, 1, 26.6 / 64)
    detector = Detector(preamble, mode=mode, max_cfo=2 / 64, false_alarm=5e-10)
    draw = np.random.default_rng(3)
    power = 10 ** (snr_db / 10) * 52 / 64
    samples = noise(34_000, 1.0, 6).numpy()
    places = np.arange(500, 15_500, 600)
    offsets = draw.uniform(-2, 2, places.size) / 64
    for place, offset in zip(places, offsets, strict=True):
        samples[place : place + 240] += math.sqrt(power) * preamble.samples * np.exp(2j * math.pi * offset * np.arange(240))
    found = detector.block(samples.view(np.float32), 300)
    best = [max((f for f in found if abs(f.position - p) <= 3), key=lambda f: f.metric, default=None) for p in places]
    assert sum(item is not None for item in best) >= places.size - 1
    assert detector.false_alarm(detector.threshold) == pytest.approx(5e-10, rel=0.05)
    errors = [item.cfo - offset for item, offset in zip(best, offsets, strict=True) if item is not None]
    bound = math.sqrt(6 / (240 * (240**2 - 1) * power)) / (2 * math.pi)
    assert math.sqrt(np.mean(np.square(errors))) < 1.3 * bound * (1.15 if snr_db < -3 else 1)


def test_sample_clock_offset_is_tracked():
    """40 ppm over 100 symbols, by exact interpolation of each carrier."""
    form = FrameFormat(RAW.config.model_copy(update={"tasks_per_frame": 10}), RAW.occupied)
    samples, starts, payload = stream([0], snr_db=200, seed=4, form=form, cfo=0.0)
    drift = 40e-6
    time = torch.arange(form.samples, dtype=torch.float64) * (1 + drift)
    whole = torch.nn.functional.pad(samples, (64, 64)).to(torch.complex128)
    taps = torch.arange(-24, 25)
    index = (time.round().long()[:, None] + taps + 64).clamp(0, len(whole) - 1)
    distance = time[:, None] - (time.round()[:, None] + taps)
    window = torch.special.i0(8 * (1 - (distance / 25).square()).clamp_min(0).sqrt()) / torch.special.i0(torch.tensor(8.0))
    moved = (whole[index] * torch.sinc(distance) * window).sum(1).to(torch.complex64)
    padded = torch.nn.functional.pad(moved, (500, 500))
    (frame,) = FAST.__class__(form, CONFIG).receive(padded)
    assert power_to_db(float((frame.symbols - payload[0, 0]).abs().square().mean())) < -50
    assert abs(float(frame.clock_ppm[0])) == pytest.approx(40, abs=2)
    assert starts == [0]


def test_formats_that_cannot_be():
    both = torch.ones(2, 4, dtype=torch.bool)
    with pytest.raises(ShapeError, match="sounding_symbols"):
        FrameFormat(FrameConfig(sounding_symbols=0, header_repetitions=0), both)
    with pytest.raises(ShapeError, match="sounding_symbols"):
        FrameFormat(FrameConfig(sounding_symbols=1), both)
    detector = Detector(design(240, 1, 0.4), mode="fast", max_cfo=0.03, false_alarm=1e-9)
    with pytest.raises(ShapeError, match="samples"):
        detector.block(np.zeros(2000, np.float32), 300)
    with pytest.raises(ShapeError, match="multiple of 16"):
        design(250, 1, 0.4)
    with pytest.raises(ShapeError, match="numbers"):
        FrameBuilder(FrameFormat(FrameConfig(), both)).build(torch.zeros((1, 2, 84, 4), dtype=torch.complex64))
