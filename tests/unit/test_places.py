"""Where a bare name is looked up, and in which order."""

import pytest

from hil.errors import ConfigError
from hil.places import find, folders
from tests.conftest import ROOT


@pytest.fixture
def places(tmp_path, monkeypatch):
    """A home, another one in the environment, and a current directory, each with its own bench of one name."""
    for name in ("given", "environment", "current"):
        (tmp_path / name / "radios").mkdir(parents=True)
        (tmp_path / name / "radios" / "bench.toml").write_text(name)
    monkeypatch.chdir(tmp_path / "current")
    monkeypatch.setenv("HIL_HOME", str(tmp_path / "environment"))
    return tmp_path


def test_the_nearest_one_is_found(places):
    def text(home=None):
        return find("radios", "bench", ".toml", home).read_text()

    assert text(places / "given") == "given"
    assert text() == "environment"
    (places / "environment" / "radios" / "bench.toml").unlink()
    assert text() == "current"
    assert text(places / "given") == "given"


def test_without_a_home_the_current_directory_is_first(places, monkeypatch):
    monkeypatch.delenv("HIL_HOME")
    assert folders("radios")[0] == places / "current" / "radios"
    monkeypatch.setenv("HIL_HOME", "")
    assert folders("radios")[0] == places / "current" / "radios"


def test_what_ships_is_found_last(places):
    assert find("radios", "builtin", ".toml") == ROOT / "radios" / "builtin.toml"
    assert find("radios", "builtin.toml", ".toml") == ROOT / "radios" / "builtin.toml"
    (places / "current" / "radios" / "builtin.toml").write_text("mine")
    assert find("radios", "builtin", ".toml").read_text() == "mine"


def test_a_path_is_a_path(places):
    path = places / "given" / "radios" / "bench.toml"
    assert find("radios", path, ".toml") == path
    assert find("radios", "radios/bench.toml", ".toml").read_text() == "current"


def test_a_folder_is_no_file_and_a_file_no_folder(places):
    (places / "given" / "models" / "jscc").mkdir(parents=True)
    assert find("models", "jscc", home=places / "given").is_dir()
    with pytest.raises(ConfigError, match="no models entry named 'jscc'"):
        find("models", "jscc", ".safetensors", places / "given")
    with pytest.raises(ConfigError, match=r"no radios entry named 'bench\.toml'"):
        find("radios", "bench.toml", home=places / "given")


def test_what_is_nowhere_is_told_with_the_places(places):
    with pytest.raises(ConfigError) as info:
        find("radios", "nothing", ".toml", places / "given")
    text = str(info.value)
    for place in (places / "given" / "radios" / "nothing.toml", places / "current" / "radios" / "nothing.toml", "HIL_HOME"):
        assert str(place) in text
