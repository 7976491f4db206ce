"""Ask a capture another question without the air: other goals, other options."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hil.captures import Capture
from hil.models.contract import Scheme
from hil.results.document import ResultsDocument
from hil.runs.progress import Report
from hil.runs.replay import config_of, open_work, replay

__all__ = ["score"]


def score(
    capture: Capture,
    report: Report,
    *,
    goals: Sequence[str] = (),
    changes: Mapping[str, Any] | None = None,
    home: Path | None = None,
    objects: Mapping[str, Scheme] | None = None,
    other_weights: bool = False,
) -> ResultsDocument:
    """Judge what a capture holds by other goals than it was measured for.

    Args:
        capture: open.
        report: told how far it is.
        goals: names; empty: all that fit.
        changes: of the run's configuration: options, dataset, models.
        home: the user's bench folder.
        objects: schemes at hand by name.
        other_weights: accept other weights, or other code and files of a third party, than those on the air.

    Raises:
        ConfigError: a goal does not fit, or cannot judge the tasks that were sent.
    """
    measured = config_of(capture, {})
    chooser = measured.goals[0] if measured.goals else None
    config = config_of(capture, {"options": {}, **(changes or {}), "goals": tuple(goals)})
    work = open_work(capture, config, home=home, objects=objects, chooser=chooser, other_weights=other_weights)
    return replay(capture, config, work, report)
