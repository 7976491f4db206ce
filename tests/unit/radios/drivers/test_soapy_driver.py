"""The Soapy driver against a made-up SoapySDR: partial writes, fragments, holes, quirks, hangs. Needs no library."""

# ruff: noqa: N802, N815
import sys
import threading
import time
import types

import numpy as np
import pytest

from hil.errors import DriverMissingError, RadioError, RadioTimeoutError, ShapeError
from hil.radios.contract import RadioSettings
from hil.radios.drivers.soapy import _device as soapy_device
from hil.radios.drivers.soapy._buffers import stream_rows
from hil.radios.drivers.soapy._device import SoapyDevice, load_soapy
from hil.radios.drivers.soapy._driver import SoapyRadio
from hil.radios.drivers.soapy._options import SoapyOptions
from hil.radios.drivers.soapy._quirks import QUIRKS, quirks_of
from hil.radios.drivers.soapy._worker import Worker
from hil.radios.limits import Permit
from hil.registry import DRIVERS
from tests.wire.soapy_bench import make_bench

TIMEOUT, STREAM_ERROR, CORRUPTION, OVERFLOW, NOT_SUPPORTED, TIME_ERROR, UNDERFLOW = range(-1, -8, -1)
END, TIME = 2, 4
SETTINGS = RadioSettings(
    sample_rate_hz=1e6, center_freq_hz=1e9, tx_channels=(0,), rx_channels=(0,), tx_gain_db=(10.0,), rx_gain_db=(20.0,)
)


class Span:
    def __init__(self, low, high, step=0.0):
        self.minimum, self.maximum, self.step = (lambda: low), (lambda: high), (lambda: step)


class Result(types.SimpleNamespace):
    pass


class MadeUp:
    """A device whose stream calls follow a script."""

    def __init__(self, key):
        self.key, self.calls, self.written, self.reads, self.statuses = key, [], [], [], []
        self.most, self.agc, self.values = 100, True, {}

    def __getattr__(self, name):
        if name.startswith("set"):
            return lambda *args: self.values.__setitem__((name[3:], *args[:-1]), args[-1])
        raise AttributeError(name)

    def close(self):
        self.calls.append("close")

    getDriverKey = property(lambda self: lambda: self.key)

    def getHardwareInfo(self):
        return {"serial": "s1"}

    def getNumChannels(self, _d):
        return 1

    def getSampleRateRange(self, *_):
        return [Span(1e5, 1e7)]

    def getFrequencyRange(self, *_):
        return [Span(1e6, 6e9)]

    def getGainRange(self, *_):
        return Span(0.0, 70.0, 1.0)

    def getBandwidthRange(self, *_):
        return []

    def hasHardwareTime(self, _):
        return True

    def getHardwareTime(self, _):
        return 1_000_000

    def listClockSources(self):
        return []

    listTimeSources = listClockSources

    def getStreamFormats(self, *_):
        return ["CF32", "CS16"]

    def hasGainMode(self, *_):
        return True

    def getGainMode(self, *_):
        return self.values.get(("GainMode", 1, 0), True)

    def setFrequency(self, direction, channel, value, _args):
        self.values["Frequency", direction, channel] = value

    def getFrequency(self, direction, channel, *_):
        return self.values["Frequency", direction, channel]

    def getSampleRate(self, direction, channel):
        return self.values["SampleRate", direction, channel]

    def getGain(self, direction, channel):
        return self.values["Gain", direction, channel]

    def getBandwidth(self, *_):
        return 0.0

    def getClockSource(self):
        return ""

    getTimeSource = getClockSource

    def getAntenna(self, *_):
        return "A"

    def listFrequencies(self, *_):
        return ["RF"]

    def listSensors(self, *_):
        return []

    def getNativeStreamFormat(self, *_):
        raise TypeError("a reference")

    def setupStream(self, direction, form, channels, args):
        return ("tx" if direction == 0 else "rx", form)

    def getStreamMTU(self, _):
        return 1000

    def activateStream(self, stream, *args):
        self.calls.append(("activate", stream[0], *args))
        return 0

    def deactivateStream(self, stream, *_):
        self.calls.append(("deactivate", stream[0]))
        return 0

    def closeStream(self, stream):
        self.calls.append(("close", stream[0]))

    def writeStream(self, _stream, rows, n, flags, time_ns, _timeout):
        take = min(n, self.most)
        self.written.append((rows[0][:take].copy(), flags if take == n else flags & ~END, time_ns))
        return Result(ret=take, flags=flags, timeNs=0)

    def readStream(self, _stream, rows, _n, _flags, _timeout):
        if not self.reads:
            time.sleep(0.001)
            return Result(ret=TIMEOUT, flags=0, timeNs=0)
        ret, flags, time_ns = self.reads.pop(0)
        if ret > 0:
            rows[0][:ret] = time_ns // 1000 % 1000
        return Result(ret=ret, flags=flags, timeNs=time_ns)

    def readStreamStatus(self, _stream, _timeout):
        if self.statuses:
            ret, flags, time_ns = self.statuses.pop(0)
            self.calls.append(("status", ret))
            return Result(ret=ret, flags=flags, timeNs=time_ns, chanMask=1)
        time.sleep(0.01)
        return Result(ret=TIMEOUT, flags=0, timeNs=0, chanMask=0)


