"""The Pluto driver through real libiio, against virtual Plutos that `hil air` serves in a process of its own."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from hil.errors import ConfigError, DriverMissingError, RadioError, RadioNotFoundError
from hil.radios.bench import BenchConfig
from hil.radios.drivers.pluto._device import load_adi
from hil.radios.scaling import from_int16
from hil.radios.session import Bench
from hil.radios.virtual.process import serve
from tests.wire.pluto_bench import make_bench

try:
    load_adi()
except DriverMissingError as error:
    pytest.skip(f"libiio0 or pyadi-iio: {error}", allow_module_level=True)

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def air():
    with serve(make_bench()) as served:
        yield served


def power(samples):
    return float((samples.astype(np.float64) ** 2).sum(axis=-1).mean())


def truth_rows(served, *events):
    return [row for row in served.ask("truth", last=4000)["rows"] if row["event"] in events]


def test_nobody_there_is_a_clear_error():
    with pytest.raises(RadioNotFoundError, match="no Pluto answers"):
        Bench(make_bench())


def test_unknown_options_are_refused(air):
    data = air.bench.model_dump()
    data["radios"]["tx"]["kernel_bufers"] = 8
    with pytest.raises(ConfigError, match="kernel_bufers"):
        Bench(BenchConfig.model_validate(data))


def test_opening_silences_tones_and_closing_attenuates(air):
    with Bench(air.bench) as bench:
        quiet = power(bench.radios["rx"].receive(20_000).samples[0])
        bench.radios["tx"]._device._sdr._txdac.find_channel("altvoltage0", True).attrs["scale"].value = "0.5"
        bench.radios["tx"]._device._sdr._txdac.find_channel("altvoltage0", True).attrs["raw"].value = "1"
        bench.radios["rx"].receive(150_000)
        assert power(bench.radios["rx"].receive(20_000).samples[0]) > 100 * quiet
        bench.radios["tx"].close()
        bench.radios["rx"].receive(150_000)
        assert power(bench.radios["rx"].receive(20_000).samples[0]) < 2 * quiet
    assert air.ask("status")["radios"]["tx"]["gain_db"]["tx0"] == -89.75


def test_receive_gain_needs_manual_mode_and_gets_it(air):
    with Bench(air.bench) as bench:
        sdr = bench.radios["rx"]._device._sdr
        sdr.gain_control_mode_chan0 = "slow_attack"
        assert bench.set_rx_gain(33) == 33
        assert sdr.gain_control_mode_chan0 == "manual"


def test_a_host_fed_stream_plays_what_was_written_where_it_was_written(air):
    with Bench(air.bench) as bench:
        tx, rx = bench.radios["tx"], bench.radios["rx"]
        stream = tx.open_stream()
        assert tx.open_stream() is stream
        time.sleep(0.5)  # it fills the kernel buffers at once
        chirp = 0.7 * np.exp(2j * np.pi * np.arange(2000) ** 2 / 80_000).astype(np.complex64)[np.newaxis]
        start = stream.position + 20_000
        rx.receive(1000, at=rx.now())
        assert stream.write(chirp, start) == []
        assert stream.write(chirp, start + 10_001) == []
        assert [event.kind for event in stream.write(chirp, stream.position - 5)] == ["late"]
        heard = from_int16(rx.receive(600_000, timeout_s=5).samples[0], 2048)
        profile = np.abs(np.fft.ifft(np.fft.fft(heard) * np.fft.fft(chirp[0], len(heard)).conj()))
        first = int(profile.argmax())
        profile[first - 50 : first + 50] = 0
        assert abs(abs(int(profile.argmax()) - first) - 10_001) <= 1


def test_digital_loopback_returns_every_sample_and_losses_are_where_they_are_said_to_be():
    """Ramp out by a host-fed stream, back through the chip: nothing lost, repeated or swapped."""
    with serve(make_bench()) as served, Bench(served.bench) as bench:
        radio = bench.radios["tx"]
        radio.configure(bench.settings("tx").replace(rx_channels=(0,), rx_gain_db=(20,)))
        radio._device._sdr.loopback = 1
        stream = radio.open_stream()
        n = 100_000
        index = np.arange(n)
        codes = np.stack([(index % 2048) << 4, (index // 2048) << 4], axis=1).astype(np.int16)[np.newaxis]
        time.sleep(0.5)  # it fills the kernel buffers at once
        begin = radio.now()
        assert stream.write(codes, stream.position + 50_000) == []
        got = radio.receive(900_000, at=begin, timeout_s=5).samples[0].astype(np.int64)
        positions = got[:, 0] + 2048 * got[:, 1]
        first = int(np.flatnonzero(positions == 1)[0]) - 1
        assert (positions[first : first + n] == index).all()


@pytest.mark.parametrize("kind", ["drop", "overflow"])
def test_lost_samples_are_reported_where_they_are(kind):
    """Three of each: the samples between two reports join without a hole, and the ramp says where the reported ones are."""
    with serve(make_bench(source="ramp")) as served, Bench(served.bench) as bench:
        rx = bench.radios["rx"]
        from hil.radios.virtual.ramp import ramp_positions

        got = [rx.receive(20_000)]
        for _ in range(3):
            served.fault("rx", kind, samples=7000)
            for _ in range(20):
                got.append(rx.receive(20_000))
                if any(event.kind == "overflow" for event in got[-1].events):
                    break
        got.append(rx.receive(20_000))
        losses = [event for reception in got for event in reception.events if event.kind == "overflow"]
        assert len(losses) == 3
        cursor, start, skew = got[0].start, int(ramp_positions(got[0].samples[0][:1], 12)[0]) - got[0].start, 0
        for reception in got:
            for event in reception.events:
                if event.kind == "overflow" and event.position == cursor:
                    cursor += event.count
            assert reception.start == cursor
            positions = ramp_positions(reception.samples[0], 12)
            assert (np.diff(positions) == 1).all()  # never a hole inside
            now = int(positions[0]) - start - reception.start
            assert 0 <= abs(now) < 3 * 60_000  # the count is an estimate from the host's clock
            if now != skew:
                skew = now
            cursor += len(positions)
            for event in reception.events:
                if event.kind == "overflow" and event.position == cursor:
                    cursor += event.count
        lost = sum(row["n"] for row in truth_rows(served, "lost"))
        delivered = sum(reception.samples.shape[1] for reception in got)
        sent = int(positions[-1]) + 1 - start - got[0].start
        assert delivered + sum(event.count for event in losses) == cursor - got[0].start
        assert sent - delivered >= lost  # what was queued with the lost ones is thrown away too, and reported


def test_underflow_fault_changes_the_epoch(air):
    with Bench(air.bench) as bench:
        stream = bench.radios["tx"].open_stream()
        for number in range(1, 4):
            time.sleep(0.1)
            air.fault("tx", "underflow", samples=2000)
            deadline = time.monotonic() + 3
            while stream.epoch < number and time.monotonic() < deadline:
                time.sleep(0.02)
            assert stream.epoch == number
        assert [event.kind for event in stream.events()] == ["underflow"] * 3


def test_a_burst_sent_once_runs_dry_and_the_next_stream_does_not_hear_of_it(air):
    """Its buffer stays open until `stop`: the device is dry all that time, which is no loss of what comes after."""

    def underflow():
        return air.ask("status")["radios"]["tx"]["counters"].get("underflow", 0)

    with Bench(air.bench) as bench:
        tx, before = bench.radios["tx"], underflow()
        tx.transmit(np.full((1, 1000), 0.5, np.complex64))
        time.sleep(0.3)
        assert underflow() - before > 100_000
        stream = tx.open_stream()
        time.sleep(0.3)
        assert stream.events() == []
        assert stream.epoch == 0


def test_burst_survives_losses_and_says_so(air):
    """Underflow and overflow between and within bursts: every burst comes back, aligned, with its events."""
    rng = np.random.default_rng(3)
    wave = (0.15 * (rng.normal(size=(1, 4000)) + 1j * rng.normal(size=(1, 4000)))).astype(np.complex64)
    kinds = []
    with Bench(air.bench) as bench:
        for fault in (None, ("tx", "underflow"), ("rx", "overflow"), ("rx", "drop"), None):
            if fault is not None:
                air.fault(*fault)
            got = bench.burst(wave, lead=400, tail=64)
            kinds += [event.kind for event in got.events]
            heard = from_int16(got.samples, bench.full_scale)
            assert len(heard) == 4464
            match = np.abs(np.correlate(heard, wave[0], "valid"))
            assert match.max() > 10 * np.median(match)
            assert 190 <= match.argmax() <= 410
    assert {"underflow", "overflow"} <= set(kinds)


@pytest.mark.parametrize("repeat", range(3))
def test_lost_connection_ends_with_an_error_and_silence(repeat):
    with serve(make_bench()) as served:
        started = time.monotonic()
        with Bench(served.bench) as bench:
            bench.radios["tx"].transmit(np.full((1, 1000), 0.5, np.complex64), cyclic=True)
            served.fault("tx", "disconnect")
            served.fault("rx", "disconnect")
            with pytest.raises(RadioError, match="receive stream ended"):
                bench.radios["rx"].receive(5_000_000, timeout_s=5)
        assert time.monotonic() - started < 8
        time.sleep(0.1)
        assert not served.ask("status")["radios"]["tx"]["transmitting"]


def test_slow_host_loses_samples_and_is_told(air):
    with Bench(air.bench) as bench:
        rx = bench.radios["rx"]
        rx.receive(1000)
        air.fault("rx", "slow", duration_s=0.6)
        losses = []
        for _ in range(12):
            losses += [event for event in rx.receive(100_000).events if event.kind == "overflow"]
        assert losses
        assert losses[0].count > 100_000


CYCLE = """
import sys, time, json
import numpy as np
from hil.radios.bench import BenchConfig
from hil.radios.session import Bench, silence_on_signals
silence_on_signals()
bench = Bench(BenchConfig.model_validate(json.loads(sys.stdin.readline())))
tx = bench.radios["tx"]
if sys.argv[1] == "cyclic":
    tx.transmit(np.full((1, 4096), 0.5, np.complex64), cyclic=True)
