"""What a Python user calls: `hil.run`, `hil.replay`, `hil.score`, `hil.send`. The command line calls the same.

Each takes keyword settings of its configuration, of a ``run.toml``, or both, and returns typed results.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePath
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from hil.captures import Capture
from hil.captures.mat_files import check_mat
from hil.captures.symbol_files import expect_symbols, write_received
from hil.config import merged, read_toml, to_toml, validate
from hil.errors import CaptureError, OutputError
from hil.files import check_writable
from hil.models.contract import Scheme
from hil.radios.amplifier import amplified
from hil.radios.bench import BenchConfig, find_bench
from hil.registry import SCHEMES
from hil.results.document import ResultsDocument, write_results
from hil.runs.config import CalibrateConfig, ReplayConfig, RunConfig, SendConfig
from hil.runs.folder import RunFolder, capture_place, check_free, find_run, fresh_folder, run_folder
from hil.runs.forms import check_alike
from hil.runs.plan import check_bench, check_plan
from hil.runs.progress import Report, Silent
from hil.runs.records import choose_record
from hil.runs.replay import config_of, open_work
from hil.runs.replay import replay as replay_capture
from hil.runs.run import run_on_air
from hil.runs.score import score as score_capture
from hil.runs.send import normalised, send_symbols
from hil.runs.simulate import run_simulation
from hil.runs.work import Work, load_work

__all__ = ["SendResult", "bench_of", "capture_of", "given_settings", "replay", "run", "score", "send"]

Saved = Callable[[ResultsDocument, RunFolder], None]
"""Told of results that were written: the document, and the run's folder."""


def run(
    bench: str | None = None,
    *,
    config: str | Path | None = None,
    schemes: Sequence[str | Scheme] = (),
    out: str | Path = "runs",
    name: str | None = None,
    overwrite: bool = False,
    transmit: bool = False,
    calibration: str | Path | None = None,
    recalibrate: bool = False,
    home: Path | None = None,
    report: Report | None = None,
    saved: Saved | None = None,
    **settings: Any,
) -> ResultsDocument:
    """Measure schemes over the air of a bench, or through the mathematical channel.

    Args:
        bench: name or path; None: the file's, or the built-in one. config: a ``run.toml`` to start from.
        schemes: names, weights files, ``path.py:Class``, or schemes at hand.
        out: folder of runs; name: of this run's folder in it, None: date and time.
        overwrite: replace a run of the same name, once this one is complete.
        transmit: allow real transmitters to send, within the bench file's limits.
        calibration: a record of `hil calibrate` that must hold; None: the newest of the bench, if that holds.
        recalibrate: use no record, and calibrate.
        home: the user's bench folder.
        report: told how far it is; saved: told of results once they are written, also of a run that was stopped.
        settings: of `hil.runs.config.RunConfig`; dotted keys as ``**{"frame.interleave": False}``.

    Returns:
        the results; `results.json`, `run.toml` and, of a run over the air, `capture.h5` lie in the run's folder.

    Raises:
        HilError: what stopped it; a note says where what was measured is kept.
    """
    said = report or Silent()
    names, objects = _named(schemes)
    given = given_settings(config, {**settings, "schemes": names or None}, bench, "hil run")
    asked = validate(RunConfig, given, "hil run")
    check_free(Path(out), name, overwrite=overwrite)
    if asked.simulate == "awgn":
        work = _loaded(asked, home=home, objects=objects, say=said.say)
        resolved = work.resolved(asked)
        with run_folder(Path(out), name, _commented(given) + to_toml(resolved), overwrite=overwrite) as folder:
            save_run(folder, saved, found := run_simulation(resolved, work, said, given=given))
            return found
    on_bench = bench_of(asked, home)
    check_bench(asked, on_bench, transmit=transmit)
    asked = asked.model_copy(update={"air_seed": on_bench.seed})
    record = choose_record(on_bench, home, given=calibration, recalibrate=recalibrate)
    work = _loaded(asked, home=home, objects=objects, receivers=[one.name for one in on_bench.receivers], say=said.say)
    resolved = work.resolved(asked)
    check_plan(resolved, work.contenders, on_bench, Path(out))
    with run_folder(Path(out), name, _commented(given) + to_toml(resolved), overwrite=overwrite) as folder:
        return run_on_air(
            resolved, on_bench, work, capture=folder.capture, report=said, save=partial(save_run, folder, saved), given=given,
            transmit=transmit, record=record,
        )  # fmt: skip


def _loaded(asked: RunConfig, **how: Any) -> Work:
    """What a new run works on; pictures that one goal compares are the same."""
    work = load_work(asked, **how)
    check_alike(work.contenders)
    return work


def save_run(folder: RunFolder, saved: Saved | None, document: ResultsDocument) -> None:
    write_results(document, folder.path / "results.json")
    if saved is not None:
        saved(document, folder)


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
    asked = validate(ReplayConfig, given_settings(config, settings, None, "hil replay"), "hil replay")
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
    other_weights: bool = False,
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
        other_weights: judge with other weights, or other code and files of a third party, than those on the air.
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
        return score_capture(
            opened,
            report or Silent(),
            goals=goals,
            changes=changes,
            home=home,
            objects=objects,
            other_weights=other_weights,
        )


