"""A bench: the radios at hand, their roles, links and limits. One TOML file."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, Self

from pydantic import ConfigDict, Field, PrivateAttr, model_validator

from hil.config import Config, load_toml
from hil.errors import ConfigError, TransmitRefusedError
from hil.home import find
from hil.radios.contract import RadioInfo

__all__ = [
    "BenchConfig", "LimitsConfig", "LinkConfig", "RadioConfig", "ReceiverConfig", "SimRadioConfig", "TapConfig",
    "TransmitterConfig", "check_transmit", "find_bench", "load_bench",
]  # fmt: skip


class TapConfig(Config):
    """One propagation path beside the first: extra delay and gain relative to it."""

    delay_s: float = Field(ge=0, le=1e-3)
    gain_db: float = Field(le=20)
    phase_deg: float = 0.0


class LinkConfig(Config):
    """What lies between one transmitter and the receiver, in a simulated air.

    Attributes:
        transmitter: index into `transmitters`.
        path_loss_db: of the direct path.
        delay_s: of the direct path.
        taps: further paths.
        fading: "none", or "rayleigh": a CN(0, 1) gain per `fading_block_s` on top.
        fading_block_s: how long the gain is constant.
    """

    transmitter: int = Field(ge=0)
    path_loss_db: float = Field(ge=0, le=200)
    delay_s: float = Field(default=0.0, ge=0, le=1e-3)
    taps: tuple[TapConfig, ...] = ()
    fading: Literal["none", "rayleigh"] = "none"
    fading_block_s: float = Field(default=0.05, gt=0)


class SimRadioConfig(Config):
    """Options of a simulated radio (`driver = "sim"`).

    Attributes:
        tx_channels: number of transmit channels, sharing one oscillator.
        rx_channels: number of receive channels.
        ppm: oscillator error, of carrier and sample clock alike; must be 0 on a shared clock.
        phase_noise: "off", "locked" (PLL-shaped) or "free" (Wiener); see `hil.channel.oscillator`.
        phase_noise_deg: rms of locked phase noise.
        loop_bandwidth_hz: of locked phase noise.
        linewidth_hz: of free-running phase noise.
        noise_figure_db: of the receiver, at every gain.
        dac_bits: transmit converter.
        adc_bits: receive converter.
        tx_gain_range_db: lowest, highest transmit gain.
        rx_gain_range_db: lowest, highest receive gain.
        gain_step_db: grid of both.
        tx_full_scale_dbm: output power of a full-scale tone at 0 dB transmit gain.
        rx_full_scale_dbm: input power that fills the converter at 0 dB receive gain.
        iq_gain_db: imbalance of the receiver's mixer.
        iq_phase_deg: imbalance of the receiver's mixer.
        dc_offset: I and Q leakage of the receiver, relative to full scale.
        tx_iq_gain_db: imbalance of the transmitter's mixer.
        tx_iq_phase_deg: imbalance of the transmitter's mixer.
        tx_dc_offset: I and Q leakage of the transmitter while it sends, relative to full scale.
        pa_saturation_dbfs: Rapp amplifier's largest output relative to the DAC's full scale; None = linear.
        pa_smoothness: Rapp's p.
        timed: has hardware time and timed transmission.
        cyclic: can repeat a buffer.
        start_jitter_s: an untimed burst starts up to this much late.
    """

    tx_channels: int = Field(default=1, ge=0, le=8)
    rx_channels: int = Field(default=1, ge=0, le=8)
    ppm: float = Field(default=0.0, ge=-200, le=200)
    phase_noise: Literal["off", "locked", "free"] = "locked"
    phase_noise_deg: float = Field(default=0.5, ge=0, le=30)
    loop_bandwidth_hz: float = Field(default=10e3, gt=0)
    linewidth_hz: float = Field(default=1.0, ge=0)
    noise_figure_db: float = Field(default=6.0, ge=0, le=60)
    dac_bits: int = Field(default=12, ge=2, le=16)
    adc_bits: int = Field(default=12, ge=2, le=16)
    tx_gain_range_db: tuple[float, float] = (-89.75, 0.0)
    rx_gain_range_db: tuple[float, float] = (0.0, 73.0)
    gain_step_db: float = Field(default=0.25, ge=0)
    tx_full_scale_dbm: float = 7.0
    rx_full_scale_dbm: float = 0.0
    iq_gain_db: float = 0.0
    iq_phase_deg: float = 0.0
    dc_offset: tuple[float, float] = (0.0, 0.0)
    tx_iq_gain_db: float = 0.0
    tx_iq_phase_deg: float = 0.0
    tx_dc_offset: tuple[float, float] = (0.0, 0.0)
    pa_saturation_dbfs: float | None = None
    pa_smoothness: float = Field(default=2.0, gt=0)
    timed: bool = True
    cyclic: bool = True
    start_jitter_s: float = Field(default=0.002, ge=0, le=1)


class RadioConfig(Config):
    """One radio: its driver, and the driver's own options as further keys."""

    model_config = ConfigDict(**{**Config.model_config, "extra": "allow"})

    driver: str
    _sim: SimRadioConfig | None = PrivateAttr(default=None)

    @property
    def options(self) -> dict[str, Any]:
        """The driver's own keys, which the driver checks."""
        return dict(self.model_extra or {})

    @model_validator(mode="after")
    def _check_options(self) -> Self:
        if self.driver == "sim":
            self._sim = SimRadioConfig.model_validate(self.options)
        return self

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
    """One transmitter: a channel of a radio, and the gain it starts with."""

    radio: str
    channel: int = Field(default=0, ge=0)
    gain_db: float = -30.0
    antenna: str | None = None


