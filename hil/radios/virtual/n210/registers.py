"""The settings registers of a USRP N210 with an SBX: time, rates, carriers, gains, read back as a device would."""

from __future__ import annotations

import math
from fractions import Fraction

from hil.radios.virtual.n210.wire import CLOCK_HZ
from hil.radios.virtual.radio import Side, VirtualRadio
from hil.units import ppm

__all__ = ["N210Registers", "synthesiser_hz"]

_TIME_HI, _TIME_LO, _TIME_NOW = 10, 11, 13
_SPI_CONTROL, _SPI_DATA = 21, 22
_RX_SYNTHESISER, _TX_SYNTHESISER, _ADC = 16, 128, 256
_ADC_COARSE, _ADC_FINE = 0x17, 0x1A
_ATR_TX, _ATR_BOTH = 186, 187
_RX_DSP, _TX_DSP = 48, 160
_COMPAT = 11 << 16 | 1
_RF_REGISTERS = frozenset((_SPI_DATA, _ATR_TX, _ATR_BOTH, *range(_RX_DSP, _RX_DSP + 3), *range(_TX_DSP, _TX_DSP + 3)))


def synthesiser_hz(registers: list[int], reference_hz: int = CLOCK_HZ) -> float:
    """Output of an ADF4351 with these six registers (Hz); 0 = not programmed.

    Source: ADF4351 data sheet (Analog Devices), register maps and RF_OUT equation.
    """
    integer, fraction = registers[0] >> 15 & 0xFFFF, registers[0] >> 3 & 0xFFF
    modulus = registers[1] >> 3 & 0xFFF
    counter = registers[2] >> 14 & 0x3FF
    if not integer or not modulus or not counter:
        return 0.0
    doubled, halved = registers[2] >> 25 & 1, registers[2] >> 24 & 1
    divider = 1 << min(registers[4] >> 20 & 7, 6)
    fundamental = registers[4] >> 23 & 1
    compared = Fraction(reference_hz * (1 + doubled), counter * (1 + halved))
    loop = compared * (integer + Fraction(fraction, modulus))
    return float(loop / divider if fundamental else loop)


def _signed(word: int) -> int:
    return word - (1 << 32) if word & 1 << 31 else word


