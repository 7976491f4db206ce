"""Pictures over the simulated radio: deep JSCC and a digital chain in one capture, which replays to the bit."""

import json

import pytest

NAMES = "deep-jscc,digital-webp"


@pytest.fixture(scope="module")
def run(hil, tmp_path_factory):
    out = tmp_path_factory.mktemp("images")
    done = hil(
        "run", "--schemes", NAMES, "--snr", "2,18", "--tasks", 24, "--distinct-tasks", 12, "--draws", 2, "--out", out, "--name",
        "run", "--json",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return out / "run", json.loads(done.stdout)


def of_air(document):
    return {(row["scheme"], row["snr_db_target"]): row for row in document["points"] if row["source"] == "air"}


def test_deep_jscc_degrades_where_the_digital_chain_falls_off(run):
    _, document = run
    rows = of_air(document)
    fates = {snr_db: rows["digital-webp", snr_db]["coding"]["fates"] for snr_db in (2.0, 18.0)}
    assert fates[2.0]["codeword_errors"] == sum(fates[2.0].values()) > 0  # 7 dB below the cliff
    assert fates[18.0]["received"] == sum(fates[18.0].values())
    mean_image = next(row["psnr"] for row in document["points"] if row["scheme"] == "mean_image")
    assert rows["digital-webp", 2.0]["psnr"] == pytest.approx(mean_image, abs=0.5)
    assert rows["deep-jscc", 2.0]["psnr"] > rows["digital-webp", 2.0]["psnr"] + 5
    assert rows["deep-jscc", 18.0]["psnr"] > rows["deep-jscc", 2.0]["psnr"] + 1


def test_the_set_that_serves_them_is_taken_and_the_pictures_are_shown(run):
    folder, document = run
    assert {row["goal"] for row in document["points"]} == {"image"}
    assert document["dataset"]["spec"].partition(":")[0] == "objects"
    assert all(row["pictures"] for row in of_air(document).values())
    assert "data:image/png" in (folder / "report.html").read_text(encoding="utf-8")


def test_the_capture_replays_to_the_bit(run, hil):
    folder, document = run
    done = hil("replay", folder, "--json")
    assert done.returncode == 0, done.stderr
    again = json.loads(done.stdout)
    assert again["verification"]["verified"] == "bits"
    assert again["received_sha256"] == document["received_sha256"]
    live, replayed = of_air(document), of_air(again)
    assert {key: (row["metrics"], row.get("coding")) for key, row in replayed.items()} == {
        key: (row["metrics"], row.get("coding")) for key, row in live.items()
    }


def test_the_capture_is_judged_by_what_a_detector_finds(run, hil):
    """Asked for by name, detection takes the data set's own detector; what was never received has no objects."""
    folder, _ = run
    done = hil("score", folder, "--goals", "detection", "--json")
    assert done.returncode == 0, done.stderr
    scored = json.loads(done.stdout)
    rows = of_air(scored)
    assert rows["digital-webp", 2.0]["map50"] == 0
    assert rows["deep-jscc", 18.0]["map50"] > 0.4
    assert rows["digital-webp", 18.0]["map50"] > 0.6
    assert next(row["map50"] for row in scored["points"] if row["scheme"] == "uncoded") > 0.9
