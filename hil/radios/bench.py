"""A bench: the radios at hand, their roles, links and limits. One TOML file."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, Self

from pydantic import ConfigDict, Field, PrivateAttr, model_validator

from hil.config import Config, load_toml
from hil.errors import ConfigError
from hil.places import find
from hil.radios.airconfig import AirConfig, FaultConfig, LinkConfig, SimRadioConfig, TapConfig, VirtualConfig
from hil.radios.limits import LimitsConfig, check_transmit

__all__ = [
    "AirConfig", "BenchConfig", "FaultConfig", "LimitsConfig", "LinkConfig", "RadioConfig", "ReceiverConfig", "SimRadioConfig",
    "TapConfig", "TransmitterConfig", "VirtualConfig", "check_transmit", "find_bench", "load_bench",
]  # fmt: skip


class RadioConfig(Config):
    """One radio: its driver, and the driver's own options as further keys.

    Attributes:
        driver: name in `hil.registry.DRIVERS`.
        virtual: what `hil air` serves in the place of the device, for drivers of real hardware; None = it is on the desk.
    """

    model_config = ConfigDict(**{**Config.model_config, "extra": "allow"})

    driver: str
    virtual: VirtualConfig | None = None
    _sim: SimRadioConfig | None = PrivateAttr(default=None)

    @property
    def options(self) -> dict[str, Any]:
        """The driver's own keys, which the driver checks."""
        return dict(self.model_extra or {})

    @model_validator(mode="after")
    def _check_options(self) -> Self:
        if self.driver == "sim":
            if self.virtual is not None:
                raise ValueError("a simulated radio needs no 'virtual' table: its options stand in the radio's own")
            self._sim = SimRadioConfig.model_validate(self.options)
        return self

    @property
    def model(self) -> SimRadioConfig | None:
        """What the radio is like where it is not real: simulated in this process, or served by `hil air`."""
        return self._sim or self.virtual

    @property
    def sim(self) -> SimRadioConfig:
        """Options of a simulated radio.

        Raises:
            ConfigError: another driver.
        """
        if self._sim is None:
            raise ConfigError(f"radio driver '{self.driver}' is not simulated")
        return self._sim


class TransmitterConfig(Config):
    """One transmitter: a channel of a radio, the gain it starts with, and limits of its own.

    Attributes:
        radio: its name.
        channel: of the radio.
        gain_db: to start with.
        antenna: port; None = the driver's default.
        max_tx_gain_db: in place of the bench's `limits.max_tx_gain_db`.
        max_tx_dbm: in place of the bench's `limits.max_tx_dbm`.
        min_path_loss_db: surely between it and the receiver, in place of the bench's `limits.min_path_loss_db`.
    """

    radio: str
    channel: int = Field(default=0, ge=0)
    gain_db: float = -30.0
    antenna: str | None = None
    max_tx_gain_db: float | None = None
    max_tx_dbm: float | None = None
    min_path_loss_db: float | None = None


class ReceiverConfig(Config):
    """The receiver: a channel of a radio, and its fixed gain (automatic gain control stays off)."""

    radio: str
    channel: int = Field(default=0, ge=0)
    gain_db: float = 60.0
    antenna: str | None = None


