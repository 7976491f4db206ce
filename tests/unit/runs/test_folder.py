"""A run's folder: taken by one run alone, also among processes; what lies there stays whole until the new run is complete."""

import multiprocessing
import os
import signal
import time

import numpy as np
import pytest

from hil.captures import CaptureWriter
from hil.errors import ConfigError, HilError, OutputError
from hil.runs import folder as module
from hil.runs.folder import OUTPUTS, capture_place, check_free, find_run, fresh_folder, run_folder

FORK = multiprocessing.get_context("fork")


class StopError(Exception):
    pass


def finished(folder, text):
    """All outputs, as a complete run leaves them; run.toml is there already."""
    for name in ("capture.h5", "report.html", "results.json"):
        (folder.path / name).write_text(text)


def capture(path, *, bursts):
    with CaptureWriter.create(
        path, config={}, provenance={}, models={}, receivers=["rx"], transmitters=1, sources={}
    ) as writer:
        point = writer.add_point("p", attrs={}, symbols=np.zeros((1, 0, 1), np.complex64), labels={})
        for number in range(bursts):
            heard = type("Heard", (), {"samples": np.zeros((4, 2), np.int16), "start": 0})()
            writer.append_burst(point, {"rx": heard}, kind="frame", frame_numbers=[number], ledger={"rx": [{"status": "lost"}]})


def failing(out, name, *, overwrite=False, fill=lambda folder: None):
    with run_folder(out, name, "x = 1\n", overwrite=overwrite) as folder:
        fill(folder)
        raise StopError


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def test_a_new_run_has_its_folder(tmp_path):
    with run_folder(tmp_path / "deep" / "runs", "mine", "x = 1\n") as folder:
        assert folder.path == folder.final == tmp_path / "deep" / "runs" / "mine"
        assert (folder.path / "run.toml").read_text() == "x = 1\n"
        finished(folder, "one")
    assert set(contents(tmp_path / "deep" / "runs" / "mine")) == set(OUTPUTS)
    with pytest.raises(
        ConfigError, match=r"holds a run already \(capture.h5, report.html, run.toml, results.json\).*--overwrite"
    ):
        check_free(tmp_path / "deep" / "runs", "mine")


