"""Plan -> air -> capture -> score: one run."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hil.calibration.levels import Level
from hil.captures import CaptureWriter, ContinuedWriter
from hil.errors import RadioTimeoutError
from hil.models.contract import Sent
from hil.points.contender import Contender
from hil.points.flight import Flight, OnAir
from hil.points.on_air import AirRun
from hil.points.order import in_order
from hil.points.receive import combined_sha256
from hil.points.rounds import FLAGS
from hil.points.spec import PointSpec
from hil.provenance import provenance
from hil.radios.bench import BenchConfig
from hil.radios.session import Bench
from hil.results.document import Noise, ResultsDocument, Row
from hil.results.repeats import repeated_points
from hil.runs.ahead import Ahead
from hil.runs.beside import Beside, beside_point, steps_of
from hil.runs.config import RunConfig
from hil.runs.document import document
from hil.runs.forecast import tell_plan, tell_simulation
from hil.runs.plan import check_scorable, drawn_fade, fading_of, plan_points, receivers_of, repeated
from hil.runs.pooled import NoiseBook
from hil.runs.progress import Progress, Report
from hil.runs.records import ChosenRecord
from hil.runs.steps import Measured, cut_short, point_key, score_point
from hil.runs.unaligned import superposed_on_free_oscillators
from hil.runs.work import Work, point_labels
from hil.timing import timed

__all__ = ["run_on_air"]

Save = Callable[[ResultsDocument], None]


def run_on_air(
    config: RunConfig,
    bench_config: BenchConfig,
    work: Work,
    *,
    capture: Path,
    report: Report,
    save: Save,
    given: Mapping[str, Any] | None = None,
    transmit: bool = False,
    record: ChosenRecord | None = None,
    resume: bool = False,
) -> ResultsDocument:
    """Measure all points over the air of a bench, keep every sample, score, simulate beside it.

    Args:
        config: what is measured, resolved.
        bench_config: on which radios.
        work: data set, tasks, schemes and goals.
        capture: file to make.
        report: told what happens.
        save: called with the document, also with what was measured before the run was stopped or failed.
        given: what was asked for of the configuration.
        transmit: the operator allows real transmitters to send.
        record: a calibration record to be used, if it holds; None: links are calibrated first.
        resume: go on with the capture, which is there; what is on record in it is not sent again.

    Raises:
        HilError: what stopped the run; the capture keeps what was measured before. Radios that do not answer in time end a
            point, not the run.
    """
    fading = fading_of(config, bench_config)
    check_scorable(bench_config, work.contenders, fading)
    about: dict[str, Any] = {
        "started": _now(), "bench": bench_config.name, "capture": capture.name, "given": dict(given or {}),
        "provenance": provenance(),
    }  # fmt: skip
    with Ahead(config) as ahead, Bench(bench_config, transmit=transmit) as bench:
        asked, bench_config = bench_config, bench.true_config
        points = plan_points(config, work.contenders, bench_config, bench.full_scales)
        about["sounding_cost_db"] = tell_plan(points, bench_config, capture, report)
        tell_simulation(points, work.contenders, config, report)
        with _writer(capture, config, bench_config, work, about, len(points), resume=resume) as writer:
            past = writer if isinstance(writer, ContinuedWriter) else None
            air = AirRun(bench, writer, receivers_of(bench_config, config), past=past)
            about["provenance"] |= _tell_past(past, report)
            run = _Run(config, work, air, report, None if bench.paced else ahead)
            try:
                about["provenance"] |= _calibrate(run, points, fading == "air", report, record, asked)
                about["links"] = [asdict(link) for link in air.links]
                about["warnings"] = _warn(run, points, bench_config, report)
                run.measure(points)
                found = run.finish(**about)
            except BaseException as err:
                _save_rest(run, err, about, save)
                raise
            writer.finish(found.to_dict())
    save(found)
    return found


def _save_rest(run: _Run, err: BaseException, about: Mapping[str, Any], save: Save) -> None:
    """What was measured before the run was stopped or failed."""
    try:
        run.cut_short()
    except Exception as second:  # the first error is the one to be told
        err.add_note(str(second))
    if run.points:
        stopped = isinstance(err, KeyboardInterrupt | SystemExit)
        state = {"status": "stopped" if stopped else "failed", "why": str(err) or type(err).__name__}
        save(run.partial(**about, **state))


def _writer(
    capture: Path,
    config: RunConfig,
    bench: BenchConfig,
    work: Work,
    about: Mapping[str, Any],
    points: int,
    *,
    resume: bool,
) -> CaptureWriter:
    """A capture that holds what a replay, and a resumed run, need."""
    if resume:
        return ContinuedWriter.reopen(capture)
    settings = {
        "experiment": config.model_dump(mode="json"),
        "bench": bench.model_dump(mode="json"),
        "points": points,
        "given": about["given"],
        "dataset": {**work.about_data, "fingerprints": work.fingerprints},
    }
    return CaptureWriter.create(
        capture,
        config=settings,
        provenance=about["provenance"],
        models=work.weights,
        sources=work.sources.read(),
        receivers=[one.name for one in bench.receivers],
        transmitters=len(bench.transmitters),
        flags=FLAGS,
    )


def _tell_past(past: ContinuedWriter | None, report: Report) -> dict[str, Any]:
    """Say, here and in the capture, that a run goes on; what provenance says of it."""
    if past is None:
        return {}
    report.say(f"going on with {past.path}: {past.on_record} bursts are on record, and are not sent again")
    return {"resumed": past.note_session({"resumed": _now(), "bursts_on_record": past.on_record})}


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S%z")


@timed("calibration")
def _calibrate(
    run: _Run, points: Sequence[PointSpec], fading: bool, report: Report, record: ChosenRecord | None, asked: BenchConfig
) -> dict[str, Any]:
    """Links by the record, if it holds, else by soundings; what provenance says of it."""
    if record is not None:
        why = record.why_not(run.air.bench, asked, points[0].frame)
        if not why:
            report.say(f"links as calibrated {record.record.date} ({record.path}); --recalibrate measures them anew")
            record.give(run.air, points[0].frame)
            return {"calibration": record.about()}
        report.say(f"the calibration record {record.path} is not used: {why}")
    report.say("calibrating: each transmitter alone")
    several = len(run.air.receivers) > 1
    for link in run.air.calibrate(points[0].frame, fading=fading):
        where = f"{link.tx}>{link.receiver}" if several else str(link.tx)
        report.say(f"  link {where}: {link.snr_db:.2f} ± {2 * link.snr_db_std:.2f} dB at gain {link.gain_db:g} dB")
    return {}


def _warn(run: _Run, points: Sequence[PointSpec], bench: BenchConfig, report: Report) -> list[str]:
    """Say what a reader must know before any number; the same goes into the document."""
    first = {spec.scheme: spec for spec in points}
    said = [
        superposed_on_free_oscillators(
            f"the symbols of scheme '{name}' are", spec, bench, run.air.links, told=spec.rx_csi == "channel"
        )
        for name, spec in first.items()
    ]
    found = [text for text in said if text is not None]
    for text in found:
        report.say(f"warning: {text}")
    return found


class _Run:
    """The points of one run, one after the other."""

    def __init__(self, config: RunConfig, work: Work, air: AirRun, report: Report, ahead: Ahead | None) -> None:
        self.config, self.work, self.air, self.report, self._ahead = config, work, air, report, ahead
        self.points: list[Measured] = []
        self.whole: list[bool] = []
        self.ended: list[dict[str, Any]] = []
        self._digest = hashlib.sha256()
        self._sent: dict[str, Sent] = {}
        self._sources = len(work.sources.read())
        self._flights: dict[str, Flight] = {}
        self._book = NoiseBook()

    def measure(self, points: Sequence[PointSpec]) -> None:
        """Send and score every point: all SNRs once, those of one SNR together, then as often again as is asked for.

        Raises:
            RadioTimeoutError: not one point was measured.
        """
        began = time.monotonic()
        with self.report.stage("on the air", sum(point.frames for point in points)) as progress:
            for visit in range(self.config.repeat):
                for target, group in groupby(points, lambda point: point.snr_db_target):
                    self._visit(target, list(group), visit, progress)
        if not self.points:
            raise RadioTimeoutError(f"no point was measured: {self.ended[-1]['why']}")
        self.report.say(f"on the air for {time.monotonic() - began:.1f} s")

    def _visit(self, target: float, group: Sequence[PointSpec], visit: int, progress: Progress) -> None:
        """Points at one SNR, sent by turns; scored after the last visit."""
        levels = self.air.levels_for(target)
        self.air.set_levels(levels)
        flights = [self._flight(spec, levels) for spec in group]
        for slot in in_order(group, seed=self.config.seed, visit=visit, interleave=self.config.interleave):
            try:
                flights[slot.point].send(slot.frames, progress)
            except RadioTimeoutError:  # before its first frame
                continue
        if visit == self.config.repeat - 1:
            for flight in flights:
                self._land(flight)

    def _flight(self, spec: PointSpec, levels: Sequence[Level]) -> Flight:
        """A point on the air, begun if this is its first visit."""
        if spec.name not in self._flights:
            contender = self.work.contenders[spec.scheme]
            spec = self.air.known(spec, levels, tell_snr=contender.plan.tx_csi == "snr")
            sent = repeated(self._encode(contender, spec), spec.task_index())
            fade = drawn_fade(self.config.seed, len(spec.occupied), spec.tasks) if spec.fading == "emulated" else None
            self._flights[spec.name] = self.air.start(spec, sent, point_labels(self.work, spec), fade=fade)
        return self._flights[spec.name]

    def _land(self, flight: Flight) -> None:
        """Score a point that is through."""
        del self._flights[flight.spec.name]
        if not flight.frames_sent:
            self._note_end(flight.spec, 0, str(flight.ended))
            return
        made = flight.finish()
        self._score(self._scored(flight, made), made)

    def _scored(self, flight: Flight, made: OnAir) -> Measured:
        contender = self.work.contenders[flight.spec.scheme]
        return score_point(contender, flight.spec, flight.sent, made.collections, made.more, fade=flight.fade)

    def cut_short(self) -> None:
        """Score what was sent of points that are not through; the capture gets no more."""
        for flight in [one for one in self._flights.values() if one.frames_sent]:
            ended = (made := flight.finish(through=False)).ended or cut_short(flight.spec, made.collections)
            point = self._scored(flight, replace(made, more=made.more | {"ended": ended}))
            self._digest_of(point)
            self.points.append(point)
            self.whole.append(False)
            self._note_ended(flight.spec, flight.frames_sent, str(ended))

    @timed("encoding")
    def _encode(self, contender: Contender, spec: PointSpec) -> Sent:
        """Symbols of the distinct tasks; where the encoder is told the SNR, the last ones, of the highest, are kept."""
        if contender.plan.tx_csi != "none":
            self._sent[contender.name] = contender.encode(spec.tx_snr_db)
        elif contender.name not in self._sent:
            self._sent[contender.name] = contender.encode()
        return self._sent[contender.name]

    def _score(self, point: Measured, made: OnAir) -> None:
        symbols = self._digest_of(point)
        arrays = {
            point_key(key, name): values.numpy() for key, tasks in point.scored.items() for name, values in tasks.values.items()
        }
        self._note_sources()
        self.air.writer.finish_point(
            made.index,
            results={"rows": [row.model_dump(mode="json") for row in point.rows.values()], "ended": made.ended},
            received_sha256=combined_sha256(point.collections),
            received=np.stack(symbols),
            valid=made.ended is None,
            arrays=arrays,
        )
        told = point.contender.plan.tx_csi != "none"  # by SNR
        self.points.append(point.without_uses(None if told else self._sent[point.contender.name]))
        self.whole.append(made.ended is None)
        if self._ahead is not None and made.ended is None:
            self._ahead.begin(point)
        for row in self._book.so_far(point):
            self.report.point(row)
        if made.ended is not None:
            self._note_end(point.spec, point.first.frames["sent"], made.ended)

    def _digest_of(self, point: Measured) -> list[NDArray[np.complex64]]:
        """What was received of a point, by receiver, taken into the run's checksum."""
        symbols = [one.symbols.contiguous().numpy() for one in point.collections.values()]
        for one in symbols:
            self._digest.update(one.tobytes())
        return symbols

    def _note_sources(self) -> None:
        """Keep what a third party's code has opened since it was loaded."""
        known = self.work.sources.read()
        if len(known) > self._sources:
            self.air.writer.set_sources(known)
            self._sources = len(known)

    def _note_end(self, spec: PointSpec, sent: int, why: str) -> None:
        """Tell of a point that was given up."""
        self.report.say(f"  {spec.scheme} {spec.snr_db_target:+g} dB ended after {sent} of {spec.frames} frames: {why}")
        self._note_ended(spec, sent, why)

    def _note_ended(self, spec: PointSpec, sent: int, why: str) -> None:
        self.ended.append(
            {
                "scheme": spec.scheme,
                "snr_db_target": spec.snr_db_target,
                "frames_sent": sent,
                "frames_planned": spec.frames,
                "why": why,
            }
        )

    def finish(self, **about: Any) -> ResultsDocument:
        """Pool the noise, simulate beside the air, compare, and put it all together."""
        noise = self._pool()
        beside = Beside()
        measured = [point for point, whole in zip(self.points, self.whole, strict=True) if whole]
        if self._ahead is not None:
            self._ahead.begin_references(self.work, self._sent)
        steps = sum(steps_of(point, self.config) for point in measured)
        with self.report.stage("simulating beside the air", steps) as progress:
            for point in measured:
                ahead = None if self._ahead is None else self._ahead.of(point)
                beside_point(point, self.config, beside, progress, ahead=ahead)
        made = None if self._ahead is None else self._ahead.references
        more = {"noise": noise, **self._last(about)}
        return document(self.config, self.work, self.rows, beside, self._sent, self.report, made, **more)

    def partial(self, **about: Any) -> ResultsDocument:
        """What was measured before the run ended early: no simulation, no references."""
        noise = self._pool()
        experiment = self.config.model_dump(mode="json")
        data = self.work.about_data
        found = {"points": self.rows, "repeats": repeated_points(self.rows), "noise": noise}
        return ResultsDocument(**found, experiment=experiment, dataset=data, **self._last(about))

    @property
    def rows(self) -> list[Row]:
        """Of all points so far."""
        return [row for point in self.points for row in point.rows.values()]

    def _pool(self) -> list[Noise]:
        """Put every point's SNR against the noise of the whole run."""
        book = NoiseBook()
        for point in self.points:
            book.note(point)
        noise = book.settle()
        self.points = [book.against(point.spec.first_frame, point) for point in self.points]
        return noise

    def _last(self, about: Mapping[str, Any]) -> dict[str, Any]:
        return {
            **about,
            "received_sha256": self._digest.hexdigest(),
            "ended_points": self.ended,
            "finished": _now(),
            "sources": {name: file.sha256 for name, file in self.work.sources.read().items()},
        }
