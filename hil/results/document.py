"""The document that a run leaves as `results.json`: typed, versioned, made in one place (docs/results.md)."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hil.errors import ConfigError
from hil.files import replace_file
from hil.goals.card import Unit
from hil.results.upgrade import SCHEMA, upgrade

__all__ = [
    "SCHEMA", "Agreement", "Comparison", "MetricValue", "ResultsDocument", "Row", "json_schema", "parse_results",
    "read_results", "rounded", "write_results",
]  # fmt: skip

Interval = tuple[float | None, float | None]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="allow", populate_by_name=True)


class MetricValue(_Part):
    """One metric of a row.

    Attributes:
        value: the number; null where it was not computed.
        ci: its 95 % interval, clusters of tasks resampled.
        n: tasks it rests on.
        unit, better, title: as `hil.goals.contract.Metric` has them; the name stands for an empty title.
        headline: the one that schemes are compared by.
        scored: the same without the tasks that were lost (headline only).
    """

    value: float | None
    ci: Interval | None = None
    n: int
    unit: Unit
    better: Literal["higher", "lower"]
    title: str = ""
    headline: bool = False
    scored: float | None = None


class Row(_Part):
    """One scheme at one SNR, judged by one goal, from one source.

    Further keys: each of the goal's options by its own name, each metric NAME flat as NAME and, for the headline, NAME_ci and
    NAME_scored, and what the air says besides (docs/results.md).

    Attributes:
        options: what was chosen of the goal.
        impaired: what makes the stated noise doubtful, in words; null: nothing seen.
        paper: who measured a row of source ``published``.
    """

    scheme: str
    access: str | None = None
    kind: Literal["measured", "bound"]
    goal: str
    goal_version: int
    receiver: str | None = None
    source: Literal["air", "simulation", "noiseless", "published"]
    snr_basis: Literal["link", "effective", "channel"] | None = None
    snr_db_target: float | None = None
    snr_db: list[float | None] | None = None
    snr_eff_db: float | None = None
    energy: str | None = None
    power: list[float] | None = None
    uses: list[int | float] | None = None
    tasks: int
    distinct_tasks: int | None = None
    identities: int | None = None
    dropped_tasks: int | None = None
    draws: int | None = None
    csi: dict[str, str] | None = None
    fading: Literal["none", "emulated", "air"] | None = None
    snr_train_db: float | str | None = None
    training_seed: int | None = None
    frames: dict[str, int] | None = None
    receiver_loss_db: float | None = None
    impaired: str | None = None
    paper: str | None = None
    options: dict[str, Any] = {}
    metrics: dict[str, MetricValue]

    @property
    def headline(self) -> tuple[str, MetricValue]:
        """Name and value of the metric that schemes are compared by."""
        return next((name, value) for name, value in self.metrics.items() if value.headline)


class Agreement(_Part):
    """Air − simulation of one point, paired by task, in the headline's unit."""

    scheme: str
    goal: str
    receiver: str | None = None
    snr_basis: str
    snr_db_target: float
    difference: float
    standard_error: float
    simultaneous_ci: tuple[float, float]
    bound: float
    outside_bound: bool


class Comparison(_Part):
    """Two schemes on the same tasks, or one against itself without noise: difference of the headline."""

    goal: str
    receiver: str | None = None
    source: str
    snr_basis: str | None
    energy: str
    snr_db_target: float
    first: str
    second: str
    difference: float
    ci: tuple[float, float]


class ResultsDocument(_Part):
    """All that one run, replay or simulation found.

    Attributes:
        version: of this schema (`schema` in the file).
        status: ``complete``; ``stopped`` by the operator; ``failed``, with what was measured before.
        received_sha256: over the received symbols of all points, in the order measured.
        points: the rows.
        agreement, comparisons, summary: what they say together.
        experiment: the configuration, resolved; given: what was asked for.
        dataset: spec and fingerprint; bench: its name.
        provenance: version, commit, packages, machine, command, clock.
    """

    version: int = Field(SCHEMA, alias="schema")
    status: Literal["complete", "stopped", "failed"]
    why: str | None = None
    received_sha256: str | None = None
    points: list[Row]
    agreement: list[Agreement] = []
    comparisons: list[Comparison] = []
    summary: dict[str, Any] = {}
    experiment: dict[str, Any] = {}
    given: dict[str, Any] = {}
    dataset: dict[str, Any] = {}
    bench: str | None = None
    capture: str | None = None
    started: str | None = None
    finished: str | None = None
    sounding_cost_db: float | None = None
    links: list[dict[str, Any]] = []
    ended_points: list[dict[str, Any]] = []
    verification: dict[str, Any] | None = None
    provenance: dict[str, Any] = {}

    def to_dict(self) -> dict[str, Any]:
        """Plain data, strict JSON: NaN and infinities are null."""
        plain: dict[str, Any] = rounded(self.model_dump(mode="python", by_alias=True))
        return plain

    def with_(self, **changes: Any) -> ResultsDocument:
        """A copy with `changes`."""
        return self.model_copy(update=changes)


def json_schema() -> dict[str, Any]:
    """JSON schema of the document; `hil/results/schema.json` holds it."""
    return ResultsDocument.model_json_schema(by_alias=True)


def parse_results(data: Any, source: str) -> ResultsDocument:
    """Plain data to a document; older schemas are brought up to date.

    Raises:
        ConfigError: not results of hil, or of a newer version.
    """
    if not isinstance(data, Mapping) or not isinstance(data.get("points"), list):
        raise ConfigError(f"{source} holds no results: it lacks the list 'points'")
    try:
        return ResultsDocument.model_validate(upgrade(dict(data), source))
    except ValidationError as err:
        first = err.errors()[0]
        path = ".".join(str(part) for part in first["loc"])
        raise ConfigError(f"{source} holds no results of hil: {path}: {first['msg']}") from err


def read_results(path: str | Path) -> ResultsDocument:
    """Read `results.json` of this or an older version.

    Raises:
        ConfigError: it cannot be read, is no results, or is of a newer version.
    """
    try:
        data = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as err:
        raise ConfigError(f"{path} cannot be read as results: {err}") from err
    return parse_results(data, str(path))


def write_results(document: ResultsDocument, path: Path) -> None:
    """Write `results.json`, whole or not at all.

    Raises:
        OutputError: it cannot be written.
    """
    text = json.dumps(document.to_dict(), indent=1, allow_nan=False, ensure_ascii=False) + "\n"
    replace_file(path, text.encode("utf-8", "backslashreplace"))  # bytes of a path that are no UTF-8: JSON's own escapes


def rounded(value: Any) -> Any:
    """The same with NaN and infinities as None, so that it is strict JSON."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: rounded(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(item) for item in value]
    return value
