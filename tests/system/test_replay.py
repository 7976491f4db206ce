"""The same numbers again from a capture, and other questions to it."""

import json


def test_replay_gives_the_live_bits(small_run, untrained, hil):
    live = json.loads((small_run / "results.json").read_text())
    replayed = hil("replay", small_run / "capture.h5", "--models", untrained, "--json")
    assert replayed.returncode == 0, replayed.stderr
    again = json.loads(replayed.stdout)
    assert again["verification"]["verified"] == "bits"
    assert again["verification"]["same_sha256"] is True
    assert again["received_sha256"] == live["received_sha256"]
    keys = ("scheme", "snr_db_target", "snr_db", "snr_eff_db", "top1", "top1_ci", "top1_scored", "map", "frames")
    air = [row for row in live["points"] if row["source"] == "air"]
    replayed_air = [row for row in again["points"] if row["source"] == "air"]
    assert [[row[key] for key in keys] for row in replayed_air] == [[row[key] for key in keys] for row in air]
    assert compared(again) == compared(live) != []


def compared(document):
    """What is said of schemes against each other over the air."""
    keys = ("goal", "energy", "first", "second", "snr_db", "difference", "ci", "simultaneous_ci")
    return [[one[key] for key in keys] for one in document["comparisons"] if one["source"] == "air"]


def test_replay_answers_other_questions(small_run, untrained, hil, tmp_path):
    options = ("--schemes", "noma", "--snr", "12", "--draws", 4, "--models", untrained, "--out", tmp_path / "again")
    asked = hil("replay", small_run / "capture.h5", "--simulate", "channel", *options, "--json")
    assert asked.returncode == 0, asked.stderr
    rows = json.loads(asked.stdout)["points"]
    rows = [row for row in rows if row["source"] != "noiseless"]
    assert [(row["source"], row["access"], row["snr_db_target"]) for row in rows] == [
        ("air", "noma", 12.0),
        ("simulation", "noma", 12.0),
    ]
    assert rows[1]["snr_basis"] == "channel"
    assert (tmp_path / "again" / "report.html").is_file()


def test_replay_receives_with_other_settings_from_a_file_and_a_flag(small_run, untrained, hil, tmp_path):
    (tmp_path / "question.toml").write_text(f'models = "{untrained}"\nschemes = ["noma"]\n[receiver]\nmode = "sensitive"\n')
    asked = ("--config", tmp_path / "question.toml", "--snr", "12", "--set", "receiver.taps_after=6", "--json")
    other = hil("replay", small_run / "capture.h5", *asked)
    assert other.returncode == 0, other.stderr
    found = json.loads(other.stdout)
    assert found["verification"]["verified"] == "other_receiver"
    assert [row["snr_db_target"] for row in found["points"] if row["source"] == "air"] == [12.0]
    assert found["verification"]["largest_difference"] > 0
    wrong = hil("replay", small_run / "capture.h5", "--set", "receiver.colour=1")
    assert wrong.returncode == 1
    assert "unknown key 'colour'" in wrong.stderr
