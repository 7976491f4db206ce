"""Amplifiers of simulated transmitters: from a file, from a run's settings, and who has none."""

import numpy as np
import pytest
import torch

from hil.channel.frontend import memory_polynomial
from hil.config import validate
from hil.errors import ConfigError
from hil.radios.amplifier import AmplifierConfig, amplified, read_polynomial
from hil.radios.bench import BenchConfig, find_bench
from hil.radios.converters import at_antenna
from hil.runs.config import RunConfig
from hil.runs.face import bench_of

TERMS = "terms = [[0, 0, 0, 1.0, 0.0], [2, 0, 0, -0.2, 0.05], [2, 1, -2, 0.0, 0.01]]\n"


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "amplifier.toml"
    path.write_text(TERMS)
    return path


def test_a_run_sets_the_amplifiers_of_all_simulated_transmitters(file):
    config = RunConfig(amplifier={"saturation_dbfs": -9.0, "smoothness": 3.0})
    bench = bench_of(config)
    plain = bench_of(RunConfig())
    for end in bench.transmitters:
        assert bench.radios[end.radio].sim.pa_saturation_dbfs == -9
        assert bench.radios[end.radio].sim.pa_smoothness == 3
        assert plain.radios[end.radio].sim.pa_saturation_dbfs is None
    assert bench.receivers == plain.receivers
    with_memory = bench_of(RunConfig(amplifier={"polynomial": str(file)}))
    again = BenchConfig.model_validate(with_memory.model_dump(mode="json"))  # as a capture holds it: no file is needed
    assert again.radios["tx"].sim.pa_terms == read_polynomial(file)


def test_codes_go_through_the_polynomial(file):
    sim = amplified(find_bench("builtin"), AmplifierConfig(polynomial=str(file))).radios["tx"].sim
    codes = np.random.default_rng(1).integers(-1500, 1500, (200, 2)).astype(np.int16)
    plain = at_antenna(codes, sim.model_copy(update={"pa_terms": ()}), 0.0)
    scale = float(plain.abs().max() / np.abs(codes[:, 0] + 1j * codes[:, 1]).max() * 2048)
    wanted = memory_polynomial(plain / scale, read_polynomial(file)) * scale
    assert torch.allclose(at_antenna(codes, sim, 0.0), wanted, rtol=1e-4, atol=1e-6)


def test_what_is_no_amplifier_is_refused_in_one_line(tmp_path, file):
    for given in ({}, {"saturation_dbfs": -9, "polynomial": str(file)}):
        with pytest.raises(ConfigError, match=r"either saturation_dbfs .* or polynomial"):
            validate(RunConfig, {"amplifier": given}, "run")
    wrong = tmp_path / "wrong.toml"
    wrong.write_text("terms = [[1, 2]]")
    with pytest.raises(ConfigError, match="an amplifier's file has terms"):
        read_polynomial(wrong)
    wrong.write_text("terms = [[-1, 0, 0, 1.0, 0.0]]")
    with pytest.raises(ConfigError, match="greater than or equal to 0"):
        read_polynomial(wrong)
    with pytest.raises(ConfigError, match="simulated in this process, and radio"):
        amplified(find_bench("virtual-n210-pair"), AmplifierConfig(saturation_dbfs=-9))
    with pytest.raises(ConfigError, match="'pa_terms' is for simulated radios"):
        find_bench("virtual-n210-pair", overrides={"radios.tx0.virtual.pa_terms": [[0, 0, 0, 1.0, 0.0]]})
