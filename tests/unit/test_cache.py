"""What is kept between runs: verified, bounded, and no error where there is no place for it."""

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from hil import cache
from hil.cache import Store, cache_folder
from tests.conftest import ROOT


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.setenv("HIL_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def entries(place, name="things"):
    return sorted((place / name).iterdir())


def test_what_was_kept_comes_back_and_may_be_written_to(place):
    store = Store(name="things", most_bytes=10_000)
    assert store.read("a") is None
    store.write("a", b"head", memoryview(np.arange(5, dtype=np.float32)).cast("B"))
    store.write("b", b"")
    found = store.read("a")
    assert found[:4].tobytes() == b"head"
    assert found[4:].view(np.float32).tolist() == [0, 1, 2, 3, 4]
    found[:] = 0
    assert store.read("a")[:4].tobytes() == b"head"
    assert store.read("b").tobytes() == b""
    store.write("a", b"other")
    assert store.read("a").tobytes() == b"other"
    assert len(entries(place)) == 2


@pytest.mark.parametrize("damage", [b"", b"short", b"x" * 400])
def test_a_damaged_entry_is_none_and_goes(place, damage):
    store = Store(name="things", most_bytes=10_000)
    store.write("a", b"value" * 50)
    (path,) = entries(place)
    path.write_bytes(damage)
    assert store.read("a") is None
    assert not path.exists()


def test_every_bit_counts_and_so_does_the_key(place):
    store = Store(name="things", most_bytes=10_000)
    store.write("a", b"value")
    (path,) = entries(place)
    whole = path.read_bytes()
    for place_of_bit in range(0, 8 * len(whole), 13):
        broken = bytearray(whole)
        broken[place_of_bit // 8] ^= 1 << place_of_bit % 8
        path.write_bytes(broken)
        assert store.read("a") is None
    store.write("b", b"value")
    (other,) = entries(place)
    other.rename(path)  # an entry under another's name
    assert store.read("a") is None


def test_the_least_recently_used_go_first(place):
    store = Store(name="things", most_bytes=1000)
    for number in range(8):
        store.write(f"key {number}", bytes(218))  # 250 with the checksum: four fit
        time.sleep(0.01)
        if number >= 3:
            assert store.read("key 0") is not None
            time.sleep(0.01)
    kept = [number for number in range(8) if store.read(f"key {number}") is not None]
    assert kept == [0, 5, 6, 7]
    assert sum(path.stat().st_size for path in entries(place)) <= 1000
    store.write("too large", bytes(1000))
    assert store.read("too large") is None
    assert len(entries(place)) == 4


def test_what_a_killed_process_left_goes_after_a_day(place, monkeypatch):
    store = Store(name="things", most_bytes=1000)
    store.write("a", b"value")
    left = place / "things" / ".hil-half.part"
    left.mkdir()
    (left / "half").write_bytes(bytes(5000))
    store.write("b", b"value")
    assert left.exists()
    assert store.read("a").tobytes() == b"value"
    monkeypatch.setattr(cache, "FORGOTTEN_S", -1)
    store.write("c", b"value")
    assert not left.exists()


def test_where_it_lies(tmp_path, monkeypatch):
    monkeypatch.delenv("HIL_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "hil"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", "/somewhere")
    assert cache_folder() == Path("/somewhere/.cache/hil")


def no_home(monkeypatch, tmp_path):
    for name in ("HIL_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)

    def unknown(*_):
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", unknown)


def a_file(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("x")
    monkeypatch.setenv("HIL_CACHE", str(tmp_path / "file"))


def below_a_file(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("x")
    monkeypatch.setenv("HIL_CACHE", str(tmp_path / "file" / "cache"))


def nowhere(monkeypatch, tmp_path):
    monkeypatch.setenv("HIL_CACHE", "/proc/no/such/place")


@pytest.mark.parametrize("missing", [no_home, a_file, below_a_file, nowhere], ids=lambda value: value.__name__)
def test_no_place_is_no_error(tmp_path, monkeypatch, missing):
    from hil.datasets.dataset import load_dataset

    missing(monkeypatch, tmp_path)
    store = Store(name="things", most_bytes=1000)
    store.write("a", b"value")
    assert store.read("a") is None
    assert len(load_dataset("synthetic:identities=2").query) == 6


def test_a_full_disk_is_no_error(place, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    store = Store(name="things", most_bytes=1000)
    monkeypatch.setattr(os, "fsync", full)
    store.write("a", b"value")
    monkeypatch.undo()
    assert not entries(place) or all(path.suffix == ".part" for path in entries(place))


WRITER = """
import sys
from hil.cache import Store
store = Store(name="things", most_bytes=20_000)
for number in range(300):
    key = str(number % 7)
    store.write(key, (key * 1000).encode())
    found = store.read(str((number * 3) % 7))
    assert found is None or len(set(found.tobytes())) == 1
print("done")
"""


def test_two_processes_share_it(place):
    command = [sys.executable, "-c", WRITER]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) for _ in range(2)]
    assert [one.communicate(timeout=100)[0] for one in both] == ["done\n"] * 2
    store = Store(name="things", most_bytes=20_000)
    for number in range(7):
        assert store.read(str(number)).tobytes() == (str(number) * 1000).encode()
