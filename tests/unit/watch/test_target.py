"""What a word means: a capture, a run, a bench; and what is said where it means nothing."""

import os

import pytest

from hil.errors import CaptureFormatError, ConfigError
from hil.watch.listening import Listening
from hil.watch.recording import Recording
from hil.watch.source import Asked
from hil.watch.target import open_source
from tests.unit.watch.signals import write_capture


@pytest.fixture(scope="module")
def captures(tmp_path_factory):
    folder = tmp_path_factory.mktemp("target")
    return {done: write_capture(folder / f"{done}.h5", finished=done) for done in (True, False)}


@pytest.fixture
def runs(tmp_path, monkeypatch, captures):
    """Folders runs/over, runs/cut, runs/begun, runs/simulated."""
    monkeypatch.chdir(tmp_path)
    for name in ("over", "cut", "begun", "simulated"):
        (tmp_path / "runs" / name).mkdir(parents=True)
        (tmp_path / "runs" / name / "run.toml").touch()
    for name, done in (("over", True), ("cut", False)):
        (tmp_path / "runs" / name / "capture.h5").write_bytes(captures[done].read_bytes())
    (tmp_path / "runs" / "simulated" / "results.json").touch()
    return tmp_path / "runs"


@pytest.mark.parametrize(("name", "source"), [("over", "capture"), ("cut", "run"), ("begun", "run")])
def test_a_run_by_name_or_folder(runs, name, source):
    for target in (name, str(runs / name), f"runs/{name}"):
        found = open_source(target)
        assert isinstance(found, Recording)
        assert found.stream(Asked()).about()["source"] == source
        assert found.title == name


def test_nothing_named_is_the_newest_run(runs):
    for age, name in enumerate(("cut", "begun", "over", "simulated")):
        os.utime(runs / name / "run.toml", (1e9 - age, 1e9 - age))
    assert open_source(None).title == "cut"


def test_a_file(captures):
    assert open_source(str(captures[True])).title == "True.h5"


def test_a_bench():
    source = open_source("builtin")
    try:
        assert isinstance(source, Listening)
        assert source.title == "bench builtin"
    finally:
        source.close()


def test_what_means_nothing(runs, tmp_path):
    with pytest.raises(ConfigError, match=r"'nonsense' is neither a run, nor a capture, nor a bench .*runs/"):
        open_source("nonsense")
    with pytest.raises(ConfigError, match="simulated without radios, so there is no signal"):
        open_source("simulated")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigError, match=r"empty holds neither a capture\.h5 nor a run\.toml"):
        open_source("empty")
    (tmp_path / "notes.txt").write_text("words")
    with pytest.raises(CaptureFormatError, match=r"notes\.txt is not a capture"):
        open_source("notes.txt")


def test_without_any_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match="there is no run under runs/ here"):
        open_source(None)
