"""What vendors' sensors say, as plain values: which of them are asked, and how their words are read."""

from __future__ import annotations

from hil.radios.contract import SensorValue

__all__ = ["asked_for", "sensor_value"]

_WANTED = ("locked", "temp")


def asked_for(name: str) -> bool:
    """Whether a sensor tells a lock or a temperature. Others are left alone: some take seconds, as a GPS receiver's do."""
    return any(part in name.lower() for part in _WANTED)


def sensor_value(text: str) -> SensorValue:
    """A sensor's word: "true" and "false" are truth values, numbers are numbers, and anything else stays as it is."""
    word = text.strip("\0 \n")
    if word.lower() in ("true", "false"):
        return word.lower() == "true"
    try:
        return float(word)
    except ValueError:
        return word
