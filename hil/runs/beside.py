"""Simulations beside the air: the same tasks through the mathematical channel, or through the captured one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from hil.models.contract import Sent
from hil.points.contender import Contender
from hil.points.kinds import UNALIGNED_NAME, Energy
from hil.points.simulate import WORKERS, Medium, awgn_noise, seed_of, simulate
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

__all__ = [
    "Beside", "Compared", "beside_channel", "beside_point", "compared_with", "condition", "heard", "note_air", "simulated_rows",
]  # fmt: skip


@dataclass(kw_only=True)
class Beside:
    """Simulations beside measured points."""

    rows: list[Row] = field(default_factory=list)
    pairs: list[Pair] = field(default_factory=list)
    samples: Samples = field(default_factory=dict)

    def hold_against(
        self,
        contender: Contender,
        row: Row,
        air: Sample,
        simulated: Sample,
        *,
        basis: str,
        at_db: tuple[float, float] = (0.0, 0.0),
    ) -> None:
        """Air and simulation of one point, to be judged; but of a bound, which decodes by the SNR that was estimated.

        No noise reaches its message: at its cliff the difference is that estimate's error alone, at 3 points for 0.1 dB.

        Args:
            contender: whose point it is; row: over the air.
            air, simulated: answers to its tasks; basis: what was simulated.
            at_db: SNR that was drawn at, and its standard error that the answers do not show.
        """
        if contender.scheme.card.kind != "bound":
            own = contender.tasks.clusters
            self.pairs.append(Pair(row=row, air=air, simulated=simulated, clusters=own, basis=basis, drawn_at_db=at_db))

    def note(self, under: Condition, point: Measured, sample: Sample, reading: Reading) -> None:
        """One more point of the curve of its scheme."""
        answer = Answer(snr_db_target=point.spec.snr_db_target, sample=sample, reading=reading)
        self.samples.setdefault(under, {}).setdefault(point.spec.scheme, []).append(answer)


Drawn = tuple[dict[Key, Row], Simulated]
"""Rows of a simulation, and what they are made of."""


@dataclass(frozen=True, kw_only=True)
class Compared:
    """What a point over the air is compared with.

    Attributes:
        snr_eff_db: drawn at, of each receiver (dB).
        effective: under the point's own rule of energy; per_task: with the energy of a task fixed, None where the point's is.
    """

    snr_eff_db: tuple[float, ...]
    effective: Drawn
    per_task: Drawn | None


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
    **how: Any,
) -> Drawn:
    """Tasks through AWGN, at each receiver at an SNR of its own, and through the same fades if any.

    Args:
        contender: decodes and judges.
        sent: of the distinct tasks, or of those in `index`.
        snr_db: drawn at, of each receiver of the plan (dB, one a transmitter or one for all).
        basis: what that SNR is; target: of the point; energy: rule that is drawn under.
        config: draws and seed; progress: told the draws done.
        power: of each transmitter relative to 1.
        index: distinct task of each, where not 0, 1, 2, ….
        fade: complex64 [tx, task], known to schemes that ask for the channel.
        how: `compared` and `workers` of `simulate`.
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
        **how,
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
def beside_point(
    point: Measured, config: RunConfig, beside: Beside, progress: Progress, *, ahead: Compared | None = None
) -> None:
    """Simulate one point beside the air, at the link's and at the effective SNR, and note what is compared.

    Where a point fades in the air, the captured channel is drawn through instead.

    Args:
        point: whose SNRs are against the noise of the run.
        config: draws and seed.
        beside: what is noted in.
        progress: told the draws done, which `steps_of` the point are.
        ahead: what was drawn ahead of time.
    """
    found = list(point.collections.values())
    if not heard(point):
        progress(steps_of(point, config))
        return
    note_air(point, beside)
    if point.spec.scheme.endswith(UNALIGNED_NAME):  # h = 1 is not what it met
        progress(steps_of(point, config))
        return
    if point.spec.fading == "air":
        beside_channel(point, config, beside)
        progress(steps_of(point, config))
        return
    common = _common(point, config, progress) | {"basis": "link", "compared": False}
    link, _ = simulated_rows(point.contender, snr_db=[one.snr_db for one in found], energy=point.spec.energy, **common)
    if ahead is not None and ahead.snr_eff_db == tuple(one.snr_eff_db for one in found):
        progress(steps_of(point, config) - config.draws)
    else:
        ahead = compared_with(point, config, progress)
    rows, samples = ahead.effective
    beside.rows += [*link.values(), *rows.values()]
    if point.spec.by_channel:  # what it met is not h = 1
        beside_channel(point, config, beside)
    for key, sample in () if point.spec.by_channel else samples.items():
        _note_drawn(point, key, sample, beside, energy=point.spec.energy)
        snr, air = point.of(key[1]).snr, air_sample(point, key)
        at_db = snr.eff_db, snr.level_db
        beside.hold_against(point.contender, point.rows[key], air, sample, basis="effective", at_db=at_db)
    if ahead.per_task is not None:
        beside.rows += ahead.per_task[0].values()
        for key, sample in ahead.per_task[1].items():
            _note_drawn(point, key, sample, beside, energy="per_task")


