"""Capture -> score: the same table from the file, and other questions to it. Enters at reception, shares what follows."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from hil.calibration.precode import inversion_energy
from hil.captures import Capture, FrameKind, FrameStatus, PointRecord
from hil.config import validate
from hil.errors import CaptureFormatError, ConfigError, DatasetError, ModelError
from hil.goals.contract import headline
from hil.models.contract import Scheme, Sent
from hil.points.flight import PRECODER_KEYS, alignment_keys, stored_alignments, stored_expectations
from hil.points.kinds import UNALIGNED_NAME
from hil.points.link import LinkRecord
from hil.points.overhead import alignment_samples
from hil.points.peaks import stored_peaks
from hil.points.receive import Burst, Collection, Collector, combined_sha256
from hil.points.spec import PointSpec
from hil.results.document import Noise, ResultsDocument, Row
from hil.runs.at_hand import check_objects
from hil.runs.beside import Beside, beside_channel, beside_point, heard, note_air
from hil.runs.config import ReplayConfig, RunConfig, Simulate
from hil.runs.document import document
from hil.runs.pooled import NoiseBook, row_against, stored_silences
from hil.runs.progress import Report
from hil.runs.realigned import alignments_of
from hil.runs.refined import refined, refiner
from hil.runs.sources import Sources, check_sources
from hil.runs.steps import Key, Measured, cut_short, point_key, score_point
from hil.runs.trained import check_unseen
from hil.runs.work import Work, load_work, point_labels
from hil.units import power_to_db

__all__ = ["check_labels", "collect_point", "config_of", "open_work", "replay"]

TOLERANCE = 1e-4
"""Largest difference of received symbols that other machines may show (SIGNALS.md, "Bit-identity")."""


def config_of(capture: Capture, changes: Mapping[str, Any]) -> RunConfig:
    """The configuration that a capture was made with, with changes.

    Raises:
        CaptureFormatError: there is none.
    """
    experiment = capture.config.get("experiment")
    if not isinstance(experiment, dict):
        raise CaptureFormatError(f"{capture.path} holds no experiment, so there is nothing to score; was it made by hil send?")
    return validate(RunConfig, {"interleave": False, **experiment, **changes}, f"{capture.path}, experiment")


def open_work(
    capture: Capture,
    config: RunConfig,
    *,
    home: Path | None = None,
    other_weights: bool = False,
    objects: Mapping[str, Scheme] | None = None,
    chooser: str | None = None,
) -> Work:
    """The schemes, the data set and the goals that a capture is scored with.

    Args:
        capture: open.
        config: that it was made with, with changes.
        home: the user's bench folder.
        other_weights: accept other weights than those on the air.
        objects: schemes at hand by name.
        chooser: name of the goal that chose the tasks; None: the configuration's first.

    Raises:
        ModelError: the weights, or a third party's code and files, at hand are not those that were on the air.
        DatasetError: the data set at hand is not the one that was used.
    """
    check_objects(capture.sources, config.schemes, objects or {}, other=other_weights)
    if not other_weights:
        names = [name.removesuffix(UNALIGNED_NAME) for name in config.schemes if name not in (objects or {})]
        check_sources(capture.sources, Sources([*names, *config.goals], config.dataset, config.options))
    work = load_work(config, home=home, objects=objects, chooser=chooser, receivers=capture.receivers)
    check_unseen(capture, {name: contender.scheme for name, contender in work.contenders.items()})
    for name, contender in work.contenders.items():
        wanted = capture.models.get(name)
        if wanted and wanted != contender.sha256 and not other_weights:
            raise ModelError(
                f"the weights of '{name}' at hand ({contender.sha256[:12]}…) are not those on the air ({wanted[:12]}…); "
                "give their folder with --models, or score with these by --other-weights"
            )
    if not other_weights:
        check_sources(capture.sources, work.sources)
    for name, fingerprint in capture.config.get("dataset", {}).get("fingerprints", {}).items():
        at_hand = work.fingerprints.get(name)
        if at_hand and fingerprint != at_hand:
            raise DatasetError(
                f"data set '{config.dataset}' is not the one of {capture.path} (fingerprint {at_hand[:12]}…, not "
                f"{fingerprint[:12]}…); give the right one with --dataset"
            )
    return work


def replay(
    capture: Capture, config: RunConfig, work: Work, report: Report, question: ReplayConfig | None = None
) -> ResultsDocument:
    """Receive, decode and score every point of a capture again.

    Args:
        capture: an open capture, complete or not.
        config: it was made with.
        work: its schemes, data set and goals.
        report: told how far it is.
        question: what it is asked; None: all of it, received as it was, no simulation.

    Returns:
        results with `verification`: whether the bits were verified, or the tolerance.

    Raises:
        ConfigError: nothing in the capture fits the question.
    """
    asked = question or ReplayConfig()
    config = config.model_copy(update={"draws": asked.draws})
    records, chosen = _choose(capture, asked)
    again = _Again(other_receiver=bool(asked.receiver) or asked.later_layers_db is not None)
    with report.stage("replaying", sum(spec.frames for _, spec in chosen)) as progress:
        for record, spec in chosen:
            check_labels(record, point_labels(work, spec))
            point = _again_point(capture, record, spec, work, refiner(records, spec, work, asked))
            progress(spec.frames)
            if point is None:
                continue
            why = again.add(record, point, whole=asked.simulate != "none")
            for row in again.book.so_far(point):
                report.point(row)
            if why is not None:
                report.say(f"  {spec.name}: {why}")
    if not again.rows:
        raise ConfigError(f"{capture.path} holds no frame yet: the run was stopped before its first point")
    noise, beside = again.pool(capture, records), Beside()
    for point in again.kept:
        if point.first.frames["scored"]:
            _simulate(point, config, asked.simulate, beside)
    live = (capture.results or {}).get("received_sha256")
    whole = capture.complete and len(chosen) == len(records)
    return document(
        config,
        work,
        again.rows,
        beside,
        again.encoded(work),
        report,
        noise=noise,
        received_sha256=again.sha256,
        verification=again.verdict(live if whole else None),
        capture=capture.path.name,
        bench=capture.config.get("bench", {}).get("name"),
        provenance=capture.provenance,
        ended_points=again.ended,
        warnings=(capture.results or {}).get("warnings") or [],
        status="complete" if capture.complete else "stopped",
    )


def _choose(
    capture: Capture, asked: ReplayConfig
) -> tuple[list[tuple[PointRecord, PointSpec]], list[tuple[PointRecord, PointSpec]]]:
    """All points of a capture, and those meant.

    Raises:
        ConfigError: there is none, or none is meant.
    """
    records = [
        (record, validate(PointSpec, record.attrs["spec"], f"point '{record.name}'"))
        for record in capture.points
        if record.attrs.get("kind") == "point"
    ]
    if not records:
        raise ConfigError(f"{capture.path} holds no frame yet: the run was stopped before its first point")
    chosen = [
        (record, spec.with_receiver(asked.receiver))
        for record, spec in records
        if (not asked.schemes or spec.scheme in asked.schemes) and (not asked.snr_db or spec.snr_db_target in asked.snr_db)
    ]
    if not chosen:
        have = ", ".join(record.name for record, _ in records)
        raise ConfigError(f"{capture.path} has no point for that selection; its points: {have}")
    return records, chosen


def check_labels(record: PointRecord, expected: Mapping[str, Any]) -> None:
    """The tasks drawn now must be those that were sent; a change in how tasks are drawn would pair them wrongly."""
    for name, values in record.labels.items():
        if name in expected and not (values.shape == expected[name].shape and bool((values == expected[name]).all())):
            raise DatasetError(
                f"point '{record.name}' was sent with other tasks than this hil draws (label '{name}' differs); "
                "replay it with the version that wrote it"
            )


def collect_point(capture: Capture, record: PointRecord, spec: PointSpec) -> tuple[dict[str, Collection], Sent, Tensor | None]:
    """Receive a point's bursts again, as live.

    Returns:
        by receiver what was received; what was sent; and the fades, complex64 [tx, task] or None.
    """
    extra = record.extra
    fade = torch.from_numpy(extra["fade"]) if "fade" in extra else None
    sent = Sent(
        symbols=torch.from_numpy(record.symbols),
        length=torch.from_numpy(extra["length"]) if "length" in extra else None,
        side={name: torch.from_numpy(value) for name, value in record.side.items()} or None,
    )
    found = {}
    for index, reception in enumerate(spec.receptions):
        collector = Collector(spec, sent.symbols, reception=index, fade=fade)
        for number, expected in enumerate(stored_expectations(extra)):
            collector.expect(number, expected)
        ledger = capture.ledger(record.index, reception.name)
        status = dict(zip(ledger["burst"].tolist(), ledger["status"].tolist(), strict=True))
        aligned = alignments_of(capture, ledger)
        whole = []
        for burst in capture.bursts(record.index, reception.name):
            if burst.kind != FrameKind.FRAME:
                continue
            if status.get(burst.index) == FrameStatus.LATE:
                collector.miss(int(burst.frame_numbers[0]), "late", aligned.get(burst.index))
            elif status.get(burst.index) == FrameStatus.GATED:
                collector.refuse()
            else:
                whole.append(burst)
        collector.add_all(
            Burst(one.samples, int(one.frame_numbers[0]), one.start, one.sent_at, aligned.get(one.index)) for one in whole
        )
        found[reception.name] = collector.finish()
    return found, sent, fade


def _again_point(
    capture: Capture, record: PointRecord, spec: PointSpec, work: Work, later: tuple[PointRecord, PointSpec] | None = None
) -> Measured | None:
    """Receive and score a point again, its later layers from another one; None if none of its frames was sent."""
    collections, sent, fade = collect_point(capture, record, spec)
    if not any(bool(one.sent.any()) for one in collections.values()):
        return None
    more = _said(record, spec, capture.transmitters)
    more |= {"point": record.index, "ended": (record.results or {}).get("ended") or cut_short(spec, collections)}
    contender = work.contenders[spec.scheme]
    if later is not None:
        target = later[1].snr_db_target
        contender, collections = refined(contender, collections, collect_point(capture, *later)[0], target)
        more["later_layers_db"] = target
    return score_point(contender, spec, sent, collections, more, fade=fade)


def _said(record: PointRecord, spec: PointSpec, transmitters: int) -> dict[str, Any]:
    """What the live run noted of a point's gains and alignment; what older ones did not note is made up for."""
    attrs = record.attrs
    said = {key: attrs.get(key) for key in ("tx_gain_db", "tx_back_off_db", *PRECODER_KEYS)}
    said |= stored_peaks(record.extra)
    if alignments := stored_alignments(record.extra):
        return said | alignment_keys(alignments)
    weights = record.extra.get("precoder")
    if weights is not None and said["precoder_energy_db"] is None:
        said["precoder_energy_db"] = [power_to_db(float(one)) for one in inversion_energy(torch.from_numpy(weights))]
        said["alignment_samples"] = alignment_samples(spec, transmitters)
    return said


