"""What a Python user calls: `hil.run`, `hil.replay`, `hil.score`, `hil.send`. The command line calls the same.

Each takes keyword settings of its configuration, of a ``run.toml``, or both, and returns typed results.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hil.captures import Capture
from hil.captures.symbol_files import write_received
from hil.config import merged, read_toml, to_toml, validate
from hil.errors import ConfigError, ShapeError
from hil.models.contract import Scheme
from hil.radios.bench import BenchConfig, find_bench
from hil.registry import SCHEMES
from hil.results.document import ResultsDocument, write_results
from hil.runs.config import ReplayConfig, RunConfig, SendConfig
from hil.runs.plan import check_plan
from hil.runs.progress import Report, Silent
from hil.runs.replay import config_of, open_work
from hil.runs.replay import replay as replay_capture
from hil.runs.run import run_on_air
from hil.runs.score import score as score_capture
from hil.runs.send import normalised, send_symbols
from hil.runs.simulate import run_simulation
from hil.runs.work import load_work

__all__ = ["OUTPUTS", "SendResult", "bench_of", "capture_of", "replay", "run", "run_folder", "score", "send"]

OUTPUTS = ("capture.h5", "results.json", "report.html", "run.toml")

Saved = Callable[[ResultsDocument, Path, "Path | None"], None]
"""Told of results that were written: the document, the run's folder, its capture."""


def run(
    bench: str | None = None,
    *,
    config: str | Path | None = None,
    schemes: Sequence[str | Scheme] = (),
    out: str | Path = "runs",
    name: str | None = None,
    overwrite: bool = False,
    transmit: bool = False,
    home: Path | None = None,
    report: Report | None = None,
    saved: Saved | None = None,
    **settings: Any,
) -> ResultsDocument:
    """Measure schemes over the air of a bench, or through the mathematical channel.

    Args:
        bench: name or path; None: the file's, or the built-in one.
        config: a ``run.toml`` to start from.
        schemes: names, weights files, ``path.py:Class``, or schemes at hand.
        out: folder of runs.
        name: of this run's folder; None: date and time.
        overwrite: replace a run of the same name.
        transmit: allow real transmitters to send, within the bench file's limits.
        home: the user's bench folder.
        report: told how far it is; None: nobody.
        saved: told of results once they are written, also of a run that was stopped.
        settings: of `hil.runs.config.RunConfig`; dotted keys as ``**{"frame.interleave": False}``.

    Returns:
        the results; `results.json`, `run.toml` and, of a run over the air, `capture.h5` lie in the run's folder.

    Raises:
        HilError: what stopped it.
    """
    said = report or Silent()
    names, objects = _named(schemes)
    given = _given(config, {**settings, "schemes": names or None}, bench, "hil run")
    asked = validate(RunConfig, given, "hil run")
    bench_config = None if asked.simulate == "awgn" else bench_of(asked, home)
    folder = run_folder(Path(out), name, overwrite=overwrite)
    receivers = [one.name for one in bench_config.receivers] if bench_config is not None else []
    work = load_work(asked, home=home, objects=objects, receivers=receivers, say=said.say)
    resolved = work.resolved(asked)
    if bench_config is not None:
        check_plan(resolved, work.contenders, bench_config)
    _make(folder)
    (folder / "run.toml").write_text(_commented(given) + to_toml(resolved), encoding="utf-8")
    capture = None if bench_config is None else folder / "capture.h5"

    def save(document: ResultsDocument) -> None:
        write_results(document, folder / "results.json")
        if saved is not None:
            saved(document, folder, capture)

    if bench_config is None or capture is None:
        found = run_simulation(resolved, work, said, given=given)
        save(found)
        return found
    return run_on_air(resolved, bench_config, work, capture=capture, report=said, save=save, given=given, transmit=transmit)


def replay(
    capture: str | Path,
    *,
    config: str | Path | None = None,
    home: Path | None = None,
    report: Report | None = None,
    objects: Mapping[str, Scheme] | None = None,
    **settings: Any,
) -> ResultsDocument:
    """Receive, decode and score a capture again; `verification` says whether the live run's bits were met.

    Args:
        capture: a file, or the folder of a run.
        config: a TOML file of `hil.runs.config.ReplayConfig`.
        home: the user's bench folder.
        report: told how far it is.
        objects: schemes at hand by the name that the capture has for them.
        settings: of `hil.runs.config.ReplayConfig`: ``simulate``, ``schemes``, ``snr_db``, ``dataset``, ….

    Raises:
        HilError: what stopped it.
    """
    asked = validate(ReplayConfig, _given(config, settings, None, "hil replay"), "hil replay")
    asked = asked.model_copy(update={"schemes": tuple(SCHEMES.resolve(name) for name in asked.schemes)})
    with Capture.open(capture_of(capture)) as opened:
        measured = config_of(opened, _lying_elsewhere(asked.dataset, asked.models))
        work = open_work(opened, measured, home=home, other_weights=asked.other_weights, objects=objects)
        return replay_capture(opened, measured, work, report or Silent(), asked)


def score(
    capture: str | Path,
    *,
    goals: Sequence[str] = (),
    options: Mapping[str, Mapping[str, Any]] | None = None,
    dataset: str | None = None,
    models: str | Path | None = None,
    home: Path | None = None,
    report: Report | None = None,
    objects: Mapping[str, Scheme] | None = None,
) -> ResultsDocument:
    """Judge a capture by other goals, or with other options, without the air.

    Args:
        capture: a file, or the folder of a run.
        goals: names; empty: all that the schemes' outputs and the data set allow.
        options: of goals, by name.
        dataset: where the data set lies now; models: the weights that were on the air.
        home: the user's bench folder.
        report: told how far it is.
        objects: schemes at hand by the name that the capture has for them.

    Raises:
        HilError: what stopped it.
    """
    changes = _lying_elsewhere(dataset, models)
    if options is not None:
        changes["options"] = {name: dict(own) for name, own in options.items()}
    with Capture.open(capture_of(capture)) as opened:
        return score_capture(opened, report or Silent(), goals=goals, changes=changes, home=home, objects=objects)


