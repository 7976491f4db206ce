"""A link that cannot be calibrated says why: each cause by its own error."""

from dataclasses import replace

import numpy as np
import pytest

from hil.calibration.causes import check_locks
from hil.errors import (
    BurstsBrokenError,
    CarrierOffsetError,
    InterferenceError,
    NotConnectedError,
    ReferenceLostError,
    SaturatedError,
    TieSlippedError,
    TooWeakError,
)
from hil.radios.bench import find_bench
from hil.radios.session import Bench
from tests.unit.calibration.support import loop_on, meet


def builtin(loss_db=60.0, **changes):
    links = [{"transmitter": tx, "path_loss_db": loss_db} for tx in (0, 1)]
    return find_bench("builtin", overrides={"links": links, **changes})


def test_a_link_that_is_not_connected():
    with Bench(builtin(190.0)) as bench, pytest.raises(NotConnectedError, match="0:rx is not connected: nothing is heard"):
        meet(loop_on(bench), 5.0)


def test_a_link_that_is_too_weak_for_its_target():
    with Bench(builtin(105.0)) as bench, pytest.raises(TooWeakError, match=r"too weak for 5 dB.*the most that the radio has"):
        meet(loop_on(bench), 5.0)


def test_a_receiver_at_its_rails():
    loud = {"radios.tx.tx_gain_range_db": [-5.0, 0.0], "receiver.gain_db": 73.0}
    ends = [{"radio": "tx", "channel": tx, "gain_db": -5.0} for tx in (0, 1)]
    with Bench(builtin(0.0, transmitters=ends, **loud)) as bench, pytest.raises(SaturatedError, match="lower the receiver's"):
        meet(loop_on(bench), 5.0)


def test_a_carrier_beyond_the_search():
    config = find_bench("independent", overrides={"radios.tx0.ppm": 60.0})
    with (
        Bench(config) as bench,
        pytest.raises(CarrierOffsetError, match=r"161\d\d\d Hz \(\+66.0 ppm\).*±122500 Hz \(±50.0 ppm\)"),
    ):
        meet(loop_on(bench), 5.0)


def test_something_else_in_the_band():
    """The other transmitter plays a tone that nobody asked for."""
    with Bench(find_bench("independent")) as bench:
        tone = 0.5 * np.exp(2j * np.pi * 0.1 * np.arange(10_000)).astype(np.complex64)
        bench.set_tx_gain(1, 0.0)
        bench.radios["tx1"].transmit(tone[None], cyclic=True)
        with pytest.raises(InterferenceError, match=r"a tone at \+9[0-9]\.\d kHz"):  # 100 kHz less 3 ppm
            meet(loop_on(bench), 5.0)


def test_bursts_that_do_not_go_out_whole(monkeypatch):
    with Bench(builtin()) as bench:
        burst = bench.burst
        monkeypatch.setattr(bench, "burst", lambda *args, **more: replace(burst(*args, **more), whole=False))
        with pytest.raises(BurstsBrokenError, match="went out late or came in with holes"):
            meet(loop_on(bench), 5.0)


def test_a_stream_that_loses_its_place(monkeypatch):
    with Bench(builtin()) as bench:
        burst, count = bench.burst, [0]

        def slipping(*args, **more):
            got = burst(*args, **more)
            count[0] += 1
            slip = 150 if count[0] % 2 else 0
            return replace(got, heard={name: replace(one, due=one.due - slip) for name, one in got.heard.items()})

        monkeypatch.setattr(bench, "burst", slipping)
        with pytest.raises(TieSlippedError, match="150 samples apart"):
            meet(loop_on(bench), 5.0)


def test_a_lock_that_is_lost():
    radios = {"rx": {"sensors": {"ref_locked": False, "mimo_locked": False, "lo_locked": True}}}
    check_locks(radios, external=False)
    with pytest.raises(ReferenceLostError, match="radio 'rx': its sensor ref_locked"):
        check_locks(radios, external=True)
    with pytest.raises(ReferenceLostError, match="rx_lo_locked"):
        check_locks({"tx": {"sensors": {"rx_lo_locked": False}}}, external=False)
