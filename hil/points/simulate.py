"""The same tasks through the mathematical channel, with ideal knowledge and many noise draws: no radio, no frames."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import torch
from torch import Tensor

from hil.channel.awgn import superpose
from hil.goals.contract import Judge, PerTask, headline
from hil.models.contract import Output, Plan, Received, Sent, stacked
from hil.points.contender import Contender
from hil.results.draws import draws_wanted
from hil.results.sample import Sample
from hil.units import db_to_power

__all__ = ["Medium", "Samples", "awgn_noise", "received_once", "seed_of", "simulate"]

SIMULATED_AT_ONCE = 12_000
"""Noisy answers judged in one call: bounds memory."""
WORKERS = 2
FIRST_DRAWS = 20
"""Drawn at least (SIGNALS.md, "Simulation beside the air"), and before it is asked how many are needed."""

Samples = dict[tuple[str, str | None], Sample]
"""(goal, receiver or None) -> what the headline is made of, of every task in every draw."""


@dataclass(frozen=True, kw_only=True)
class Medium:
    """What lies between the transmitters and one receiver.

    Attributes:
        noise_var: complex noise variance, float32, broadcastable to [task, use].
        channel: complex64 [tx, task, use]; None for 1.
    """

    noise_var: Tensor
    channel: Tensor | None = None


def awgn_noise(plan: Plan, snr_db: Sequence[float]) -> Tensor:
    """Complex noise variance of each use, float32 [1, use], from each transmitter's SNR; superposed: their linear mean.

    Args:
        plan: of the scheme; a use of nobody has no noise, as over the air.
        snr_db: one value a transmitter, or one for all.
    """
    snr = torch.tensor([db_to_power(value) for value in snr_db]).expand(plan.transmitters)
    occupied = plan.occupied.to(snr.dtype)
    mean = (snr[:, None] * occupied).sum(0) / occupied.sum(0).clamp_min(1)
    return torch.where(plan.occupied.any(0), 1 / mean.clamp_min(1e-30), 0.0)[None]


def seed_of(seed: int, *names: object) -> int:
    """A seed of its own for everything that is drawn."""
    digest = hashlib.sha256("/".join(map(str, (seed, *names))).encode()).digest()
    return int.from_bytes(digest[:6], "big")


def simulate(
    contender: Contender,
    sent: Sent,
    media: Mapping[str, Medium],
    *,
    draws: int,
    seed: int,
    index: Tensor | None = None,
    power: Sequence[float] = (),
    compared: bool = True,
    workers: int = WORKERS,
    progress: Callable[[int], None] | None = None,
) -> Samples:
    """Tasks through y = Σ h_k x_k + n, with `draws` independent noise draws, or with fewer where these are enough.

    Args:
        contender: decodes and judges.
        sent: symbols of the tasks, in the channel's order.
        media: by the plan's receivers.
        draws: number of noise draws.
        seed: of the noise; draw d is a function of (seed, d) alone.
        index: distinct task of each task sent, int64 [task]; None for 0, 1, 2, ….
        power: of each transmitter relative to 1, which the decoder is told as `Received.scale`.
        compared: with other answers to the same tasks; else no more draws than the headline's own interval needs.
        workers: threads that draw; 1: only the caller's. They change no bit.
        progress: told how many draws are done.
    """
    count = sent.symbols.shape[1]
    index = torch.arange(count) if index is None else index
    work = _Simulation(
        contender=contender, sent=sent, media=media, seed=seed, index=index, power=power, workers=workers, progress=progress
    )
    if compared or draws <= FIRST_DRAWS:
        return work.drawn(range(draws))
    first = work.drawn(range(FIRST_DRAWS))
    wanted = max(
        draws_wanted(headline(contender.goals[key[0]]), sample, contender.tasks.clusters, most=draws)
        for key, sample in first.items()
    )
    if progress:
        progress(draws - wanted)
    if wanted == FIRST_DRAWS:
        return first
    return {key: _joined(first[key], sample) for key, sample in work.drawn(range(FIRST_DRAWS, wanted)).items()}


def _joined(first: Sample, second: Sample) -> Sample:
    """Draws and further draws."""
    assert first.draw is not None
    assert second.draw is not None
    return Sample(
        tasks=PerTask.cat([first.tasks, second.tasks]),
        index=torch.cat([first.index, second.index]),
        draw=torch.cat([first.draw, second.draw]),
    )


@dataclass(frozen=True, kw_only=True)
class _Simulation:
    """What is drawn; see `simulate`."""

    contender: Contender
    sent: Sent
    media: Mapping[str, Medium]
    seed: int
    index: Tensor
    power: Sequence[float]
    workers: int
    progress: Callable[[int], None] | None

    def drawn(self, draws: range) -> Samples:
        """Some draws, shared among workers."""
        count = self.sent.symbols.shape[1]
        at_once = SIMULATED_AT_ONCE if self.contender.scheme.card.outputs == "features" else count
        parts = min(len(draws), max(WORKERS, math.ceil(len(draws) * count / at_once)))
        shares = [draws[first::parts] for first in range(parts)]
        found = self._shared(shares)
        draw = torch.cat([torch.tensor(share) for share in shares]).repeat_interleave(count)
        everyone = self.index.repeat(len(draws))
        return {key: Sample(tasks=PerTask.cat([part[key] for part in found]), index=everyone, draw=draw) for key in found[0]}

    def _shared(self, shares: Sequence[range]) -> list[dict[tuple[str, str | None], PerTask]]:
        if self.workers == 1:
            return [self._some(share) for share in shares]
        with ThreadPoolExecutor(self.workers) as pool:
            return list(pool.map(self._some, shares))

    def _some(self, draws: range) -> dict[tuple[str, str | None], PerTask]:
        """The headline of every task in some draws, one after the other."""
        one = self.contender
        with torch.inference_mode():
            made = [_one_draw(one, self.sent, self.media, f"{self.seed}/{draw}", self.power) for draw in draws]
            found = {
                (goal, one.label(name)): _judged(
                    judge, stacked([outputs[name] for outputs in made]), self.index.repeat(len(draws))
                )
                for goal, judge in one.judges.items()
                for name in made[0]
            }
        if self.progress:
            self.progress(len(draws))
        return found


def _judged(judge: Judge, output: Output, index: Tensor) -> PerTask:
    """The headline of simulated answers; nothing is lost, but a task that the decoder itself gave up is, as over the air."""
    gone = output.erased
    if not bool(gone.any()):
        return judge.headline(output, index)
    asked = ~gone if not bool(gone.all()) else torch.arange(len(gone)) < 1  # of one at least, to know what a headline has
    found = judge.headline(_rows(output, asked), index[asked]).rows(~gone[asked])
    worst = judge.score(_rows(output, gone), index[gone], torch.ones(int(gone.sum()), dtype=torch.bool))
    worst = PerTask(values={name: worst.values[name] for name in found.values}, scored=worst.scored)
    order = torch.cat([(~gone).nonzero()[:, 0], gone.nonzero()[:, 0]])
    return PerTask.cat([found, worst]).rows(order.argsort())


def _rows(output: Output, some: Tensor) -> Output:
    return type(output)(**{name: value[some] for name, value in vars(output).items()})


def _one_draw(
    contender: Contender, sent: Sent, media: Mapping[str, Medium], name: str, power: Sequence[float]
) -> Mapping[str, Output]:
    """What the decoder makes of one draw of the noise at every receiver."""
    return contender.decode(received_once(contender.plan, sent, media, name, power), sent.side).outputs


def received_once(
    plan: Plan, sent: Sent, media: Mapping[str, Medium], name: str, power: Sequence[float] = ()
) -> dict[str, Received]:
    """What every receiver gets in one draw of the noise.

    Args:
        plan: of the scheme.
        sent: symbols of the tasks.
        media: by the plan's receivers.
        name: of the draw, ``SEED/DRAW``: the noise is a function of it.
        power: of each transmitter relative to 1.
    """
    shape = sent.symbols.shape[1:]
    digest = hashlib.sha256(name.encode()).digest()
    generator = torch.Generator().manual_seed(int.from_bytes(digest[:7], "big"))
    valid = plan.occupied.any(0).expand(shape)
    received: dict[str, Received] = {}
    for receiver, medium in media.items():
        noise_var = medium.noise_var.expand(shape)
        symbols = superpose(sent.symbols, medium.channel, noise_var, generator) * valid
        received[receiver] = Received.for_plan(plan, symbols=symbols, noise_var=noise_var, channel=medium.channel, power=power)
    return received
