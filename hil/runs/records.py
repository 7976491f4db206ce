"""Calibration records at work: which one holds for a bench, what a run takes from it, and whether it is still true."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hil.calibration.estimates import clocks_of, received, snr_of
from hil.calibration.levels import Level
from hil.calibration.links import LinkCalibration
from hil.calibration.quiet import measure_quiet
from hil.calibration.record import CalibrationRecord, LinkRecord, read_record, records_of
from hil.calibration.sounding import LOWEST_DB, LinkSounder
from hil.errors import RecordError
from hil.phy.frame import FrameConfig
from hil.phy.mixer import Mixer
from hil.places import folders
from hil.points.on_air import AirRun
from hil.points.spec import frame_for, receiver_for
from hil.radios.bench import BenchConfig
from hil.radios.preflight import preflight
from hil.radios.session import Bench

__all__ = [
    "FRESH_S",
    "CheckedLink",
    "ChosenRecord",
    "check_record",
    "choose_record",
    "find_records",
    "latest_record",
    "links_from",
    "why_not",
]

FRESH_S = 24 * 3600.0
"""Age at which a record of real radios is stale; virtual ones do not age."""
HOLDS_DB = 0.5
HOLDS_PPM = 0.5
"""What a link may have changed by since."""
_FRAMES = 12
_QUIET_SAMPLES = 65536


def find_records(bench: str, home: Path | None = None) -> list[Path]:
    """Every record of a bench by name, oldest first: of ``--home``, the current directory, and those that come with `hil`."""
    found = [path for folder in folders("calibration", home) for path in records_of(folder, bench)]
    return sorted({path.resolve(): path for path in found}.values(), key=lambda path: path.name)


def latest_record(bench: str, home: Path | None = None) -> tuple[CalibrationRecord, Path]:
    """The newest record of a bench.

    Raises:
        RecordError: there is none, or it is damaged.
    """
    found = find_records(bench, home)
    if not found:
        raise RecordError(f"bench '{bench}' has no calibration record; make one with: hil calibrate {bench} --snr DB")
    return read_record(found[-1]), found[-1]


def why_not(record: CalibrationRecord, bench: Bench, asked: BenchConfig, frame: FrameConfig, now_s: float | None = None) -> str:
    """Why a record does not hold for an open bench, in words; "" where it does.

    Args:
        record: to be used.
        bench: open.
        asked: its configuration as it was read.
        frame: of what is to be sent.
        now_s: Unix time; None: now.
    """
    described = bench.describe()
    known = record.differs(
        digest=asked.digest(),
        serials={name: one["info"]["serial"] for name, one in described.items()},
        rate_hz=bench.sample_rate_hz,
        carrier_hz=bench.true_config.center_freq_hz,
    )
    if known:
        return known
    if record.active_carriers != frame.numerology.carriers:
        return "it is of other carriers"
    age = (time.time() if now_s is None else now_s) - record.unix_s
    if not bench.virtual and age > FRESH_S:
        return f"it is {age / 3600:.0f} hours old, and holds for {FRESH_S / 3600:.0f}"
    missing = [f"{tx}:{name}" for name in bench.receivers for tx in range(bench.transmitters) if record.link(tx, name) is None]
    return f"it has no link {missing[0]}" if missing else ""


def links_from(record: CalibrationRecord, receivers: Sequence[str], frame: FrameConfig) -> list[LinkCalibration]:
    """The links of a record as a run uses them, for frames of another digital scale, too."""
    by_scale = frame.digital_rms_dbfs - record.digital_rms_dbfs
    wanted = [one for name in receivers for one in record.links if one.receiver == name]
    return [
        LinkCalibration(
            tx=one.tx,
            receiver=one.receiver,
            gain_db=one.tx_gain_db - one.back_off_db,
            snr_db=one.snr_db + by_scale,
            snr_db_std=(one.snr_db_ci[1] - one.snr_db_ci[0]) / 4,
            cfo_hz=one.cfo_hz,
            noise_dbfs=one.noise_dbfs,
            frames=one.frames_received,
        )
        for one in sorted(wanted, key=lambda one: (receivers.index(one.receiver), one.tx))
    ]


@dataclass(frozen=True, kw_only=True)
class ChosenRecord:
    """A record that a run is to use.

    Attributes:
        record, path: which.
        demanded: asked for by name: it is refused where it does not hold. Else the run calibrates for itself.
        at_s: Unix time that its age is counted to; None: now.
    """

    record: CalibrationRecord
    path: Path
    demanded: bool = False
    at_s: float | None = None

    def why_not(self, bench: Bench, asked: BenchConfig, frame: FrameConfig) -> str:
        """As `why_not`.

        Raises:
            RecordError: a demanded record does not hold.
        """
        why = why_not(self.record, bench, asked, frame, self.at_s)
        if why and self.demanded:
            raise RecordError(
                f"the calibration record {self.path} does not hold for bench '{asked.name}': {why}; make a new one with "
                "hil calibrate, or let the run calibrate with --recalibrate"
            )
        return why

    def give(self, air: AirRun, frame: FrameConfig) -> None:
        """Let a run on the air have it in the place of a calibration."""
        delays = {(one.tx, one.receiver): one.delay_samples for one in self.record.links if one.delay_samples is not None}
        air.adopt(links_from(self.record, tuple(air.receivers), frame), delays, self.about())

    def about(self) -> dict[str, str]:
        """Which record, for a capture and for provenance."""
        return {"record": str(self.path), "date": self.record.date}


def choose_record(
    bench: BenchConfig, home: Path | None, *, given: str | Path | None = None, recalibrate: bool = False
) -> ChosenRecord | None:
    """The record that a run on a bench is to use: the one given, else the newest of that bench's name; None for none.

    Raises:
        RecordError: the one given is no record.
    """
    if given is not None:
        return ChosenRecord(record=read_record(Path(given)), path=Path(given), demanded=True)
    found = [] if recalibrate else find_records(bench.name, home)
    try:
        return ChosenRecord(record=read_record(found[-1]), path=found[-1]) if found else None
    except RecordError:
        return None  # somebody's notes: not asked for


@dataclass(frozen=True, kw_only=True)
class CheckedLink:
    """A link as it is now, against its record.

    Attributes:
        link: "TX:RX"; holds: nothing has changed beyond what is allowed; why: what has, in words.
        snr_db, cfo_hz, noise_dbfs: now; NaN where the link is not heard.
        change_db: of the SNR since; frames: received.
    """

    link: str
    holds: bool
    why: str
    snr_db: float
    change_db: float
    cfo_hz: float
    noise_dbfs: float
    frames: int


def check_record(record: CalibrationRecord, bench_config: BenchConfig, *, transmit: bool = False) -> list[CheckedLink]:
    """Sound the links of a record quickly at its gains: is it still true?

    Args:
        record: of the bench.
        bench_config: the bench.
        transmit: real transmitters may send.

    Raises:
        RecordError: the record is of another bench.
    """
    preflight(bench_config, consent=transmit)
    with Bench(bench_config, transmit=transmit) as bench:
        receiver = receiver_for(bench.true_config)
        frame = frame_for(receiver, LOWEST_DB)
        why = why_not(record, bench, bench_config, frame, record.unix_s)
        if why and not why.startswith("it has no link"):
            raise RecordError(f"the record of {record.date} does not hold for bench '{bench_config.name}': {why}")
        found = []
        for one in record.links:
            sounder = LinkSounder(bench, one.tx, one.receiver, frame, receiver, lambda got, frames: None)
            found.append(_checked(sounder, one))
            bench.set_tx_gain(one.tx, bench.tx_gain_range(one.tx).low)
    return found


def _checked(sounder: LinkSounder, then: LinkRecord) -> CheckedLink:
    quiet = measure_quiet(sounder.quiet(_QUIET_SAMPLES), sounder.form.numerology, sounder.bench.sample_rate_hz)
    sounder.correct(Mixer(dc_i=quiet.dc.real, dc_q=quiet.dc.imag))
    sounder.set_level(Level(gain_db=then.tx_gain_db, back_off_db=then.back_off_db))
    looks = sounder.sound(_FRAMES, search=True)
    snr = snr_of(looks, sounder.form, sounder.config)
    if snr is None:
        return CheckedLink(
            link=then.link, holds=False, why="it is not heard", snr_db=math.nan, change_db=math.nan, cfo_hz=math.nan,
            noise_dbfs=quiet.dbfs, frames=len(received(looks)),
        )  # fmt: skip
    cfo_hz = clocks_of(looks, sounder.form).cfo_hz
    change = snr.silence - then.snr_db
    doubt = math.hypot((snr.silence_ci[1] - snr.silence_ci[0]) / 2, (then.snr_db_ci[1] - then.snr_db_ci[0]) / 2)
    moved = (cfo_hz - then.cfo_hz) / sounder.bench.true_config.center_freq_hz * 1e6
    told = []
    if abs(change) > HOLDS_DB + doubt:
        told.append(f"its SNR changed by {change:+.2f} dB")
    if abs(moved) > HOLDS_PPM:
        told.append(f"its carrier moved by {moved:+.2f} ppm")
    if abs(quiet.dbfs - then.noise_dbfs) > HOLDS_DB:
        told.append(f"the noise changed by {quiet.dbfs - then.noise_dbfs:+.2f} dB")
    return CheckedLink(
        link=then.link, holds=not told, why="; ".join(told), snr_db=snr.silence, change_db=change, cfo_hz=cfo_hz,
        noise_dbfs=quiet.dbfs, frames=snr.frames,
    )  # fmt: skip
