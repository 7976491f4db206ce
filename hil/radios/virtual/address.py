"""When a radio may be called virtual: only what cannot have an antenna is exempt from the limits."""

from __future__ import annotations

from hil.radios.bench import RadioConfig

__all__ = ["is_loopback", "proven_virtual", "serial_of"]


def is_loopback(host: str) -> bool:
    """Whether an address is in 127.0.0.0/8."""
    parts = host.split(".")
    return len(parts) == 4 and parts[0] == "127" and all(part.isdigit() and int(part) < 256 for part in parts)


def serial_of(name: str, config: RadioConfig) -> str | None:
    """The serial number that `hil air` gives a virtual radio (at most 9 characters fit a USRP's EEPROM); None = not virtual."""
    if config.virtual is None:
        return None
    return config.virtual.serial or f"hil-{name}"


def proven_virtual(name: str, config: RadioConfig, host: str, serial: str) -> bool:
    """Whether an opened device is surely a virtual one, for `RadioInfo.virtual`.

    All of it must hold: the bench says that the radio is virtual, its address is loopback, and the device answers with the
    serial number that `hil air` gives it (or its first 8 or 9 characters).

    Args:
        name: of the radio in the bench.
        config: its entry there.
        host: address at which it was opened.
        serial: as read from the device.
    """
    expected = serial_of(name, config)
    return expected is not None and is_loopback(host) and len(serial) >= 3 and serial in (expected, expected[:9], expected[:8])
