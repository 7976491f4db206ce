"""Received -> features -> ranking: one data set's tasks and the schemes that serve them."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from hil.channel.awgn import superpose
from hil.datasets.dataset import Dataset
from hil.datasets.tasks import TaskSet
from hil.errors import ModelError
from hil.models.contract import Output, Received, Scheme
from hil.retrieval import rank, top1_only
from hil.units import db_to_power

__all__ = ["Outcome", "Scorer", "file_sha256"]

BATCH = 252
"""Tasks that a decoder is called on at once, live, in replay and in simulation (padded; SIGNALS.md, "Bit-identity")."""

POWER_TOLERANCE = 0.01
"""How far mean |x|² may be from 1."""

SIMULATED_AT_ONCE = 12_000
"""Noisy answers ranked in one call of a simulation: bounds its memory."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of each task: hit (bool [task]), average precision (float [task]), whether it was received."""

    hit: Tensor
    ap: Tensor
    scored: Tensor


class Scorer:
    """One scheme on one set of tasks.

    Args:
        name: of the scheme.
        scheme: the trained scheme.
        dataset: queries and gallery.
        tasks: the distinct tasks.
        weights: the weights file, for its checksum; None for a scheme without one.
    """

    def __init__(self, name: str, scheme: Scheme, dataset: Dataset, tasks: TaskSet, *, weights: Path | None = None) -> None:
        if scheme.plan.goal != "retrieval":
            raise ModelError(f"scheme '{name}' has goal '{scheme.plan.goal}'; only retrieval schemes can be scored here")
        if scheme.plan.tx_csi != "none":
            raise ModelError(f"scheme '{name}' wants to know the SNR at the transmitter (tx_csi), which is not served yet")
        self.name, self.scheme, self.dataset, self.tasks = name, scheme, dataset, tasks
        self.sha256 = file_sha256(weights) if weights else ""
        self.plan = scheme.plan
        self.views = scheme.plan.transmitters
        with torch.inference_mode():
            self._gallery = scheme.gallery(dataset.gallery.float_images()).clone()

    def with_gallery(self, mode: str) -> Scorer:
        """The same scheme scored against another kind of gallery features."""
        scheme: Any = self.scheme
        before = scheme.gallery_mode
        scheme.gallery_mode = mode
        try:
            other = Scorer(self.name, scheme, self.dataset, self.tasks)
        finally:
            scheme.gallery_mode = before
        return other

    def encode(self) -> Tensor:
        """Symbols of the distinct tasks, complex64 [tx, task, use]."""
        parts = []
        with torch.inference_mode():
            for start in range(0, len(self.tasks), BATCH):
                index = self.tasks.views[start : start + BATCH, : self.views]
                views = self.dataset.query.float_images(index.flatten()).unflatten(0, tuple(index.shape))
                sent = self.scheme.encode(views)
                if sent.length is not None:
                    raise ModelError(f"scheme '{self.name}' sends codewords of varying length, which is not served yet")
                parts.append(sent.symbols)
        symbols = torch.cat(parts, dim=1).clone()
        self._check_symbols(symbols)
        return symbols

    def _check_symbols(self, symbols: Tensor) -> None:
        """The contract of `Sent`: shape, zeros where nothing may be sent, and power (mean |x|² = 1 on occupied uses).

        Raises:
            ModelError: what is wrong, and by how much.
        """
        plan = self.plan
        expected = (plan.transmitters, len(self.tasks), plan.uses)
        if tuple(symbols.shape) != expected or not bool(torch.isfinite(torch.view_as_real(symbols)).all()):
            raise ModelError(f"scheme '{self.name}' must send finite symbols {expected}, not {tuple(symbols.shape)}")
        if bool((symbols.abs().sum(1)[~plan.occupied] != 0).any()):
            raise ModelError(f"scheme '{self.name}' sends on uses that its plan does not occupy")
        power = symbols.abs().square().sum(2) / plan.occupied.sum(1)[:, None]  # [tx, task]
        if plan.normalisation != "per_task":
            power = power.mean(1, keepdim=True)
        worst = float(power.flatten()[(power - 1).abs().argmax()])
        if abs(worst - 1) > POWER_TOLERANCE:
            raise ModelError(
                f"scheme '{self.name}' sends with mean |x|² = {worst:.3g} over the uses it occupies, not 1 "
                f"({plan.normalisation}); normalise with hil.models.contract.normalize_power"
            )

    def reference(self) -> Outcome:
        """Accuracy of a noiseless reference network, whose features never see a channel."""
        parts = []
        with torch.inference_mode():
            for start in range(0, len(self.tasks), BATCH):
                index = self.tasks.views[start : start + BATCH, : self.views]
                views = self.dataset.query.float_images(index.flatten()).unflatten(0, tuple(index.shape))
                features = self.scheme.decode({}, side=self.scheme.encode(views).side).features
                if features is None:
                    raise ModelError(f"reference '{self.name}' gave no features")
                parts.append(features)
        scores = rank(torch.cat(parts), self._gallery, self.tasks, self.dataset.gallery, views=self.views)
        return Outcome(hit=scores.top1, ap=scores.ap, scored=torch.ones_like(scores.top1))

    def features(self, received: Received) -> Tensor:
        """Decode in fixed batches, padded; float32 [task, view, p]."""
        parts = []
        count = received.symbols.shape[0]
        with torch.inference_mode():
            for start in range(0, count, BATCH):
                rows = min(BATCH, count - start)
                output: Output = self.scheme.decode({"rx": _padded(received, start, rows)})
                if output.features is None:
                    raise ModelError(f"scheme '{self.name}' has goal 'retrieval' but its decoder gave no features")
                parts.append(output.features[:rows])
        return torch.cat(parts)

    def score(self, received: Received, task_index: Tensor) -> Outcome:
        """Rank the gallery for every received task; a task that was lost is a miss.

        Args:
            received: of all tasks sent.
            task_index: distinct task of each, int64 [task].
        """
        tasks = self.tasks.subset(task_index)
        scores = rank(self.features(received), self._gallery, tasks, self.dataset.gallery, views=self.views)
        scored = (received.valid | ~self.plan.occupied.any(0)).all(1)
        return Outcome(hit=scores.top1 & scored, ap=torch.where(scored, scores.ap, 0.0), scored=scored)

    def noiseless(self, sent: Tensor) -> Outcome:
        """The scheme's own accuracy without noise: y = Σ x_k."""
        symbols = sent.sum(0)
        valid = self.plan.occupied.any(0).expand_as(symbols.real)
        return self.score(Received(symbols=symbols, valid=valid), torch.arange(len(self.tasks)))

    def simulate(
        self,
        sent: Tensor,
        noise_var: Tensor,
        *,
        channel: Tensor | None = None,
        draws: int,
        seed: int,
        workers: int = 1,
        task_index: Tensor | None = None,
        power: Sequence[float] = (),
        progress: Callable[[int], None] | None = None,
    ) -> Tensor:
        """The same tasks through the mathematical channel, with `draws` independent noise draws.

        Args:
            sent: complex64 [tx, task, use], of the tasks in `channel`'s order (distinct tasks without a channel).
            noise_var: complex noise variance, broadcastable to [task, use].
            channel: complex64 [tx, task, use] or None for 1.
            draws: number of noise draws.
            seed: of the noise; draw d is a function of (seed, d) alone.
            workers: threads.
            task_index: distinct task of each column of `sent`, int64 [task]; None for 0, 1, 2, ….
            power: of each transmitter relative to 1, which the decoder is told as `Received.scale`.
            progress: told how many draws are done.

        Returns:
            share of hits of each task, float64 [task].
        """
        count = sent.shape[1]
        index = torch.arange(count) if task_index is None else task_index
        valid = self.plan.occupied.any(0).expand(count, -1)
        noise_var = noise_var.expand(count, sent.shape[2])
        wants = self.plan.rx_csi
        scale = torch.tensor(list(power) or [1.0] * self.plan.transmitters).sqrt()

        def one(draw: int) -> Tensor:
            digest = hashlib.sha256(f"{seed}/{draw}".encode()).digest()
            generator = torch.Generator().manual_seed(int.from_bytes(digest[:7], "big"))
            symbols = superpose(sent, channel, noise_var, generator) * valid
            received = Received(
                symbols=symbols,
                valid=valid,
                noise_var=noise_var if wants != "none" else None,
                channel=(channel if channel is not None else torch.ones_like(sent)) if wants == "channel" else None,
                scale=scale,
            )
            return self.features(received)

        def some(first: int) -> Tensor:
            share = range(first, draws, parts)
            with torch.inference_mode():
                features = torch.cat([one(draw) for draw in share])
                hits = top1_only(
                    features,
                    self._gallery,
                    self.tasks,
                    self.dataset.gallery,
                    task_index=index.repeat(len(share)),
                    views=self.views,
                )
            if progress:
                progress(len(share))
            total: Tensor = hits.view(len(share), count).double().sum(0)
            return total

        parts = min(draws, max(workers, math.ceil(draws * count / SIMULATED_AT_ONCE)))
        with ThreadPoolExecutor(max(1, workers)) as pool:
            return torch.stack(list(pool.map(some, range(parts)))).sum(0) / draws

    def noise_var(self, snr_db: Sequence[float]) -> Tensor:
        """Complex noise variance of each use, float32 [1, use], from each transmitter's SNR; NOMA: their linear mean.

        `snr_db` has one value a transmitter, or one for all.
        """
        snr = torch.tensor([db_to_power(value) for value in snr_db]).expand(self.plan.transmitters)
        occupied = self.plan.occupied.to(snr.dtype)
        mean = (snr[:, None] * occupied).sum(0) / occupied.sum(0).clamp_min(1)
        return (1 / mean.clamp_min(1e-30))[None]


def _padded(received: Received, start: int, rows: int) -> Received:
    """Tasks start … start + rows of `received`, filled up to `BATCH` with zeros."""

    def cut(value: Tensor | None, axis: int) -> Tensor | None:
        if value is None:
            return None
        part = value.narrow(axis, start, rows)
        if rows == BATCH:
            return part.contiguous()
        shape = list(part.shape)
        shape[axis] = BATCH - rows
        return torch.cat([part, part.new_zeros(shape)], dim=axis)

    symbols, valid = cut(received.symbols, 0), cut(received.valid, 0)
    assert symbols is not None  # never None in a Received
    assert valid is not None
    return replace(
        received, symbols=symbols, valid=valid, noise_var=cut(received.noise_var, 0), channel=cut(received.channel, 1)
    )


def file_sha256(path: Path) -> str:
    """SHA-256 of a file, hexadecimal."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
