"""A run from end to end: what it leaves, and what its capture holds."""

import json

import pytest
import torch

import hil
from hil.captures import Capture, FrameKind, verify
from hil.models.contract import Card, Features, Plan, Sent, normalize_power
from tests.conftest import DATASET


def test_a_run_leaves_what_it_promises(small_run):
    results = json.loads((small_run / "results.json").read_text())
    assert (small_run / "report.html").stat().st_size > 10_000
    air = [row for row in results["points"] if row["source"] == "air"]
    assert {(row["access"], row["snr_db_target"]) for row in air} == {
        (access, snr) for access in ("single", "oma", "noma") for snr in (0.0, 12.0)
    }
    for row in air:
        assert row["tasks"] == 36
        assert row["distinct_tasks"] == 18
        assert row["frames"] == {"sent": 3, "scored": 3, "lost": 0, "gated": 0}
        assert len(row["snr_db"]) == (1 if row["access"] == "single" else 2)
        # Three frames: 156 looks at the noise, 0.35 dB standard deviation.
        assert row["snr_db"] == pytest.approx([row["snr_db_target"]] * len(row["snr_db"]), abs=1.6)
        assert row["snr_eff_db"] == pytest.approx(row["snr_db_target"], abs=0.9)
        low, high = row["top1_ci"]
        assert low <= row["top1"] <= high
    kinds = {(row["source"], row["snr_basis"], row["energy"]) for row in results["points"]}
    wanted = {
        ("simulation", "link", "per_use"),
        ("simulation", "effective", "per_use"),
        ("simulation", "effective", "per_task"),
    }
    assert wanted <= kinds
    assert {"baseline-single", "baseline-pair", "chance"} <= {row["scheme"] for row in results["points"]}


def test_the_capture_is_whole(small_run, hil):
    report = verify(small_run / "capture.h5")
    assert report.ok, report.problems
    assert report.complete
    with Capture.open(small_run / "capture.h5") as capture:
        ledger = capture.ledger()
        frames = ledger[ledger["kind"] == FrameKind.FRAME]
        assert len(frames) == 18
        assert frames["sent"].all()
        assert frames["detected"].all()
        names = [point.name for point in capture.points]
        assert names[0] == "calibration"
        assert len(names) == 7
    assert hil("captures", "verify", small_run / "capture.h5").returncode == 0


def test_bursts_move_about_in_their_windows(small_run):
    with Capture.open(small_run / "capture.h5") as capture:
        ledger = capture.ledger()
        bursts = {burst.index: burst for burst in capture.bursts()}
        frames = ledger[ledger["kind"] == FrameKind.FRAME]
        offsets = {int(row["start"]) - bursts[int(row["burst"])].start for row in frames}
    assert len(offsets) > 10


def test_simulation_without_a_radio(untrained, hil, tmp_path):
    options = ("--simulate", "awgn", "--models", untrained, "--dataset", DATASET, "--snr", "5", "--draws", 2, "--json")
    done = hil("run", *options, "--out", tmp_path, "--name", "sim")
    assert done.returncode == 0, done.stderr
    sources = {row["source"] for row in json.loads(done.stdout)["points"]}
    assert sources == {"simulation", "noiseless"}
    assert not (tmp_path / "sim" / "capture.h5").exists()


def test_energy_per_task_halves_noma_on_the_air(untrained, hil, tmp_path):
    options = ("--models", untrained, "--dataset", DATASET, "--tasks", 24, "--distinct-tasks", 99, "--tasks-per-frame", 12)
    more = (
        "--schemes",
        "noma",
        "--snr",
        "10",
        "--draws",
        2,
        "--energy",
        "per_task",
        "--out",
        tmp_path,
        "--name",
        "e",
        "--json",
    )
    done = hil("run", *options, *more)
    assert done.returncode == 0, done.stderr
    (row,) = [row for row in json.loads(done.stdout)["points"] if row["source"] == "air"]
    assert row["snr_db"] == pytest.approx([7.0, 7.0], abs=1.6)
    assert (row["tasks"], row["distinct_tasks"]) == (24, 24)  # no more distinct tasks than are sent


class _Sum:
    """Each transmitter sends its own symbols drawn by the task; what arrives is their sum."""

    def __init__(self, transmitters):
        self.card = Card(name=f"sum{transmitters}", outputs="features")
        self.plan = Plan(occupied=torch.ones(transmitters, 16, dtype=torch.bool))

    def encode(self, views, csi=None, generator=None):
        """The first 32 pixels of each view."""
        pixels = views.flatten(2)[..., :32] - 0.5
        symbols = torch.complex(pixels[..., :16], pixels[..., 16:]).transpose(0, 1)
        return Sent(symbols=normalize_power(symbols, self.plan.occupied))

    def decode(self, received, blocks=("all",), side=None):
        """What came."""
        one = received["rx"]
        came = torch.view_as_real(one.symbols).flatten(1)[:, None].expand(-1, self.plan.transmitters, -1)
        return Features(features=came.contiguous(), erased=~one.valid.any(1))

    def embed(self, images, mode="reconstructed"):
        """The same of an image."""
        return images.flatten(1)[None, :, :32].expand(self.plan.transmitters, -1, -1).contiguous()


def test_two_of_three_transmitters_are_superposed_and_all_of_them_in_one_run(tmp_path):
    """A bench with more transmitters than a scheme takes: only the scheme's are sounded and aligned."""
    results = hil.run("three", schemes=[_Sum(2), _Sum(3)], snr_db=[10.0], tasks=48, draws=2, out=tmp_path)
    air = {row.scheme: row for row in results.points if row.source == "air"}
    assert {name: len(row.snr_db) for name, row in air.items()} == {"sum2": 2, "sum3": 3}
    for row in air.values():
        assert row.frames["lost"] == 0
        assert row.snr_eff_db == pytest.approx(10.0, abs=1.2)
