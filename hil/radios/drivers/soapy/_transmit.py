"""Transmitting through SoapySDR: whole bursts in partial writes, and a thread that asks what became of them."""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hil.errors import ConnectionLostError, RadioError, RadioTimeoutError
from hil.radios.contract import EventKind
from hil.radios.drivers.soapy._buffers import choose_format, stream_rows
from hil.radios.drivers.soapy._device import SoapyDevice
from hil.radios.drivers.soapy._receive import Loss
from hil.radios.scaling import from_int16

__all__ = ["SoapyTransmitter"]

_POLL_S = 0.05
_BURSTS = 64
_SETTLE_S = 0.5
_MOST_EVENTS = 10_000


class SoapyTransmitter:
    """The transmit stream of one device. Its methods run on the device's worker thread, `events` on any.

    Args:
        device: open and tuned.
        channels: in the order of the rows.
        full_scale: int16 value of amplitude 1.0, for drivers that only take floats.
    """

    def __init__(self, device: SoapyDevice, channels: tuple[int, ...], full_scale: float) -> None:
        self._device, self._name, self._full_scale = device, device.name, full_scale
        self.channels = channels
        h, soapy = device.handle, device.soapy
        self._form = choose_format(self._name, list(h.getStreamFormats(soapy.SOAPY_SDR_TX, channels[0])))
        self._stream: Any = h.setupStream(soapy.SOAPY_SDR_TX, self._form, list(channels), device.options.all_stream_args())
        self._mtu = max(1, int(h.getStreamMTU(self._stream)))
        self._active = False
        self._bursts: deque[tuple[int, int]] = deque(maxlen=_BURSTS)  # timed ones: start, length
        self._events: deque[Loss] = deque(maxlen=_MOST_EVENTS)
        self._ending = threading.Event()
        self._heard = threading.Condition()
        self._unheard = 0  # bursts that the device has not spoken of
        self._over = 0.0  # by the host's clock, when the last of them is over
        self._asker: threading.Thread | None = None
        if device.quirks.status:
            self._asker = threading.Thread(target=self._ask, name=f"{self._name}-status", daemon=True)
            self._asker.start()

    def send(self, codes: NDArray[np.int16], at: int | None, over: float, deadline: float) -> None:
        """Write one burst.

        Args:
            codes: int16 [channel, n, 2].
            at: device sample of the first; None = at once.
            over: when it has been played, about, by `time.monotonic`.
            deadline: when it must have been taken, by `time.monotonic`.

        Raises:
            RadioTimeoutError: the device did not take it in time.
            RadioError: the stream broke.
        """
        soapy, h, quirks = self._device.soapy, self._device.handle, self._device.quirks
        if not self._active:
            code = h.activateStream(self._stream)
            if code not in (0, None):
                raise RadioError(f"radio '{self._name}': activateStream failed: {soapy.errToStr(code)}")
            self._active = True
        rows = self._padded(codes)
        n, done = len(rows[0]), 0
        time_ns = 0 if at is None else self._device.time_of(at)
        if at is not None:
            self._bursts.append((at, codes.shape[1]))
        if self._asker is not None and quirks.acknowledges:
            with self._heard:
                self._unheard, self._over = self._unheard + 1, max(over, self._over)
        while done < n:
            if time.monotonic() > deadline:
                raise RadioTimeoutError(
                    f"radio '{self._name}': the device took {done} of {n} samples before the deadline", radio=self._name
                )
            if self._device.worker.cancelled.is_set():
                raise RadioError(f"radio '{self._name}': transmitting was cancelled")
            size = min(self._mtu, n - done)
            flags = int(soapy.SOAPY_SDR_HAS_TIME) if at is not None and done == 0 else 0
            if quirks.burst_flags and done + size == n:
                flags |= int(soapy.SOAPY_SDR_END_BURST)
            part = stream_rows([row[done:] for row in rows], self._form, size, written=False)
            got = h.writeStream(self._stream, part, size, flags, time_ns, int(_POLL_S * 1e6))
            if got.ret > 0:
                done += got.ret
            elif got.ret in (soapy.SOAPY_SDR_UNDERFLOW, soapy.SOAPY_SDR_TIME_ERROR):
                self._note(got.ret, got.flags, time_ns)
                if got.ret == soapy.SOAPY_SDR_TIME_ERROR and done == 0:
                    return
            elif got.ret not in (0, soapy.SOAPY_SDR_TIMEOUT):
                self._active = False
                self._device.failed = True
                raise ConnectionLostError(
                    f"radio '{self._name}': the transmit stream broke: {soapy.errToStr(got.ret)}", radio=self._name
                )

    def settle(self) -> None:
        """Wait until the device has spoken of every burst, as long as it may need to."""
        with self._heard:
            self._heard.wait_for(lambda: self._unheard == 0 or self._deaf, max(0.0, self._over + _SETTLE_S - time.monotonic()))
            self._unheard = 0

    @property
    def _deaf(self) -> bool:
        return self._asker is None or not self._asker.is_alive()

    def events(self) -> list[Loss]:
        """What was reported since the last call."""
        out = []
        while self._events:
            out.append(self._events.popleft())
        return out

    def stop(self) -> None:
        """Silence: what has not left the antenna does not leave it."""
        if self._active:
            self._active = False
            self._device.handle.deactivateStream(self._stream)
            with self._heard:
                self._unheard = 0

    def close(self) -> None:
        """Silence, and give the stream back."""
        self._ending.set()
        if self._asker is not None:
            self._asker.join(4 * _POLL_S + 1.0)
        if self._stream is not None:
            try:
                self.stop()
            finally:
                stream, self._stream = self._stream, None
                self._device.handle.closeStream(stream)

    def _padded(self, codes: NDArray[np.int16]) -> list[NDArray[Any]]:
        """Rows for the library, with the zeros that the driver needs."""
        n = codes.shape[1] + self._device.quirks.zeros_after_burst
        if self._device.quirks.whole_buffers:
            n = -(-n // self._mtu) * self._mtu
        full = np.zeros((codes.shape[0], n, 2), np.int16)
        full[:, : codes.shape[1]] = codes
        block = full if self._form == "CS16" else from_int16(full, self._full_scale)
        return [np.ascontiguousarray(row) for row in block]

    def _ask(self) -> None:
        soapy, stream = self._device.soapy, self._stream
        h = self._device.handle
        while not self._ending.is_set():
            try:
                got = h.readStreamStatus(stream, int(_POLL_S * 1e6))
            except RuntimeError:
                return
            if got.ret == soapy.SOAPY_SDR_TIMEOUT:
                continue
            if got.ret in (soapy.SOAPY_SDR_NOT_SUPPORTED, soapy.SOAPY_SDR_STREAM_ERROR):
                return
            self._note(got.ret, got.flags, got.timeNs)

    def _note(self, code: int, flags: int, time_ns: int) -> None:
        soapy = self._device.soapy
        kinds: dict[int, EventKind] = {
            soapy.SOAPY_SDR_UNDERFLOW: "underflow",
            soapy.SOAPY_SDR_TIME_ERROR: "late" if self._device.quirks.time_error == "late" else "gap",
        }
        if code in kinds:
            self._keep(kinds[code], code, flags, time_ns)
        if code == soapy.SOAPY_SDR_TIME_ERROR or (code == 0 and flags & soapy.SOAPY_SDR_END_BURST):
            with self._heard:
                self._unheard = max(self._unheard - 1, 0)
                self._heard.notify_all()

    def _keep(self, kind: EventKind, code: int, flags: int, time_ns: int) -> None:
        soapy = self._device.soapy
        position = self._device.sample_at(time_ns) if flags & soapy.SOAPY_SDR_HAS_TIME else -1
        count = 1  # at least: nobody says how many
        for start, n in list(self._bursts):
            if code == soapy.SOAPY_SDR_TIME_ERROR and start == position:
                count = n
        self._events.append(Loss(kind=kind, position=position, count=count))