class BenchConfig(Config):
    """A bench file.

    Attributes:
        name: of the bench.
        description: one line for people.
        sample_rate_hz: of all radios.
        center_freq_hz: of all radios.
        bandwidth_hz: of the analogue filters; None = the driver's choice.
        clock: "shared": one reference for all radios (CFO 0); "independent": each its own.
        seed: of the simulated air and of the gaps between bursts.
        gap_s: shortest and longest silence between two bursts; drawn uniformly.
        radios: name -> driver and its options.
        transmitters: in the order in which a burst's rows are sent.
        receiver: the one receiver.
        links: propagation, one per transmitter; simulated and virtual airs only.
        air: the process that serves virtual radios.
        limits: for real transmitters.
    """

    name: str
    description: str = ""
    sample_rate_hz: float = Field(gt=0)
    center_freq_hz: float = Field(gt=0)
    bandwidth_hz: float | None = None
    clock: Literal["shared", "independent"]
    clock_source: str | None = None
    time_source: str | None = None
    seed: int = Field(default=1, ge=0)
    gap_s: tuple[float, float] = (0.0005, 0.002)
    radios: dict[str, RadioConfig]
    transmitters: tuple[TransmitterConfig, ...] = Field(min_length=1)
    receiver: ReceiverConfig
    links: tuple[LinkConfig, ...] = ()
    air: AirConfig = AirConfig()
    limits: LimitsConfig = LimitsConfig()

    @model_validator(mode="after")
    def _check(self) -> Self:
        users: list[TransmitterConfig | ReceiverConfig] = [*self.transmitters, self.receiver]
        for user in users:
            if user.radio not in self.radios:
                raise ValueError(f"no radio named '{user.radio}'; the bench has {', '.join(self.radios)}")
        seats = [(tx.radio, tx.channel) for tx in self.transmitters]
        if len(set(seats)) != len(seats):
            raise ValueError("two transmitters use the same channel of the same radio")
        for name in {tx.radio for tx in self.transmitters}:
            ports = {tx.antenna for tx in self.transmitters if tx.radio == name}
            if len(ports) > 1:
                raise ValueError(f"transmitters on radio '{name}' must name the same antenna, not {sorted(map(str, ports))}")
        ends = [link.transmitter for link in self.links]
        if any(end >= len(self.transmitters) for end in ends) or len(set(ends)) != len(ends):
            raise ValueError(f"'links' must name each transmitter 0…{len(self.transmitters) - 1} at most once, not {ends}")
        for tx, end in enumerate(self.transmitters):
            most = self.max_tx_gain_db(tx)
            if most is not None and end.gain_db > most:
                raise ValueError(f"transmitter {tx}: gain_db = {end.gain_db:g} is above limits.max_tx_gain_db = {most:g}")
        if not 0 <= self.gap_s[0] <= self.gap_s[1]:
            raise ValueError(f"'gap_s' must be [shortest, longest], not {list(self.gap_s)}")
        simulated = {name: radio.model for name, radio in self.radios.items() if radio.model is not None}
        if self.clock == "shared" and any(radio.ppm for radio in simulated.values()):
            raise ValueError('\'ppm\' must be 0 for every radio when clock = "shared"; use clock = "independent"')
        if simulated and sorted(ends) != list(range(len(self.transmitters))):
            raise ValueError("simulated and virtual radios need one entry in 'links' for each transmitter")
        if len({radio.driver == "sim" for radio in self.radios.values() if radio.model is not None}) > 1:
            raise ValueError("simulated and virtual radios cannot share an air: use one kind in a bench")
        strangers = [fault.radio for fault in self.air.faults if fault.radio not in self.virtual_radios]
        if strangers:
            raise ValueError(f"'air.faults' names '{strangers[0]}', which is no virtual radio of this bench")
        return self

    def max_tx_gain_db(self, tx: int) -> float | None:
        """The highest gain allowed for a transmitter; None = not limited."""
        own = self.transmitters[tx].max_tx_gain_db
        return own if own is not None else self.limits.max_tx_gain_db

    @property
    def receivers(self) -> "tuple[Any, ...]":
        """(shim until several receivers are merged)"""
        from types import SimpleNamespace

        return (SimpleNamespace(name="rx"),)

    @property
    def virtual_radios(self) -> dict[str, VirtualConfig]:
        """Those that `hil air` serves."""
        return {name: radio.virtual for name, radio in self.radios.items() if radio.virtual is not None}


def load_bench(path: Path, overrides: dict[str, Any] | None = None) -> BenchConfig:
    """Read a bench file; `overrides` maps dotted keys to values that replace the file's.

    Raises:
        ConfigError: missing, no TOML, or not a bench.
    """
    return load_toml(BenchConfig, path, overrides)


def find_bench(name_or_path: str | Path, home: Path | None = None, overrides: dict[str, Any] | None = None) -> BenchConfig:
    """Read a bench by path or bare name; see `hil.places` for where it is looked up.

    Raises:
        ConfigError: not found, or not a bench.
    """
    return load_bench(find("radios", name_or_path, ".toml", home), overrides)
