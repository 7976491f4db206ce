"""Several measurements of one point: what each gives, and whether they differ by more than chance."""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import Tensor

from hil.goals.contract import Metric
from hil.results.document import Repeat, RepeatedPoint, Row, rounded
from hil.results.estimate import repeats_of
from hil.results.intervals import interval
from hil.results.sample import Sample
from hil.results.student import chi_square_tail

__all__ = ["repeat_of", "repeated_points"]


def repeat_of(metric: Metric, sample: Sample, clusters: Tensor, snr_offset_db: Sequence[float]) -> Repeat | None:
    """A point's headline by measurement; None where fewer than two were whole.

    Args:
        metric: the headline.
        sample: the answers of all measurements.
        clusters: int64 [distinct task].
        snr_offset_db: mean SNR of each measurement less that of all.
    """
    found = repeats_of(metric, sample, clusters)
    if found is None:
        return None
    freedom = len(found.parts) - 1
    certain = found.expected <= 0 or not math.isfinite(found.expected)
    return Repeat.model_validate(
        rounded(
            {
                "visits": len(found.parts),
                "values": [one.value for one in found.parts],
                "cis": [interval(one) for one in found.parts],
                "snr_offset_db": list(snr_offset_db[: len(found.parts)]),
                "deviation": math.sqrt(found.between),
                "expected": math.sqrt(found.expected) if found.expected >= 0 else math.nan,
                "p_value": None if certain else chi_square_tail(freedom * found.between / found.expected, freedom),
            }
        )
    )


def repeated_points(rows: Sequence[Row]) -> list[RepeatedPoint]:
    """The rows that were measured several times."""
    found = []
    for row in rows:
        if row.repeat is None:
            continue
        mean = row.snr_mean_db
        offsets = row.repeat.snr_offset_db
        found.append(
            RepeatedPoint(
                **row.repeat.model_dump(),
                scheme=row.scheme,
                goal=row.goal,
                metric=row.headline[0],
                receiver=row.receiver,
                snr_db_target=row.snr_db_target,
                snr_db=[None if mean is None or offset is None else mean + offset for offset in offsets],
            )
        )
    return found
