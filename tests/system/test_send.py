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


def test_several_snrs_are_one_file_with_a_simulation_beside(hil, tmp_path):
    scipy_io = pytest.importorskip("scipy.io", reason="the extra mat is not installed")
    draw = np.random.default_rng(6)
    symbols = ((draw.integers(0, 2, (30, 17)) * 2 - 1) + 0j).astype(np.complex64)
    scipy_io.savemat(tmp_path / "x.mat", {"symbols": symbols})
    done = hil("send", tmp_path / "x.mat", "--snr", "0,10,20", "--simulate", "awgn", "--json")
    assert done.returncode == 0, done.stderr
    about = json.loads(done.stdout)
    assert about["snr_db_target"] == [0, 10, 20]
    found = scipy_io.loadmat(about["received"])
    assert found["symbols"].shape == found["simulated"].shape == (3, 30, 17)
    assert found["frame_snr_db"].shape == (3, 1, 1)
    np.testing.assert_array_equal(found["sent"][0], symbols)
    for point, received, model, snr, target in zip(
        about["points"], found["symbols"], found["simulated"], found["frame_snr_db"], (0, 10, 20), strict=True
    ):
        for values, said in ((received, point), (model, point["simulated"])):
            error = np.mean(np.abs(values - symbols) ** 2)
            assert said["evm_db"] == pytest.approx(-target, abs=1.2)
            assert said["mse"] == pytest.approx(error, rel=0.05)
        assert snr[0, 0] == pytest.approx(target, abs=1.5)
    # |Ḡ| follows the transmit gain: 10 dB more SNR is 10 dB more gain at the same noise
    gains = 20 * np.log10(np.sqrt(np.mean(found["gain"] ** 2, (1, 2))))
    np.testing.assert_allclose(np.diff(gains), 10, atol=0.5)
    assert verify(Path(about["capture"])).ok