@pytest.fixture
def make(monkeypatch):
    opened = []

    def open_one(key):
        device = MadeUp(key)
        constants = {
            "SOAPY_SDR_TX": 0, "SOAPY_SDR_RX": 1, "SOAPY_SDR_TIMEOUT": TIMEOUT, "SOAPY_SDR_STREAM_ERROR": STREAM_ERROR,
            "SOAPY_SDR_CORRUPTION": CORRUPTION, "SOAPY_SDR_OVERFLOW": OVERFLOW, "SOAPY_SDR_NOT_SUPPORTED": NOT_SUPPORTED,
            "SOAPY_SDR_TIME_ERROR": TIME_ERROR, "SOAPY_SDR_UNDERFLOW": UNDERFLOW, "SOAPY_SDR_END_BURST": END,
            "SOAPY_SDR_HAS_TIME": TIME,
        }  # fmt: skip
        module = types.SimpleNamespace(Device=lambda _args: device, errToStr=str, **constants)
        monkeypatch.setattr(soapy_device, "load_soapy", lambda: module)
        bench = make_bench()
        bench = bench.model_copy(update={"limits": type(bench.limits)(freq_ranges_hz=((9e8, 1.1e9),), max_tx_gain_db=70.0,
            max_tx_dbm=0.0, max_rx_dbm=0.0, min_path_loss_db=30.0)})  # fmt: skip
        opened_device = SoapyDevice("sdr", SoapyOptions(args={"driver": key}))
        radio = SoapyRadio("sdr", opened_device, Permit(bench, {"consent": True}), {}, virtual=False)
        radio.configure(SETTINGS)
        opened.append(radio)
        return radio, device

    yield open_one
    for radio in opened:
        radio.close()


def codes(n=250):
    return np.arange(2 * n, dtype=np.int16).reshape(1, n, 2)


def test_automatic_gain_is_switched_off(make):
    _, device = make("uhd")
    assert device.values["GainMode", 1, 0] is False


def test_partial_writes_carry_time_once_and_end_once(make):
    radio, device = make("uhd")
    radio.transmit(codes(), at=5000)
    assert [flags for _, flags, _ in device.written] == [TIME, 0, END]
    assert {time_ns for _, flags, time_ns in device.written if flags & TIME} == {5_000_000}
    assert (np.concatenate([block for block, _, _ in device.written]) == codes()[0]).all()


@pytest.mark.parametrize(("key", "sent"), [("lime", 250 + 256), ("hackrf", 1000), ("plutosdr", 1000), ("uhd", 250)])
def test_zeros_follow_a_burst_where_the_driver_needs_them(make, key, sent):
    radio, device = make(key)
    device.most = 5000
    radio.transmit(codes())
    out = np.concatenate([block for block, _, _ in device.written])
    assert len(out) == sent
    assert not out[250:].any()
    assert device.written[-1][1] == (END if QUIRKS[key].burst_flags else 0)


def test_fragments_without_time_are_placed(make):
    radio, device = make("uhd")
    device.reads = [(100, TIME, 7_000_000), (60, 0, 0), (40, END, 0)]
    got = radio.receive(200, at=7000)
    assert (got.start, got.samples.shape, got.events) == (7000, (1, 200, 2), ())
    activated = [call for call in device.calls if call[0] == "activate"]
    assert activated[-1][3:] == (7_000_000, 200)


