"""Streams: bits independent of chopping, frames among gaps, input that is no signal."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hil.errors import ShapeError
from hil.phy.frame import FrameConfig, FrameFormat
from hil.phy.receive import Receiver, ReceiverConfig, StreamReceiver
from hil.phy.transmit import FrameBuilder
from hil.units import power_to_db
from tests.unit.phy.signals import CARRIER, bits, noise, spun

SHORT = FrameFormat(
    FrameConfig(preamble_samples=240, sounding_symbols=3, header_repetitions=1, tasks_per_frame=2),
    torch.ones(1, 480, dtype=torch.bool),
)
CONFIG = ReceiverConfig(max_cfo_hz=2 * CARRIER, mode="fast", taps_after=19, center_freq_hz=1e15)
FAST = Receiver(SHORT, CONFIG)


def stream(gaps: list[int], *, snr_db: float, seed: int, form: FrameFormat = SHORT, cfo: float = 0.3):
    """Frames after gaps; samples, first samples, payload [frame, tx, task, use]."""
    generator = torch.Generator().manual_seed(seed)
    shape = (len(gaps), form.transmitters, form.tasks, form.occupied.shape[1])
    payload = torch.randn(*shape, dtype=torch.complex64, generator=generator) * form.occupied[None, :, None]
    waves = FrameBuilder(form).build(payload, range(len(gaps))).sum(1) / form.sample_amplitude
    starts = np.cumsum(np.array(gaps) + form.samples) - form.samples
    samples = torch.zeros(int(starts[-1]) + form.samples + 300, dtype=torch.complex64)
    for start, wave in zip(starts.tolist(), waves, strict=True):
        samples[start : start + form.samples] = wave
    samples = spun(samples, cfo / 64)
    return samples + noise(len(samples), 10 ** (-snr_db / 10), seed + 1), starts.tolist(), payload


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
    assert [(frame.number, frame.start) for frame in whole] == list(enumerate(starts))
    for frame, sent in zip(whole, payload, strict=True):
        assert power_to_db(float((frame.symbols - sent[0]).abs().square().mean())) < -50
    if min(sizes) < 50:
        sizes = [size + 50 for size in sizes]
    assert bits(chopped(FAST, samples, sizes)) == bits(whole)
    (window,) = FAST.receive_windows([samples])
    assert bits(window) == bits(whole)


@given(
    gaps=st.lists(st.integers(0, 20_000), min_size=1, max_size=3),
    sizes=st.lists(st.integers(300, 30_000), min_size=1, max_size=4),
    seed=st.integers(0, 1000),
    snr_db=st.sampled_from([-3.0, 10.0, 40.0]),
    fast=st.booleans(),
    mode=st.sampled_from(["shared", "sensitive", "fast"]),
)
@settings(max_examples=20, deadline=None)
def test_both_kernels_in_every_mode_give_the_bits_of_one_piece(gaps, sizes, seed, snr_db, fast, mode):
    if fast:
        pytest.importorskip("numba")
    shared = ReceiverConfig()
    config = shared if mode == "shared" else CONFIG.model_copy(update={"mode": mode, "max_cfo_hz": 0.4 * CARRIER})
    receiver = Receiver(SHORT, config, fast=fast)
    samples, starts, _ = stream(gaps, snr_db=snr_db, seed=seed, cfo=0.0 if mode == "shared" else 0.3)
    whole = receiver.receive(samples)
    if snr_db > 0:
        assert [frame.start for frame in whole] == starts
    assert bits(chopped(receiver, samples, sizes)) == bits(whole)
    assert bits(receiver.receive_windows([samples, samples[:100]])[0]) == bits(whole)


def test_single_samples_give_the_bits_of_one_piece():
    samples, _, _ = stream([100], snr_db=10, seed=3)
    assert bits(chopped(FAST, samples, [1])) == bits(FAST.receive(samples))


@pytest.mark.parametrize("transmitters", [1, 2, 3, 4])
@pytest.mark.parametrize("free", [False, True])
def test_streaming_with_any_number_of_transmitters(transmitters, free):
    mask = torch.ones(transmitters, 20, dtype=torch.bool)
    form = FrameFormat(FrameConfig(tasks_per_frame=3, sounding_symbols=4), mask)
    config = ReceiverConfig(max_cfo_hz=CARRIER, mode="fast", center_freq_hz=1e15) if free else ReceiverConfig()
    receiver = Receiver(form, config)
    samples, starts, payload = stream([50, 0, 777], snr_db=60, seed=transmitters, form=form, cfo=0.3 if free else 0.0)
    whole = receiver.receive(samples)
    assert [(frame.number, frame.start) for frame in whole] == list(enumerate(starts))
    for frame, sent in zip(whole, payload, strict=True):
        assert power_to_db(float((frame.symbols - sent.sum(0)).abs().square().mean())) < -42
    assert bits(chopped(receiver, samples, [4097, 123])) == bits(whole)


def test_bits_of_a_frame_do_not_depend_on_how_many_are_received_together():
    """FFT and kernels work on chunks of frames; every chunk size gives the same bits."""
    samples, _, _ = stream([200] * 40, snr_db=15, seed=6)
    expected = bits(FAST.receive(samples))
    assert len(expected) == 40
    for chunk in (1, 2, 3, 5, 16, 39):
        receiver = Receiver(SHORT, CONFIG)
        receiver.chunk = chunk
        assert bits(receiver.receive(samples)) == expected


@pytest.mark.parametrize("repetitions", [0, 1])
def test_what_is_no_frame_is_not_received(repetitions):
    form = FrameFormat(SHORT.config.model_copy(update={"header_repetitions": repetitions}), SHORT.occupied)
    receiver = Receiver(form, CONFIG)
    own, starts, _ = stream([200, 300], snr_db=5, seed=5, form=form)
    assert [frame.start for frame in receiver.receive(own)] == starts
    other = FrameFormat(form.config.model_copy(update={"seed": 99}), form.occupied)
    foreign, _, _ = stream([200, 300, 0, 500], snr_db=60, seed=5, form=other)
    found = receiver.receive(foreign)
    assert len(found) == 0 if not repetitions else all(frame.number is None for frame in found)
    assert len(receiver.receive(noise(300_000, 1.0, 1))) == 0
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
        assert len(receiver.receive(samples.to(torch.complex64))) == 0


def test_frames_without_header_have_no_number():
    form = FrameFormat(SHORT.config.model_copy(update={"header_repetitions": 0}), SHORT.occupied)
    samples, starts, payload = stream([200, 0], snr_db=30, seed=5, form=form)
    for fast in (True, False) if pytest.importorskip("numba") else (False,):
        frames = Receiver(form, CONFIG, fast=fast).receive(samples)
        assert [(frame.number, frame.start) for frame in frames] == [(None, start) for start in starts]
        for frame, sent in zip(frames, payload, strict=True):
            assert power_to_db(float((frame.symbols - sent[0]).abs().square().mean())) < -28
            assert math.isnan(frame.header_margin)


def test_a_frame_with_a_nan_is_dropped_and_the_others_stay():
    samples, starts, _ = stream([300, 300, 300], snr_db=30, seed=8)
    samples[starts[1] + 900] = complex(math.nan, 0)
    assert [frame.start for frame in FAST.receive(samples)] == [starts[0], starts[2]]
    assert [frame.start for frame in chopped(FAST, samples, [999])] == [starts[0], starts[2]]


def test_cut_off_frames_are_not_received():
    samples, starts, _ = stream([300], snr_db=30, seed=8)
    end = starts[0] + SHORT.samples
    assert len(FAST.receive(samples[: end - 1])) == 0
    assert len(FAST.receive(samples[:end])) == 1
    assert len(FAST.receive(samples[starts[0] :])) == 1
    assert len(FAST.receive(samples[starts[0] + 1 :])) == 0  # its silent symbol is not whole
    assert len(FAST.receive(samples[starts[0] + SHORT.preamble_start + 2 :])) == 0


def test_wrong_input_is_refused():
    with pytest.raises(ShapeError, match="complex64"):
        FAST.receive(torch.zeros(100))
    with pytest.raises(ShapeError, match="complex64"):
        StreamReceiver(SHORT, CONFIG, receiver=FAST).push(np.zeros((2, 100), np.complex64))


def test_sample_clock_offset_is_tracked():
    """40 ppm over 100 symbols, by exact interpolation of each carrier."""
    form = FrameFormat(SHORT.config.model_copy(update={"tasks_per_frame": 10}), SHORT.occupied)
    samples, starts, payload = stream([300], snr_db=200, seed=4, form=form, cfo=0.0)
    drift = 40e-6
    time = torch.arange(len(samples), dtype=torch.float64) * (1 + drift) - starts[0] * drift
    whole = torch.nn.functional.pad(samples, (64, 64)).to(torch.complex128)
    taps = torch.arange(-24, 25)
    index = (time.round().long()[:, None] + taps + 64).clamp(0, len(whole) - 1)
    distance = time[:, None] - (time.round()[:, None] + taps)
    window = torch.special.i0(8 * (1 - (distance / 25).square()).clamp_min(0).sqrt()) / torch.special.i0(torch.tensor(8.0))
    moved = (whole[index] * torch.sinc(distance) * window).sum(1).to(torch.complex64)
    (frame,) = Receiver(form, CONFIG).receive(torch.nn.functional.pad(moved, (500, 500)))
    assert power_to_db(float((frame.symbols - payload[0, 0]).abs().square().mean())) < -50
    assert abs(float(frame.clock_ppm[0])) == pytest.approx(40, abs=2)
