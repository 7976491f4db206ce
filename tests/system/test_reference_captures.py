"""The reference captures in captures/ are whole, and replay to the results beside them."""

import hashlib
import json

import pytest

import hil
from hil.captures import verify
from tests.conftest import ROOT

PLACE = ROOT / "captures"
NAMES = ("single", "oma", "noma", "rayleigh", "fault")


def test_all_are_there_small_and_those_of_the_manifest():
    manifest = json.loads((PLACE / "manifest.json").read_text(encoding="utf-8"))
    assert set(manifest) == {f"{name}.h5" for name in NAMES}
    for name in NAMES:
        path = PLACE / f"{name}.h5"
        assert path.stat().st_size < 1_000_000
        assert hashlib.sha256(path.read_bytes()).hexdigest() == manifest[path.name]["sha256"]
        assert verify(path).ok


@pytest.mark.parametrize("name", NAMES)
def test_a_replay_gives_the_results_of_the_run(name):
    then = hil.load_results(PLACE / f"{name}.results.json")
    now = hil.replay(PLACE / f"{name}.h5", models=str(ROOT / "models"))
    check = now.verification
    assert check is not None
    assert check["largest_difference"] <= 1e-4
    assert check["changed_decisions"] == 0
    if check["verified"] == "bits":
        assert now.received_sha256 == then.received_sha256
    measured = [[row for row in one.points if row.source == "air"] for one in (then, now)]
    assert len(measured[0]) == len(measured[1]) == 1
    for before, again in zip(*measured, strict=True):
        assert (again.top1, again.frames, again.tasks) == (before.top1, before.frames, before.tasks)
        assert again.map == pytest.approx(before.map, abs=1e-6)
        assert again.snr_db == pytest.approx(before.snr_db, abs=1e-3)


def test_of_the_fading_one_the_fades_are_known():
    with hil.Capture.open(PLACE / "rayleigh.h5") as capture:
        (point,) = [record for record in capture.points if record.attrs["kind"] == "point"]
        fade = point.extra["fade"]
    assert fade.shape == (1, 72)
    assert (abs(fade) ** 2).mean() == pytest.approx(1.0, abs=0.4)  # 72 draws of an exponential of mean 1: three errors
