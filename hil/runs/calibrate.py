"""`hil calibrate`: each link alone, measured, brought to an SNR, verified; a dated record and the samples behind it."""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hil.calibration.causes import check_locks
from hil.calibration.describe import constellation_of, describe_link
from hil.calibration.levels import Levels
from hil.calibration.loop import Loop
from hil.calibration.quiet import NoiseAtGain, noise_by_gain
from hil.calibration.record import CalibrationRecord, LinkRecord, RadioRecord, record_path, write_record
from hil.calibration.sounding import GROUP, LOWEST_DB, Keep, LinkSounder, sounding_format
from hil.captures import CaptureWriter
from hil.config import validate
from hil.errors import CalibrationError, ConfigError, HilError
from hil.files import check_writable
from hil.interrupts import uninterrupted
from hil.phy.receive import FrameReception, ReceiverConfig
from hil.points.clips import clipped
from hil.points.keep import keep_frames, sounding_row
from hil.points.spec import frame_for, receiver_for
from hil.provenance import provenance
from hil.radios.bench import BenchConfig
from hil.radios.burst import BurstReception
from hil.radios.limits import check_burst
from hil.radios.preflight import preflight
from hil.radios.session import Bench
from hil.runs.config import CalibrateConfig
from hil.runs.face import bench_of, given_settings
from hil.runs.folder import capture_place
from hil.runs.progress import Progress, Report, Silent

__all__ = ["FOLDER", "Calibrated", "calibrate", "calibrate_bench", "links_of"]

FOLDER = Path("calibration")
"""Where records go: ``calibration/BENCH/DATE.toml`` of the current directory."""
_LOOKS = 60
"""About so many frames a link beside those that figures rest on, for the progress bar."""
FADING_FRAMES = 400
"""Frames over which a link that fades is measured: 5 % of its mean power, 0.2 dB."""


@dataclass(frozen=True, kw_only=True)
class Calibrated:
    """A calibration that was made.

    Attributes:
        record: what was found; path: its file; capture: the samples behind it.
        failures: link -> why it was not brought to the target.
        constellations: link -> payload symbols at the target before and after equalisation, complex64 [n].
    """

    record: CalibrationRecord
    path: Path
    capture: Path
    failures: Mapping[str, HilError]
    constellations: Mapping[str, tuple[NDArray[np.complex64], NDArray[np.complex64]]]


def calibrate(
    bench: str | None = None,
    *,
    config: str | Path | None = None,
    out: str | Path = FOLDER,
    transmit: bool = False,
    home: Path | None = None,
    report: Report | None = None,
    **settings: Any,
) -> Calibrated:
    """Bring each link of a bench to an SNR by transmit gain, and write down what it is like.

    Args:
        bench: name or path; None: the file's, or the built-in one.
        config: a TOML file of `hil.runs.config.CalibrateConfig`.
        out: folder of records; the record is ``out/BENCH/DATE.toml``, with its capture beside it.
        transmit: allow real transmitters to send, within the bench file's limits.
        home: the user's bench folder.
        report: told how far it is.
        settings: of `hil.runs.config.CalibrateConfig`: ``snr_db``, ``links``, ``frames``, ….

    Returns:
        the record and where it lies. Links that could not be brought to the target are in `failures`, if another one was.

    Raises:
        CalibrationError: no link was brought to the target; of the first one.
        HilError: what else stopped it; no record is written.
    """
    asked = validate(CalibrateConfig, given_settings(config, settings, bench, "hil calibrate"), "hil calibrate")
    return calibrate_bench(asked, bench_of(asked, home), Path(out), report=report or Silent(), transmit=transmit)


def links_of(config: CalibrateConfig, bench: BenchConfig) -> list[tuple[int, str]]:
    """The links asked for.

    Raises:
        ConfigError: one that the bench does not have.
    """
    if not config.links:
        return [(tx, bench.receiver.name) for tx in range(len(bench.transmitters))]
    found = []
    for text in config.links:
        tx, _, receiver = text.partition(":")
        if not tx.isdigit() or int(tx) >= len(bench.transmitters):
            raise ConfigError(
                f"--link must be TX:RX with a transmitter 0…{len(bench.transmitters) - 1} and a receiver of bench "
                f"'{bench.name}', such as 0:{bench.receiver.name}, not {text!r}"
            )
        found.append((int(tx), bench.receiver_named(receiver or None).name))
    return found


