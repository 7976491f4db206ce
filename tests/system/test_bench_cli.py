"""`python -m benchmarks`: the shape of what it prints, and the peers' frames."""

import json
import math

import numpy as np
import pytest
import torch

from benchmarks import __main__ as command
from benchmarks import air, liquid, modem, numpy_receiver, receivers, runframes, schemes, streams
from benchmarks.rows import row, table
from hil.goals.contract import PerTask
from hil.registry import GOALS
from hil.results.sample import Sample

KEYS = {"name", "value", "unit", "target", "better", "met", "peer", "peer_value", "ratio"}
LIQUID = pytest.mark.skipif(isinstance(liquid.load(), str), reason=f"liquid-dsp: {liquid.load()}")


def test_a_row_is_met_missed_or_neither() -> None:
    assert row("a", 3.0, "MS/s", target=2.0, peer="p", peer_value=1.5) == {
        "name": "a", "value": 3.0, "unit": "MS/s", "target": 2.0, "better": "higher", "met": True,
        "peer": "p", "peer_value": 1.5, "ratio": 2.0,
    }  # fmt: skip
    assert row("a", -50.0, "dB", better="lower", target=-60.0, peer_value=-55.0)["met"] is False
    assert row("a", -50.0, "dB", peer_value=-55.0)["ratio"] is None
    assert row("a", None, "MS/s", target=1.0)["met"] is False
    assert row("a", math.nan, "MS/s")["value"] is None
    assert row("a", 1.0, "MS/s")["met"] is None
    text = table([row("long name", 3.0, "MS/s", target=5.0), row("b", 1e-5, "frames", better="lower", target=1.0)])
    assert "MISS" in text
    assert "≥ 5" in text
    assert "≤ 1" in text


