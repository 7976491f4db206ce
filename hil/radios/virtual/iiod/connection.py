"""One IIOD connection: commands in, replies out, as a state machine that never blocks and never stores without a bound."""

from __future__ import annotations

import selectors
import socket
import time
from collections import deque
from collections.abc import Callable

from hil.radios.virtual.server import Sockets

__all__ = ["Connection"]

_LONGEST_LINE = 4096
_CHUNK = 1 << 18
_OUT_LIMIT = 1 << 20
_MOST_PARTS = 4096  # of what is queued: a part of a few bytes takes far more memory than they do


class Connection:
    """The bytes of one client. `Commands` gives them their meaning through `reply`, `expect` and `wait`.

    Args:
        sock: connected, non-blocking.
        peer: for people.
        sockets: that watch it.
        drop: called once the client is gone.

    Attributes:
        execute: takes one line without its newline; set before anything arrives.
        timeout_s: of a wait, as the client asked; None = for ever.
    """

    execute: Callable[[bytes], None]

    def __init__(self, sock: socket.socket, peer: str, sockets: Sockets, drop: Callable[[Connection], None]) -> None:
        self.sock, self.peer = sock, peer
        self.timeout_s: float | None = None
        self._sockets, self._drop = sockets, drop
        self._in = bytearray()
        self._out: deque[memoryview] = deque()
        self._out_bytes = 0
        self._wanted = 0  # bytes of payload still to come
        self._kept: bytearray | None = None
        self._on_payload: Callable[[bytes], None] | None = None
        self._waiting: Callable[[], bool] | None = None
        self._deadline: float | None = None
        self._ending = False
        self._aside = False

    def reply(self, *parts: bytes | memoryview) -> None:
        """Queue bytes for the client."""
        for part in parts:
            view = memoryview(part).cast("B")
            if len(view):
                self._out.append(view)
                self._out_bytes += len(view)

    def expect(self, n: int, then: Callable[[bytes], None], *, keep: bool = True) -> None:
        """Take the next n bytes as payload and call `then` with them (with nothing where they are not kept)."""
        self._wanted, self._on_payload = n, then
        self._kept = bytearray() if keep else None

    def wait(self, done: Callable[[], bool], expired: Callable[[], None] | None = None, seconds: float | None = None) -> None:
        """Take no further command until `done` is true; after the client's TIMEOUT (or `seconds`) call `expired` instead."""
        limit = seconds if seconds is not None else self.timeout_s

        def step() -> bool:
            if done():
                return True
            if expired is not None and self._deadline is not None and time.monotonic() >= self._deadline:
                expired()
                return True
            return False

        self._deadline = time.monotonic() + limit if limit else None
        self._waiting = step

    def end(self) -> None:
        """Close once everything queued is sent."""
        self._ending = True

    @property
    def congested(self) -> bool:
        """Enough is queued for the client; produce no more for now."""
        return self._out_bytes >= _OUT_LIMIT or len(self._out) >= _MOST_PARTS

    def set_aside(self, aside: bool) -> None:
        """Neither read nor write while `aside`."""
        if aside != self._aside:
            self._aside = aside
            self._watch()

    def ready(self, mask: int) -> None:
        """The selector's callback."""
        try:
            if mask & selectors.EVENT_READ and not self._receive():
                self._drop(self)
                return
            self.proceed()
        except OSError:
            self._drop(self)

    def proceed(self) -> None:
        """Do all that can be done now."""
        try:
            while self._send() and self._advance():
                pass
            if self._ending and not self._out:
                self._drop(self)
            else:
                self._watch()
        except OSError:
            self._drop(self)

    def _watch(self) -> None:
        hungry = not self._ending and self._waiting is None and len(self._in) < _LONGEST_LINE + _CHUNK
        read = not self._aside and (hungry or not self._in)
        self._sockets.want(self.sock, read=read, write=bool(self._out) and not self._aside)

    def _receive(self) -> bool:
        """Read what is there; False = the client is gone."""
        try:
            data = self.sock.recv(_CHUNK)
        except BlockingIOError:
            return True
        self._in += data
        return bool(data)

    def _send(self) -> bool:
        """Send what is queued; False = the client's window is full."""
        while self._out:
            try:
                sent = self.sock.send(self._out[0])
            except BlockingIOError:
                return not self.congested
            self._out_bytes -= sent
            if sent == len(self._out[0]):
                self._out.popleft()
            else:
                self._out[0] = self._out[0][sent:]
        return True

    def _advance(self) -> bool:
        """One step of the conversation; False = nothing to do before something arrives or passes."""
        if self._ending:
            return False
        if self._waiting is not None:
            if not self._waiting():
                return False
            self._waiting = None
            return True
        if self._on_payload is not None:
            return self._take_payload()
        end = self._in.find(b"\n", 0, _LONGEST_LINE)
        if end < 0:
            if len(self._in) >= _LONGEST_LINE:
                self.reply(b"-22\n")
                self._in.clear()
                self.end()
            return False
        line = bytes(self._in[:end])
        del self._in[: end + 1]
        self.execute(line)
        return True

    def _take_payload(self) -> bool:
        taken = min(self._wanted, len(self._in))
        if taken:
            if self._kept is not None:
                self._kept += self._in[:taken]
            del self._in[:taken]
            self._wanted -= taken
        if self._wanted:
            return False
        then, kept = self._on_payload, self._kept
        self._on_payload = self._kept = None
        if then is not None:
            then(bytes(kept or b""))
        return True
