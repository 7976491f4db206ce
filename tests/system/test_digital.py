"""JSCC-FC and the digital bounds over the simulated air, trained for a moment: measured, replayed, simulated beside."""

import json
import math

import pytest
import torch

import hil
from hil.captures import Capture
from hil.datasets.dataset import load_dataset
from hil.models.digital.capacity import equal_rate_bits
from hil.models.load import load_scheme
from hil.models.recipe import Augment, Recipe, Stage
from hil.models.training.train import train
from hil.runs.evaluate import accuracies
from tests.conftest import DATASET

SCHEMES = ("jscc-fc", "digital-single", "digital-pair")
SNRS = (-3.0, 12.0)


def stage(loss, **more):
    return Stage(loss=loss, epochs=6, batch_size=16, lr=1e-2, autoencoder_lr=10.0, optimiser="adamw", **more)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """One run of the three schemes at two SNRs; its folder and what it gave."""
    folder = tmp_path_factory.mktemp("digital")
    data = load_dataset(DATASET, image_size=(64, 32))
    for name in SCHEMES:
        last = stage("cross_entropy") if name == "jscc-fc" else stage("rate_accuracy", rate_weight=0.01)
        recipe = Recipe(
            name=name, scheme=name, features=24, latent=8, uses=16, held_out=0.0, augment=Augment(flip=0.5), t3=last
        )
        train(recipe, data, folder, device="cpu")
    done = hil.run(
        schemes=SCHEMES, models=str(folder), dataset=DATASET, snr_db=SNRS, tasks=24, distinct_tasks=12, draws=2,
        out=folder, name="run",
    )  # fmt: skip
    assert done is not None
    return folder


def rows(document, **wanted):
    return [row for row in document["points"] if all(row[key] == value for key, value in wanted.items())]


def test_bounds_are_labelled_and_fall_where_their_bits_exceed_what_the_measured_snr_carries(run):
    document = json.loads((run / "run" / "results.json").read_text())
    for row in rows(document, source="air"):
        assert row["kind"] == ("measured" if row["scheme"] == "jscc-fc" else "bound")
    bits = {}
    with Capture.open(run / "run" / "capture.h5") as capture:
        for record in capture.points:
            if record.attrs["kind"] == "point" and record.side:
                bits[record.attrs["spec"]["scheme"]] = torch.from_numpy(record.side["bits"][:])
    assert {one["scheme"] for one in document["agreement"]} == {"jscc-fc"}  # an estimated SNR is not held against its own error
    assert set(bits) == {"digital-single", "digital-pair"}
    for name, sent in bits.items():
        for target in SNRS:
            (air,) = rows(document, source="air", scheme=name, snr_db_target=target)
            snr = torch.tensor([10 ** (value / 10) for value in air["snr_db"]])
            room = float(equal_rate_bits(snr[:, None, None].expand(-1, 1, 16)))
            # within a bit of the limit the SNR of a task's own carriers decides
            surely, perhaps = (sent.amax(1) < room - 2).double().mean(), (sent.amax(1) < room + 2).double().mean()
            assert air["top1"] <= perhaps + 1e-6
            if air["top1_scored"] is not None and not math.isnan(air["top1_scored"]):
                assert air["top1"] >= surely * air["top1_scored"] - 1e-6
            for basis in ("link", "effective"):
                (ideal,) = rows(
                    document, source="simulation", scheme=name, snr_db_target=target, snr_basis=basis, energy="per_use"
                )
                assert ideal["top1"] <= perhaps + 1e-6
        (lowest,) = rows(document, source="air", scheme=name, snr_db_target=SNRS[0])
        (highest,) = rows(document, source="air", scheme=name, snr_db_target=SNRS[-1])
        assert lowest["top1"] == 0
        assert highest["top1"] > 0


def test_a_replay_gives_the_same_numbers(run):
    live = json.loads((run / "run" / "results.json").read_text())
    again = json.loads(hil.replay(run / "run", models=str(run)).model_dump_json())
    assert again["verification"]["verified"] == "bits"
    keys = ("scheme", "kind", "snr_db_target", "snr_db", "top1", "top1_ci", "top1_scored", "map")
    found = [[{key: row[key] for key in keys} for row in rows(one, source="air")] for one in (live, again)]
    assert found[0] == found[1]
    assert len(found[0]) == len(SCHEMES) * len(SNRS)


def test_metrics_show_the_cliff_and_count_the_bits(run):
    scheme = load_scheme("digital-single", run)
    found = accuracies(scheme, load_dataset(DATASET, image_size=(64, 32)))
    assert found["-6 dB"] == 0
    assert found["15 dB"] == found["noiseless"] > 0
    bits = found["bits"]
    assert bits["entropy"] - 0.01 <= bits["coded"] <= bits["entropy"] + 2
    assert bits["with CRC-16"] == pytest.approx(bits["coded"] + 16)
    assert bits["minimum SNR, dB"] == pytest.approx(10 * math.log10(2 ** (bits["coded"] / 16) - 1), abs=0.02)


def test_features_by_ldpc_codes_come_through_above_the_cliff_and_replay_to_the_bit(tmp_path):
    """With the weights as shipped, on spread carriers, behind an amplifier."""
    done = hil.run(
        schemes=("digital-ldpc-pair",), dataset=DATASET, snr_db=(2.0, 16.0), tasks=24, distinct_tasks=12, draws=1,
        frame={"spreading": "dft"}, amplifier={"saturation_dbfs": -2.0}, out=tmp_path, name="run",
    )  # fmt: skip
    assert done is not None
    live = json.loads((tmp_path / "run" / "results.json").read_text())
    again = json.loads(hil.replay(tmp_path / "run").model_dump_json())
    assert again["verification"]["verified"] == "bits"
    for target, fate in ((2.0, "codeword_errors"), (16.0, "received")):
        (air,) = rows(live, source="air", snr_db_target=target)
        (replayed,) = rows(again, source="air", snr_db_target=target)
        assert air["kind"] == "measured"
        assert air["coding"]["fates"][fate] == 2 * air["tasks"]
        assert (air["top1"] > 0.3) == (fate == "received")
        assert all(5 < value < 8 for value in air["papr_db"])  # 16-QAM, spread
        assert [replayed[key] for key in ("top1", "coding", "papr_db")] == [air[key] for key in ("top1", "coding", "papr_db")]
