"""A run to hand on: everything that its replay needs, in one folder."""

import errno
import json
import shutil

import pytest

from hil.errors import ModelError, OutputError
from hil.radios.bench import load_bench
from hil.runs.face import replay
from hil.runs.parcel import keep_whole
from tests.conftest import ROOT


def test_a_kept_run_replays_by_itself(tmp_path):
    made = keep_whole(ROOT / "captures" / "single.h5", tmp_path / "kept")
    assert load_bench(made / "bench.toml").name
    assert json.loads((made / "versions.json").read_text())["weights"].keys() == {"jscc-single"}
    shutil.move(made, tmp_path / "elsewhere")
    found = replay(tmp_path / "elsewhere", models=tmp_path / "elsewhere" / "models")
    assert found.verification["verified"] == "bits"
    with pytest.raises(OutputError, match="exists already"):
        keep_whole(ROOT / "captures" / "single.h5", tmp_path / "elsewhere")


def test_a_full_disk_leaves_nothing(tmp_path, monkeypatch):
    whole = shutil.copyfile

    def full(source, target):
        if target.name == "capture.h5":
            raise OSError(errno.ENOSPC, "No space left on device")
        return whole(source, target)

    monkeypatch.setattr(shutil, "copyfile", full)
    with pytest.raises(OutputError, match="No space left on device; free some space"):
        keep_whole(ROOT / "captures" / "single.h5", tmp_path / "kept")
    assert not (tmp_path / "kept").exists()


def test_weights_that_are_gone_are_named(tmp_path, monkeypatch):
    monkeypatch.setattr("hil.runs.parcel.weights_file", lambda name, places: None)  # wherever the capture says they lay
    with pytest.raises(ModelError, match="that were on the air"):
        keep_whole(ROOT / "captures" / "single.h5", tmp_path / "kept")
    assert not (tmp_path / "kept").exists()
