"""`hil watch`: the live page."""

from __future__ import annotations

import os
from pathlib import Path

import click

from hil.cli.options import HOME

__all__ = ["watch"]

PORT = 8484
NICE = 10
"""What is watched comes first."""


@click.command()
@click.argument("target", required=False)
@click.option("--port", type=click.IntRange(0, 65535), default=PORT, show_default=True, help="0: any that is free.")
@click.option(
    "--listen", "address", metavar="ADDRESS", default="127.0.0.1", show_default=True,
    help="Another address than loopback shows the page to others: then its URL holds a token, printed once.",
)  # fmt: skip
@HOME
def watch(target: str | None, port: int, address: str, home: Path | None) -> None:
    """Show TARGET on a live page: spectrum, waterfall, constellation, SNR by carrier, levels, frames found and lost.

    TARGET is a run (folder, or name under runs/; going on or over), a capture.h5, or a bench, whose receivers are then opened,
    to listen only; default: the newest run. Ctrl-C ends it. A run beside is read from its capture, and not disturbed.
    """
    from hil.watch.server import check_installed

    check_installed()
    import torch

    from hil.watch.place import Place
    from hil.watch.server import serve
    from hil.watch.target import open_source

    torch.set_num_threads(1)
    os.nice(NICE)
    source = open_source(target, home)
    try:
        serve(source, Place.at(address, port), lambda url: click.echo(f"watching {source.title}: {url} (Ctrl-C ends it)"))
    finally:
        source.close()
