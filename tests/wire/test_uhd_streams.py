"""Through real libuhd: exact bursts, events, time, determinism, faults, kills; every wait has a deadline."""

import hashlib
import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest

from hil.errors import DriverMissingError, RadioError, RadioNotFoundError
from hil.radios.bench import BenchConfig
from hil.radios.contract import RadioSettings
from hil.radios.drivers.uhd._driver import UhdRadio
from hil.radios.drivers.uhd._module import load_uhd
from hil.radios.scaling import from_int16
from hil.radios.session import Bench
from hil.radios.virtual.process import serve
from hil.radios.virtual.ramp import ramp_positions
from tests.wire.n210_bench import SLOWEST, heard_at, make_bench, noise

try:
    load_uhd()
except DriverMissingError as error:
    pytest.skip(f"python3-uhd: {error}", allow_module_level=True)


@pytest.fixture(scope="module")
def air():
    with serve(make_bench()) as served:
        yield served


@pytest.fixture
def bench(air):
    with Bench(air.bench) as opened:
        yield opened


def test_long_burst_arrives_whole(bench):
    tx, rx = bench.radios["tx"], bench.radios["rx"]
    sent = noise(400_000)
    at = rx.now() + 100_000
    assert tx.transmit(sent, at=at) == []
    got = rx.receive(400_000, at=at + 1)
    assert got.events == ()
    assert tx.settle() == []
    heard = from_int16(got.samples[0], 32768.0)
    for begin in range(0, 400_000, 50_000):  # the same gain and phase throughout: nothing lost, repeated or shifted
        part = slice(begin, begin + 20_000)
        share = np.abs(np.vdot(sent[0, part], heard[part])) / np.linalg.norm(sent[0, part]) / np.linalg.norm(heard[part])
        assert share == pytest.approx(0.87, abs=0.02)  # 0.3 samples beside the grid


def test_bursts_queued_ahead_land_on_their_samples(bench):
    tx, rx = bench.radios["tx"], bench.radios["rx"]
    first = rx.now() + 150_000
    starts = [first + 7_001 * k for k in range(5)]
    bursts = [noise(3000, seed=k) for k in range(5)]
    for at, burst in zip(starts, bursts, strict=True):
        assert tx.transmit(burst, at=at) == []
    got = rx.receive(5 * 7_001 + 2000, at=first - 1000)
    for at, burst in zip(starts, bursts, strict=True):
        position, quality = heard_at(got.samples[0], burst[0])
        assert got.start + position == at + 1
        assert quality > 8
    assert tx.settle() == []


@pytest.mark.parametrize("ahead", [50, 400, 1500, 4000, 12_000])
def test_short_notice_is_kept_or_reported_late(bench, ahead):
    """Never anything in between: on its sample without an event, or late and not heard."""
    tx, rx = bench.radios["tx"], bench.radios["rx"]
    sent = noise(3000)
    at = tx.now() + ahead
    events = tx.transmit(sent, at=at) + tx.settle()
    got = rx.receive(8000, at=at - 1000)
    position, quality = heard_at(got.samples[0], sent[0])
    if events:
        assert [(event.kind, event.position, event.count) for event in events] == [("late", at, 3000)]
        assert quality < 8
    else:
        assert quality > 8
        assert got.start + position == at + 1


def test_dry_transmitter_says_where(bench):
    """A burst without an end: the device plays what it has, and reports the first sample it had to do without."""
    tx, device = bench.radios["tx"], bench.radios["tx"]._device
    metadata = device.uhd.types.TXMetadata()
    at = tx.now() + 50_000
    metadata.start_of_burst, metadata.has_time_spec, metadata.time_spec = True, True, device.time_of(at)
    assert tx._transmitter._streamer.send(np.zeros((1, 4000), np.uint32), metadata, 1.0) == 4000
    message = device.uhd.types.TXAsyncMetadata()
    deadline = time.monotonic() + SLOWEST
    while not tx._transmitter._streamer.recv_async_msg(message, 0.0):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert message.event_code == device.uhd.types.TXMetadataEventCode.underflow
    assert device.samples_of(message.time_spec) == at + 4000


