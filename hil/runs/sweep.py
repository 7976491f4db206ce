"""A sweep: many jobs of one verb over a grid of settings, one folder a job, and one table of all results.

A job is known by the checksum of its settings: one that is done is not done again, whatever was added to the grid since.
"""

from __future__ import annotations

import csv
import hashlib
import itertools
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import tomli_w
from pydantic import Field

from hil.config import Config, read_toml, validate
from hil.errors import ConfigError
from hil.files import make_folder, replace_file
from hil.places import find

__all__ = ["Job", "SweepConfig", "load_sweep", "prepare", "write_table"]

MOST_JOBS = 10_000
BENCH = "bench."
"""Begins keys of the bench file: ``bench.links.0.path_loss_db``."""
GIVEN = {"replay": "capture", "score": "capture", "train": "recipe"}
"""What a verb works on, which stands before its settings."""

Verb = Literal["run", "replay", "score", "train"]


class SweepConfig(Config):
    """What ``SWEEP.toml`` says.

    Attributes:
        verb: what every job does.
        grid: setting -> its values; every combination is a job. Settings of the verb; of ``run`` also ``bench.KEY`` for keys of
            the bench file, with the place in a list: ``bench.links.0.path_loss_db``.
        fixed: settings that all jobs share.
        cluster: of ``--cluster slurm``: arguments of dask_jobqueue's SLURMCluster.
    """

    verb: Verb = "run"
    grid: dict[str, list[Any]]
    fixed: dict[str, Any] = Field(default_factory=dict)
    cluster: dict[str, Any] = Field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Job:
    """One point of the grid.

    Attributes:
        verb: what it does. chosen: its values of the grid. settings: all of its settings.
        folder: its own.
    """

    verb: Verb
    chosen: Mapping[str, Any]
    settings: Mapping[str, Any]
    folder: Path

    @property
    def done(self) -> bool:
        """Whether its results are there."""
        return (self.folder / "done.json").is_file()

    @property
    def attempts(self) -> int:
        """Of a job that is done: 1, or more where its process was killed before."""
        found: int = json.loads((self.folder / "done.json").read_text(encoding="utf-8"))["attempts"]
        return found

    @property
    def arguments(self) -> list[str]:
        """Of the command line: what `hil` is asked."""
        target = self.folder / "result"
        given = [str(self.settings[GIVEN[self.verb]])] if self.verb in GIVEN else []
        config = ["--config", str(self.folder / "job.toml")]
        if self.verb == "run":
            return ["run", *config, "--out", str(self.folder), "--name", target.name]
        if self.verb == "score":
            named = [("--goals", "goals"), ("--dataset", "dataset"), ("--models", "models")]
            flags = [(flag, self.settings[key]) for flag, key in named if key in self.settings]
            words = [part for flag, value in flags for part in (flag, value if isinstance(value, str) else ",".join(value))]
            return ["score", *given, *words, "--out", str(target)]
        return [self.verb, *given, *config, "--out", str(target)]


def load_sweep(path: Path, out: Path) -> tuple[SweepConfig, list[Job]]:
    """The jobs of a sweep's file, in the order of its grid, the last key's values in turn.

    Raises:
        ConfigError: no sweep, an empty grid, too many jobs, or a key that cannot be a sweep's.
    """
    config = validate(SweepConfig, read_toml(path), str(path))
    if not config.grid or not all(config.grid.values()):
        raise ConfigError(f"{path}: [grid] must have keys with at least one value each, such as seed = [1, 2, 3]")
    both = sorted(set(config.grid) & set(config.fixed))
    if both:
        raise ConfigError(f"{path}: '{both[0]}' stands in [grid] and in [fixed]; leave one out")
    needed = GIVEN.get(config.verb)
    if needed and needed not in {*config.grid, *config.fixed}:
        raise ConfigError(f"{path}: verb '{config.verb}' needs '{needed}' in [grid] or [fixed]")
    count = 1
    for values in config.grid.values():
        count *= len(values)
    if count > MOST_JOBS:
        raise ConfigError(f"{path}: {count} jobs are more than {MOST_JOBS}; split the grid")
    jobs = []
    for point in itertools.product(*config.grid.values()):
        chosen = dict(zip(config.grid, point, strict=True))
        settings = {**config.fixed, **chosen}
        jobs.append(
            Job(
                verb=config.verb, chosen=chosen, settings=settings, folder=out.absolute() / _name(config.verb, chosen, settings)
            )
        )
    if len({job.folder for job in jobs}) < len(jobs):
        raise ConfigError(f"{path}: a value stands twice in [grid]")
    for job in jobs:
        _check(job, str(path))
    return config, jobs


