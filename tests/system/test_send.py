"""`hil send`: a stranger's symbols over the simulated air."""

import json
from pathlib import Path

import h5py
import numpy as np
import pytest

from hil.captures import verify


def test_send_puts_a_strangers_symbols_on_the_air(hil, tmp_path):
    generator = np.random.default_rng(5)
    symbols = (generator.normal(size=(2, 30, 17)) + 1j * generator.normal(size=(2, 30, 17))).astype(np.complex64)
    np.save(tmp_path / "x.npy", symbols)
    refused = hil("send", tmp_path / "x.npy")
    assert refused.returncode == 1
    assert "--normalize" in refused.stderr
    done = hil("send", tmp_path / "x.npy", "--normalize", "--snr", 20, "--json")
    assert done.returncode == 0, done.stderr
    about = json.loads(done.stdout)
    assert about["access"] == "noma"
    assert about["frames"]["lost"] == 0
    with h5py.File(about["received"]) as file:
        sent, received = np.asarray(file["sent"]), np.asarray(file["symbols"])
        assert received.shape == (30, 17)
        assert file["valid"][...].all()
        assert file["channel"].shape == (2, 30, 17)
        error = np.mean(np.abs(received - sent.sum(0)) ** 2)
        noise = float(np.asarray(file["noise_var"]).mean())
    assert -10 * np.log10(error) == pytest.approx(20, abs=1.0)
    assert noise == pytest.approx(error, rel=0.4)
    assert verify(Path(about["capture"])).ok
