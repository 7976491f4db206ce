"""Go on with a run that was killed or ended: the same configuration, what is on record kept, the calibration looked at first.

The run does everything again that it did, from its capture in the place of the radios, so that it comes to where it was
whatever it had learned on the way; from there on it is on the air (docs/decisions/0008).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from hil.calibration.links import LinkCalibration
from hil.calibration.record import read_record
from hil.captures import Capture, ContinuedWriter
from hil.config import read_toml, validate
from hil.errors import CalibrationError, ConfigError
from hil.models.contract import Scheme
from hil.phy.frame import FrameConfig
from hil.points.needs import FADING_FRAMES
from hil.points.on_air import AirRun
from hil.points.spec import PointSpec
from hil.radios.bench import BenchConfig
from hil.radios.session import Bench
from hil.results.document import ResultsDocument, parse_results, read_results
from hil.runs.config import RunConfig
from hil.runs.face import Saved, bench_of, save_run
from hil.runs.folder import RunFolder, resumed_folder
from hil.runs.plan import check_bench, check_plan, fading_of, receivers_of
from hil.runs.progress import Report, Silent
from hil.runs.records import HOLDS_DB, ChosenRecord, choose_record
from hil.runs.replay import config_of, open_work
from hil.runs.run import run_on_air
from hil.runs.simulate import run_simulation
from hil.runs.work import Work, load_work

__all__ = ["resume"]

_FRAMES = 12
"""Sounding frames by which a calibration is looked at."""


def resume(
    name: str,
    *,
    out: str | Path = "runs",
    objects: Mapping[str, Scheme] | None = None,
    transmit: bool = False,
    home: Path | None = None,
    report: Report | None = None,
    saved: Saved | None = None,
) -> ResultsDocument:
    """Go on where a run stopped, by its own ``run.toml``; the results of one that is complete.

    On simulated radios the results are those of a run that was never disturbed, to the bit.

    Args:
        name: of the run's folder in `out`.
        out: folder of runs.
        objects: schemes that the run was given at hand, by the names of their cards.
        transmit: allow real transmitters to send, within the bench file's limits.
        home: the user's bench folder.
        report: told how far it is; saved: told of results once they are written.

    Raises:
        ConfigError: there is no such run, or what is there was begun with another configuration.
        CalibrationError: a link is not any more as it was calibrated.
        HilError: what stopped it; the capture keeps what was measured.
    """
    said = report or Silent()
    with resumed_folder(Path(out), name) as folder:
        save = partial(save_run, folder, saved)
        if (complete := _complete(folder)) is not None:
            said.say(f"{folder.path} is complete; nothing is left to measure")
            save(complete)
            return complete
        asked = validate(RunConfig, read_toml(folder.path / "run.toml"), str(folder.path / "run.toml"))
        if asked.simulate == "awgn":
            work = load_work(asked, home=home, objects=objects, say=said.say)
            save(found := run_simulation(work.resolved(asked), work, said, given={}))
            return found
        bench = bench_of(asked, home)
        check_bench(asked, bench, transmit=transmit)
        given, record, work = _at_hand(folder, asked, bench, home, objects, said)
        asked = work.resolved(asked)
        check_plan(asked, work.contenders, bench, Path(out))
        again = folder.capture.exists()
        if again:
            _look_at_calibration(folder.capture, asked, bench, said, transmit=transmit)
        return run_on_air(
            asked, bench, work, capture=folder.capture, report=said, save=save, given=given, transmit=transmit, record=record,
            resume=again,
        )  # fmt: skip


def _complete(folder: RunFolder) -> ResultsDocument | None:
    """The results of a run that came to its end, perhaps just before they were written to their file."""
    done = folder.path / "results.json"
    if done.exists():
        found = read_results(done)
        return found if found.status == "complete" else None
    if not folder.capture.exists():
        return None
    with Capture.open(folder.capture) as capture:
        return parse_results(capture.results, str(capture.path)) if capture.complete else None


def _at_hand(
    folder: RunFolder,
    asked: RunConfig,
    bench: BenchConfig,
    home: Path | None,
    objects: Mapping[str, Scheme] | None,
    report: Report,
) -> tuple[Mapping[str, Any], ChosenRecord | None, Work]:
    """What was asked for, the calibration record in use and what is loaded, checked against the capture if there is one."""
    if not folder.capture.exists():  # killed before its first burst
        names = [one.name for one in bench.receivers]
        return {}, choose_record(bench, home), load_work(asked, home=home, objects=objects, receivers=names, say=report.say)
    with Capture.open(folder.capture) as capture:
        work = open_work(capture, asked, home=home, objects=objects)
        _check_same(folder, capture, work.resolved(asked), bench)
        first = next(iter(capture.points), None)
        if first is None:
            record = choose_record(bench, home)
        elif path := first.attrs.get("record", {}).get("record"):
            read = read_record(Path(path))
            record = ChosenRecord(record=read, path=Path(path), demanded=True, at_s=read.unix_s)  # it is looked at instead
        else:
            record = None
        return capture.config.get("given", {}), record, work


def _check_same(folder: RunFolder, capture: Capture, asked: RunConfig, bench: BenchConfig) -> None:
    """Refuse a configuration or a bench that is not the one that the capture was begun with."""
    then = config_of(capture, {})
    if _digest(then.model_dump(mode="json")) != _digest(asked.model_dump(mode="json")):
        changed = [key for key, value in asked.model_dump().items() if value != then.model_dump()[key]]
        raise ConfigError(
            f"{folder.path / 'run.toml'} is not what {capture.path} was begun with: {', '.join(changed)} changed (SHA-256 "
            f"{_digest(asked.model_dump(mode='json'))[:12]}…, not {_digest(then.model_dump(mode='json'))[:12]}…); put it back, "
            "or measure in a new run"
        )
    read_back = ("sample_rate_hz", "center_freq_hz")  # a capture has what the radios came to
    now, known = ({key: value for key, value in one.items() if key not in read_back} for one in (
        bench.model_dump(mode="json"), capture.config.get("bench", {})
    ))  # fmt: skip
    if _digest(now) != _digest(known):
        changed = [key for key in now if now[key] != known.get(key)]
        raise ConfigError(
            f"bench '{bench.name}' is not as it was when {capture.path} was begun: {', '.join(changed)} changed; put the file "
            "back, or measure in a new run"
        )


def _digest(values: Any) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def _look_at_calibration(path: Path, config: RunConfig, bench_config: BenchConfig, report: Report, *, transmit: bool) -> None:
    """Sound the links as they were calibrated: the ledger gets rows of kind "calibration".

    Raises:
        CalibrationError: a link has changed.
    """
    with Capture.open(path) as capture:
        known = capture.points
        measured = next((one.attrs for one in reversed(known) if one.attrs.get("calibration")), None)
    if measured is None:
        return  # its calibration was not done
    links = [LinkCalibration(**one) for one in measured["calibration"]]
    frame = validate(PointSpec, measured["spec"], f"a point of {path}").frame
    fading = fading_of(config, bench_config) == "air"
    with Bench(bench_config, transmit=transmit) as bench, ContinuedWriter.reopen(path) as writer:
        air = AirRun(bench, writer, receivers_of(bench.true_config, config))
        changed = _changes(air, links, frame, frames=FADING_FRAMES // 4 if fading else _FRAMES)
    if changed:
        raise CalibrationError(
            f"the calibration of {path} does not hold any more: {'; '.join(changed)}. Put the bench as it was, or measure in a "
            "new run"
        )
    report.say(f"the calibration still holds: {len(links)} links sounded")


def _changes(air: AirRun, links: Sequence[LinkCalibration], frame: FrameConfig, *, frames: int) -> list[str]:
    """What has changed of the links, in words."""
    found = air.look_again(links, frame, point=0, frames=frames)
    told = []
    for then, (now, expected) in zip(links, found, strict=True):
        if expected != expected:
            continue  # this receiver never heard it
        doubt = 2 * float(now.snr_db_std**2 + then.snr_db_std**2) ** 0.5
        change = now.snr_db - expected
        if not abs(change) <= HOLDS_DB + doubt:
            told.append(f"link {then.tx}>{then.receiver} changed by {change:+.2f} dB ± {doubt:.2f} dB")
    return told