@dataclass(frozen=True, kw_only=True)
class SendResult:
    """What was received of symbols that were sent.

    Attributes:
        symbols: complex64 [task, use] = y/Ḡ; valid: bool [task, use]; noise_var: float32 [task, use].
        channel: complex64 [tx, task, use], estimated h/Ḡ.
        arrays: these, those of further receivers as ``RECEIVER/symbols`` …, `scale` and `sent`.
        about: SNR, frames, checksum, where the capture lies.
    """

    symbols: NDArray[np.complex64]
    valid: NDArray[np.bool_]
    noise_var: NDArray[np.float32]
    channel: NDArray[np.complex64]
    arrays: Mapping[str, NDArray[Any]]
    about: Mapping[str, Any]


def send(
    symbols: NDArray[Any],
    bench: str | None = None,
    *,
    config: str | Path | None = None,
    out: str | Path | None = None,
    capture: str | Path | None = None,
    transmit: bool = False,
    home: Path | None = None,
    report: Report | None = None,
    **settings: Any,
) -> SendResult:
    """Put complex symbols on the air of a bench: no scheme, no images.

    Args:
        symbols: complex [tx, task, use]; a use that is zero in all tasks is not occupied; mean |x|² = 1 on the others.
        bench: name or path; None: the file's, or the built-in one.
        config: a TOML file of `hil.runs.config.SendConfig`.
        out: ``.h5`` to write; None: no file.
        capture: file that keeps every sample; None: beside `out`, else in ``runs/``.
        transmit: allow real transmitters to send, within the bench file's limits.
        home: the user's bench folder.
        report: told how far it is.
        settings: of `hil.runs.config.SendConfig`: ``snr_db``, ``normalize``, ``frame``, ….

    Raises:
        HilError: what stopped it.
    """
    asked = validate(SendConfig, _given(config, settings, bench, "hil send"), "hil send")
    array = np.asarray(symbols)
    if array.ndim != 3 or not np.iscomplexobj(array) or not array.size or not np.isfinite(array).all():
        raise ShapeError(f"symbols must be finite, complex [tx, task, use], not {array.dtype} {list(array.shape)}")
    values, scale = normalised(array.astype(np.complex64), force=asked.normalize)
    target = Path(out) if out is not None else None
    if capture is None:
        stamp = time.strftime("%Y%m%d-%H%M%S")
        capture = target.with_name(f"{target.stem}-capture.h5") if target else Path("runs") / f"send-{stamp}" / "capture.h5"
    arrays, about = send_symbols(
        values,
        asked,
        bench_of(asked, home),
        capture=Path(capture),
        report=report or Silent(),
        transmit=transmit,
        scale=scale,
    )
    if target is not None:
        write_received(target, arrays, about)
    own = {name: arrays[name] for name in ("symbols", "valid", "noise_var", "channel")}
    return SendResult(**own, arrays=arrays, about=about)


def bench_of(config: RunConfig | SendConfig, home: Path | None = None) -> BenchConfig:
    """The bench of a configuration, with its seed of the air."""
    found = find_bench(config.bench, home)
    return found if config.air_seed is None else found.model_copy(update={"seed": config.air_seed})


def run_folder(out: Path, name: str | None, *, overwrite: bool = False) -> Path:
    """Where a run is to lie; an earlier run there is never lost without `overwrite`. Nothing is made yet.

    Raises:
        ConfigError: a run is there already.
    """
    folder = out / (name or time.strftime("%Y%m%d-%H%M%S"))
    there = [item for item in OUTPUTS if (folder / item).exists()]
    if there and not overwrite:
        raise ConfigError(f"{folder} holds a run already ({', '.join(there)}); choose another --name, or give --overwrite")
    return folder


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in OUTPUTS:
            (folder / name).unlink(missing_ok=True)
    except OSError as err:
        raise ConfigError(f"cannot make the folder {folder}: {err.strerror}; choose another with --out") from err


def _given(config: str | Path | None, settings: Mapping[str, Any], bench: str | None, source: str) -> dict[str, Any]:
    """What is asked for: a file's settings, and those given one by one."""
    flags = {key: value for key, value in {**settings, "bench": bench}.items() if value is not None}
    return merged(read_toml(Path(config)) if config is not None else {}, flags, source)


def _named(schemes: Sequence[str | Scheme]) -> tuple[tuple[str, ...], dict[str, Scheme]]:
    """Names of all, and those that are objects, by their card's name."""
    if isinstance(schemes, str):
        schemes = (schemes,)
    objects = {one.card.name: one for one in schemes if not isinstance(one, str)}
    return tuple(one if isinstance(one, str) else one.card.name for one in schemes), objects


def _lying_elsewhere(dataset: str | None, models: str | Path | None) -> dict[str, Any]:
    changes: dict[str, Any] = {} if dataset is None else {"dataset": dataset}
    return changes | ({} if models is None else {"models": str(models)})


def capture_of(path: str | Path) -> Path:
    """The capture meant by a file or a run's folder."""
    given = Path(path)
    return given / "capture.h5" if given.is_dir() else given


def _commented(given: Mapping[str, Any]) -> str:
    """What was asked for, as a comment above what it came to."""
    words = [f"# {key} = {value!r}" for key, value in given.items()] or ["# nothing"]
    return "\n".join(["# What was asked for:", *words, "# What it came to; hil run --config FILE measures it again.", ""])
