"""How a superposed scheme's accuracy bears transmitters that are not aligned: what to know before trying NOMA."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from hil.captures import Capture
from hil.config import validate
from hil.errors import ConfigError
from hil.goals.contract import PerTask, headline
from hil.models.contract import Scheme, Sent
from hil.phy.frame import FrameConfig, FrameFormat
from hil.points.contender import Contender
from hil.points.misaligned import KINDS, Kind, error_gains, seen_by_receiver
from hil.points.simulate import Medium, awgn_noise, seed_of, simulate
from hil.points.spec import PointSpec
from hil.provenance import provenance
from hil.registry import SCHEMES
from hil.results.estimate import Estimate, aligned, estimate
from hil.results.intervals import Claims, interval, judged
from hil.results.sample import Sample
from hil.runs.config import RunConfig, SensitivityConfig
from hil.runs.progress import Progress, Report, Silent
from hil.runs.replay import collect_point, config_of, open_work
from hil.runs.work import load_work

__all__ = ["Sensitivity", "SensitivityRow", "sensitivity"]

Answered = Callable[[Kind, float], Sample]
"""How tasks are answered under an error of a kind and size."""


@dataclass(frozen=True, kw_only=True)
class SensitivityRow:
    """Accuracy under one error at one SNR.

    Attributes:
        error: a key of `KINDS`; size: of the error, in `unit`.
        snr_db: of a unit-power transmitter: drawn at, or the captured point's target.
        value: the goal's headline; ci: its 95 % interval.
        difference: to no error, on the same tasks and noise; difference_ci: its 95 % interval.
        tasks: answers that it rests on; distinct_tasks: distinct ones among them.
    """

    error: Kind
    size: float
    unit: str
    snr_db: float
    value: float
    ci: tuple[float, float] | None
    difference: float
    difference_ci: tuple[float, float] | None
    tasks: int
    distinct_tasks: int


@dataclass(frozen=True, kw_only=True)
class Sensitivity:
    """What was found.

    Attributes:
        scheme: whose; goal, metric, unit: what judged it.
        source: ``simulation``, or ``capture`` with new errors on what was received.
        capture: its path, or None.
        rows: by SNR, kind and size.
        about: configuration and provenance.
    """

    scheme: str
    goal: str
    metric: str
    unit: str
    source: str
    capture: str | None
    rows: tuple[SensitivityRow, ...]
    about: Mapping[str, Any]


def sensitivity(
    config: SensitivityConfig,
    *,
    capture: Path | None = None,
    home: Path | None = None,
    report: Report | None = None,
    objects: Mapping[str, Scheme] | None = None,
) -> Sensitivity:
    """Accuracy of a superposed scheme against phase, power and timing errors between its transmitters.

    In simulation the trained network is sent through y = Σ g_k x_k + n and divided by the mean of the g_k, as the receiver of
    frames does. With a capture, the errors are laid on what was received: y + Σ (g_k − 1) h_k x_k.

    Args:
        config: what is asked.
        capture: a run's, with an aligned point of the scheme; None: simulate.
        home: the user's bench folder.
        report: told how far it is.
        objects: schemes at hand by name.

    Raises:
        ConfigError: the scheme superposes nothing, or the capture has no point of it.
    """
    said = report or Silent()
    scheme = config.scheme if config.scheme in (objects or {}) else SCHEMES.resolve(config.scheme)
    if capture is None:
        contender, goal, rows = _simulated(config, scheme, home, said, objects)
    else:
        contender, goal, rows = _captured(config, scheme, capture, home, said, objects)
    metric = headline(contender.goals[goal])
    return Sensitivity(
        scheme=scheme,
        goal=goal,
        metric=metric.title or metric.name,
        unit=metric.unit,
        source="simulation" if capture is None else "capture",
        capture=None if capture is None else str(capture),
        rows=tuple(rows),
        about={"config": config.model_dump(mode="json"), "provenance": provenance()},
    )


Found = tuple[Contender, str, list[SensitivityRow]]


def _simulated(
    config: SensitivityConfig, scheme: str, home: Path | None, report: Report, objects: Mapping[str, Scheme] | None
) -> Found:
    asked = validate(
        RunConfig,
        {
            "schemes": (scheme,), "goals": config.goals, "models": config.models, "seed": config.seed, "tasks": config.tasks,
            "distinct_tasks": config.tasks, "simulate": "awgn",
        }
        | ({} if config.dataset is None else {"dataset": config.dataset}),
        "hil sensitivity",
    )  # fmt: skip
    work = load_work(asked, home=home, objects=objects, say=report.say)
    contender = work.contenders[scheme]
    _check(contender)
    goal, form = next(iter(contender.judges)), FrameFormat(FrameConfig(), contender.plan.occupied)
    rows: list[SensitivityRow] = []
    with report.stage("simulating errors", len(config.snr_db) * len(config.errors) * config.draws) as progress:
        for snr_db in config.snr_db:
            told = [snr_db] * contender.plan.transmitters
            sent = contender.encode(told if contender.plan.tx_csi != "none" else None)
            answered = _Simulation(contender, sent, form, snr_db, config, goal, progress)
            rows += _rows(contender, goal, snr_db, config, answered)
    return contender, goal, rows


def _check(contender: Contender) -> None:
    if not contender.plan.superposed:
        raise ConfigError(
            f"scheme '{contender.name}' superposes nothing ({contender.plan.access}), so its transmitters need no alignment; "
            "choose one that does, such as those of access NOMA in hil schemes list"
        )


@dataclass(frozen=True)
class _Simulation:
    """Answers through the mathematical channel."""

    contender: Contender
    sent: Sent
    form: FrameFormat
    snr_db: float
    config: SensitivityConfig
    goal: str
    progress: Progress

    def __call__(self, kind: Kind, size: float) -> Sample:
        plan, count = self.contender.plan, self.sent.symbols.shape[1]
        noise = awgn_noise(plan, [self.snr_db])
        parts = []
        for draw in range(self.config.draws):  # the same noise for every error: differences are of the error alone
            seed = seed_of(self.config.seed, self.snr_db, draw)
            gains = error_gains(kind, size, self.form, count, seed=seed)
            channel, power = seen_by_receiver(gains, plan.occupied)
            medium = Medium(noise_var=noise / power.clamp_min(1e-12), channel=channel)
            found = simulate(self.contender, self.sent, dict.fromkeys(plan.receivers, medium), draws=1, seed=seed)
            parts.append(next(sample for key, sample in found.items() if key[0] == self.goal))
            self.progress(1)
        draws = torch.arange(len(parts)).repeat_interleave(count)
        return Sample(
            tasks=PerTask.cat([one.tasks for one in parts]), index=torch.cat([one.index for one in parts]), draw=draws
        )


def _captured(
    config: SensitivityConfig, scheme: str, path: Path, home: Path | None, report: Report, objects: Mapping[str, Scheme] | None
) -> Found:
    changes = {key: value for key, value in (("dataset", config.dataset), ("models", config.models)) if value is not None}
    rows: list[SensitivityRow] = []
    with Capture.open(path) as capture:
        work = open_work(capture, config_of(capture, changes), home=home, objects=objects)
        if scheme not in work.contenders:
            raise ConfigError(f"{path} has no scheme '{scheme}'; it has {', '.join(work.contenders)}")
        contender = work.contenders[scheme]
        _check(contender)
        goal = next(iter(contender.judges))
        specs = [
            (record, validate(PointSpec, record.attrs["spec"], record.name))
            for record in capture.points
            if record.attrs.get("kind") == "point" and record.attrs["spec"]["scheme"] == scheme
        ]
        if any(spec.fragments > 1 for _, spec in specs):
            raise ConfigError(f"tasks of scheme '{scheme}' ride in several frames each; leave --capture out, and simulate")
        if any(spec.frame.spreading != "none" for _, spec in specs):
            raise ConfigError(f"uses of scheme '{scheme}' were spread over carriers; leave --capture out, and simulate")
        with report.stage("errors on what was received", len(specs) * len(config.errors)) as progress:
            for record, spec in specs:
                collections, sent, _ = collect_point(capture, record, spec)
                answered = _OnCapture(contender, spec, sent, collections, config, goal, progress)
                rows += _rows(contender, goal, spec.snr_db_target, config, answered)
    return contender, goal, rows


@dataclass(frozen=True)
class _OnCapture:
    """Answers to what was received, with further errors laid on it."""

    contender: Contender
    spec: PointSpec
    sent: Sent
    collections: Mapping[str, Any]
    config: SensitivityConfig
    goal: str
    progress: Progress

    def __call__(self, kind: Kind, size: float) -> Sample:
        plan, form = self.contender.plan, self.spec.format()
        gains = error_gains(kind, size, form, self.spec.tasks, seed=seed_of(self.config.seed, self.spec.snr_db_target))
        names = zip(plan.receivers, self.collections.values(), strict=True)
        received = {name: self._received(one, gains) for name, one in names}
        decoded = self.contender.decode(received, self.sent.side)
        scored = next(
            tasks for key, tasks in self.contender.score(decoded, self.spec.task_index()).items() if key[0] == self.goal
        )
        found = next(iter(self.collections.values()))
        self.progress(1)
        return Sample(tasks=scored.rows(found.sent), index=self.spec.task_index()[found.sent], frame=found.block[found.sent])

    def _received(self, one: Any, gains: Tensor) -> Any:
        relative, power = seen_by_receiver(gains, self.contender.plan.occupied)
        mean = torch.polar(power.sqrt(), torch.zeros_like(power))
        error = ((relative * mean - 1) * one.channel * self.sent.symbols).sum(0) * one.valid
        changed = replace(
            one,
            symbols=(one.symbols + error) / mean,
            channel=one.channel * relative,
            noise_var=one.noise_var / power,
        )
        return changed.received(self.contender.plan, self.spec.power)


def _rows(
    contender: Contender, goal: str, snr_db: float, config: SensitivityConfig, answered: Answered
) -> list[SensitivityRow]:
    """All errors at one SNR, each against none."""
    errors = config.errors
    samples = [answered(kind, size) for kind, size in errors]
    metric = headline(contender.goals[goal])
    clusters = contender.tasks.clusters
    known = [estimate(metric, sample, clusters) for sample in samples]
    alone = [replace(sample, frame=None) for sample in samples]  # what tasks of a frame share is the same under all errors
    paired = [estimate(metric, sample, clusters, balanced=True) for sample in aligned(alone)]
    rows = []
    for (kind, size), sample, one, pair in zip(errors, samples, known, paired, strict=True):
        difference, ends = _difference(pair, paired[0]) if (kind, size) != errors[0] else (0.0, None)
        rows.append(
            SensitivityRow(
                error=kind, size=size, unit=KINDS[kind][1], snr_db=snr_db, value=one.value, ci=interval(one),
                difference=difference, difference_ci=ends, tasks=len(sample), distinct_tasks=len(sample.index.unique()),
            )
        )  # fmt: skip
    return rows


def _difference(one: Estimate, other: Estimate) -> tuple[float, tuple[float, float] | None]:
    claims = Claims(
        values=np.array([one.value - other.value]), unit=one.unit, weights=np.array([[1.0, -1.0]]), others=np.zeros((1, 1)),
        kind="repetition",
    )  # fmt: skip
    (found,) = judged([one, other], claims)
    return found.value, found.ci if all(map(np.isfinite, found.ci)) else None
