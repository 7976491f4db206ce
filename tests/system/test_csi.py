"""What a scheme is told of the channel, and what it is not, over the simulated air: every truth is known."""

import json
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import torch

import hil
from hil.captures import Capture
from hil.config import validate
from hil.models.contract import Sent
from hil.points.spec import PointSpec
from hil.runs.replay import collect_point
from tests.conftest import DATASET

SCHEMES = Path(__file__).parent / "schemes" / "analog.py"
COMMON = {"dataset": DATASET, "tasks": 72, "distinct_tasks": 12, "draws": 8}


def scheme(name):
    return f"{SCHEMES}:{name}"


def measure(tmp_path, *names, **settings):
    return hil.run(schemes=[scheme(name) for name in names], out=tmp_path, name="run", **(COMMON | settings))


def again(tmp_path):
    return hil.replay(tmp_path / "run")


class Point(NamedTuple):
    spec: PointSpec
    found: dict
    sent: Sent
    fade: torch.Tensor | None


def points(folder):
    with Capture.open(folder / "run" / "capture.h5") as capture:
        for record in capture.points:
            if record.attrs["kind"] == "point":
                spec = validate(PointSpec, record.attrs["spec"], record.name)
                yield Point(spec, *collect_point(capture, record, spec))


def rows(document, source="air", **wanted):
    return [
        row
        for row in document.points
        if row.source == source and all(getattr(row, key, None) == value for key, value in wanted.items())
    ]


def assert_same(live, replayed):
    assert replayed.verification["verified"] == "bits"
    assert replayed.verification["same_sha256"] is True
    keys = ("scheme", "receiver", "snr_db", "snr_eff_db", "top1", "top1_ci", "frames")
    before, after = rows(live), rows(replayed)
    assert [[getattr(row, key) for key in keys] for row in after] == [[getattr(row, key) for key in keys] for row in before]


def test_emulated_fades_reach_the_decoder_as_they_were_drawn(tmp_path):
    live = measure(tmp_path, "Csir", "Single", snr_db=[25.0], fading="emulated", tasks=168)
    fades = {}
    for point in points(tmp_path):
        found, fade = point.found["rx"], point.fade
        fades[point.spec.scheme] = fade
        # h = f: the front end's response was taken out, the experiment's was not
        assert torch.allclose(found.channel[0], fade[0][:, None].expand_as(found.channel[0]), atol=0.03)
        error = found.symbols - fade[0][:, None] * point.sent.symbols[0]
        assert float(error.abs().square().mean()) == pytest.approx(10**-2.5, rel=0.3)
        assert found.snr_db == pytest.approx([25.0], abs=1.5)  # fades are not in the link's SNR
        assert point.spec.frame.digital_rms_dbfs == -20.0
        assert float(fade.abs().square().mean()) == pytest.approx(1.0, abs=0.2)
    first, second = fades.values()
    assert torch.equal(first, second)  # every scheme meets the same fades
    known, blind = rows(live, scheme=scheme("Csir"))[0], rows(live, scheme=scheme("Single"))[0]
    assert known.fading == blind.fading == "emulated"
    assert known.top1 > blind.top1 + 0.2
    for row in (known, blind):  # the simulation beside it goes through the same fades
        beside = rows(live, "simulation", scheme=row.scheme, snr_basis="effective", energy="per_use")[0]
        assert beside.top1 == pytest.approx(row.top1, abs=0.06)
    assert_same(live, again(tmp_path))


def test_a_scheme_that_did_not_ask_is_told_nothing(tmp_path):
    seen = {}

    class Curious(_single()):
        def decode(self, received, blocks=("all",), side=None):
            one = next(iter(received.values()))
            seen["told"] = (one.noise_var, one.channel)
            return super().decode(received, blocks, side)

    hil.run(schemes=[Curious()], out=tmp_path, name="run", snr_db=[20.0], fading="emulated", **COMMON)
    assert seen["told"] == (None, None)


def _single():
    from hil.foreign import load_foreign

    return load_foreign(scheme("Single"), "scheme")


def test_encoders_are_told_the_calibrated_snr(tmp_path):
    live = measure(tmp_path, "SnrAware", snr_db=[0.0, 12.0])
    told = {}
    for point in points(tmp_path):
        target, symbols = point.spec.snr_db_target, point.sent.symbols[0]
        told[target] = point.spec.tx_snr_db[0]
        assert torch.allclose(symbols[:, :6], symbols[:, 6:]) == (target < 6)
    # gains move in steps of 0.25 dB, and the record's own error is part of what is told
    assert told == {0.0: pytest.approx(0.0, abs=0.26), 12.0: pytest.approx(12.0, abs=0.26)}
    assert {row.csi["tx"] for row in rows(live)} == {"snr"}
    assert_same(live, again(tmp_path))


