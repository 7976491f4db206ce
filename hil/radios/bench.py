"""A bench: the radios at hand, their roles, links and limits. One TOML file."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import ConfigDict, Field, PrivateAttr, ValidationError, model_validator

from hil.config import Config, load_toml, problems
from hil.errors import ConfigError
from hil.places import find
from hil.radios.airconfig import AirConfig, FaultConfig, LinkConfig, SimRadioConfig, TapConfig, VirtualConfig
from hil.radios.card import driver_card, is_simulated
from hil.spelling import did_you_mean

__all__ = [
    "AirConfig", "BenchConfig", "FaultConfig", "LimitsConfig", "LinkConfig", "RadioConfig", "ReceiverConfig", "SimRadioConfig",
    "TapConfig", "TransmitterConfig", "VirtualConfig", "find_bench", "load_bench",
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
        if is_simulated(self.driver):
            if self.virtual is not None:
                raise ValueError("a simulated radio needs no 'virtual' table: its options stand in the radio's own")
            try:
                self._sim = SimRadioConfig.model_validate(self.options)
            except ValidationError as err:
                raise ValueError(problems(SimRadioConfig, err)) from err
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
        min_path_loss_db: surely between it and every receiver, in place of the bench's `limits.min_path_loss_db`.
    """

    radio: str
    channel: int = Field(default=0, ge=0)
    gain_db: float = -30.0
    antenna: str | None = None
    max_tx_gain_db: float | None = None
    max_tx_dbm: float | None = None
    min_path_loss_db: float | None = None