def test_late_reception_is_an_event(bench):
    rx = bench.radios["rx"]
    got = rx.receive(100, at=max(1, rx.now() - 10_000_000))
    assert got.samples.shape == (1, 0, 2)
    assert [event.kind for event in got.events] == ["late"]


def test_gains_overall_and_named(air):
    data = air.bench.model_dump()
    data["radios"]["rx"]["rx_gain_element"] = "PGA0"
    with Bench(type(air.bench).model_validate(data)) as bench:
        assert bench.radios["rx"].info.rx_gain_db.high == 31.5
        assert bench.radios["tx"].info.rx_gain_db.high == 38.0
        bench.set_rx_gain(10.3)
        assert bench.rx_gain() == pytest.approx(10.5, abs=0.5)
        assert air.ask("status")["radios"]["rx"]["gain_db"]["rx0"] is not None


def test_offset_tuning_keeps_the_carrier(air):
    data = air.bench.model_dump()
    data["radios"]["tx"]["lo_offset_hz"] = 5e6
    with Bench(type(air.bench).model_validate(data)) as bench:
        assert bench.settings("tx").center_freq_hz == pytest.approx(1e9, abs=0.1)
        assert bench.settings("tx").lo_offset_hz == pytest.approx(5e6, abs=0.1)
        got = bench.burst(noise(4000))
        position, quality = heard_at(got.samples, noise(4000)[0])
        assert quality > 8
        assert got.start + position == got.sent_at[0] + 1
        assert air.ask("status")["radios"]["tx"]["tx_freq_hz"][0] == pytest.approx(1e9, abs=0.1)


def test_wrong_antenna_and_missing_device_are_clear_errors(air):
    data = air.bench.model_dump()
    data["receivers"][0]["antenna"] = "J9"
    with pytest.raises(RadioError, match=r"RX2"), Bench(type(air.bench).model_validate(data)):
        pass
    data = make_bench().model_dump()
    data["radios"]["tx"]["args"] = "type=usrp2,addr=127.0.0.99"
    with pytest.raises(RadioNotFoundError, match="uhd_find_devices"):
        UhdRadio.open("tx", type(air.bench).model_validate(data), {})


def test_radios_share_a_pulse():
    with serve(make_bench(clock="external", time="external")) as air, Bench(air.bench) as bench:
        tx, rx = bench.radios["tx"], bench.radios["rx"]
        last = [radio._device.usrp.get_time_last_pps(0).get_real_secs() for radio in (tx, rx)]
        assert last[0] == last[1]
        assert abs(tx.now() - rx.now()) < 100_000
        assert bench.settings("rx").clock_source == bench.settings("rx").time_source == "external"
        sent = noise(3000)
        got = bench.burst(sent)
        assert got.start + heard_at(got.samples, sent[0])[0] == got.sent_at[0] + 1


def test_two_runs_receive_the_same_samples():
    """Bursts at the same air times in two airs, one of them disturbed: the same bits."""
    digests, starts = [], None
    for disturbed in (False, True):
        with serve(make_bench()) as air, Bench(air.bench) as bench:
            tx, rx = bench.radios["tx"], bench.radios["rx"]
            starts = starts or [rx.now() + 3_000_000 + 50_021 * k for k in range(3)]
            if disturbed:
                rx.receive(12_345)
                os.kill(air.pid, signal.SIGSTOP)
                time.sleep(0.2)
                os.kill(air.pid, signal.SIGCONT)
            for index, at in enumerate(starts):
                assert tx.transmit(noise(20_000, seed=index), at=at) == []
            got = [rx.receive(24_000, at=at - 2000, timeout_s=SLOWEST) for at in starts]
            assert [(reception.start, reception.events) for reception in got] == [(at - 2000, ()) for at in starts]
            digests.append([hashlib.sha256(reception.samples.tobytes()).hexdigest() for reception in got])
    assert digests[0] == digests[1]


def three_boards(pace):
    """Two transmitters and a receiver."""
    data = make_bench(air={"pace": pace}).model_dump()
    data["radios"]["tx2"] = data["radios"]["tx"]
    data["transmitters"] = (*data["transmitters"], data["transmitters"][0] | {"radio": "tx2"})
    data["links"] = (*data["links"], data["links"][0] | {"transmitter": 1, "delay_s": 2.7e-6})
    return BenchConfig.model_validate(data)


