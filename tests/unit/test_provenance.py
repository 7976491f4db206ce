"""What a result rests on: the commit that runs, and whether it was changed."""

import json
import os
import shutil
import subprocess
import sys

import pytest

from hil.provenance import from_versions, provenance, same_bits_promised
from tests.conftest import ROOT

ASK = "import json; from hil.provenance import commit, version_text; print(json.dumps([*commit(), version_text()]))"


def asked(top):
    """Commit, dirty flag and version as a process of that source tree says them."""
    environment = os.environ | {"PYTHONPATH": str(top), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run([sys.executable, "-c", ASK], cwd=top, env=environment, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def git(top, *arguments):
    settings = ("-c", "user.name=x", "-c", "user.email=x@y", "-c", "commit.gpgsign=false")
    return subprocess.run(["git", *settings, *arguments], cwd=top, capture_output=True, text=True, check=True).stdout.strip()


@pytest.fixture
def tree(tmp_path):
    """The part of the package that knows where it comes from, in a folder of its own."""
    (tmp_path / "hil").mkdir()
    for name in ("__init__.py", "_version.py", "errors.py", "provenance.py"):
        shutil.copy(ROOT / "hil" / name, tmp_path / "hil")
    return tmp_path


def test_outside_a_repository_nothing_is_known(tree):
    known, dirty, version = asked(tree)
    assert (known, dirty) == (None, None)
    assert "+" not in version


def test_the_commit_and_whether_it_was_changed(tree):
    git(tree, "init", "-q")
    git(tree, "add", ".")
    git(tree, "commit", "-qm", "first")
    head = git(tree, "rev-parse", "HEAD")
    plain = asked(tree)
    assert plain[:2] == [head, False]
    assert plain[2].endswith(f"+g{head[:7]}")
    (tree / "notes.txt").write_text("beside the package\n")
    assert asked(tree)[:2] == [head, False]
    module = tree / "hil" / "new.py"
    module.write_text("VALUE = 1\n")  # runs, and is in no commit
    assert asked(tree)[:2] == [head, True]
    module.unlink()
    known = tree / "hil" / "errors.py"
    known.write_text(known.read_text() + "# changed\n")
    changed = asked(tree)
    assert changed[:2] == [head, True]
    assert changed[2].endswith(f"+g{head[:7]}.dirty")
    git(tree, "commit", "-qam", "second")
    assert asked(tree)[:2] == [git(tree, "rev-parse", "HEAD"), False]


def test_a_wheel_says_what_it_was_built_from(tree):
    (tree / "hil" / "shipped").mkdir()
    written = tree / "hil" / "shipped" / "commit.txt"
    written.write_text("abcdef0123 clean\n")
    assert asked(tree)[:2] == ["abcdef0123", False]
    written.write_text("abcdef0123 dirty\n")
    assert asked(tree)[:2] == ["abcdef0123", True]


def test_what_is_told_is_plain_data():
    found = provenance()
    assert json.loads(json.dumps(found)) == found
    assert set(found) == {"version", "commit", "dirty", "packages", "machine", "argv", "clock"}
    assert found["packages"]["numpy"] == __import__("numpy").__version__
    assert found["packages"]["python"] == ".".join(map(str, sys.version_info[:3]))
    assert found["machine"]["torch_threads"] == 1
    assert found["argv"] == sys.argv


def test_the_facts_of_the_first_files_are_the_same_facts():
    old = {"hil": "0.1.0", "python": "3.11.2", "numpy": "1.26.4", "torch": "2.3", "numba": "0.60", "cpu": "c", "platform": "p",
           "torch_threads": 1, "torch_capability": "AVX2", "argv": ["hil"], "odd": 5}  # fmt: skip
    new = from_versions(old)
    assert new["version"] == "0.1.0"
    assert new["packages"] == {"python": "3.11.2", "numpy": "1.26.4", "torch": "2.3", "numba": "0.60"}
    assert new["machine"] == {"platform": "p", "cpu": "c", "torch_threads": 1, "torch_capability": "AVX2"}
    assert (new["argv"], new["odd"], new["commit"], new["clock"]) == (["hil"], 5, None, None)
    assert same_bits_promised(new, new)
    for key in ("cpu", "torch", "numba", "torch_threads", "torch_capability"):
        assert not same_bits_promised(new, from_versions(old | {key: "other"}))
    assert same_bits_promised(new, from_versions(old | {"python": "3.12", "numpy": "2"}))