def _check(job: Job, source: str) -> None:
    """Refuse settings that the verb would refuse, before any job is begun.

    Raises:
        ConfigError: an unknown key, or a value that is none.
    """
    from hil.runs.config import ReplayConfig, RunConfig

    if job.verb == "run":
        validate(RunConfig, _own(job), source)
    elif job.verb == "replay":
        validate(ReplayConfig, _own(job), source)


def _own(job: Job) -> dict[str, Any]:
    """A job's settings for its verb's ``--config``, dotted keys as tables; not those of the bench."""
    nested: dict[str, Any] = {}
    for key, value in job.settings.items():
        if not key.startswith(BENCH) and key != GIVEN.get(job.verb):
            _put(nested, key, value, make=True)
    return nested


def _name(verb: str, chosen: Mapping[str, Any], settings: Mapping[str, Any]) -> str:
    """What can be read of a job's settings, and their checksum."""
    text = json.dumps([verb, settings], sort_keys=True, default=str)
    words = "_".join(f"{key.rpartition('.')[2]}={_word(value)}" for key, value in chosen.items())
    return f"{re.sub(r'[^A-Za-z0-9=_.,+-]+', '-', words)[:80].strip('-.')}_{hashlib.sha256(text.encode()).hexdigest()[:8]}"


def _word(value: Any) -> str:
    """A value in a folder's name; of a list without brackets, which would become a minus sign."""
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)


def prepare(job: Job, home: Path | None = None) -> None:
    """Make a job's folder with ``job.toml``, and ``bench.toml`` where the bench is changed.

    Raises:
        ConfigError: no such bench, or no such place in it.
        OutputError: the folder cannot be made.
    """
    make_folder(job.folder)
    own = _own(job)
    changes = {key.removeprefix(BENCH): value for key, value in job.settings.items() if key.startswith(BENCH)}
    if changes:
        bench = read_toml(find("radios", str(own.get("bench", "builtin")), ".toml", home))
        for key, value in changes.items():
            _put(bench, key, value)
        own["bench"] = str(job.folder / "bench.toml")
        replace_file(job.folder / "bench.toml", tomli_w.dumps(bench).encode())
    replace_file(job.folder / "job.toml", tomli_w.dumps(own).encode())


def _put(data: Any, key: str, value: Any, *, make: bool = False) -> None:
    """Set a dotted key, in which numbers are places in lists."""
    path: list[Any] = [int(part) if part.isdecimal() else part for part in key.split(".")]
    parents, last = path[:-1], path[-1]
    try:
        for part in parents:
            data = data.setdefault(part, {}) if make and isinstance(data, dict) else data[part]
        data[last] = value
    except (KeyError, IndexError, TypeError) as err:
        raise ConfigError(f"'{BENCH}{key}' is no place in the bench file; such as bench.links.0.path_loss_db") from err


def write_table(jobs: Sequence[Job], path: Path) -> int:
    """Results of all jobs that are done, as CSV: the grid's settings first; how many rows."""
    rows = [{"job": job.folder.name, **job.chosen, **row} for job in jobs if job.done for row in _rows(job)]
    names = list(dict.fromkeys(name for row in rows for name in row))
    with path.with_suffix(".part").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, names)
        writer.writeheader()
        writer.writerows(rows)
    path.with_suffix(".part").replace(path)
    return len(rows)


def _rows(job: Job) -> Iterator[dict[str, Any]]:
    """What a job measured: a row for each point, or the figures of a training's test."""
    folder = job.folder / "result"
    if job.verb == "train":
        for file in sorted(folder.glob("*.metrics.json")):
            test = json.loads(file.read_text(encoding="utf-8")).get("test", {})
            yield {"scheme": file.name.removesuffix(".metrics.json")} | {
                f"test_{key}": value for key, value in test.items() if isinstance(value, str | int | float)
            }
        return
    for point in json.loads((folder / "results.json").read_text(encoding="utf-8"))["points"]:
        name, metric = next((name, value) for name, value in point["metrics"].items() if value["headline"])
        low, high = metric.get("ci") or (None, None)
        snrs = point.get("snr_db") or []
        columns = ("scheme", "goal", "receiver", "source", "snr_basis", "energy", "snr_db_target")
        yield {key: point.get(key) for key in columns} | {
            "snr_db": "/".join("" if one is None else f"{one:.3f}" for one in snrs),
            "tasks": point.get("tasks"), "metric": name, "value": metric["value"], "ci_low": low, "ci_high": high,
        }  # fmt: skip
