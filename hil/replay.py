"""Capture -> score: the same table from the file, and other questions to it."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from hil.captures import Capture, FrameKind, FrameStatus, PointRecord
from hil.collect import Collection, Collector, PointSpec
from hil.config import validate
from hil.errors import CaptureFormatError, ConfigError, DatasetError, ModelError
from hil.outcome import Report, air_row, simulate_point, task_shares
from hil.results import SCHEMA, Shares, agreement_rows, comparison_rows, rounded, simulation_row, summary
from hil.scoring import Outcome, Scorer
from hil.workload import Workload, load_workload, reference_rows, task_labels

__all__ = ["Simulate", "collect_point", "open_workload", "replay"]

Simulate = Literal["none", "awgn", "channel"]
TOLERANCE = 1e-4
"""Largest difference of received symbols that other machines may show (SIGNALS.md, "Bit-identity")."""


def open_workload(
    capture: Capture, *, models: Path | None, home: Path | None, dataset: str | None, other_weights: bool = False
) -> Workload:
    """The schemes and the data set that a capture was made with.

    Raises:
        ModelError: the weights at hand are not those that were on the air.
        DatasetError: the data set at hand is not the one that was used.
    """
    experiment = capture.config.get("experiment")
    if not isinstance(experiment, dict):
        raise CaptureFormatError(f"{capture.path} holds no experiment, so there is nothing to score; was it made by hil send?")
    spec = dataset or str(experiment["dataset"])
    work = load_workload(
        experiment["schemes"],
        spec,
        models=models,
        home=home,
        distinct_tasks=int(experiment["distinct_tasks"]),
        seed=int(experiment["seed"]),
        gallery=experiment["gallery"],
    )
    for name, scorer in work.scorers.items():
        wanted = capture.models.get(name)
        if wanted and wanted != scorer.sha256 and not other_weights:
            raise ModelError(
                f"the weights of '{name}' at hand ({scorer.sha256[:12]}…) are not those on the air ({wanted[:12]}…); "
                "give their folder with --models, or score with these by --other-weights"
            )
    for name, fingerprint in capture.config.get("dataset", {}).get("fingerprints", {}).items():
        at_hand = work.fingerprints.get(name)
        if at_hand and fingerprint != at_hand:
            raise DatasetError(
                f"data set '{spec}' is not the one of {capture.path} (fingerprint {at_hand[:12]}…, not "
                f"{fingerprint[:12]}…); give the right one with --dataset"
            )
    return work


def replay(
    capture: Capture,
    work: Workload,
    report: Report,
    *,
    simulate: Simulate = "none",
    schemes: tuple[str, ...] = (),
    snr_db: tuple[float, ...] = (),
    draws: int = 20,
) -> dict[str, Any]:
    """Receive, decode and score every point of a capture again.

    Args:
        capture: an open capture, complete or not.
        work: its schemes and data set.
        report: told how far it is.
        simulate: draw the same symbols through AWGN at the effective SNR, or through the captured channel, as well.
        schemes: only these.
        snr_db: only these targets.
        draws: noise draws of each distinct task in a simulation.

    Returns:
        results (docs/results.md) with `verification`: whether the bits were verified, or the tolerance.

    Raises:
        ConfigError: nothing in the capture fits the selection.
    """
    records = [(record, _spec(record)) for record in capture.points if record.attrs.get("kind") == "point"]
    if not records:
        raise ConfigError(f"{capture.path} holds no frame yet: the run was stopped before its first point")
    chosen = [
        (record, spec)
        for record, spec in records
        if (not schemes or spec.scheme in schemes) and (not snr_db or spec.snr_db_target in snr_db)
    ]
    if not chosen:
        have = ", ".join(record.name for record, _ in records) or "none"
        raise ConfigError(f"{capture.path} has no point for that selection; its points: {have}")
    rows: list[dict[str, Any]] = []
    simulated: list[dict[str, Any]] = []
    pairs = []
    checks = []
    shares: Shares = {}
    digest = hashlib.sha256()
    with report.stage("replaying", sum(spec.frames for _, spec in chosen)) as progress:
        for record, spec in chosen:
            scorer = work.scorers[spec.scheme]
            _check_labels(record, task_labels(work, spec))
            collection, symbols = collect_point(capture, record, spec)
            progress(spec.frames)
            if not bool(collection.sent.any()):
                continue
            outcome = scorer.score(collection.received, spec.task_index())
            more = {key: record.attrs.get(key) for key in ("tx_gain_db", "precoder_power_db")}
            more["ended"] = (record.results or {}).get("ended")
            row = air_row(scorer, spec, collection, outcome, more | {"point": record.index})
            rows.append(row)
            digest.update(collection.received.symbols.contiguous().numpy().tobytes())
            checks.append(_check(record, collection, outcome))
            report.point(row)
            if bool(collection.sent.all()):
                key = ("air", "link", spec.energy, spec.snr_db_target)
                shares.setdefault(key, {})[spec.scheme] = task_shares(outcome, spec)
            if simulate != "none" and collection.frames["scored"]:
                extra, share = _simulate(scorer, spec, collection, symbols, simulate, draws, capture)
                simulated.append(extra)
                if simulate == "awgn" and bool(collection.sent.all()):
                    pairs.append((row, task_shares(outcome, spec), share, scorer.tasks.identities[: len(share)]))
                elif simulate == "channel":
                    heard = collection.received.valid.any(1)
                    ids = scorer.tasks.identities[spec.task_index()[heard]]
                    pairs.append((row, outcome.hit[heard].double(), share, ids))
    if not rows:
        raise ConfigError(f"{capture.path} holds no frame yet: the run was stopped before its first point")
    agreement = agreement_rows(pairs, basis="channel" if simulate == "channel" else "effective") if pairs else []
    with report.stage("noiseless references", 1) as progress:
        references = reference_rows(work)
        noiseless = {name: scorer.noiseless(scorer.encode()).hit.double() for name, scorer in work.scorers.items()}
        progress(1)
    live = (capture.results or {}).get("received_sha256")
    sha256 = digest.hexdigest()
    points = [*rows, *simulated, *references]
    result: dict[str, Any] = rounded(
        {
            "schema": SCHEMA,
            "received_sha256": sha256,
            "points": points,
            "agreement": agreement,
            "comparisons": comparison_rows(shares, noiseless, work.tasks.identities),
            "summary": summary(points, agreement),
            "verification": _verdict(checks, sha256, live, complete=capture.complete and len(chosen) == len(records)),
            "capture": capture.path.name,
            "experiment": capture.config["experiment"],
            "dataset": {"spec": work.dataset_spec, "fingerprint": work.fingerprint},
            "bench": capture.config.get("bench", {}).get("name"),
            "versions": capture.versions,
        }
    )
    return result


def _check_labels(record: PointRecord, expected: dict[str, Any]) -> None:
    """The tasks drawn now must be those that were sent; a change in how tasks are drawn would pair them wrongly."""
    for name, values in record.labels.items():
        if name in expected and not (values.shape == expected[name].shape and bool((values == expected[name]).all())):
            raise DatasetError(
                f"point '{record.name}' was sent with other tasks than this hil draws (label '{name}' differs); "
                "replay it with the version that wrote it"
            )


def _spec(record: PointRecord) -> PointSpec:
    return validate(PointSpec, record.attrs["spec"], f"point '{record.name}'")


def collect_point(capture: Capture, record: PointRecord, spec: PointSpec) -> tuple[Collection, torch.Tensor]:
    """Receive a point's bursts again, as live; what was received, and the symbols that were sent, complex64 [tx, task, use]."""
    symbols = torch.from_numpy(record.symbols)
    collector = Collector(spec, symbols)
    ledger = capture.ledger(record.index)
    damaged = set(ledger["burst"][ledger["status"] == FrameStatus.LATE].tolist())

    def whole() -> Iterator[tuple[NDArray[np.int16], int, int]]:
        for burst in capture.bursts(record.index):
            if burst.kind == FrameKind.FRAME and burst.index in damaged:
                collector.miss(int(burst.frame_numbers[0]), "late")
            elif burst.kind == FrameKind.FRAME:
                yield burst.samples, int(burst.frame_numbers[0]), burst.start

    collector.add_all(whole())
    return collector.finish(), symbols


