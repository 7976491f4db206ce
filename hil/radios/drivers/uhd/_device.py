"""One USRP through the vendor's `uhd` module: opening, settings with read-back, clock, time. All but streaming."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import re
import socket
import struct
import time
from collections.abc import Callable, Iterator
from typing import Any

from pydantic import Field

from hil.config import Config
from hil.errors import ConnectionLostError, RadioError, RadioNotFoundError
from hil.radios.contract import RadioInfo, RadioSettings, Range, SensorValue
from hil.radios.drivers.uhd._module import load_uhd
from hil.radios.others import others_there
from hil.radios.sensors import asked_for, sensor_value
from hil.radios.virtual.address import is_loopback

__all__ = ["FULL_SCALE", "UhdDevice", "UhdOptions"]

FULL_SCALE = 32768.0
_SAME_CARRIER_HZ = 10.0
_NO_ANSWER = ("no control response", "timed out")  # in what UHD says of a device that does not answer
_CONTROL_PORT, _HELLO = 49152, struct.pack(">III24x", 12, ord("a"), 1)  # of USRP2 and N-series
_RECEIVE_BUFFER = "recv_buff_size=2e6"  # what a kernel without settings of its own nearly gives


class UhdOptions(Config):
    """Options of `driver = "uhd"`.

    Attributes:
        args: device address, as for `uhd_usrp_probe --args`: "type=b200", "type=usrp2,addr=192.168.10.2".
        tx_subdev: transmit frontends in the order of channels ("A:0 B:0"); None = the device's order.
        rx_subdev: receive frontends.
        tx_gain_element: name of the gain stage that is set; None = the overall gain, which UHD distributes.
        rx_gain_element: likewise.
        lo_offset_hz: LO placed off the carrier by this much in both directions: moves its leakage out of the band.
        master_clock_rate_hz: of devices that have several.
        lock_s: how long a reference may take to lock.
        history_s: how long received samples are kept.
    """

    args: str
    tx_subdev: str | None = None
    rx_subdev: str | None = None
    tx_gain_element: str | None = None
    rx_gain_element: str | None = None
    lo_offset_hz: float = 0.0
    master_clock_rate_hz: float | None = Field(default=None, gt=0)
    lock_s: float = Field(default=2.0, gt=0, le=60)
    history_s: float = Field(default=2.0, ge=0.1, le=30)


class UhdDevice:
    """A `MultiUSRP` with vendor exceptions wrapped. Sample counts are device time × sample rate, to the nearest sample."""

    def __init__(self, name: str, uhd: Any, usrp: Any, options: UhdOptions) -> None:
        self.name, self.uhd, self.usrp, self.options = name, uhd, usrp, options
        self.sample_rate_hz = 0.0
        self._watches = self._watch()
        with self.wrapped("describe"):
            if options.tx_subdev:
                usrp.set_tx_subdev_spec(uhd.usrp.SubdevSpec(options.tx_subdev))
            if options.rx_subdev:
                usrp.set_rx_subdev_spec(uhd.usrp.SubdevSpec(options.rx_subdev))
            self.tx_channels: int = usrp.get_tx_num_channels()
            self.rx_channels: int = usrp.get_rx_num_channels()
            self.boards: int = usrp.get_num_mboards()
            about = usrp.get_usrp_rx_info(0) if self.rx_channels else usrp.get_usrp_tx_info(0)
            self.serial: str = dict(about).get("mboard_serial", "")

    @classmethod
    def connect(cls, name: str, options: UhdOptions) -> UhdDevice:
        """Open the device.

        Raises:
            DriverMissingError: see `load_uhd`.
            RadioNotFoundError: nobody answers at `options.args`.
        """
        uhd = load_uhd()
        args = options.args
        if "addr" in args and "recv_buff_size" not in args:
            args += f",{_RECEIVE_BUFFER}"
        if options.master_clock_rate_hz is not None:
            args += f",master_clock_rate={options.master_clock_rate_hz:.0f}"
        try:
            return cls(name, uhd, uhd.usrp.MultiUSRP(args), options)
        except RuntimeError as err:
            raise RadioNotFoundError(
                f"radio '{name}': no USRP at '{options.args}' ({_first_line(err)}); "
                f"look for it with uhd_find_devices, see: hil doctor{_others(uhd, options.args)}"
            ) from err

    @contextlib.contextmanager
    def wrapped(self, what: str) -> Iterator[None]:
        """Turn what UHD raises into RadioError; where nobody listens any more, before UHD ends the process over it."""
        if self.usrp is None or self._deserted():
            raise ConnectionLostError(
                f"radio '{self.name}': cannot {what}: nobody listens at '{self.options.args}' any more", radio=self.name
            )
        try:
            yield
        except RadioError:
            raise
        except (RuntimeError, IndexError, KeyError, ValueError) as err:
            text = _first_line(err)
            kind = ConnectionLostError if any(sign in text for sign in _NO_ANSWER) else RadioError
            raise kind(f"radio '{self.name}': cannot {what}: {text}", radio=self.name) from err

    def release(self) -> None:
        """Let go of the device.

        UHD's destructor, too, ends the process where nobody listens any more. Such an object must outlive everything; as UHD
        gives it back to whoever opens that address again in this process, others are destroyed.
        """
        usrp, self.usrp = self.usrp, None
        if usrp is not None and self._deserted():
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(usrp))
        for sock in self._watches:
            sock.close()
        self._watches = []

    def _watch(self) -> list[socket.socket]:
        """Sockets to the control ports of virtual devices: only a host of its own says that nobody listens."""
        watches = []
        for host in re.findall(r"addr\d*=([^,]+)", self.options.args):
            if is_loopback(host.strip()):
                sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
                sock.setblocking(False)
                sock.connect((host.strip(), _CONTROL_PORT))
                watches.append(sock)
        return watches

    def _deserted(self) -> bool:
        """Whether a virtual device's process is gone: on loopback the kernel says so at once."""
        for sock in self._watches:
            try:
                sock.send(_HELLO)
                if sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                    return True
                with contextlib.suppress(BlockingIOError):
                    while True:
                        sock.recv(64)
            except OSError:
                return True
        return False

    def describe(self, *, virtual: bool) -> RadioInfo:
        """What the device can do, as it says."""
        usrp = self.usrp
        with self.wrapped("describe"):
            rates = [usrp.get_tx_rates(0)] if self.tx_channels else []
            rates += [usrp.get_rx_rates(0)] if self.rx_channels else []
            carriers = [usrp.get_tx_freq_range(0)] if self.tx_channels else []
            carriers += [usrp.get_rx_freq_range(0)] if self.rx_channels else []
            return RadioInfo(
                driver="uhd",
                name=self.name,
                serial=self.serial,
                tx_channels=self.tx_channels,
                rx_channels=self.rx_channels,
                sample_rate_hz=_common(rates),
                center_freq_hz=_common(carriers),
                tx_gain_db=self._gain_range("tx"),
                rx_gain_db=self._gain_range("rx"),
                tx_full_scale=FULL_SCALE,
                rx_full_scale=FULL_SCALE,
                hardware_time=True,
                timed_transmit=True,
                start_jitter_s=0.1,
                clock_sources=tuple(usrp.get_clock_sources(0)),
                time_sources=tuple(usrp.get_time_sources(0)),
                virtual=virtual,
            )

    def _element(self, side: str) -> tuple[str, ...]:
        name = self.options.tx_gain_element if side == "tx" else self.options.rx_gain_element
        return () if name is None else (name,)

    def _gain_range(self, side: str) -> Range:
        if not (self.tx_channels if side == "tx" else self.rx_channels):
            return Range(low=0.0, high=0.0)
        found = getattr(self.usrp, f"get_{side}_gain_range")(*self._element(side), 0)
        return Range(low=found.start(), high=found.stop(), step=found.step())

    # settings

    def set_rates(self, settings: RadioSettings) -> float:
        """Set the rate of all channels in use and return the one read back.

        Raises:
            RadioError: the directions came to different rates.
        """
        usrp, got = self.usrp, []
        with self.wrapped("set the sample rate"):
            for side, channels in (("tx", settings.tx_channels), ("rx", settings.rx_channels)):
                for channel in channels:
                    getattr(usrp, f"set_{side}_rate")(settings.sample_rate_hz, channel)
                    got.append(float(getattr(usrp, f"get_{side}_rate")(channel)))
        if max(got, default=0) - min(got, default=0) > 1e-3:
            raise RadioError(
                f"radio '{self.name}': 'sample_rate_hz' {settings.sample_rate_hz:g} gives different rates "
                f"{sorted(set(got))} in the two directions; take another"
            )
        self.sample_rate_hz = got[0] if got else settings.sample_rate_hz
        return self.sample_rate_hz

    def offset_hz(self, settings: RadioSettings) -> float:
        """How far off the carrier the LO is asked to be."""
        return settings.lo_offset_hz or self.options.lo_offset_hz

    def tune(self, settings: RadioSettings) -> tuple[float, float]:
        """Tune all channels in use and return what was read back: the carrier, and the LO's distance from it.

        Raises:
            RadioError: a synthesiser does not lock, or channels came to different carriers.
        """
        usrp, carriers, offsets = self.usrp, [settings.center_freq_hz], [0.0]
        offset = self.offset_hz(settings)
        with self.wrapped("tune"):
            for side, channels in (("tx", settings.tx_channels), ("rx", settings.rx_channels)):
                for channel in channels:
                    request = (settings.center_freq_hz, offset) if offset else (settings.center_freq_hz,)
                    result = getattr(usrp, f"set_{side}_freq")(self.uhd.types.TuneRequest(*request), channel)
                    offsets.append(float(result.actual_rf_freq) - settings.center_freq_hz)
                for channel in channels:
                    carriers.append(float(getattr(usrp, f"get_{side}_freq")(channel)))
                    if "lo_locked" in getattr(usrp, f"get_{side}_sensor_names")(channel):
                        read = functools.partial(getattr(usrp, f"get_{side}_sensor"), "lo_locked", channel)
                        self._await(lambda: read().to_bool(), "lock the LO")  # noqa: B023 (called at once)
        if max(carriers[1:], default=0.0) - min(carriers[1:], default=0.0) > _SAME_CARRIER_HZ:
            raise RadioError(f"radio '{self.name}': its channels came to different carriers: {sorted(set(carriers[1:]))} Hz")
        return carriers[-1], max(offsets, key=abs)

    def set_gain(self, side: str, gain_db: float, channel: int) -> float:
        """Set one channel's gain and return the one read back (dB)."""
        element = self._element(side)
        with self.wrapped("set the gain"):
            getattr(self.usrp, f"set_{side}_gain")(gain_db, *element, channel)
            return float(getattr(self.usrp, f"get_{side}_gain")(*element, channel))

    def set_antenna(self, side: str, antenna: str | None, channels: tuple[int, ...]) -> str | None:
        """Select a port and return the one read back; None = the one the device has selected.

        Raises:
            RadioError: there is none of that name.
        """
        got = None
        with self.wrapped("select the antenna"):
            for channel in channels:
                ports = list(getattr(self.usrp, f"get_{side}_antennas")(channel))
                if antenna is not None and antenna not in ports:
                    raise RadioError(
                        f"radio '{self.name}': '{side}_antenna' must be one of {', '.join(ports)}, not '{antenna}'"
                    )
                if antenna is not None:
                    getattr(self.usrp, f"set_{side}_antenna")(antenna, channel)
                got = str(getattr(self.usrp, f"get_{side}_antenna")(channel))
        return got

    def set_bandwidth(self, settings: RadioSettings) -> float:
        """Set the analogue filters of all channels in use, around an LO that may be off; the narrowest read back (Hz)."""
        got: list[float] = []
        with self.wrapped("set the bandwidth"):
            for side, channels in (("tx", settings.tx_channels), ("rx", settings.rx_channels)):
                for channel in channels:
                    wanted = (settings.bandwidth_hz or self.sample_rate_hz) + 2 * abs(self.offset_hz(settings))
                    getattr(self.usrp, f"set_{side}_bandwidth")(wanted, channel)
                    got.append(float(getattr(self.usrp, f"get_{side}_bandwidth")(channel)))
                    if side == "rx":
                        with contextlib.suppress(RuntimeError):  # only some devices have gain control; off it must be
                            self.usrp.set_rx_agc(False, channel)
        return min(got, default=settings.sample_rate_hz)

    # clock and time

    def set_clock(self, source: str) -> str:
        """Select the reference, wait for it to lock, and return the source read back.

        Raises:
            RadioError: it does not lock.
        """
        with self.wrapped("select the clock"):
            if self.usrp.get_clock_source(0) != source:
                self.usrp.set_clock_source(source)
            if source != "internal":
                self._await(self.locked, f"lock to clock source '{source}'")
            return str(self.usrp.get_clock_source(0))

    def set_time_source(self, source: str) -> str:
        """Select what sets the time; the source read back."""
        with self.wrapped("select the time source"):
            if self.usrp.get_time_source(0) != source:
                self.usrp.set_time_source(source)
            return str(self.usrp.get_time_source(0))

    def locked(self) -> bool:
        """Whether the device follows its reference; True where it cannot say."""
        with self.wrapped("read the reference's sensor"):
            boards = [board for board in range(self.boards) if "ref_locked" in self.usrp.get_mboard_sensor_names(board)]
            return all(self.usrp.get_mboard_sensor("ref_locked", board).to_bool() for board in boards)

    def sensors(self, settings: RadioSettings) -> dict[str, SensorValue]:
        """What its boards and the channels in use say; of boards beyond the first with their number."""
        usrp, found = self.usrp, {}
        with self.wrapped("read its sensors"):
            for board in range(self.boards):
                for name in filter(asked_for, usrp.get_mboard_sensor_names(board)):
                    found[f"board{board}.{name}" if board else name] = usrp.get_mboard_sensor(name, board).value
            for side, channels in (("tx", settings.tx_channels), ("rx", settings.rx_channels)):
                for channel in channels:
                    for name in filter(asked_for, getattr(usrp, f"get_{side}_sensor_names")(channel)):
                        found[f"{side}{channel}.{name}"] = getattr(usrp, f"get_{side}_sensor")(name, channel).value
        return {name: sensor_value(str(text)) for name, text in found.items()}

    def pulse(self, timeout_s: float = 5.0) -> int:
        """Wait for a pulse of the time source, and return the device's full seconds at it.

        Raises:
            RadioError: no pulse came.
        """
        with self.wrapped("read the time of the last pulse"):
            before = self.usrp.get_time_last_pps(0).get_real_secs()
            deadline = time.monotonic() + timeout_s
            while time.monotonic() < deadline:
                time.sleep(0.01)
                now = self.usrp.get_time_last_pps(0)
                if now.get_real_secs() != before:
                    return round(float(now.get_real_secs()))
        raise RadioError(f"radio '{self.name}': no pulse per second in {timeout_s:g} s; connect one or set time_source")

    def set_time_at_pulse(self, seconds: int) -> None:
        """Have the device's time be so many seconds at the next pulse."""
        with self.wrapped("set the time"):
            self.usrp.set_time_next_pps(self.uhd.types.TimeSpec(seconds, 0.0))

    def check_same_time(self) -> None:
        """See that the boards of one device had the last pulse at the same time.

        Raises:
            RadioError: they had not.
        """
        with self.wrapped("read the time of the last pulse"):
            times = [self.usrp.get_time_last_pps(board).get_real_secs() for board in range(self.boards)]
        if max(times) - min(times) > 1e-9:
            raise RadioError(f"radio '{self.name}': its boards' times at the last pulse differ: {times}; do they share one?")

    def now(self) -> int:
        """Device time, in samples; of several boards the first one's."""
        with self.wrapped("read the time"):
            return self.samples_of(self.usrp.get_time_now(0))

    def samples_of(self, when: Any) -> int:
        """A `TimeSpec` in samples."""
        return int(when.get_full_secs() * self.sample_rate_hz + when.get_frac_secs() * self.sample_rate_hz + 0.5)

    def time_of(self, sample: int) -> Any:
        """A sample as `TimeSpec`."""
        full = int(sample / self.sample_rate_hz)
        return self.uhd.types.TimeSpec(full, (sample - full * self.sample_rate_hz) / self.sample_rate_hz)

    def stream_args(self, channels: tuple[int, ...]) -> Any:
        """For a streamer of int16 samples over those channels."""
        arguments = self.uhd.usrp.StreamArgs("sc16", "sc16")
        arguments.channels = list(channels)
        return arguments

    def _await(self, condition: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + self.options.lock_s
        while not condition():
            if time.monotonic() > deadline:
                raise RadioError(f"radio '{self.name}' did not {what} in {self.options.lock_s:g} s; check the cable and level")
            time.sleep(0.01)


def _common(ranges: list[Any]) -> Range:
    """What all of UHD's ranges allow."""
    low, high = max(one.start() for one in ranges), min(one.stop() for one in ranges)
    return Range(low=low, high=high)


def _others(uhd: Any, args: str) -> str:
    """The serials that are there, where one was asked for; devices of another address are not searched for."""
    pairs = [pair for pair in args.split(",") if not pair.strip().startswith("serial=")]
    if len(pairs) == len(args.split(",")) or "addr=" in args:
        return ""
    return others_there(lambda: [one.to_dict() for one in uhd.find(",".join(pairs))])


def _first_line(err: BaseException) -> str:
    lines = [line.strip() for line in str(err).splitlines() if line.strip()]
    return " ".join(lines[:3]) or type(err).__name__
