"""`hil air`, `hil radios`, `hil doctor`, and a run over virtual Plutos, as a user types them."""

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time

import pytest

from hil.captures import Capture, FrameKind, verify
from hil.errors import DriverMissingError, HilError
from hil.radios.bench import load_bench
from hil.radios.drivers.pluto._device import load_adi
from tests.conftest import ROOT
from tests.system.waiting import wait_for


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


def need_pluto():
    try:
        load_adi()
    except DriverMissingError as err:
        pytest.skip(f"libiio0 or pyadi-iio: {err}")


@pytest.fixture
def one_pluto(tmp_path):
    """A bench file of one virtual Pluto on free ports."""
    control, port = free_port(), free_port()
    path = tmp_path / "one.toml"
    path.write_text(
        f"""
name = "one"
sample_rate_hz = 1e6
center_freq_hz = 1e9
clock = "independent"
transmitters = [{{ radio = "sdr", gain_db = -20 }}]
receiver = {{ radio = "sdr", gain_db = 40 }}
links = [{{ transmitter = 0, path_loss_db = 50 }}]
air = {{ control_port = {control} }}
[radios.sdr]
driver = "pluto"
uri = "ip:127.0.0.1:{port}"
virtual = {{ port = {port} }}
"""
    )
    return path


def test_the_conformance_suite_runs_on_a_simulated_radio(hil):
    done = hil("radios", "test", "tx", "--bench", "builtin")
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout


def altered(tmp_path, *changes):
    """The built-in bench with pieces of its text replaced."""
    text = (ROOT / "radios" / "builtin.toml").read_text(encoding="utf-8")
    for before, after in changes:
        assert before in text
        text = text.replace(before, after)
    path = tmp_path / "altered.toml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("samples", [165, 20_000])
def test_a_chain_may_delay_by_any_constant(hil, tmp_path, samples):
    done = hil("radios", "test", "tx", "--bench", altered(tmp_path, ("delay_s = 0.33e-6", f"delay_s = {samples}e-6")))
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"the chain delays {samples}.0" in done.stdout
    assert f"timed burst lands on its sample … ok (delay: {samples}.0" in done.stdout
    assert "13 passed" in done.stdout


def test_a_check_that_fails_says_what_it_saw(hil, tmp_path):
    """A receiver in saturation: 6 dB less sent is not 6 dB less received; everything else holds."""
    hot = altered(tmp_path, ("gain_db = 60.0", "gain_db = 73.0"), ("gain_db = -25.0", "gain_db = -5.0"))
    done = hil("radios", "test", "tx", "--bench", hot)
    assert done.returncode == 1
    (failed,) = [line for line in done.stdout.splitlines() if "FAILED" in line]
    found = re.fullmatch(
        r"  gain steps act … FAILED: 6 dB less transmit gain is (-?[\d.]+) dB less received \(.* dBFS\)", failed
    )
    assert found is not None, failed
    assert abs(float(found[1])) < 3
    assert "12 passed, 1 failed" in done.stdout
    assert "does not pass the conformance suite" in done.stderr


def test_a_radio_that_is_not_heard_is_one_error(hil, tmp_path):
    done = hil("radios", "test", "tx", "--bench", altered(tmp_path, ("path_loss_db = 60.0", "path_loss_db = 190.0")))
    assert done.returncode == 1
    assert re.search(r"'tx' was not heard by 'rx' in \d+ samples at -4\d\.\d dBFS; check cable", done.stderr)
    assert "…" not in done.stdout


def test_air_serves_shows_its_status_takes_faults_and_ends(hil, one_pluto, tmp_path):
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    command = [
        sys.executable,
        "-c",
        "from hil.cli.main import main; main()",
        "air",
        one_pluto,
        "--truth",
        tmp_path / "truth.jsonl",
    ]
    air = subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, env=environment, text=True)
    try:
        assert "sdr: pluto at uri = ip:127.0.0.1:" in air.stdout.readline()
        assert "serving" in air.stdout.readline()
        status = json.loads(hil("air", one_pluto, "--status", "--json").stdout)
        assert status["radios"]["sdr"]["serial"] == "hil-sdr"
        assert hil("air", one_pluto, "--fault", "sdr:overflow:samples=5000:count=3").returncode == 0
        assert "overflow fault armed ×3" in hil("air", one_pluto, "--status").stdout
        refused = hil("air", one_pluto, "--fault", "other:overflow")
        assert refused.returncode == 1
        assert "no virtual radio named 'other'" in refused.stderr
        assert hil("air", one_pluto, "--stop").returncode == 0
        assert air.wait(10) == 0
    finally:
        air.kill()
        air.communicate()
    assert (tmp_path / "truth.jsonl").exists()
    gone = hil("air", one_pluto, "--status")
    assert gone.returncode == 1
    assert "hil air" in gone.stderr


