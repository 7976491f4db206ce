"""The devices, channels and attributes of an ADALM-Pluto, as IIOD describes them (XML) and as they behave."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from xml.sax.saxutils import quoteattr

from hil.radios.virtual.radio import VirtualRadio

__all__ = ["ENODEV", "ENOENT", "ENXIO", "ERANGE", "Attribute", "AttributeFailure", "Channel", "Device", "context_xml"]

ENOENT, ENXIO, ENODEV, EINVAL, ERANGE = 2, 6, 19, 22, 34

_DOCTYPE = (
    "<!DOCTYPE context [<!ELEMENT context (device | context-attribute)*>"
    "<!ELEMENT context-attribute EMPTY>"
    "<!ELEMENT device (channel | attribute | debug-attribute | buffer-attribute)*>"
    "<!ELEMENT channel (scan-element?, attribute*)>"
    "<!ELEMENT attribute EMPTY>"
    "<!ELEMENT scan-element EMPTY>"
    "<!ELEMENT debug-attribute EMPTY>"
    "<!ELEMENT buffer-attribute EMPTY>"
    "<!ATTLIST context name CDATA #REQUIRED version-major CDATA #REQUIRED version-minor CDATA #REQUIRED "
    "version-git CDATA #REQUIRED description CDATA #IMPLIED>"
    "<!ATTLIST context-attribute name CDATA #REQUIRED value CDATA #REQUIRED>"
    "<!ATTLIST device id CDATA #REQUIRED name CDATA #IMPLIED label CDATA #IMPLIED>"
    "<!ATTLIST channel id CDATA #REQUIRED type (input|output) #REQUIRED name CDATA #IMPLIED>"
    "<!ATTLIST scan-element index CDATA #REQUIRED format CDATA #REQUIRED scale CDATA #IMPLIED>"
    "<!ATTLIST attribute name CDATA #REQUIRED filename CDATA #IMPLIED>"
    "<!ATTLIST debug-attribute name CDATA #REQUIRED>"
    "<!ATTLIST buffer-attribute name CDATA #REQUIRED>]>"
)


class AttributeFailure(Exception):  # noqa: N818 - an errno, not an error of ours
    """An attribute refused: `code` is the errno."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True)
class Attribute:
    """One value: how it is read, and written where it can be."""

    read: Callable[[], str]
    write: Callable[[str], None] | None = None
    filename: str | None = None

    def store(self, value: str) -> None:
        """Write a value.

        Raises:
            AttributeFailure: read-only, no number, or out of range.
        """
        if self.write is None:
            raise AttributeFailure(1)
        self.write(value)


@dataclass(frozen=True)
class Channel:
    """One channel; `scan` is (index, format) where it can be in a buffer."""

    id: str
    output: bool
    name: str | None = None
    attributes: Mapping[str, Attribute] = field(default_factory=dict)
    scan: tuple[int, str] | None = None


@dataclass(frozen=True)
class Device:
    """One IIO device."""

    id: str
    name: str
    channels: tuple[Channel, ...] = ()
    attributes: Mapping[str, Attribute] = field(default_factory=dict)
    debug: Mapping[str, Attribute] = field(default_factory=dict)
    buffer: Mapping[str, Attribute] = field(default_factory=dict)

    @property
    def scans(self) -> tuple[Channel, ...]:
        """Channels that can be in a buffer."""
        return tuple(channel for channel in self.channels if channel.scan is not None)

    def channel(self, name: str, *, output: bool) -> Channel | None:
        """By id or name."""
        for channel in self.channels:
            if channel.output == output and name in (channel.id, channel.name):
                return channel
        return None


def context_xml(devices: tuple[Device, ...], radio: VirtualRadio) -> str:
    """The context that PRINT sends."""
    attributes = {
        "hw_model": "hil virtual ADALM-Pluto (AD9363A)",
        "hw_model_variant": "0",
        "hw_serial": radio.serial,
        "fw_version": "v0.0-hil",
        "ad9361-phy,model": "ad9363a",
        "ad9361-phy,xo_correction": "40000000",
    }
    parts = [f'<?xml version="1.0" encoding="utf-8"?>{_DOCTYPE}']
    parts.append('<context name="xml" version-major="0" version-minor="24" version-git="v0.24" description="hil virtual" >')
    parts += [f"<context-attribute name={quoteattr(key)} value={quoteattr(value)} />" for key, value in attributes.items()]
    for device in devices:
        parts.append(f'<device id="{device.id}" name="{device.name}" >')
        for channel in device.channels:
            name = f' name="{channel.name}"' if channel.name else ""
            parts.append(f'<channel id="{channel.id}"{name} type="{"output" if channel.output else "input"}" >')
            if channel.scan is not None:
                parts.append(f'<scan-element index="{channel.scan[0]}" format={quoteattr(channel.scan[1])} />')
            for key, attribute in channel.attributes.items():
                direction = "out" if channel.output else "in"
                default = f"{direction}_{channel.id}{f'_{channel.name}' if channel.name else ''}_{key}"
                parts.append(f'<attribute name="{key}" filename="{attribute.filename or default}" />')
            parts.append("</channel>")
        parts += [f'<attribute name="{key}" />' for key in device.attributes]
        parts += [f'<buffer-attribute name="{key}" />' for key in device.buffer]
        parts += [f'<debug-attribute name="{key}" />' for key in device.debug]
        parts.append("</device>")
    parts.append("</context>")
    return "".join(parts)
