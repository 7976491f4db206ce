"""The Python face: where a run lies, what a name means, and that nothing is lost by accident."""

import numpy as np
import pytest

import hil
from hil.errors import CaptureError, ConfigError, HilError, ModelError, ShapeError
from hil.runs import face
from hil.runs.config import RunConfig, SendConfig
from tests.conftest import DATASET, ROOT
from tests.unit.points.contenders import Pixels


def test_a_capture_is_meant_by_its_file_its_folder_or_its_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run = tmp_path / "runs" / "mine"
    run.mkdir(parents=True)
    with pytest.raises(CaptureError, match=r"mine holds no capture\.h5"):
        face.capture_of(run)
    (run / "capture.h5").touch()
    assert face.capture_of(run) == face.capture_of(str(run / "capture.h5")) == run / "capture.h5"
    assert face.capture_of("mine").samefile(run / "capture.h5")
    with pytest.raises(ConfigError, match="no such run: mien; did you mean 'mine'"):
        hil.replay("mien")
    for wrong in ("x" * 5000, "a\0b"):
        with pytest.raises(ConfigError, match="no such run"):
            face.capture_of(wrong)


def test_the_seed_of_the_air_is_the_runs_or_the_benchs():
    bench = face.bench_of(RunConfig())
    assert bench.name == "builtin"
    assert face.bench_of(RunConfig(air_seed=99)).seed == 99
    assert face.bench_of(SendConfig(air_seed=0)).seed == 0
    assert face.bench_of(SendConfig(air_seed=7, seed=5)).seed == 7
    assert face.bench_of(RunConfig(seed=1)).seed == bench.seed  # as it was when seeds did not reach the air
    airs = {face.bench_of(RunConfig(seed=seed)).seed for seed in range(200)}
    assert len(airs) == 200
    assert face.bench_of(RunConfig(seed=5)).seed == face.bench_of(SendConfig(seed=5)).seed
    assert face.bench_of(RunConfig(seed=5, bench="three")).seed != face.bench_of(RunConfig(seed=5)).seed
    assert bench.seed not in (0, 99)
    with pytest.raises(ConfigError, match="no radios entry named 'nowhere'"):
        face.bench_of(RunConfig(bench="nowhere"))


def test_a_refused_run_leaves_nothing(untrained, tmp_path):
    for settings, words in (
        ({"schemes": ["nothing"]}, "unknown scheme 'nothing'"),
        ({"schemes": "nothing"}, "unknown scheme 'nothing'"),  # one name is a name, not its letters
        ({"bench": "nowhere"}, "nowhere"),
        ({"bench": "rayleigh", "schemes": ["single"], "models": str(untrained)}, "knows no channel"),
        ({"colour": 1}, "unknown key 'colour'"),
        ({"frame.colour": 1}, "unknown key 'colour'"),
        ({"config": tmp_path / "none.toml"}, "no such file"),
    ):
        with pytest.raises((ConfigError, ModelError), match=words):
            hil.run(out=tmp_path, name="x", dataset=DATASET, **settings)
        assert not (tmp_path / "x").exists()


def test_a_scheme_at_hand_is_named_by_its_card():
    one = Pixels()
    names, objects = face._named(["noma", one])
    assert names == ("noma", "pixels")
    assert objects == {"pixels": one}
    assert face._named("noma") == (("noma",), {})


