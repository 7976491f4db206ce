"""What a superposition gains from: how alike transmitters' codewords are, beside what they would be by chance and for others.

Source: SIGNALS.md, "Comparisons"; papers/README, "cos²"; Lo et al., Table I.
"""

from __future__ import annotations

from itertools import combinations

import torch
from torch import Tensor

from hil.goals.contract import Metric, PerTask
from hil.models.contract import Plan, Sent
from hil.models.correlation import chance_level, squared_cosine
from hil.results.document import Codewords, Interval
from hil.results.estimate import estimate
from hil.results.intervals import interval
from hil.results.sample import Sample

__all__ = ["codeword_rows", "strangers"]


def codeword_rows(scheme: str, plan: Plan, sent: Sent, clusters: Tensor, *, seed: int) -> list[Codewords]:
    """One entry for each pair of transmitters that send equally many uses.

    Args:
        scheme: its name in the results.
        plan: of the scheme.
        sent: symbols of the distinct tasks; where the encoder is told the SNR, those of one SNR.
        clusters: int64 [distinct task], who is seen.
        seed: of the draw of other identities.
    """
    symbols = sent.symbols
    if sent.length is not None or plan.transmitters < 2 or not symbols.shape[1]:
        return []
    other = strangers(clusters, seed)
    rows = []
    for first, second in combinations(range(plan.transmitters), 2):
        uses = [plan.occupied[tx] for tx in (first, second)]
        count = int(uses[0].sum())
        if count != int(uses[1].sum()) or not count:
            continue
        own, mate = symbols[first][:, uses[0]], symbols[second][:, uses[1]]
        cos2, ends = _mean(squared_cosine(own, mate), clusters)
        null, null_ends = (None, None) if other is None else _mean(squared_cosine(own, mate[other]), clusters)
        shared = bool((uses[0] & uses[1]).any())
        gain, gain_ends = _mean(_gain(symbols[first], symbols[second]), clusters)
        of_others = None if other is None else _mean(_gain(symbols[first], symbols[second][other]), clusters)[0]
        rows.append(
            Codewords(
                scheme=scheme,
                transmitters=(first, second),
                uses=count,
                tasks=symbols.shape[1],
                cos2=cos2,
                cos2_ci=ends,
                cos2_others=null,
                cos2_others_ci=null_ends,
                cos2_chance=chance_level(count),
                coherent_gain=gain if shared else 1.0,
                coherent_gain_ci=gain_ends if shared else None,
                coherent_gain_others=of_others if shared else 1.0,
                power_of_sum=float((symbols[first] + symbols[second])[:, uses[0] | uses[1]].abs().square().mean()),
            )
        )
    return rows


def strangers(clusters: Tensor, seed: int) -> Tensor | None:
    """For each task one of another identity, int64 [task], drawn; None where there is only one identity."""
    if len(clusters.unique()) < 2:
        return None
    generator = torch.Generator().manual_seed(seed)
    found = torch.arange(len(clusters))
    while len(pending := (clusters[found] == clusters).nonzero()[:, 0]):
        found[pending] = torch.randint(len(clusters), (len(pending),), generator=generator)
    return found


def _gain(first: Tensor, second: Tensor) -> Tensor:
    """|x_1 + x_2|² over |x_1|² + |x_2|² of each task, the sums over uses; 1 where nothing adds up."""
    apart = first.abs().square().sum(1) + second.abs().square().sum(1)
    return (first + second).abs().square().sum(1) / apart.clamp_min(1e-12)


def _mean(values: Tensor, clusters: Tensor) -> tuple[float, Interval | None]:
    """Mean over tasks and its 95 % interval over identities."""
    metric = Metric(name="value", unit="1", better="higher", worst=0.0)
    scored = torch.ones(len(values), dtype=torch.bool)
    sample = Sample(tasks=PerTask(values={"value": values}, scored=scored), index=torch.arange(len(values)))
    return float(values.double().mean()), interval(estimate(metric, sample, clusters))
