"""What is read from a capture, against what was put in."""

import numpy as np
import pytest

from hil.captures import FrameStatus
from hil.errors import CaptureError
from hil.report.evidence import read_evidence, welch
from hil.report.html import write_report
from hil.results.document import read_results
from tests.golden.test_golden import HERE as GOLDEN
from tests.unit.report.captures import ERROR, RATE, make_capture
from tests.unit.report.documents import SNRS, THREE, many, three, two_receivers


def test_welch_density_of_white_noise_and_of_a_tone():
    rng = np.random.default_rng(1)
    noise = rng.standard_normal((200_000, 2)) @ [1, 1j] / 2**0.5
    assert np.mean(welch(noise, RATE)) * RATE == pytest.approx(1.0, rel=0.01)
    tone = np.exp(2j * np.pi * 0.25 * np.arange(10_000))
    density = welch(tone, RATE)
    assert np.argmax(density) == 128 + 64
    assert density.sum() * RATE / 256 == pytest.approx(1.0, rel=1e-6)


def test_a_run(run):
    found = read_evidence(run / "capture.h5")
    assert found.complete
    assert list(found.names.values()) == [(name, snr) for snr in SNRS for name in THREE]
    assert list(found.ledgers) == [None]
    ledger = found.ledgers[None]
    assert len(ledger) == 27
    assert np.count_nonzero(ledger["status"] == FrameStatus.LOST) == 9
    assert [(cloud.scheme, cloud.target) for cloud in found.clouds] == [(name, snr) for name in THREE for snr in SNRS]
    for cloud in found.clouds:
        assert cloud.error == pytest.approx(ERROR, rel=0.25)  # 64 to 128 symbols: σ is 9 to 12 %
        power = 2 if THREE[cloud.scheme] == "noma" else 1
        assert np.mean(np.abs(cloud.sent) ** 2) == pytest.approx(power, rel=0.35)
    assert [(item.scheme, item.target) for item in found.spectra] == [(name, SNRS[-1]) for name in THREE]
    for item in found.spectra:
        # int16 noise of rms 200 against 8 a component on full scale 2048, in dBFS/Hz at 1 MS/s.
        assert np.mean(item.density) == pytest.approx(10 * np.log10(2 * 200.2**2 / 2048**2 / RATE), abs=1)
        assert np.mean(item.silence) == pytest.approx(10 * np.log10(2 * 8**2 / 2048**2 / RATE), abs=1)
    assert found.left_out == 0


def test_of_many_schemes_some_are_shown(tmp_path):
    make_capture(tmp_path / "capture.h5", many())
    found = read_evidence(tmp_path / "capture.h5")
    assert len(found.clouds) == len(found.spectra) == 24
    assert {cloud.target for cloud in found.clouds} == {6.0}  # the middle one
    assert found.left_out == 6


def test_cut_short(tmp_path):
    make_capture(tmp_path / "capture.h5", three(), stop_after=4)
    found = read_evidence(tmp_path / "capture.h5")
    assert not found.complete
    assert len(found.names) == 5
    assert {(cloud.scheme, cloud.target) for cloud in found.clouds} == {(name, -6.0) for name in THREE} | {("jscc-single", 3.0)}


@pytest.mark.parametrize("name", ["single", "oma", "noma"])
def test_golden_captures(name):
    found = read_evidence(GOLDEN / "v1" / name / "capture.h5")
    assert found.complete
    assert [cloud.scheme for cloud in found.clouds] == [f"jscc-{name}"]
    assert [item.scheme for item in found.spectra] == [f"jscc-{name}"]
    # The cloud's error is what the point calls its effective SNR, but for the weighting of frames.
    rows = read_results(GOLDEN / "v1" / name / "results.json").points
    air = next(row for row in rows if row.source == "air")
    assert -10 * np.log10(found.clouds[0].error) == pytest.approx(air.snr_eff_db, abs=0.5)


def test_no_capture(tmp_path):
    (tmp_path / "capture.h5").write_bytes(b"nothing")
    with pytest.raises(CaptureError):
        read_evidence(tmp_path / "capture.h5")


def test_two_receivers_are_kept_apart(tmp_path):
    make_capture(tmp_path / "capture.h5", two_receivers())
    found = read_evidence(tmp_path / "capture.h5")
    assert list(found.ledgers) == ["near", "far"]
    assert [len(ledger) for ledger in found.ledgers.values()] == [18, 18]
    heard = found.ledgers["far"]["snr_db"][:, 0]
    assert sorted(set(heard[np.isfinite(heard)])) == pytest.approx([snr - 4 for snr in SNRS])
    assert [(cloud.receiver, cloud.target) for cloud in found.clouds[:4]] == [
        ("near", -6.0),
        ("far", -6.0),
        ("near", 3.0),
        ("far", 3.0),
    ]
    assert not np.array_equal(found.clouds[0].received, found.clouds[1].received)
    assert {item.receiver for item in found.spectra} == {"near", "far"}
    write_report(two_receivers(), tmp_path / "capture.h5", tmp_path / "report.html")
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert ">frames at far<" in text
    assert "broadcast-a, −6 dB, at far" in text
