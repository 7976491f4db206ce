"""What lies between radios that share one simulated air, and what each of them is like."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from hil.config import Config

__all__ = ["AirConfig", "FaultConfig", "FaultKind", "LinkConfig", "SimRadioConfig", "TapConfig", "Term", "VirtualConfig"]

Term = tuple[Annotated[int, Field(ge=0, le=16)], Annotated[int, Field(ge=0, le=64)], int, float, float]
FaultKind = Literal["drop", "overflow", "underflow", "late", "unlock", "disconnect", "slow"]


class TapConfig(Config):
    """One propagation path beside the first: extra delay and gain relative to it."""

    delay_s: float = Field(ge=0, le=1e-3)
    gain_db: float = Field(le=20)
    phase_deg: float = 0.0


class LinkConfig(Config):
    """What lies between one transmitter and one receiver, in a simulated air.

    Attributes:
        transmitter: index into `transmitters`.
        receiver: name of the receiver. None is for benches with one: where there are several, every link must say whose it
            is, as one that is silently taken for all would give far receivers the path of the near one.
        path_loss_db: of the direct path.
        delay_s: of the direct path and of whatever a chain of radios delays beside.
        taps: further paths.
        fading: "none", or "rayleigh": a CN(0, 1) gain per `fading_block_s` on top.
        fading_block_s: how long the gain is constant.
    """

    transmitter: int = Field(ge=0)
    receiver: str | None = None
    path_loss_db: float = Field(ge=0, le=200)
    delay_s: float = Field(default=0.0, ge=0, le=0.05)
    taps: tuple[TapConfig, ...] = ()
    fading: Literal["none", "rayleigh"] = "none"
    fading_block_s: float = Field(default=0.05, gt=0)


class SimRadioConfig(Config):
    """Options of a simulated radio.

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
        pa_terms: coefficients [order, delay, lag, re, im] of an amplifier with memory, full scale 1
            (`hil.channel.frontend.memory_polynomial`); not of virtual radios, which see a signal in pieces.
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
    pa_terms: tuple[Term, ...] = ()
    timed: bool = True
    cyclic: bool = True
    start_jitter_s: float = Field(default=0.002, ge=0, le=1)


class VirtualConfig(SimRadioConfig):
    """One radio that `hil air` serves in its vendor's wire protocol, in the place of the device.

    Attributes:
        host: loopback address to serve on; drivers must be pointed at it.
        port: TCP port, where the protocol has one of its choice; 0 = the protocol's own.
        serial: of the device; default "hil-" and the radio's name.
        source: what its receivers deliver: "air", or "ramp": a counter (`hil.radios.virtual.ramp`), for tests of transport.
        temperature_c: what its sensor says, where the device has one.
        rate_error_hz: the sample rate comes to so much beside the one asked for, and reads back so: a clock tree that cannot
            divide to it. Not of USRPs, whose rates are whole fractions of their clock.
        carrier_error_hz: the same of the carrier, in both directions.
        pa_terms: none; left out of what is stored, so that checksums of benches stay.
    """

    host: str = "127.0.0.1"
    port: int = Field(default=0, ge=0, le=65535)
    serial: str | None = None
    source: Literal["air", "ramp"] = "air"
    temperature_c: float = Field(default=36.5, ge=-55, le=125)
    rate_error_hz: float = Field(default=0.0, ge=-1000, le=1000)
    carrier_error_hz: float = Field(default=0.0, ge=-1e6, le=1e6)
    pa_terms: tuple[Term, ...] = Field(default=(), exclude=True)

    @model_validator(mode="after")
    def _no_memory(self) -> Self:
        if self.pa_terms:
            raise ValueError("'pa_terms' is for simulated radios; a virtual one has pa_saturation_dbfs")
        return self


class FaultConfig(Config):
    """A fault that the air injects into one virtual radio.

    Attributes:
        radio: its name.
        kind: "drop" receive packets or buffers vanish; "overflow" receive samples are lost; "underflow" the transmitter
            runs dry; "late" the next timed command is late; "unlock" the reference is not locked; "disconnect" the
            connection is cut; "slow" the host appears not to read or write.
        at_s: air time; 0 = at once.
        count: of drop, overflow, underflow, late, disconnect: how many times.
        samples: of overflow, underflow: how many samples each time.
        duration_s: of unlock, slow: how long.
    """

    radio: str
    kind: FaultKind
    at_s: float = Field(default=0.0, ge=0)
    count: int = Field(default=1, ge=1, le=1_000_000)
    samples: int = Field(default=1000, ge=1, le=1 << 30)
    duration_s: float = Field(default=0.1, gt=0, le=3600)


class AirConfig(Config):
    """The process that serves a bench's virtual radios (`hil air`).

    Attributes:
        pace: "realtime": samples take the time that they take; "free": faster wherever every client only waits; "stepped": time
            passes only there, so that a run gets the same samples each time, however busy the machine.
        control_port: TCP port of `hil air --status` and of fault commands; 0 = any free one.
        faults: to be injected.
    """

    pace: Literal["realtime", "free", "stepped"] = "realtime"
    control_port: int = Field(default=30400, ge=0, le=65535)
    faults: tuple[FaultConfig, ...] = ()
