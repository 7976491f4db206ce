"""`hil sensitivity`: from the trained network, and on what a run received."""

import json


def test_what_misalignment_costs_is_told(hil, tmp_path):
    done = hil(
        "sensitivity", "noma", "--snr", "0", "--phase", "20,180", "--power", "3", "--delay", "1", "--tasks", "252",
        "--draws", "1", "--out", tmp_path / "found", "--json",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    rows = {(row["error"], row["size"]): row for row in found["rows"]}
    assert set(rows) == {("phase", 0.0), ("phase", 20.0), ("phase", 180.0), ("power", 3.0), ("delay", 1.0)}
    assert rows["phase", 0.0]["difference"] == 0
    assert rows["phase", 180.0]["difference_ci"][1] < -0.1 < rows["phase", 20.0]["difference_ci"][1]
    assert rows["delay", 1.0]["difference_ci"][1] < 0
    assert all(row["ci"][0] < row["value"] < row["ci"][1] and row["tasks"] == 252 for row in rows.values())
    assert json.loads((tmp_path / "found" / "sensitivity.json").read_text()) == found
    page = (tmp_path / "found" / "sensitivity.html").read_text()
    assert "<svg" in page
    assert "one point of top-1 is lost at" in page
    assert (tmp_path / "found" / "sensitivity.png").stat().st_size > 10_000


def test_what_superposes_nothing_is_refused(hil):
    done = hil("sensitivity", "oma")
    assert done.returncode == 1
    assert "superposes nothing (oma)" in done.stderr
