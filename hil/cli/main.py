"""`hil`: one thin file a verb; a command's module is imported when the command is used."""

from __future__ import annotations

import importlib
import signal
import sys
from typing import Any

import click

from hil.cli.complete import BY_NAME, completed
from hil.cli.examples import EXAMPLES
from hil.cli.log import LOG, log_options
from hil.cli.terminal import Stop, finish_streams, prepare_streams
from hil.errors import HilError
from hil.spelling import did_you_mean
from hil.timing import watch

__all__ = ["cli", "main"]

LONGEST = 2000
"""Characters of an error's line."""
COMMANDS = {
    "calibrate": ("hil.cli.calibrate:calibrate", "Bring each link of a bench to an SNR, and keep a record of what it is like."),
    "run": ("hil.cli.run:run", "Measure schemes over the air of a bench, or in simulation."),
    "replay": ("hil.cli.replay:replay", "Score a capture again, to the last bit, or ask it new questions."),
    "score": ("hil.cli.score:score", "Judge a capture by other goals, without the air."),
    "send": ("hil.cli.send:send", "Put your own symbols on the air and get what was received."),
    "sensitivity": ("hil.cli.sensitivity:sensitivity", "What errors of alignment cost a superposed scheme (NOMA)."),
    "sweep": ("hil.cli.sweep:sweep", "A grid of runs, replays, scores or trainings, on all cores or a cluster."),
    "train": ("hil.cli.train:train", "Train a recipe's networks."),
    "compare": ("hil.cli.compare:compare", "Runs, or a run's schemes, against each other: at equal SNR, and in dB."),
    "watch": ("hil.cli.watch:watch", "A live page of what receivers hear: of a run, a capture or a bench."),
    "report": ("hil.cli.report:report", "Write the HTML report of a run again."),
    "figures": ("hil.cli.figures:figures", "Write the figures of runs as files for a paper."),
    "export": ("hil.cli.export:export", "Rows, per-task values and symbols of runs as CSV, Parquet or NumPy files."),
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
        return _dressed(command, cmd_name)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[Any, Any, list[str]]:
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            known = ", ".join(COMMANDS)
            raise click.UsageError(f"no command {args[0]!r}{did_you_mean(args[0], COMMANDS)}; there are: {known}", ctx)
        return super().resolve_command(ctx, args)


def _dressed(command: click.Command, words: str) -> click.Command:
    """A command, and those below it, with what all have: ``--log``, ``-v``, completion by name, examples."""
    if isinstance(command, click.Group):
        for name, own in command.commands.items():
            own.short_help = own.get_short_help_str(limit=200)  # whole, over several lines
            _dressed(own, f"{words} {name}")
    elif not any(one.name == "verbose" for one in command.params):
        for one in command.params:
            if one.name in BY_NAME and one._custom_shell_complete is None:
                one._custom_shell_complete = completed(BY_NAME[one.name])
        command.params.extend(log_options())
        if words in EXAMPLES:
            command.epilog = "\b\nExamples:\n" + "\n".join(f"  {line}" for line in EXAMPLES[words])
    return command


def _show_version(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    if value:
        from hil.provenance import version_text

        click.echo(f"hil, version {version_text()}")
        ctx.exit()


@click.group(cls=_Verbs, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_show_version, help="Show version and commit."
)
def cli() -> None:
    """Hardware-in-the-loop SDR testbed for joint source-channel coding (JSCC).

    Trained encoders' symbols ride OFDM frames over real or simulated radios; every received sample is kept; retrieval
    accuracy is measured over the air and offline. Start with: hil run
    """


def main() -> None:
    """Entry point: a `HilError`, or what the system refuses, becomes one clear line and exit code 1; a bug keeps its traceback.

    A signal unwinds the command, so that transmitters are silenced and what was measured is kept; exit code 128 + its number.
    """
    watch()
    stop = Stop()
    stop.listen()
    prepare_streams()
    try:
        code = cli(prog_name="hil", standalone_mode=False) or 0
    except BaseException as err:
        code = _told(err, stop.number)
    stop.deaf()
    broken = finish_streams()
    if broken is not None and code == 0:
        code = _told(broken, None)
    sys.exit(code)


def _told(err: BaseException, signal_number: int | None) -> int:
    """Say in one line why a command ended; its exit code."""
    LOG.debug("ended by", exc_info=err)
    if isinstance(err, click.ClickException):
        err.show()
        return err.exit_code
    if isinstance(err, click.Abort) and err.__cause__ is not None:  # what click makes of Ctrl-C
        err = err.__cause__
    notes = getattr(err, "__notes__", [])
    if signal_number is not None or isinstance(err, KeyboardInterrupt | click.Abort):
        number = signal_number or signal.SIGINT
        name = "Ctrl-C" if number == signal.SIGINT else signal.Signals(number).name
        _say("; ".join([f"hil: stopped by {name}", *notes]))
        return 128 + number
    if isinstance(err, BrokenPipeError):
        return 128 + 13  # as a program that SIGPIPE ends
    if isinstance(err, SystemExit) and (err.code is None or isinstance(err.code, int)):
        return err.code or 0
    if isinstance(err, HilError):
        text = str(err)
    elif isinstance(err, OSError):
        text = f"{err.strerror}: {err.filename or 'standard output'}" if err.strerror else str(err)
    elif isinstance(err, MemoryError):
        text = f"not enough memory: {err}"
    else:
        raise err
    _say("; ".join([f"hil: error: {text}", *notes]))
    return 1


def _say(text: str) -> None:
    line = " ".join(text.split())
    LOG.info(line)
    click.echo(line if len(line) <= LONGEST else f"{line[:LONGEST]}…", err=True)
