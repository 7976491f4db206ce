"""Front ends at fault: what is found in a frame is what was done to it, by both kernels and however samples come."""

import math

import numpy as np
import pytest
import torch

from hil.phy.frame import FrameConfig, FrameFormat
from hil.phy.receive import Receiver, ReceiverConfig, StreamReceiver
from tests.unit.phy.signals import gaussian, occupied, on_air

FREE = ReceiverConfig(max_cfo_hz=4e4)
SHARED = ReceiverConfig()
KAPPA = 0.08 - 0.05j


def form_of(access="single"):
    return FrameFormat(FrameConfig(sounding_symbols=8, tasks_per_frame=40), occupied(access))


def heard(form, *, cfo=0.0, image=0j, dc=0j, snr_db=30, seed=3):
    y = on_air(form, gaussian(form, seed), seed, snr_db=snr_db, seed=seed, cfo=[cfo] * form.transmitters)
    return (y + image * y.conj() + dc).to(torch.complex64)


@pytest.mark.parametrize("fast", [True, False])
def test_image_and_dc_under_a_carrier_offset_are_found(fast):
    if fast:
        pytest.importorskip("numba")
    form = form_of()
    (frame,) = Receiver(form, FREE, fast=fast).receive(heard(form, cfo=0.0123, image=KAPPA, dc=0.3 + 0.2j))
    assert abs(frame.front.dc - (0.3 + 0.2j)) < 0.01
    assert abs(frame.front.image - KAPPA) < 5e-3
    assert not frame.front.offset
    assert frame.observed.ratio == pytest.approx(1, abs=0.5)


def test_on_a_shared_clock_both_images_are_one():
    form = form_of()
    (frame,) = Receiver(form, SHARED).receive(heard(form, image=KAPPA))
    assert abs(frame.front.sent[0] - KAPPA) < 5e-3
    assert frame.front.image_power == pytest.approx(abs(KAPPA) ** 2, rel=0.1)


@pytest.mark.parametrize("hz", [30, 300])
def test_a_carrier_offset_on_a_shared_clock_is_taken_out(hz):
    form = form_of()
    (frame,) = Receiver(form, SHARED).receive(heard(form, cfo=hz / 1e6, snr_db=20))
    assert frame.front.offset
    assert float(frame.cfo_hz[0]) == pytest.approx(hz, abs=5 * float(frame.cfo_error_hz[0]))
    assert frame.observed.ratio == pytest.approx(1, abs=0.5)


@pytest.mark.parametrize("config", [FREE, SHARED], ids=["free", "shared"])
def test_a_large_dc_offset_loses_no_frame(config):
    form = form_of()
    y = heard(form, cfo=0.008 if config is FREE else 0.0, dc=8.0, snr_db=15)
    (frame,) = Receiver(form, config).receive(y)
    assert frame.number == 3
    assert not Receiver(form, config.model_copy(update={"mixer": None})).receive(y)


@pytest.mark.parametrize("config", [FREE, SHARED], ids=["free", "shared"])
def test_windows_streams_and_batches_give_the_same_bits(config):
    form = form_of()
    cfo = 0.008 if config is FREE else 0.0
    windows = [heard(form, cfo=cfo, image=KAPPA, dc=2.0, snr_db=15, seed=seed) for seed in range(3)]
    receiver = Receiver(form, config)
    alone = [receiver.receive(window)[0] for window in windows]
    together = receiver.receive_windows(windows)
    for one, (other,) in zip(alone, together, strict=True):
        assert torch.equal(one.symbols, other.symbols)
        assert one.front.dc == other.front.dc
    whole = torch.cat(windows)
    pieces, stream = [], StreamReceiver(form, config)
    for part in whole.split(1777):
        pieces += list(stream.push(part))
    pieces += list(stream.finish())
    once = receiver.receive(whole)
    assert [frame.start for frame in pieces] == [frame.start for frame in once]
    assert len(once) == 3
    for one, other in zip(once, pieces, strict=True):
        assert torch.equal(one.symbols, other.symbols)


def test_a_clean_frame_is_left_alone():
    form = form_of("oma")
    for seed in range(20):
        (frame,) = Receiver(form, SHARED).receive(heard(form, snr_db=25, seed=seed))
        front = frame.front
        assert (front.dc, front.image, front.offset) == (0, 0, False)
        assert not front.sent.any()
        assert not math.isnan(frame.observed.ratio)
        assert np.isfinite(frame.symbols.numpy()).all()