def test_notes_are_no_run_and_stay(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("mine")
    with pytest.raises(StopError):
        failing(tmp_path, "mine")
    assert contents(tmp_path / "mine") == {"notes.txt": b"mine"}
    with run_folder(tmp_path, "mine", "") as folder:
        finished(folder, "one")
    with run_folder(tmp_path, "mine", "", overwrite=True) as folder:
        assert folder.path == tmp_path / "mine-new"
        finished(folder, "two")
    assert contents(tmp_path / "mine")["notes.txt"] == b"mine"
    assert contents(tmp_path / "mine")["results.json"] == b"two"
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_what_measured_nothing_leaves_nothing(tmp_path):
    for fill in (lambda folder: None, lambda folder: capture(folder.capture, bursts=0)):
        with pytest.raises(StopError) as info:
            failing(tmp_path / "runs", "mine", fill=fill)
        assert not getattr(info.value, "__notes__", [])
        assert list(tmp_path.iterdir()) == []


def test_what_was_measured_is_kept_and_said(tmp_path):
    with pytest.raises(StopError) as info:
        failing(tmp_path, "mine", fill=lambda folder: capture(folder.capture, bursts=1))
    assert info.value.__notes__ == [f"what was received is kept in {tmp_path / 'mine' / 'capture.h5'}"]
    with pytest.raises(StopError) as info:
        failing(tmp_path, "other", fill=lambda folder: (folder.path / "results.json").write_text("{}"))
    assert info.value.__notes__ == [f"what was measured is kept in {tmp_path / 'other'}"]


def test_an_earlier_run_stays_whole_until_the_new_one_is(tmp_path):
    with run_folder(tmp_path, "mine", "", overwrite=True) as folder:
        finished(folder, "one")
    before = contents(tmp_path / "mine")
    for fill, left in (
        (lambda folder: None, []),
        (lambda folder: capture(folder.capture, bursts=1), ["mine-new"]),
        (lambda folder: (folder.path / "results.json").write_text("{}"), ["mine-new", "mine-new-2"]),
    ):
        with pytest.raises(StopError) as info:
            failing(tmp_path, "mine", overwrite=True, fill=fill)
        assert contents(tmp_path / "mine") == before
        assert sorted(path.name for path in tmp_path.iterdir()) == ["mine", *left]
        assert all("mine is as before; " in note for note in getattr(info.value, "__notes__", []))
    with run_folder(tmp_path, "mine", "", overwrite=True) as folder:
        assert contents(tmp_path / "mine") == before
        for name in ("report.html", "results.json"):  # no radio, no capture
            (folder.path / name).write_text("two")
    assert contents(tmp_path / "mine") == {"report.html": b"two", "results.json": b"two", "run.toml": b""}


def test_a_kill_leaves_the_earlier_run_whole(tmp_path):
    with run_folder(tmp_path, "mine", "", overwrite=True) as folder:
        finished(folder, "one")
    before = contents(tmp_path / "mine")

    def die():
        with run_folder(tmp_path, "mine", "", overwrite=True) as folder:
            finished(folder, "two")
            os.kill(os.getpid(), signal.SIGKILL)

    process = FORK.Process(target=die)
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    assert contents(tmp_path / "mine") == before
    with run_folder(tmp_path, "mine", "", overwrite=True) as folder:  # the killed one's lock is gone
        finished(folder, "three")
    assert contents(tmp_path / "mine")["capture.h5"] == b"three"
    assert contents(tmp_path / "mine-new")["capture.h5"] == b"two"


@pytest.mark.parametrize("name", [None, "mine"])
@pytest.mark.parametrize("overwrite", [False, True])
def test_of_many_processes_each_has_a_folder_of_its_own(tmp_path, name, overwrite):
    """Eight at once: with dates each gets its own, of one name the first."""
    start, told = FORK.Barrier(8), FORK.Queue()

    def take(number):
        start.wait()
        try:
            with run_folder(tmp_path, name, f"number = {number}\n", overwrite=overwrite) as folder:
                finished(folder, str(number))
                time.sleep(0.5)
                told.put((number, folder.final.name, ""))
        except HilError as err:
            told.put((number, "", str(err)))

    processes = [FORK.Process(target=take, args=(number,)) for number in range(8)]
    for process in processes:
        process.start()
    answers = [told.get(timeout=60) for _ in processes]
    for process in processes:
        process.join()
    took = {number: folder for number, folder, _ in answers if folder}
    assert len(set(took.values())) == len(took) == (8 if name is None else 1)
    assert {path.name for path in tmp_path.iterdir()} == set(took.values())
    for number, folder in took.items():
        assert {data.decode() for key, data in contents(tmp_path / folder).items() if key != "run.toml"} == {str(number)}
        assert contents(tmp_path / folder)["run.toml"] == f"number = {number}\n".encode()
    for _, _, error in answers:
        assert error == "" or "holds a run already" in error or "another run is being written" in error


def test_a_run_that_goes_on_is_not_overwritten(tmp_path):
    with run_folder(tmp_path, "mine", "") as folder:
        finished(folder, "one")
        child = FORK.Process(target=_overwrite, args=(tmp_path, told := FORK.Queue()))
        child.start()
        assert "another run is being written to" in told.get(timeout=60)
        child.join()
    assert contents(tmp_path / "mine")["results.json"] == b"one"


def _overwrite(out, told):
    try:
        with run_folder(out, "mine", "", overwrite=True):
            told.put("took it")
    except HilError as err:
        told.put(str(err))


def test_dates_that_are_taken_get_a_number(tmp_path, monkeypatch):
    monkeypatch.setattr(module.time, "strftime", lambda _: "20260101-000000")
    names = []
    for _ in range(3):
        with run_folder(tmp_path, None, "") as folder:
            finished(folder, "x")
            names.append(folder.path.name)
    assert names == ["20260101-000000", "20260101-000000-2", "20260101-000000-3"]


def test_a_folder_of_runs_may_be_a_link_and_so_may_a_run(tmp_path):
    (tmp_path / "disk").mkdir()
    (tmp_path / "runs").symlink_to(tmp_path / "disk")
    with run_folder(tmp_path / "runs", "mine", "") as folder:
        finished(folder, "one")
    assert set(contents(tmp_path / "disk" / "mine")) == set(OUTPUTS)
    (tmp_path / "disk" / "far").mkdir()
    (tmp_path / "disk" / "here").symlink_to("far")
    for text in ("one", "two"):
        with run_folder(tmp_path / "runs", "here", "", overwrite=True) as folder:
            finished(folder, text)
    assert contents(tmp_path / "disk" / "far")["results.json"] == b"two"
    assert (tmp_path / "disk" / "here").is_symlink()


def test_a_run_on_another_disk_is_replaced_too(tmp_path, monkeypatch):
    with run_folder(tmp_path, "mine", "") as folder:
        finished(folder, "one")
    real = type(tmp_path).replace

    def crossing(self, target):
        if self.parent.name == "mine-new":
            raise OSError(18, "Invalid cross-device link")
        return real(self, target)

    monkeypatch.setattr(type(tmp_path), "replace", crossing)
    with run_folder(tmp_path, "mine", "", overwrite=True) as folder:
        finished(folder, "two")
    assert contents(tmp_path / "mine") == dict.fromkeys(("capture.h5", "report.html", "results.json"), b"two") | {
        "run.toml": b""
    }
    assert not (tmp_path / "mine-new").exists()


@pytest.mark.parametrize("name", ["../x", "a/b", "", ".", "..", "a\nb", "\x1b[2J", "\udcff", "x" * 5000])
def test_names_that_are_no_names(tmp_path, name):
    with pytest.raises(OutputError, match="--name must"):
        check_free(tmp_path / "runs", name)
    with pytest.raises(OutputError, match="--name must"):
        failing(tmp_path / "runs", name, overwrite=True)
    assert list(tmp_path.iterdir()) == []


def test_places_that_take_no_runs(tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "broken").symlink_to("gone/far")
    (tmp_path / "loop").symlink_to("loop")
    before = sorted(tmp_path.iterdir())
    for out in (
        tmp_path / "file",
        tmp_path / "file" / "x",
        tmp_path / "loop",
        type(tmp_path)("/proc/none"),
        tmp_path / ("x" * 300),
    ):
        for name in ("mine", None):
            with pytest.raises(OutputError, match=r"choose another|must be a folder"):
                failing(out, name)
    (tmp_path / "file").unlink()
    (tmp_path / "mine").touch()
    with pytest.raises(OutputError, match=r"cannot write .*mine"):
        failing(tmp_path, "mine")
    (tmp_path / "mine").unlink()
    (tmp_path / "file").touch()
    assert sorted(tmp_path.iterdir()) == before


def test_a_capture_takes_the_place_of_an_earlier_one_at_the_end(tmp_path):
    path = tmp_path / "x.h5"
    with capture_place(path) as place:
        assert place == path
        path.write_text("one")
    with pytest.raises(OutputError, match="exists already"), capture_place(path):
        pass
    with capture_place(path, overwrite=True) as place:
        assert place == tmp_path / "x-new.h5"
        place.write_text("two")
        assert path.read_text() == "one"
    assert path.read_text() == "two"
    (tmp_path / "folder.h5").mkdir()
    with pytest.raises(OutputError, match="exists already"), capture_place(tmp_path / "folder.h5", overwrite=True):
        pass


def test_runs_are_found_by_path_or_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match="no such run: demo;"):
        find_run(type(tmp_path)("demo"))
    (tmp_path / "runs" / "demo").mkdir(parents=True)
    assert find_run(type(tmp_path)("demo")).samefile(tmp_path / "runs" / "demo")
    assert find_run(tmp_path / "runs") == tmp_path / "runs"
    with pytest.raises(ConfigError, match="no such run: dmeo; did you mean 'demo'"):
        find_run(type(tmp_path)("dmeo"))


def test_a_fresh_folder_goes_if_nothing_is_in_it(tmp_path):
    for _ in range(2):
        with fresh_folder(tmp_path / "a" / "b") as folder:
            assert folder == tmp_path / "a" / "b"
    assert list(tmp_path.iterdir()) == []
    for name in ("b", "b-2"):
        with fresh_folder(tmp_path / "a" / "b") as folder:
            (folder / "x").touch()
            assert folder.name == name
