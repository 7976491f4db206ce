"""Names and what stands behind them: folders, aliases, entry points, files; and what is said when that fails."""

import sys

import pytest

from hil.errors import ConfigError, DriverMissingError
from hil.registry import DATASETS, DRIVERS, GOALS, SCHEMES, Registry
from hil.spelling import did_you_mean
from tests.packages import install

GROUP = "hil.tests"


def family(tmp_path, monkeypatch, name, **folders):
    """A registry over a package of its own, with a folder for each card."""
    root = tmp_path / "site"
    for folder, card in folders.items():
        (root / name / folder).mkdir(parents=True)
        (root / name / folder / "__init__.py").write_text(f"from hil.registry import Entry\nREGISTERED = ({card},)\n")
    (root / name / "__init__.py").touch()
    (root / name / "plain").mkdir()
    (root / name / "plain" / "__init__.py").write_text("VALUE = 42\n")  # no card: no part of it
    monkeypatch.syspath_prepend(root)
    for module in [item for item in sys.modules if item.partition(".")[0] == name]:
        monkeypatch.delitem(sys.modules, module)
    return Registry(what="thing", package=name, group=GROUP), root


def test_folders_are_read_and_loaded_when_asked_for(tmp_path, monkeypatch):
    cards = {
        "one": "Entry(name='first', target='family_a.plain:VALUE', alias='f', default=True)",
        "two": "Entry(name='second', target='family_a.heavy:VALUE', summary='words')",
    }
    things, root = family(tmp_path, monkeypatch, "family_a", **cards)
    (root / "family_a" / "heavy.py").write_text("raise RuntimeError('imported too early')\n")
    assert things.names() == ["first", "second"]
    assert things.defaults() == ("first",)
    assert things.entry("second").summary == "words"
    assert things.load("first") == 42
    with pytest.raises(RuntimeError, match=r"too early"):
        things.load("second")


def test_an_alias_is_the_full_name(tmp_path, monkeypatch):
    things, _ = family(tmp_path, monkeypatch, "family_b", one="Entry(name='first', target='family_b.plain:VALUE', alias='f')")
    assert things.resolve("f") == "first"
    assert things.resolve("first") == "first"
    assert things.resolve("other") == "other"
    assert things.entry("f") == things.entry("first")
    assert things.load("f") == 42
    assert SCHEMES.resolve("noma") == "jscc-noma"


def test_a_name_that_is_not_known_is_nearly_one(tmp_path, monkeypatch):
    with pytest.raises(ConfigError, match=r"unknown scheme 'jscc-nomad'; did you mean 'jscc-noma'.*known: .*jscc-oma"):
        SCHEMES.entry("jscc-nomad")
    with pytest.raises(ConfigError, match=r"unknown goal 'zzzz'; known: .*retrieval"):
        GOALS.load("zzzz")
    assert did_you_mean("retreival", ["retrieval", "image"]) == "; did you mean 'retrieval'?"
    assert did_you_mean("zzzz", ["retrieval"]) == ""
    install(tmp_path, "lab", {"hil.goals": {"counting": "nowhere:Goal"}})
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ConfigError, match=r"did you mean 'counting'"):
        GOALS.load("countin")


def test_a_name_taken_twice_is_refused(tmp_path, monkeypatch):
    same = {folder: "Entry(name='first', target='family_c.plain:VALUE')" for folder in ("one", "two")}
    things, _ = family(tmp_path, monkeypatch, "family_c", **same)
    for _attempt in range(2):  # and stays refused
        with pytest.raises(ConfigError, match=r"two things are named 'first'"):
            things.names()
    alias = {
        "one": "Entry(name='first', target='family_d.plain:VALUE', alias='second')",
        "two": "Entry(name='second', target='family_d.plain:VALUE')",
    }
    things, _ = family(tmp_path / "d", monkeypatch, "family_d", **alias)
    with pytest.raises(ConfigError, match=r"two things are named 'second'"):
        things.names()


def test_an_entry_point_adds_a_name(tmp_path, monkeypatch):
    install(tmp_path, "lab", {"hil.datasets": {"lab-set": "lab_data:load"}}, {"lab_data": "def load(*_):\n    return 'data'\n"})
    monkeypatch.syspath_prepend(tmp_path)
    assert "lab-set" in DATASETS.names()
    assert "lab-set" not in DATASETS.builtin
    assert "lab-set" not in SCHEMES.names()  # another group
    assert DATASETS.entry("lab-set").target == "lab_data:load"
    assert DATASETS.load("lab-set")() == "data"


def test_an_entry_point_may_not_hide_a_built_in_or_another(tmp_path, monkeypatch):
    install(tmp_path / "a", "thief", {"hil.schemes": {"jscc-noma": "thief:Scheme", "mine": "thief:Scheme"}})
    install(tmp_path / "b", "other", {"hil.schemes": {"mine": "other:Scheme"}})
    for folder in ("a", "b"):
        monkeypatch.syspath_prepend(tmp_path / folder)
    with pytest.raises(ConfigError, match=r"scheme name 'jscc-noma' is taken twice: thief:Scheme; uninstall"):
        SCHEMES.load("jscc-noma")
    with pytest.raises(ConfigError, match=r"'noma'|'jscc-noma' is taken twice"):
        SCHEMES.load("noma")
    with pytest.raises(ConfigError, match=r"'mine' is taken twice: .*thief:Scheme.*"):
        SCHEMES.load("mine")


def test_an_entry_point_that_leads_nowhere_is_named(tmp_path, monkeypatch):
    points = {"gone": "not_installed_at_all:Scheme", "typo": "lab_typo:Sheme", "deep": "lab_typo:Scheme.inner"}
    install(tmp_path, "lab", {"hil.schemes": points}, {"lab_typo": "class Scheme:\n    inner = 7\n"})
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ConfigError, match=r"scheme 'gone' leads to not_installed_at_all:Scheme, .*not_installed_at_all"):
        SCHEMES.load("gone")
    with pytest.raises(ConfigError, match=r"scheme 'typo' leads to lab_typo:Sheme, .*Sheme"):
        SCHEMES.load("typo")
    assert SCHEMES.load("deep") == 7


def test_a_library_that_is_not_installed_is_named_with_the_way_to_it(tmp_path, monkeypatch):
    cards = {
        "one": "Entry(name='first', target='family_e.one.heavy:VALUE', install='apt install vendor-lib')",
        "two": "Entry(name='second', target='family_e.two.heavy:VALUE')",
    }
    things, root = family(tmp_path, monkeypatch, "family_e", **cards)
    for folder in cards:
        (root / "family_e" / folder / "heavy.py").write_text("import vendor_library_nobody_has\n")
    with pytest.raises(DriverMissingError, match=r"thing 'first' needs .*vendor_library_nobody_has.*: apt install vendor-lib"):
        things.load("first")
    with pytest.raises(DriverMissingError, match=r"pip install vendor_library_nobody_has"):
        things.load("second")


def test_a_file_is_named_directly(tmp_path):
    (tmp_path / "mine.py").write_text("class Driver:\n    value = 5\n")
    assert DRIVERS.load(f"{tmp_path / 'mine.py'}:Driver").value == 5