def test_json_is_a_list_of_rows(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    peers = {
        "liquid": {
            "version": "1",
            "receive_msps": 26.0,
            "detection": {0: np.float64(0.5)},
            "false_frames": 0,
            "false_samples": 2e7,
        },
        "sionna": {"missing": "not installed"},
    }
    monkeypatch.setattr(modem, "measure", lambda quick: peers)
    monkeypatch.setattr(modem, "liquid_speeds", lambda quick: {"receive_msps": 25.0})
    monkeypatch.setattr(runframes, "rows", lambda quick, found: [])
    monkeypatch.setattr(receivers, "rows", lambda quick, found: [row("receive", 110.0, "MS/s", target=100)])
    monkeypatch.setattr(air, "rows", lambda quick, found: [row("air", np.float64(40.0), "MS/s", target=30)])
    assert command.main(["modem", "--json", "--quick"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert all(set(item) == KEYS for item in rows)
    assert rows[0]["met"] is True
    assert any("sionna: not installed" in item["name"] for item in rows)
    assert command.main(["modem", "--quick"]) == 0
    assert "not installed" in capsys.readouterr().out


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(SystemExit):
        command.main(["nothing"])


def test_streams_keep_to_the_definitions() -> None:
    waves = numpy_receiver.transmit(streams.payload(200, numpy_receiver.CARRIERS))
    assert waves.shape == (200, 1840)
    assert float(np.mean(np.abs(waves[:, 240:]) ** 2)) == pytest.approx(1, abs=0.03)
    made = streams.stream(waves)
    assert waves.size / len(made.samples) == pytest.approx(0.75, abs=0.02)
    gaps = np.diff(made.starts) - 1840
    assert gaps.min() >= 200
    assert gaps.max() <= 1000
    # Es of an active carrier over the noise of a carrier, measured through a unitary FFT
    symbols = waves[:, 240:].reshape(-1, 80)[:, 16:]
    carriers = np.fft.fft(symbols, norm="ortho")[:, numpy_receiver.BINS]
    assert float(np.mean(np.abs(carriers) ** 2)) == pytest.approx(numpy_receiver.ENERGY, rel=0.03)
    noise = streams.impaired(np.zeros(100_000, np.complex64), snr_db=10, energy=numpy_receiver.ENERGY)
    assert float(np.mean(np.abs(noise) ** 2)) == pytest.approx(numpy_receiver.ENERGY / 10, rel=0.03)
    assert sum(abs(tap.gain) ** 2 for tap in streams.MP) == pytest.approx(1)


def test_the_numpy_receiver_finds_its_frames() -> None:
    sent = streams.payload(40, numpy_receiver.CARRIERS)
    made = streams.stream(numpy_receiver.transmit(sent))
    got = numpy_receiver.receive(streams.impaired(made.samples, snr_db=20, energy=numpy_receiver.ENERGY))
    index = streams.matched(got.starts, made.starts)
    assert (index >= 0).all()
    assert streams.evm_db(got.symbols[index], sent) == pytest.approx(-16.5, abs=1.0)
    assert np.sqrt(np.mean((got.cfo[index] - 0.2) ** 2)) < 0.015
    assert len(numpy_receiver.receive(streams.noise(200_000)).starts) == 0


@LIQUID
def test_liquids_frames_are_found_and_its_evm_is_the_known_one() -> None:
    library = liquid.load()
    assert isinstance(library, liquid.Liquid)
    sent = streams.payload(60, len(library.data))
    made = streams.stream(library.transmit(sent))
    got = library.receive(streams.impaired(made.samples, snr_db=20, energy=library.energy))
    index = streams.matched(got.starts, made.starts)
    assert (index >= 0).all()
    assert streams.evm_db(got.symbols[index], sent) == pytest.approx(-19.2, abs=0.7)  # facts/peers.md
    clean = library.receive(streams.impaired(made.samples))
    assert streams.evm_db(clean.symbols[streams.matched(clean.starts, made.starts)], sent) == pytest.approx(-56, abs=1)


def test_air_rows() -> None:
    rows = air.rows(True, {"gnuradio": {"channel_msps": 15.0}})
    assert rows[0]["target"] == 30
    assert rows[1]["value"] > 0
    assert rows[1]["ratio"] == pytest.approx(rows[1]["value"] / 15)
    errors = [item["value"] for item in rows if "resampler" in item["name"]]
    assert all(value is None or value < -60 for value in errors)


def test_rows_of_networks_that_are_not_there_have_no_value() -> None:
    nobody = schemes.Exam(models=None, tasks=8, names=())
    made = [*schemes._aware(nobody, []), *schemes._csir(nobody), *schemes._alike(nobody), *schemes._cliffs(nobody)]
    assert len(made) == 6 + 3 + 4
    assert all(one["value"] is None and one["met"] in (None, False) for one in made)
    known = {"name": "d", "trained": True, "metrics": {"test": {"bits": {"entropy": 50.5, "coded": 51.5}}}}
    (coder,) = schemes._coder([known, {"name": "e", "trained": True, "metrics": None}])
    assert (coder["value"], coder["met"]) == (1.0, True)


def test_steps_that_fall_are_told_from_those_that_tremble() -> None:
    right = torch.ones(8, 400, dtype=torch.bool)
    right[0, :200] = False
    right[3:, :40] = False  # a tenth is lost from the third to the fourth SNR
    right[6:, 40:46] = False  # 1.5 points, whose interval reaches below a point
    index = torch.arange(400)
    curve = [
        Sample(tasks=PerTask(values={"top1": own}, scored=torch.ones(400, dtype=torch.bool)), index=index) for own in right
    ]
    rises, falls = schemes.falling_steps(curve, index // 2, GOALS.load("retrieval")())
    assert rises == pytest.approx([0.5, 0, -0.1, 0, 0, -0.015, 0])
    assert falls == [2]


def test_a_rival_is_chosen_at_the_nearest_snr_it_was_validated_at() -> None:
    known = {
        "low": {"goal": "g", "-6 dB": 90.0, "0 dB": 91.0, "15 dB": 92.0},
        "high": {"goal": "g", "-6 dB": 50.0, "0 dB": 93.0, "15 dB": 99.0, "noiseless": 99.0},
    }
    assert schemes.best_validated(known, -6.0) == ("low", (-6.0,))
    assert schemes.best_validated(known, -3.0) == ("low", (-6.0, 0.0))  # as near to both
    assert schemes.best_validated(known, 3.0) == ("high", (0.0,))
    assert schemes.best_validated(known, 18.0) == ("high", (15.0,))
