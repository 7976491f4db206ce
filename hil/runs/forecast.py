"""What a run will ask for: time on the air, disk, and the processor for what is simulated beside; said before it starts."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median

from hil.captures import check_disk
from hil.goals.contract import Tasks
from hil.points.contender import Contender
from hil.points.kinds import UNALIGNED_NAME
from hil.points.needs import capture_needs
from hil.points.simulate import Medium, awgn_noise, simulate
from hil.points.spec import PointSpec
from hil.radios.bench import BenchConfig
from hil.runs.config import RunConfig
from hil.runs.plan import sounding_cost
from hil.runs.progress import Report

__all__ = ["simulation_seconds", "tell_plan", "tell_simulation"]

PROBED = 252
"""Tasks that a scheme is timed on, after as many to warm up: a whole batch of its decoder."""
WORTH_SAYING = 10.0
"""Seconds of processor time below which nobody plans anything by them."""


def tell_plan(points: Sequence[PointSpec], bench: BenchConfig, capture: Path, report: Report) -> float:
    """Say what is planned, and refuse what the disk has no room for; what channel estimation costs (dB)."""
    needs = capture_needs(points, bench.sample_rate_hz, transmitters=len(bench.transmitters), receivers=len(bench.receivers))
    report.say(f"plan: {len(points)} points, {sum(point.frames for point in points)} frames, {needs}")
    check_disk(needs, capture)
    cost, lowest = sounding_cost(points)
    frame = points[0].frame
    report.say(
        f"frames: preamble {frame.preamble_samples} samples, {frame.sounding_symbols} sounding symbols a transmitter "
        f"(costs {cost:.2f} dB of effective SNR at {lowest:g} dB), header sent {frame.header_repetitions} times"
    )
    return cost


def tell_simulation(
    points: Sequence[PointSpec], contenders: Mapping[str, Contender], config: RunConfig, report: Report
) -> None:
    """Say how much processor time the simulations of all points will take at most, where that is worth saying.

    Every scheme answers some of its tasks once, as a simulation does; the time is scaled to the draws of its points.

    Args:
        points: of the plan.
        contenders: by the name of the scheme.
        config: draws.
        report: told.
    """
    answers: Counter[str] = Counter()
    snr_db: dict[str, list[float]] = {}
    for point in points:
        if not point.scheme.endswith(UNALIGNED_NAME):  # what it met is not simulated
            answers[point.scheme] += config.draws * _simulations(point) * _simulated_tasks(point)
            snr_db.setdefault(point.scheme, []).append(point.snr_db_target)
    seconds = {name: count * simulation_seconds(contenders[name], median(snr_db[name])) for name, count in answers.items()}
    if sum(seconds.values()) < WORTH_SAYING:
        return
    longest = max(seconds, key=seconds.__getitem__)
    report.say(
        f"simulation beside: {sum(answers.values()):,} answers, {config.draws} draws a task: at most "
        f"{_duration(sum(seconds.values()))} of processor time, {_duration(seconds[longest])} of it for {longest}; "
        "fewer --draws or --tasks take less"
    )


def _simulations(point: PointSpec) -> int:
    """At the link's SNR, at the effective one, with a task's energy fixed where that differs; through the channel."""
    if point.fading == "air":
        return 1
    occupied = sum(map(sum, point.occupied))
    differs = point.energy == "per_use" and occupied not in (0, len(point.occupied[0]))
    return 2 + differs + point.by_channel


def _simulated_tasks(point: PointSpec) -> int:
    """Every task sent, where each has a fade of its own."""
    return point.distinct_tasks if point.fading == "none" else point.tasks


def simulation_seconds(contender: Contender, snr_db: float) -> float:
    """Processor time of one simulated answer, s: of decoding it and of judging it by its headline.

    Args:
        contender: decodes and judges; must be able to encode without an SNR or at this one.
        snr_db: that is simulated at.
    """
    count = min(PROBED, len(contender.tasks))
    some = replace(contender, tasks=_first(contender.tasks, count))
    sent = some.encode([snr_db] * some.plan.transmitters if some.plan.tx_csi != "none" else None)
    medium = Medium(noise_var=awgn_noise(some.plan, [snr_db]))
    spent = []
    for draw in range(2):
        begun = time.process_time()
        simulate(some, sent, dict.fromkeys(some.plan.receivers, medium), draws=1, seed=draw, workers=1)
        spent.append(time.process_time() - begun)
    return spent[-1] / count


def _first(tasks: Tasks, count: int) -> Tasks:
    """The first so many tasks."""
    labels = {name: value[:count] for name, value in tasks.labels.items()}
    return replace(tasks, views=tasks.views[:count], clusters=tasks.clusters[:count], labels=labels)


def _duration(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"