else:
    stream = tx.open_stream()
    stream.write(np.full((1, 3_000_000), 0.5, np.complex64), stream.position)
print("on", flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize("signal_number", [signal.SIGKILL, signal.SIGTERM])
@pytest.mark.parametrize("how", ["cyclic", "stream"])
def test_silent_within_a_second_of_being_killed(air, how, signal_number):
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, ["", *sys.path]))}
    process = subprocess.Popen(
        [sys.executable, "-c", CYCLE, how], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, text=True
    )
    try:
        process.stdin.write(air.bench.model_dump_json() + "\n")
        process.stdin.flush()
        assert process.stdout.readline() == "on\n"
        for _ in range(100):
            time.sleep(0.05)
            if air.ask("status")["radios"]["tx"]["transmitting"]:
                break
        else:
            pytest.fail("never transmitted")
        process.send_signal(signal_number)
        killed = time.monotonic()
        assert process.wait(10) == (-signal.SIGKILL if signal_number == signal.SIGKILL else 128 + signal_number)
        while air.ask("status")["radios"]["tx"]["transmitting"]:
            assert time.monotonic() - killed < 1.0
            time.sleep(0.02)
    finally:
        process.kill()
        process.communicate()
    with Bench(air.bench) as bench:
        assert power(bench.radios["rx"].receive(20_000).samples[0]) < 2000