def test_a_hole_ends_a_reception_and_is_told_once(make):
    radio, device = make("uhd")
    device.reads = [(100, TIME, 7_000_000), (OVERFLOW, TIME, 7_100_000), (100, TIME, 7_150_000), (100, TIME, 7_300_000)]
    first, second = radio.receive(150), radio.receive(50)
    assert first.samples.shape == (1, 100, 2)
    assert [(e.kind, e.position, e.count) for e in first.events] == [("overflow", 7100, 50)]
    assert (second.start, second.events) == (7150, ())
    third = radio.receive(100)
    assert (third.start, third.samples.shape[1]) == (7200, 50)
    assert [(e.kind, e.position, e.count) for e in third.events] == [("gap", 7250, 50)]


def test_time_error_means_what_the_driver_means(make):
    radio, device = make("uhd")
    device.reads = [(TIME_ERROR, TIME, 0)]
    assert [event.kind for event in radio.receive(10, at=500).events] == ["late"]
    radio, device = make("lime")
    device.reads = [(100, TIME, 0), (TIME_ERROR, 0, 0), (100, TIME, 150_000)]
    assert [(e.kind, e.position, e.count) for e in radio.receive(150).events] == [("overflow", 100, 50)]


def test_a_device_without_time_counts(make):
    radio, device = make("rtlsdr")
    assert not radio.info.hardware_time
    device.reads = [(100, 0, 0), (100, 0, 0)]
    assert [radio.receive(80).start, radio.receive(80).start] == [0, 80]
    assert radio.now() == 200
    device.reads = [(100, 0, 0)]
    got = radio.receive(50, at=radio.now())  # what had come before is passed over
    assert (got.start, got.samples.shape[1], got.events) == (200, 50, ())
    device.reads = [(100, 0, 0)]
    behind = radio.receive(150, at=200)
    assert (behind.start, behind.samples.shape[1]) == (250, 100)
    assert [(event.kind, event.position, event.count) for event in behind.events] == [("gap", 200, 50)]


def test_a_reception_that_does_not_come_ends_at_its_deadline(make):
    radio, _ = make("hackrf")
    began = time.monotonic()
    with pytest.raises(RadioTimeoutError):
        radio.receive(10, timeout_s=0.2)
    assert time.monotonic() - began < 0.5


def test_status_is_asked_until_it_is_not_supported(make):
    radio, device = make("uhd")
    radio.transmit(codes())
    device.statuses = [(UNDERFLOW, TIME, 9_000_000), (NOT_SUPPORTED, 0, 0), (UNDERFLOW, TIME, 0)]
    deadline = time.monotonic() + 2
    while ("status", NOT_SUPPORTED) not in device.calls:
        assert time.monotonic() < deadline
    events = radio.settle()
    assert [(e.kind, e.position) for e in events] == [("underflow", 9000)]
    assert len(device.statuses) == 1


def test_closing_silences_first(make):
    radio, device = make("uhd")
    radio.transmit(codes())
    radio.close()
    ends = [call for call in device.calls if call in (("deactivate", "tx"), ("close", "tx"), "close")]
    assert ends == [("deactivate", "tx"), ("close", "tx"), "close"]


@pytest.mark.parametrize(
    "wrong",
    [
        np.zeros((9, 2), np.int16),
        np.zeros((10, 2), np.int32),
        np.zeros((20, 2), np.int16)[::2],
        np.zeros(10, np.complex64),
        np.zeros((10, 3), np.int16),
    ],
)
def test_no_array_reaches_the_binding_unchecked(wrong):
    with pytest.raises(ShapeError, match="contiguous"):
        stream_rows([wrong], "CS16", 10, written=False)


def test_quirks_are_found_by_the_start_of_the_key():
    assert quirks_of("HackRF").half_duplex
    assert quirks_of("LimeSDR-USB").time_error == "loss"
    assert quirks_of("something new").rx_time


def test_a_missing_library_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "SoapySDR", None)
    with pytest.raises(DriverMissingError, match="apt install python3-soapysdr") as caught:
        load_soapy()
    assert "conda" in str(caught.value)
    assert DRIVERS.load("soapy") is SoapyRadio  # the driver itself imports without the library


def test_a_call_that_hangs_is_given_up():
    worker, never = Worker("x"), threading.Event()
    with pytest.raises(RadioTimeoutError, match="reading"):
        worker.call("reading", never.wait, 0.0)
    with pytest.raises(RadioError, match="hangs in reading"):
        worker.call("more", lambda: None)
    never.set()
