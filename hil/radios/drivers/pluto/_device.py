"""libiio under the Pluto driver: attributes, registers and buffers; every vendor error becomes one of ours here."""

from __future__ import annotations

import contextlib
import errno
import importlib
import threading
from collections.abc import Iterator
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from hil.errors import ConnectionLostError, DriverMissingError, RadioError, RadioNotFoundError
from hil.radios.contract import RadioInfo, RadioSettings, Range, SensorValue
from hil.radios.others import others_there

__all__ = ["INSTALL", "PlutoDevice", "RxBuffers", "TxBuffers", "destroy", "load_adi"]

INSTALL = "apt install libiio0 (conda: conda install -c conda-forge libiio), then pip install 'pyadi-iio>=0.0.21' 'pylibiio<1'"
_GONE = (errno.EPIPE, errno.ECONNRESET, errno.ENOTCONN, errno.ETIMEDOUT, errno.EBADF, errno.ENODEV)
_STATUS, _CLEAR = 0x80000088, 0x6
_OVERFLOW, _UNDERFLOW = 1 << 2, 1 << 0
_CARRIER_STEP_HZ = 5.0  # of an AD9361: 80 MHz / 8388593 at its oscillator, of which a carrier below 6 GHz has a half or less
_SAME_CARRIER_HZ = 10.0


def load_adi() -> Any:
    """The `adi` module.

    Raises:
        DriverMissingError: it, pylibiio or libiio itself is missing or does not fit, with what to install.
    """
    try:
        import adi
    except ModuleNotFoundError as err:
        raise DriverMissingError(f"radio driver 'pluto' needs the module '{err.name}'; install it with: {INSTALL}") from err
    except (ImportError, AttributeError, OSError, Exception) as err:
        raise DriverMissingError(
            f"radio driver 'pluto': pylibiio found no libiio 0.x ({err}); install it with: {INSTALL}; see: hil doctor"
        ) from err
    return adi


def _others() -> str:
    """The Plutos on USB, where one was asked for by its place there."""
    iio = importlib.import_module("iio")
    return others_there(
        lambda: [{"uri": uri, "name": text} for uri, text in iio.scan_contexts().items() if uri.startswith("usb:")]
    )


