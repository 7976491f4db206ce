"""One time on all radios of a session: those that follow one pulse per second know of each other, whoever made them."""

from __future__ import annotations

from typing import Any, Protocol

__all__ = ["Pulsed", "pulsed_radios"]


class Pulsed(Protocol):
    """A radio whose time is set at the pulses of its time source."""

    name: str

    def pulse(self, timeout_s: float = ...) -> int:
        """Wait for a pulse, and return the radio's full seconds at it."""


def pulsed_radios(shared: dict[str, Any]) -> dict[str, Pulsed]:
    """The session's radios whose time has been set at a pulse, by name; `shared` as in `Radio.open`."""
    radios: dict[str, Pulsed] = shared.setdefault("pulsed", {})
    return radios
