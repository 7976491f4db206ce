"""`hil doctor`: what is usable here."""

from __future__ import annotations

from pathlib import Path

import click

__all__ = ["doctor"]


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--home", type=click.Path(path_type=Path), help="Your bench: a folder with radios/, models/, ….")
def doctor(as_json: bool, home: Path | None) -> None:
    """Check interpreter, torch, vendor libraries, permissions, devices and weights; green or red, with the fix for each red.

    Exit code 0 also with red lines: not every machine needs every radio.
    """
    from hil.cli.display import show_checks
    from hil.doctor import diagnose, to_json

    checks = diagnose(home)
    if as_json:
        click.echo(to_json(checks))
        return
    show_checks(checks)
