"""The virtual Soapy device: one radio of the air as a SoapyRemote server on TCP, for SoapySDR's own `remote` driver."""

from __future__ import annotations

import socket
import time
import uuid
from typing import Any

from hil.radios.virtual.radio import Side, VirtualRadio
from hil.radios.virtual.server import ProtocolServer, Sockets
from hil.radios.virtual.soapyremote.connection import Connection
from hil.radios.virtual.soapyremote.device import SoapyDevice
from hil.radios.virtual.soapyremote.rx import RxStream
from hil.radios.virtual.soapyremote.tx import TxStream

__all__ = ["DEFAULT_PORT", "SoapyRemoteServer"]

DEFAULT_PORT = 55132
_MOST_CLIENTS = 16


class SoapyRemoteServer(ProtocolServer):
    """Serves one radio; see docs/virtual-soapy.md for what it does and does not.

    Several clients may ask and set; a channel streams to one at a time. A transmitter is silenced when its stream, or the
    connection that set it up, ends in any way.
    """

    steppable = True

    def __init__(self, radio: VirtualRadio, sockets: Sockets) -> None:
        super().__init__(radio, sockets)
        self.device = SoapyDevice(radio)
        self._id = str(uuid.uuid4())
        self._connections: list[Connection] = []
        self._taken: set[tuple[Side, int]] = set()
        self._listener: socket.socket | None = None

    @classmethod
    def client_options(cls, host: str, port: int) -> dict[str, Any]:
        """The driver's options that lead to a server."""
        return {"args": {"driver": "remote", "remote": f"tcp://{host}:{port or DEFAULT_PORT}"}}

    def listen(self, host: str, port: int) -> None:
        """Take connections on `port`, SoapyRemote's own where 0."""
        self._listener = socket.create_server((host, port or DEFAULT_PORT))
        self.sockets.add(self._listener, self._accept)

    def play(self) -> None:
        """Hand over what the DACs come to; cut connections where a fault says so."""
        if self._connections and self.radio.faults.take("disconnect"):
            for connection in list(self._connections):
                connection.close(reset=True)
        for connection in list(self._connections):
            connection.tick()
        for stream in self._streams():
            if isinstance(stream, TxStream):
                stream.play()

    def capture(self) -> None:
        """Send what can be received now."""
        for stream in self._streams():
            if isinstance(stream, RxStream):
                stream.capture()

    def waiting(self) -> bool:
        """Whether somebody waits for a finite reception, and nobody for anything else."""
        streams = self._streams()
        receivers = [stream for stream in streams if isinstance(stream, RxStream)]
        busy = any(stream.endless for stream in receivers)
        busy |= any(stream.open_burst for stream in streams if isinstance(stream, TxStream))
        return not busy and any(stream.waits for stream in receivers)

    def reset(self) -> None:
        """Drop every client and everything queued, as after a power cycle; called when a bug has raised inside this server."""
        for connection in list(self._connections):
            connection.close(reset=True)
        self._connections.clear()  # should one of them have failed while it closed
        self._taken.clear()
        self._note()
        self.radio.set_rate(self.radio.world.sample_rate_hz)
        self.device = SoapyDevice(self.radio)

    def close(self) -> None:
        """Drop every client."""
        for connection in list(self._connections):
            connection.close()

    def _streams(self) -> list[RxStream | TxStream]:
        return [stream for connection in self._connections for stream in connection.streams.values()]

    def _streaming(self) -> bool:
        return any(stream.active for stream in self._streams())

    def _accept(self, _mask: int) -> None:
        if self._listener is None:
            return
        try:
            sock, _ = self._listener.accept()
        except OSError:
            return
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if len(self._connections) >= _MOST_CLIENTS:
                sock.close()
                return
            connection = Connection(
                self.device,
                sock,
                self.sockets,
                taken=self._taken,
                streaming=self._streaming,
                server_id=self._id,
                clock=time.monotonic,
                ended=self._ended,
            )
        except OSError:  # gone already
            sock.close()
            return
        self._connections.append(connection)
        self._note()

    def _ended(self, connection: Connection) -> None:
        self._connections.remove(connection)
        self._note()

    def _note(self) -> None:
        self.radio.clients[:] = [connection.peer for connection in self._connections]
