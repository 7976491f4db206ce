"""SMRC over the simulated air: layers, two receivers of one transmission, and a second layer at an SNR of its own."""

import pytest

import hil
from hil.captures import Capture
from hil.errors import ConfigError

NAMES = ("smrc", "smrc-base", "smrc-multicast", "smrc-base-classes")


@pytest.fixture(scope="module")
def run(untrained, tmp_path_factory):
    out = tmp_path_factory.mktemp("layers")
    document = hil.run(
        schemes=NAMES, bench="two-receivers", snr_db=[0.0, 12.0], tasks=12, distinct_tasks=12, draws=2, models=str(untrained),
        dataset="objects:images=12", goals=["image", "classification"], out=out, name="run",
        options={"classification": {"task_network": None}},
    )  # fmt: skip
    return out / "run", document


def of_air(document, **wanted):
    rows = [row for row in document.points if row.source == "air"]
    return [row for row in rows if all(getattr(row, key) == value for key, value in wanted.items())]


def test_layers_pay_for_what_they_send(run):
    _, document = run
    uses = {row.scheme: row.uses for row in of_air(document, snr_db_target=12.0)}
    assert uses == {"smrc": [80], "smrc-base": [40], "smrc-multicast": [80], "smrc-base-classes": [40]}
    assert {(row.scheme, row.goal) for row in of_air(document)} == {
        ("smrc", "image"), ("smrc-base", "image"), ("smrc-multicast", "image"), ("smrc-base-classes", "classification"),
    }  # fmt: skip
    assert all(row.pictures for row in of_air(document, goal="image"))


def test_both_receivers_are_scored_from_one_capture_each_by_its_own_decoder(run):
    folder, document = run
    near, far = of_air(document, scheme="smrc-multicast", snr_db_target=12.0)
    assert (near.receiver, far.receiver) == ("near", "far")
    assert near.snr_db == pytest.approx([12.0], abs=1.0)
    assert far.snr_db == pytest.approx([0.0], abs=1.2)  # the far receiver is 12 dB weaker
    assert near.psnr != far.psnr
    with Capture.open(folder / "capture.h5") as capture:
        point = next(one for one in capture.points if one.attrs.get("spec", {}).get("scheme") == "smrc-multicast")
        assert point.received.shape[0] == 2


def test_the_capture_replays_to_the_bit(run, untrained):
    folder, document = run
    again = hil.replay(folder, models=str(untrained))
    assert again.verification["verified"] == "bits"
    assert [row.metrics for row in of_air(again)] == [row.metrics for row in of_air(document)]


def test_a_second_layer_can_have_an_snr_of_its_own(run, untrained):
    folder, document = run
    again = hil.replay(folder, models=str(untrained), later_layers_db=0.0)
    name = "smrc, later layers at 0 dB"
    assert {row.scheme for row in of_air(again)} == {name, "smrc-base", "smrc-multicast, later layers at 0 dB", NAMES[3]}
    own = {row.snr_db_target: row.psnr for row in of_air(document, scheme="smrc")}
    mixed = {row.snr_db_target: row for row in of_air(again, scheme=name)}
    assert mixed[0.0].psnr == own[0.0]  # both layers of one point
    assert mixed[12.0].psnr not in own.values()
    assert mixed[12.0].later_layers_db == 0.0
    assert again.verification["verified"] == "other_receiver"
    base = [row.psnr for row in of_air(again, scheme="smrc-base")]
    assert base == [row.psnr for row in of_air(document, scheme="smrc-base")]
    with pytest.raises(ConfigError, match=r"'smrc', of \[0.0, 12.0\] dB, not 3 dB"):
        hil.replay(folder, models=str(untrained), later_layers_db=3.0)
    with pytest.raises(ConfigError, match="not simulated"):
        hil.replay(folder, models=str(untrained), later_layers_db=0.0, simulate="awgn")
