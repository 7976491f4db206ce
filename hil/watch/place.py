"""Where the page is served, and who may see it."""

from __future__ import annotations

import secrets
import socket
from dataclasses import dataclass

__all__ = ["LOOPBACK", "Place"]

LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where the page is served, and who may see it.

    Attributes:
        address: to listen at; port: 0 = any that is free.
        token: every page and stream must name it; None: whoever reaches the address may look.
    """

    address: str = "127.0.0.1"
    port: int = 0
    token: str | None = None

    @classmethod
    def at(cls, address: str, port: int) -> Place:
        """Loopback is open to this machine; any other address asks for a token, made anew."""
        return cls(address=address, port=port, token=None if address in LOOPBACK else secrets.token_urlsafe(18))

    def url(self, port: int) -> str:
        """What to open in a browser; the token is in it."""
        host = f"[{self.address}]" if ":" in self.address else self.address
        if self.address in ("0.0.0.0", "::"):
            host = socket.gethostname()
        return f"http://{host}:{port}/" + (f"?token={self.token}" if self.token else "")