@pytest.mark.parametrize(
    "symbols",
    [
        np.ones((2, 4)),
        np.ones((1, 2, 4)),  # not complex
        np.ones((1, 2, 4), np.float16),
        np.ones((1, 2, 4), object),
        np.complex64(1),
        np.zeros((1, 0, 4), np.complex64),
        np.full((1, 2, 4), np.nan, np.complex64),
        np.full((1, 2, 4), complex(0, np.inf)),
        np.ma.masked_equal(np.ones((1, 2, 4), complex), 1),
        [[[1j, 1], [1]]],  # ragged
        "symbols",
        None,
    ],
)
def test_what_is_no_array_of_symbols_is_not_sent(symbols, tmp_path):
    with pytest.raises(ShapeError, match=r"hil.send: symbols must be"):
        hil.send(symbols, out=tmp_path / "x.h5")
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_written_is_refused_before_anything_is_sent(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    symbols = np.ones((1, 2, 4), np.complex64)
    (tmp_path / "there.h5").write_text("old")
    (tmp_path / "free-capture.h5").write_text("old")
    before = sorted(tmp_path.iterdir())
    for out, words in (
        (".", "is a folder"),
        ("x.npy", r"must name an \.h5 or a \.mat file, not 'x.npy'"),
        ("there.h5", "exists already.*--overwrite"),
        ("free.h5", "free-capture.h5 exists already.*--overwrite"),
        ("there.h5/x.h5", "cannot make the folder"),
        ("/proc/none/x.h5", "cannot make the folder"),
    ):
        with pytest.raises(HilError, match=words):
            hil.send(symbols, out=out)
    assert sorted(tmp_path.iterdir()) == before
    assert (tmp_path / "there.h5").read_text() == "old"


def test_a_resend_replaces_both_files_at_the_end_or_neither(tmp_path):
    symbols = np.exp(2j * np.pi * np.random.default_rng(1).random((1, 8, 16)))
    first = hil.send(symbols, out=tmp_path / "p.h5")
    old = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert set(old) == {"p.h5", "p-capture.h5"}
    with pytest.raises(HilError, match="59 dB on link 0 is out of reach"):
        hil.send(symbols, out=tmp_path / "p.h5", overwrite=True, snr_db=59)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == old
    deaf = tmp_path / "deaf.toml"  # which is seen only when it is measured
    deaf.write_text((ROOT / "radios" / "builtin.toml").read_text().replace("delay_s = 0.33e-6", "delay_s = 40e-3"))
    with pytest.raises(HilError) as info:
        hil.send(symbols, str(deaf), out=tmp_path / "p.h5", overwrite=True)
    assert "p-capture.h5 is as before" in str(info.value.__notes__)
    assert "p-capture-new.h5" in str(info.value.__notes__)
    assert {name: (tmp_path / name).read_bytes() for name in old} == old
    again = hil.send(symbols, out=tmp_path / "p.h5", overwrite=True, snr_db=20)
    assert again.about["capture"] == str(tmp_path / "p-capture.h5")
    assert again.about["received_sha256"] != first.about["received_sha256"]
    assert all((tmp_path / name).read_bytes() != data for name, data in old.items())


def test_without_a_place_given_each_capture_has_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(face.time, "strftime", lambda form: form.replace("%Y%m%d-%H%M%S", "20260101-000000"))
    symbols = np.ones((1, 2, 4), np.complex64)
    places = [hil.send(symbols).about["capture"] for _ in range(2)]
    assert places == ["runs/send-20260101-000000/capture.h5", "runs/send-20260101-000000-2/capture.h5"]
    with pytest.raises(HilError, match="out of reach"):
        hil.send(symbols, snr_db=60)
    assert len(list((tmp_path / "runs").iterdir())) == 2


def test_symbols_go_out_and_come_back_with_what_is_known_of_them(tmp_path):
    draw = np.random.default_rng(2)
    symbols = ((draw.integers(0, 2, (2, 40, 12)) * 2 - 1) / 1.0).astype(np.complex64)
    symbols[0, :, 6:] = symbols[1, :, :6] = 0  # they take turns
    made = hil.send(symbols, snr_db=18.0, capture=tmp_path / "c.h5", air_seed=3)
    sent = symbols.sum(0)
    assert made.symbols.shape == (40, 12)
    assert made.valid.all()
    error = np.mean(np.abs(made.symbols - sent) ** 2)
    assert -10 * np.log10(error) == pytest.approx(made.about["snr_eff_db"], abs=0.3)
    assert made.about["snr_db"] == pytest.approx([18, 18], abs=1.5)
    assert float(made.noise_var.mean()) == pytest.approx(error, rel=0.4)
    owned = np.abs(symbols).any(1)
    assert np.allclose(made.channel, owned[:, None], atol=0.02)
    assert made.about["access"] == "oma"
    again = hil.send(symbols, snr_db=18.0, capture=tmp_path / "d.h5", air_seed=3)
    assert again.about["received_sha256"] == made.about["received_sha256"]
    other = hil.send(symbols, snr_db=18.0, capture=tmp_path / "e.h5", air_seed=4)
    assert other.about["received_sha256"] != made.about["received_sha256"]
