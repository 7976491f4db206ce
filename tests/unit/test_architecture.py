"""The house keeps its own rules: names in one place, small files, arrows that go down, private parts left alone."""

import ast
import re
import subprocess
import sys

import pytest

from hil.registry import DATASETS, DRIVERS, GOALS, SCHEMES
from tests.conftest import ROOT

PACKAGE = ROOT / "hil"
SOURCES = sorted(PACKAGE.rglob("*.py"))
COMPILED = re.compile(r"kernels?(_\w+)?\.py|\w+_numba\.py")
"""Compiled kernels: numba wants its loops in one function."""
OLD_NAMES = ("upgrade.py", "from_v1.py")
"""Steps from older formats: what those called things is part of them."""
FOREIGN_WORDS = {
    ("uhd", "hil/radios/drivers/soapy/_quirks.py"),
    *(("voc", f"hil/goals/detection/{name}.py") for name in ("goal", "precision")),
    *(("objects", f"hil/{name}.py") for name in ("goals/detection/goal", "goals/detection/precision", "models/state_dicts")),
    *(("detection", f"hil/models/{name}.py") for name in ("recipe", "training/detection")),
}
"""(name, file): a word of somebody else's that happens to be ours too: SoapySDR calls its modules so, and detection a way to
count; "objects" is a word; "detection" is also a loss that recipes ask for."""
COMMON_WORDS = {"features"}
"""Names that are words of the field, and stand for what they mean there in many files."""
REGISTRIES = (DATASETS, DRIVERS, GOALS, SCHEMES)


def folder_of(registry, entry):
    """Where a built-in lives: the folder of its package that its target points into."""
    module = entry.target.partition(":")[0].removeprefix(registry.package + ".")
    return PACKAGE.parent / registry.package.replace(".", "/") / module.split(".")[0]


def names():
    for registry in REGISTRIES:
        for entry in registry.builtin.values():
            yield pytest.param(entry.name, folder_of(registry, entry), id=f"{registry.what} {entry.name}")


def texts(tree):
    """String constants of a module that are not docstrings."""
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    docs = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, documented) and node.body and isinstance(node.body[0], ast.Expr)
    }
    docs |= {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}  # attribute docstrings
    return [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs
    ]


TEXTS = {path: texts(ast.parse(path.read_text(encoding="utf-8"))) for path in SOURCES}


@pytest.mark.parametrize(("name", "folder"), list(names()))
def test_a_registered_name_stands_in_its_own_folder_only(name, folder):
    elsewhere = [
        str(path.relative_to(ROOT))
        for path, found in TEXTS.items()
        if folder not in path.parents and path.name not in OLD_NAMES and name in found
    ]
    elsewhere = [path for path in elsewhere if (name, path) not in FOREIGN_WORDS and name not in COMMON_WORDS]
    assert not elsewhere
    assert folder.is_dir()


def test_files_and_functions_stay_small():
    long = []
    for path in SOURCES:
        text = path.read_text(encoding="utf-8")
        lines = text.count("\n")
        if lines > 400 and not COMPILED.fullmatch(path.name):
            long.append(f"{path.relative_to(ROOT)}: {lines} lines")
        if COMPILED.fullmatch(path.name):
            continue
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                count = (node.end_lineno or 0) - node.lineno + 1
                if count > 60:
                    long.append(f"{path.relative_to(ROOT)}:{node.name}: {count} lines")
    assert not long


def test_private_files_are_not_imported_from_outside_their_folder():
    wrong = []
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("hil."):
                parts = node.module.split(".")
                private = next((index for index, part in enumerate(parts) if part.startswith("_")), None)
                if private and private > 1 and path.parent != ROOT.joinpath(*parts[:private]):
                    wrong.append(f"{path.relative_to(ROOT)} imports {node.module}")
    assert not wrong


def test_goals_do_not_know_each_other():
    wrong = []
    for entry in GOALS.builtin.values():
        folder = folder_of(GOALS, entry)
        others = {f"hil.goals.{folder_of(GOALS, other).name}" for other in GOALS.builtin.values()} - {
            f"hil.goals.{folder.name}"
        }
        for path in folder.rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.ImportFrom) and any((node.module or "").startswith(other) for other in others):
                    wrong.append(f"{path.relative_to(ROOT)} imports {node.module}")
    assert not wrong


def test_no_circle_of_imports():
    done = subprocess.run([sys.executable, "scripts/circles"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("words", [("--help",), ("run", "--help"), ("schemes", "--help"), ("--version",)])
def test_help_imports_no_torch(words):
    program = (
        "import sys; from hil.cli.main import cli\n"
        f"try: cli({list(words)!r}, prog_name='hil')\n"
        "except SystemExit: pass\n"
        "sys.exit('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr or "torch was imported"


def test_the_python_face_is_what_it_says():
    import hil

    assert hil.__all__ == [
        "Bench", "Capture", "Goal", "HilError", "Scheme", "__version__", "calibrate", "load_results", "replay", "resume", "run",
        "score", "send",
    ]  # fmt: skip
    for name in hil.__all__:
        assert getattr(hil, name) is not None
    program = "import sys, hil; hil.HilError; sys.exit(bool({'torch', 'numpy', 'pydantic'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=False).returncode == 0
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = hil.nonsense


def test_tests_mirror_the_tree():
    """Every folder of tests/unit is a folder of hil/ (or tests the package as a whole)."""
    unit = ROOT / "tests" / "unit"
    for folder in (path for path in unit.rglob("*") if path.is_dir() and path.name not in ("__pycache__", "oracles")):
        assert (PACKAGE / folder.relative_to(unit)).is_dir() or (PACKAGE / f"{folder.relative_to(unit)}.py").is_file(), folder


def test_every_page_of_the_documentation_is_linked_from_the_readme():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    pages = [path.relative_to(ROOT) for path in (ROOT / "docs").glob("*.md")]
    assert pages
    assert [str(page) for page in pages if f"({page})" not in readme] == []