def test_three_transmitters_run_capture_and_replay(tmp_path):
    live = measure(tmp_path, "Three", bench="three", snr_db=[15.0])
    row = rows(live)[0]
    assert len(row.snr_db) == 3
    assert row.snr_db == pytest.approx([15.0] * 3, abs=1.5)
    assert row.uses == [12, 12, 12]
    with Capture.open(tmp_path / "run" / "capture.h5") as capture:
        assert capture.points[-1].symbols.shape[0] == 3
        assert {f"view_{index}" for index in range(3)} <= set(capture.points[-1].labels)
    assert_same(live, again(tmp_path))


def test_two_receivers_are_scored_from_one_capture(tmp_path):
    live = measure(tmp_path, "TwoReceivers", bench="two-receivers", snr_db=[15.0], tasks=504)
    one, other = rows(live)
    assert (one.receiver, other.receiver) == ("near", "far")  # as the bench calls them
    assert one.snr_db == pytest.approx([15.0], abs=0.8)
    assert other.snr_db == pytest.approx([3.0], abs=1.0)  # the bench's far receiver is 12 dB weaker
    assert one.top1 > other.top1
    for row in (one, other):  # each is simulated at its own SNR
        beside = rows(live, "simulation", receiver=row.receiver, snr_basis="effective", energy="per_use")[0]
        assert beside.snr_db == pytest.approx([row.snr_eff_db])
        said = next(one for one in live.agreement if one.receiver == row.receiver)
        assert said.difference == pytest.approx(row.top1 - beside.top1)
        assert abs(said.difference) < 2.6 * said.standard_error < 0.2  # six frames, twelve tasks
    with Capture.open(tmp_path / "run" / "capture.h5") as capture:
        assert capture.receivers == ("near", "far")
        assert capture.points[-1].received.shape[0] == 2
    assert_same(live, again(tmp_path))


def test_a_task_larger_than_a_frame_is_cut_and_put_together(tmp_path):
    live = measure(tmp_path, "Long", snr_db=[10.0], max_frame_uses=48, tasks=12)
    for point in points(tmp_path):
        assert point.spec.fragments == 2
        assert point.spec.frames == 24
        error = (point.found["rx"].symbols - point.sent.symbols[0]).abs().square().mean()
        assert float(error) == pytest.approx(0.1, rel=0.25)
    assert rows(live)[0].frames["scored"] == 24
    assert_same(live, again(tmp_path))


def test_codewords_of_varying_length_keep_their_power_and_their_length(tmp_path):
    live = measure(tmp_path, "Varying", snr_db=[15.0])
    for point in points(tmp_path):
        length = point.sent.length[0]
        assert set(length.tolist()) == {6, 12}
        power = point.sent.symbols[0].abs().square().sum(1) / length
        assert torch.allclose(power, torch.ones_like(power), atol=1e-4)
    assert rows(live)[0].uses == [pytest.approx(float(length.double().mean()))]
    assert_same(live, again(tmp_path))


def test_side_information_reaches_bounds_only_and_is_in_the_capture(tmp_path):
    live = measure(tmp_path, "Bound", "Single", snr_db=[-5.0])
    bound, measured = rows(live, scheme=scheme("Bound"))[0], rows(live, scheme=scheme("Single"))[0]
    assert (bound.kind, measured.kind) == ("bound", "measured")
    assert bound.top1 > measured.top1
    assert bound.top1 == rows(live, "noiseless", scheme=scheme("Bound"))[0].top1
    with Capture.open(tmp_path / "run" / "capture.h5") as capture:
        sides = [set(record.side) for record in capture.points if record.attrs["kind"] == "point"]
    assert sides == [{"features"}, set()]
    assert_same(live, again(tmp_path))


def test_a_run_is_repeated_from_its_file_to_the_same_bits(tmp_path):
    first = measure(tmp_path, "Single", "Csir", snr_db=[3.0], **{"frame.interleave": False, "receiver.taps_after": 9})
    assert json.loads((tmp_path / "run" / "results.json").read_text())["received_sha256"] == first.received_sha256
    second = hil.run(config=tmp_path / "run" / "run.toml", out=tmp_path, name="again")
    assert second.received_sha256 == first.received_sha256
    assert second.experiment == first.experiment
    assert [row.top1 for row in rows(second)] == [row.top1 for row in rows(first)]


