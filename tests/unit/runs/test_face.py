"""The Python face: where a run lies, what a name means, and that nothing is lost by accident."""

import numpy as np
import pytest

import hil
from hil.errors import CaptureError, ConfigError, ModelError, ShapeError
from hil.runs import face
from hil.runs.config import RunConfig, SendConfig
from tests.conftest import DATASET
from tests.unit.points.contenders import Pixels


def test_a_run_that_is_there_is_not_lost(tmp_path):
    folder = face.run_folder(tmp_path, "mine")
    assert folder == tmp_path / "mine"
    assert not folder.exists()  # nothing is made before the run can start
    folder.mkdir()
    (folder / "notes.txt").touch()
    assert face.run_folder(tmp_path, "mine") == folder  # no run
    (folder / "run.toml").touch()
    with pytest.raises(ConfigError, match=r"holds a run already \(run\.toml\).*--overwrite"):
        face.run_folder(tmp_path, "mine")
    assert face.run_folder(tmp_path, "mine", overwrite=True) == folder
    assert face.run_folder(tmp_path, None).parent == tmp_path


def test_a_capture_is_meant_by_its_file_or_its_folder(tmp_path):
    assert face.capture_of(tmp_path) == tmp_path / "capture.h5"
    assert face.capture_of(str(tmp_path / "x.h5")) == tmp_path / "x.h5"
    with pytest.raises(CaptureError, match=r"capture\.h5"):
        hil.replay(tmp_path)


def test_the_seed_of_the_air_is_the_runs_or_the_benchs():
    bench = face.bench_of(RunConfig())
    assert bench.name == "builtin"
    assert face.bench_of(RunConfig(air_seed=99)).seed == 99
    assert face.bench_of(SendConfig(air_seed=0)).seed == 0
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
        np.zeros((1, 0, 4), np.complex64),
        np.full((1, 2, 4), np.nan, np.complex64),
    ],
)
def test_what_is_no_array_of_symbols_is_not_sent(symbols, tmp_path):
    with pytest.raises(ShapeError, match=r"finite, complex \[tx, task, use\]"):
        hil.send(symbols, out=tmp_path / "x.h5")
    assert list(tmp_path.iterdir()) == []


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
