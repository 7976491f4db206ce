"""A scheme at work: bound to its images, its tasks and the goals that judge it; called in batches of a fixed size.

The fixed size (padded) is what makes the same symbols give the same bits live, in replay and in simulation (SIGNALS.md,
"Bit-identity").
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from hil.datasets.dataset import Dataset
from hil.errors import ModelError
from hil.goals.contract import Goal, GoalOptions, Judge, PerTask, Tasks
from hil.models.checks import check_output, check_sent, expect_sent
from hil.models.contract import Output, Plan, Received, Scheme, Sent, stacked

__all__ = ["BATCH", "Contender", "Decoded", "joined"]

BATCH = 252
"""Tasks that a decoder is called on at once; of those that put out large images, fewer (`Contender.batch`)."""
BATCH_PIXELS = BATCH * 64 * 64


@dataclass(frozen=True, kw_only=True)
class Decoded:
    """What a decoder made of a point.

    Attributes:
        outputs: of every task, for each receiver that has one ("" for all together).
        lost: bool [task], for each of these.
    """

    outputs: Mapping[str, Output]
    lost: Mapping[str, Tensor]


@dataclass(frozen=True, kw_only=True)
class Contender:
    """One scheme of a run.

    Attributes:
        name: in the results.
        scheme: the trained scheme.
        dataset: at the scheme's image size.
        tasks: the distinct tasks, the same for every scheme of a run.
        goals: by name, what judges it.
        judges: by the goal's name.
        options: by the goal's name.
        sha256: of its weights file, or "".
        receivers: what the bench calls the plan's receivers, by position; empty: as the plan does.
    """

    name: str
    scheme: Scheme
    dataset: Dataset
    tasks: Tasks
    goals: Mapping[str, Goal] = field(default_factory=dict)
    judges: Mapping[str, Judge] = field(default_factory=dict)
    options: Mapping[str, GoalOptions] = field(default_factory=dict)
    sha256: str = ""
    receivers: tuple[str, ...] = ()

    @property
    def plan(self) -> Plan:
        """The scheme's."""
        return self.scheme.plan

    @property
    def batch(self) -> int:
        """Tasks that coders are called on at once: the same number whatever is decoded, so that bits do not hang on it."""
        if self.scheme.card.outputs != "images":
            return BATCH
        height, width = self.dataset.image_size
        return max(1, min(BATCH, BATCH_PIXELS // (height * width)))

    def label(self, receiver: str) -> str | None:
        """The bench's name of a plan's receiver; None for an output of all together."""
        if not receiver:
            return None
        return dict(zip(self.plan.receivers, self.receivers, strict=False)).get(receiver, receiver)

    def encode(self, tx_snr_db: Sequence[float] | None = None) -> Sent:
        """Symbols of the distinct tasks.

        Args:
            tx_snr_db: SNR of each link that the transmitters know (dB); needed if the plan asks.

        Raises:
            ModelError: the scheme breaks its contract.
        """
        plan, split = self.plan, self.dataset.split(self.tasks.split)
        if plan.tx_csi != "none" and tx_snr_db is None:
            raise ModelError(f"scheme '{self.name}' must be told the SNR of its links (tx_csi = \"{plan.tx_csi}\")")
        parts = []
        with torch.inference_mode():
            for start in range(0, len(self.tasks), self.batch):
                index = self.tasks.views[start : start + self.batch, : plan.transmitters]
                views = split.float_images(index.flatten()).unflatten(0, tuple(index.shape))
                csi = torch.tensor(tx_snr_db).expand(len(index), -1) if plan.tx_csi != "none" else None
                made = self.scheme.encode(views, csi) if csi is not None else self.scheme.encode(views)
                parts.append(expect_sent(self.name, made))
        sent = joined(parts)
        check_sent(self.name, plan, sent, tasks=len(self.tasks))
        return sent

    def decode(self, received: Mapping[str, Received], side: Mapping[str, Tensor] | None = None) -> Decoded:
        """Decode all tasks, in fixed batches, padded.

        Args:
            received: what each receiver of the plan got.
            side: the encoders' side information, which only schemes of kind ``bound`` are given.

        Raises:
            ModelError: the decoder's output is not what its card says.
        """
        first = next(iter(received.values()))
        count = first.symbols.shape[0]
        if self.scheme.card.kind != "bound":
            side = None
        parts: dict[str, list[Output]] = {}
        size = self.batch
        with torch.inference_mode():
            for start in range(0, count, size):
                rows = min(size, count - start)
                batch = {name: one.rows(start, rows, size) for name, one in received.items()}
                beside = None
                if side is not None:
                    beside = {name: _padded(value[start : start + rows], size) for name, value in side.items()}
                made = self.scheme.decode(batch, tuple(self.plan.blocks), beside)
                for name, output in check_output(self.scheme.card, self.plan, made, tasks=size, name=self.name).items():
                    parts.setdefault(name, []).append(_first_rows(output, rows))
        outputs = {name: stacked(own) for name, own in parts.items()}
        return Decoded(outputs=outputs, lost={name: self._lost(name, received) | out.erased for name, out in outputs.items()})

    def _lost(self, name: str, received: Mapping[str, Received]) -> Tensor:
        """Tasks of which an output's receiver got nothing whole, bool [task]; of a joint output, none of the receivers."""
        own = [received[name]] if name in received else list(received.values())
        unused = ~self.plan.occupied.any(0)
        return ~torch.stack([(one.valid | unused).all(1) for one in own]).any(0)

    def score(self, decoded: Decoded, index: Tensor) -> dict[tuple[str, str | None], PerTask]:
        """How the tasks were answered, by goal and receiver as the bench calls it (None: one output for all).

        Args:
            decoded: all tasks sent.
            index: int64 [task], the distinct task of each.
        """
        return {
            (goal, self.label(name)): judge.score(output, index, decoded.lost[name])
            for goal, judge in self.judges.items()
            for name, output in decoded.outputs.items()
        }

    def noiseless(self, sent: Sent) -> Decoded:
        """The scheme's own output without noise: y = Σ x_k at every receiver."""
        symbols = sent.symbols.sum(0)
        tiny = torch.full((1, 1), 1e-9)
        received = {name: Received.for_plan(self.plan, symbols=symbols, noise_var=tiny) for name in self.plan.receivers}
        return self.decode(received, sent.side)


def joined(parts: Sequence[Sent]) -> Sent:
    """Batches of tasks one after the other."""
    first = parts[0]
    return Sent(
        symbols=torch.cat([part.symbols for part in parts], dim=1).clone(),
        length=None if first.length is None else torch.cat([part.length for part in parts if part.length is not None], dim=1),
        side=None
        if first.side is None
        else {name: torch.cat([part.side[name] for part in parts if part.side is not None]) for name in first.side},
    )


def _padded(value: Tensor, size: int) -> Tensor:
    rows = size - value.shape[0]
    return torch.cat([value, value.new_zeros(rows, *value.shape[1:])]) if rows else value.contiguous()


def _first_rows(output: Output, rows: int) -> Output:
    return type(output)(**{name: value[:rows] for name, value in vars(output).items()})
