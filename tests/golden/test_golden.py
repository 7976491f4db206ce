"""Captures that earlier versions made are replayed for ever, with the same hits. A missing one is a failure."""

import hashlib
import json
import shutil
from pathlib import Path

import pytest

from hil.provenance import from_versions, provenance, same_bits_promised
from hil.units import linear_mean_db

HERE = Path(__file__).resolve().parent
VERSIONS = {"v1": ("single", "oma", "noma")}
"""Every version ever written; only ever added to."""
SAME_BITS: tuple[str, ...] = ()
"""Versions whose modem did the same arithmetic as this one, of which bits are promised; symbols of the others, v1 among them,
agree within the tolerance."""
CASES = [(version, name) for version, names in VERSIONS.items() for name in names]
TOLERANCE = 1e-4


def manifest(version):
    return json.loads((HERE / version / "manifest.json").read_text(encoding="utf-8"))


def test_every_version_is_there():
    there = sorted(path.parent.name for path in HERE.glob("*/manifest.json"))
    assert there == sorted(VERSIONS)
    for version, names in VERSIONS.items():
        assert sorted(manifest(version)["captures"]) == sorted(names)


@pytest.mark.parametrize(("version", "name"), CASES)
def test_files_are_those_that_were_made(version, name):
    entry = manifest(version)["captures"][name]
    folder = HERE / version
    files = {
        "capture_sha256": folder / name / "capture.h5",
        "results_sha256": folder / name / "results.json",
        "weights_sha256": folder / "models" / f"{entry['scheme']}.safetensors",
    }
    for key, path in files.items():
        assert hashlib.sha256(path.read_bytes()).hexdigest() == entry[key], path


def check_newer_statistics(was, row):
    """What is defined anew since v1, by what it must have in common with what was written then.

    Noise was that of one silent symbol a frame and is pooled over the run and the leads: an SNR moves within the error that it
    had, and the loss by as much. Intervals were a percentile bootstrap over identities; frames and few clusters widen them.
    """
    for now, then, error in zip(row["snr_db"], was["snr_db"], was["snr_db_error"], strict=True):
        assert abs(now - then) < 3 * (error if error is not None else 0.3)
    moved = [linear_mean_db(one["snr_db"]) for one in (row, was)]
    loss = row["receiver_loss_db"] - was["receiver_loss_db"]
    assert loss == pytest.approx(moved[0] - moved[1], abs=2e-3)
    assert row["receiver_loss_db_ci"][0] < row["receiver_loss_db"] < row["receiver_loss_db_ci"][1]
    (low, high), (old_low, old_high) = row["top1_ci"], was["top1_ci"]
    assert low <= row["top1"] <= high
    assert 0.8 * (old_high - old_low) < high - low < 0.25  # of 34 people; all right was [1, 1], as if that were certain


@pytest.mark.parametrize(("version", "name"), CASES)
def test_replays_with_the_same_hits(hil, tmp_path, version, name):
    told = manifest(version)
    entry = told["captures"][name]
    live = json.loads((HERE / version / name / "results.json").read_text(encoding="utf-8"))
    capture = shutil.copyfile(HERE / version / name / "capture.h5", tmp_path / "capture.h5")
    checked = hil("captures", "verify", capture)
    assert checked.returncode == 0, checked.stderr

    done = hil("replay", capture, "--models", HERE / version / "models", "--json", "--out", tmp_path / "again")
    assert done.returncode == 0, done.stderr
    results = json.loads(done.stdout)
    check = results["verification"]
    assert check["changed_top1"] == 0
    assert check["largest_difference"] <= TOLERANCE
    air = [row for row in results["points"] if row["source"] == "air"]
    assert [row["top1"] for row in air] == entry["top1"]
    assert [row["map"] for row in air] == pytest.approx(entry["map"], abs=1e-6)
    now = json.loads((tmp_path / "again" / "results.json").read_text(encoding="utf-8"))
    assert now["received_sha256"] == results["received_sha256"]

    before = [row for row in live["points"] if row["source"] == "air"]
    for was, row in zip(before, air, strict=True):
        assert row["frames"] == was["frames"]
        assert row["snr_eff_db"] == pytest.approx(was["snr_eff_db"], abs=1e-3)
        check_newer_statistics(was, row)
    if version in SAME_BITS and same_bits_promised(from_versions(told["versions"]), provenance()):
        assert results["received_sha256"] == entry["received_sha256"]
        assert check["verified"] == "bits"
        assert check["same_sha256"] is True
    else:
        assert check["verified"] == "tolerance"