class ReceiverConfig(Config):
    """One receiver: a channel of a radio, and its fixed gain (automatic gain control stays off).

    Attributes:
        name: in results, captures and links.
        radio: its name.
        channel: of the radio.
        gain_db: to start with.
        antenna: port; None = the driver's default.
    """

    name: str = Field(default="rx", pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$")
    radio: str
    channel: int = Field(default=0, ge=0)
    gain_db: float = 60.0
    antenna: str | None = None


class LimitsConfig(Config):
    """What the operator allows real transmitters; virtual radios need none of it.

    Which band and power are legal is the operator's to know.

    Attributes:
        freq_ranges_hz: bands, lowest and highest frequency; the whole occupied band must lie in one.
        max_tx_gain_db: highest transmit gain; holds for virtual radios too.
        max_tx_dbm: highest output power of the transmitters at that gain.
        max_rx_dbm: highest input power that the receivers survive.
        min_path_loss_db: attenuation that is surely between each of them; max_tx − loss must stay 10 dB below max_rx.
        max_burst_s: longest burst.
        max_duty: largest share of the time on the air; the session waits between bursts.
    """

    freq_ranges_hz: tuple[tuple[float, float], ...] = ()
    max_tx_gain_db: float | None = None
    max_tx_dbm: float | None = None
    max_rx_dbm: float | None = None
    min_path_loss_db: float | None = None
    max_burst_s: float | None = Field(default=None, gt=0)
    max_duty: float | None = Field(default=None, gt=0, le=1)


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
        receivers: in the order in which they are listed everywhere; all hear every burst. A table `[receiver]` in place of
            the list is one receiver, named "rx" where it does not name itself.
        links: propagation, one per transmitter and receiver; simulated and virtual airs only.
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
    receivers: tuple[ReceiverConfig, ...] = Field(min_length=1)
    links: tuple[LinkConfig, ...] = ()
    air: AirConfig = AirConfig()
    limits: LimitsConfig = LimitsConfig()

    @model_validator(mode="before")
    @classmethod
    def _one_receiver(cls, data: Any) -> Any:
        """`[receiver]` is a list of one."""
        if not isinstance(data, dict) or "receiver" not in data:
            return data
        if "receivers" in data:
            raise ValueError("give either 'receiver' or 'receivers', not both")
        return {key: value for key, value in data.items() if key != "receiver"} | {"receivers": [data["receiver"]]}

    @model_validator(mode="after")
    def _check(self) -> Self:
        _check_seats(self)
        _check_links(self)
        for tx, end in enumerate(self.transmitters):
            most = self.max_tx_gain_db(tx)
            if most is not None and end.gain_db > most:
                raise ValueError(f"transmitter {tx}: gain_db = {end.gain_db:g} is above limits.max_tx_gain_db = {most:g}")
        if not 0 <= self.gap_s[0] <= self.gap_s[1]:
            raise ValueError(f"'gap_s' must be [shortest, longest], not {list(self.gap_s)}")
        strangers = [fault.radio for fault in self.air.faults if fault.radio not in self.virtual_radios]
        if strangers:
            raise ValueError(f"'air.faults' names '{strangers[0]}', which is no virtual radio of this bench")
        return self

    def max_tx_gain_db(self, tx: int) -> float | None:
        """The highest gain allowed for a transmitter; None = not limited."""
        own = self.transmitters[tx].max_tx_gain_db
        return own if own is not None else self.limits.max_tx_gain_db

    @property
    def receiver(self) -> ReceiverConfig:
        """The first receiver."""
        return self.receivers[0]

    def receiver_named(self, name: str | None) -> ReceiverConfig:
        """The receiver of that name; None = the first.

        Raises:
            ConfigError: there is none.
        """
        for end in self.receivers:
            if name in (None, end.name):
                return end
        known = [end.name for end in self.receivers]
        raise ConfigError(
            f"bench '{self.name}' has no receiver named '{name}'{did_you_mean(str(name), known)}; it has {', '.join(known)}"
        )

    def digest(self) -> str:
        """SHA-256 of what makes this bench what it is: all but `air` and `limits`, the seed only where radios are not real."""
        other = {"air", "limits", "description"}
        if not any(radio.model for radio in self.radios.values()):
            other.add("seed")  # a real air has none, and a calibration holds whatever tasks are drawn
        made_of = self.model_dump(mode="json", exclude=other)
        return hashlib.sha256(json.dumps(made_of, sort_keys=True).encode()).hexdigest()

    @property
    def virtual_radios(self) -> dict[str, VirtualConfig]:
        """Those that `hil air` serves."""
        return {name: radio.virtual for name, radio in self.radios.items() if radio.virtual is not None}


def _check_seats(bench: BenchConfig) -> None:
    """Roles and radios fit: each role has a channel of its own, of a radio that is there.

    Raises:
        ValueError: they do not.
    """
    ends: dict[str, tuple[TransmitterConfig | ReceiverConfig, ...]] = {
        "transmitters": bench.transmitters,
        "receivers": bench.receivers,
    }
    for what, users in ends.items():
        for user in users:
            if user.radio not in bench.radios:
                raise ValueError(f"no radio named '{user.radio}'; the bench has {', '.join(bench.radios)}")
        seats = [(user.radio, user.channel) for user in users]
        if len(set(seats)) != len(seats):
            raise ValueError(f"two {what} use the same channel of the same radio")
        for name in {user.radio for user in users}:
            ports = {user.antenna for user in users if user.radio == name}
            if len(ports) > 1:
                raise ValueError(f"{what} on radio '{name}' must name the same antenna, not {sorted(map(str, ports))}")
    names = [end.name for end in bench.receivers]
    if len(set(names)) != len(names):
        raise ValueError(f"'receivers' must have different names, not {names}")


def _check_links(bench: BenchConfig) -> None:
    """Links join transmitters and receivers that are there; a simulated or virtual air has one for every pair.

    Raises:
        ValueError: they do not.
    """
    transmitters, names = range(len(bench.transmitters)), [end.name for end in bench.receivers]
    for link in bench.links:
        if link.receiver is None and len(names) > 1:
            raise ValueError(f"'links' must say whose they are where there are several receivers: receiver = one of {names}")
        if link.transmitter not in transmitters or link.receiver not in (None, *names):
            raise ValueError(
                f"'links' must join transmitters 0…{len(transmitters) - 1} and receivers {names}, "
                f"not {link.transmitter} and '{link.receiver}'"
            )
    pairs = [(link.transmitter, link.receiver or names[0]) for link in bench.links]
    if len(set(pairs)) != len(pairs):
        raise ValueError(f"'links' must name each transmitter and receiver at most once together, not {pairs}")
    modelled = [radio for radio in bench.radios.values() if radio.model is not None]
    if bench.clock == "shared" and any(radio.model.ppm for radio in modelled if radio.model is not None):
        raise ValueError('\'ppm\' must be 0 for every radio when clock = "shared"; use clock = "independent"')
    missing = [(tx, name) for tx in transmitters for name in names if (tx, name) not in pairs]
    if modelled and missing:
        raise ValueError(
            "simulated and virtual radios need one entry in 'links' for each transmitter and receiver; missing: "
            + ", ".join(f"{tx} to '{name}'" for tx, name in missing)
        )
    if len({is_simulated(radio.driver) for radio in modelled}) > 1:
        raise ValueError("simulated and virtual radios cannot share an air: use one kind in a bench")


def load_bench(path: Path, overrides: dict[str, Any] | None = None) -> BenchConfig:
    """Read a bench file; `overrides` maps dotted keys to values that replace the file's.

    Raises:
        ConfigError: missing, no TOML, not a bench, or a driver that is not known here.
    """
    config = load_toml(BenchConfig, path, overrides)
    for name, radio in config.radios.items():
        try:
            driver_card(radio.driver)
        except ConfigError as err:
            raise ConfigError(f"{path}: radios.{name}.driver: {err}") from err
    return config


def find_bench(name_or_path: str | Path, home: Path | None = None, overrides: dict[str, Any] | None = None) -> BenchConfig:
    """Read a bench by path or bare name; see `hil.places` for where it is looked up.

    Raises:
        ConfigError: not found, or not a bench.
    """
    return load_bench(find("radios", name_or_path, ".toml", home), overrides)
