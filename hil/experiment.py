"""Plan -> air -> capture -> score: one run."""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, field_validator
from torch import Tensor

from hil.captures import CaptureWriter, check_disk
from hil.collect import Energy, PointSpec
from hil.config import Config
from hil.errors import ConfigError, RadioTimeoutError
from hil.onair import ALIGNMENT_TRIES, CALIBRATION_FRAMES, AirRun, capture_needs, frame_for, receiver_for, versions
from hil.outcome import Report, air_row, finish_results, simulate_point
from hil.phy.frame import sounding_cost_db
from hil.phy.receive import ReceiverConfig
from hil.radios.bench import BenchConfig
from hil.radios.session import Bench
from hil.results import SCHEMA, Shares, comparison_rows, rounded, summary
from hil.units import power_to_db
from hil.workload import Workload, reference_rows, task_labels

__all__ = ["ExperimentConfig", "plan_points", "run_air", "run_simulation", "transmit_power"]


class ExperimentConfig(Config):
    """What is measured.

    Attributes:
        bench: name of the bench; dataset: its spec; schemes: names, in the order in which they take turns.
        snr_db: targets for a unit-power transmitter (dB).
        tasks: tasks sent per scheme and SNR (rounded up to whole frames); distinct_tasks: distinct ones among them.
        tasks_per_frame: tasks in one frame.
        interleave: spread tasks over carriers.
        energy: how transmit power is counted.
        gallery: which features stand for a gallery image.
        seed: of task choice, frames and simulation.
        draws: noise draws of a simulation.
    """

    bench: str = "builtin"
    dataset: str = "synthetic"
    schemes: tuple[str, ...] = Field(("jscc-single", "jscc-oma", "jscc-noma"), min_length=1)
    snr_db: tuple[float, ...] = Field((-6.0, -3.0, 0.0, 3.0, 6.0, 9.0, 12.0, 15.0), min_length=1)
    tasks: int = Field(2016, ge=1)
    distinct_tasks: int = Field(1008, ge=1)
    tasks_per_frame: int = Field(84, ge=1, le=4096)
    interleave: bool = True
    energy: Energy = "per_use"
    gallery: Literal["reconstructed", "raw"] = "reconstructed"
    seed: int = Field(1, ge=0)
    draws: int = Field(20, ge=1)

    @property
    def sent_tasks(self) -> int:
        """Tasks sent per scheme and SNR: whole frames."""
        return math.ceil(self.tasks / self.tasks_per_frame) * self.tasks_per_frame

    def resolved(self, schemes: Sequence[str]) -> ExperimentConfig:
        """The same with the schemes' full names, and no more distinct tasks than are sent."""
        return self.model_copy(update={"schemes": tuple(schemes), "distinct_tasks": min(self.distinct_tasks, self.sent_tasks)})

    @field_validator("snr_db")
    @classmethod
    def _in_range(cls, values: tuple[float, ...]) -> tuple[float, ...]:
        if any(not -20 <= value <= 60 for value in values):
            raise ValueError("each SNR must lie in −20…60 dB")
        return values


def transmit_power(occupied: Tensor, energy: Energy) -> tuple[float, ...]:
    """Power of each transmitter's occupied uses, relative to a unit-power transmitter (papers/README: Power).

    per_use: 1. per_device: ‖x_i‖² = q, so q/n_i. per_task: Σ ‖x_i‖² = q, so q/Σ n_i.
    """
    counts = [int(count) for count in occupied.sum(1)]
    uses = occupied.shape[1]
    if energy == "per_use":
        return tuple(1.0 for _ in counts)
    if energy == "per_device":
        return tuple(uses / count for count in counts)
    return tuple(uses / sum(counts) for _ in counts)


def fading_of(bench: BenchConfig) -> Literal["none", "air"]:
    """Whether a link of the bench fades."""
    return "air" if any(link.fading != "none" for link in bench.links) else "none"


