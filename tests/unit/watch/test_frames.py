"""Frames as a page shows them: those of a capture's points as the run received them, any others by their sounding."""

import numpy as np
import pytest
import torch

from hil.captures import Capture, FrameKind, FrameStatus
from hil.phy.receive import ReceiverConfig
from hil.phy.transmit import FrameBuilder
from hil.points.spec import receiver_for
from hil.radios.bench import find_bench
from hil.radios.session import Bench
from hil.watch.frames import POINTS, PointEar, ProbeEar
from tests.conftest import ROOT
from tests.unit.watch.signals import FORM, FULL_SCALE, SNR_DB, ofdm, silence, tone


@pytest.mark.parametrize("name", ["single", "noma"])
def test_frames_of_a_run_are_what_its_ledger_says(name):
    with Capture.open(ROOT / "captures" / f"{name}.h5") as capture:
        record = next(one for one in capture.points if "spec" in one.attrs)
        ear = PointEar.of(record.attrs, record.name, "rx")
        ledger = capture.ledger(record.index)
        assert ear is not None
        for burst in capture.bursts(record.index):
            if burst.kind != FrameKind.FRAME:
                continue
            row = ledger[(ledger["burst"] == burst.index) & (ledger["status"] == FrameStatus.SCORED)][0]
            full_scale = record.attrs["spec"]["receptions"][0]["full_scale"]
            view = ear.hear(burst.samples, full_scale)[0]
            assert view.number == row["frame"] % 65536
            assert burst.start + view.start == row["start"]
            heard = row["snr_db"][np.isfinite(row["snr_db"])]
            assert len(view.snr_db) == (2 if name == "noma" else 1)
            np.testing.assert_allclose(view.snr_db, heard[: len(view.snr_db)], atol=1.5)  # the run's rests on frames before
            assert POINTS * 0.9 < len(view.constellation) <= POINTS
            mean = 10 * np.log10(np.nanmean(10 ** (view.carrier_snr_db / 10), axis=1))
            np.testing.assert_allclose(mean, view.snr_db, atol=0.5)


def test_points_that_are_no_scheme_s_have_no_ear():
    assert PointEar.of({"kind": "calibration"}, "calibration", "rx") is None


def test_a_probe_hears_a_frame_that_it_knows_nothing_of():
    view = ProbeEar(ReceiverConfig()).hear(ofdm(), FULL_SCALE)[0]
    assert view.start == 700
    assert view.number is None
    assert view.snr_db[0] == pytest.approx(SNR_DB, abs=1.2)
    assert np.nanmedian(view.carrier_snr_db) == pytest.approx(SNR_DB, abs=1.5)
    assert abs(view.cfo_hz[0]) < 4 * view.cfo_error_hz[0]
    spread = np.angle(view.constellation**4 * -1) / 4  # QPSK, also in sounding and header: at 45° and its fellows
    assert np.sqrt(np.mean(spread**2)) < 0.12
    assert np.mean(np.abs(view.constellation) ** 2) == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize("block", [silence(), tone(), np.random.default_rng(2).integers(-99, 99, (20_000, 2), np.int16)])
def test_a_probe_hears_no_frame_where_there_is_none(block):
    assert ProbeEar(ReceiverConfig()).hear(block, FULL_SCALE) == []


def test_a_probe_on_free_oscillators_takes_the_offset_out():
    config = find_bench(ROOT / "radios" / "independent.toml")
    points = torch.exp(1j * torch.pi / 4 * (2 * torch.arange(FORM.tasks * 64) + 1)).to(torch.complex64)
    wave = FrameBuilder(FORM).build(points.reshape(1, 1, FORM.tasks, 64), [1])[0]
    sent = torch.zeros((len(config.transmitters), wave.shape[1]), dtype=torch.complex64)
    sent[0] = wave[0]
    with Bench(config) as bench:
        heard = bench.burst(sent).heard[config.receiver.name].samples
        view = ProbeEar(receiver_for(config)).hear(heard, bench.full_scale)[0]
        apart = (config.radios["tx0"].sim.ppm - config.radios["rx"].sim.ppm) * 1e-6 * config.center_freq_hz
    assert view.cfo_hz[0] == pytest.approx(apart, abs=5 * view.cfo_error_hz[0])
    spread = np.angle(view.constellation**4 * -1) / 4
    assert np.sqrt(np.mean(spread**2)) < 0.35