def calibrate_bench(
    config: CalibrateConfig, bench_config: BenchConfig, out: Path, *, report: Report, transmit: bool = False
) -> Calibrated:
    """`calibrate` on a bench at hand."""
    links = links_of(config, bench_config)
    preflight(bench_config, consent=transmit)
    receiver = receiver_for(bench_config, config.receiver)
    frame = frame_for(receiver, LOWEST_DB, given=config.frame)
    check_burst(bench_config, sounding_format(frame).samples / bench_config.sample_rate_hz)
    check_writable(out)
    path = record_path(out, bench_config.name)
    with capture_place(path.with_suffix(".h5")) as capture:
        try:
            with Bench(bench_config, transmit=transmit) as bench:
                receiver = receiver_for(bench.true_config, config.receiver)
                with _writer(capture, config, bench) as writer:
                    session = _Session(config, bench, writer, frame, receiver, report)
                    found, failures = session.links(links)
                    record = session.record(found, bench_config, capture.name)
                    writer.finish({"calibration": record.model_dump(mode="json") if record else None})
            if record is None:
                raise next(iter(failures.values()))
            with uninterrupted():
                record = record.model_copy(update={"capture_sha256": hashlib.sha256(capture.read_bytes()).hexdigest()})
                write_record(path, record)
        except (KeyboardInterrupt, SystemExit):
            if not path.exists():
                capture.unlink(missing_ok=True)
            raise
    return Calibrated(record=record, path=path, capture=capture, failures=failures, constellations=session.constellations)


def _writer(capture: Path, config: CalibrateConfig, bench: Bench) -> CaptureWriter:
    return CaptureWriter.create(
        capture,
        config={"calibrate": config.model_dump(mode="json"), "bench": bench.true_config.model_dump(mode="json")},
        provenance=provenance(),
        models={},
        receivers=bench.receivers,
        transmitters=bench.transmitters,
    )