@pytest.mark.slow
def test_free_pace_makes_no_burst_late():
    """Several radios are prepared for one moment: the air runs ahead for their reception only, and the samples are the same."""
    digests, starts = [], None
    for pace in ("realtime", "free"):
        with serve(three_boards(pace)) as air, Bench(air.bench) as bench:
            rx = bench.radios["rx"]
            starts = starts or [rx.now() + 3_000_000 + 250_021 * k for k in range(3)]
            got = []
            for at in starts:
                for index, name in enumerate(("tx", "tx2")):
                    assert bench.radios[name].transmit(noise(20_000, seed=index), at=at) == []
                got.append(rx.receive(24_000, at=at - 2000, timeout_s=SLOWEST))
            assert [(reception.start, reception.events) for reception in got] == [(at - 2000, ()) for at in starts]
            digests.append([hashlib.sha256(reception.samples.tobytes()).hexdigest() for reception in got])
            for _ in range(10):
                assert bench.burst(np.concatenate([noise(20_000), noise(20_000, seed=2)])).events == ()
    assert digests[0] == digests[1]


@pytest.mark.parametrize("rate", [1e6, 5e6])
def test_what_arrives_and_what_is_reported_lost_is_what_was_sent(rate):
    """A counter in place of the air: every sample delivered is where its position says, whatever was lost before it."""
    with serve(make_bench(source="ramp", rate=rate)) as air, Bench(air.bench) as bench:
        rx = bench.radios["rx"]
        cursor = rx.receive(1000)
        position, lost, taken, seen = cursor.start + 1000, 0, 0, set()
        deadline = time.monotonic() + 40
        for step in range(40):
            if step in (5, 12, 20):
                air.fault("rx", "drop", count=step)
            if step in (9, 16, 24):
                air.fault("rx", "overflow", samples=7777)
            got = rx.receive(20_000)
            assert time.monotonic() < deadline
            skipped = got.start - position
            seen |= {(event.kind, event.position, event.count) for event in got.events}
            assert skipped == sum(count for _, begin, count in seen if position <= begin < got.start)
            assert (ramp_positions(got.samples[0], 16) == np.arange(got.start, got.start + got.samples.shape[1])).all()
            assert got.samples.shape[1] == 20_000 or got.events
            lost += skipped
            taken += got.samples.shape[1]
            position = got.start + got.samples.shape[1]
        assert cursor.start + 1000 + taken + lost == position
        assert lost >= 37 * 300 + 3 * 7777
        assert {kind for kind, _, _ in seen} - {"clip"} == {"overflow", "gap"}


@pytest.mark.parametrize("lost", [15, 16, 17, 32])
def test_no_sample_is_mislabelled_whatever_number_of_packets_is_lost(lost):
    """UHD counts packets modulo 16: sixteen that are lost together leave no trace but the time of the next."""
    with serve(make_bench(source="ramp")) as air, Bench(air.bench) as bench:
        rx = bench.radios["rx"]
        rx.receive(1000)
        for _ in range(6):
            air.fault("rx", "drop", count=lost)
            missing = 0
            for _ in range(40):
                got = rx.receive(3000)
                missing += sum(event.count for event in got.events if event.kind in ("gap", "overflow"))
                assert (ramp_positions(got.samples[0], 16) == np.arange(got.start, got.start + got.samples.shape[1])).all()
            assert missing >= lost * 300


def test_radios_on_one_clock_that_show_different_times_are_refused(bench, monkeypatch):
    receiver = bench.radios["rx"]
    now = receiver.now
    monkeypatch.setattr(receiver, "now", lambda: now() + 20_000_000)
    begin = time.monotonic()
    with pytest.raises(RadioError, match="time_source"):
        bench.burst(noise(3000))
    assert time.monotonic() - begin < 1.0


