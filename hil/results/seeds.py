"""Training seeds as a dimension of the result: what is said of a method, where several of its networks were measured.

Networks of one recipe and other seeds are named ``NAME@SEED``; the one without is of the recipe's own seed. One network says
"this network"; several say "this method" (SIGNALS.md, "Comparisons").
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import combinations

from hil.results.document import Interval, MeanOverSeeds, Row, method_of
from hil.results.student import student_quantile

__all__ = ["mean_over_seeds"]

Place = tuple[object, ...]
"""Goal, receiver, source, basis, energy, fading, SNR target: what rows must share."""
TAIL = 0.05


def mean_over_seeds(rows: Sequence[Row]) -> list[MeanOverSeeds]:
    """Each method's headline, mean over its training seeds, and its differences to others, paired by seed.

    The interval is Student's over networks: it holds what training varies, and, as every network met the same tasks, not what
    other tasks would.

    Args:
        rows: of the result.
    """
    found: dict[Place, dict[str, dict[int, float]]] = defaultdict(lambda: defaultdict(dict))
    for row in rows:
        name, value = row.headline
        if value.value is None or row.training_seed is None or (row.model_extra or {}).get("ended") is not None:
            continue
        if row.source == "noiseless":  # under several galleries
            continue
        place: Place = (row.goal, row.receiver, row.source, row.snr_basis, row.energy, row.fading, row.snr_db_target, name)
        found[place][method_of(row.scheme)].setdefault(row.training_seed, value.value)
    made = []
    for place, methods in found.items():
        several = {method: values for method, values in methods.items() if len(values) > 1}
        made += [_entry(place, method, None, values) for method, values in several.items()]
        for first, second in combinations(several, 2):
            shared = sorted(several[first].keys() & several[second].keys())
            if len(shared) > 1:
                differences = {seed: several[first][seed] - several[second][seed] for seed in shared}
                made.append(_entry(place, first, second, differences))
    return made


def _entry(place: Place, first: str, second: str | None, values: Mapping[int, float]) -> MeanOverSeeds:
    goal, receiver, source, basis, energy, fading, target, metric = place
    mean = math.fsum(values.values()) / len(values)
    spread = math.sqrt(math.fsum((value - mean) ** 2 for value in values.values()) / (len(values) - 1))
    half = float(student_quantile(TAIL, len(values) - 1)) * spread / math.sqrt(len(values))
    ends: Interval = (mean - half, mean + half)
    return MeanOverSeeds.model_validate(
        {
            "goal": goal, "receiver": receiver, "source": source, "snr_basis": basis, "energy": energy, "fading": fading,
            "snr_db_target": target, "metric": metric, "first": first, "second": second, "seeds": sorted(values),
            "value": mean, "spread": spread, "ci": ends,
        }
    )  # fmt: skip
