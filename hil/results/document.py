"""The document that a run leaves as `results.json`: typed, versioned, made in one place (docs/results.md)."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, Field, ValidationError

from hil.errors import ConfigError
from hil.files import replace_file
from hil.goals.card import Unit
from hil.results.parts import Codewords, Interval, MeanOverSeeds, Part, Picture, Repeat, RepeatedPoint
from hil.results.upgrade import SCHEMA, upgrade

__all__ = [
    "NOISELESS",
    "SCHEMA",
    "SIMULATION",
    "Agreement",
    "Codewords",
    "Comparison",
    "Interval",
    "MeanOverSeeds",
    "MeanOverSnrs",
    "MetricValue",
    "Noise",
    "Repeat",
    "RepeatedPoint",
    "ResultsDocument",
    "Row",
    "json_schema",
    "method_of",
    "parse_results",
    "read_results",
    "rounded",
    "write_results",
]  # fmt: skip

NOISELESS, SIMULATION = "noiseless", "simulation"
"""What stands for a second scheme where one is compared with itself: without a channel, or simulated."""
Direction = Literal["first", "second", "undetermined"]


class _Part(Part, BaseModel):
    """As in `hil.results.parts`."""


class MetricValue(_Part):
    """One metric of a row.

    Attributes:
        value: the number; null where it was not computed.
        ci: its 95 % interval: clusters of tasks, and frames, vary.
        ci_note: what the interval does not hold, or why there is none; null: nothing to say.
        n: tasks it rests on.
        unit, better, title: as `hil.goals.contract.Metric` has them; the name stands for an empty title.
        headline: the one that schemes are compared by.
        scored: the same without the tasks that were lost (headline only).
    """

    value: float | None
    ci: Interval | None = None
    ci_note: str | None = None
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
        snr_mean_db: linear mean of the links' SNRs; snr_db_error: standard errors; those that end in ``_ci``: 95 % intervals.
        noise_pool: what the noise in the SNRs was measured over; noise_looks: how often.
        uses_with_overhead: complex channel uses a task, all that its frames hold counted.
        observed_over_stated: error power of known cells over the noise stated for them, and its 95 % interval (``_ci``);
            error_over_stated: the same of the tasks' symbols, against what was sent.
        impaired: what makes the stated noise doubtful, in words; null: nothing seen. suspect: the same in one word.
        clipped_samples: received, of which I or Q lay at a rail of the converter.
        papr_db: of the payload as the radios got it, by transmitter: the level over the mean that 0.1 % of the samples exceed;
            peak_db: the highest sample's; tx_clipped_share: samples of which I or Q lay beyond the converter's range.
        alignment: of superposed transmitters: how many, frames refused (`gated`) and kept out of bounds, and what they were off
            by (rms over the frames, by their own soundings, whose noise is in it): `phase_deg`, `power_db`, `delay_samples`.
        repeat: the headline by measurement, where the point was measured several times; the row is all of them together.
        pictures: some tasks to look at, of a goal that judges images.
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
    snr_db_error: list[float | None] | None = None
    snr_db_ci: list[Interval] | None = None
    snr_mean_db: float | None = None
    snr_mean_db_ci: Interval | None = None
    snr_eff_db: float | None = None
    snr_eff_db_ci: Interval | None = None
    noise_pool: Literal["run", "point"] | None = None
    noise_looks: int | None = None
    energy: str | None = None
    power: list[float] | None = None
    uses: list[int | float] | None = None
    uses_with_overhead: float | None = None
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
    receiver_loss_db_ci: Interval | None = None
    observed_over_stated: float | None = None
    observed_over_stated_ci: Interval | None = None
    error_over_stated: float | None = None
    error_over_stated_ci: Interval | None = None
    impaired: str | None = None
    suspect: str | None = None
    clipped_samples: int | None = None
    papr_db: list[float | None] | None = None
    peak_db: list[float | None] | None = None
    tx_clipped_share: list[float | None] | None = None
    alignment: dict[str, Any] | None = None
    repeat: Repeat | None = None
    pictures: list[Picture] | None = None
    paper: str | None = None
    options: dict[str, Any] = {}
    metrics: dict[str, MetricValue]

    @property
    def headline(self) -> tuple[str, MetricValue]:
        """Name and value of the metric that schemes are compared by."""
        return next((name, value) for name, value in self.metrics.items() if value.headline)


class Agreement(_Part):
    """Air − simulation of one point, paired by task, in the headline's unit.

    Attributes:
        ci: 95 % interval by itself; simultaneous_ci: one that covers all of its family at once with 95 %.
        verdict: where the simultaneous interval lies: inside ±bound, wholly beyond it, or neither.
        family: in words.
    """

    scheme: str
    goal: str
    receiver: str | None = None
    snr_basis: str
    snr_db_target: float
    difference: float
    standard_error: float | None
    ci: Interval | None = None
    simultaneous_ci: Interval
    bound: float
    verdict: Literal["inside", "undetermined", "beyond"]
    outside_bound: bool
    family: str = ""


class Comparison(_Part):
    """Two schemes on the same tasks at the same SNR, or one against itself without noise: difference of the headline.

    Attributes:
        snr_db: at which both curves were read; snr_gap_db: first minus second, as they were measured.
        values: of both there.
        ci: 95 % interval by itself; simultaneous_ci: one that covers all of its family at once with 95 %.
        direction: which one is better by the simultaneous interval.
        family: in words.
    """

    goal: str
    receiver: str | None = None
    source: str
    snr_basis: str | None
    energy: str
    snr_db_target: float
    snr_db: float | None = None
    snr_gap_db: float | None = None
    first: str
    second: str
    values: tuple[float, float] | None = None
    difference: float
    ci: Interval
    simultaneous_ci: Interval | None = None
    direction: Direction = "undetermined"
    family: str = ""


class MeanOverSnrs(_Part):
    """The headline's mean over SNRs: of one scheme, of a difference of two, or of air − simulation.

    Attributes:
        first: the scheme; second: the other one, ``simulation``, or null.
        snr_db: lowest and highest SNR; snrs: how many.
        value: of the scheme, or of the difference; values: of both.
        ci: 95 % interval by itself; simultaneous_ci: one that covers all of its family at once; null for one scheme.
        direction: which one is better by the simultaneous interval; null where nothing is compared.
    """

    goal: str
    receiver: str | None = None
    source: str
    snr_basis: str | None
    energy: str
    first: str
    second: str | None = None
    snr_db: tuple[float, float]
    snrs: int
    value: float
    values: tuple[float, float] | None = None
    ci: Interval | None = None
    simultaneous_ci: Interval | None = None
    direction: Direction | None = None
    family: str = ""


class Noise(_Part):
    """The noise of one receiver over a run, on the active carriers (docs/results.md, "Noise").

    Attributes:
        pool: ``run``: one figure for all points; ``point``: each point's own, as it drifts.
        noise_dbfs: power of a carrier (unitary FFT) over full scale; looks: squared values it is the mean of.
        drift_p: probability of differences between points and a trend over time as large as seen, where there is no drift.
        trend_db: over the run, by a straight line.
        points: points that were looked at; without_lead: those of them whose lead was not as silent as their silent symbols.
    """

    receiver: str
    pool: Literal["run", "point"]
    noise_dbfs: float | None
    looks: int
    drift_p: float | None
    trend_db: float | None
    points: int
    without_lead: int = 0


class ResultsDocument(_Part):
    """All that one run, replay or simulation found.

    Attributes:
        version: of this schema (`schema` in the file).
        status: ``complete``; ``stopped`` by the operator; ``failed``, with what was measured before.
        received_sha256: over the received symbols of all points, in the order measured.
        points: the rows.
        agreement, comparisons, means, summary: what they say together.
        seeds: means over training seeds; codewords: how alike transmitters' codewords are.
        noise: of each receiver, over all points.
        repeats: points that were measured several times, measurement by measurement.
        experiment: the configuration, resolved; given: what was asked for.
        dataset: spec and fingerprint; bench: its name.
        warnings: what a reader must know of how it was measured, in words.
        provenance: version, commit, packages, machine, command, clock.
    """

    version: int = Field(SCHEMA, alias="schema")
    status: Literal["complete", "stopped", "failed"]
    why: str | None = None
    received_sha256: str | None = None
    points: list[Row]
    agreement: list[Agreement] = []
    comparisons: list[Comparison] = []
    means: list[MeanOverSnrs] = []
    seeds: list[MeanOverSeeds] = []
    codewords: list[Codewords] = []
    noise: list[Noise] = []
    repeats: list[RepeatedPoint] = []
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
    warnings: list[str] = []
    verification: dict[str, Any] | None = None
    provenance: dict[str, Any] = {}

    def to_dict(self) -> dict[str, Any]:
        """Plain data, strict JSON: NaN and infinities are null."""
        plain: dict[str, Any] = rounded(self.model_dump(mode="python", by_alias=True))
        return plain

    def with_(self, **changes: Any) -> ResultsDocument:
        """A copy with `changes`."""
        return self.model_copy(update=changes)


def method_of(scheme: str) -> str:
    """The method of a network's name: what stands before ``@``, the training seed."""
    return scheme.partition("@")[0]


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
