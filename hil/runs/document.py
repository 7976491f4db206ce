"""Points as measured and simulated -> the whole result: the one place where a run's document is made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hil.models.contract import Sent
from hil.results.agreement import agreement_rows
from hil.results.codewords import codeword_rows
from hil.results.compare import comparison_rows
from hil.results.document import ResultsDocument, Row
from hil.results.repeats import repeated_points
from hil.results.seeds import mean_over_seeds
from hil.results.summary import summary
from hil.runs.beside import Beside
from hil.runs.config import RunConfig
from hil.runs.progress import Report
from hil.runs.steps import References, references
from hil.runs.work import Work
from hil.timing import timed

__all__ = ["document"]


def _cut_short(row: Row) -> bool:
    """Whether a row is of a point of which not all frames were sent; it is shown, and compared with nothing."""
    return (row.model_extra or {}).get("ended") is not None


def document(
    config: RunConfig,
    work: Work,
    rows: Sequence[Row],
    beside: Beside,
    sent: Mapping[str, Sent],
    report: Report,
    ahead: References | None = None,
    **more: Any,
) -> ResultsDocument:
    """Points as measured and simulated -> the whole result.

    Args:
        config: resolved.
        work: data set, tasks, schemes, goals.
        rows: measured.
        beside: simulated beside them.
        sent: symbols of the distinct tasks by scheme, for the rows without a channel.
        report: told how far it is.
        ahead: what was made of the rows without a channel already.
        more: further keys of the document.
    """
    with report.stage("noiseless references", 1) as progress:
        without = references(work, sent) if ahead is None else ahead
        progress(1)
    points = [*rows, *beside.rows, *without.rows]
    noiseless = without.samples if any(row.source == "air" for row in rows) else {}
    with timed("statistics"):
        agreement, gaps = agreement_rows(beside.pairs, work.goals)
        comparisons, means = comparison_rows(beside.samples, noiseless, work.tasks.clusters, work.goals)
        codewords = [
            entry
            for name, one in work.contenders.items()
            for entry in codeword_rows(name, one.plan, sent[name], work.tasks.clusters, seed=config.seed)
        ]
    return ResultsDocument(
        **{
            "status": "complete",
            "points": points,
            "agreement": agreement,
            "comparisons": comparisons,
            "means": [*means, *gaps],
            "seeds": mean_over_seeds(points),
            "codewords": codewords,
            "repeats": repeated_points(points),
            "summary": summary([row for row in points if not _cut_short(row)], agreement, gaps),
            "experiment": config.model_dump(mode="json"),
            "dataset": work.about_data,
            **more,
        }
    )
