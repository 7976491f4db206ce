"""Points as measured -> the whole result: simulation beside the air, agreement, order of the schemes."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

import torch
from torch import Tensor

from hil.collect import Collection, Energy, PointSpec, snr_linear_mean_db
from hil.results import SCHEMA, Shares, agreement_rows, comparison_rows, point_row, rounded, simulation_row, summary
from hil.scoring import Outcome, Scorer
from hil.units import db_to_power, power_to_db
from hil.workload import Workload, reference_rows

__all__ = ["Kept", "Progress", "Report", "air_row", "finish_results", "simulate_point", "task_shares"]

WORKERS = 2

Progress = Callable[[int], None]
Kept = tuple[dict[str, Any], PointSpec, Collection, Outcome]


class Report(Protocol):
    """Who is told what a run does; the command line shows it."""

    def say(self, text: str) -> None:
        """One line."""
        ...

    def stage(self, name: str, total: int) -> AbstractContextManager[Progress]:
        """A part of the work with so many steps; call the value with the steps done."""
        ...

    def point(self, row: dict[str, Any]) -> None:
        """A point was scored."""
        ...


def air_row(scorer: Scorer, spec: PointSpec, collection: Collection, outcome: Outcome, more: dict[str, Any]) -> dict[str, Any]:
    """The result row of a point measured on the air."""
    mean = snr_linear_mean_db(collection.snr_db)
    sent = collection.sent
    outcome = Outcome(hit=outcome.hit[sent], ap=outcome.ap[sent], scored=outcome.scored[sent])
    row = point_row(
        scorer=scorer,
        source="air",
        basis="link",
        outcome=outcome,
        task_index=spec.task_index()[sent],
        snr_db_target=spec.snr_db_target,
        snr_db=collection.snr_db,
        snr_db_error=collection.snr_db_error,
        snr_eff_db=collection.snr_eff_db,
        receiver_loss_db=mean - collection.snr_eff_db,
        energy=spec.energy,
        power=list(spec.power),
        fading=spec.fading,
        frames=collection.frames,
        cfo_hz=collection.cfo_hz,
        null_noise_db=collection.null_noise_db,
        received_sha256=collection.sha256,
        **more,
    )
    checked: dict[str, Any] = rounded(row)
    return checked


def _seed(config_seed: int, spec_name: str, target: float, basis: str) -> int:
    digest = hashlib.sha256(f"{config_seed}/{spec_name}/{target}/{basis}".encode()).digest()
    return int.from_bytes(digest[:6], "big")


def simulate_point(
    scorer: Scorer,
    sent: Tensor,
    *,
    snr_db: Sequence[float],
    basis: str,
    target: float,
    energy: Energy,
    draws: int,
    seed: int,
    progress: Progress | None,
) -> tuple[dict[str, Any], Tensor]:
    """The distinct tasks through AWGN at an SNR (dB, one a transmitter or one for all): result row, share of hits [task]."""
    share = scorer.simulate(
        sent,
        scorer.noise_var(snr_db),
        draws=draws,
        seed=_seed(seed, scorer.name, target, basis + energy),
        workers=WORKERS,
        progress=progress,
    )
    row = simulation_row(
        scorer=scorer, share=share, basis=basis, draws=draws, snr_db_target=target, snr_db=list(snr_db), energy=energy,
        snr_eff_db=snr_linear_mean_db(list(snr_db)),
    )  # fmt: skip
    return rounded(row), share


def finish_results(
    config: Any,
    work: Workload,
    rows: list[dict[str, Any]],
    kept: Sequence[Kept],
    sent: dict[str, Tensor],
    sha256: str,
    report: Report,
) -> dict[str, Any]:
    """Simulate beside the air, compare, and put it all together.

    Args:
        config: the `ExperimentConfig` (draws, seed, gallery).
        work: data set, tasks, schemes.
        rows: the air's rows, of points that were ended early too.
        kept: points that were sent whole: row, what was planned, received and scored.
        sent: symbols of the distinct tasks by scheme, complex64 [tx, task, use].
        sha256: over all received symbols.
        report: told how far it is.
    """
    simulated: list[dict[str, Any]] = []
    pairs = []
    shares: Shares = {}
    superposed = [item for item in kept if item[1].access == "noma" and item[1].energy == "per_use"]
    total = config.draws * (2 * len(kept) + len(superposed))
    with report.stage("simulating beside the air", total) as progress:
        for row, spec, collection, outcome in kept:
            scorer = work.scorers[spec.scheme]
            if collection.snr_eff_db != collection.snr_eff_db:  # nothing was received
                progress(config.draws * 2)
                continue
            common: dict[str, Any] = {
                "target": spec.snr_db_target, "draws": config.draws, "seed": config.seed, "progress": progress,
            }  # fmt: skip
            link, _ = simulate_point(
                scorer, sent[spec.scheme], snr_db=collection.snr_db, basis="link", energy=spec.energy, **common
            )
            effective, share = simulate_point(
                scorer, sent[spec.scheme], snr_db=[collection.snr_eff_db], basis="effective", energy=spec.energy, **common
            )
            simulated += [link, effective]
            on_air = task_shares(outcome, spec)
            shares.setdefault(("air", "link", spec.energy, spec.snr_db_target), {})[spec.scheme] = on_air
            if spec.energy == "per_use":
                fixed, fixed_share = _per_task(scorer, sent[spec.scheme], row, effective, share, collection, common)
                simulated.append(fixed)
                shares.setdefault(("simulation", "effective", "per_task", spec.snr_db_target), {})[spec.scheme] = fixed_share
            pairs.append((row, on_air, share, scorer.tasks.identities[: len(share)]))
    agreement = agreement_rows(pairs) if pairs else []
    with report.stage("noiseless references", 1) as progress:
        references = reference_rows(work)
        noiseless = {name: scorer.noiseless(sent[name]).hit.double() for name, scorer in work.scorers.items()}
        progress(1)
    points = [*rows, *simulated, *references]
    result: dict[str, Any] = rounded(
        {
            "schema": SCHEMA,
            "received_sha256": sha256,
            "points": points,
            "agreement": agreement,
            "comparisons": comparison_rows(shares, noiseless, work.tasks.identities),
            "summary": summary(points, agreement),
            "experiment": config.model_dump(mode="json"),
            "dataset": {"spec": work.dataset_spec, "fingerprint": work.fingerprint},
        }
    )
    return result


def _per_task(
    scorer: Scorer,
    sent: Tensor,
    row: dict[str, Any],
    effective: dict[str, Any],
    share: Tensor,
    collection: Collection,
    common: dict[str, Any],
) -> tuple[dict[str, Any], Tensor]:
    """The same point with the energy of a task fixed, Σ‖x_i‖² = q: NOMA's transmitters have half the power each."""
    factor = scorer.plan.uses / int(scorer.plan.occupied.sum())
    if factor == 1:  # single and OMA spend q in either case
        return effective | {"energy": "per_task"}, share
    inversion = row["precoder_power_db"] or [0.0]  # what pre-equalisation takes is paid from the same energy
    taken = power_to_db(sum(db_to_power(value) for value in inversion) / len(inversion))
    snr_db = [collection.snr_eff_db + power_to_db(factor) - taken]
    return simulate_point(scorer, sent, snr_db=snr_db, basis="effective", energy="per_task", **common)


def task_shares(outcome: Outcome, spec: PointSpec) -> Tensor:
    """Share of hits of each distinct task on the air, float64 [task]."""
    index = spec.task_index()
    count = int(index.max()) + 1
    hits = torch.zeros(count, dtype=torch.float64).index_add_(0, index, outcome.hit.double())
    return hits / torch.bincount(index, minlength=count).clamp_min(1)
