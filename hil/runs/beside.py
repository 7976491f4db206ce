"""Simulations beside the air: the same tasks through the mathematical channel, or through the captured one."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from hil.models.contract import Sent
from hil.points.contender import Contender
from hil.points.kinds import UNALIGNED_NAME, Energy
from hil.points.simulate import Medium, awgn_noise, seed_of, simulate
from hil.points.simulate import Samples as Simulated
from hil.results.agreement import Pair
from hil.results.compare import Answer, Condition, Samples
from hil.results.curves import Reading
from hil.results.document import Row
from hil.results.rows import mean_uses, simulated_row
from hil.results.sample import Sample
from hil.runs.config import RunConfig
from hil.runs.progress import Progress
from hil.runs.steps import Key, Measured, air_sample, csi_of, subject
from hil.timing import timed
from hil.units import linear_mean_db, power_to_db

__all__ = ["Beside", "beside_channel", "beside_point", "condition", "simulated_rows"]


@dataclass(kw_only=True)
class Beside:
    """Simulations beside measured points."""

    rows: list[Row] = field(default_factory=list)
    pairs: list[Pair] = field(default_factory=list)
    samples: Samples = field(default_factory=dict)
    basis: str = "effective"

    def note(self, under: Condition, point: Measured, sample: Sample, reading: Reading) -> None:
        """One more point of the curve of its scheme."""
        answer = Answer(snr_db_target=point.spec.snr_db_target, sample=sample, reading=reading)
        self.samples.setdefault(under, {}).setdefault(point.spec.scheme, []).append(answer)


def simulated_rows(
    contender: Contender,
    sent: Sent,
    *,
    snr_db: Sequence[Sequence[float]],
    basis: str,
    target: float,
    energy: Energy,
    config: RunConfig,
    progress: Progress | None,
    power: Sequence[float] = (),
    index: Tensor | None = None,
    fade: Tensor | None = None,
) -> tuple[dict[Key, Row], Simulated]:
    """Tasks through AWGN, at each receiver at an SNR of its own, and through the same fades if any.

    Args:
        contender: decodes and judges.
        sent: of the distinct tasks, or of those in `index`.
        snr_db: drawn at, of each receiver of the plan (dB, one a transmitter or one for all).
        basis: what that SNR is.
        target: of the point.
        energy: rule that is drawn under.
        config: draws and seed.
        progress: told the draws done.
        power: of each transmitter relative to 1.
        index: distinct task of each, where not 0, 1, 2, ….
        fade: complex64 [tx, task], known to schemes that ask for the channel.
    """
    channel = None if fade is None else fade[..., None].expand_as(sent.symbols)
    own = dict(zip(contender.plan.receivers, snr_db, strict=True))
    media = {name: Medium(noise_var=awgn_noise(contender.plan, values), channel=channel) for name, values in own.items()}
    at = {contender.label(name): values for name, values in own.items()} | {None: snr_db[0]}
    samples = simulate(
        contender,
        sent,
        media,
        draws=config.draws,
        seed=seed_of(config.seed, contender.name, target, basis + energy),
        index=index,
        power=power,
        progress=progress,
    )
    rows = {
        key: simulated_row(
            subject(contender, key),
            sample,
            basis=basis,
            snr_db_target=target,
            snr_db=list(at[key[1]]),
            snr_eff_db=linear_mean_db(at[key[1]]),
            energy=energy,
            fading="none" if fade is None else "emulated",
            csi=csi_of(contender.plan, aligned="ideal"),
            uses=mean_uses(contender.plan, sent.length),
        )
        for key, sample in samples.items()
    }
    return rows, samples


@timed("simulation")
def beside_point(point: Measured, config: RunConfig, beside: Beside, progress: Progress) -> None:
    """Simulate one point beside the air, at the link's and at the effective SNR, and note what is compared.

    Where a point fades in the air, the captured channel is drawn through instead.
    """
    steps = 2 * config.draws
    found = list(point.collections.values())
    if any(math.isnan(one.snr_eff_db) for one in found):  # a receiver got nothing
        progress(steps)
        return
    for key in point.scored:
        _note_air(point, key, beside)
    if point.spec.scheme.endswith(UNALIGNED_NAME):  # h = 1 is not what it met
        progress(steps)
        return
    if point.spec.fading == "air":
        beside_channel(point, config, beside)
        progress(steps)
        return
    spec, contender = point.spec, point.contender
    index = None
    sent, fade = repeat_free(point)
    if fade is not None:
        index = spec.task_index()
    common: dict[str, Any] = {
        "target": spec.snr_db_target, "config": config, "progress": progress, "index": index, "fade": fade,
        "power": spec.power,
    }  # fmt: skip
    at_link, at_effective = [one.snr_db for one in found], [[one.snr_eff_db] for one in found]
    link, _ = simulated_rows(contender, sent, snr_db=at_link, basis="link", energy=spec.energy, **common)
    effective, samples = simulated_rows(contender, sent, snr_db=at_effective, basis="effective", energy=spec.energy, **common)
    beside.rows += [*link.values(), *effective.values()]
    for key, sample in samples.items():
        pair = Pair(row=point.rows[key], air=air_sample(point, key), simulated=sample, clusters=contender.tasks.clusters)
        beside.pairs.append(pair)
    if spec.energy == "per_use":
        _per_task(point, sent, effective, samples, beside, common)


def repeat_free(point: Measured) -> tuple[Sent, Tensor | None]:
    """What a simulation sends: the distinct tasks, or every task sent where each has a fade of its own; and the fades."""
    if point.fade is not None:
        return point.sent, point.fade
    distinct = slice(point.spec.distinct_tasks)
    sent = point.sent
    return Sent(
        symbols=sent.symbols[:, distinct],
        length=None if sent.length is None else sent.length[:, distinct],
        side=None if sent.side is None else {name: value[distinct] for name, value in sent.side.items()},
    ), None


def _note_air(point: Measured, key: Key, beside: Beside) -> None:
    """Note a point over the air as one of its scheme's curve, at its measured SNR."""
    spec, found = point.spec, point.of(key[1]).snr
    shared = found.noise is not None and found.noise.pool == "run"
    reading = Reading(
        snr_db=found.mean_db - _power_db(spec.power),
        own_db=found.signal_db if math.isfinite(found.signal_db) else 0.0,
        shared_db=found.noise_db,
        pool=str(key[1]) if shared else f"{key[1]} {spec.first_frame}",
    )
    beside.note(condition(key, source="air", basis="link", energy=spec.energy), point, air_sample(point, key), reading)


