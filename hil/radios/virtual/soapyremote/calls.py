"""The device's remote procedures: call number -> what it reads, does and answers. Streams are in soapy_connection.py.

Source: the call numbers of SoapyRemote 0.5 (docs/virtual-soapy.md lists them).
"""

from __future__ import annotations

from collections.abc import Callable

from hil._version import __version__
from hil.radios.virtual.radio import Side
from hil.radios.virtual.soapyremote.device import ANTENNAS, CLOCK_SOURCES, FORMATS, TIME_SOURCES, DeviceError, SoapyDevice
from hil.radios.virtual.soapyremote.wire import (
    Arg,
    Reader,
    arg_info,
    arg_infos,
    boolean,
    f64,
    f64s,
    i32,
    i64,
    kwargs,
    ranges,
    span,
    strings,
    text,
    void,
)  # fmt: skip

__all__ = ["CALLS", "DRIVER_KEY", "HARDWARE_KEY", "Handler"]

DRIVER_KEY = "hil"
HARDWARE_KEY = "hil-virtual-soapy"
_SIDES: dict[int, Side] = {0: "tx", 1: "rx"}
_SENSORS = {
    "ref_locked": Arg(key="ref_locked", name="Reference locked", kind=0, value="false"),
    "board_temp": Arg(key="board_temp", name="Board temperature", units="C", kind=2, value="0.0"),
}
_CHANNEL_SENSORS = {"lo_locked": Arg(key="lo_locked", name="LO locked", kind=0, value="false")}

Handler = Callable[[SoapyDevice, Reader], bytes]


def _side(reader: Reader) -> Side:
    code = reader.char()
    if code not in _SIDES:
        raise DeviceError(f"direction must be 0 (TX) or 1 (RX), not {code}")
    return _SIDES[code]


def _seat(device: SoapyDevice, reader: Reader) -> tuple[Side, int]:
    return device.check(_side(reader), reader.i32())


def _set(action: Callable[[SoapyDevice, Reader], None]) -> Handler:
    """A call that changes a setting and answers nothing."""

    def handle(device: SoapyDevice, reader: Reader) -> bytes:
        action(device, reader)
        return void()

    return handle


def _hardware(device: SoapyDevice, _reader: Reader) -> bytes:
    radio = device.radio
    return kwargs({"serial": radio.serial, "origin": "hil air", "name": radio.name, "version": __version__})


def _sensor(device: SoapyDevice, name: str, known: dict[str, Arg]) -> bytes:
    if name not in known:
        raise DeviceError(f"sensor must be one of {', '.join(known)}, not '{name[:40]}'")
    if known[name].kind == 0:
        return text("true" if device.locked() else "false")
    return text(f"{device.radio.config.temperature_c:.2f}")


def _known(name: str, known: dict[str, Arg]) -> Arg:
    if name not in known:
        raise DeviceError(f"sensor must be one of {', '.join(known)}, not '{name[:40]}'")
    return known[name]


def _nothing(what: str) -> Handler:
    def refuse(_device: SoapyDevice, _reader: Reader) -> bytes:
        raise DeviceError(f"the device has no {what}")

    return refuse


def _empty_strings(_device: SoapyDevice, _reader: Reader) -> bytes:
    return strings(())


def _empty_args(_device: SoapyDevice, _reader: Reader) -> bytes:
    return arg_infos(())


def _absent(_device: SoapyDevice, _reader: Reader) -> bytes:
    return boolean(False)


def _seated(answer: Callable[[SoapyDevice, Side, int], bytes]) -> Handler:
    """A call with a direction and a channel."""
    return lambda device, reader: answer(device, *_seat(device, reader))


def _component(device: SoapyDevice, reader: Reader) -> Side:
    """Side of a call on a named frequency component; there is one, RF."""
    side, _ = _seat(device, reader)
    if (name := reader.text()) != "RF":
        raise DeviceError(f"frequency component must be RF, not '{name[:40]}'")
    return side


def _full_scale(device: SoapyDevice, side: Side) -> bytes:
    radio = device.radio
    return text(FORMATS[0]) + f64(radio.tx_full_scale if side == "tx" else radio.rx_full_scale)


