"""Outputs are whole or not there: written beside, moved at the end, also when the process is killed or the disk refuses."""

import multiprocessing
import os
import resource
import signal
import stat
import threading
from contextlib import ExitStack
from pathlib import Path

import pytest

from hil.errors import HilError, OutputError
from hil.files import check_name, check_writable, claim, free_name, make_folder, replace_file, replacing, write_error


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_file_is_replaced_in_one_step(tmp_path):
    path = tmp_path / "deep" / "er" / "a.txt"
    with replacing(path) as new:
        assert new.name == "a.txt"  # what looks at the suffix or the stem sees the right one
        assert new.parent.parent == path.parent
        new.write_text("one")
        assert not path.exists()
    assert path.read_text() == "one"
    replace_file(path, b"two")
    assert path.read_bytes() == b"two"
    assert names(path.parent) == ["a.txt"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~_umask()


def _umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_what_fails_inside_leaves_the_old_file(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    for error, raised in (
        (KeyError("x"), KeyError),
        (KeyboardInterrupt(), KeyboardInterrupt),
        (OSError(28, "full"), OutputError),
    ):
        with pytest.raises(raised):
            half_written(path, error=error)
        assert path.read_text() == "old"
        assert names(tmp_path) == ["a.txt"]
    with pytest.raises(OutputError, match="No such file"), replacing(path):
        pass  # nothing was written
    assert path.read_text() == "old"


def half_written(*paths, error):
    with ExitStack() as stack:
        for path in paths:
            stack.enter_context(replacing(path)).write_text("half")
        raise error


def test_several_files_are_replaced_together_or_not_at_all(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).write_text("old")
    with pytest.raises(ValueError, match="stop"):
        half_written(tmp_path / "a", tmp_path / "b", error=ValueError("stop"))
    assert [(tmp_path / name).read_text() for name in ("a", "b")] == ["old", "old"]


def test_a_killed_writer_leaves_the_old_file(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")

    def write():
        with replacing(path) as new:
            new.write_text("half")
            os.kill(os.getpid(), signal.SIGKILL)

    process = multiprocessing.get_context("fork").Process(target=write)
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    assert path.read_text() == "old"
    replace_file(path, b"new")
    assert path.read_text() == "new"


def test_a_full_disk_is_said_and_the_old_file_stays(tmp_path):
    path = tmp_path / "a.bin"
    path.write_bytes(b"old")
    told = tmp_path / "told"

    def write():
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
        try:
            replace_file(path, bytes(5000))
        except OutputError as err:
            told.write_text(str(err))

    process = multiprocessing.get_context("fork").Process(target=write)
    process.start()
    process.join()
    assert told.read_text().startswith(f"cannot write {path}: File too large")
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["a.bin", "told"]


def test_links_are_followed_and_devices_written_to(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real" / "a.txt")
    replace_file(tmp_path / "link", b"x")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real" / "a.txt").read_bytes() == b"x"
    os.mkfifo(tmp_path / "pipe")
    got = []
    reader = threading.Thread(target=lambda: got.append((tmp_path / "pipe").read_bytes()))
    reader.start()
    replace_file(tmp_path / "pipe", b"through")
    reader.join()
    assert got == [b"through"]
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)


@pytest.mark.parametrize(
    ("path", "words"),
    [
        (".", "it is a folder"),
        ("sub", "it is a folder"),
        ("file/x", "cannot make the folder .*file: File exists"),
        ("loop", "symbolic links"),
        ("x" * 300, "File name too long"),
        ("nul\0", "null"),
        ("/proc/none/x", "cannot make the folder /proc/none"),
    ],
)
def test_what_cannot_be_written_is_said(tmp_path, monkeypatch, path, words):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sub").mkdir()
    (tmp_path / "file").touch()
    (tmp_path / "loop").symlink_to("loop")
    before = names(tmp_path)
    with pytest.raises(OutputError, match=words) as info:
        replace_file(Path(path), b"x")
    assert "choose another" in str(info.value) or "name a file in it" in str(info.value)
    assert names(tmp_path) == before


def test_a_name_is_claimed_by_one(tmp_path):
    for text in ("first", "second"):
        (tmp_path / text).write_text(text)
    assert claim(tmp_path / "first", tmp_path / "name")
    assert not claim(tmp_path / "second", tmp_path / "name")
    assert (tmp_path / "name").read_text() == "first"
    assert names(tmp_path) == ["name", "second"]


def test_a_name_is_claimed_where_there_are_no_links(tmp_path, monkeypatch):
    def refuse(*_):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    test_a_name_is_claimed_by_one(tmp_path)


def test_free_names():
    found = free_name(Path("runs/a.b/x.h5"), ".h5")
    assert [str(next(found)) for _ in range(3)] == ["runs/a.b/x.h5", "runs/a.b/x-2.h5", "runs/a.b/x-3.h5"]
    assert [path.name for path, _ in zip(free_name(Path("v1.2")), range(2), strict=False)] == ["v1.2", "v1.2-2"]


@pytest.mark.parametrize("name", ["a", "demo-2", "Messung 3 (übung)", "x" * 200, "20260101-000000"])
def test_names_that_may_be_given(name):
    check_name(name, "--name")


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "..",
        "a/b",
        "../a",
        "/a",
        ".hidden",
        "a\nb",
        "a\x1b[31m",
        "a\0",
        "\udcff",
        " a",
        "a ",
        "x" * 201,
        "ü" * 101,
        "a/",
    ],
)
def test_names_that_may_not(name):
    with pytest.raises(HilError, match=r"^--name must (have|be)") as info:
        check_name(name, "--name")
    assert "\n" not in str(info.value)
    assert str(info.value).isprintable()
    assert len(str(info.value)) < 200


def test_a_folder_that_takes_no_files_is_found_before_the_work(tmp_path):
    check_writable(tmp_path / "new")
    assert names(tmp_path / "new") == []
    (tmp_path / "file").touch()
    for wrong in (tmp_path / "file", tmp_path / "file" / "x", Path("/proc")):
        with pytest.raises(OutputError, match="cannot"):
            check_writable(wrong)
    with pytest.raises(OutputError, match="choose another with --out"):
        make_folder(tmp_path / "file")


def test_the_words_of_hdf5_are_the_systems(tmp_path):
    said = write_error(tmp_path / "x.h5", OSError("Unable to extend file properly, errno = 28, error message = 'No space …'"))
    assert str(said) == f"cannot write {tmp_path / 'x.h5'}: No space left on device; free some space, or choose another place"
