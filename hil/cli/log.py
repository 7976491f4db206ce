"""``--log FILE`` and ``-v`` of every command: what it says with times in a file; details and tracebacks on the terminal."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import Any

import click

from hil.errors import OutputError

__all__ = ["LOG", "log_options"]

LOG = logging.getLogger("hil.cli")
"""What commands say goes here, too: lines at INFO, stages and tracebacks at DEBUG."""


def log_options() -> list[click.Option]:
    """The two options, for the end of a command's own."""
    return [
        click.Option(
            ["--log"], type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", callback=_to_file, expose_value=False,
            help="Append what is said, with times, details and tracebacks, to FILE.",
        ),
        click.Option(
            ["-v", "--verbose"], is_flag=True, callback=_verbose, expose_value=False,
            help="Say more: times of stages, the code behind an error.",
        ),
    ]  # fmt: skip


def _to_file(ctx: click.Context, param: click.Parameter, value: Path | None) -> None:
    if value is None:
        return
    from hil.provenance import version_text

    try:
        handler = logging.FileHandler(value, encoding="utf-8")
    except OSError as err:
        raise OutputError(f"--log {value} cannot be written to: {err.strerror}") from err
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    _listen(handler)
    LOG.info("hil %s: %s", version_text(), " ".join(sys.argv[1:]))


def _verbose(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    if value:
        handler = logging.StreamHandler(sys.stderr)
        handler.addFilter(lambda record: record.levelno < logging.INFO or record.name != LOG.name)
        _listen(handler)


def _listen(handler: logging.Handler) -> None:
    top: Any = logging.getLogger("hil")
    top.setLevel(logging.DEBUG)
    top.addHandler(handler)
