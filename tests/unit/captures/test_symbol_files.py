"""The files of `hil send`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from hil.captures.symbol_files import expect_symbols, read_symbols, write_received
from hil.errors import CaptureError, ShapeError

SYMBOLS = (np.arange(24).reshape(2, 3, 4) * (1 + 2j)).astype(np.complex128)


def test_symbols_come_as_npy_or_h5(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", SYMBOLS)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["symbols"] = SYMBOLS
    for name in ("a.npy", "a.h5"):
        found = read_symbols(tmp_path / name)
        assert found.dtype == np.complex128
        np.testing.assert_array_equal(found, SYMBOLS)


def test_what_was_received_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "out.h5"
    write_received(path, {"symbols": SYMBOLS, "valid": SYMBOLS.real > 3}, {"snr_db": [1.5]})
    np.testing.assert_array_equal(read_symbols(path), SYMBOLS)
    with h5py.File(path) as file:
        assert file.attrs["about"] == '{"snr_db": [1.5]}'
        assert file["valid"].dtype == bool
    assert [entry.name for entry in path.parent.iterdir()] == ["out.h5"]


def kinds() -> dict[str, np.ndarray]:
    """The same symbols in every form that holds all of them."""
    compound = np.zeros(SYMBOLS.shape, [("real", "<f4"), ("imag", "<f4")])
    compound["real"], compound["imag"] = SYMBOLS.real, SYMBOLS.imag
    swapped = np.zeros(SYMBOLS.shape, [("Im", ">f8"), ("Re", ">f8")])
    swapped["Re"], swapped["Im"] = SYMBOLS.real, SYMBOLS.imag
    whole = np.zeros(SYMBOLS.shape, [("i", "<i2"), ("r", "<i2")])
    whole["r"], whole["i"] = SYMBOLS.real, SYMBOLS.imag
    return {
        "c8": SYMBOLS.astype("<c8"), "big": SYMBOLS.astype(">c16"), "fortran": np.asfortranarray(SYMBOLS),
        "long": SYMBOLS.astype(np.clongdouble), "compound": compound, "swapped": swapped, "whole": whole,
        "strided": np.repeat(SYMBOLS, 2, 2)[:, :, ::2],
    }  # fmt: skip


@pytest.mark.parametrize("name", list(kinds()))
def test_all_forms_of_complex_numbers_are_the_same(tmp_path: Path, name: str) -> None:
    np.save(tmp_path / "a.npy", kinds()[name])
    np.testing.assert_array_equal(read_symbols(tmp_path / "a.npy"), SYMBOLS)
    np.testing.assert_array_equal(expect_symbols(kinds()[name], "test"), SYMBOLS)
    if name != "long":  # HDF5 has no such numbers
        with h5py.File(tmp_path / "a.h5", "w") as file:
            file["symbols"] = kinds()[name]
        np.testing.assert_array_equal(read_symbols(tmp_path / "a.h5"), SYMBOLS)


def test_other_files_are_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "real.npy", SYMBOLS.real)
    np.save(tmp_path / "int.npy", SYMBOLS.real.astype(int))
    np.save(tmp_path / "flat.npy", SYMBOLS[0])
    np.save(tmp_path / "four.npy", SYMBOLS[None])
    np.save(tmp_path / "scalar.npy", np.complex64(1))
    np.save(tmp_path / "none.npy", SYMBOLS[:0])
    np.save(tmp_path / "tasks.npy", SYMBOLS[:, :0])
    np.save(tmp_path / "nan.npy", SYMBOLS * np.nan)
    np.save(tmp_path / "text.npy", np.full(SYMBOLS.shape, "x"))
    np.save(tmp_path / "bool.npy", SYMBOLS != 0)
    np.save(tmp_path / "three.npy", np.zeros(SYMBOLS.shape, [("real", "f4"), ("imag", "f4"), ("more", "f4")]))
    with np.errstate(over="ignore"):
        np.save(tmp_path / "huge.npy", np.full(SYMBOLS.shape, np.longdouble("1e4000"), np.clongdouble))
    for name in ("real", "int", "flat", "four", "scalar", "none", "tasks", "nan", "text", "bool", "three", "huge"):
        with pytest.raises(ShapeError, match=rf"{name}\.npy: symbols must be finite, complex \[tx, task, use\]"):
            read_symbols(tmp_path / f"{name}.npy")


def test_what_is_no_file_of_symbols_is_named(tmp_path: Path) -> None:
    np.save(tmp_path / "object.npy", np.array([None]), allow_pickle=True)
    np.savez(tmp_path / "archive.npz", symbols=SYMBOLS)
    (tmp_path / "zip.npy").write_bytes((tmp_path / "archive.npz").read_bytes())
    np.save(tmp_path / "whole.npy", SYMBOLS)
    whole = (tmp_path / "whole.npy").read_bytes()
    (tmp_path / "cut.npy").write_bytes(whole[:-1])
    (tmp_path / "claims.npy").write_bytes(whole.replace(b"(2, 3, 4)", b"(9,99,9999999)"[:9], 1))
    for name in ("empty.npy", "empty.h5"):
        (tmp_path / name).touch()
    (tmp_path / "hello.npy").write_text("hello")
    (tmp_path / "hello.h5").write_text("hello")
    (tmp_path / "folder.npy").mkdir()
    (tmp_path / "loop.npy").symlink_to("loop.npy")
    names = ["object.npy", "archive.npz", "zip.npy", "cut.npy", "claims.npy", "empty.npy", "empty.h5", "hello.npy", "hello.h5"]
    for name in [*names, "folder.npy", "loop.npy", "gone.npy", "x.csv", "none", "nul\0.npy"]:
        with pytest.raises(CaptureError) as info:
            read_symbols(tmp_path / name)
        assert name.partition("\0")[0] in str(info.value)
        assert "\n" not in str(info.value)


def test_datasets_that_are_none_are_named(tmp_path: Path) -> None:
    def stored(name: str, store: Callable[[h5py.File], None]) -> Path:
        with h5py.File(tmp_path / f"{name}.h5", "w") as file:
            store(file)
        return tmp_path / f"{name}.h5"

    for name, store, words in (
        ("other", lambda f: f.create_dataset("x", data=1), "has no dataset 'symbols'; it has x"),
        ("nothing", lambda f: None, "has no dataset 'symbols'; it has nothing"),
        ("soft", lambda f: f.__setitem__("symbols", h5py.SoftLink("/gone")), "link that leads nowhere"),
        (
            "external",
            lambda f: f.__setitem__("symbols", h5py.ExternalLink("gone.h5", "/x")),
            "link that leads nowhere|cannot read",
        ),
        ("circle", lambda f: f.__setitem__("symbols", h5py.SoftLink("/symbols")), "link|cannot read"),
        ("null", lambda f: f.__setitem__("symbols", h5py.Empty("c8")), "empty .null. dataset"),
        ("group", lambda f: f.create_group("symbols/inner"), "is a group, not a dataset; it has inner"),
        ("text", lambda f: f.__setitem__("symbols", "hello"), "must be finite, complex"),
        (
            "vast",
            lambda f: f.create_dataset("symbols", (1000, 10**6, 10**6), "c8", chunks=(1, 1000, 10)),
            "more than 268,435,456",
        ),
        ("type", lambda f: f.__setitem__("symbols", np.dtype("c8")), "not a dataset"),
    ):
        with pytest.raises((CaptureError, ShapeError), match=words):
            read_symbols(stored(name, store))