def test_fades_in_the_air_stay_in_the_channel(tmp_path):
    """Links that fade: one constant is divided out, the fade of every frame stays in `channel`, as the air knows it."""
    live = measure(tmp_path, "Csir", bench="rayleigh", snr_db=[0.0], tasks=240)
    (point,) = points(tmp_path)
    assert point.spec.frame.tasks_per_frame == 1
    found = point.found["rx"]
    heard = found.valid.any(1)
    assert not heard.all()  # some frames fall into deep fades
    gains = found.channel[0].mean(1)
    drawn = air_fades(tmp_path)
    # the record's amplitude is one constant; what is left is the air's own draw, frame by frame
    sizes, truth = found.channel[0][heard].abs().square().mean(1).sqrt(), drawn[heard].abs()  # a delay turns the carriers
    constant = float((sizes * truth).sum() / truth.square().sum())
    assert constant == pytest.approx(1.0, abs=0.15)  # the record rests on 400 fades, of which many are the same
    assert torch.allclose(sizes, constant * truth, atol=0.35)
    turned = gains[heard] / drawn[heard]
    turned = turned / turned.abs()
    assert float(turned.mean().abs()) > 0.9  # and its phase, but for that of four pilots
    # a frame lost in a fade counts in the SNR, which is the mean over the frames sent
    expected = 10 * np.log10(float(drawn.abs().square().mean()) * constant**2)
    record, level = found.record, found.snr.noise
    measured = record.signal[: int(heard.sum())].mean() / float(truth.square().mean()) / level.power  # of an unfaded link
    assert found.snr_db == pytest.approx([10 * np.log10(measured * float(drawn.abs().square().mean()))], abs=0.1)
    low, high = found.snr.snr_db_ci[0]
    assert low < expected < high  # the gain was set from 400 fades, of which many are the same
    kept_only = 10 * np.log10(float(truth.square().mean()) * constant**2)
    assert kept_only > expected + 0.3
    (row,) = rows(live)
    assert row.fading == "air"
    assert row.frames["lost"] == int((~heard).sum())
    beside = rows(live, "simulation", snr_basis="channel")[0]
    assert beside.top1 > row.top1_scored - 0.03  # the simulation knows the channel; the receiver has four pilots a task
    assert_same(live, again(tmp_path))


def test_a_scheme_that_knows_fading_links_does_as_well_as_simulated(tmp_path):
    live = measure(tmp_path, "Csir", bench="rayleigh", snr_db=[18.0], tasks=240)
    (row,) = rows(live)
    (item,) = live.agreement
    assert item.snr_basis == "channel"
    low, high = item.simultaneous_ci
    assert low <= 0.02
    assert high >= -0.02
    assert abs(item.difference) < 0.05
    assert row.top1 > 0.4


def air_fades(folder):
    """What the simulated air drew for each frame of the point, complex64 [task], from its seed and the record of times."""
    from hil.channel.multipath import fade
    from hil.radios.bench import find_bench

    bench = find_bench("rayleigh")
    block = round(bench.links[0].fading_block_s * bench.sample_rate_hz)
    with Capture.open(folder / "run" / "capture.h5") as capture:
        times = [burst.sent_at for burst in capture.bursts(capture.points[-1].index)]
    name = "tx/tx0>rx/rx0"
    return torch.tensor([complex(fade(bench.seed, name, (time + 500) // block)) for time in times], dtype=torch.complex64)


def test_what_would_mean_nothing_is_refused(tmp_path):
    with pytest.raises(hil.HilError, match="knows no channel"):
        measure(tmp_path, "Single", bench="rayleigh", snr_db=[20.0])
    with pytest.raises(hil.HilError, match="fading links already"):
        measure(tmp_path, "Csir", bench="rayleigh", snr_db=[20.0], fading="emulated")
    with pytest.raises(hil.HilError, match="one task"):
        measure(tmp_path, "Csir", bench="rayleigh", snr_db=[20.0], **{"frame.tasks_per_frame": 12})
    with pytest.raises(hil.HilError, match="needs 3 transmitters"):
        measure(tmp_path, "Three", snr_db=[20.0])
    with pytest.raises(hil.HilError, match="needs 2 receivers"):
        measure(tmp_path, "TwoReceivers", snr_db=[20.0])
    assert not list(tmp_path.iterdir())  # a refusal leaves nothing behind
