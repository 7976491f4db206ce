"""What all commands have: version with commit, log, completion by name, examples; and the code that a signal ends them with."""

import logging
import os
import signal
import sys

import click
import pytest
from click.testing import CliRunner

from hil.cli.complete import BY_NAME, completed
from hil.cli.examples import EXAMPLES
from hil.cli.main import cli, main
from hil.interrupts import STOPPING
from hil.provenance import version_text


@pytest.fixture(autouse=True)
def quiet_again():
    before = {number: signal.getsignal(number) for number in STOPPING}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)
    top = logging.getLogger("hil")
    for handler in list(top.handlers):
        top.removeHandler(handler)
        handler.close()
    top.setLevel(logging.NOTSET)


def test_the_version_has_its_commit():
    assert CliRunner().invoke(cli, ["--version"]).output == f"hil, version {version_text()}\n"


def test_a_log_has_what_was_said_and_why_it_failed(tmp_path, monkeypatch):
    file = tmp_path / "hil.log"
    monkeypatch.setattr(sys, "argv", ["hil", "radios", "check", "--log", str(file)])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 0
    text = file.read_text()
    assert f"INFO hil {version_text()}: radios check" in text
    assert "link 0 to 'rx'" in text
    monkeypatch.setattr(sys, "argv", ["hil", "replay", "nothing", "--log", str(file)])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 1
    assert "ConfigError: no such run: nothing" in file.read_text()  # the traceback
    monkeypatch.setattr(sys, "argv", ["hil", "doctor", "--log", str(tmp_path / "none" / "hil.log")])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 1


def offered(command, typed):
    return [item.value for item in completed(BY_NAME[command])(None, None, typed)]


def test_names_are_completed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs" / "monday").mkdir(parents=True)
    (tmp_path / "runs" / "monday" / "results.json").touch()
    assert "builtin" in offered("bench", "bui")
    assert offered("schemes", "single,jscc-noma-sa") == ["single,jscc-noma-same-view"]
    assert offered("dataset", "mark") == ["market1501"]
    assert offered("goals", "retr") == ["retrieval"]
    assert "full-jscc-noma" in offered("recipe", "full-jscc")
    assert offered("runs", "") == ["runs/monday"]
    assert offered("runs", "else") == ["else"]  # the shell looks for files


def leaves(group, words=()):
    """Every command that does something, by its words; groups by theirs with a space at the end."""
    context = click.Context(group)
    for name in group.list_commands(context):
        own = group.get_command(context, name)
        if isinstance(own, click.Group):
            yield " ".join([*words, name, ""])
            yield from leaves(own, (*words, name))
        else:
            yield " ".join([*words, name])


def test_every_command_has_examples_and_a_help_of_80_columns():
    every = list(leaves(cli))
    assert set(EXAMPLES) == {words for words in every if not words.endswith(" ")}
    for words in ["", *every]:
        shown = CliRunner().invoke(cli, [*words.split(), "--help"], terminal_width=80).output
        examples = EXAMPLES.get(words, ())
        assert all(line in shown for line in examples)
        assert "--log FILE" in shown or not examples
        assert "\\b" not in shown
        assert not [line for line in shown.splitlines()[1:] if line.endswith("...")]  # that click cut off
        of_examples = [line.strip() for line in shown.splitlines() if len(line) > 80]
        assert set(of_examples) <= set(examples), of_examples  # these are for copying, whole


def test_ctrl_c_is_130(monkeypatch, capsys):
    @click.command()
    def stopped():
        os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr("hil.cli.main.cli", stopped)
    monkeypatch.setattr(sys, "argv", ["hil"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 130
    assert capsys.readouterr().err.strip() == "hil: stopped by Ctrl-C"