def _simulate(point: Measured, config: RunConfig, how: Simulate, beside: Beside) -> None:
    if how == "awgn":
        beside_point(point, config, beside, lambda steps: None)
    elif heard(point):
        note_air(point, beside)
    if how == "channel":
        beside_channel(point, config, beside)


@dataclass(kw_only=True)
class _Again:
    """What came out, point by point, and how it compares with the live run."""

    other_receiver: bool = False
    points: list[tuple[int, dict[str, LinkRecord], dict[Key, Row]]] = field(default_factory=list)
    kept: list[Measured] = field(default_factory=list)
    checks: list[dict[str, Any]] = field(default_factory=list)
    ended: list[dict[str, Any]] = field(default_factory=list)
    told: dict[str, Sequence[float]] = field(default_factory=dict)
    book: NoiseBook = field(default_factory=NoiseBook)
    _digest: Any = field(default_factory=hashlib.sha256)

    def add(self, record: PointRecord, point: Measured, *, whole: bool) -> str | None:
        """Note a point, the whole of it if it is to be simulated. Returns why it ended early, if it did."""
        records = {name: one.record for name, one in point.collections.items()}
        self.points.append((point.spec.first_frame, records, dict(point.rows)))
        if point.spec.tx_snr_db is not None:
            self.told[point.spec.scheme] = point.spec.tx_snr_db
        for one in point.collections.values():
            self._digest.update(one.symbols.contiguous().numpy().tobytes())
        self.checks.append(_check(record, point, other_receiver=self.other_receiver))
        why = (next(iter(point.rows.values())).model_extra or {}).get("ended")
        if why is not None:
            spec = point.spec
            self.ended.append(
                {
                    "point": record.index,
                    "scheme": spec.scheme,
                    "snr_db_target": spec.snr_db_target,
                    "frames_sent": point.first.frames["sent"],
                    "frames_planned": spec.frames,
                    "why": why,
                }
            )
        else:
            self.kept.append(point if whole else point.without_uses())
        ended: str | None = why
        return ended

    @property
    def rows(self) -> list[Row]:
        """Of all points."""
        return [row for _, _, rows in self.points for row in rows.values()]

    def pool(self, capture: Capture, chosen: Sequence[tuple[PointRecord, PointSpec]]) -> list[Noise]:
        """Put every SNR against the noise of the whole capture, as the live run did; points not asked for are listened to.

        Args:
            capture: open.
            chosen: all its points.
        """
        book = NoiseBook()
        again = {number for number, _, _ in self.points}
        for record, spec in chosen:
            if spec.first_frame not in again:
                for one in spec.receptions:
                    silences = stored_silences(capture, record, spec, one.name)
                    book.add_silences(spec.first_frame, one.name, silences, spec.frame.numerology.active)
        for number, records, _ in self.points:
            book.add(number, records)
        noise = book.settle()
        self.kept = [book.against(point.spec.first_frame, point) for point in self.kept]
        for number, records, rows in self.points:
            first = next(iter(records))
            for key, row in rows.items():
                name = first if key[1] is None else key[1]
                rows[key] = row_against(row, records[name].snr(book.level(number, name)))
        return noise

    @property
    def sha256(self) -> str:
        """Over all received symbols."""
        digest: str = self._digest.hexdigest()
        return digest

    def encoded(self, work: Work) -> dict[str, Sent]:
        """Symbols of the distinct tasks by scheme, encoded anew; an encoder is told the SNR of its last point, as live."""
        highest = max(row.snr_db_target or 0.0 for row in self.rows)
        return {
            name: one.encode(self.told.get(name, [highest] * one.plan.transmitters) if one.plan.tx_csi != "none" else None)
            for name, one in work.contenders.items()
        }

    def verdict(self, live: str | None) -> dict[str, Any]:
        """`verified`: "bits" (SHA-256 as live), "tolerance" (within 1e-4), "different", "unfinished" or "other_receiver"."""
        states = {item["state"] for item in self.checks}
        changed = sum(item.get("changed_decisions", 0) for item in self.checks)
        worst = next((state for state in ("other_receiver", "different", "tolerance", "unfinished") if state in states), "bits")
        return {
            "verified": worst,
            "received_sha256_live": live,
            "same_sha256": (self.sha256 == live) if live else None,
            "largest_difference": max((item.get("largest_difference", 0.0) for item in self.checks), default=0.0),
            "changed_decisions": changed,
            "changed_top1": changed,  # the name it had before there were other goals
            "points": self.checks,
        }


def _check(record: PointRecord, point: Measured, *, other_receiver: bool) -> dict[str, Any]:
    """How a point compares with what the live run stored of it."""
    live = record.received
    if record.received_sha256 is None or live is None:
        return {"point": record.name, "state": "unfinished"}
    again = torch.stack([one.symbols for one in point.collections.values()])
    difference = float((again - torch.from_numpy(live)).abs().max())
    stored = record.arrays
    changed = 0
    for key, tasks in point.scored.items():
        name = headline(point.contender.goals[key[0]]).name
        before = stored.get(point_key(key, name))
        if before is not None:
            changed += int((torch.from_numpy(before) != tasks.values[name]).sum())
    same = combined_sha256(point.collections) == record.received_sha256
    state = "bits" if same else "tolerance" if difference <= TOLERANCE else "different"
    state = "other_receiver" if other_receiver else state  # what comes out is meant to differ
    return {"point": record.name, "state": state, "largest_difference": difference, "changed_decisions": changed}
