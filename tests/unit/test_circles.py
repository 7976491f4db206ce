"""No circle of imports in the package, and `scripts/circles` finds those there are."""

import importlib.machinery
import importlib.util
import subprocess
import sys
from types import ModuleType

import pytest

from tests.conftest import ROOT


@pytest.fixture(scope="module")
def script() -> ModuleType:
    loader = importlib.machinery.SourceFileLoader("circles", str(ROOT / "scripts" / "circles"))
    spec = importlib.util.spec_from_loader("circles", loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


def test_circles_are_found(script: ModuleType) -> None:
    edges = {"a": {"b"}, "b": {"c"}, "c": {"a", "d"}, "d": set(), "e": {"e"}, "f": {"g"}, "g": {"h"}, "h": {"g"}}
    assert sorted(script.circles(edges)) == [["a", "b", "c"], ["e"], ["g", "h"]]
    assert script.circles({"a": {"b", "c"}, "b": {"c"}, "c": set()}) == []


def test_imports_of_any_kind_count(script: ModuleType) -> None:
    edges = script.imports()
    assert "hil.radios.truth" in edges["hil.radios.session"]  # inside a function, and under TYPE_CHECKING
    assert "hil.channel.kernels" in edges["hil.channel.fast"]  # by import_module
    assert "hil.errors" in edges["hil.config"]


def test_the_package_has_no_circle() -> None:
    done = subprocess.run([sys.executable, str(ROOT / "scripts" / "circles")], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert "0 circles" in done.stdout