def _check(record: PointRecord, collection: Collection, outcome: Outcome) -> dict[str, Any]:
    """How a point compares with what the live run stored of it."""
    live = record.received
    if record.received_sha256 is None or live is None:
        return {"point": record.name, "state": "unfinished"}
    difference = float((collection.received.symbols - torch.from_numpy(live)).abs().max())
    hits = record.arrays.get("hit")
    changed = int((torch.from_numpy(hits) != outcome.hit).sum()) if hits is not None else 0
    same = collection.sha256 == record.received_sha256
    state = "bits" if same else "tolerance" if difference <= TOLERANCE else "different"
    return {"point": record.name, "state": state, "largest_difference": difference, "changed_top1": changed}


def _verdict(checks: list[dict[str, Any]], sha256: str, live: str | None, *, complete: bool) -> dict[str, Any]:
    """`verified`: "bits" (same SHA-256 as live), "tolerance" (within 1e-4), "different", or "unfinished"."""
    states = {item["state"] for item in checks}
    worst = next((state for state in ("different", "tolerance", "unfinished") if state in states), "bits")
    return {
        "verified": worst,
        "received_sha256_live": live if complete else None,
        "same_sha256": (sha256 == live) if complete and live else None,
        "largest_difference": max((item.get("largest_difference", 0.0) for item in checks), default=0.0),
        "changed_top1": sum(item.get("changed_top1", 0) for item in checks),
        "points": checks,
    }


def _simulate(
    scorer: Scorer,
    spec: PointSpec,
    collection: Collection,
    symbols: torch.Tensor,
    how: Simulate,
    draws: int,
    capture: Capture,
) -> tuple[dict[str, Any], torch.Tensor]:
    seed = int(capture.config["experiment"]["seed"])
    if how == "awgn":
        return simulate_point(
            scorer,
            symbols[:, : spec.distinct_tasks],
            snr_db=[collection.snr_eff_db],
            basis="effective",
            target=spec.snr_db_target,
            energy=spec.energy,
            draws=draws,
            seed=seed,
            progress=None,
        )
    heard = collection.received.valid.any(1)
    index = spec.task_index()[heard]
    repeats = max(1, math.ceil(draws * spec.distinct_tasks / max(1, int(heard.sum()))))
    share = scorer.simulate(
        symbols[:, heard],
        collection.noise_var[heard],
        channel=collection.channel[:, heard],
        draws=repeats,
        seed=seed,
        workers=2,
        task_index=index,
    )
    row = simulation_row(
        scorer=scorer, share=share, basis="channel", draws=repeats, task_index=index, snr_db_target=spec.snr_db_target,
        snr_db=collection.snr_db, snr_eff_db=collection.snr_eff_db, energy=spec.energy,
    )  # fmt: skip
    return rounded(row), share
