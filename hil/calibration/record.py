"""Calibration records: TOML that a person can read, one file a calibration of a bench, newest last by name."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from hil.config import Config, load_toml, to_toml
from hil.errors import ConfigError, RecordError
from hil.files import free_name, replace_file

__all__ = [
    "RECORD_VERSION", "CalibrationRecord", "CurvePoint", "LinkRecord", "NoisePoint", "RadioRecord", "read_record",
    "record_path", "records_of", "write_record",
]  # fmt: skip

RECORD_VERSION = 1
_HEAD = """\
# Calibration record, written by `hil calibrate`. dB, Hz and samples; `…_ci` are 95 % intervals. SNR as SIGNALS.md defines it.
"""
Interval = tuple[float, float]


class CurvePoint(Config):
    """One step of the transmit-gain → SNR curve.

    Attributes:
        gain_db: transmit gain.
        snr_db: by silence; snr_data_db: by the error of a known payload, in which distortion shows. None: not received.
        clipped: share of samples at the receiver's rails.
    """

    gain_db: float
    snr_db: float | None = None
    snr_data_db: float | None = None
    clipped: float = 0.0


class NoisePoint(Config):
    """Noise a carrier at one receive gain."""

    rx_gain_db: float
    noise_dbfs: float


class RadioRecord(Config):
    """A radio as it was.

    Attributes:
        driver, serial: of the device.
        sample_rate_hz, center_freq_hz: as read back.
        sensors: what it told: locks, temperature.
    """

    driver: str
    serial: str
    sample_rate_hz: float
    center_freq_hz: float
    sensors: dict[str, float | bool | str] = Field(default_factory=dict)


class LinkRecord(Config):
    """One link.

    Attributes:
        link: "TX:RX"; tx, receiver: the same apart.
        snr_db_target, snr_db, snr_db_ci: asked for, and measured with fresh frames, by the noise in silence.
        snr_pilots_db, snr_data_db: the same SNR by the errors of pilots and of a known payload.
        snr_eff_db: −EVM, estimation loss included.
        preamble_snr_db: of the preamble, which is sent at the payload's power.
        tx_gain_db, back_off_db: what gives it: the radio's gain, and digital back-off on top of it.
        converter_bits_lost: what the back-off costs of the transmit converter.
        tx_gain_range_db, tx_gain_limit_db: the radio's gains, and the bench's limit, if it has one.
        rx_gain_db: of the receiver.
        reachable_db: SNRs between the lowest level and the greatest gain, by the curve.
        noise_dbfs, noise_by_rx_gain: noise a carrier, and its change with receive gain.
        cfo_hz, cfo_ppm, cfo_drift_hz_s, cfo_search_hz: carrier offset (transmitter minus receiver), its change, what was
            searched.
        clock_ppm: sample-clock offset; None: on a shared clock it is not looked for.
        delay_samples, delay_jitter_samples, delay_spread_samples: mean delay (None: nothing tells when bursts were sent), its
            scatter over frames, and the link's spread.
        response_db: |H|² of each active carrier relative to the mean; carrier_snr_db: SNR of each; carrier_snr_spread_db: their
            standard deviation.
        observed_over_stated, observed_by_carrier: error power on known cells of the target's frames over what the receiver
            stated (SIGNALS.md, "Stated against observed"), whole and on each active carrier.
        rx_dc_dbfs, tx_dc_dbc: DC offset of the receiver, LO leakage of the transmitter relative to its signal.
        rx_image_db, tx_image_db: image of a mixer relative to the signal; images_apart: False where a carrier offset is missing
            that would tell the sides apart: then both hold what both make together.
        curve, linear_range_db: SNR by transmit gain, and the gains between which it follows.
        cfo_times_s, cfos_hz: offsets of single frames.
        frames_sent, frames_received: at the target; seconds: that the link took.
        warnings: what does not fit.
    """

    link: str
    tx: int
    receiver: str
    snr_db_target: float
    snr_db: float
    snr_db_ci: Interval
    snr_pilots_db: float
    snr_pilots_db_ci: Interval
    snr_data_db: float
    snr_data_db_ci: Interval
    snr_eff_db: float
    preamble_snr_db: float
    tx_gain_db: float
    back_off_db: float
    converter_bits_lost: float
    tx_gain_range_db: Interval
    tx_gain_limit_db: float | None = None
    rx_gain_db: float
    reachable_db: Interval
    noise_dbfs: float
    noise_dbfs_ci: Interval
    noise_by_rx_gain: tuple[NoisePoint, ...] = ()
    cfo_hz: float
    cfo_hz_ci: Interval
    cfo_ppm: float
    cfo_drift_hz_s: float
    cfo_drift_hz_s_ci: Interval
    cfo_search_hz: float
    clock_ppm: float | None = None
    clock_ppm_ci: Interval | None = None
    delay_samples: float | None = None
    delay_samples_ci: Interval | None = None
    delay_jitter_samples: float | None = None
    delay_spread_samples: float
    response_db: tuple[float, ...]
    carrier_snr_db: tuple[float, ...]
    carrier_snr_spread_db: float
    observed_over_stated: float
    observed_by_carrier: tuple[float, ...]
    rx_dc_dbfs: float
    tx_dc_dbc: float
    rx_image_db: float
    tx_image_db: float
    images_apart: bool
    curve: tuple[CurvePoint, ...] = ()
    linear_range_db: Interval | None = None
    cfo_times_s: tuple[float, ...] = ()
    cfos_hz: tuple[float, ...] = ()
    frames_sent: int
    frames_received: int
    seconds: float = 0.0
    warnings: tuple[str, ...] = ()


class CalibrationRecord(Config):
    """A calibration of a bench.

    Attributes:
        version: of this format.
        bench, bench_sha256: its name, and the checksum of its file's content (`BenchConfig.digest`).
        date: local time, ISO 8601; unix_s: the same as a number.
        snr_db_target: asked for.
        sample_rate_hz, center_freq_hz: as read back from the first receiver's radio.
        active_carriers: signed indices; digital_rms_dbfs: level of frames before back-off.
        capture, capture_sha256: file beside this one that holds every sample heard; None: it was not kept.
        software: version, commit, packages.
        radios: by name.
        links: in the order in which they were calibrated.
    """

    version: Literal[1] = 1
    bench: str
    bench_sha256: str
    date: str
    unix_s: float
    snr_db_target: float
    sample_rate_hz: float
    center_freq_hz: float
    active_carriers: tuple[int, ...]
    digital_rms_dbfs: float
    capture: str | None = None
    capture_sha256: str | None = None
    software: dict[str, Any] = Field(default_factory=dict)
    radios: dict[str, RadioRecord]
    links: tuple[LinkRecord, ...] = Field(min_length=1)

    def link(self, tx: int, receiver: str) -> LinkRecord | None:
        """The record of one link; None where it was not calibrated."""
        return next((one for one in self.links if (one.tx, one.receiver) == (tx, receiver)), None)

    def differs(self, *, digest: str, serials: Mapping[str, str], rate_hz: float, carrier_hz: float) -> str:
        """Why the record is not of this bench, in words; "" where it is.

        Args:
            digest: of the bench.
            serials: by radio.
            rate_hz, carrier_hz: as read back.
        """
        for name, serial in serials.items():
            known = self.radios.get(name)
            if known is None:
                return f"it has no radio '{name}'"
            if known.serial != serial:
                return f"radio '{name}' was {known.serial} and is {serial} now"
        for what, then, now in (
            ("sample_rate_hz", self.sample_rate_hz, rate_hz),
            ("center_freq_hz", self.center_freq_hz, carrier_hz),
        ):
            if abs(then - now) > 1.0:
                return f"{what} was {then:.10g} and is {now:.10g} now"
        if self.bench_sha256 != digest:
            return f"the file of bench '{self.bench}', or the seed of its simulated air, is another than it was then"
        return ""


def record_path(folder: Path, bench: str) -> Path:
    """A path for a new record: ``folder/bench/DATE.toml``, with a number where that is taken."""
    base = folder / bench / time.strftime("%Y-%m-%dT%H%M%S.toml")
    return next(path for path in free_name(base, ".toml") if not (path.exists() or path.with_suffix(".h5").exists()))


def write_record(path: Path, record: CalibrationRecord) -> None:
    """Write a record, whole or not at all.

    Raises:
        OutputError: it cannot be written.
    """
    replace_file(path, (_HEAD + to_toml(record)).encode())


def read_record(path: Path) -> CalibrationRecord:
    """Read a record.

    Raises:
        RecordError: it is none, or of a newer version.
    """
    try:
        return load_toml(CalibrationRecord, path)
    except ConfigError as err:
        raise RecordError(f"{path} is no calibration record of version {RECORD_VERSION}: {err}") from err


def records_of(folder: Path, bench: str) -> list[Path]:
    """The records of a bench in a folder of records, oldest first."""
    return sorted((folder / bench).glob("*.toml"))
