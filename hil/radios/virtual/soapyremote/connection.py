"""One client's connection: remote procedures in, answers out, and the streams that it has set up."""

from __future__ import annotations

import contextlib
import socket
import struct
from collections.abc import Callable

from hil.radios.virtual.radio import Side
from hil.radios.virtual.server import Sockets
from hil.radios.virtual.soapyremote.calls import CALLS, DRIVER_KEY, HARDWARE_KEY
from hil.radios.virtual.soapyremote.device import DeviceError, SoapyDevice
from hil.radios.virtual.soapyremote.rx import RxStream
from hil.radios.virtual.soapyremote.stream import Outbox, Shape
from hil.radios.virtual.soapyremote.tx import TxStream
from hil.radios.virtual.soapyremote.wire import (
    HEADER_BYTES,
    Reader,
    WireError,
    exception,
    i32,
    kwargs_list,
    message,
    message_length,
    text,
    void,
)  # fmt: skip

__all__ = ["Connection"]

_READ = 1 << 16
_MOST_REPLY = 1 << 18
_MOST_STREAMS = 8
_SETUP_S = 5.0
_DEFAULT_MTU = 4096


class _Setup:
    """A stream that waits for its two connections."""

    def __init__(self, side: Side, shape: Shape, listener: socket.socket, deadline: float) -> None:
        self.side, self.shape, self.listener, self.deadline = side, shape, listener, deadline
        self.port: int = listener.getsockname()[1]
        self.accepted: list[socket.socket] = []


