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
    from rich.console import Console
    from rich.text import Text

    from hil.doctor import diagnose, to_json

    checks = diagnose(home)
    if as_json:
        click.echo(to_json(checks))
        return
    console = Console(highlight=False, soft_wrap=True)
    for check in checks:
        style, mark = {True: ("green", "ok "), False: ("red", "RED"), None: ("dim", " · ")}[check.ok]
        console.print(Text.assemble((mark, style), " ", (check.name, "bold"), f": {check.detail}"))
        if check.fix:
            console.print(Text(f"      fix: {check.fix}"))
