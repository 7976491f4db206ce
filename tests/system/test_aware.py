"""Lo's systems over the simulated air and through the mathematical channel, untrained: what they are told, and what is kept."""

import pytest

import hil
from tests.conftest import DATASET

COMMON = {"dataset": DATASET, "tasks": 24, "distinct_tasks": 12, "draws": 2}


def measure(models, folder, *names, **settings):
    return hil.run(schemes=names, models=models, out=folder, name="run", **(COMMON | settings))


def on_air(document):
    return {row.scheme: row for row in document.points if row.source == "air"}


def assert_replays(document, folder):
    again = hil.replay(folder / "run")
    assert again.verification["verified"] == "bits"
    assert [on_air(again)[name].top1 for name in on_air(document)] == [row.top1 for row in on_air(document).values()]
    assert again.codewords == document.codewords


def test_slow_fading_with_and_without_knowledge_of_it(untrained, tmp_path):
    names = ("jscc-single-fading", "jscc-single-csir", "jscc-oma-derotated", "jscc-noma-csir")
    found = measure(untrained, tmp_path, *names, fading="emulated", snr_db=[12.0])
    rows = on_air(found)
    assert {row.fading for row in rows.values()} == {"emulated"}
    assert [rows[name].csi["rx"] for name in names] == ["none", "channel", "channel", "channel"]
    assert [one.scheme for one in found.codewords] == ["jscc-oma-derotated", "jscc-noma-csir"]
    assert found.codewords[0].cos2_chance == 1 / 64
    assert_replays(found, tmp_path)


def test_a_decoder_that_is_told_the_channel_is_held_against_the_channel_that_it_met(untrained, tmp_path):
    """Superposed without alignment: at h = 1, where the front ends' phases are not, it does up to ten points better."""
    found = measure(untrained, tmp_path, "jscc-noma-csir", "jscc-noma", snr_db=[9.0])
    assert {one.scheme: one.snr_basis for one in found.agreement} == {"jscc-noma-csir": "channel", "jscc-noma": "effective"}
    drawn = {(row.scheme, row.snr_basis) for row in found.points if row.source == "simulation"}
    assert {("jscc-noma-csir", basis) for basis in ("link", "effective", "channel")} <= drawn
    assert ("jscc-noma", "channel") not in drawn
    assert hil.replay(tmp_path / "run", simulate="awgn", draws=2).agreement == found.agreement


def test_links_that_fade_in_the_air(untrained, tmp_path):
    found = measure(untrained, tmp_path, "jscc-single-csir", bench="rayleigh", snr_db=[15.0])
    row = on_air(found)["jscc-single-csir"]
    assert (row.fading, row.csi["rx"]) == ("air", "channel")
    assert row.frames["sent"] == 24
    assert_replays(found, tmp_path)


def test_aware_encoders_are_told_and_controls_stand_beside(untrained, tmp_path):
    found = measure(untrained, tmp_path, "jscc-noma-aware", "jscc-oma", "jscc-single-twin", snr_db=[0.0, 12.0])
    rows = on_air(found)
    assert (rows["jscc-noma-aware"].csi["rx"], rows["jscc-noma-aware"].uses) == ("snr", [64, 64])
    assert rows["jscc-single-twin"].uses == [64]
    beside = {row.scheme for row in found.points if row.source == "noiseless"}
    assert "jscc-oma-same-view" in beside
    assert "jscc-noma-same-view" not in beside  # its network is not in the run
    assert_replays(found, tmp_path)


def test_what_is_not_trained_is_refused_with_the_way_out(tmp_path):
    with pytest.raises(hil.HilError, match=r"'jscc-noma-aware' has no weights in .*hil train jscc-noma-aware --out"):
        measure(tmp_path, tmp_path, "jscc-noma-aware")
    with pytest.raises(hil.HilError, match=r"'jscc-oma-same-view' has no weights in .*hil train jscc-oma --out"):
        measure(tmp_path, tmp_path, "jscc-oma-same-view")
    with pytest.raises(hil.HilError, match=r"hil train jscc-oma --set seed=2 --set name=jscc-oma@2 --out"):
        measure(tmp_path, tmp_path, "jscc-oma@2")