@dataclass(frozen=True, kw_only=True)
class SendResult:
    """What was received of symbols that were sent.

    Attributes:
        symbols: complex64 [task, use] = y/Ḡ; valid: bool [task, use]; noise_var: float32 [task, use].
        channel: complex64 [tx, task, use], estimated h/Ḡ. Of several SNRs, these have an axis [snr] in front.
        arrays: these, those of further receivers as ``RECEIVER/symbols`` …, and the others of docs/send.md.
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
    overwrite: bool = False,
    transmit: bool = False,
    mat: str = "5",
    home: Path | None = None,
    report: Report | None = None,
    **settings: Any,
) -> SendResult:
    """Put complex symbols on the air of a bench: no scheme, no images.

    Args:
        symbols: complex [tx, task, use]; a use that is zero in all tasks is not occupied; mean |x|² = 1 on the others.
        bench: name or path; None: the file's, or the built-in one.
        config: a TOML file of `hil.runs.config.SendConfig`.
        out: ``.h5`` or ``.mat`` to write; None: no file. mat: version of a ``.mat``: ``5`` or ``7.3``.
        capture: file that keeps every sample; None: beside `out`, else in ``runs/``.
        overwrite: replace files of the same names, once there are new ones.
        transmit: allow real transmitters to send, within the bench file's limits.
        home: the user's bench folder.
        report: told how far it is.
        settings: of `hil.runs.config.SendConfig`: ``snr_db``, ``normalize``, ``frame``, ….

    Raises:
        HilError: what stopped it.
    """
    asked = validate(SendConfig, given_settings(config, settings, bench, "hil send"), "hil send")
    values, scale = normalised(expect_symbols(symbols, "hil.send"), force=asked.normalize)
    target = Path(out) if out is not None else None
    if target is not None:
        _check_target(target, mat=mat, overwrite=overwrite)
    on_bench = bench_of(asked, home)
    check_bench(asked, on_bench, transmit=transmit)
    asked = asked.model_copy(update={"air_seed": on_bench.seed})
    with _capture(capture, target, overwrite=overwrite) as (place, final):
        arrays, about = send_symbols(
            values, asked, on_bench, capture=place, report=report or Silent(), transmit=transmit, scale=scale
        )
        about["capture"] = str(final)
        if target is not None:
            write_received(target, arrays, about, mat=mat)
    own = {name: arrays[name] for name in ("symbols", "valid", "noise_var", "channel")}
    return SendResult(**own, arrays=arrays, about=about)


def _check_target(target: Path, *, mat: str, overwrite: bool) -> None:
    """Refuse, before anything is sent, a file that what is received cannot be written to.

    Raises:
        OutputError: no HDF5 or .mat by its name, a folder, or there already.
        DriverMissingError: a package is missing for a .mat.
    """
    if target.is_dir():
        raise OutputError(f"--out {target} is a folder; name a file in it, such as {target / 'received.h5'}")
    if target.suffix.lower() not in (".h5", ".hdf5", ".mat"):
        raise OutputError(f"--out must name an .h5 or a .mat file, not {target.name!r}")
    if target.exists() and not overwrite:
        raise OutputError(f"{target} exists already; choose another --out, or give --overwrite")
    if target.suffix.lower() == ".mat":
        check_mat(mat)
    check_writable(target.parent)


@contextmanager
def _capture(capture: str | Path | None, target: Path | None, *, overwrite: bool) -> Iterator[tuple[Path, Path]]:
    """Where the capture of `send` is written, and where it is to lie."""
    if capture is None and target is None:
        with (
            fresh_folder(Path("runs") / time.strftime("send-%Y%m%d-%H%M%S")) as folder,
            capture_place(folder / "capture.h5") as place,
        ):
            yield place, place
        return
    final = Path(capture) if capture is not None else cast(Path, target).with_name(f"{cast(Path, target).stem}-capture.h5")
    with capture_place(final, overwrite=overwrite) as place:
        yield place, final


def bench_of(config: RunConfig | SendConfig | CalibrateConfig, home: Path | None = None) -> BenchConfig:
    """The bench of a configuration, with the seed that its air has by this configuration."""
    found = find_bench(config.bench, home)
    if config.amplifier is not None:
        found = amplified(found, config.amplifier)
    return found.model_copy(update={"seed": config.air_seed_on(found.seed)})


def given_settings(config: str | Path | None, settings: Mapping[str, Any], bench: str | None, source: str) -> dict[str, Any]:
    """What is asked for: a file's settings, and those given one by one.

    A seed that is given by itself is the air's, too: the seed of the air that a file was resolved to is then left out.
    """
    given = {**settings, "bench": bench}.items()
    flags = {key: str(value) if isinstance(value, PurePath) else value for key, value in given if value is not None}
    file = read_toml(Path(config)) if config is not None else {}
    if "seed" in flags and "air_seed" not in flags:
        file.pop("air_seed", None)
    return merged(file, flags, source)


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
    """The capture meant by a file, a run's folder, or the name of one under ``runs/``.

    Raises:
        CaptureError: there is none.
    """
    given = find_run(Path(path))
    found = given / "capture.h5" if given.is_dir() else given
    if not found.exists():
        raise CaptureError(f"{given} holds no capture.h5; a run without radios (--simulate) has none")
    return found


def _commented(given: Mapping[str, Any]) -> str:
    """What was asked for, as a comment above what it came to."""
    words = [f"# {key} = {value!r}" for key, value in given.items()] or ["# nothing"]
    return "\n".join(["# What was asked for:", *words, "# What it came to; hil run --config FILE measures it again.", ""])