class Connection:
    """A client on an RPC socket.

    Args:
        device: that it drives.
        sock: accepted.
        sockets: that watch everything.
        taken: the channels that streams of any client use.
        streaming: whether a stream of any client is active.
        server_id: what tells servers apart.
        clock: a monotonic clock, s.
        ended: called once, when the client is gone.
    """

    def __init__(
        self,
        device: SoapyDevice,
        sock: socket.socket,
        sockets: Sockets,
        *,
        taken: set[tuple[Side, int]],
        streaming: Callable[[], bool],
        server_id: str,
        clock: Callable[[], float],
        ended: Callable[[Connection], None],
    ) -> None:
        self._device, self._sock, self._sockets = device, sock, sockets
        self._taken, self._streaming, self._server_id, self._clock, self._ended = taken, streaming, server_id, clock, ended
        self._inbox = bytearray()
        self._outbox = Outbox(sock, sockets)
        self._open = True
        self._hanging_up = self._slow = False
        self._setup: _Setup | None = None
        self._next_id = 0
        self.streams: dict[int, RxStream | TxStream] = {}
        self._wires: dict[int, tuple[Side, Shape, socket.socket, socket.socket]] = {}
        self.peer = "{}:{}".format(*sock.getpeername()[:2])
        sockets.add(sock, self._ready)

    def tick(self) -> None:
        """Once a step: resume what a slow host has left, give up what has waited too long."""
        if self._device.radio.faults.active("slow"):
            self._slow = True
            return
        if self._setup is not None and self._clock() > self._setup.deadline:
            self.close()
        elif self._slow:
            self._slow = False
            self._sockets.want(self._sock)
            for _, _, sock, status in self._wires.values():
                self._sockets.want(sock)
                self._sockets.want(status)
            self._serve()

    def close(self, *, reset: bool = False) -> None:
        """Silence its transmitters and let go of it; with `reset` as a network does that fails, without a farewell."""
        if not self._open:
            return
        self._open = False
        for number in list(self.streams):
            self._close_stream(number, reset=reset)
        self._drop_setup()
        _linger(self._sock, reset)
        self._sockets.remove(self._sock)
        self._ended(self)

    # messages

    def _ready(self, _mask: int) -> None:
        if self._device.radio.faults.active("slow"):
            self._sockets.want(self._sock, read=False)
            return
        try:
            data = self._sock.recv(_READ)
            if not data:
                self.close()
                return
            self._inbox += data
        except BlockingIOError:
            pass
        except OSError:
            self.close()
            return
        self._serve()

    def _serve(self) -> None:
        try:
            while self._open and self._setup is None and len(self._inbox) >= HEADER_BYTES:
                length = message_length(self._inbox)
                if len(self._inbox) < length:
                    break
                whole = bytes(self._inbox[:length])
                del self._inbox[:length]
                self._device.radio.counters["messages"] += 1
                self._reply(self._answer(Reader(whole)))
            if self._open:
                if self._setup is not None and len(self._inbox) > _READ:
                    raise WireError("a client must wait for its stream")
                self._outbox.flush()
                if self._outbox.waiting > _MOST_REPLY:
                    raise WireError("a client must read its answers")
                if self._hanging_up and self._outbox.idle:
                    self.close()
        except (OSError, WireError):
            self.close()

    def _reply(self, payload: bytes | None) -> None:
        if payload is not None and self._open:
            self._outbox.put(message(payload))

    def _answer(self, reader: Reader) -> bytes | None:
        try:
            call = reader.call()
            if call in CALLS:
                return CALLS[call](self._device, reader)
            if call in (300, 301, 302, 303, 900):
                return self._stream_call(call, reader)
            return self._session(call, reader)
        except (DeviceError, WireError, OSError) as err:
            return exception(str(err))
        except (OverflowError, ValueError, struct.error):
            return exception("a value is out of range")

    def _session(self, call: int, reader: Reader) -> bytes:
        if call == 0:
            radio = self._device.radio
            found = {"driver": DRIVER_KEY, "label": f"{HARDWARE_KEY} {radio.name}", "serial": radio.serial}
            wanted = reader.kwargs()
            fits = all(wanted.get(key, value) == value for key, value in found.items())
            return kwargs_list([found] if fits else [])
        if call == 3:
            self._hanging_up = True
        if call == 20:
            return text(self._server_id)
        if call in (1, 2, 3, 21, 22):
            return void()
        return exception(f"call {call} is not supported by a virtual Soapy device")

    # streams

    def _stream_call(self, call: int, reader: Reader) -> bytes | None:
        if call == 300:
            return self._begin_setup(reader)
        if call == 900:
            side, channel = ("tx", "rx")[reader.char() & 1], reader.i32()
            self._device.check("tx" if side == "tx" else "rx", channel)
            rate = self._device.rate_ranges()[0].nearest(reader.f64())
            if rate != self._device.radio.sample_rate_hz and self._streaming():
                raise DeviceError("the sample rate of both directions is one: deactivate all streams to change it")
            self._device.set_rate(rate)
            return void()
        number = reader.i32()
        if number not in self.streams:
            raise DeviceError(f"no stream {number}")
        if call == 301:
            self._close_stream(number)
            return void()
        flags, time_ns = reader.i32(), reader.i64()
        stream = self.streams[number]
        if call == 303:
            stream.deactivate()
        elif isinstance(stream, RxStream):
            stream.activate(flags, time_ns, reader.i32())
        else:
            stream.activate()
        return i32(0)

    def _begin_setup(self, reader: Reader) -> bytes:
        code, form, channels, args = reader.char(), reader.text(), tuple(reader.sizes()), reader.kwargs()
        side: Side = "tx" if code == 0 else "rx"
        if args.get("remote:prot", "udp") != "tcp":
            raise DeviceError("a virtual Soapy device streams over TCP only: give the stream argument remote:prot=tcp")
        try:
            mtu = int(float(args.get("remote:mtu", _DEFAULT_MTU)))
        except (ValueError, OverflowError) as err:
            raise DeviceError("remote:mtu must be a number of bytes") from err
        radio = self._device.radio
        full_scale = radio.tx_full_scale if side == "tx" else radio.rx_full_scale
        seats = [self._device.check(side, channel) for channel in channels[:64]]
        shape = Shape(channels=channels, format=form, mtu=mtu, full_scale=full_scale)
        if self._taken.intersection(seats) or len(self.streams) >= _MOST_STREAMS:
            raise DeviceError(f"{side} channels {list(channels)} are in use by a stream")
        listener = socket.create_server((self._sock.getsockname()[0], 0), backlog=2)
        self._setup = _Setup(side, shape, listener, self._clock() + _SETUP_S)
        self._sockets.add(listener, self._accept)
        return text(str(self._setup.port))

    def _accept(self, _mask: int) -> None:
        setup = self._setup
        if setup is None:
            return
        try:
            setup.accepted.append(setup.listener.accept()[0])
        except OSError:
            return
        if len(setup.accepted) < 2:
            return
        sock, status = setup.accepted
        setup.accepted = []
        self._drop_setup()
        number, self._next_id = self._next_id, self._next_id + 1
        for end in (sock, status):
            end.setblocking(False)
            with contextlib.suppress(OSError):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

        def broken() -> None:
            self._close_stream(number)

        self._taken.update((setup.side, channel) for channel in setup.shape.channels)
        self._wires[number] = (setup.side, setup.shape, sock, status)
        self._sockets.add(status, lambda _mask: self._status_ready(number, status))
        self._reply(i32(number) + text(str(setup.port)))
        if setup.side == "rx":
            self.streams[number] = RxStream(self._device, setup.shape, sock, self._sockets, broken)
        else:
            outbox = Outbox(status, self._sockets)
            self.streams[number] = TxStream(self._device, setup.shape, sock, outbox, self._sockets, broken)
        self._serve()

    def _status_ready(self, number: int, status: socket.socket) -> None:
        """A client says nothing here; what it says is not kept."""
        try:
            if status.recv(_READ):
                return
        except BlockingIOError:
            return
        except OSError:
            pass
        self._close_stream(number)

    def _close_stream(self, number: int, *, reset: bool = False) -> None:
        stream = self.streams.pop(number, None)
        if stream is None:
            return
        stream.deactivate()
        side, shape, sock, status = self._wires.pop(number)
        self._taken.difference_update((side, channel) for channel in shape.channels)
        for end in (sock, status):
            _linger(end, reset)
            self._sockets.remove(end)

    def _drop_setup(self) -> None:
        if self._setup is not None:
            for sock in self._setup.accepted:
                sock.close()
            self._sockets.remove(self._setup.listener)
            self._setup = None


def _linger(sock: socket.socket, reset: bool) -> None:
    if reset:
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
