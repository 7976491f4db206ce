"""A virtual ADALM-Pluto: IIOD over TCP, as libiio 0.x speaks it. The facts are in docs/virtual-pluto.md."""

from __future__ import annotations

import contextlib
import socket
from typing import Any

from hil.radios.virtual.iiod.commands import Commands
from hil.radios.virtual.iiod.connection import Connection
from hil.radios.virtual.iiod.pluto import Pluto
from hil.radios.virtual.radio import VirtualRadio
from hil.radios.virtual.server import ProtocolServer, Sockets

__all__ = ["IiodServer"]

_PORT = 30431
_MOST_CLIENTS = 32


class IiodServer(ProtocolServer):
    """One Pluto and its clients."""

    def __init__(self, radio: VirtualRadio, sockets: Sockets) -> None:
        super().__init__(radio, sockets)
        self.pluto = Pluto(radio)
        self.connections: list[Connection] = []
        self._listener: socket.socket | None = None
        self._slow = False

    @classmethod
    def client_options(cls, host: str, port: int) -> dict[str, Any]:
        """`uri` of the driver."""
        return {"uri": f"ip:{host}:{port}"}

    def listen(self, host: str, port: int) -> None:
        """Bind the IIOD port."""
        self._listener = socket.create_server((host, port or _PORT), backlog=16)
        self.sockets.add(self._listener, self._accept)

    def play(self) -> None:
        """DAC: the transmit buffer, or the DDS."""
        self.pluto.play()

    def capture(self) -> None:
        """ADC: the receive buffer; then whoever waits for a buffer of either kind."""
        self.pluto.capture()
        if self.connections and self.radio.faults.take("disconnect") is not None:
            for connection in list(self.connections):
                self.drop(connection)
        slow = self.radio.faults.active("slow")
        if slow != self._slow:
            self._slow = slow
        for connection in list(self.connections):
            connection.set_aside(slow)
            if not slow:
                connection.proceed()

    def waiting(self) -> bool:
        """Never: a Pluto's streams have no end."""
        return False

    def drop(self, connection: Connection) -> None:
        """Forget a connection; its buffers are closed."""
        if connection not in self.connections:
            return
        self.connections.remove(connection)
        self.pluto.disown(connection)
        self.radio.clients.remove(connection.peer)
        self.sockets.remove(connection.sock)
        self.radio.world.truth.note("disconnect", self.radio.name, self.radio.world.clock.now, client=connection.peer)

    def reset(self) -> None:
        """Drop every client and everything queued, and forget every attribute, as after a power cycle; rate and LOs stay.

        Called when a bug has raised inside this server: what it raised on must not be there any more.
        """
        self.close()
        self.pluto.reset()

    def close(self) -> None:
        """Drop every client."""
        for connection in list(self.connections):
            self.drop(connection)

    def _accept(self, _mask: int) -> None:
        if self._listener is None:
            return
        try:
            sock, peer = self._listener.accept()
        except OSError:
            return
        if len(self.connections) >= _MOST_CLIENTS:
            sock.close()
            return
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection = Connection(sock, f"{peer[0]}:{peer[1]}", self.sockets, self.drop)
        connection.execute = Commands(connection, self.pluto).execute
        self.connections.append(connection)
        self.radio.clients.append(connection.peer)
        self.sockets.add(sock, connection.ready)
        self.radio.world.truth.note("connect", self.radio.name, self.radio.world.clock.now, client=connection.peer)