class PlutoDevice:
    """One Pluto behind libiio.

    libiio's contexts are not made for several threads: attributes and registers are behind one lock, buffers belong to one
    thread.
    """

    def __init__(self, name: str, sdr: Any) -> None:
        self._name = name
        self._sdr: Any = sdr
        self._lock = threading.Lock()
        self.serial: str = sdr._ctx.attrs.get("hw_serial", "")
        for side in (sdr._rxadc, sdr._txdac):
            for channel in ("voltage0", "voltage1"):
                side.find_channel(channel, side is sdr._txdac).enabled = True

    @classmethod
    def connect(cls, name: str, uri: str) -> Self:
        """Open the device at a libiio URI.

        Raises:
            DriverMissingError: see `load_adi`.
            RadioNotFoundError: nobody answers there, or it is no Pluto.
        """
        adi = load_adi()
        try:
            return cls(name, adi.Pluto(uri=uri))
        except Exception as err:  # pyadi-iio raises bare Exceptions
            raise RadioNotFoundError(
                f"radio '{name}': no Pluto answers at '{uri}' ({err}); is it connected, and does `iio_info -u {uri}` find it?"
                f"{_others() if uri.startswith('usb:') else ''}"
            ) from err

    @contextlib.contextmanager
    def _asking(self, what: str) -> Iterator[Any]:
        with self._lock:
            if self._sdr is None:
                raise RadioError(f"radio '{self._name}' is closed; open the bench again")
            try:
                yield self._sdr
            except RadioError:
                raise
            except Exception as err:
                gone = isinstance(err, OSError) and err.errno in _GONE
                kind = ConnectionLostError if gone else RadioError
                raise kind(f"radio '{self._name}': cannot {what}: {err}", radio=self._name) from err

    def describe(self, name: str, *, virtual: bool, tx_full_scale: float, rx_full_scale: float) -> RadioInfo:
        """What it can do, ranges as the device states them."""
        with self._asking("read its ranges") as sdr:
            rx_gain = _range(sdr._ctrl.find_channel("voltage0", False).attrs["hardwaregain_available"].value)
            tx_gain = _range(sdr._ctrl.find_channel("voltage0", True).attrs["hardwaregain_available"].value)
            lo = _range(sdr._ctrl.find_channel("altvoltage0", True).attrs["frequency_available"].value)
        return RadioInfo(
            driver="pluto",
            name=name,
            serial=self.serial,
            tx_channels=1,
            rx_channels=1,
            sample_rate_hz=Range(low=521e3, high=61.44e6),
            center_freq_hz=lo,
            tx_gain_db=tx_gain,
            rx_gain_db=rx_gain,
            tx_full_scale=tx_full_scale,
            rx_full_scale=rx_full_scale,
            cyclic_transmit=True,
            stream_transmit=True,
            carrier_resolution_hz=_CARRIER_STEP_HZ,
            start_jitter_s=0.25,  # after what has been received: the queues of both directions and the host
            virtual=virtual,
        )

    def silence(self) -> None:
        """Attenuation to its highest, every DDS tone to zero, so that no end of a buffer lets a tone out, oscillator off."""
        with self._asking("be silenced") as sdr:
            sdr.tx_hardwaregain_chan0 = -89.75
            for index in range(4):
                sdr._txdac.find_channel(f"altvoltage{index}", True).attrs["scale"].value = "0.0"
                sdr._txdac.find_channel(f"altvoltage{index}", True).attrs["raw"].value = "0"
        self.power_transmitter(on=False)

    def power_transmitter(self, *, on: bool) -> None:
        """The transmitter's oscillator; it leaks even where nothing is sent. Devices without the switch are left alone."""
        with self._asking("switch its transmitter") as sdr:
            switch = sdr._ctrl.find_channel("altvoltage1", True).attrs.get("powerdown")
            if switch is not None and (switch.value.strip("\0 \n") == "0") != on:
                switch.value = "0" if on else "1"

    def set_rate(self, rate_hz: float) -> None:
        """Sample rate of both directions, with the FIR filter that it needs."""
        with self._asking(f"run at {rate_hz:g} samples/s") as sdr:
            if sdr.sample_rate != round(rate_hz):
                sdr.sample_rate = round(rate_hz)

    def set_frequency(self, tx_hz: float | None, rx_hz: float) -> None:
        """Both LOs; integer Hz. The transmitter's is left alone where it is not used: a move calibrates, which emits."""
        with self._asking(f"tune to {rx_hz:g} Hz") as sdr:
            if sdr.rx_lo != round(rx_hz):
                sdr.rx_lo = round(rx_hz)
            if tx_hz is not None and sdr.tx_lo != round(tx_hz):
                sdr.tx_lo = round(tx_hz)

    def set_bandwidth(self, bandwidth_hz: float) -> None:
        """Analogue filters of both directions."""
        wanted = min(max(round(bandwidth_hz), 200_000), 40_000_000)
        with self._asking(f"set a bandwidth of {wanted} Hz") as sdr:
            if sdr.rx_rf_bandwidth != wanted:
                sdr.rx_rf_bandwidth = wanted
            if sdr.tx_rf_bandwidth != wanted:
                sdr.tx_rf_bandwidth = wanted

    def set_rx_gain(self, gain_db: float) -> None:
        """Receive gain, after gain control was made manual: in another mode the device ignores it without a word."""
        with self._asking(f"set a receive gain of {gain_db:g} dB") as sdr:
            if sdr.gain_control_mode_chan0 != "manual":
                sdr.gain_control_mode_chan0 = "manual"
            sdr.rx_hardwaregain_chan0 = round(gain_db)

    def set_tx_gain(self, gain_db: float) -> None:
        """Transmit gain = minus the attenuation."""
        with self._asking(f"set a transmit gain of {gain_db:g} dB") as sdr:
            sdr.tx_hardwaregain_chan0 = round(gain_db * 4) / 4

    def read_back(self, settings: RadioSettings) -> RadioSettings:
        """The settings as the device has them.

        Raises:
            RadioError: its two directions came to different carriers.
        """
        with self._asking("be read back") as sdr:
            tx_hz, rx_hz = float(sdr.tx_lo), float(sdr.rx_lo)
            carrier_hz = rx_hz if settings.rx_channels else tx_hz - settings.lo_offset_hz
            if settings.tx_channels and abs(tx_hz - settings.lo_offset_hz - carrier_hz) > _SAME_CARRIER_HZ:
                raise RadioError(f"radio '{self._name}': its two directions came to {tx_hz:.0f} and {rx_hz:.0f} Hz")
            return settings.replace(
                sample_rate_hz=float(sdr.sample_rate),
                center_freq_hz=carrier_hz,
                tx_gain_db=(float(sdr.tx_hardwaregain_chan0),) if settings.tx_channels else (),
                rx_gain_db=(float(sdr.rx_hardwaregain_chan0),) if settings.rx_channels else (),
                bandwidth_hz=float(sdr.rx_rf_bandwidth),
                clock_source="internal",
                time_source="none",
                tx_antenna=None,
                rx_antenna=None,
                lo_offset_hz=tx_hz - carrier_hz if settings.tx_channels else 0.0,
            )

    def sensors(self) -> dict[str, SensorValue]:
        """The transceiver's temperature, °C."""
        with self._asking("read its sensors") as sdr:
            channel = sdr._ctrl.find_channel("temp0", False)
            reading = None if channel is None else channel.attrs.get("input")
            return {} if reading is None else {"temp0": float(reading.value.strip("\0 \n")) / 1000}

    def set_timeout(self, seconds: float) -> None:
        """Of every further operation; must be longer than a buffer takes."""
        with self._asking("set its timeout") as sdr:
            sdr._ctx.set_timeout(round(seconds * 1000))

    def push(self, codes: NDArray[np.int16], *, cyclic: bool) -> Any:
        """Send a buffer once or cyclically; it plays until `destroy`."""
        with self._asking("transmit") as sdr:
            sdr._txdac.set_kernel_buffers_count(2)
            return self._push(sdr, codes, cyclic)

    def _push(self, sdr: Any, codes: NDArray[np.int16], cyclic: bool) -> Any:
        import iio

        buffer = iio.Buffer(sdr._txdac, len(codes), cyclic)
        try:
            buffer.write(bytearray(np.ascontiguousarray(codes).tobytes()))
            buffer.push()
        except OSError:
            destroy(buffer)
            raise
        return buffer

    def make_buffer(self, *, output: bool, samples: int, count: int) -> Any:
        """A fresh libiio buffer."""
        import iio

        with self._asking("make a buffer") as sdr:
            device = sdr._txdac if output else sdr._rxadc
            device.set_kernel_buffers_count(count)
            return iio.Buffer(device, samples, False)

    def status(self, *, output: bool) -> bool:
        """Whether the sticky underflow (output) or overflow bit is set."""
        with self._asking("read its status") as sdr:
            device = sdr._txdac if output else sdr._rxadc
            return bool(device.reg_read(_STATUS) & (_UNDERFLOW if output else _OVERFLOW))

    def clear_status(self, *, output: bool) -> None:
        """Clear the sticky bits."""
        with self._asking("clear its status") as sdr:
            (sdr._txdac if output else sdr._rxadc).reg_write(_STATUS, _CLEAR | 1)

    def release(self) -> None:
        """Let go of the context, at once: the garbage collector could come to it before a buffer's last reference is gone."""
        with self._lock:
            sdr, self._sdr = self._sdr, None
            if sdr is not None:
                import iio

                context, sdr._ctx._context = sdr._ctx._context, None
                iio._destroy(context)


