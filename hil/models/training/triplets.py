"""Metric learning beside the classifiers: identity-balanced batches and the batch-hard triplet loss.

Source: Hermans et al., In Defense of the Triplet Loss for Person Re-Identification (2017), eq. (5), Sec. 3.
"""

from __future__ import annotations

import torch
from torch import Tensor

from hil.errors import DatasetError

__all__ = ["balanced_batches", "batch_hard_triplet"]


def batch_hard_triplet(features: Tensor, labels: Tensor, margin: float) -> Tensor:
    """Mean over a batch of max(0, margin + distance to the farthest of the same label − to the nearest of another).

    Args:
        features: float32 [task, p]; distances are Euclidean.
        labels: int64 [task]; each should occur more than once, and at least two differ.
        margin: ≥ 0.

    Returns:
        a scalar.
    """
    apart = (features[:, None] - features[None]).square().sum(-1).clamp(min=1e-12).sqrt()  # √0 has no gradient
    same = labels[:, None] == labels[None]
    farthest = apart.masked_fill(~same, 0.0).amax(1)
    nearest = apart.masked_fill(same, torch.inf).amin(1)
    return (margin + farthest - nearest).clamp(min=0).mean()


def balanced_batches(labels: Tensor, generator: torch.Generator, *, identities: int, each: int) -> list[Tensor]:
    """Batches of P identities with K tasks each.

    Every identity's tasks are dealt out in groups of K, in rounds: a batch takes its groups from one round, so no identity
    is in it twice. What fills no group is left out, but an identity of fewer than K tasks gives one group, some of them
    repeated; groups that fill no batch are left out.

    Args:
        labels: int64 [task], whom each task shows.
        generator: draws groups and their order.
        identities: P.
        each: K.

    Returns:
        int64 [P·K] for each batch, indices of tasks.

    Raises:
        DatasetError: there are fewer than P identities.
    """
    rounds: dict[int, list[Tensor]] = {}
    for label in labels.unique().tolist():
        own = (labels == label).nonzero()[:, 0]
        own = own[torch.randperm(len(own), generator=generator)]
        if len(own) < each:
            own = own.repeat(-(-each // len(own)))[:each]
        for number, group in enumerate(own.split(each)[: len(own) // each]):
            rounds.setdefault(number, []).append(group)
    batches = []
    for groups in rounds.values():
        order = torch.randperm(len(groups), generator=generator).tolist()
        for start in range(0, len(groups) - identities + 1, identities):
            batches.append(torch.cat([groups[place] for place in order[start : start + identities]]))
    if not batches:
        raise DatasetError(
            f"a batch needs {identities} identities (batch_size / per_identity), and there are {len(rounds.get(0, []))} to "
            "train on; lower batch_size, or raise per_identity"
        )
    return [batches[place] for place in torch.randperm(len(batches), generator=generator).tolist()]