def _check_scorable(bench: BenchConfig, work: Workload, fading: str) -> None:
    """Refuse what would print numbers that mean nothing: SIGNALS.md corrects the front end, never the experiment's fading.

    Raises:
        ConfigError: a scheme without channel knowledge at the receiver on fading links, or superposed without alignment.
    """
    for name, scorer in work.scorers.items():
        if scorer.plan.rx_csi == "channel":
            continue
        if fading != "none":
            raise ConfigError(
                f"bench '{bench.name}' has fading links, and scheme '{name}' knows no channel (rx_csi = "
                f'"{scorer.plan.rx_csi}"): its accuracy there would mean nothing; use a bench without fading, or hil send'
            )
        if scorer.plan.access == "noma" and bench.clock != "shared":
            raise ConfigError(
                f"scheme '{name}' superposes transmitters and needs them aligned (h = 1), which the independent oscillators of "
                f"bench '{bench.name}' do not allow; choose --schemes single,oma, or a bench on a shared reference"
            )


def plan_points(
    config: ExperimentConfig, work: Workload, bench: BenchConfig, receiver: ReceiverConfig, full_scale: float
) -> list[PointSpec]:
    """All points of a run, in the order in which they are measured: at each SNR the schemes take turns."""
    powers = {name: transmit_power(scorer.plan.occupied, config.energy) for name, scorer in work.scorers.items()}
    lowest = min(config.snr_db) + power_to_db(min(min(power) for power in powers.values()))
    frame = frame_for(receiver, lowest, tasks_per_frame=config.tasks_per_frame, interleave=config.interleave)
    frames = config.sent_tasks // frame.tasks_per_frame
    points = []
    fading = fading_of(bench)
    number = CALIBRATION_FRAMES
    for target in config.snr_db:
        for name, scorer in work.scorers.items():
            aligned = scorer.plan.access != "noma" or receiver.aligned
            points.append(
                PointSpec(
                    scheme=name,
                    access=scorer.plan.access,
                    energy=config.energy,
                    power=powers[name],
                    fading=fading,
                    snr_db_target=target,
                    occupied=tuple(tuple(bool(use) for use in row) for row in scorer.plan.occupied),
                    tasks=config.sent_tasks,
                    distinct_tasks=len(work.tasks),
                    first_frame=number + ALIGNMENT_TRIES,
                    frame=frame,
                    receiver=receiver.model_copy(update={"aligned": aligned}),
                    rx_csi=scorer.plan.rx_csi,
                    full_scale=full_scale,
                )
            )
            number += frames + ALIGNMENT_TRIES  # frames ahead of each point for sounding
    return points


