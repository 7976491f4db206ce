"""Choosing kernels, and never using compiled code of another source."""

import ast
import importlib.util
import shutil
from pathlib import Path

import numpy as np
import pytest

import hil.phy.kernels as chooser
from hil import channel, phy
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


def test_sums_have_loops_of_their_own():
    """A loop that adds up and stores is compiled twice; where the arrays lie decides which is run, and the last bit."""
    wrong = []
    for path in sorted([*Path(phy.__file__).parent.glob("*_numba.py"), *Path(channel.__file__).parent.glob("kernels*.py")]):
        functions = [
            node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.FunctionDef)
        ]
        for function in functions:
            if any("fastmath" in ast.unparse(one) for one in function.decorator_list):
                wrong += [f"{path.name}:{loop.lineno} {function.name}" for loop in ast.walk(function) if _sums_and_stores(loop)]
    assert not wrong


def _sums_and_stores(loop):
    if not isinstance(loop, ast.For):
        return False
    inside = [node for statement in loop.body for node in ast.walk(statement)]
    if any(isinstance(node, ast.For | ast.While) for node in inside):
        return False
    sums = any(isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name) for node in inside)
    return sums and any(isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store) for node in inside)


def test_a_pilots_errors_do_not_depend_on_where_the_looks_lie():
    pytest.importorskip("numba")
    chooser.kernels(True)
    from hil.phy.tracking_numba import _judge

    rng = np.random.default_rng(0)
    looks = rng.standard_normal((4, 10))
    found = set()
    for _ in range(300):
        memory = np.empty(400)
        starts = np.cumsum(10 + rng.integers(0, 9, 5))[rng.permutation(5)]
        places = [memory[start : start + 10] for start in starts]
        for place, values in zip(places, looks, strict=False):
            place[:] = values
        found.add(_judge(*places[:2], 1.3, 1.1, *places[2:4], np.full(10, 6.0), places[4]))
    assert len(found) == 1
