"""`hil calibrate` as it is typed: table, JSON, record and capture; what it leaves when it is stopped or cannot."""

import hashlib
import json
import os
import signal
import time

import pytest

from hil import calibrate
from hil.calibration.record import read_record, write_record
from hil.captures import Capture
from hil.captures.verify import verify
from hil.errors import NotConnectedError
from hil.radios.bench import find_bench
from tests.conftest import ROOT


def test_a_bench_is_calibrated_from_the_command_line(hil, tmp_path):
    done = hil("calibrate", "builtin", "--snr", "5", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    links = json.loads(done.stdout)
    assert [one["link"] for one in links] == ["0:rx", "1:rx"]
    for one in links:
        assert one["snr_db_target"] == 5.0
        assert one["snr_db"] == pytest.approx(5.0, abs=0.3)
        assert one["snr_db_ci"][0] < one["snr_db"] < one["snr_db_ci"][1]
        assert {"cfo_hz", "delay_samples", "noise_dbfs", "tx_gain_db"} <= set(one)
    (path,) = (tmp_path / "calibration" / "builtin").glob("*.toml")
    record = read_record(path)
    assert [one.model_dump(mode="json") for one in record.links] == links
    assert record.bench_sha256 == find_bench("builtin").digest()
    assert record.radios["tx"].serial == "sim-tx"
    capture = path.with_name(record.capture)
    assert verify(capture).problems == ()
    with Capture.open(capture) as opened:
        assert [point.name for point in opened.points] == ["calibration 0:rx", "calibration 1:rx"]
        ledger = opened.ledger()
        assert (ledger["status"] != 0).all()
        assert len(ledger) >= 2 * 60


def test_one_link_as_a_table(hil, tmp_path):
    done = hil("calibrate", "two-receivers", "--link", "1:far", "--snr", "-6", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "1:far" in done.stdout
    assert "0:near" not in done.stdout
    assert "record: calibration/two-receivers/" in done.stdout


def test_from_python(tmp_path):
    made = calibrate("builtin", snr_db=0.0, links=("0:rx",), frames=12, out=tmp_path)
    assert made.record.links[0].snr_db == pytest.approx(0.0, abs=0.4)
    assert made.path.is_file()
    assert made.failures == {}


def test_a_link_that_cannot_be_is_an_error_and_leaves_no_record(tmp_path):
    bench = tmp_path / "far.toml"
    text = (ROOT / "radios" / "builtin.toml").read_text(encoding="utf-8")
    bench.write_text(text.replace("path_loss_db = 60.0", "path_loss_db = 190.0"), encoding="utf-8")
    with pytest.raises(NotConnectedError, match="link 0:rx is not connected"):
        calibrate(str(bench), snr_db=5.0, links=("0:rx",), out=tmp_path / "out")
    assert not list((tmp_path / "out").rglob("*.toml"))
    made = calibrate(str(bench), snr_db=5.0, out=tmp_path / "out")  # the other link is calibrated all the same
    assert [one.link for one in made.record.links] == ["1:rx"]
    assert list(made.failures) == ["0:rx"]


@pytest.mark.parametrize("words", [("builtin",), ("builtin", "--snr", "99"), ("builtin", "--snr", "5", "--link", "7:rx")])
def test_what_makes_no_sense_is_refused_before_anything_is_made(hil, tmp_path, words):
    done = hil("calibrate", *words, cwd=tmp_path)
    assert done.returncode in (1, 2)
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "calibration").exists()


def test_ctrl_c_leaves_nothing_behind(hil, tmp_path):
    process = hil.start("calibrate", "rayleigh", "--snr", "5", cwd=tmp_path)
    deadline = time.monotonic() + 60
    while not list(tmp_path.rglob("*.h5")) and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(1.0)
    process.send_signal(signal.SIGINT)
    told = process.communicate(timeout=60)[1]
    assert process.returncode == 130, told
    assert "stopped by Ctrl-C" in told
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_a_signal_while_the_record_is_written_leaves_it_whole(tmp_path, monkeypatch):
    """What was measured is not thrown away for the last millisecond, and no capture is without its record."""

    def interrupted(path, record):
        os.kill(os.getpid(), signal.SIGINT)
        write_record(path, record)

    monkeypatch.setattr("hil.runs.calibrate.write_record", interrupted)
    with pytest.raises(KeyboardInterrupt):
        calibrate("builtin", snr_db=5.0, links=("0:rx",), out=tmp_path)
    (path,) = tmp_path.rglob("*.toml")
    assert read_record(path).capture_sha256 == hashlib.sha256(path.with_suffix(".h5").read_bytes()).hexdigest()
