"""`hil replay`: the same table from the file, and new questions to it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from hil.cli.display import Display, check_out, write_pair
from hil.cli.options import HOME, config_options, default_of, flags_of, parse_names, parse_snr
from hil.config import parse_settings
from hil.runs.config import ReplayConfig

__all__ = ["replay"]


@click.command()
@click.argument("capture", type=click.Path(path_type=Path))
@click.option("--simulate", type=click.Choice(["awgn", "channel"]), help="Also send the same symbols through this channel.")
@click.option("--schemes", callback=parse_names, metavar="NAMES", help="Only these.")
@click.option("--snr", "snr_db", callback=parse_snr, metavar="DB", help="Only these targets.")
@click.option("--dataset", metavar="SPEC", help="Where the data set lies now.")
@click.option("--models", metavar="DIR", help="Folder of the weights that were on the air.")
@click.option("--other-weights", is_flag=True, default=None, help="Score with other weights or code than those on the air.")
@click.option("--draws", type=int, help=default_of(ReplayConfig, "draws", "Noise draws of each task in a simulation."))
@config_options
@HOME
@click.option("--out", type=click.Path(path_type=Path), metavar="DIR", help="Write results.json and report.html there.")
@click.option("--json", "as_json", is_flag=True, help="Print results as JSON instead of the table.")
def replay(
    capture: Path,
    config: Path | None,
    settings: tuple[str, ...],
    home: Path | None,
    out: Path | None,
    as_json: bool,
    **flags: Any,
) -> None:
    """Receive, decode and score CAPTURE (a file, or a run's folder) again; says whether the live run's bits were verified.

    Settings of the receiver (--set receiver.KEY=VALUE) receive it in another way than the live run did.
    """
    import torch

    from hil.runs import face

    check_out(out)
    torch.set_num_threads(1)
    display = Display(quiet=as_json)
    changes = {**parse_settings(settings, ReplayConfig), **flags_of(flags, {})}
    results = face.replay(capture, config=config, home=home, report=display, **changes)
    if out is not None:
        write_pair(out, results, face.capture_of(capture))
    if as_json:
        click.echo(json.dumps(results.to_dict()))
        return
    display.results(results)
    click.echo(verdict(results.verification or {}))


def verdict(check: dict[str, Any]) -> str:
    """The verification in one line."""
    state, largest = check["verified"], check["largest_difference"]
    if state == "bits" and check["changed_decisions"]:
        return f"received symbols have the bits of the live run, but {check['changed_decisions']} decisions changed"
    if state == "bits":
        return "verified: every received symbol has the bits of the live run (SHA-256 equal)"
    if state == "unfinished":
        return "verified in part: the run was cut short; its finished points have the bits of the live run"
    if state == "other_receiver":
        return "received with other settings than the live run's: new results, nothing to verify"
    text = f"largest difference of a received symbol {largest:.2g}, {check['changed_decisions']} decisions changed"
    if state == "tolerance":
        return f"verified within tolerance (other machine or versions): {text}"
    return f"NOT verified: {text}"
