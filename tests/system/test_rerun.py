"""The end of scripts/test: what failed is run again alone, told by name and counted, and more than two fail."""

import shutil
import subprocess
import sys

import pytest

from tests.conftest import ROOT

FLAKY = """
from pathlib import Path
import pytest

@pytest.mark.parametrize("number", range({count}))
def test_starved(number):
    seen = Path(f"seen {{number}}")
    assert seen.exists() or seen.touch()

def test_fine():
    assert True
"""
WRONG = "def test_wrong():\n    assert False\n"


@pytest.fixture
def ran(tmp_path):
    """Runs a file of tests as scripts/test does: all, and then what failed; the last process and its last line."""
    (tmp_path / "scripts").mkdir()
    shutil.copy(ROOT / "scripts" / "rerun_failed", tmp_path / "scripts")
    (tmp_path / ".venv").symlink_to(sys.prefix)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")

    def run(text, *arguments):
        (tmp_path / "test_some.py").write_text(text)
        first = [sys.executable, "-m", "pytest", "-q", "--cache-clear", *arguments]
        done = subprocess.run(first, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode != 0
        again = [tmp_path / "scripts" / "rerun_failed"]
        done = subprocess.run(again, cwd=tmp_path, capture_output=True, text=True, check=False)
        return done, (done.stdout + done.stderr).splitlines()[-1]

    return run


@pytest.mark.parametrize("workers", [(), ("-n", "2", "--dist", "loadfile")])
def test_two_may_be_run_again_and_are_named(ran, workers):
    done, last = ran(FLAKY.format(count=2), *workers)
    assert done.returncode == 0, done.stdout
    assert "passed, 2 RERUN" in last
    for number in (0, 1):
        assert f"test_some.py::test_starved[{number}]" in last
    assert "2 passed" in done.stdout  # alone: not test_fine


def test_three_are_too_many(ran):
    done, last = ran(FLAKY.format(count=3))
    assert done.returncode == 1
    assert last == "scripts/test: FAILED: 3 tests failed; at most 2 are run again"
    assert all(f"  test_some.py::test_starved[{number}]" in done.stdout for number in range(3))


def test_what_fails_again_has_failed(ran):
    done, last = ran(WRONG)
    assert done.returncode == 1
    assert last == "scripts/test: FAILED: of 1 tests run again, alone, some failed again"


def test_what_failed_on_another_day_does_not_count(ran):
    ran(WRONG)
    done, last = ran(FLAKY.format(count=1))
    assert done.returncode == 0
    assert "passed, 1 RERUN" in last
    assert "test_wrong" not in done.stdout


def test_where_no_test_failed_there_is_nothing_to_run_again(ran):
    done, last = ran("def test_fine():\n    assert True\n", "--no-such-option")
    assert done.returncode == 1
    assert "FAILED without a failed test" in last


def test_scripts_test_clears_what_failed_before():
    """In the first of its two runs, so that what fails in either is run again."""
    first, second = [line for line in (ROOT / "scripts" / "test").read_text().splitlines() if line.startswith("tested -")]
    assert first.startswith("tested --cache-clear ")
    assert "cache-clear" not in second


def test_what_failed_in_the_first_of_two_runs_is_run_again(ran, tmp_path):
    (tmp_path / "test_other.py").write_text("def test_fine():\n    assert True\n")
    first = [sys.executable, "-m", "pytest", "-q", "-n", "1"]
    (tmp_path / "test_some.py").write_text(WRONG)
    for more in (["--cache-clear", "test_some.py"], ["--dist", "loadfile", "--ignore=test_some.py"]):
        subprocess.run([*first, *more], cwd=tmp_path, capture_output=True, check=False)
    done = subprocess.run([tmp_path / "scripts" / "rerun_failed"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "test_some.py::test_wrong" in done.stdout
