"""What an AD9363 with its FPGA cores keeps: tuning, gains, rates, filters, DDS tones and the two status registers."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from hil.radios.virtual.iiod.context import EINVAL, Attribute, AttributeFailure, Channel, Device
from hil.radios.virtual.radio import VirtualRadio

__all__ = ["RX", "TX", "PlutoState", "Tone"]

RX, TX = "cf-ad9361-lpc", "cf-ad9361-dds-core-lpc"
STATUS_REGISTER = 0x80000088
_LOWEST_RATE, _LOWEST_UNFILTERED, _HIGHEST_RATE = 520_833, 2_083_333, 61_440_000
_MODES = ("manual", "fast_attack", "slow_attack", "hybrid")
_BLANKS = " \t\r\n"
# As the kernel reads numbers. Python's own int and float take more ("1_0", "1e3", "nan", digits of other scripts) and raise on
# some that str.isdigit() lets through ("--5", "²").
_INTEGER = re.compile(r"[+-]?[0-9]{1,20}")
_DECIMAL = re.compile(r"[+-]?([0-9]{1,20}\.?[0-9]{0,40}|\.[0-9]{1,40})")
_WORD = r"(0[xX][0-9a-fA-F]{1,8}|[0-9]{1,10})"
_REGISTER = re.compile(rf"{_WORD}(?:[ \t]+{_WORD})?")


@dataclass
class Tone:
    """One of the four DDS tones: added to I or Q while no buffer plays."""

    freq_hz: int = 1_000_000
    phase_mdeg: int = 0
    scale: float = 0.25
    on: bool = True


class PlutoState:
    """Attributes and registers, applied to a virtual radio as they are written.

    Args:
        radio: the radio.
        rate_changed: called after a new sample rate.
    """

    def __init__(self, radio: VirtualRadio, rate_changed: Callable[[], None]) -> None:
        self.radio, self._rate_changed = radio, rate_changed
        self.loopback = 0
        self.tones = [Tone() for _ in range(4)]
        self.flags = {RX: 0, TX: 0}
        self._address = {RX: 0, TX: 0}
        self._gain_mode = "slow_attack"
        self._rx_gain, self._attenuation = 71.0, 10.0
        self._bandwidth = {"rx": 18_000_000, "tx": 18_000_000}
        self._fir = radio.sample_rate_hz < _LOWEST_UNFILTERED
        self._taps = "FIR Rx: 0,0 Tx: 0,0"
        self._misc: dict[str, str] = {}
        self._ensm = "fdd"
        self._apply_gains()
        self.devices = self._devices()

    def device(self, name: str) -> Device | None:
        """By id or name."""
        return next((device for device in self.devices if name in (device.id, device.name)), None)

    def raise_flag(self, device: str, bit: int) -> None:
        """Set a sticky status bit: 0 underflow (TX), 2 overflow (RX)."""
        self.flags[device] |= 1 << bit

    def _apply_gains(self) -> None:
        self.radio.set_gain("rx", 0, self._rx_gain)
        self.radio.set_gain("tx", 0, -self._attenuation)

    def _number(self, value: str, low: float, high: float) -> float:
        text = value.strip(_BLANKS).removesuffix("dB").rstrip(_BLANKS)
        if not _DECIMAL.fullmatch(text) or not low <= float(text) <= high:
            raise AttributeFailure(EINVAL)
        return float(text)

    def _integer(self, value: str, low: int, high: int) -> int:
        text = value.strip(_BLANKS)
        if not _INTEGER.fullmatch(text) or not low <= int(text) <= high:
            raise AttributeFailure(EINVAL)
        return int(text)

    def _set_lo(self, side: str, value: str) -> None:
        freq = self._integer(value, 46_875_001, 6_000_000_000)
        self.radio.tune("rx" if side == "rx" else "tx", freq + self.radio.config.carrier_error_hz)

    def _lo(self, side: str) -> str:
        return str(round(self.radio.ports["rx" if side == "rx" else "tx"][0].center_freq_hz))

    def _set_rate(self, value: str) -> None:
        lowest = _LOWEST_RATE if self._fir else _LOWEST_UNFILTERED
        rate = self._integer(value, lowest, _HIGHEST_RATE) + self.radio.config.rate_error_hz
        if rate != self.radio.sample_rate_hz:
            self.radio.set_rate(rate)
            self._rate_changed()

    def _rate(self) -> str:
        return str(round(self.radio.sample_rate_hz))

    def _set_rx_gain(self, value: str) -> None:
        if self._gain_mode != "manual":
            return  # as the device: silently
        self._rx_gain = float(round(self._number(value, -3.0, 73.0)))
        self._apply_gains()

    def _set_mode(self, value: str) -> None:
        if value.strip(_BLANKS) not in _MODES:
            raise AttributeFailure(EINVAL)
        self._gain_mode = value.strip(_BLANKS)

    def _set_attenuation(self, value: str) -> None:
        self._attenuation = round(-4 * self._number(value, -89.75, 0.0)) / 4
        self._apply_gains()

    def _set_bandwidth(self, side: str, value: str) -> None:
        self._bandwidth[side] = self._integer(value, 1, 56_000_000)

    def _set_fir(self, value: str) -> None:
        if value.strip(_BLANKS) not in ("0", "1"):
            raise AttributeFailure(EINVAL)
        if value.strip(_BLANKS) == "0" and self.radio.sample_rate_hz < _LOWEST_UNFILTERED:
            raise AttributeFailure(EINVAL)
        self._fir = value.strip(_BLANKS) == "1"

    def _temperature(self) -> str:
        return str(round(1000 * self.radio.config.temperature_c))

    def _set_taps(self, value: str) -> None:
        lines = [line for line in value.replace("\0", "").splitlines() if line.strip()]
        taps = sum(1 for line in lines if line.lstrip()[:1] in "-0123456789")
        if not taps or taps > 256:
            raise AttributeFailure(EINVAL)
        self._taps = f"FIR Rx: {taps},4 Tx: {taps},4"

    def _path_rates(self, converter: str, stage: str) -> str:
        rate = round(self.radio.sample_rate_hz) * (4 if self._fir else 1)
        fast = rate
        while fast < 25_000_000:
            fast *= 2
        stages = f"{stage}2:{rate} {stage}1:{rate} {stage}F:{rate} {stage}XSAMP:{round(self.radio.sample_rate_hz)}"
        return f"BBPLL:{fast * 8} {converter}:{fast} {stages}"

    def _set_loopback(self, value: str) -> None:
        self.loopback = self._integer(value, 0, 2)

    def _remember(self, key: str, value: str) -> None:
        self._misc[key] = value.strip()[:64]

    def _set_address(self, device: str, value: str) -> None:
        match = _REGISTER.fullmatch(value.strip(_BLANKS))
        if match is None:
            raise AttributeFailure(EINVAL)
        numbers = [int(word, 16 if word[:2] in ("0x", "0X") else 10) for word in match.groups() if word is not None]
        if max(numbers) >= 1 << 32:
            raise AttributeFailure(EINVAL)
        self._address[device] = numbers[0]
        if len(numbers) == 2 and numbers[0] == STATUS_REGISTER:
            self.flags[device] &= ~numbers[1]  # write one to clear

    def _register(self, device: str) -> str:
        return f"0x{self.flags[device] if self._address[device] == STATUS_REGISTER else 0:X}"

    def _set_tone(self, index: int, what: str, value: str) -> None:
        tone = self.tones[index]
        if what == "frequency":
            tone.freq_hz = self._integer(value, 0, _HIGHEST_RATE // 2)
        elif what == "phase":
            tone.phase_mdeg = self._integer(value, 0, 360_000)
        elif what == "scale":
            tone.scale = self._number(value, 0.0, 1.999)
        else:
            on = self._integer(value, 0, 1) == 1
            for each in self.tones:
                each.on = on  # one enable for the whole core

    def _devices(self) -> tuple[Device, ...]:
        rate = Attribute(self._rate, self._set_rate, "in_voltage_sampling_frequency")
        tx_rate = Attribute(self._rate, self._set_rate, "out_voltage_sampling_frequency")
        rates = Attribute(lambda: f"[{_LOWEST_RATE} 1 {_HIGHEST_RATE}]", None, "in_voltage_sampling_frequency_available")
        fir_rx = Attribute(lambda: str(int(self._fir)), self._set_fir, "in_voltage_filter_fir_en")
        fir_tx = Attribute(lambda: str(int(self._fir)), self._set_fir, "out_voltage_filter_fir_en")
        fir_both = Attribute(lambda: str(int(self._fir)), self._set_fir, "in_out_voltage_filter_fir_en")
        phy = Device(
            "iio:device0",
            "ad9361-phy",
            (
                Channel("altvoltage0", True, "RX_LO", self._synthesiser("rx")),
                Channel("altvoltage1", True, "TX_LO", self._synthesiser("tx")),
                Channel("voltage0", False, None, self._receive_path() | {"sampling_frequency": rate, "filter_fir_en": fir_rx}),
                Channel(
                    "voltage0", True, None, self._transmit_path() | {"sampling_frequency": tx_rate, "filter_fir_en": fir_tx}
                ),
                Channel("out", False, None, {"voltage_filter_fir_en": fir_both}),
                Channel("temp0", False, None, {"input": Attribute(self._temperature)}),
            ),
            {
                "calib_mode": self._misc_attribute("calib_mode", "auto"),
                "ensm_mode": self._misc_attribute("ensm_mode", "fdd"),
                "ensm_mode_available": Attribute(lambda: "sleep wait alert fdd pinctrl pinctrl_fdd_indep"),
                "filter_fir_config": Attribute(lambda: self._taps, self._set_taps),
                "rx_path_rates": Attribute(lambda: self._path_rates("ADC", "R")),
                "tx_path_rates": Attribute(lambda: self._path_rates("DAC", "T")),
                "xo_correction": self._misc_attribute("xo_correction", "40000000"),
            },
            {"loopback": Attribute(lambda: str(self.loopback), self._set_loopback)},
        )
        tones = ("TX1_I_F1", "TX1_I_F2", "TX1_Q_F1", "TX1_Q_F2")
        dac_rate = Attribute(self._rate, self._set_rate, "out_altvoltage_sampling_frequency")
        dds = Device(
            "iio:device2",
            TX,
            (
                Channel("voltage0", True, None, {"sampling_frequency": tx_rate}, (0, "le:S16/16>>0")),
                Channel("voltage1", True, None, {"sampling_frequency": tx_rate}, (1, "le:S16/16>>0")),
                *(
                    Channel(f"altvoltage{k}", True, name, self._tone(k) | {"sampling_frequency": dac_rate})
                    for k, name in enumerate(tones)
                ),
            ),
            {},
            {"direct_reg_access": Attribute(lambda: self._register(TX), lambda value: self._set_address(TX, value))},
            {"length_align_bytes": Attribute(lambda: "8")},
        )
        adc = Device(
            "iio:device3",
            RX,
            (
                Channel("voltage0", False, None, self._converter(0, rate, rates), (0, "le:S12/16>>0")),
                Channel("voltage1", False, None, self._converter(1, rate, rates), (1, "le:S12/16>>0")),
            ),
            {},
            {"direct_reg_access": Attribute(lambda: self._register(RX), lambda value: self._set_address(RX, value))},
            {"length_align_bytes": Attribute(lambda: "8")},
        )
        return phy, dds, adc

    def _misc_attribute(self, key: str, default: str) -> Attribute:
        return Attribute(lambda: self._misc.get(key, default), lambda value: self._remember(key, value))

    def _synthesiser(self, side: str) -> dict[str, Attribute]:
        return {
            "external": Attribute(lambda: "0"),
            "frequency": Attribute(lambda: self._lo(side), lambda value: self._set_lo(side, value)),
            "frequency_available": Attribute(lambda: "[46875001 1 6000000000]"),
            "powerdown": self._misc_attribute(f"{side}_powerdown", "0"),
        }

    def _receive_path(self) -> dict[str, Attribute]:
        def named(name: str, read: Callable[[], str], write: Callable[[str], None] | None = None) -> tuple[str, Attribute]:
            shared = name.startswith(("rf_bandwidth", "bb_dc", "rf_dc", "quadrature", "gain_control_mode_available"))
            return name, Attribute(read, write, f"in_voltage{'' if shared else '0'}_{name}")

        return dict(
            [
                named("bb_dc_offset_tracking_en", lambda: "1"),
                named("gain_control_mode", lambda: self._gain_mode, self._set_mode),
                named("gain_control_mode_available", lambda: " ".join(_MODES)),
                named("hardwaregain", lambda: f"{self._rx_gain:.6f} dB", self._set_rx_gain),
                named("hardwaregain_available", lambda: "[-3 1 71]"),
                named("quadrature_tracking_en", lambda: "1"),
                named("rf_bandwidth", lambda: str(self._bandwidth["rx"]), lambda value: self._set_bandwidth("rx", value)),
                named("rf_bandwidth_available", lambda: "[200000 1 56000000]"),
                named("rf_dc_offset_tracking_en", lambda: "1"),
                named("rf_port_select", lambda: "A_BALANCED", lambda value: self._remember("rx_port", value)),
                named("rssi", lambda: "100.00 dB"),
            ]
        )

    def _transmit_path(self) -> dict[str, Attribute]:
        return {
            "hardwaregain": Attribute(lambda: f"{-self._attenuation:.6f} dB", self._set_attenuation),
            "hardwaregain_available": Attribute(lambda: "[-89.750000 0.250000 0.000000]"),
            "rf_bandwidth": Attribute(
                lambda: str(self._bandwidth["tx"]), lambda value: self._set_bandwidth("tx", value), "out_voltage_rf_bandwidth"
            ),
            "rf_bandwidth_available": Attribute(lambda: "[200000 1 40000000]", None, "out_voltage_rf_bandwidth_available"),
            "rf_port_select": Attribute(lambda: "A", lambda value: self._remember("tx_port", value)),
        }

    def _converter(self, index: int, rate: Attribute, rates: Attribute) -> dict[str, Attribute]:
        return {
            "calibbias": self._misc_attribute(f"calibbias{index}", "0"),
            "calibphase": self._misc_attribute(f"calibphase{index}", "0.000000"),
            "calibscale": self._misc_attribute(f"calibscale{index}", "1.000000"),
            "sampling_frequency": rate,
            "sampling_frequency_available": rates,
        }

    def _tone(self, index: int) -> dict[str, Attribute]:
        tone = self.tones[index]
        return {
            "frequency": Attribute(lambda: str(tone.freq_hz), lambda value: self._set_tone(index, "frequency", value)),
            "phase": Attribute(lambda: str(tone.phase_mdeg), lambda value: self._set_tone(index, "phase", value)),
            "raw": Attribute(lambda: str(int(tone.on)), lambda value: self._set_tone(index, "raw", value)),
            "scale": Attribute(lambda: f"{tone.scale:.6f}", lambda value: self._set_tone(index, "scale", value)),
        }
