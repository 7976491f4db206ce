"""`hil`: one thin file a verb; a command's module is imported when the command is used."""

from __future__ import annotations

import importlib
import sys
from typing import Any

import click

from hil._version import __version__
from hil.errors import HilError
from hil.radios.silence import silence_on_signals

__all__ = ["cli", "main"]

COMMANDS = {
    "run": ("hil.cli.run:run", "Measure schemes over the air of a bench, or in simulation."),
    "replay": ("hil.cli.replay:replay", "Score a capture again, to the last bit, or ask it new questions."),
    "score": ("hil.cli.score:score", "Judge a capture by other goals, without the air."),
    "send": ("hil.cli.send:send", "Put your own symbols on the air and get what was received."),
    "train": ("hil.cli.train:train", "Train a recipe's networks."),
    "report": ("hil.cli.report:report", "Write the HTML report of a run again."),
    "figures": ("hil.cli.figures:figures", "Write the figures of runs as files for a paper."),
    "air": ("hil.cli.air:air", "Serve a bench's virtual radios on loopback, in their vendors' protocols."),
    "radios": ("hil.cli.radios:radios", "List, probe and test radios."),
    "doctor": ("hil.cli.doctor:doctor", "What is usable here, and what to install for the rest."),
    "captures": ("hil.cli.captures:captures", "Check, describe and keep captures."),
    "schemes": ("hil.cli.schemes:schemes", "What can be put on the air."),
    "datasets": ("hil.cli.datasets:datasets", "What images there are to send, and what tasks they serve."),
    "completion": ("hil.cli.completion:completion", "Tab completion for your shell."),
}


class _Verbs(click.Group):
    """Commands by name, imported when used; `--help` needs none of them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name][0].partition(":")
        command: click.Command = getattr(importlib.import_module(module), name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[Any, Any, list[str]]:
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            raise click.UsageError(f"no command '{args[0]}'; there are: {', '.join(COMMANDS)}", ctx)
        return super().resolve_command(ctx, args)


@click.group(cls=_Verbs, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="hil")
def cli() -> None:
    """Hardware-in-the-loop SDR testbed for joint source-channel coding (JSCC).

    Trained encoders' symbols ride OFDM frames over real or simulated radios; every received sample is kept; retrieval
    accuracy is measured over the air and offline. Start with: hil run
    """


def main() -> None:
    """Entry point: a `HilError` becomes one clear line and exit code 1; a bug keeps its traceback.

    SIGTERM and SIGHUP unwind like Ctrl-C, so that transmitters are silenced on the way out.
    """
    silence_on_signals()
    try:
        cli(prog_name="hil")
    except HilError as err:
        text = " ".join(str(err).split())
        click.echo(f"hil: error: {text}", err=True)
        sys.exit(1)
    except BrokenPipeError:
        sys.exit(141)
