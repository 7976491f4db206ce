"""`hil completion`: tab completion for a shell."""

from __future__ import annotations

import click

__all__ = ["completion"]


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the completion script of SHELL; for bash, put into ~/.bashrc: eval "$(hil completion bash)"."""
    from click.shell_completion import get_completion_class

    from hil.cli.main import cli

    kind = get_completion_class(shell)
    if kind is not None:
        click.echo(kind(cli, {}, "hil", "_HIL_COMPLETE").source())