class N210Registers:
    """Registers, and what they mean for the radio.

    Device time is `counter` + an offset that the host sets; `counter` counts ticks of the device's own 100 MHz clock since the
    air began and never jumps. Carrier and gain reach the radio by `apply`, when samples are next sent or received: a host
    changes them in several writes, and no state in between shall draw a phase.
    """

    def __init__(self, radio: VirtualRadio) -> None:
        self.radio = radio
        self.settings = [0] * 256
        self._synthesisers: dict[Side, list[int]] = {"rx": [0] * 6, "tx": [0] * 6}
        self._adc: dict[int, int] = {}
        self._offset = 0
        self._at_pps: tuple[int, int] | None = None  # counter at which, time that
        self.active: set[Side] = set()
        """Directions that have samples under way."""

    @staticmethod
    def touches_rf(register: int) -> bool:
        """Whether a write changes what samples mean, so that those before it must be played first."""
        return register in _RF_REGISTERS

    # time

    @property
    def counter(self) -> int:
        """Device clock ticks since the air began."""
        return self.counter_at(self.radio.world.clock.reading())

    def counter_at(self, air: float) -> int:
        """The counter at an air sample."""
        return int(air * CLOCK_HZ / self.radio.world.sample_rate_hz * (1 + ppm(self.radio.config.ppm)))

    def air_at(self, counter: int) -> float:
        """The air sample at a reading of the counter."""
        return counter * self.radio.world.sample_rate_hz / CLOCK_HZ / (1 + ppm(self.radio.config.ppm))

    @property
    def offset(self) -> int:
        """Device time minus `counter`."""
        if self._at_pps is not None and self.counter >= self._at_pps[0]:
            self._offset, self._at_pps = self._at_pps[1] - self._at_pps[0], None
        return self._offset

    def _pps(self, later: int) -> int:
        """Counter at the last (0) or next (1) pulse: pulses come with every second of air."""
        second = self.radio.world.sample_rate_hz
        return self.counter_at((math.floor(self.radio.world.clock.reading() / second) + later) * second)

    def _set_time(self, high: int) -> None:
        time = high << 32 | self.settings[_TIME_LO]
        offset = self.offset
        if self.settings[_TIME_NOW] & 1:
            grid = max(1, round(CLOCK_HZ / self.radio.world.sample_rate_hz))
            self._offset, self._at_pps = round((time - self.counter) / grid) * grid, None  # it holds from an air sample on
        else:
            self._offset, self._at_pps = offset, (self._pps(1), time)

    # reads and writes

    def read(self, index: int) -> int:
        """A readback register."""
        if index in (10, 11):
            time = self.counter + self.offset
            if index == 10:
                return time >> 32 & 0xFFFFFFFF
            return time & 0xFFFFFFFF
        if index in (14, 15):
            time = self._pps(0) + self.offset
            return (time >> 32 if index == 14 else time) & 0xFFFFFFFF
        if index == 9:
            return 1 | 1 << 16  # both synthesisers are locked
        if index == 12:
            return _COMPAT
        if index == 13:
            return 0 if self.radio.faults.active("unlock") else 1 << 11
        return 0

    def write(self, register: int, value: int) -> None:
        """A settings register (streaming's are not here)."""
        self.settings[register] = value
        if register == _TIME_HI:
            self._set_time(value)
        elif register == _SPI_DATA:
            self._spi(value)

    def _spi(self, value: int) -> None:
        device, bits = self.settings[_SPI_CONTROL] & 0xFFFFFF, self.settings[_SPI_CONTROL] >> 24 & 0x3F
        if device == _ADC and bits == 16:
            self._adc[value >> 24 & 0xFF] = value >> 16 & 0xFF
        if bits != 32 or device not in (_RX_SYNTHESISER, _TX_SYNTHESISER):
            return
        side: Side = "rx" if device == _RX_SYNTHESISER else "tx"
        if value & 7 < 6:
            self._synthesisers[side][value & 7] = value

    # meaning

    def decimation(self, side: Side, dsp: int = 0) -> int:
        """Clock ticks of one sample."""
        register = _TX_DSP + 2 if side == "tx" else _RX_DSP + 48 * dsp + 2
        value = self.settings[register]
        return max(1, (value & 0xFF) << ((value >> 8 & 1) + (value >> 9 & 1)))

    def tick_at(self, side: Side, air: float, dsp: int = 0) -> float:
        """Samples of one direction since the air began, at an air sample; they are the radio's ticks once applied."""
        scale = CLOCK_HZ / self.decimation(side, dsp) / self.radio.world.sample_rate_hz
        return air * scale * (1 + ppm(self.radio.config.ppm))

    def carrier_hz(self, side: Side) -> float:
        """Synthesiser and digital mixer together."""
        word = _signed(self.settings[_TX_DSP if side == "tx" else _RX_DSP])
        shift = word * CLOCK_HZ / (1 << 32)
        return synthesiser_hz(self._synthesisers[side]) + (shift if side == "tx" else -shift)

    def gain_db(self, side: Side) -> float:
        """From the attenuator's lines; of the receiver with the converter's digital gain (ADS62P44 data sheet)."""
        if side == "tx":
            return (self.settings[_ATR_TX] >> 24 & 0x3F) / 2
        digital = self._adc.get(_ADC_COARSE, 0) / 2 + self._adc.get(_ADC_FINE, 0) / 20
        return (self.settings[_ATR_BOTH] >> 8 & 0x3F) / 2 + digital

    def apply(self, side: Side, dsp: int = 0) -> bool:
        """Make the radio's rate, carrier and gain of one direction what the registers say.

        Returns:
            False where the other direction is busy at another rate: the radio has one; nothing is changed then.
        """
        radio = self.radio
        rate = CLOCK_HZ / self.decimation(side, dsp)
        if rate != radio.sample_rate_hz and self.active - {side}:
            return False
        radio.set_rate(rate)
        carrier = self.carrier_hz(side)
        if carrier > 0:
            radio.tune(side, carrier)
        for channel in range(len(radio.ports[side])):
            radio.set_gain(side, channel, self.gain_db(side))
        return True
