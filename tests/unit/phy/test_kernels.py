"""Choosing kernels, and never using compiled code of another source."""

import importlib.util
import shutil
from pathlib import Path

import pytest

import hil.phy.kernels as chooser
from hil.errors import DriverMissingError


def test_both_forms_have_the_same_face():
    pytest.importorskip("numba")
    compiled, plain = chooser.kernels(True), chooser.kernels(False)
    for one, other in zip(compiled, plain, strict=True):
        assert sorted(one.__all__) == sorted(other.__all__)
        for name in one.__all__:
            public = {item for item in dir(getattr(other, name)) if not item.startswith("_")}
            assert public <= set(dir(getattr(one, name)))


def test_without_numba_plain_kernels_are_taken(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    choose = chooser.kernels.__wrapped__
    assert choose(None).frames.__name__ == "hil.phy.frames_plain"
    with pytest.raises(DriverMissingError, match="hil\\[fast\\]"):
        choose(True)


def test_the_cache_is_named_by_the_source(tmp_path, monkeypatch):
    config = pytest.importorskip("numba.core.config")
    monkeypatch.setattr(config, "CACHE_DIR", config.CACHE_DIR)
    chooser.kernels.__wrapped__(True)
    digest = chooser.source_digest()
    assert config.CACHE_DIR.endswith(f"numba-{digest[:16]}")
    copy = shutil.copytree(Path(chooser.__file__).parent, tmp_path / "phy", ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(chooser, "__file__", str(copy / "kernels.py"))
    assert chooser.source_digest() == digest
    for name, counts in (("receive", False), ("vector_numba", True), ("header", True), ("reception", True)):
        with (copy / f"{name}.py").open("a", encoding="utf-8") as file:
            file.write("# changed\n")
        assert (chooser.source_digest() != digest) is counts, name
        digest = chooser.source_digest()
