"""`hil run`: the measurement."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hil.cli.display import Display
from hil.cli.options import HOME, config_options, default_of, flags_of, parse_names, parse_snr
from hil.config import parse_settings, read_toml
from hil.errors import ConfigError
from hil.runs.config import RunConfig
from hil.timing import spent

if TYPE_CHECKING:
    from hil.results.document import ResultsDocument
    from hil.runs.folder import RunFolder

__all__ = ["run"]

KEYS = {"tasks_per_frame": "frame.tasks_per_frame", "spread": "frame.interleave"}
"""Flags whose setting lies in a table."""


def _help(key: str, text: str) -> str:
    return default_of(RunConfig, key, text)


@click.command()
@click.argument("bench", required=False)
@click.option(
    "--schemes", callback=parse_names, metavar="NAMES", help=_help("schemes", "Names, weights files, path.py:Class; or all.")
)
@click.option("--goals", callback=parse_names, metavar="NAMES", help="What judges them.  [default: all that fit]")
@click.option("--snr", "snr_db", callback=parse_snr, metavar="DB", help=_help("snr_db", "Targets: FIRST:LAST:STEP or a list."))
@click.option(
    "--dataset",
    metavar="SPEC",
    help="NAME, NAME:ARGUMENT or path.py:function.  [default: the built-in one for what the schemes put out]",
)
@click.option("--models", metavar="DIR", help="Folder of trained weights.")
@click.option("--tasks", type=int, help=_help("tasks", "Tasks per scheme and SNR, rounded up to whole frames."))
@click.option("--distinct-tasks", type=int, help=_help("distinct_tasks", "Distinct tasks among them."))
@click.option("--tasks-per-frame", type=int, help="Tasks in one frame.  [default: 84, or more where that saves overhead]")
@click.option("--energy", type=click.Choice(["per_use", "per_device", "per_task"]), help=_help("energy", "How power counts."))
@click.option("--fading", type=click.Choice(["none", "emulated"]), help=_help("fading", "Fades drawn at the transmitters."))
@click.option("--gallery", metavar="MODE", help="Gallery features, for goals that have a gallery: reconstructed or raw.")
@click.option("--repeat", type=int, metavar="N", help=_help("repeat", "Measure each point N times, all SNRs in turn."))
@click.option("--interleave/--no-interleave", default=None, help="Schemes share the air frame by frame.  [default: interleave]")
@click.option("--spread/--no-spread", default=None, help="Spread each task over carriers.  [default: spread]")
@click.option("--seed", type=int, help=_help("seed", "Of tasks, fades and simulations."))
@click.option("--air-seed", type=int, help="Of a simulated air.  [default: follows from --seed; the bench file's for seed 1]")
@click.option("--draws", type=int, help=_help("draws", "Noise draws of the simulations."))
@click.option("--simulate", type=click.Choice(["awgn"]), help="No radio at all: the mathematical channel.")
@config_options
@click.option("--save-config", type=click.Path(path_type=Path, dir_okay=False), help="Write the settings as TOML and stop.")
@click.option("--transmit", is_flag=True, help="Allow real transmitters to send, within the bench file's limits.")
@click.option("--calibration", metavar="FILE", help="A record that must hold.  [default: the bench's newest, if that holds]")
@click.option("--recalibrate", is_flag=True, help="Use no calibration record: measure the links first.")
@click.option("--name", help="Name of the run's folder.  [default: date and time]")
@click.option("--resume", metavar="NAME", help="Go on where the run in runs/NAME was killed or ended, by its own run.toml.")
@click.option("--out", type=click.Path(path_type=Path), default=Path("runs"), show_default=True, help="Where runs go.")
@click.option("--overwrite", is_flag=True, help="Replace a run of the same name, once this one is complete.")
@HOME
@click.option("--json", "as_json", is_flag=True, help="Print results.json instead of the table.")
def run(
    config: Path | None,
    settings: tuple[str, ...],
    save_config: Path | None,
    gallery: str | None,
    transmit: bool,
    calibration: str | None,
    recalibrate: bool,
    name: str | None,
    resume: str | None,
    out: Path,
    overwrite: bool,
    home: Path | None,
    as_json: bool,
    **flags: Any,
) -> None:
    """Measure schemes against SNR over the air of BENCH (default: the built-in, simulated one).

    Leaves results.json, report.html, run.toml and capture.h5 in runs/NAME. A setting comes from its default, --config FILE,
    --set KEY=VALUE or its own flag, the later ones winning.
    """
    import torch

    from hil.runs import face
    from hil.runs.resume import resume as go_on

    torch.set_num_threads(1)
    display = Display(quiet=as_json)
    changes = {**parse_settings(settings, RunConfig), **flags_of(flags, KEYS)}
    if resume is not None:
        _check_alone(changes, config=config, gallery=gallery, name=name, calibration=calibration, save_config=save_config,
                     recalibrate=recalibrate, overwrite=overwrite)  # fmt: skip
    if gallery is not None:
        changes |= _gallery(config, changes, gallery)
    if save_config is not None:
        _save(config, changes, save_config)
        return
    places: list[RunFolder] = []

    def saved(document: ResultsDocument, folder: RunFolder) -> None:
        from hil.report.html import write_report

        write_report(
            document, folder.capture if folder.capture.exists() else None, folder.path / "report.html", run=folder.final
        )
        places.append(folder)

    if resume is not None:
        results = go_on(resume, out=out, transmit=transmit, home=home, report=display, saved=saved)
    else:
        results = face.run(
            config=config, out=out, name=name, overwrite=overwrite, transmit=transmit, calibration=calibration,
            recalibrate=recalibrate, home=home, report=display, saved=saved, **changes,
        )  # fmt: skip
    if as_json:
        click.echo(json.dumps(results.to_dict()))
        return
    display.results(results)
    display.times(spent())
    click.echo(f"report: {places[-1].final / 'report.html'}")


def _check_alone(changes: dict[str, Any], **others: Any) -> None:
    """Refuse settings beside ``--resume``: a run goes on as it was begun."""
    given = [*changes, *(key.replace("_", "-") for key, value in others.items() if value)]
    if given:
        raise ConfigError(f"--resume goes on by the run's own run.toml, and takes no setting beside it; leave out {given[0]!r}")


def _gallery(config: Path | None, changes: dict[str, Any], mode: str) -> dict[str, Any]:
    """``--gallery`` for every goal of the run that has this option."""
    from hil.runs.work import load_goals

    asked = {**(read_toml(config) if config is not None else {}), **changes}
    goals = load_goals(tuple(asked.get("goals", ())))
    return {f"options.{name}.gallery": mode for name, goal in goals.items() if "gallery" in goal.options.model_fields}


def _save(config: Path | None, changes: dict[str, Any], target: Path) -> None:
    from hil.config import resolve, to_toml
    from hil.files import replace_file

    asked, _ = resolve(RunConfig, file=config, settings={}, flags=changes, source="hil run")
    replace_file(target, to_toml(asked).encode())
    click.echo(str(target))
