"""Compiled code that several processes keep at once: each gets its own back."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hil import compiled

ROOT = Path(compiled.__file__).parents[1]
KEYS = 60
WRITER = f"""
import sys, time
from pathlib import Path
from hil import compiled
compiled._one_at_a_time()
from numba.core.caching import IndexDataCacheFile
me = sys.argv[1]
for folder in map(Path, sys.argv[2:]):
    kept = IndexDataCacheFile(str(folder), "kernel", ("stamp",))
    (folder / f"ready-{{me}}").touch()
    while not all((folder / f"ready-{{one}}").exists() for one in "ab"):
        time.sleep(0.001)
    for number in range({KEYS}):
        kept.save((me, number), f"code of {{me}} {{number}}")
    compiled._FCNTL = None  # from here on by the lock's name
"""


def test_two_that_compile_at_once_do_not_take_each_others_code(tmp_path):
    """By the system's lock in the first folder, by a file's name in the second; without a lock some are wrong most times."""
    pytest.importorskip("numba")
    from numba.core.caching import IndexDataCacheFile

    folders = [tmp_path / "system", tmp_path / "name"]
    for folder in folders:
        folder.mkdir()
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, me, *map(str, folders)], env=environment) for me in "ab"]
    assert [writer.wait(60) for writer in writers] == [0, 0]
    for folder in folders:
        kept = IndexDataCacheFile(str(folder), "kernel", ("stamp",))
        found = {(me, number): kept.load((me, number)) for me in "ab" for number in range(KEYS)}
        assert found == {(me, number): f"code of {me} {number}" for me, number in found}


def test_a_lock_of_a_killed_process_is_taken_away(tmp_path, monkeypatch):
    monkeypatch.setattr(compiled, "_FCNTL", None)
    lock = tmp_path / ".hil-lock"
    lock.touch()
    os.utime(lock, (time.time() - 60, time.time() - 60))
    with compiled.alone(tmp_path):
        assert lock.exists()
    assert not lock.exists()


def test_without_a_place_for_the_lock_it_goes_on(tmp_path):
    with compiled.alone(tmp_path / "nowhere"):
        assert not (tmp_path / "nowhere").exists()


def test_another_process_compiles_first_and_once(tmp_path, monkeypatch):
    pytest.importorskip("numba")
    source, place = tmp_path / "kernel_numba.py", tmp_path / "kept"
    source.write_text("")
    (tmp_path / "compiles_once.py").write_text(
        f"import os; assert os.environ['HIL_COMPILING']\nopen({str(tmp_path / 'times')!r}, 'a').write('x')\n"
    )
    (tmp_path / "compiles_not.py").write_text("raise SystemExit(3)\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    compiled.compile_before(None, "compiles_once", [source])
    compiled.compile_before(place, "compiles_not", [source])
    assert not [path for path in place.iterdir() if path.name.startswith("all-compiled")]  # so this process compiles for itself
    for _ in range(3):
        compiled.compile_before(place, "compiles_once", [source])
    assert (tmp_path / "times").read_text() == "x"
    os.utime(source, ns=(1, 1))  # numba takes it for another one
    compiled.compile_before(place, "compiles_once", [source])
    assert (tmp_path / "times").read_text() == "xx"