def destroy(buffer: Any) -> None:
    """Destroy a libiio buffer now, whoever still refers to it: it must be gone before its context."""
    if buffer is not None and buffer._buffer is not None:
        import iio

        pointer, buffer._buffer = buffer._buffer, None
        iio._buffer_destroy(pointer)


class RxBuffers:
    """Receive buffers of one thread."""

    def __init__(self, device: PlutoDevice, samples: int, count: int) -> None:
        self._device, self._samples, self._count = device, samples, count
        self._buffer: Any = None

    def start(self) -> None:
        """Make a fresh buffer and clear the overflow bit."""
        self._buffer = self._device.make_buffer(output=False, samples=self._samples, count=self._count)
        self._device.clear_status(output=False)

    def read(self) -> NDArray[np.int16]:
        """The next buffer."""
        self._buffer.refill()
        return np.frombuffer(self._buffer.read(), "<i2").reshape(-1, 2)

    def overflowed(self) -> bool:
        """Whether samples were lost since `start`."""
        return self._device.status(output=False)

    def stop(self) -> None:
        """Destroy the buffer."""
        buffer, self._buffer = self._buffer, None
        destroy(buffer)


class TxBuffers:
    """Transmit buffers of one thread."""

    def __init__(self, device: PlutoDevice, samples: int, count: int) -> None:
        self._device, self._samples, self._count = device, samples, count
        self._buffer: Any = None
        self._queued = 0

    def start(self) -> None:
        """Make a buffer and clear the underflow bit."""
        self._buffer = self._device.make_buffer(output=True, samples=self._samples, count=self._count)
        self._device.clear_status(output=True)

    def write(self, codes: NDArray[np.int16]) -> None:
        """Queue a buffer; blocks while the queue is full."""
        self._buffer.write(bytearray(codes.tobytes()))
        self._buffer.push()

    def underflowed(self) -> bool:
        """Whether the device ran dry since the last call."""
        if not self._device.status(output=True):
            return False
        self._device.clear_status(output=True)
        return True

    def stop(self) -> None:
        """Destroy the buffer."""
        buffer, self._buffer = self._buffer, None
        destroy(buffer)


def _range(text: str) -> Range:
    """`[low step high]` as the AD9361 driver writes it; steps of 1 Hz count as continuous."""
    low, step, high = (float(word) for word in text.strip("[] \n\0").split())
    return Range(low=low, high=high, step=0.0 if high > 1e6 else step)
