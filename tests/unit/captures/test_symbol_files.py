"""The files of `hil send`."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from hil.captures.symbol_files import read_symbols, write_received
from hil.errors import CaptureError, ShapeError

SYMBOLS = (np.arange(24).reshape(2, 3, 4) * (1 + 2j)).astype(np.complex128)


def test_symbols_come_as_npy_or_h5(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", SYMBOLS)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["symbols"] = SYMBOLS
    for name in ("a.npy", "a.h5"):
        found = read_symbols(tmp_path / name)
        assert found.dtype == np.complex64
        np.testing.assert_array_equal(found, SYMBOLS)


def test_what_was_received_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "out.h5"
    write_received(path, {"symbols": SYMBOLS, "valid": SYMBOLS.real > 3}, {"snr_db": [1.5]})
    np.testing.assert_array_equal(read_symbols(path), SYMBOLS)
    with h5py.File(path) as file:
        assert file.attrs["about"] == '{"snr_db": [1.5]}'
        assert file["valid"].dtype == bool
    assert [entry.name for entry in path.parent.iterdir()] == ["out.h5"]


def test_other_files_are_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "real.npy", SYMBOLS.real)
    np.save(tmp_path / "flat.npy", SYMBOLS[0])
    np.save(tmp_path / "none.npy", SYMBOLS[:0])
    np.save(tmp_path / "nan.npy", SYMBOLS * np.nan)
    for name in ("real", "flat", "none", "nan"):
        with pytest.raises(ShapeError, match=f"{name}.npy"):
            read_symbols(tmp_path / f"{name}.npy")
    (tmp_path / "text.npy").write_text("hello")
    (tmp_path / "text.h5").write_text("hello")
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["x"] = 1
    for name in ("gone.npy", "text.npy", "text.h5", "other.h5", "text.csv"):
        with pytest.raises(CaptureError, match=name):
            read_symbols(tmp_path / name)