def test_a_host_that_pauses_between_two_looks_at_one_time_is_forgiven(bench, monkeypatch):
    transmitter, calls = bench.radios["tx"], []
    now = transmitter.now

    def slow():
        calls.append(1)
        if len(calls) == 1:
            time.sleep(0.15)
        return now()

    monkeypatch.setattr(transmitter, "now", slow)
    got = bench.burst(noise(3000))
    assert got.events == ()
    assert heard_at(got.samples, noise(3000)[0])[1] > 8


def test_two_boards_are_one_radio_with_two_channels():
    """Two N210 joined by UHD: rows go to their channels, at one time, and both receivers' samples start together."""
    with serve(make_bench(clock="external", time="external")) as air:
        hosts = [air.bench.radios[name].virtual.host for name in ("tx", "rx")]
        data = air.bench.model_dump() | {"links": []}
        args = f"type=usrp2,addr0={hosts[0]},addr1={hosts[1]}"
        data |= {
            "radios": {"pair": {"driver": "uhd", "args": args}},
            "transmitters": [{"radio": "pair", "channel": channel, "gain_db": 20} for channel in (0, 1)],
            "receivers": [{"radio": "pair", "channel": 1, "gain_db": 25}],
            "limits": {
                "freq_ranges_hz": [(0.9e9, 1.1e9)], "max_tx_gain_db": 31.5, "max_tx_dbm": 17,
                "max_rx_dbm": 0, "min_path_loss_db": 60,
            },
        }  # fmt: skip
        bench = type(air.bench).model_validate(data)
        settings = RadioSettings(
            sample_rate_hz=1e6,
            center_freq_hz=1e9,
            tx_channels=(0, 1),
            rx_channels=(0, 1),
            tx_gain_db=(20.0, 0.0),
            rx_gain_db=(0.0, 25.0),
            clock_source="external",
            time_source="external",
        )
        with UhdRadio.open("pair", bench, {"consent": True}) as radio:
            assert (radio.info.tx_channels, radio.info.rx_channels, radio.info.virtual) == (2, 2, False)
            radio.configure(settings)
            sent = np.concatenate([noise(5000), np.zeros((1, 5000), np.complex64)])
            for at in (radio.now() + 150_000, None):
                before = radio.receive(100)
                assert radio.transmit(sent, at=at) == []
                begin = at - 500 if at is not None else before.start + 100
                got = radio.receive(8000 if at is not None else 200_000, at=begin)
                assert got.samples.shape[0] == 2
                assert got.events == ()
                position, quality = heard_at(got.samples[1], sent[0])
                assert quality > 8
                assert at is None or got.start + position == at + 1
                assert heard_at(got.samples[0], sent[0])[1] < 8
                assert radio.settle() == []
            assert [event.channel for event in radio.transmit(sent, at=radio.now() - 500)] == [0, 1]


@pytest.mark.skipif(shutil.which("uhd_usrp_probe") is None, reason="uhd-host is not installed")
@pytest.mark.parametrize("tool", ["uhd_find_devices", "uhd_usrp_probe"])
def test_vendors_tools_see_the_device(air, tool):
    command = [tool, "--args", air.bench.radios["rx"].options["args"]]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0
    assert "serial: hil-rx" in done.stdout
    assert "N210r4" in done.stdout or tool == "uhd_find_devices"
    assert "SBXv4 TX" in done.stdout or tool == "uhd_find_devices"


EXAMPLES = Path("/usr/libexec/uhd/examples")


@pytest.mark.skipif(not EXAMPLES.is_dir(), reason="uhd-host is not installed")
@pytest.mark.parametrize(
    ("example", "expected"),
    [
        ("test_messages --ntests 12", "Summary:"),
        ("test_pps_input", "Success!"),
        ("test_timed_commands", "Difference between stream time and first packet: -?0.000000 us"),
        ("rx_timed_samples --nsamps 20000 --rate 1e6 --secs 1", "Done!"),
    ],
)
def test_vendors_own_examples_pass(air, example, expected):
    name, *more = example.split()
    command = [str(EXAMPLES / name), "--args", air.bench.radios["rx"].options["args"], *more]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(expected, done.stdout)
    assert all(int(count) == 0 for count in re.findall(r"(\d+) failures", done.stdout))
