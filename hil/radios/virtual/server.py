"""What a wire protocol implements, and the sockets it does it with."""

from __future__ import annotations

import abc
import contextlib
import selectors
import socket
from collections.abc import Callable, Collection
from typing import Any, ClassVar

from hil.radios.virtual.radio import VirtualRadio

__all__ = ["ProtocolServer", "Sockets"]


class Sockets:
    """Sockets by one selector, for one thread. A callback gets the ready mask (`selectors.EVENT_READ | EVENT_WRITE`).

    A callback must handle the errors of its own connection; what it raises is a bug, and ends the air unless `guarded`.
    """

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._aside: dict[socket.socket, Callable[[int], None]] = {}

    def guarded(self, guard: Callable[[Callable[[], None]], None]) -> Sockets:
        """The same sockets for one user, whose callbacks are called by `guard`."""
        return _Guarded(self, guard)

    def add(self, sock: socket.socket, callback: Callable[[int], None], *, write: bool = False) -> None:
        """Watch a socket (made non-blocking here) for reading, and for writing where asked."""
        sock.setblocking(False)
        self._selector.register(sock, selectors.EVENT_READ | (selectors.EVENT_WRITE if write else 0), callback)

    def want(self, sock: socket.socket, *, read: bool = True, write: bool = False) -> None:
        """Change what a socket is watched for; with neither it is set aside until asked for again."""
        if sock.fileno() < 0:
            return
        events = (selectors.EVENT_READ if read else 0) | (selectors.EVENT_WRITE if write else 0)
        watched = self._selector.get_map().get(sock)
        if watched is None:
            callback = self._aside.pop(sock, None)
            if callback is not None and events:
                self._selector.register(sock, events, callback)
            elif callback is not None:
                self._aside[sock] = callback
        elif events:
            if watched.events != events:
                self._selector.modify(sock, events, watched.data)
        else:
            self._aside[sock] = watched.data
            self._selector.unregister(sock)

    def remove(self, sock: socket.socket) -> None:
        """Stop watching, and close."""
        self._aside.pop(sock, None)
        with contextlib.suppress(KeyError, ValueError):
            self._selector.unregister(sock)
        with contextlib.suppress(OSError):
            sock.close()

    def serve(self, timeout_s: float) -> int:
        """Call back what is ready, waiting at most so long; how many were."""
        ready = self._selector.select(timeout_s)
        for key, mask in ready:
            open_still = isinstance(key.fileobj, socket.socket) and key.fileobj.fileno() >= 0
            current = self._selector.get_map().get(key.fileobj) if open_still else None
            if current is not None and current.data is key.data:  # else removed by a callback before it
                key.data(mask)
        return len(ready)

    def close(self) -> None:
        """Close every socket."""
        for key in list(self._selector.get_map().values()):
            if isinstance(key.fileobj, socket.socket):
                self.remove(key.fileobj)
        for sock in list(self._aside):
            self.remove(sock)
        self._selector.close()


class _Guarded(Sockets):
    """See `Sockets.guarded`."""

    def __init__(self, sockets: Sockets, guard: Callable[[Callable[[], None]], None]) -> None:
        self._selector, self._aside, self._guard = sockets._selector, sockets._aside, guard

    def add(self, sock: socket.socket, callback: Callable[[int], None], *, write: bool = False) -> None:
        super().add(sock, lambda mask: self._guard(lambda: callback(mask)), write=write)


class ProtocolServer(abc.ABC):
    """One virtual radio in its vendor's protocol. Everything runs on the air's one thread and must not block.

    Between two steps of air time, socket callbacks run whenever something arrives: they parse, answer, and put samples into
    the server's own bounded queues. In each step, the world calls

    1. `play` of every server: the DAC has come to `radio.played`. Hand every sample of the host that falls before it to
       `radio.transmit(channel, tick, codes)`; where the queue ran dry in a burst count an underflow. (A whole timed burst may
       also be handed over as soon as it is there: `start` ≥ `radio.tick()` when it arrives, else it is late.)
    2. `capture` of every server: `radio.receivable` has moved on. Take the new samples with `radio.receive` if the host's
       stream runs, and send or queue them; what has no room is lost: `radio.count("lost", tick, n)`, and reported as
       the protocol reports an overflow.

    Malformed input must be answered or dropped, never raise, and never be stored without a bound. Where it raises all the same,
    the world counts `internal`, prints the traceback and calls `reset`: one radio starts anew, the air goes on. Faults: ask
    `radio.faults.take("drop" | "overflow" | "underflow" | "late" | "disconnect")` where the fault would act, and
    `radio.faults.active("unlock" | "slow")`; `slow` means: neither read from nor write to the client while it lasts.
    """

    steppable: ClassVar[bool] = False
    """Whether clients need air time for finite receptions alone: with `pace = "stepped"` there is no other."""

    def __init__(self, radio: VirtualRadio, sockets: Sockets) -> None:
        self.radio, self.sockets = radio, sockets

    @classmethod
    @abc.abstractmethod
    def client_options(cls, host: str, port: int) -> dict[str, Any]:
        """The driver's options (`RadioConfig.options`) with which our own driver reaches a server at host and port."""

    @classmethod
    def free_place(cls, taken: Collection[tuple[str, int]]) -> tuple[str, int]:
        """A loopback host and port on which a server can listen, and which is none of `taken`: any free TCP port.

        A protocol whose ports are fixed takes an address of its own instead, with port 0.

        Raises:
            RadioError: there is none.
        """
        while True:
            with socket.create_server(("127.0.0.1", 0)) as probe:
                host, port = probe.getsockname()
            if (host, port) not in taken:
                return host, port

    @abc.abstractmethod
    def listen(self, host: str, port: int) -> None:
        """Bind the sockets. Called once, before the air starts.

        Raises:
            OSError: an address is taken or not ours.
        """

    @abc.abstractmethod
    def play(self) -> None:
        """The DAC has come to `radio.played`; see the class."""

    @abc.abstractmethod
    def capture(self) -> None:
        """Samples before `radio.receivable` can be received; see the class."""

    def waiting(self) -> bool:
        """Whether a client waits for air time, and for nothing else: a finite reception.

        Bursts do not count: while one waits for its time, those of other radios are still to come.
        With `pace = "free"` the air then runs ahead of the wall clock. Never true for an endless stream.
        """
        return False

    @abc.abstractmethod
    def reset(self) -> None:
        """Drop every client and everything queued, as after a power cycle: a bug has raised in this server."""

    @abc.abstractmethod
    def close(self) -> None:
        """Drop every client; the sockets are closed by `Sockets.close`."""