class ReceiverConfig(Config):
    """The receiver: a channel of a radio, and its fixed gain (automatic gain control stays off)."""

    radio: str
    channel: int = Field(default=0, ge=0)
    gain_db: float = 60.0
    antenna: str | None = None


class LimitsConfig(Config):
    """What the operator allows real transmitters. Virtual radios need none of it.

    Attributes:
        freq_ranges_hz: bands, lowest and highest frequency; the whole occupied band must lie in one.
        max_tx_gain_db: highest transmit gain; holds for virtual radios too.
        max_tx_dbm: highest output power of the transmitters at that gain.
        max_rx_dbm: highest input power that the receiver survives.
        min_path_loss_db: attenuation that is surely between them; max_tx − loss must stay 10 dB below max_rx.
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
        receiver: the one receiver.
        links: propagation, one per transmitter; simulated airs only.
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
        ends = [link.transmitter for link in self.links]
        if any(end >= len(self.transmitters) for end in ends) or len(set(ends)) != len(ends):
            raise ValueError(f"'links' must name each transmitter 0…{len(self.transmitters) - 1} at most once, not {ends}")
        most = self.limits.max_tx_gain_db
        if most is not None and any(tx.gain_db > most for tx in self.transmitters):
            raise ValueError(f"a transmitter's gain_db is above limits.max_tx_gain_db = {most:g}")
        if not 0 <= self.gap_s[0] <= self.gap_s[1]:
            raise ValueError(f"'gap_s' must be [shortest, longest], not {list(self.gap_s)}")
        simulated = {name: radio.sim for name, radio in self.radios.items() if radio.driver == "sim"}
        if self.clock == "shared" and any(radio.ppm for radio in simulated.values()):
            raise ValueError('\'ppm\' must be 0 for every radio when clock = "shared"; use clock = "independent"')
        if simulated and sorted(ends) != list(range(len(self.transmitters))):
            raise ValueError("simulated radios need one entry in 'links' for each transmitter")
        return self


def load_bench(path: Path, overrides: dict[str, Any] | None = None) -> BenchConfig:
    """Read a bench file; `overrides` maps dotted keys to values that replace the file's.

    Raises:
        ConfigError: missing, no TOML, or not a bench.
    """
    return load_toml(BenchConfig, path, overrides)


def find_bench(name_or_path: str | Path, home: Path | None = None, overrides: dict[str, Any] | None = None) -> BenchConfig:
    """Read a bench by path or bare name; see `hil.home` for where it is looked up.

    Raises:
        ConfigError: not found, or not a bench.
    """
    return load_bench(find("radios", name_or_path, ".toml", home), overrides)


def check_transmit(bench: BenchConfig, info: RadioInfo, consent: bool) -> None:
    """Refuse to drive a real transmitter without the operator's limits and consent.

    Raises:
        TransmitRefusedError: naming what is missing or exceeded, and where to set it.
    """
    if info.virtual:
        return
    limits = bench.limits
    if not consent:
        raise TransmitRefusedError(f"radio '{info.name}' would transmit: give --transmit to allow it")
    if not limits.freq_ranges_hz or limits.max_tx_gain_db is None or limits.max_tx_dbm is None:
        raise TransmitRefusedError(
            f"bench '{bench.name}' must set freq_ranges_hz, max_tx_gain_db and max_tx_dbm under [limits] before "
            f"radio '{info.name}' may transmit"
        )
    low, high = bench.center_freq_hz - bench.sample_rate_hz / 2, bench.center_freq_hz + bench.sample_rate_hz / 2
    if not any(start <= low and high <= end for start, end in limits.freq_ranges_hz):
        raise TransmitRefusedError(
            f"bench '{bench.name}': the band {low:.6g} … {high:.6g} Hz is outside limits.freq_ranges_hz "
            f"{[list(pair) for pair in limits.freq_ranges_hz]}"
        )
    if limits.max_rx_dbm is None or limits.min_path_loss_db is None:
        raise TransmitRefusedError(f"bench '{bench.name}' must set max_rx_dbm and min_path_loss_db under [limits]")
    if limits.max_tx_dbm - limits.min_path_loss_db > limits.max_rx_dbm - 10:
        raise TransmitRefusedError(
            f"bench '{bench.name}': max_tx_dbm {limits.max_tx_dbm:g} − min_path_loss_db {limits.min_path_loss_db:g} comes "
            f"within 10 dB of max_rx_dbm {limits.max_rx_dbm:g}; add attenuation"
        )
