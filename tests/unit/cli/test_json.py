"""Every command can be read by a program."""

import json

import click
import pytest
from click.testing import CliRunner

from hil.cli.main import cli

WITHOUT = {
    "watch": "a server that runs until it is stopped; its page is fed with JSON",
    "completion": "prints a shell script",
}
"""Commands that have no --json, and why."""
SWEEP = 'verb = "run"\n[grid]\nschemes = [["single"], ["oma"]]\n'


def commands(group: click.Group, words: tuple[str, ...] = ()):
    """Every command below a group that does something, by the words that call it."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from commands(command, (*words, name))
        else:
            yield " ".join((*words, name)), command


def test_every_command_has_json_or_a_reason():
    found = {words: any("--json" in one.opts for one in command.params) for words, command in commands(cli)}
    assert len(found) > 25
    assert {words for words, has in found.items() if not has} == set(WITHOUT)


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (["schemes", "new", "mine", "--json"], {"files": ["mine.py"]}),
        (["sweep", "grid.toml", "--dry-run", "--json"], {"out": "sweeps/grid"}),
        (["radios", "test", "tx", "--json"], {"passed": True}),
    ],
)
def test_standard_output_is_one_json_document(words, wanted, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "grid.toml").write_text(SWEEP, encoding="utf-8")
    done = CliRunner().invoke(cli, words, catch_exceptions=False)
    told = json.loads(done.stdout)
    assert wanted.items() <= told.items()
    if "checks" in told:
        assert told["checks"]
        assert all(one["ok"] and one["name"] and not one["why"] for one in told["checks"])
    if "jobs" in told:
        assert list(told["jobs"].values()) == ["left", "left"]


def test_figures_of_papers_are_listed():
    told = json.loads(CliRunner().invoke(cli, ["figures", "list", "--json"], catch_exceptions=False).stdout)
    assert {"lo-3a"} <= {one["name"] for one in told}
    assert all(one["title"] and one["place"] for one in told)