CALLS: dict[int, Handler] = {
    # identification, channels
    100: lambda device, reader: text(DRIVER_KEY),
    101: lambda device, reader: text(HARDWARE_KEY),
    102: _hardware,
    200: _nothing("front-end mapping to set"),
    201: lambda device, reader: text(""),
    202: lambda device, reader: i32(device.channels(_side(reader))),
    203: _seated(lambda device, side, channel: boolean(True)),
    204: _seated(lambda device, side, channel: kwargs({"name": f"{side.upper()}{channel}"})),
    # formats
    304: _seated(lambda device, side, channel: strings(FORMATS)),
    305: _seated(lambda device, side, channel: _full_scale(device, side)),
    306: _empty_args,
    # antennas
    500: _seated(lambda device, side, channel: strings(ANTENNAS[side])),
    501: _set(lambda device, reader: device.set_antenna(*_seat(device, reader), reader.text())),
    502: _seated(lambda device, side, channel: text(device.antenna(side, channel))),
    # corrections: none
    503: _absent, 600: _absent, 603: _absent, 606: _absent,
    504: _nothing("frequency correction"), 505: _seated(lambda device, side, channel: f64(0.0)),
    601: _nothing("DC offset mode"), 602: _absent,
    604: _nothing("DC offset correction"), 605: _nothing("DC offset correction"),
    607: _nothing("I/Q correction"), 608: _nothing("I/Q correction"),
    # gains
    700: _seated(lambda device, side, channel: strings(device.elements(side))),
    701: _set(lambda device, reader: device.set_automatic(*_seat(device, reader), reader.boolean())),
    702: _seated(lambda device, side, channel: boolean(device.automatic(side, channel))),
    703: _set(lambda device, reader: device.set_gain(*_seat(device, reader), reader.f64())),
    704: _set(lambda device, reader: _set_element(device, reader)),
    705: _seated(lambda device, side, channel: f64(device.gain(side, channel))),
    706: lambda device, reader: f64(device.gain(*_seat(device, reader), reader.text())),
    707: _seated(lambda device, side, channel: span(device.gain_range(side))),
    708: lambda device, reader: span(device.element_range(_seat(device, reader)[0], reader.text())),
    709: _seated(lambda device, side, channel: boolean(side == "rx")),
    # carriers
    800: _set(lambda device, reader: device.set_frequency(_seat(device, reader)[0], reader.f64())),
    801: _set(lambda device, reader: device.set_frequency(_component(device, reader), reader.f64())),
    802: _seated(lambda device, side, channel: f64(device.frequency(side))),
    803: lambda device, reader: f64(device.frequency(_component(device, reader))),
    804: _seated(lambda device, side, channel: strings(("RF",))),
    805: _seated(lambda device, side, channel: ranges(device.frequency_ranges())),
    806: lambda device, reader: ranges(device.frequency_ranges() if _component(device, reader) else ()),
    807: _empty_args,
    # rates (setting one, 900, is the connection's: it must see that nothing streams) and filters
    901: _seated(lambda device, side, channel: f64(device.radio.sample_rate_hz)),
    902: _seated(lambda device, side, channel: f64s((device.radio.world.sample_rate_hz,))),
    907: _seated(lambda device, side, channel: ranges(device.rate_ranges())),
    903: _set(lambda device, reader: device.set_width(*_seat(device, reader), reader.f64())),
    904: _seated(lambda device, side, channel: f64(device.width(side, channel))),
    905: _seated(lambda device, side, channel: f64s(tuple(end for r in device.width_ranges() for end in (r.low, r.high)))),
    906: _seated(lambda device, side, channel: ranges(device.width_ranges())),
    # clocks and time
    1000: _nothing("master clock to set"),
    1001: lambda device, reader: f64(device.radio.sample_rate_hz),
    1008: lambda device, reader: ranges(()),
    1002: lambda device, reader: strings(CLOCK_SOURCES),
    1003: _set(lambda device, reader: device.set_source("clock", reader.text())),
    1004: lambda device, reader: text(device.clock_source),
    1005: lambda device, reader: strings(TIME_SOURCES),
    1006: _set(lambda device, reader: device.set_source("time", reader.text())),
    1007: lambda device, reader: text(device.time_source),
    1100: lambda device, reader: boolean(reader.text() in ("", "PPS")),
    1101: lambda device, reader: i64(device.read_time(reader.text())),
    1102: _set(lambda device, reader: device.set_time(reader.i64(), reader.text())),
    1103: _nothing("timed commands"),
    # sensors
    1200: lambda device, reader: strings(tuple(_SENSORS)),
    1201: lambda device, reader: _sensor(device, reader.text(), _SENSORS),
    1202: _seated(lambda device, side, channel: strings(tuple(_CHANNEL_SENSORS))),
    1203: lambda device, reader: _sensor(device, reader.text() if _seat(device, reader) else "", _CHANNEL_SENSORS),
    1204: lambda device, reader: arg_info(_known(reader.text(), _SENSORS)),
    1205: lambda device, reader: arg_info(_known(reader.text() if _seat(device, reader) else "", _CHANNEL_SENSORS)),
    # registers, settings, GPIO, UART: none
    1302: _empty_strings, 1500: _empty_strings, 1801: _empty_strings, 1402: _empty_args, 1405: _empty_args,
}  # fmt: skip
"""Everything that needs the device alone; anything else is answered with an error."""


def _set_element(device: SoapyDevice, reader: Reader) -> None:
    side, channel = _seat(device, reader)
    name = reader.text()
    device.set_gain(side, channel, reader.f64(), name)