def run_air(
    config: ExperimentConfig,
    bench_config: BenchConfig,
    work: Workload,
    *,
    capture: Path,
    report: Report,
    transmit: bool = False,
) -> dict[str, Any]:
    """Measure all points over the air of a bench, keep every sample, score, simulate beside it.

    Args:
        config: what is measured.
        bench_config: on which radios.
        work: data set, tasks and schemes.
        capture: file to make.
        report: told what happens.
        transmit: the operator allows real transmitters to send.

    Returns:
        the results (docs/results.md).

    Raises:
        HilError: what stopped the run; the capture keeps what was measured before. Radios that do not answer in time end a
            point, not the run.
    """
    if max(scorer.plan.transmitters for scorer in work.scorers.values()) > len(bench_config.transmitters):
        raise ConfigError(
            f"bench '{bench_config.name}' has {len(bench_config.transmitters)} transmitter(s), the schemes need more; "
            "choose --schemes single, or another bench"
        )
    fading = fading_of(bench_config)
    _check_scorable(bench_config, work, fading)
    started = time.strftime("%Y-%m-%dT%H:%M:%S%z")
    with Bench(bench_config, transmit=transmit) as bench:
        receiver = receiver_for(bench_config)
        points = plan_points(config, work, bench_config, receiver, bench.full_scale)
        needs = capture_needs(points, bench_config.sample_rate_hz)
        report.say(f"plan: {len(points)} points, {sum(point.frames for point in points)} frames, {needs}")
        check_disk(needs, capture)
        frame = points[0].frame
        lowest = min(point.snr_db_target + power_to_db(min(point.power)) for point in points)
        cost = sounding_cost_db(lowest, taps=receiver.taps, active=frame.numerology.active, symbols=frame.sounding_symbols)
        report.say(
            f"frames: preamble {frame.preamble_samples} samples, {frame.sounding_symbols} sounding symbols a transmitter "
            f"(costs {cost:.2f} dB of effective SNR at {lowest:g} dB), header sent {frame.header_repetitions} times"
        )
        settings = {
            "experiment": config.model_dump(mode="json"),
            "bench": bench_config.model_dump(mode="json"),
            "points": len(points),
            "dataset": {"spec": config.dataset, "fingerprint": work.fingerprint, "fingerprints": work.fingerprints},
        }
        models = {name: scorer.sha256 for name, scorer in work.scorers.items()}
        with CaptureWriter.create(capture, config=settings, versions=versions(), models=models, overwrite=True) as writer:
            air = AirRun(bench, writer, receiver)
            report.say("calibrating: each transmitter alone")
            links = air.calibrate(points[0].frame)
            for link in links:
                report.say(f"  link {link.tx}: {link.snr_db:.2f} ± {2 * link.snr_db_std:.2f} dB at gain {link.gain_db:g} dB")
            rows, kept, ended = [], [], []
            digest = hashlib.sha256()
            sent = {name: scorer.encode() for name, scorer in work.scorers.items()}
            began = time.monotonic()
            with report.stage("on the air", sum(point.frames for point in points)) as progress:
                for spec in points:
                    scorer = work.scorers[spec.scheme]
                    labels = task_labels(work, spec)
                    try:
                        collection, more = air.measure(spec, sent[spec.scheme], labels, links, progress)
                    except RadioTimeoutError as err:  # before its first frame
                        progress(spec.frames)
                        ended.append(_ended(spec, 0, str(err), report))
                        continue
                    outcome = scorer.score(collection.received, spec.task_index())
                    row = air_row(scorer, spec, collection, outcome, more)
                    symbols = collection.received.symbols.contiguous().numpy()
                    digest.update(symbols.tobytes())
                    writer.finish_point(
                        more["point"],
                        results=row,
                        received_sha256=collection.sha256,
                        received=symbols,
                        valid=more["ended"] is None,
                        arrays={"hit": outcome.hit.numpy(), "ap": outcome.ap.numpy()},
                    )
                    rows.append(row)
                    report.point(row)
                    if more["ended"] is None:
                        kept.append((row, spec, collection, outcome))
                    else:
                        ended.append(_ended(spec, collection.frames["sent"], more["ended"], report))
            if not rows:
                raise RadioTimeoutError(f"no point was measured: {ended[-1]['why']}")
            report.say(f"on the air for {time.monotonic() - began:.1f} s")
            results = finish_results(config, work, rows, kept, sent, digest.hexdigest(), report)
            results |= {
                "started": started,
                "sounding_cost_db": cost,
                "capture": capture.name,
                "versions": versions(),
                "bench": bench_config.name,
            }
            results["links"] = [asdict(link) for link in links]
            results["ended_points"] = ended
            writer.finish(results)
    return results


def _ended(spec: PointSpec, sent: int, why: str, report: Report) -> dict[str, Any]:
    """Tell of a point that was given up, and return its entry of the results."""
    report.say(f"  {spec.scheme} {spec.snr_db_target:+g} dB ended after {sent} of {spec.frames} frames: {why}")
    return {
        "scheme": spec.scheme,
        "snr_db_target": spec.snr_db_target,
        "frames_sent": sent,
        "frames_planned": spec.frames,
        "why": why,
    }


def run_simulation(config: ExperimentConfig, work: Workload, report: Report) -> dict[str, Any]:
    """The mathematical channel alone: every point of the plan through AWGN at its target SNR; no radio, no capture."""
    rows: list[dict[str, Any]] = []
    shares: Shares = {}
    with report.stage("simulating", config.draws * len(config.snr_db) * len(work.scorers)) as progress:
        for scorer in work.scorers.values():
            sent = scorer.encode()
            power = transmit_power(scorer.plan.occupied, config.energy)
            for target in config.snr_db:
                row, share = simulate_point(
                    scorer,
                    sent,
                    snr_db=[target + power_to_db(value) for value in power],
                    basis="link",
                    target=target,
                    energy=config.energy,
                    draws=config.draws,
                    seed=config.seed,
                    progress=progress,
                )
                rows.append(row)
                shares.setdefault(("simulation", "link", config.energy, target), {})[scorer.name] = share
                report.point(row)
    points = [*rows, *reference_rows(work)]
    result: dict[str, Any] = rounded(
        {
            "schema": SCHEMA,
            "received_sha256": None,
            "points": points,
            "agreement": [],
            "comparisons": comparison_rows(shares, {}, work.tasks.identities),
            "summary": summary(points, []),
            "experiment": config.model_dump(mode="json"),
            "dataset": {"spec": work.dataset_spec, "fingerprint": work.fingerprint},
            "bench": None,
            "versions": versions(),
        }
    )
    return result
