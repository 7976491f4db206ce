"""MATLAB's files: read by scipy and GNU Octave as they were written, and the other way."""

import json
import shutil
import subprocess

import h5py
import numpy as np
import pytest

from hil.captures.mat_files import write_mat
from hil.captures.symbol_files import read_symbols
from hil.errors import CaptureError, ShapeError

scipy_io = pytest.importorskip("scipy.io", reason="the extra mat is not installed")
DRAW = np.random.default_rng(3)
SYMBOLS = (DRAW.normal(size=(2, 5, 7)) + 1j * DRAW.normal(size=(2, 5, 7))).astype(np.complex64)
ARRAYS = {"symbols": SYMBOLS, "valid": SYMBOLS[0].real > 0, "rx-2/noise_var": SYMBOLS[1].real, "task_frame": np.arange(5)}


def test_version_5_is_read_by_scipy(tmp_path):
    write_mat(tmp_path / "x.mat", ARRAYS, {"snr_db": [3.0]})
    found = scipy_io.loadmat(tmp_path / "x.mat")
    np.testing.assert_array_equal(found["symbols"], SYMBOLS)
    np.testing.assert_array_equal(found["rx_2_noise_var"], SYMBOLS[1].real)
    assert json.loads(str(found["about"][0])) == {"snr_db": [3.0]}


@pytest.mark.parametrize("version", ["5", "7.3"])
def test_what_was_written_is_read_again(tmp_path, version):
    write_mat(tmp_path / "x.mat", ARRAYS, {}, version=version)
    np.testing.assert_array_equal(read_symbols(tmp_path / "x.mat"), SYMBOLS)


def test_version_7_3_is_laid_out_as_matlab_has_it(tmp_path):
    write_mat(tmp_path / "x.mat", ARRAYS, {"a": 1}, version="7.3")
    assert (tmp_path / "x.mat").read_bytes()[:10] == b"MATLAB 7.3"
    assert (tmp_path / "x.mat").read_bytes()[124:128] == b"\x00\x02IM"
    with h5py.File(tmp_path / "x.mat") as file:
        stored = file["symbols"]
        assert stored.shape == (7, 5, 2)  # column by column
        assert stored.attrs["MATLAB_class"] == b"single"
        np.testing.assert_array_equal(h5py.Dataset(stored.id).fields("imag")[()].T, SYMBOLS.imag)
        assert file["valid"].attrs["MATLAB_class"] == b"logical"
        assert bytes(np.asarray(file["about"][:, 0]).tobytes()).decode("utf-16-le") == '{"a": 1}'


@pytest.mark.parametrize("version", ["5", "7.3"])
def test_two_dimensions_are_one_transmitter(tmp_path, version):
    write_mat(tmp_path / "x.mat", {"anything": SYMBOLS[0]}, {}, version=version) if version == "7.3" else scipy_io.savemat(
        tmp_path / "x.mat", {"anything": SYMBOLS[0]}
    )
    if version == "7.3":
        with h5py.File(tmp_path / "x.mat", "a") as file:
            del file["about"]
    np.testing.assert_array_equal(read_symbols(tmp_path / "x.mat"), SYMBOLS[:1])


def test_what_holds_no_symbols_is_named(tmp_path):
    scipy_io.savemat(tmp_path / "x.mat", {"a": SYMBOLS, "b": SYMBOLS})
    with pytest.raises(CaptureError, match="no variable 'symbols'; it has a, b"):
        read_symbols(tmp_path / "x.mat")
    scipy_io.savemat(tmp_path / "y.mat", {"symbols": SYMBOLS.real})
    with pytest.raises(ShapeError, match="complex"):
        read_symbols(tmp_path / "y.mat")
    (tmp_path / "z.mat").write_bytes(b"MATLAB 7.3 and nothing behind it")
    with pytest.raises(CaptureError, match="cannot read"):
        read_symbols(tmp_path / "z.mat")
    (tmp_path / "octave.mat").write_bytes(b"# Created by Octave 7.3.0")
    with pytest.raises(CaptureError, match=r"Octave's own; .*: save -v7 octave.mat symbols"):
        read_symbols(tmp_path / "octave.mat")


@pytest.mark.skipif(shutil.which("octave-cli") is None, reason="GNU Octave is not installed")
def test_octave_reads_and_writes_them(tmp_path):
    write_mat(tmp_path / "x.mat", ARRAYS, {})
    write_mat(tmp_path / "x73.mat", ARRAYS, {}, version="7.3")
    program = (
        f"load('{tmp_path}/x.mat'); assert(size(symbols), [2 5 7]); assert(class(symbols), 'single'); "
        f"assert(load('{tmp_path}/x73.mat').symbols, double(symbols)); symbols = symbols * 2; "
        f"save('-v7', '{tmp_path}/y.mat', 'symbols');"
    )
    subprocess.run(["octave-cli", "--eval", program], check=True, timeout=60, capture_output=True)
    np.testing.assert_array_equal(read_symbols(tmp_path / "y.mat"), SYMBOLS * 2)