def test_air_ends_on_sigterm(one_pluto):
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", "from hil.cli.main import main; main()", "air", str(one_pluto), "--json"]
    air = subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, text=True)
    try:
        assert "control_port" in json.loads(air.stdout.readline())
        air.send_signal(signal.SIGTERM)
        started = time.monotonic()
        assert air.wait(10) == 0
        assert time.monotonic() - started < 5
    finally:
        air.kill()
        air.communicate()


def test_radios_are_listed_probed_and_tested(hil, one_pluto):
    listed = json.loads(hil("radios", "list", "--json").stdout)
    assert {driver["driver"] for driver in listed["drivers"]} == {"sim", "uhd", "pluto", "soapy"}
    assert {"builtin", "virtual-pluto-trio"} <= {bench["name"] for bench in listed["benches"]}
    assert "builtin" in hil("radios", "list").stdout
    probed = json.loads(hil("radios", "probe", "rx", "--json").stdout)
    assert probed["info"]["driver"] == "sim"
    assert probed["sensors"] == {}
    missing = hil("radios", "probe", "nobody")
    assert missing.returncode == 1
    assert "no radio named 'nobody'" in missing.stderr
    need_pluto()
    probed = hil("radios", "probe", "sdr", "--bench", one_pluto)
    assert probed.returncode == 0, probed.stderr
    assert "senses\n  temp0: 36.5\n" in probed.stdout
    tested = hil("radios", "test", "sdr", "--bench", one_pluto)
    assert tested.returncode == 0, tested.stdout
    assert "13 passed" in tested.stdout


def test_doctor_says_what_to_do(hil):
    checks = {check["name"]: check for check in json.loads(hil("doctor", "--json").stdout)}
    assert checks["interpreter"]["ok"]
    assert checks["torch"]["ok"]
    assert checks["weights"]["ok"]
    for check in checks.values():
        assert check["ok"] is not False or check["fix"]
    assert "ok  interpreter" in hil("doctor").stdout


def test_the_real_pluto_bench_states_safe_levels():
    for name in ("pluto-pair", "pluto-trio"):
        config = load_bench(ROOT / "radios" / f"{name}.toml")
        assert config.limits.max_tx_dbm - config.limits.min_path_loss_db <= config.limits.max_rx_dbm - 10
        assert not config.virtual_radios


def test_a_run_over_three_virtual_plutos_finishes(hil, untrained, tmp_path):
    need_pluto()
    done = hil(
        "run", ROOT / "radios" / "virtual-pluto-trio.toml", "--models", untrained, "--dataset", "synthetic:identities=12",
        "--schemes", "single,oma", "--snr", "6,12", "--tasks", 24, "--distinct-tasks", 12, "--tasks-per-frame", 12,
        "--draws", 2, "--out", tmp_path, "--name", "trio", "--json",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    points = json.loads(done.stdout.splitlines()[-1])["points"]
    air = [point for point in points if point["source"] == "air"]
    assert len(air) == 4
    for point in air:
        assert point["frames"]["scored"] == point["frames"]["sent"]
        assert all(abs(value - point["snr_db_target"]) < 1.5 for value in point["snr_db"])


def test_a_run_over_a_virtual_pluto_that_is_killed_goes_on(hil, untrained, one_pluto, tmp_path):
    """In real time nothing comes twice: what was on record stays, the rest is measured, and all of it replays."""
    need_pluto()
    capture = tmp_path / "killed" / "capture.h5"
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", "from hil.cli.main import main; main()", "air", str(one_pluto)]
    air = subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, text=True)
    try:
        assert "serving" in air.stdout.readline() + air.stdout.readline()
        process = hil.start(
            "run", one_pluto, "--models", untrained, "--dataset", "synthetic:identities=12", "--schemes", "single", "--snr", 6,
            "--tasks", 160, "--distinct-tasks", 12, "--tasks-per-frame", 4, "--draws", 1, "--out", tmp_path, "--name", "killed",
        )  # fmt: skip
        wait_for(capture, process)
        while process.poll() is None and len(frames_sent(capture)) < 5:
            time.sleep(0.05)
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=60)
        assert len(frames_sent(capture)) < 40
        resumed = hil("run", "--resume", "killed", "--out", tmp_path)
    finally:
        air.kill()
        air.communicate()
    assert resumed.returncode == 0, resumed.stderr
    found = json.loads((tmp_path / "killed" / "results.json").read_text())
    (row,) = [one for one in found["points"] if one["source"] == "air"]
    assert (found["status"], len(found["provenance"]["resumed"])) == ("complete", 1)
    assert row["frames"]["sent"] == 40
    assert verify(capture).ok
    sent = frames_sent(capture)
    assert sent == list(range(sent[0], sent[0] + 40))
    assert json.loads(hil("replay", capture, "--json").stdout)["verification"]["verified"] == "bits"


def frames_sent(path):
    """Numbers of a run's frames in its capture, in order; none while that cannot be read."""
    with contextlib.suppress(HilError), Capture.open(path) as capture:
        ledger = capture.ledger()
        return ledger["frame"][ledger["kind"] == FrameKind.FRAME].tolist()
    return []
