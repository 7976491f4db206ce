"""What can be said of a driver without importing it."""

from __future__ import annotations

from dataclasses import dataclass

from hil.foreign import is_foreign
from hil.registry import DRIVERS, Entry

__all__ = ["DriverEntry", "driver_card", "is_simulated"]


@dataclass(frozen=True, kw_only=True)
class DriverEntry(Entry):
    """A driver's light card.

    Attributes:
        simulated: its radios live in this process, on a simulated air; their options are a `SimRadioConfig`.
        server: ``"module:attribute"`` of the `hil.radios.virtual` server that stands in for its devices, or "".
        check: ``"module:function"`` that returns the list of `hil.radios.check.Check` of what the driver needs here, the
            vendor's library first; or "".
        usb: (vendor id, product id, what it is) of devices that can be told on USB, ids as four hexadecimal digits.
        udev: words in the names of the vendor's udev rules.
        killed: what its devices still send when the process is killed and no handler runs; "" = nothing.
    """

    simulated: bool = False
    server: str = ""
    check: str = ""
    usb: tuple[tuple[str, str, str], ...] = ()
    udev: tuple[str, ...] = ()
    killed: str = ""


def driver_card(name: str) -> DriverEntry:
    """The card of a driver; one from elsewhere (an entry point, ``path.py:Class``) has no more than its name and target.

    Raises:
        ConfigError: no driver of that name.
    """
    if is_foreign(name):
        return DriverEntry(name=name, target=name)
    entry = DRIVERS.entry(name)
    return entry if isinstance(entry, DriverEntry) else DriverEntry(name=entry.name, target=entry.target)


def is_simulated(name: str) -> bool:
    """Whether a driver's radios live in this process; False for a driver that is not known here, as in a capture of others."""
    entry = DRIVERS.builtin.get(DRIVERS.resolve(name))
    return isinstance(entry, DriverEntry) and entry.simulated
