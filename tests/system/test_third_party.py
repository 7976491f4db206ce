"""A third party's scheme, goal and data set, each one file or an installed package, run, replayed and scored by name."""

import json
import math
from pathlib import Path

import numpy as np
import pytest

from hil.captures import Capture
from tests.packages import install
from tests.system.test_cli import one_line

HERE = Path(__file__).resolve().parent
FILES = {
    "schemes": f"{HERE / 'schemes' / 'bars.py'}:Bars",
    "goals": f"{HERE / 'goals' / 'position.py'}:Position",
    "dataset": f"{HERE / 'datasets' / 'bars.py'}:load:96",
}
NAMES = {"schemes": "lab-bars", "goals": "lab-position", "dataset": "lab-bars:96"}
COMMON = ("--snr=-6,20", "--tasks", 192, "--distinct-tasks", 96, "--tasks-per-frame", 48, "--draws", 20)
"""Low enough that tasks are missed, and high enough that none is."""


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The three files as the modules of one package that names them by entry points."""
    parts = {"schemes": "Bars", "goals": "Position", "datasets": "load"}
    files = {"schemes": "bars.py", "goals": "position.py", "datasets": "bars.py"}
    points = {
        f"hil.{group}": {name: f"lab_{group}:{parts[group]}"}
        for group, name in (("schemes", "lab-bars"), ("goals", "lab-position"), ("datasets", "lab-bars"))
    }
    modules = {f"lab_{group}": (HERE / group / file).read_text(encoding="utf-8") for group, file in files.items()}
    return install(tmp_path_factory.mktemp("site"), "lab", points, modules)


def points(done, source="air"):
    assert done.returncode == 0, done.stderr
    return [row for row in json.loads(done.stdout)["points"] if row["source"] == source]


@pytest.fixture(scope="module", params=["files", "package"])
def ran(request, hil, site, tmp_path_factory):
    """A run, by the files' paths or by the package's names: its folder, its process, and the function that runs `hil` there."""
    out = tmp_path_factory.mktemp(request.param)
    names = FILES if request.param == "files" else NAMES
    asked = [option for key, value in names.items() for option in (f"--{key}", value)]

    def command(*arguments):
        return hil(*arguments, site=site if request.param == "package" else None)

    return out / "run", command("run", *asked, *COMMON, "--out", out, "--name", "run", "--json"), command


def error_rate(snr_db, columns=8, draws=200_000):
    """Misses of the loudest of eight orthogonal signals, amplitude √8 in real noise of variance 1/(2 SNR), by drawing them."""
    draw = np.random.default_rng(1)
    noise = draw.normal(size=(draws, columns)) * math.sqrt(0.5 * 10 ** (-snr_db / 10))
    noise[:, 0] += math.sqrt(columns)
    return float((noise.argmax(1) != 0).mean())


def test_the_run_gives_the_goals_own_metrics(ran):
    _, done, _ = ran
    low, high = points(done)
    for row in (low, high):
        assert (row["goal"], row["goal_version"], row["kind"]) == ("position", 2, "measured")
        assert row["tolerance"] == 0
        assert set(row["metrics"]) == {"hit", "distance", "worst_column"}
        assert row["hit"] == row["metrics"]["hit"]["value"]
        assert row["frames"] == {"sent": 4, "scored": 4, "lost": 0, "gated": 0}
    assert (high["hit"], high["distance"], high["worst_column"]) == (1, 0, 1)
    assert low["hit"] < 1
    assert low["distance"] > 0
    assert low["worst_column"] < low["hit"]
    for row in points(done, "simulation"):
        if row["snr_basis"] == "effective":
            expected = 1 - error_rate(row["snr_eff_db"])
            assert row["hit"] == pytest.approx(expected, abs=0.02)
    chance = next(row for row in points(done, "noiseless") if row["scheme"] == "chance")
    assert chance["hit"] == 0.125
    clean = next(row for row in points(done, "noiseless") if row["scheme"] != "chance")
    assert (clean["hit"], clean["distance"]) == (1, 0)


def test_the_air_agrees_with_theory_within_its_interval(ran):
    _, done, _ = ran
    low = points(done)[0]
    truth = 1 - error_rate(low["snr_eff_db"])
    error = math.sqrt(truth * (1 - truth) / low["tasks"])
    assert low["hit"] == pytest.approx(truth, abs=4 * error)
    assert low["hit_ci"][0] - error <= truth <= low["hit_ci"][1] + error


def test_the_replay_has_the_bits(ran):
    folder, done, command = ran
    again = command("replay", folder, "--json")
    rows = points(again)
    document = json.loads(again.stdout)
    assert document["verification"]["verified"] == "bits"
    assert document["received_sha256"] == json.loads(done.stdout)["received_sha256"]
    keys = ("scheme", "metrics", "frames", "snr_db", "snr_eff_db", "tolerance")
    assert [[row[key] for key in keys] for row in rows] == [[row[key] for key in keys] for row in points(done)]


def test_the_capture_is_scored_again_with_another_option(ran):
    """Hits within one column, counted here from the symbols that the capture holds."""
    folder, done, command = ran
    name = FILES["goals"] if "files" in str(folder) else NAMES["goals"]
    same = command("score", folder, "--goals", name, "--json")
    assert [row["metrics"] for row in points(same)] == [row["metrics"] for row in points(done)]
    rows = points(command("score", folder, "--goals", name, "--set", "position.tolerance=1", "--json"))
    with Capture.open(folder / "capture.h5") as capture:
        for row, record in zip(rows, [point for point in capture.points if point.attrs["kind"] == "point"], strict=True):
            off = np.abs(record.received[0].real.argmax(1) - record.labels["column"])
            assert row["hit"] == pytest.approx((off <= 1).mean())
            assert row["distance"] == pytest.approx(off.mean())
            assert row["tolerance"] == 1
    assert rows[0]["hit"] > points(done)[0]["hit"]


def test_its_own_file_repeats_the_run_to_the_bit(ran):
    folder, done, command = ran
    again = command("run", "--config", folder / "run.toml", "--out", folder.parent, "--name", "again", "--json")
    assert [row["metrics"] for row in points(again)] == [row["metrics"] for row in points(done)]
    first, second = json.loads(done.stdout), json.loads(again.stdout)
    assert second["received_sha256"] == first["received_sha256"]
    assert second["experiment"] == first["experiment"]


# --- names and mistakes


def test_what_is_installed_is_listed(hil, site):
    rows = {row["name"]: row for row in json.loads(hil("schemes", "list", "--json", site=site).stdout)}
    bars = rows["lab-bars"]
    assert (bars["paper"], bars["section"], bars["access"], bars["uses"]) == ("none", "1", "single", [8])
    assert (bars["kind"], bars["trained"], bars["weights"]) == ("measured", True, None)
    assert "lab-bars" in hil("schemes", "list", site=site).stdout


def test_a_package_that_is_broken_does_not_hide_the_others(hil, tmp_path):
    install(tmp_path, "broken", {"hil.schemes": {"broken-scheme": "nowhere_at_all:Scheme"}})
    done = hil("schemes", "list", "--json", site=tmp_path)
    assert done.returncode == 0, done.stderr
    rows = {row["name"]: row for row in json.loads(done.stdout)}
    assert not rows["broken-scheme"]["trained"]
    assert "jscc-noma" in rows
    assert "nowhere_at_all" in hil("schemes", "list", site=tmp_path).stdout.replace("\n", "")
    one_line(hil("run", "--schemes", "broken-scheme", site=tmp_path), "broken-scheme", "nowhere_at_all")


def test_parts_that_do_not_fit_are_refused_in_one_line(hil, site, tmp_path):
    fits = ("--schemes", "lab-bars", "--dataset", "lab-bars", "--out", tmp_path)
    one_line(hil("run", *fits, "--goals", "retrieval", site=site), "retrieval", "query")
    one_line(hil("run", *fits, "--goals", "lab-positoin", site=site), "lab-positoin", "did you mean 'lab-position'")
    one_line(hil("run", *fits, site=site), "lab-bars")  # no built-in goal can judge these features
    one_line(hil("run", "--schemes", "lab-bars", "--dataset", "lab-bars:many", "--out", tmp_path, site=site), "many")
    people = ("--schemes", "lab-bars", "--dataset", "synthetic:identities=12", "--goals", "lab-position", "--out", tmp_path)
    one_line(hil("run", *people, site=site), "position", "class")
    option = ("--goals", "lab-position", "--set", "options.position.colour=1")
    one_line(hil("run", *fits, *option, site=site), "options.position", "colour", "tolerance")
    assert list(tmp_path.iterdir()) == []


def test_a_name_that_two_packages_use_is_refused(hil, site, tmp_path):
    install(tmp_path, "rival", {"hil.goals": {"retrieval": "rival:Goal"}})
    one_line(hil("run", "--goals", "retrieval", site=tmp_path), "goal name 'retrieval' is taken twice", "rival:Goal")
