"""`hil replay`: the same table from the file, and new questions to it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from hil.cli.display import Display, check_out, write_pair
from hil.cli.options import HOME, parse_names, parse_snr

__all__ = ["replay"]


@click.command()
@click.argument("capture", type=click.Path(path_type=Path))
@click.option("--simulate", type=click.Choice(["awgn", "channel"]), help="Also send the same symbols through this channel.")
@click.option("--schemes", callback=parse_names, metavar="NAMES", help="Only these.")
@click.option("--snr", "snr_db", callback=parse_snr, metavar="DB", help="Only these targets.")
@click.option("--dataset", metavar="SPEC", help="Where the data set lies now.")
@click.option("--models", type=click.Path(path_type=Path), metavar="DIR", help="Folder of the weights that were on the air.")
@click.option("--other-weights", is_flag=True, help="Score with other weights, code or files than those on the air.")
@click.option(
    "--draws", type=click.IntRange(min=1), default=20, show_default=True, help="Noise draws of each task in a simulation."
)
@HOME
@click.option("--out", type=click.Path(path_type=Path), metavar="DIR", help="Write results.json and report.html there.")
@click.option("--json", "as_json", is_flag=True, help="Print results as JSON instead of the table.")
def replay(
    capture: Path,
    simulate: str | None,
    schemes: tuple[str, ...],
    snr_db: tuple[float, ...],
    dataset: str | None,
    models: Path | None,
    other_weights: bool,
    draws: int,
    home: Path | None,
    out: Path | None,
    as_json: bool,
) -> None:
    """Receive, decode and score CAPTURE (a file, or a run's folder) again; says whether the live run's bits were verified."""
    import torch

    from hil.runs import face

    check_out(out)
    torch.set_num_threads(1)
    display = Display(quiet=as_json)
    how: Any = simulate or "none"  # click has checked the choice
    results = face.replay(
        capture,
        simulate=how,
        schemes=schemes,
        snr_db=snr_db,
        dataset=dataset,
        models=models,
        other_weights=other_weights,
        draws=draws,
        home=home,
        report=display,
    )
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
    text = f"largest difference of a received symbol {largest:.2g}, {check['changed_decisions']} decisions changed"
    if state == "tolerance":
        return f"verified within tolerance (other machine or versions): {text}"
    return f"NOT verified: {text}"
