"""Code of others is kept apart: from each other's, and from what is loaded already."""

import os
import sys

import pytest

from hil.errors import ConfigError
from hil.foreign import is_foreign, load_foreign, split_foreign

SCHEME = """
from models.net import VALUE

class Mine:
    value = VALUE

    def __init__(self):
        import models.late
        self.late = models.late.VALUE

class Other:
    pass

OBJECT = Mine()
"""


def laboratory(folder, value):
    """A file with a top-level package `models` beside it, as research code has it."""
    (folder / "models").mkdir(parents=True)
    (folder / "models" / "__init__.py").touch()
    (folder / "models" / "net.py").write_text(f"VALUE = {value}\n")
    (folder / "models" / "late.py").write_text(f"VALUE = {10 * value}\n")
    (folder / "scheme.py").write_text(SCHEME)
    return folder / "scheme.py"


def test_two_files_with_a_package_of_the_same_name_do_not_meet(tmp_path, monkeypatch):
    stranger = type(sys)("models")
    monkeypatch.setitem(sys.modules, "models", stranger)
    before = list(sys.path)
    first, second = (laboratory(tmp_path / f"lab{value}", value) for value in (1, 2))
    made = [load_foreign(f"{path}:Mine", "scheme", call=True) for path in (first, second)]
    assert [(one.value, one.late) for one in made] == [(1, 10), (2, 20)]
    assert sys.modules["models"] is stranger
    assert not {"models.net", "models.late"} & set(sys.modules)
    assert sys.path == before
    again = load_foreign(f"{first}:Mine", "scheme", call=True)
    assert again.value == 1
    assert type(again) is not type(made[0])  # the file may have been edited meanwhile


def test_an_attribute_is_given_as_it_is_or_called(tmp_path):
    path = laboratory(tmp_path / "lab", 3)
    assert isinstance(load_foreign(f"{path}:Mine", "scheme"), type)
    assert load_foreign(f"{path}:OBJECT", "scheme").value == 3
    assert load_foreign(f"{path}:OBJECT", "scheme", call=True).value == 3  # nothing to call


def test_the_file_is_a_module_of_its_own_with_its_folder_gone(tmp_path):
    made = load_foreign(f"{laboratory(tmp_path / 'lab', 4)}:Mine", "scheme")
    module = sys.modules[made.__module__]
    assert module.__name__.startswith("_hil_foreign_")
    assert module.Mine is made  # pickling and dataclasses look the class up there


@pytest.mark.parametrize(
    ("text", "attribute", "words"),
    [
        ("import not_there_at_all\n", "Mine", "goal '.*' cannot be imported: No module named 'not_there_at_all'"),
        ("def broken(:\n", "Mine", "cannot be imported"),
        ("class A:\n    pass\nclass B:\n    pass\n", "Mine", r"no class 'Mine'; it has: A, B"),
        ("from pathlib import Path\n", "Mine", r"no class 'Mine'; it has: none"),
    ],
)
def test_what_cannot_be_loaded_is_said(tmp_path, text, attribute, words):
    path = tmp_path / "file.py"
    path.write_text(text)
    before = list(sys.path), set(sys.modules)
    with pytest.raises(ConfigError, match=words):
        load_foreign(f"{path}:{attribute}", "goal")
    assert sys.path == before[0]
    with pytest.raises(ConfigError, match=r"no such file: .*gone\.py"):
        load_foreign(f"{tmp_path / 'gone.py'}:Mine", "goal")


def test_a_file_that_fails_leaves_nothing_behind(tmp_path):
    (tmp_path / "beside.py").write_text("VALUE = 1\n")
    (tmp_path / "file.py").write_text("import beside\nimport not_there_at_all\n")
    before = set(sys.modules)
    with pytest.raises(ConfigError):
        load_foreign(f"{tmp_path / 'file.py'}:Mine", "scheme")
    assert set(sys.modules) == before


def test_what_has_the_form():
    assert is_foreign("some/where/file.py:Class")
    assert is_foreign("C:/x/file.py:Class_2")
    for other in (
        "jscc-noma",
        "market1501:/data/file.py",
        "file.py",
        "file.py:",
        "file.py:1x",
        "file.txt:Class",
        "file.py:C:/a",
    ):
        assert not is_foreign(other)
    assert split_foreign("a/b.py:load:/data/x:y") == ("a/b.py:load", "/data/x:y")
    assert split_foreign("a/b.py:load") == ("a/b.py:load", "")
    assert split_foreign("market1501:/data") is None


def test_a_file_changed_within_a_second_at_the_same_length_is_read_anew(tmp_path):
    file = tmp_path / "quick.py"
    file.write_text("class A:\n    value = 1\n")
    before = file.stat()
    assert load_foreign(f"{file}:A", "scheme").value == 1
    file.write_text("class A:\n    value = 2\n")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert load_foreign(f"{file}:A", "scheme").value == 2
