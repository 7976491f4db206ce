"""Compiled and plain kernels: the same arithmetic to float rounding, on any frame."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hil.phy.frame import FrameConfig, FrameFormat
from hil.phy.numerology import Numerology
from hil.phy.receive import Receiver, ReceiverConfig
from tests.unit.phy.signals import gaussian, on_air

NUMEROLOGIES = (
    Numerology(),
    Numerology(fft_size=256, cyclic_prefix=32, active_half=100, pilots=8),
    Numerology(fft_size=48, cyclic_prefix=12, active_half=20, pilots=5),
)


@given(
    numerology=st.sampled_from(NUMEROLOGIES),
    transmitters=st.integers(1, 4),
    uses=st.integers(1, 30),
    tasks=st.integers(0, 9),
    sounding=st.integers(2, 9),
    repetitions=st.integers(0, 2),
    interleave=st.booleans(),
    free=st.booleans(),
    walk=st.sampled_from([0.0, 1e-4]),
    locked=st.sampled_from([None, 0.035]),
    aligned=st.booleans(),
    equaliser=st.sampled_from(["zf", "mmse"]),
    reference=st.sampled_from([None, None, 0.7]),
    snr_db=st.sampled_from([3.0, 20.0, 45.0]),
    memory=st.sampled_from([0, 5, 100]),
    seed=st.integers(0, 10_000),
)
@settings(max_examples=60, deadline=None)
def test_any_frame_in_any_configuration(
    numerology, transmitters, uses, tasks, sounding, repetitions, interleave, free, walk, locked, aligned, equaliser, reference,
    snr_db, memory, seed,
):  # fmt: skip
    pytest.importorskip("numba")
    generator = torch.Generator().manual_seed(seed)
    mask = torch.rand(transmitters, uses, generator=generator) < 0.6
    mask[:, 0] = True
    frame = FrameConfig(
        numerology=numerology, tasks_per_frame=tasks, sounding_symbols=sounding, header_repetitions=repetitions,
        interleave=interleave, preamble_samples=240,
    )  # fmt: skip
    form = FrameFormat(frame, mask)
    config = ReceiverConfig(
        max_cfo_hz=20e3 if free else 0.0, phase_walk_rad2=walk, phase_noise_rad=locked, aligned=aligned,
        equaliser="zf" if reference else equaliser, reference=reference, shape_memory=memory,
    )  # fmt: skip
    cfo = (torch.rand(transmitters, generator=generator) * 0.03 - 0.015).tolist() if free else None
    channels = [[(0, 0.8), (tx, 0.2j)] for tx in range(transmitters)]
    bursts = [
        on_air(form, gaussian(form, seed), 7, snr_db=snr_db, seed=seed + again, channels=channels, cfo=cfo) for again in (0, 1)
    ]
    known = None
    for burst in bursts if memory else bursts[:1]:
        compiled, plain = (Receiver(form, config, fast=fast).receive(burst, known=known) for fast in (True, False))
        _agree_all(compiled, plain)
        known = compiled[0].shape if len(compiled) else None


def _agree_all(compiled, plain):
    assert [(frame.number, frame.start) for frame in compiled] == [(frame.number, frame.start) for frame in plain]
    for one, other in zip(compiled, plain, strict=True):
        _agree(one, other)


def _agree(one, other):
    scale = float(other.symbols.abs().max()) if other.symbols.numel() else 1.0
    close = {"rtol": 2e-3, "check_dtype": True}
    torch.testing.assert_close(one.symbols, other.symbols, atol=3e-4 * scale, **close)
    torch.testing.assert_close(one.channel, other.channel, atol=3e-4, **close)
    torch.testing.assert_close(one.noise_var, other.noise_var, atol=1e-9, **close)
    torch.testing.assert_close(one.response, other.response, atol=2e-5, **close)
    torch.testing.assert_close(one.cfo_hz, other.cfo_hz, atol=0.05, rtol=0)
    torch.testing.assert_close(one.cfo_error_hz, other.cfo_error_hz, atol=1e-3, rtol=1e-3)
    torch.testing.assert_close(one.clock_ppm, other.clock_ppm, atol=1e-3, rtol=0)
    torch.testing.assert_close(one.signal, other.signal, atol=1e-5, **close)
    for name in ("carrier_error", "symbol_error", "stated"):
        torch.testing.assert_close(getattr(one.observed, name), getattr(other.observed, name), atol=1e-7, **close)
    assert one.anew == other.anew
    assert one.response_error == pytest.approx(other.response_error, rel=1e-3)
    for name in ("metric", "noise", "null_noise", "pilot_noise", "preamble_cfo_hz", "reference_cfo_hz", "header_margin"):
        assert getattr(one, name) == pytest.approx(getattr(other, name), rel=2e-3, abs=0.02, nan_ok=True), name