def _power_db(power: Sequence[float]) -> float:
    return power_to_db(sum(power) / len(power))


def condition(key: Key, *, source: str, basis: str, energy: str) -> Condition:
    """Under which answers of a goal at a receiver are compared."""
    return Condition(goal=key[0], receiver=key[1], source=source, snr_basis=basis, energy=energy)


def _per_task(
    point: Measured,
    sent: Sent,
    effective: Mapping[Key, Row],
    samples: Simulated,
    beside: Beside,
    common: Mapping[str, Any],
) -> None:
    """The same point with the energy of a task fixed, Σ‖x_i‖² = q: superposed transmitters have a share of the power each."""
    plan = point.contender.plan
    factor = plan.uses / int(plan.occupied.sum())
    rows, found = {key: row.model_copy(update={"energy": "per_task"}) for key, row in effective.items()}, samples
    if factor != 1:  # else q is spent in either case
        inversion = getattr(next(iter(point.rows.values())), "precoder_energy_db", None) or [0.0]
        taken = linear_mean_db(inversion)  # paid from the same energy
        snr_db = [[one.snr_eff_db + power_to_db(factor) - taken] for one in point.collections.values()]
        rows, found = simulated_rows(point.contender, sent, snr_db=snr_db, basis="effective", energy="per_task", **common)
    beside.rows += rows.values()
    for key, sample in found.items():
        under = condition(key, source="simulation", basis="effective", energy="per_task")
        beside.note(under, point, sample, Reading(snr_db=point.of(key[1]).snr_eff_db))  # drawn there: no error


def beside_channel(point: Measured, config: RunConfig, beside: Beside) -> None:
    """The same symbols through the captured channel and noise of every use, with new noise; tasks that were heard."""
    beside.basis = "channel"
    heard = torch.stack([one.valid.any(1) for one in point.collections.values()]).all(0)
    if not bool(heard.any()):
        return
    spec, contender = point.spec, point.contender
    index = spec.task_index()[heard]
    draws = max(1, -(-config.draws * spec.distinct_tasks // int(heard.sum())))
    media = {
        name: Medium(noise_var=one.noise_var[heard], channel=one.channel[:, heard])
        for name, one in zip(contender.plan.receivers, point.collections.values(), strict=True)
    }
    part = Sent(
        symbols=point.sent.symbols[:, heard],
        length=None if point.sent.length is None else point.sent.length[:, heard],
        side=None if point.sent.side is None else {name: value[heard] for name, value in point.sent.side.items()},
    )
    samples = simulate(contender, part, media, draws=draws, seed=config.seed, index=index)
    for key, sample in samples.items():
        found = point.of(key[1])
        beside.rows.append(
            simulated_row(
                subject(contender, key),
                sample,
                basis="channel",
                snr_db_target=spec.snr_db_target,
                snr_db=found.snr_db,
                snr_eff_db=found.snr_eff_db,
                energy=spec.energy,
                fading=spec.fading,
                csi=point.rows[key].csi,
            )
        )
        air = Sample(tasks=point.scored[key].rows(heard), index=index, frame=found.block[heard])
        beside.pairs.append(Pair(row=point.rows[key], air=air, simulated=sample, clusters=contender.tasks.clusters))
