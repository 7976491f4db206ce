"""A virtual ADALM-Pluto: IIOD over TCP, as libiio 0.x speaks it. The facts are in docs/virtual-pluto.md."""

from __future__ import annotations

import contextlib
import socket
from typing import Any

from hil.radios.virtual.iiod.connection import Connection
from hil.radios.virtual.iiod.context import context_xml
from hil.radios.virtual.iiod.state import RX, TX, PlutoState
from hil.radios.virtual.iiod.stream import DigitalLoop, RxStream, TxStream, dds_tones
from hil.radios.virtual.radio import VirtualRadio
from hil.radios.virtual.server import ProtocolServer, Sockets

__all__ = ["IiodServer"]

_PORT = 30431
_MOST_CLIENTS = 32
_LOOP_KEPT = 8_000_000
_BUFFERS = 4
_MOST_BUFFERS = 64


class IiodServer(ProtocolServer):
    """One Pluto. Buffers belong to the connection that opened them; attributes and registers are the device's."""

    def __init__(self, radio: VirtualRadio, sockets: Sockets) -> None:
        super().__init__(radio, sockets)
        self.state = PlutoState(radio, self._rate_changed)
        self.loop = DigitalLoop(_LOOP_KEPT)
        self.xml = context_xml(self.state.devices, radio).encode()
        self.buffers = {RX: _BUFFERS, TX: _BUFFERS}
        self.rx: RxStream | None = None
        self.tx: TxStream | None = None
        self.owner: dict[str, Connection] = {}
        self.connections: list[Connection] = []
        self._listener: socket.socket | None = None
        self._slow = False
        self._tone_at = 0

    @classmethod
    def client_options(cls, host: str, port: int) -> dict[str, Any]:
        """`uri` of the Pluto driver."""
        return {"uri": f"ip:{host}:{port}"}

    def listen(self, host: str, port: int) -> None:
        """Bind the IIOD port."""
        self._listener = socket.create_server((host, port or _PORT), backlog=16)
        self.sockets.add(self._listener, self._accept)

    def play(self) -> None:
        """DAC: the transmit buffer, or the DDS."""
        if self.tx is not None:
            self.tx.play()
            self._tone_at = self.radio.played
            return
        start = max(self._tone_at, self.radio.played - 1_000_000)
        n = self.radio.played - start
        codes = dds_tones(self.state, start, n) if n > 0 else None
        if codes is not None:
            self.radio.transmit(0, start, codes)
            self.loop.record(start, codes)
        self._tone_at = self.radio.played

    def capture(self) -> None:
        """ADC: the receive buffer; then whoever waits for a buffer of either kind."""
        if self.rx is not None:
            self.rx.capture()
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

    def open_stream(self, device: str, samples: int, columns: tuple[int, ...], cyclic: bool, owner: Connection) -> int:
        """Open a device's buffer for a connection; 0 or a negative errno (−16: another one has it)."""
        if self.owner.get(device, owner) is not owner:
            return -16
        if samples * 2 * len(columns) * self.buffers[device] > 1 << 28:
            return -12
        self.close_stream(device)  # the same connection opens it anew
        if device == RX:
            self.rx = RxStream(self.radio, self.state, self.loop, samples, columns, self.buffers[RX])
        else:
            self.tx = TxStream(self.radio, self.state, self.loop, samples, columns, cyclic, self.buffers[TX])
        self.owner[device] = owner
        return 0

    def close_stream(self, device: str) -> None:
        """Close a device's buffer: the DAC goes back to its DDS."""
        self.owner.pop(device, None)
        if device == RX:
            self.rx = None
        elif self.tx is not None:
            self.tx = None
            self.radio.silence(0)
            self._tone_at = self.radio.played

    def set_buffers(self, device: str, count: int) -> int:
        """Number of kernel buffers for the next OPEN; 0 or a negative errno."""
        if not 1 <= count <= _MOST_BUFFERS:
            return -22
        self.buffers[device] = count
        return 0

    def drop(self, connection: Connection) -> None:
        """Forget a connection; its buffers are closed."""
        if connection not in self.connections:
            return
        self.connections.remove(connection)
        for device in [device for device, owner in self.owner.items() if owner is connection]:
            self.close_stream(device)
        self.radio.clients.remove(connection.peer)
        self.sockets.remove(connection.sock)
        self.radio.world.truth.note("disconnect", self.radio.name, self.radio.world.clock.now, client=connection.peer)

    def reset(self) -> None:
        """Drop every client and everything queued, and forget every attribute, as after a power cycle; rate and LOs stay.

        Called when a bug has raised inside this server: what it raised on must not be there any more.
        """
        for connection in list(self.connections):
            self.drop(connection)
        for device in (RX, TX):
            self.close_stream(device)
        self.loop.clear()
        self.buffers = {RX: _BUFFERS, TX: _BUFFERS}
        self.state = PlutoState(self.radio, self._rate_changed)
        self._tone_at = self.radio.played  # where `play` raised, the tones of this step are lost

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
        connection = Connection(self, sock, f"{peer[0]}:{peer[1]}")
        self.connections.append(connection)
        self.radio.clients.append(connection.peer)
        self.sockets.add(sock, connection.ready)
        self.radio.world.truth.note("connect", self.radio.name, self.radio.world.clock.now, client=connection.peer)

    def _rate_changed(self) -> None:
        """All ticks are renumbered: what is open starts anew."""
        self.loop.clear()
        self._tone_at = self.radio.played
        if self.rx is not None:
            self.rx = RxStream(self.radio, self.state, self.loop, self.rx.samples, self.rx.columns, self.rx.count)
        if self.tx is not None:
            old = self.tx
            self.tx = TxStream(self.radio, self.state, self.loop, old.samples, old.columns, old.cyclic, old.count)
