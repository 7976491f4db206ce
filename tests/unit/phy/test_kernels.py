"""Choosing kernels, and never using compiled code of another source."""

import hashlib
import importlib.util
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


def test_the_cache_is_named_by_the_source():
    config = pytest.importorskip("numba.core.config")
    chooser.kernels(True)
    here = Path(chooser.__file__).parent
    source = b"".join(path.read_bytes() for path in sorted(here.glob("*.py")))
    before = config.CACHE_DIR
    with chooser._cache_of_this_source():
        assert config.CACHE_DIR.endswith(f"numba-{hashlib.sha256(source).hexdigest()[:16]}")
    assert before == config.CACHE_DIR