def steps_of(point: Measured, config: RunConfig) -> int:
    """Draws of a point, at most."""
    return config.draws * (2 + (_budget(point) != 1))


def heard(point: Measured) -> bool:
    """Whether every receiver got something of a point."""
    return not any(math.isnan(one.snr_eff_db) for one in point.collections.values())


def _common(point: Measured, config: RunConfig, progress: Progress | None) -> dict[str, Any]:
    """What all simulations of a point share."""
    spec = point.spec
    sent, fade = repeat_free(point)
    return {
        "sent": sent, "target": spec.snr_db_target, "config": config, "progress": progress, "fade": fade, "power": spec.power,
        "index": None if fade is None else spec.task_index(),
    }  # fmt: skip


@timed("simulation")
def compared_with(point: Measured, config: RunConfig, progress: Progress | None, *, workers: int = WORKERS) -> Compared:
    """Simulate a point at its effective SNR, which hangs on its own frames alone.

    Args:
        point: heard by every receiver.
        config: draws and seed.
        progress: told the draws done.
        workers: as `simulate`.
    """
    common = _common(point, config, progress) | {"basis": "effective", "workers": workers}
    snr_eff_db = tuple(one.snr_eff_db for one in point.collections.values())
    effective = simulated_rows(point.contender, snr_db=[[one] for one in snr_eff_db], energy=point.spec.energy, **common)
    per_task = None
    if point.spec.energy == "per_use":
        rows = {key: row.model_copy(update={"energy": "per_task"}) for key, row in effective[0].items()}
        per_task = rows, effective[1]
        if (factor := _budget(point)) != 1:  # else q is spent in either case
            inversion = getattr(next(iter(point.rows.values())), "precoder_energy_db", None) or [0.0]
            taken = linear_mean_db(inversion)  # paid from the same energy
            snr_db = [[one + power_to_db(factor) - taken] for one in snr_eff_db]
            per_task = simulated_rows(point.contender, snr_db=snr_db, energy="per_task", **common)
    return Compared(snr_eff_db=snr_eff_db, effective=effective, per_task=per_task)


def _budget(point: Measured) -> float:
    """Share of its energy that a task would have if Σ‖x_i‖² = q: superposed transmitters have a share of the power each."""
    plan = point.contender.plan
    occupied = int(plan.occupied.sum())
    return plan.uses / occupied if point.spec.energy == "per_use" and occupied else 1.0  # a noiseless reference sends nothing


def repeat_free(point: Measured) -> tuple[Sent, Tensor | None]:
    """What a simulation sends: the distinct tasks, or every task sent where each has a fade of its own; and the fades."""
    if point.fade is not None:
        return point.sent, point.fade
    return point.sent.first(point.spec.distinct_tasks), None


def note_air(point: Measured, beside: Beside) -> None:
    """Note a point over the air, that every receiver heard, as one of its scheme's curves, at its measured SNR."""
    for key in point.scored:
        _note_answers(point, key, beside)


def _note_answers(point: Measured, key: Key, beside: Beside) -> None:
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


def _note_drawn(point: Measured, key: Key, sample: Sample, beside: Beside, *, energy: str) -> None:
    """Note what was simulated at a point's effective SNR, under a rule of energy."""
    under = condition(key, source="simulation", basis="effective", energy=energy)
    beside.note(under, point, sample, Reading(snr_db=point.of(key[1]).snr_eff_db))  # drawn there: no error


def beside_channel(point: Measured, config: RunConfig, beside: Beside) -> None:
    """The same symbols through the captured channel and noise of every use, with new noise; tasks that were heard."""
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
        beside.hold_against(contender, point.rows[key], air, sample, basis="channel")