def test_real_transmitters_are_refused_by_the_driver_itself(air):
    """However it is reached: a Pluto that the bench does not prove to be virtual sends nothing without limits and consent."""
    from hil.errors import TransmitRefusedError

    data = air.bench.model_dump()
    data["radios"]["tx"]["virtual"] = None
    data["links"] = []
    data["radios"]["rx"]["virtual"] = None
    with Bench(BenchConfig.model_validate(data)) as bench:
        assert not bench.virtual
        wave = np.full((1, 1000), 0.5, np.complex64)
        for send in (lambda: bench.radios["tx"].transmit(wave), bench.radios["tx"].open_stream, lambda: bench.burst(wave)):
            with pytest.raises(TransmitRefusedError, match="--transmit"):
                send()
    assert not air.ask("status")["radios"]["tx"]["transmitting"]


def test_the_transmitters_oscillator_is_on_only_where_something_is_sent(air):
    """It leaks: a radio that is only looked at, or only receives, must not be heard."""

    def powered(radio):
        channel = radio._device._sdr._ctrl.find_channel("altvoltage1", True)
        return channel.attrs["powerdown"].value.strip("\0 \n") == "0"

    with Bench(air.bench) as bench:
        tx, rx = bench.radios["tx"], bench.radios["rx"]
        assert not powered(tx)
        assert not powered(rx)
        bench.burst(np.full((1, 2000), 0.1, np.complex64))
        assert powered(tx)
        assert not powered(rx)
    with Bench(air.bench) as bench:
        assert not powered(bench.radios["tx"])


def test_a_real_plutos_repeated_buffer_ends_by_itself(air):
    """What `max_burst_s` allows; the device is one that the bench does not prove to be virtual."""
    data = air.bench.model_dump()
    for radio in data["radios"].values():
        radio["virtual"] = None
    data["links"] = []
    center = data["center_freq_hz"]
    data["limits"] = {
        "freq_ranges_hz": [(center - 5e6, center + 5e6)], "max_tx_gain_db": 0.0, "max_tx_dbm": 0.0, "max_rx_dbm": 0.0,
        "min_path_loss_db": 60.0, "max_burst_s": 0.4,
    }  # fmt: skip
    with Bench(BenchConfig.model_validate(data), transmit=True) as bench:
        tx = bench.radios["tx"]
        tx.transmit(np.full((1, 4000), 0.1, np.complex64), cyclic=True)
        begin = time.monotonic()
        while not air.ask("status")["radios"]["tx"]["transmitting"]:
            assert time.monotonic() - begin < 0.4
            time.sleep(0.01)
        while air.ask("status")["radios"]["tx"]["transmitting"]:
            assert time.monotonic() - begin < 1.4
            time.sleep(0.02)
        with pytest.raises(RadioError, match="max_burst_s"):
            tx.transmit(np.full((1, 600_000), 0.1, np.complex64))