class _Session:
    """The links of one calibration, one after the other."""

    def __init__(
        self,
        config: CalibrateConfig,
        bench: Bench,
        writer: CaptureWriter,
        frame: Any,
        receiver: ReceiverConfig,
        report: Report,
    ) -> None:
        self.config, self.bench, self.writer, self.report = config, bench, writer, report
        self.frame, self.receiver = frame, receiver
        self._noise: dict[str, list[NoiseAtGain]] = {}
        self.constellations: dict[str, tuple[NDArray[np.complex64], NDArray[np.complex64]]] = {}
        self._number = 0

    def links(self, links: Sequence[tuple[int, str]]) -> tuple[list[LinkRecord], dict[str, HilError]]:
        """Calibrate each; what was found, and why others were not brought to the target."""
        self._check_locks()
        self.report.say(f"calibrating {', '.join(f'{tx}:{name}' for tx, name in links)} to {self.config.snr_db:g} dB")
        found: list[LinkRecord] = []
        failures: dict[str, HilError] = {}
        with self.report.stage("sounding", (_LOOKS + self.config.frames) * len(links)) as progress:
            for tx, name in links:
                try:
                    found.append(self._link(tx, name, progress))
                except CalibrationError as err:
                    failures[f"{tx}:{name}"] = err
                    self.report.say(f"  {err}")
                finally:
                    self._quieten(tx)
        self._check_locks()
        return found, failures

    def _check_locks(self) -> None:
        check_locks(self.bench.describe(), external=self.bench.config.clock_source not in (None, "internal"))

    def _quieten(self, tx: int) -> None:
        """A link that was measured is left at its lowest gain: the next one is sounded alone."""
        self.bench.set_tx_gain(tx, self.bench.tx_gain_range(tx).low)

    def _link(self, tx: int, name: str, progress: Progress) -> LinkRecord:
        bench, began = self.bench, time.monotonic()
        point = self.writer.add_point(
            f"calibration {tx}:{name}",
            attrs={"kind": "calibration", "link": f"{tx}:{name}", "radios": bench.describe()},
            symbols=np.zeros((bench.transmitters, 0, 1), np.complex64),
            labels={},
            receivers=[name],
        )
        sounder = LinkSounder(
            bench, tx, name, self.frame, self.receiver, self._keep(point, tx, name),
            first_frame=self._number, group=1 if self._fades(tx, name) else GROUP, advance=lambda: progress(1),
        )  # fmt: skip
        levels = Levels(gains=bench.tx_gain_range(tx), radio_high_db=self._radio_high(tx))
        reach_hz = max(self.receiver.max_cfo_hz, bench.sample_rate_hz / (3 * self.frame.preamble_samples))
        fades = self._fades(tx, name)
        frames = max(self.config.frames, FADING_FRAMES) if fades else self.config.frames
        loop = Loop(sounder=sounder, levels=levels, search_hz=reach_hz, frames=frames, fading=fades)
        try:
            loop.listen()
            loop.hear()
            at_aim = loop.measure()
            curve = loop.curve(at_aim.silence)
            met = loop.meet(at_aim.silence, self.config.snr_db)
            if name not in self._noise:
                self._noise[name] = self._by_gain(sounder, name)
        finally:
            self._number = sounder.number
        record = describe_link(loop, at_aim, curve, met, self.config.snr_db, self._noise[name])
        record = record.model_copy(update={"seconds": round(time.monotonic() - began, 2)})
        self.constellations[record.link] = constellation_of(loop, met)
        self.report.say(
            f"  link {record.link}: {record.snr_db:.2f} dB [{record.snr_db_ci[0]:.2f}, {record.snr_db_ci[1]:.2f}] at gain "
            f"{record.tx_gain_db:g} dB, {len(sounder.looks)} frames in {record.seconds:.1f} s"
        )
        return record

    def _fades(self, tx: int, name: str) -> bool:
        """Whether the bench file says that a link fades."""
        return any(
            link.fading != "none" and link.transmitter == tx and link.receiver in (None, name)
            for link in self.bench.config.links
        )

    def _radio_high(self, tx: int) -> float:
        return float(self.bench.radios[self.bench.config.transmitters[tx].radio].info.tx_gain_db.high)

    def _by_gain(self, sounder: LinkSounder, name: str) -> list[NoiseAtGain]:
        radio = self.bench.radios[self.bench.config.receiver_named(name).radio]
        return noise_by_gain(
            sounder.quiet,
            lambda gain: self.bench.set_rx_gain(gain, name),
            radio.info.rx_gain_db,
            self.bench.rx_gain(name),
            sounder.form.numerology,
            self.bench.sample_rate_hz,
        )

    def _keep(self, point: int, tx: int, name: str) -> Keep:
        full_scale = self.bench.full_scales[name]

        def keep(got: BurstReception, frames: Sequence[tuple[int, FrameReception | None]]) -> None:
            part = got.heard[name]
            rows = []
            for number, frame in frames:
                row = sounding_row(frame, number, part.start, whole=got.whole)
                for key in {"snr_db", "cfo_hz"} & set(row):  # a frame of one transmitter, in a capture of all
                    values = [math.nan] * self.bench.transmitters
                    values[tx] = row[key][0]
                    row[key] = values
                rows.append(row | clipped(part.samples, full_scale))
            keep_frames(self.writer, got, point, "sounding", [number for number, _ in frames], {name: rows})

        return keep

    def record(self, links: Sequence[LinkRecord], bench_config: BenchConfig, capture: str) -> CalibrationRecord | None:
        """The record of the links that were brought to the target; None without one."""
        if not links:
            return None
        software = provenance()
        return CalibrationRecord(
            bench=bench_config.name,
            bench_sha256=bench_config.digest(),
            date=time.strftime("%Y-%m-%dT%H:%M:%S%z"),
            unix_s=round(time.time(), 3),
            snr_db_target=self.config.snr_db,
            sample_rate_hz=self.bench.sample_rate_hz,
            center_freq_hz=self.bench.true_config.center_freq_hz,
            active_carriers=self.frame.numerology.carriers,
            digital_rms_dbfs=self.frame.digital_rms_dbfs,
            capture=capture,
            software={key: software[key] for key in ("version", "commit", "packages") if software[key] is not None},
            radios={name: _radio(one) for name, one in self.bench.describe().items()},
            links=tuple(links),
        )


def _radio(described: Mapping[str, Any]) -> RadioRecord:
    return RadioRecord(
        driver=described["info"]["driver"],
        serial=described["info"]["serial"],
        sample_rate_hz=described["applied"]["sample_rate_hz"],
        center_freq_hz=described["applied"]["center_freq_hz"],
        sensors=described["sensors"],
    )
